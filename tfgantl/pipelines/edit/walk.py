"""Walks through the images of a generator, back to where it began.

`tfgantl edit walk [--seed 7] [--frames 60] [-o DIR]`.
"""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, check_at_least
from tfgantl.pipelines.edit.arguments import named
from tfgantl.pipelines.edit.settings import AnimationFormat, EditConfig
from tfgantl.pipelines.session import Session

if TYPE_CHECKING:
    from tfgantl.pipelines.edit.model import EditedModel
    from tfgantl.pipelines.edit.results import EditResult
    from tfgantl.training.run_directory import RunDirectory


@dataclass(frozen=True, kw_only=True)
class WalkConfig(EditConfig):
    """Settings of a walk; `-o` is `run_dir`.

    Args:
        stations: Random codes on the way.
        frames: Images in all.
        label: Class of all images, by name or number; if not given, a walk for each class, side by side.
        format: Of the animation, gif or mp4.
    """

    stations: int = 4
    frames: int = 60
    label: str | None = None
    format: AnimationFormat = "gif"

    verb: ClassVar[str] = "walk"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 2, "stations")
        if self.frames < self.stations:
            raise ConfigError(f"`frames` must be at least `stations`, {self.stations}. Received: {self.frames}")


def walk(config: WalkConfig) -> "EditResult":
    """Makes the images of a walk.

    Args:
        config: The settings.

    Returns:
        How even the walk is, for each class, and where the animation is.

    Raises:
        TfgantlError: If the model or the run directory cannot be used.
    """
    from tfgantl.pipelines.edit.model import EditedModel

    session = Session(config)
    model = EditedModel(config)
    space = model.space
    labels = list(range(space.num_classes or 1)) if config.label is None else [model.label(config.label)]
    with session.open(config.run_name, model.facts(), f"{config.frames} frames") as run:
        return session.by_chief(lambda: _finished(session, run, model, labels))


def _finished(session: Session, run: "RunDirectory", model: "EditedModel", labels: list[int]) -> "EditResult":
    import numpy as np

    from tfgantl.editing.animation import write_animation
    from tfgantl.editing.walks import loop, smoothness
    from tfgantl.images import to_uint8
    from tfgantl.pipelines.edit.results import finish, scale_for, sheet_of

    config, space = cast(WalkConfig, session.config), model.space
    walks, rows = [], []
    for label in labels:
        own = None if space.num_classes is None else np.full(config.stations, label)
        codes = loop(space, space.sample(config.stations, own, config.seed), config.frames)
        images = space.images(codes, None if own is None else np.full(config.frames, label))
        steps = np.abs(images - np.roll(images, -1, axis=0)).mean((1, 2, 3))
        rows.append(
            {
                **({} if own is None else {"class": model.class_name(label)}),
                "mean step": float(steps.mean()),
                "smoothness": smoothness(steps),
            }
        )
        walks.append(to_uint8(images))
    name = f"walk.{config.format}"
    frames = np.concatenate(walks, axis=2)
    with run.replacing(name) as temporary:
        write_animation(temporary, frames, scale=scale_for(walks[0]))
    shown = np.linspace(0, config.frames - 1, min(config.frames, 12)).astype(int)
    return finish(
        session, run, model, rows, sheet_of([np.stack([some[i] for some in walks]) for i in shown]),
        [
            f"A closed walk through {config.stations} random codes in {space.name}; smoothness is 1 where "
            "all steps are alike."
        ],
        files=(name,),
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = named(sys.argv[1:] if arguments is None else arguments)
    return run_cli(WalkConfig, "edit walk", walk, {}, arguments)
