"""What the verbs of `tfgantl edit` share: the model, pictures and how their codes are looked for."""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from tfgantl.data.decode import Crop
from tfgantl.editing.names import SpaceName
from tfgantl.errors import ConfigError, check_above, check_at_least, check_seed
from tfgantl.models import Networks
from tfgantl.pipelines.settings import RunConfig

AnimationFormat: TypeAlias = Literal["gif", "mp4"]
SHOWN = 8  # pictures that are taken of the target's where none are named


@dataclass(frozen=True, kw_only=True)
class EditConfig(RunConfig):
    """Settings of every verb that edits.

    Args:
        model: Handle of the generator, as for `evaluate`; the newest run of `adapt` on handwritten digits or, if there
            is none, the shipped preset.
        networks: Architecture that bare weights are adopted into.
        allow_ops: Operations of a SavedModel that are trusted, of those that are refused otherwise.
        space: Where codes are: z, w or w+; auto is w+ where the model has it.
        weights: Of VGG16, by which colour pictures are compared: imagenet, a file, or none for pixels alone.
        seed: Of whatever is random.
    """

    model: str | None = None
    networks: Networks | None = None
    allow_ops: tuple[str, ...] = ()
    space: SpaceName = "auto"
    weights: str = "imagenet"
    seed: int = 0

    sharing = "parts"
    verb: ClassVar[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed("seed", self.seed)

    @property
    def run_name(self) -> str:
        """The name that was given, or that of the verb."""
        return self.name or f"edit-{self.verb}"


@dataclass(frozen=True, kw_only=True)
class SearchConfig(EditConfig):
    """Settings of verbs that search codes for pictures.

    Args:
        pictures: Picture or folder; some held-out pictures of the target of the model if not given.
        label: Class of all pictures, by name or number; found for each if not given.
        crop: How pictures become squares: centre, pad or none.
        steps: Steps of optimising each code.
        restarts: Starts of each picture, a power of 2; the weaker half is given up again and again.
        rate: Learning rate of the first steps.
    """

    pictures: str | None = None
    label: str | None = None
    crop: Crop = "centre"
    steps: int = 120
    restarts: int = 4
    rate: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 0, "steps")
        check_above(self, 0, "rate")
        if self.restarts < 1 or self.restarts & (self.restarts - 1):
            raise ConfigError(f"`restarts` must be a power of 2, at least 1. Received: {self.restarts}")


@dataclass(frozen=True, kw_only=True)
class InversionConfig(SearchConfig):
    """Settings of verbs that begin with whole pictures.

    Args:
        encoder_steps: Training steps of the encoder, which is trained once for a model; 0 for none.
    """

    encoder_steps: int = 400

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 0, "encoder_steps")


@dataclass(frozen=True, kw_only=True)
class RestorationConfig(SearchConfig):
    """Settings of verbs that restore damaged pictures.

    Args:
        answers: Images for each picture.
        restarts: Starts of each picture, a power of 2, and at least as many as answers.
        count: Held-out pictures that are damaged and restored, where none are named.
    """

    answers: int = 4
    restarts: int = 16
    count: int = SHOWN

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 1, "count")
        if not 1 <= self.answers <= self.restarts:
            raise ConfigError(f"`answers` must be from 1 to `restarts`, {self.restarts}. Received: {self.answers}")
