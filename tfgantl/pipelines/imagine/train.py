"""Trains a text-conditional generator on captioned pictures: from a source of any kind, by any transfer method.

`tfgantl imagine train [--target Folder --target.path pictures --captions captions.csv]`.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tfgantl.cli import run as run_cli
from tfgantl.crossmodal.captions import MEASURED_CAPTIONS
from tfgantl.data import HandwrittenDigits, Source
from tfgantl.errors import ConfigError, check_at_least
from tfgantl.models import Networks
from tfgantl.pipelines.session import Session
from tfgantl.pipelines.settings import GANTrainingConfig, PublishingConfig, ReleaseConfig
from tfgantl.transfer import FineTune, Transfer

if TYPE_CHECKING:
    from tfgantl.pipelines.imagine.train_results import ImagineTrainResult

DEFAULTS = {
    "target": {"class_path": "HandwrittenDigits"}, "transfer": {"class_path": "FineTune"}, "networks": None,
}  # fmt: skip


@dataclass(frozen=True)
class ImagineTrainConfig(GANTrainingConfig, ReleaseConfig, PublishingConfig):
    """Settings of a training on captioned pictures.

    Args:
        source: Handle of the trained pair, as for `adapt`: class-conditional, unconditional, or the run of a training
            like this one.
        networks: Architecture that bare weights are adopted into.
        allow_ops: Operations of a SavedModel that are trusted, of those that are refused otherwise.
        target: Pictures to train on.
        captions: A CSV (`file,caption`), a .jsonl file, or a folder with `metadata.jsonl` or a .txt beside each
            picture; or measured: the class of each picture, and words for what is measured of it; or parts: the arrays
            `attribute_…` of an archive, which name the parts of its pictures.
        on_bad_captions: What to do about captions without a picture, pictures without a caption and captions that
            cannot be read: error stops and names one, skip leaves them out and says so.
        attributes: What is measured for captions: names as in `tfgantl.editing.attributes`, with commas; auto takes
            thickness, slant and size of gray pictures, and brightness, saturation and temperature of colour ones.
        held_out: Combinations of a class and two words that no measured caption names, to see how these are drawn.
        pictures: How many are drawn of a source without end.
        text_encoder: What turns captions into vectors: a .keras file or the directory of a SavedModel of strings, or
            of encoders that were trained together; that of the source, or else one that is trained on the captions,
            if not given.
        encoder_steps: Training steps of such an encoder.
        transfer: How to transfer.
        mismatch: Weight of real pictures with captions of others, which the discriminator takes for generated.
        blending: Weight of what lies half way between two captions, which the generator draws, too.
        steps: Training steps; 1,000 if neither these nor a budget are given.
        validate_every: Steps between validations, which choose the best state; a sixth of the steps that a budget
            allows for, and 200 without one.
        budget: Time for the training, in place of steps; as for `adapt`.
        baseline: Whether the same networks are trained from scratch with the same budget, for the verdict.
        force: Publish also after negative transfer, and more copies than `max_copies`.
        preset_dir: New directory for a preset of the generator, in half precision, with its text encoder; none if not
            given.
    """

    source: str = "rendered-digits"
    networks: Networks | None = None
    allow_ops: tuple[str, ...] = ()
    target: Source = field(default_factory=HandwrittenDigits)
    captions: str = MEASURED_CAPTIONS
    on_bad_captions: Literal["error", "skip"] = "error"
    attributes: str = "auto"
    held_out: int = 0
    pictures: int = 10_000
    text_encoder: str | None = None
    encoder_steps: int = 1500
    transfer: Transfer = field(default_factory=FineTune)
    mismatch: float = 1.0
    blending: float = 0.5
    baseline: bool = True
    force: bool = False
    preset_dir: str | None = None

    kind = "-in-words"
    default_steps: ClassVar[int] = 1000
    default_validate_every: ClassVar[int] = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 0, "held_out", "mismatch", "blending")
        check_at_least(self, 100, "pictures")
        check_at_least(self, 1, "encoder_steps")
        if self.preset_dir and Path(self.preset_dir).exists() and not self.resume:
            raise ConfigError(f"`preset_dir` must not exist. Received: {self.preset_dir}")
        if self.optimization.label_ramp is not None:
            raise ConfigError("`label_ramp` must be left out for captions, which have no rows. Received: one")
        if not self.measures_captions and (self.held_out or self.attributes != "auto"):
            raise ConfigError(
                "`held_out` and `attributes` must only be given for measured captions. "
                f"Received: one, for {self.captions}"
            )

    @property
    def measures_captions(self) -> bool:
        """Whether captions are made of what is measured of the pictures."""
        return self.captions == MEASURED_CAPTIONS


def imagine_train(config: ImagineTrainConfig) -> "ImagineTrainResult":
    """Trains a text-conditional pair, and measures whether it draws what it is told.

    Args:
        config: The settings.

    Returns:
        The generator, its metrics, the verdict, how well it draws what a text says, and the report.

    Raises:
        TfgantlError: If the source, the target, captions or the run directory cannot be used, or training diverges.
    """
    from tfgantl.export.publish import check_export_dir
    from tfgantl.pipelines.adapt.evaluation import evaluate
    from tfgantl.pipelines.adapt.publishing import origin_of, refusal_of
    from tfgantl.pipelines.adapt.report import adaptation_report
    from tfgantl.pipelines.adapt.training import measure, train
    from tfgantl.pipelines.budget import with_steps
    from tfgantl.pipelines.imagine.preparation import prepare
    from tfgantl.pipelines.imagine.telling import save_text_encoder, tell_fidelity, tell_in_report
    from tfgantl.pipelines.imagine.train_results import ImagineTrainResult, keep_preset, publish_model

    check_export_dir(config.export_path, "imagine", config.force)
    session, prepared = Session(config), prepare(config, config.run_name)
    remark = "; the baseline takes as many steps again" if config.baseline else ""
    config = replace(config, **prepared.settings)  # what a resumed run must find
    shared: Any = config  # it has whatever the steps of an adaptation ask of an `AdaptConfig`
    config = session.config = shared = with_steps(config, partial(measure, shared, prepared), remark)
    with session.open(prepared.name, prepared.facts(), prepared.opening(), *prepared.notes) as run:
        evaluation_set = prepared.evaluation_set(config.samples, config.seed)
        session.by_chief(lambda: save_text_encoder(prepared.text_encoder, run))
        training = train(shared, prepared, evaluation_set, run)

        def judged_and_published() -> ImagineTrainResult:
            evaluation = evaluate(shared, prepared, evaluation_set, training)
            fidelity = tell_fidelity(prepared, training.adapted.gan)
            report = tell_in_report(adaptation_report(shared, prepared, training, evaluation), prepared, fidelity)
            keep_preset(config, prepared, training, evaluation, fidelity, run)
            export_dir = publish_model(config, prepared, training, evaluation, fidelity, run)
            reasons = origin_of(shared, prepared), refusal_of(shared, evaluation)
            parts = (prepared, training, evaluation, report, *reasons)
            result = ImagineTrainResult.of(run.path, export_dir, session.seconds, *parts)
            return session.finish(replace(result, fidelity=fidelity.numbers), prepared.examples["train"].classes)

        return session.by_chief(judged_and_published)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(ImagineTrainConfig, "imagine train", imagine_train, DEFAULTS, arguments)
