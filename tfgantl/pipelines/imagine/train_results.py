"""What a training on captions returns, and publishes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfgantl.crossmodal.text_conditioning import with_captions
from tfgantl.crossmodal.text_to_image import ENCODER
from tfgantl.export.publish import publish
from tfgantl.export.text_signatures import imagine_signatures
from tfgantl.models.presets import keep_half
from tfgantl.pipelines.adapt.evaluation import AdaptationEvaluation
from tfgantl.pipelines.adapt.publishing import facts_of, refusal_of
from tfgantl.pipelines.adapt.results import AdaptResult
from tfgantl.pipelines.adapt.training import AdaptationTraining
from tfgantl.pipelines.imagine.preparation import PreparedCaptions
from tfgantl.pipelines.imagine.telling import ToldFidelity
from tfgantl.pipelines.settings import published_recipe
from tfgantl.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from tfgantl.pipelines.imagine.train import ImagineTrainConfig


@dataclass(frozen=True, kw_only=True)
class ImagineTrainResult(AdaptResult):
    """What came of a training on captions.

    Args:
        fidelity: Name → share of the pictures that show what they were asked for, by class and by word.
    """

    fidelity: dict[str, float | None] = field(default_factory=dict)

    def closing_lines(self) -> list[str]:
        """What the log ends with: the verdict, how well texts are drawn, and where things are."""
        numbers = ", ".join(f"{name} {value:.3f}" for name, value in self.fidelity.items() if value is not None)
        tried = f'to try it: tfgantl imagine "…" --model {self.run_dir}'
        return [*super().closing_lines(), *([numbers] if numbers else []), tried]


def publish_model(
    config: "ImagineTrainConfig",
    prepared: PreparedCaptions,
    training: AdaptationTraining,
    evaluation: AdaptationEvaluation,
    fidelity: ToldFidelity,
    run: RunDirectory,
) -> Path | None:
    """Publishes the generator together with its text encoder, unless transfer was negative or it copies its pictures.

    Returns:
        The new version, or `None` where `refusal_of` gives a reason and there is no `force`.
    """
    settings: Any = config  # it has whatever publishing asks of an `AdaptConfig`
    if refusal_of(settings, evaluation) and not config.force:
        return None
    facts = {
        **facts_of(settings, prepared, evaluation, run),
        "transfer": type(config.transfer).__name__,
        "texts": fidelity.phrases,
        "metrics": {**evaluation.adapted.metrics, **fidelity.numbers},
    }
    before_after = (run.path / "before_after.png").read_bytes() if config.show_training_pictures else None
    return publish(
        fidelity.model, config.export_path, imagine_signatures, facts, config.force, before_after, config.max_copies
    )  # fmt: skip


def keep_preset(
    config: "ImagineTrainConfig",
    prepared: PreparedCaptions,
    training: AdaptationTraining,
    evaluation: AdaptationEvaluation,
    fidelity: ToldFidelity,
    run: RunDirectory,
) -> None:
    """Writes the generator in half precision, with a short table, and the text encoder, if a preset is asked for."""
    if not config.preset_dir:
        return
    table = prepared.table.first(len(fidelity.phrases))
    generator = with_captions(training.adapted.gan.ema_generator, table)
    metadata = {
        "phrases": fidelity.phrases, "recipe": published_recipe(config), "fidelity": fidelity.numbers,
        "metrics": evaluation.adapted.metrics, "protocol": evaluation.adapted.protocol,
    }  # fmt: skip
    keep_half({"generator": generator}, Path(config.preset_dir), metadata, {ENCODER: run.path / ENCODER})
