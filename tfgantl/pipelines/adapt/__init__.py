"""Adapts a GAN to a small target, compares it with training from scratch, and exports it.

`python -m tfgantl.pipelines.adapt`, or `tfgantl adapt`.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from tfgantl.cli import run as run_cli
from tfgantl.data import HandwrittenDigits, Source
from tfgantl.models import Discriminators, Networks
from tfgantl.pipelines.session import Session
from tfgantl.pipelines.settings import GANTrainingConfig, PublishingConfig, ReleaseConfig
from tfgantl.transfer import FineTune, Transfer

if TYPE_CHECKING:
    from tfgantl.pipelines.adapt.results import AdaptResult, ProbeResult

DEFAULTS = {
    "target": {"class_path": "HandwrittenDigits"}, "transfer": {"class_path": "FineTune"}, "networks": None,
    "discriminator": None,
}  # fmt: skip


@dataclass(frozen=True)
class AdaptConfig(GANTrainingConfig, PublishingConfig, ReleaseConfig):
    """Settings of an adaptation.

    Args:
        source: Handle of the trained pair: a preset name, a run directory, a .keras, .weights.h5, .npz, .pt, .pth, .pkl
            or .safetensors file, a SavedModel or TF1 hub module, or the address of one (docs/sources.md).
        networks: Architecture that bare weights are adopted into; a SavedModel without it is trained as it is.
        discriminator: Own, that of the source; Projected, on features of VGG16; or Ensemble, both. If not given,
            Ensemble for few pictures in colour where weights of VGG16 are on this machine (docs/methods.md), and else
            Own. The baseline has the same.
        class_map: Class of the source that each class of the target starts from: nearest (that of the same name, or
            else the most similar), average, init, or a file.
        allow_ops: Operations of a SavedModel that are trusted, of those that are refused otherwise.
        target: Images to adapt to.
        transfer: How to transfer.
        steps: Training steps; 600 if neither these nor a budget are given.
        validate_every: Steps between validations, which choose the best state; a sixth of the steps that a budget
            allows for, and 100 without one.
        budget: Time for the training of the adaptation, such as 90s, 10m or 1h30m, in place of steps: a few steps are
            measured on this machine, and set their number. The baseline takes as many steps again; evaluation and
            export come on top.
        baseline: Whether the same networks are trained from scratch with the same budget, for the verdict.
        probe: Only ask whether transfer would help: compare short runs on validation images, and write nothing.
        force: Publish also after negative transfer, and more copies than `max_copies`.
    """

    source: str = "rendered-digits"
    networks: Networks | None = None
    discriminator: Discriminators | None = None
    class_map: str = "nearest"
    allow_ops: tuple[str, ...] = ()
    target: Source = field(default_factory=HandwrittenDigits)
    transfer: Transfer = field(default_factory=FineTune)
    baseline: bool = True
    probe: bool = False
    force: bool = False

    default_steps: ClassVar[int] = 600
    default_validate_every: ClassVar[int] = 100

    def __post_init__(self) -> None:
        GANTrainingConfig.__post_init__(self)
        ReleaseConfig.__post_init__(self)


def adapt(config: AdaptConfig) -> "AdaptResult | ProbeResult":
    """Runs an adaptation.

    Args:
        config: The settings.

    Returns:
        The adapted generator, its metrics, the verdict and the report; of a probe, whether transfer would help. On
        workers other than the chief, `None`.

    Raises:
        TfgantlError: If the source, the target or the run directory cannot be used, or training diverges.
    """
    from tfgantl.export.publish import check_export_dir
    from tfgantl.pipelines.adapt.evaluation import evaluate
    from tfgantl.pipelines.adapt.preparation import prepare
    from tfgantl.pipelines.adapt.probe import probe
    from tfgantl.pipelines.adapt.publishing import origin_of, publish_adapted, refusal_of
    from tfgantl.pipelines.adapt.report import adaptation_report
    from tfgantl.pipelines.adapt.results import AdaptResult
    from tfgantl.pipelines.adapt.training import measure, train
    from tfgantl.pipelines.budget import with_steps
    from tfgantl.pipelines.measurement import EvaluationSet

    if not config.probe:
        check_export_dir(config.export_path, "generate", config.force)
    session, prepared = Session(config), prepare(config, config.run_name)
    remark = "; the baseline takes as many steps again" if config.baseline else ""
    config = replace(config, **prepared.settings)  # what a resumed run must find
    config = session.config = with_steps(config, partial(measure, config, prepared), remark)
    if config.probe:
        return probe(config, prepared)
    with session.open(prepared.name, prepared.facts(), prepared.opening(), *prepared.examples["train"].notes) as run:
        evaluation_set = EvaluationSet.draw(prepared.source, prepared.examples, config.samples, config.seed)
        training = train(config, prepared, evaluation_set, run)

        def judged_and_published() -> AdaptResult:
            evaluation = evaluate(config, prepared, evaluation_set, training)
            report = adaptation_report(config, prepared, training, evaluation)
            export_dir = publish_adapted(config, prepared, training, evaluation, run)
            reasons = origin_of(config, prepared), refusal_of(config, evaluation)
            parts = (prepared, training, evaluation, report, *reasons)
            result = AdaptResult.of(run.path, export_dir, session.seconds, *parts)
            return session.finish(result, prepared.examples["train"].classes)

        return session.by_chief(judged_and_published)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(AdaptConfig, "adapt", adapt, DEFAULTS, arguments)
