"""What comes of a training of styles: losses on held-out pictures, the network, the report, the SavedModel."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import keras

from tfgantl.configuration import to_yaml
from tfgantl.export.publish import publish
from tfgantl.export.style_signatures import style_signatures
from tfgantl.models.copies import float32_copy
from tfgantl.models.stylizer import Stylizer
from tfgantl.pipelines.results import RunResult, python_only
from tfgantl.pipelines.saving import save_together
from tfgantl.pipelines.stylize.trained import DISCRIMINATOR, STYLIZER
from tfgantl.pipelines.stylize.training import PreparedStyles, StyleTraining
from tfgantl.report import Report
from tfgantl.style.by_phrase import PhraseStylizer, example_phrases
from tfgantl.style.feedforward import measured, with_styles_of
from tfgantl.style.phrases import StylePhrases
from tfgantl.style.sheets import loss_curves, style_sheet
from tfgantl.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from tfgantl.pipelines.stylize.train import StyleTrainingConfig


MAX_SHOWN = 3  # held-out pictures


@dataclass(frozen=True, kw_only=True)
class StyleTrainingResult(RunResult):
    """What came of a training of styles.

    Args:
        export_dir: Version of the SavedModel.
        styles: Names of the styles of the network.
        steps: Steps taken.
        losses: Name of a training → `content` and `style`, the losses on held-out pictures for each of its styles.
        seconds: Of the whole job.
        seconds_per_step: Name of a training → seconds.
        trained_parameters: Number of them.
        generator: Network that paints.
    """

    export_dir: Path
    styles: list[str]
    steps: int
    losses: dict[str, dict]
    seconds: float
    seconds_per_step: dict[str, float]
    trained_parameters: int
    generator: Stylizer = python_only()

    @classmethod
    def of(
        cls,
        config: "StyleTrainingConfig",
        run_dir: Path,
        export_dir: Path,
        seconds: float,
        training: StyleTraining,
        losses: dict,
        network: Stylizer,
        report: Report,
    ) -> Self:
        """Puts the result together from the parts of a training."""
        weights = training.networks["styles"].trainable_weights
        return cls(
            run_dir=run_dir,
            export_dir=export_dir,
            styles=network.styles,
            steps=config.steps,
            losses=losses,
            seconds=seconds,
            seconds_per_step=training.seconds_per_step,
            trained_parameters=sum(int(weight.value.shape.num_elements()) for weight in weights),
            generator=network,
            report=report,
        )

    def closing_lines(self) -> list[str]:
        return [*super().closing_lines(), f"SavedModel: {self.export_dir}"]


def evaluate(prepared: PreparedStyles, training: StyleTraining) -> dict[str, dict]:
    """Losses of all networks on crops of held-out pictures, for each style."""
    return {
        title: measured(prepared.loss, float32_copy(network), prepared.unseen)
        for title, network in training.networks.items()
    }


def save_network(prepared: PreparedStyles, training: StyleTraining, run: RunDirectory) -> tuple[Stylizer, bytes]:
    """Saves the network, with the styles of its base, its discriminator, and a sheet of what it paints.

    Returns:
        The network in float32, and the sheet as PNG.
    """
    network = training.networks["styles"]
    final = float32_copy(network) if prepared.base is None else with_styles_of(prepared.base, network)
    networks: dict[str, keras.Model] = {STYLIZER: final}
    discriminator = training.discriminators["styles"]
    if discriminator is not None:
        networks[DISCRIMINATOR] = float32_copy(discriminator)
    save_together(networks, run)
    styles = prepared.materials.styles if prepared.base is None else None
    sheet = style_sheet(final, prepared.materials.held_out[:MAX_SHOWN], styles)
    run.write("sheet.png", sheet)
    return final, sheet


def publish_styles(
    config: "StyleTrainingConfig", network: Stylizer, phrases: StylePhrases | None, sheet: bytes, run: RunDirectory
) -> Path:
    """Publishes the network, with what reads phrases if there is any, and gives its new version."""
    facts: dict[str, Any] = {"run": run.id, "target": ", ".join(network.styles)}
    shown = sheet if config.show_training_pictures else None
    if phrases is None:
        return publish(network, config.export_path, style_signatures, facts, before_after=shown)
    facts["texts"] = example_phrases(phrases)
    by_phrase = PhraseStylizer(network, phrases)
    return publish(by_phrase, config.export_path, style_signatures, facts, before_after=shown)


def training_report(
    config: "StyleTrainingConfig",
    prepared: PreparedStyles,
    training: StyleTraining,
    losses: dict,
    network: Stylizer,
    sheet: bytes,
    seconds: float,
) -> Report:
    """Puts together the report of a training.

    Args:
        config: The `StyleTrainingConfig`.
        prepared: What it began with.
        training: What came of it.
        losses: On held-out pictures.
        network: The network that was saved.
        sheet: What it paints, as PNG.
        seconds: Of the whole job.
    """
    rows = [("training", "style", "content loss", "style loss")] + [
        (title, name, f"{content:.3f}", f"{style:.3f}")
        for title, entry in losses.items()
        for name, content, style in zip(prepared.materials.names, entry["content"], entry["style"], strict=True)
    ]
    return Report(
        title=f"{config.run_name}: {', '.join(network.styles)}",
        summary=[f"{config.steps} steps of {config.batch_size}, {seconds:.0f} s."],
        pictures={"Pictures that were held out, in all styles": sheet, "Losses": loss_curves(training.history)},
        tables={"On pictures that were held out; 1: nothing is left of the content, or of the style": rows},
        config=to_yaml(config),
    )
