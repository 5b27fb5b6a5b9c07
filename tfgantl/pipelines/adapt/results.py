"""What an adaptation and a probe return."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import keras

from tfgantl.export.origin import Origin, unknown_licenses
from tfgantl.metrics.transferability import Transferability
from tfgantl.metrics.verdict import Verdict
from tfgantl.pipelines.adapt.evaluation import AdaptationEvaluation
from tfgantl.pipelines.adapt.preparation import PreparedAdaptation
from tfgantl.pipelines.adapt.text_direction import DirectionEffect
from tfgantl.pipelines.adapt.training import AdaptationTraining
from tfgantl.pipelines.results import Result, RunResult, python_only
from tfgantl.report import Report


@dataclass(frozen=True, kw_only=True)
class AdaptResult(RunResult):
    """What came of an adaptation.

    Args:
        export_dir: Version of the SavedModel, or `None` if it was not published.
        steps: Steps taken.
        seconds: Of the whole job.
        images_per_second: Real images seen, over the time spent in training steps.
        metrics: Of the adapted generator, name → value, or `None` where labels would be needed.
        baseline: The same of the baseline, or `None` without one.
        diversity: How generated images spread around the training images, name → value.
        baseline_diversity: The same of the baseline, or `None` without one.
        verdict: Whether transfer helped, or `None` without a baseline.
        transferability: Estimated before training.
        classifiers: What a classifier was trained on → its accuracy on test images.
        training_seconds: Name of a training → seconds spent in its steps.
        privacy: What the generator gives away of its training images: level, rule, copies, attacks.
        origin: Hash and licence of the source, fingerprint and licence of the data.
        refusal: Why it was not published, or `None`.
        direction: What has become of the images of the source, after an adaptation by two phrases.
        generator: Adapted generator, which maps latents, or [latents, labels], to images in [-1, 1].
    """

    export_dir: Path | None
    steps: int
    seconds: float
    images_per_second: float
    metrics: dict[str, float | None]
    baseline: dict[str, float | None] | None
    diversity: dict[str, float | None]
    baseline_diversity: dict[str, float | None] | None
    verdict: Verdict | None
    transferability: Transferability
    classifiers: dict[str, float]
    training_seconds: dict[str, float]
    privacy: dict[str, Any]
    origin: dict[str, str | None]
    refusal: str | None
    direction: DirectionEffect | None = None
    generator: keras.Model = python_only()

    @classmethod
    def of(
        cls,
        run_dir: Path,
        export_dir: Path | None,
        seconds: float,
        prepared: PreparedAdaptation,
        training: AdaptationTraining,
        evaluation: AdaptationEvaluation,
        report: Report,
        origin: Origin,
        refusal: str | None,
    ) -> Self:
        """Puts the result together from the parts of an adaptation."""
        baseline = evaluation.baseline
        return cls(
            run_dir=run_dir,
            export_dir=export_dir,
            steps=training.adapted.steps,
            seconds=seconds,
            images_per_second=round(training.adapted.images_per_second, 1),
            metrics=evaluation.adapted.metrics,
            baseline=baseline.metrics if baseline else None,
            diversity=evaluation.adapted.diversity,
            baseline_diversity=baseline.diversity if baseline else None,
            verdict=evaluation.verdict,
            transferability=prepared.transferability,
            classifiers=evaluation.classifiers,
            training_seconds={title: round(trained.seconds, 1) for title, trained in training.trained.items()},
            privacy=evaluation.privacy_record,
            origin=origin.record(),
            refusal=None if export_dir else refusal,
            direction=evaluation.direction,
            generator=training.adapted.gan.ema_generator,
            report=report,
        )

    def to_json(self) -> dict:
        """What `--json` prints; of the verdict, its outcome."""
        return {**super().to_json(), "verdict": self.verdict.outcome if self.verdict else None}

    def to_record(self) -> dict:
        """What `metrics.jsonl` keeps, with the whole verdict."""
        return super().to_json()

    def closing_lines(self) -> list[str]:
        published = f"SavedModel: {self.export_dir}"
        refused = f"not published, because {self.refusal}; `tfgantl export --model {self.run_dir} --force` does it"
        return [
            str(self.verdict or "no baseline, no verdict"),
            f"privacy risk {self.privacy['level']}: {self.privacy['reason']}",
            *unknown_licenses(self.origin),
            *super().closing_lines(),
            published if self.export_dir else refused,
        ]


@dataclass(frozen=True, kw_only=True)
class ProbeResult(Result):
    """What a probe tells.

    Args:
        transferability: Estimated before training.
        transfer: Name of the method.
        steps: Of each of the short runs.
        validation_images: Number of images that they were compared on.
        verdict: Whether the method was better than training from scratch.
    """

    transferability: Transferability
    transfer: str
    steps: int
    validation_images: int
    verdict: Verdict

    def to_json(self) -> dict:
        """What `--json` prints."""
        probe = {"steps": self.steps, "validation_images": self.validation_images, **asdict(self.verdict)}
        return {"transferability": asdict(self.transferability), "transfer": self.transfer, "probe": probe}
