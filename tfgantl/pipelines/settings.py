"""Settings that several verbs share, each declared once. Imports no TensorFlow."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import yaml

from tfgantl.configuration import to_yaml
from tfgantl.data import Source
from tfgantl.errors import ConfigError, check_at_least, check_within
from tfgantl.files import absolute_if_there, check_name, expanded, name_from
from tfgantl.training.durations import seconds_of
from tfgantl.training.precision import Precision
from tfgantl.training.settings import Devices, TrainingSettings

# What is written is named as it was given, but for the home of the user; what is read must mean the same elsewhere.
WRITTEN = (
    "export_dir", "list", "out_dir", "preset_dir", "resume", "rollback", "run_dir", "save_statistics", "verify",
    "directory",
)  # fmt: skip
READ = (
    "base", "captions", "class_map", "extractor", "hub", "mask", "model", "network", "other", "pictures", "source",
    "statistics", "text_encoder", "weights",
)  # fmt: skip


def resolve_paths(config: Any) -> None:
    """Resolves the paths of a configuration when it is made, so that its recipe means the same from everywhere."""
    for field in fields(config):
        value = getattr(config, field.name)
        if isinstance(value, str) and field.name in WRITTEN and value.startswith("~"):
            object.__setattr__(config, field.name, str(expanded(value)))
        elif isinstance(value, str) and field.name in READ:
            object.__setattr__(config, field.name, _resolved(value))
        elif isinstance(value, list) and field.name in READ:
            object.__setattr__(config, field.name, [_resolved(handle) for handle in value])


def published_recipe(config: Any) -> str:
    """The recipe that a preset keeps: without the places where its maker's machine had files, or had them written.

    Args:
        config: Dataclass of a verb.

    Returns:
        YAML of all other fields.
    """
    written = {field.name: None for field in fields(config) if field.name in WRITTEN}
    return yaml.safe_dump(_published(yaml.safe_load(to_yaml(replace(config, **written)))), sort_keys=False)


def _published(value: Any) -> Any:
    """A value of a recipe with the last parts of paths alone, as far as they are not in the working directory."""
    from tfgantl.export.origin import published_handle

    if isinstance(value, dict):
        return {key: _published(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_published(one) for one in value]
    if not isinstance(value, str):
        return value
    kind, colon, path = value.partition(":")
    if colon and path.startswith("/") and not path.startswith("//"):  # a file behind the name of an extractor
        return f"{kind}:{published_handle(path)}"
    return ",".join(map(published_handle, value.split(","))) if value.startswith("/") else value


def _resolved(handle: str) -> str:
    """A handle whose path, if it has one, is absolute, be it behind the name of an extractor."""
    kind, colon, path = handle.partition(":")
    if colon and kind.startswith("inception"):
        return f"{kind}:{absolute_if_there(path)}"
    return handle if handle.startswith("inception") and "/" not in handle else absolute_if_there(handle)


@dataclass(frozen=True, kw_only=True)
class VerbConfig:
    """Settings of every verb with a result.

    Args:
        json: Print the result as the last line, one JSON object.

    Attributes:
        sharing: What several workers share: the steps of a training, as several devices do (`devices` says how many),
            or parts of the work, such as trainings and pictures; `None` for what every process does by itself.
    """

    json: bool = False

    sharing: ClassVar[Literal["steps", "parts"] | None] = None

    @property
    def shared_batch(self) -> int | None:
        """Images of a step that devices share; `None` if each training takes one device."""
        return getattr(self, "batch_size", None) if self.sharing == "steps" else None

    def check_files(self) -> None:
        """Refuses data sources that are not there, before TensorFlow is imported.

        Raises:
            DataError: If there is one.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            for source in value if isinstance(value, list) else [value]:
                if isinstance(source, Source):
                    source.check_files()


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
        resolve_paths(self)
        if self.name is not None:
            check_name(self.name)

    @property
    def run_name(self) -> str:
        """The name that was given, or one from that of the target."""
        return self.name or name_from(cast(Any, self).target.name)  # verbs without a target override this


