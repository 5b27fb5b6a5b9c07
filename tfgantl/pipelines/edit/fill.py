"""Fills holes in pictures, with several answers for each.

`tfgantl edit fill [PICTURE] [--mask FILE | --box x,y,width,height | --hole NAME] [-o DIR]`.
"""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tfgantl.cli import run as run_cli
from tfgantl.editing.names import HoleName
from tfgantl.errors import ConfigError
from tfgantl.pipelines.edit.arguments import named
from tfgantl.pipelines.edit.settings import RestorationConfig
from tfgantl.pipelines.session import Session

if TYPE_CHECKING:
    import numpy as np

    from tfgantl.pipelines.edit.results import EditResult


@dataclass(frozen=True, kw_only=True)
class FillConfig(RestorationConfig):
    """Settings of filling. The first word of the command line is `pictures`, and `-o` is `run_dir`.

    Args:
        mask: Picture that is white where pixels are missing, for all pictures; of their proportions, or square as the
            images of the model.
        box: The same as x,y,width,height, in pixels of the images of the model.
        hole: The same by name: centre, random, half or grid; centre if nothing else is given.
    """

    mask: str | None = None
    box: str | None = None
    hole: HoleName | None = None

    verb: ClassVar[str] = "fill"

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [name for name in ("mask", "box", "hole") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ConfigError(f"one of `mask`, `box` and `hole` must say what is missing. Received: {', '.join(given)}")

    def missing(self, shape: tuple[int, int]) -> "np.ndarray":
        """The hole in pictures of a height and width, bool of that shape.

        Raises:
            TfgantlError: If the mask or the box cannot be used.
        """
        from tfgantl.editing.holes import box_hole, named_hole, parsed_box, read_mask
        from tfgantl.pipelines.edit.pictures import sizes_of

        if self.mask is not None:
            return read_mask(self.mask, shape, self.crop, sizes_of(self))
        if self.box is not None:
            return box_hole(parsed_box(self.box), shape)
        return named_hole(self.hole or "centre", shape, self.seed)


def fill(config: FillConfig) -> "EditResult":
    """Fills holes in pictures with what a generator would have there.

    Args:
        config: The settings.

    Returns:
        How well the answers agree with what is known and how far apart they are; for pictures that were whole, also how
        near they are to these, beside two baselines.

    Raises:
        TfgantlError: If the model, a picture, the mask or the run directory cannot be used, or nothing finite is found.
    """
    from tfgantl.editing.observations import WithHole
    from tfgantl.editing.plain_restoration import filled_smoothly, filled_with_mean
    from tfgantl.images import to_uint8, to_unit
    from tfgantl.pipelines.edit.model import EditedModel
    from tfgantl.pipelines.edit.pictures import facts_of, read_pictures
    from tfgantl.pipelines.edit.restored import Damaged, report_restoration, restored

    session = Session(config)
    model = EditedModel(config)
    hole = config.missing(model.space.image_shape[:2])
    pictures = read_pictures(config, model, config.count)
    whole = to_unit(pictures.images)
    observation = WithHole(hole)
    damaged = Damaged(
        pictures, observation.damaged(whole), whole if config.pictures is None else None,
        None if config.label is None else pictures.labels,
    )  # fmt: skip
    facts = facts_of(model, pictures, hole if config.mask else None)
    what = f"{len(pictures.names)} pictures with {hole.mean():.0%} missing"
    with session.open(config.run_name, facts, what) as run:
        answers = restored(config, model, observation, damaged, run)

        def reported() -> "EditResult":
            baselines = {
                "mean": filled_with_mean(damaged.observed, hole),
                "biharmonic": filled_smoothly(damaged.observed, hole),
            }
            return report_restoration(
                session, run, model, damaged, answers, baselines, to_uint8(damaged.observed),
                f"{hole.mean():.0%} of the pixels are missing; known pixels are kept exactly.",
            )  # fmt: skip

        return session.by_chief(reported)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = named(sys.argv[1:] if arguments is None else arguments, "pictures")
    return run_cli(FillConfig, "edit fill", fill, {}, arguments)
