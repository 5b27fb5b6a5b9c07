"""Says in words what the style of a picture is like, and which styles of a network it is near to.

`tfgantl stylize describe PICTURE`.
"""

import sys
from dataclasses import dataclass

from tfgantl.cli import run as run_cli
from tfgantl.errors import DataError
from tfgantl.pipelines.results import Result
from tfgantl.pipelines.settings import VerbConfig, resolve_paths
from tfgantl.pipelines.stylize.arguments import named
from tfgantl.printing import printable

LEAST = 0.6  # belief from which on a word is said


@dataclass(frozen=True)
class StyleDescriptionConfig(VerbConfig):
    """Settings. The first word of the command line is the picture.

    Args:
        picture: File, or the name of a shipped photograph or texture.
        model: Network that was trained with captions: its run directory; the shipped one if not given.
        weights: Those of VGG16, whose features are the statistics of a style: imagenet, a file, or an address.
    """

    picture: str
    model: str | None = None
    weights: str = "imagenet"

    def __post_init__(self) -> None:
        resolve_paths(self)


@dataclass(frozen=True, kw_only=True)
class StyleDescriptionResult(Result):
    """A style in words.

    Args:
        picture: What was described.
        words: That are said of it.
        beliefs: What is told, such as `brightness` → word → probability.
        near_to: Name → share of each style of the network that it is like.
        nearest: Captions and their probabilities, the likeliest first.
    """

    picture: str
    words: list[str]
    beliefs: dict[str, dict[str, float]]
    near_to: dict[str, float]
    nearest: list[tuple[str, float]]

    def text(self) -> str:
        """What the command line prints."""
        shares = ", ".join(f"{printable(name)} {share:.0%}" for name, share in self.near_to.items())
        said = ", ".join(self.words) or self.nearest[0][0]
        return f"{self.picture}: {printable(said)}\n  near to {shares}"


def describe_style(config: StyleDescriptionConfig) -> StyleDescriptionResult:
    """Describes the style of a picture.

    Args:
        config: The settings.

    Returns:
        Words, beliefs, and the styles that it is near to.

    Raises:
        TfgantlError: If the picture, the network or the weights of VGG16 cannot be used.
    """
    from tfgantl.models.vgg import smallest_side, vgg16
    from tfgantl.pipelines.stylize.captions import STYLE as NAMES
    from tfgantl.pipelines.stylize.trained import load_with_phrases
    from tfgantl.style.memory_budget import bytes_per_pixel, check_memory
    from tfgantl.style.painting import STYLE
    from tfgantl.style.pictures import read_picture, shape_at
    from tfgantl.style.statistics import PICTURE_SIZE, whole_statistics

    picture = read_picture(config.picture, "picture")
    _, phrases = load_with_phrases(config.model)
    seen = shape_at(picture, PICTURE_SIZE * phrases.size)
    check_memory(seen, bytes_per_pixel("float32"))
    if min(seen) < smallest_side(STYLE):
        height, width = picture.shape[:2]
        raise DataError(
            f"`picture` must not be that narrow: of {PICTURE_SIZE * phrases.size} pixels a side, VGG16 takes at least "
            f"{smallest_side(STYLE)} for the other. Received: {height} x {width} pixels"
        )
    network = vgg16(STYLE, config.weights)
    description, near_to = phrases.describe(whole_statistics(network, picture, phrases.size))
    beliefs = {name: words for name, words in description.beliefs.items() if name != NAMES}
    likeliest = [max(words.items(), key=lambda item: item[1]) for words in beliefs.values()]
    return StyleDescriptionResult(
        picture=config.picture, words=[word for word, share in likeliest if share >= LEAST], beliefs=beliefs,
        near_to=near_to, nearest=list(description.nearest),
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = named(sys.argv[1:] if arguments is None else arguments, "picture")
    return run_cli(StyleDescriptionConfig, "stylize describe", describe_style, {}, arguments)
