"""Restores small, noisy or gray pictures, with several answers for each.

`tfgantl edit restore [PICTURE] [--task superresolve|denoise|decolorize] [-o DIR]`.
"""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from tfgantl.cli import run as run_cli
from tfgantl.editing.names import RestorationTask
from tfgantl.errors import ConfigError
from tfgantl.pipelines.edit.arguments import named
from tfgantl.pipelines.edit.settings import RestorationConfig
from tfgantl.pipelines.session import Session

if TYPE_CHECKING:
    import numpy as np

    from tfgantl.editing.observations import Observation
    from tfgantl.pipelines.edit.model import EditedModel
    from tfgantl.pipelines.edit.restored import Damaged
    from tfgantl.pipelines.edit.results import EditResult

ADDED_NOISE = 0.5  # standard deviation of what held-out pictures are damaged with, where none is named


@dataclass(frozen=True, kw_only=True)
class RestoreConfig(RestorationConfig):
    """Settings of restoring. The first word of the command line is `pictures`, and `-o` is `run_dir`.

    Args:
        task: What is wrong with the pictures: too small (superresolve), noisy (denoise) or gray (decolorize).
        factor: How many times larger small pictures become: 2 or 4.
        noise: Standard deviation of the noise, where black is -1 and white 1; auto to estimate that of each picture.
    """

    task: RestorationTask = "superresolve"
    factor: Literal[2, 4] = 4
    noise: float | Literal["auto"] = "auto"

    verb: ClassVar[str] = "restore"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.noise != "auto" and not 0 < self.noise <= 2:
            raise ConfigError(f"`noise` must be auto or above 0 and at most 2. Received: {self.noise}")

    def observation(self, model: "EditedModel") -> "Observation":
        """What is seen of an image, for the task.

        Raises:
            ConfigError: If the model has no images for it.
        """
        from tfgantl.editing.observations import Gray, Noisy, Reduced

        height, width, channels = model.space.image_shape
        if self.task == "denoise":
            return Noisy(None if self.noise == "auto" else self.noise)
        if self.task == "superresolve":
            return Reduced(height, self.factor)
        if channels != 3:
            raise ConfigError(f"`task` decolorize must have a model with 3 channels. Received: {channels}")
        return Gray()


def restore(config: RestoreConfig) -> "EditResult":
    """Restores pictures to images that a generator could have made.

    Args:
        config: The settings.

    Returns:
        How well the answers agree with what is known and how far apart they are; for pictures that were damaged here,
        also how near they are to the originals, beside a baseline.

    Raises:
        TfgantlError: If the model, a picture or the run directory cannot be used, or nothing finite is found.
    """
    from tfgantl.pipelines.edit.model import EditedModel
    from tfgantl.pipelines.edit.pictures import facts_of
    from tfgantl.pipelines.edit.restored import report_restoration, restored

    session = Session(config)
    model = EditedModel(config)
    observation = config.observation(model)
    damaged = damaged_pictures(config, model, observation)
    facts = facts_of(model, damaged.pictures)
    what = f"{len(damaged.pictures.names)} pictures to {config.task}"
    with session.open(config.run_name, facts, what) as run:
        answers = restored(config, model, observation, damaged, run)
        return session.by_chief(
            lambda: report_restoration(
                session, run, model, damaged, answers, *without_generator(config, model, observation, damaged)
            )
        )


def damaged_pictures(config: RestoreConfig, model: "EditedModel", observation: "Observation") -> "Damaged":
    """Pictures of the user, in the size and channels of the task, or held-out ones that are damaged here."""
    from tfgantl.editing.observations import Noisy
    from tfgantl.images import to_uint8, to_unit
    from tfgantl.pipelines.edit.pictures import read_pictures
    from tfgantl.pipelines.edit.restored import Damaged
    from tfgantl.progress import log

    side, channels = model.space.image_shape[1:]
    if config.task == "superresolve":
        side //= config.factor
        if config.pictures is not None:
            log(f"pictures are taken at {side} x {side} pixels, for images that are {config.factor} times larger")
    shape = (side, 1 if config.task == "decolorize" else channels)
    pictures = read_pictures(config, model, config.count, shape)
    labels = None if config.label is None else pictures.labels
    if config.pictures is not None:
        return Damaged(pictures, to_unit(pictures.images), None, labels)
    whole = to_unit(pictures.images)
    damage = Noisy(ADDED_NOISE) if config.task == "denoise" and config.noise == "auto" else observation
    observed = to_unit(to_uint8(damage.damaged(whole, config.seed)))  # as a file would hold it
    return Damaged(pictures, observed, whole, labels)


def without_generator(
    config: RestoreConfig, model: "EditedModel", observation: "Observation", damaged: "Damaged"
) -> tuple[dict[str, "np.ndarray"], "np.ndarray", str]:
    """Images that need no generator, what was observed as people can see it beside the answers, and a sentence."""
    import numpy as np

    from tfgantl.editing.observations import Noisy
    from tfgantl.editing.plain_restoration import denoised_by_patches, enlarged
    from tfgantl.images import to_uint8

    side, channels = model.space.image_shape[1:]
    observed = damaged.observed
    if isinstance(observation, Noisy):
        levels = observation.levels(observed)
        said = "estimated" if config.noise == "auto" else "given"
        sentence = f"Noise of standard deviation {levels.mean():.2f} ({said}), where black is -1 and white 1."
        return {"non-local means": denoised_by_patches(observed, levels)}, to_uint8(observed), sentence
    if config.task == "superresolve":
        blocks = observed.repeat(config.factor, axis=1).repeat(config.factor, axis=2)
        sentence = f"Pictures of {observed.shape[1]} pixels become images of {side}, which reduce to them."
        return {"bicubic": enlarged(observed, side)}, to_uint8(blocks), sentence
    gray = np.repeat(observed, channels, axis=-1)
    return {"gray": gray}, to_uint8(gray), "Gray pictures get colours; their luminance stays."


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = named(sys.argv[1:] if arguments is None else arguments, "pictures")
    return run_cli(RestoreConfig, "edit restore", restore, {}, arguments)