@dataclass(frozen=True, kw_only=True)
class PublishingConfig(RunConfig):
    """Settings of runs that publish their result.

    Args:
        export_dir: Where SavedModels land, as numbered versions; exported/NAME if not given, behind which it says what
            kind of model it is if that is no generator.

    Attributes:
        kind: What stands behind the name: what a verb makes of the same pictures is no version of a generator.
    """

    export_dir: str | None = None

    kind: ClassVar[str] = ""

    @property
    def export_path(self) -> Path:
        """Model directory of the result."""
        return Path(self.export_dir or self.export_root / f"{self.run_name}{self.kind}")

    @property
    def export_root(self) -> Path:
        """Where model directories land; for a run that goes on, beside the `runs` that it is in."""
        above = Path(self.resume).absolute().parents if self.resume else ()
        is_in_runs = len(above) > 2 and above[1].name == "runs" and above[2] != Path.cwd()
        return above[2] / "exported" if is_in_runs else Path("exported")


@dataclass(frozen=True, kw_only=True)
class ReleaseConfig(VerbConfig):
    """What must hold of a generator to be published, and what its model card says of its origin.

    Args:
        max_copies: Largest share of its pictures that may be copies of training pictures, if they are more than by
            chance (docs/privacy.md); none for no limit.
        show_training_pictures: Whether the published version holds before_after.png, of which a third are training
            pictures; servers show it to anybody.
        source_license: Licence of the source model, for the model card.
        target_license: Licence of the training images, for the model card.
    """

    max_copies: float | None = 0.1
    show_training_pictures: bool = False
    source_license: str | None = None
    target_license: str | None = None

    def __post_init__(self) -> None:
        check_within(self, "[0, 1]", "max_copies")


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig(VerbConfig):
    """How generators are evaluated.

    Args:
        extractor: Features for the metrics: auto, inception or inception:PATH for the numbers that papers print, vgg16,
            a shipped name, a directory, or a network of your own (docs/metrics.md).
        samples: Generated images that are measured.
        classifier_steps: Training steps of each classifier that judges generated images by their use.
    """

    extractor: str = "auto"
    samples: int = 4000
    classifier_steps: int = 500

    def __post_init__(self) -> None:
        resolve_paths(self)
        check_at_least(self, 10, "samples")
        check_at_least(self, 1, "classifier_steps")


@dataclass(frozen=True, kw_only=True)
class GANTrainingConfig(TrainingSettings, EvaluationConfig, RunConfig):
    """Settings of verbs that train a GAN and evaluate it.

    Args:
        batch_size: Images a step; as many as suit the networks if not given.
        precision: auto takes bfloat16 where the processor or all GPUs compute in it, and float16 with a scaled loss on
            GPUs that know no other half precision.
        devices: Devices of this machine that share each batch: auto takes as many GPUs as divide it, all takes all
            GPUs, and a number so many. Several machines are set by TF_CONFIG (docs/scale.md).

    Attributes:
        default_steps: Training steps, if neither they nor a budget are given.
        default_validate_every: Steps between validations of such a run. One with a budget has as many validations.
    """

    # `None` until it is known: with a budget, from what is measured, and at once without.
    steps: int | None = None  # type: ignore[assignment]
    validate_every: int | None = None  # type: ignore[assignment]
    batch_size: int | None = None  # type: ignore[assignment]
    budget: str | None = None
    precision: Precision = "auto"
    devices: Devices = "auto"

    sharing = "steps"
    default_steps: ClassVar[int]
    default_validate_every: ClassVar[int]

    def __post_init__(self) -> None:
        if self.budget is None:
            for name in ("steps", "validate_every"):
                if getattr(self, name) is None:
                    object.__setattr__(self, name, getattr(self, f"default_{name}"))
        else:
            seconds_of(self.budget, "budget")
            if self.steps is not None:
                raise ConfigError(
                    "`budget` and `steps` must not both be given: each says how long to train. "
                    f"Received: {self.budget} and {self.steps}"
                )
        check_at_least(self, 1, *([] if isinstance(self.devices, str) else ["devices"]))
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
