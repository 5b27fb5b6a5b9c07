"""Settings that several verbs share, each declared once. Imports no TensorFlow."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

from tfgantl.errors import check_at_least
from tfgantl.files import check_name
from tfgantl.training.optimization import Precision
from tfgantl.training.settings import TrainingSettings


@dataclass(frozen=True, kw_only=True)
class VerbConfig:
    """Settings of every verb with a result.

    Args:
        json: Print the result as the last line, one JSON object.
    """

    json: bool = False


@dataclass(frozen=True, kw_only=True)
class RunConfig(VerbConfig):
    """Settings of verbs that write a run directory.

    Args:
        name: Name in run and export directories; that of the target if not given.
        run_dir: New directory for everything that the run writes; runs/NAME/NUMBER if not given.
        resume: Directory of an interrupted run to go on with; it keeps its own settings.
        allow_changes: Go on also if its data or the versions of packages have changed.
    """

    name: str | None = None
    run_dir: str | None = None
    resume: str | None = None
    allow_changes: bool = False

    def __post_init__(self) -> None:
        check_name(self.run_name)

    @property
    def run_name(self) -> str:
        """The name that was given, or that of the target."""
        return self.name or cast(Any, self).target.name  # verbs without a target override this


@dataclass(frozen=True, kw_only=True)
class PublishingConfig(RunConfig):
    """Settings of runs that publish their result.

    Args:
        export_dir: Where SavedModels land, as numbered versions; exported/NAME if not given.
    """

    export_dir: str | None = None

    @property
    def export_path(self) -> Path:
        """Model directory of the result."""
        return Path(self.export_dir or Path("exported") / self.run_name)


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig(VerbConfig):
    """How generators are evaluated.

    Args:
        extractor: Features for the metrics: auto, a shipped name, or a directory.
        samples: Generated images that are measured.
        classifier_steps: Training steps of each classifier that judges generated images by their use.
    """

    extractor: str = "auto"
    samples: int = 4000
    classifier_steps: int = 500

    def __post_init__(self) -> None:
        check_at_least(self, 10, "samples")
        check_at_least(self, 1, "classifier_steps")


@dataclass(frozen=True, kw_only=True)
class GANTrainingConfig(TrainingSettings, EvaluationConfig, RunConfig):
    """Settings of verbs that train a GAN and evaluate it.

    Args:
        precision: auto takes bfloat16 where the processor computes in it.
    """

    precision: Precision = "auto"

    def __post_init__(self) -> None:
        for shared in (TrainingSettings, EvaluationConfig, RunConfig):
            shared.__post_init__(self)
        self.optimization.check(self.steps)

    def training_settings(self, **changes: Any) -> TrainingSettings:
        """The settings of one training.

        Args:
            **changes: Settings of this training that differ, by their names.
        """
        names = [field.name for field in fields(TrainingSettings)]
        return TrainingSettings(**{name: getattr(self, name) for name in names} | changes)
