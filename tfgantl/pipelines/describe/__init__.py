"""Says what pictures show: caption, class and attributes with their probabilities, and the captions that fit next best.

`python -m tfgantl.pipelines.describe PICTURE`, or `tfgantl describe`. `… describe search` finds pictures by texts and
texts by pictures, `… describe train` learns it from captioned pictures.
"""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfgantl.cli import run as run_cli
from tfgantl.data.decode import Crop
from tfgantl.errors import check_at_least
from tfgantl.pipelines.edit.arguments import named
from tfgantl.pipelines.results import Result, python_only
from tfgantl.pipelines.settings import VerbConfig, resolve_paths
from tfgantl.printing import printable

if TYPE_CHECKING:
    from tfgantl.crossmodal.description import Description


@dataclass(frozen=True)
class DescribeConfig(VerbConfig):
    """Settings. The first word of the command line is the picture.

    Args:
        pictures: Picture, or folder of pictures.
        model: Directory of encoders, or the run directory of a training; those that are shipped, which know digits in
            white on black, if not given.
        top: Captions that are told of each picture.
        crop: How pictures become squares: centre, pad or none.
    """

    pictures: str
    model: str | None = None
    top: int = 3
    crop: Crop = "centre"

    def __post_init__(self) -> None:
        resolve_paths(self)
        check_at_least(self, 1, "top")


@dataclass(frozen=True, kw_only=True)
class DescribeResult(Result):
    """What pictures show.

    Args:
        model: Hash of the encoders.
        pictures: Name of a picture → caption, confidence, beliefs and nearest captions.
        refused: Name of a picture that cannot be used → why.
        descriptions: The same as `pictures`, as objects, in their order.
    """

    model: str
    pictures: dict[str, dict[str, Any]]
    refused: dict[str, str]
    descriptions: "list[Description]" = python_only()

    def text(self) -> str:
        """What the command line prints: a paragraph for each picture."""
        told = [map(printable, one.lines()) for one in self.descriptions]  # captions are anybody's
        return "\n".join(
            f"{printable(name)}: " + "\n".join(lines) for name, lines in zip(self.pictures, told, strict=True)
        )


def describe(config: DescribeConfig) -> DescribeResult:
    """Describes all pictures.

    Args:
        config: The settings.

    Returns:
        A description of each picture that can be used.

    Raises:
        TfgantlError: If the model or no picture can be used.
    """
    from tfgantl.crossmodal.description import describe_images
    from tfgantl.pipelines.describe.opening import open_encoders, read_images

    encoders = open_encoders(config.model)
    names, images, refused = read_images(Path(config.pictures), encoders.image_shape, config.crop)
    found = describe_images(encoders, images, config.top)
    told = {name: asdict(description) for name, description in zip(names, found, strict=True)}
    return DescribeResult(model=encoders.hash, pictures=told, refused=refused, descriptions=found)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["search"]:
        from tfgantl.pipelines.describe.search import main as search

        return search(arguments[1:])
    if arguments[:1] == ["train"]:
        from tfgantl.pipelines.describe.train import main as train

        return train(arguments[1:])
    return run_cli(DescribeConfig, "describe", describe, {}, named(arguments, "pictures"))
