"""Paints pictures with a trained network, in one pass each.

`tfgantl stylize apply NETWORK CONTENT STYLE…`.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, check_at_least, check_within
from tfgantl.pipelines.results import Result
from tfgantl.pipelines.settings import VerbConfig, resolve_paths
from tfgantl.pipelines.stylize.arguments import named


@dataclass(frozen=True)
class StyleApplicationConfig(VerbConfig):
    """Settings. The first words of the command line are the network and the content, those after them styles.

    Args:
        network: Trained network: a .keras file, or the run directory of a training.
        content: Picture, folder of pictures or frames, or the name of a shipped photograph.
        styles: Names of styles of the network, with weights as in ihc:0.7,brick:0.3; `all` for one picture in each; or
            a phrase, if the network was trained with captions.
        output: Where the result goes: a .png, .jpg or .webp file, or a directory for several pictures, with a
            sub-folder for each of several styles, as data sources take them for classes; NAME_STYLE.png, or the
            directory NAME_STYLE, if not given.
        size: Pixels of the longer side; those of the picture if not given.
        strength: From 0 for the picture itself to 1 for the painting.
        preserve_color: Whether only the brightness is painted.
        smooth: Weight of the frame before where the content has not moved, for frames in a folder.
        blend: How several styles are shown: mix for a look between them, regions for a region of each, by its share,
            dark styles in dark parts of the picture.
    """

    network: str
    content: str
    styles: str = "all"
    output: str | None = None
    size: int | None = None
    strength: float = 1.0
    preserve_color: bool = False
    smooth: float = 0.0
    blend: Literal["mix", "regions"] = "mix"

    def __post_init__(self) -> None:
        resolve_paths(self)
        check_at_least(self, 16, "size")
        check_at_least(self, 0, "smooth")
        check_within(self, "[0, 1]", "strength")


@dataclass(frozen=True, kw_only=True)
class StyleApplicationResult(Result):
    """What was painted.

    Args:
        output: The picture, or the directory of several.
        pictures: Number of them.
        images_per_second: Without reading, writing and the first picture.
        drawn_from: Name → share of each style that a phrase has drawn from.
    """

    output: Path
    pictures: int
    images_per_second: float
    drawn_from: dict[str, float] = field(default_factory=dict)


def apply_styles(config: StyleApplicationConfig) -> StyleApplicationResult:
    """Paints all pictures of the content.

    Args:
        config: The settings.

    Returns:
        Where the pictures are, and how fast they were painted.

    Raises:
        TfgantlError: If the network, a picture, a style or the output cannot be used.
    """
    from tfgantl.data.depth import depth_of
    from tfgantl.files import name_from
    from tfgantl.pipelines.stylize.one_pass import OnePassPainter, places_for
    from tfgantl.pipelines.stylize.trained import load_phrases, load_stylizer
    from tfgantl.progress import bar, log
    from tfgantl.style.phrases import drawn_from
    from tfgantl.style.pictures import MAX_PIXELS, find_frames

    network = load_stylizer(config.network)
    paths = find_frames(config.content)
    phrases = load_phrases(config.network, network) if is_phrase_for(config.styles, network.styles) else None
    if phrases is None:
        mixes = mixes_of(config.styles, network.styles)
    else:
        mixes = {name_from(config.styles): phrases.mix(config.styles, network.styles)}
    output, places = places_for(config, paths, list(mixes))
    painter = OnePassPainter(network, config, depth_of(paths, MAX_PIXELS))
    progress = bar(len(paths) * len(mixes), "painting", "picture")
    for name, mix in mixes.items():
        painter.begin()
        for path in paths:
            painter.paint(path, mix, places[name, path])
            progress.update()
    progress.close()
    log(f"painted: {output}")
    shares = {} if phrases is None else drawn_from(network.styles, next(iter(mixes.values())))
    return StyleApplicationResult(
        output=output, pictures=len(painter.seconds), images_per_second=painter.images_per_second, drawn_from=shares
    )


def is_phrase_for(styles: str, known: list[str]) -> bool:
    """Whether what is given as styles is neither `all` nor has the name of a style of the network."""
    from tfgantl.style.pictures import is_phrase

    parts = {part.strip().rpartition(":")[0] or part.strip() for part in styles.split(",")}
    return styles != "all" and is_phrase(styles) and not parts & set(known)


def mixes_of(styles: str, known: list[str]) -> dict:
    """Name → share of each style of a network, float32 (styles,).

    Raises:
        ConfigError: If a style is not known, or no weight is above 0.
    """
    import numpy as np

    from tfgantl.style.pictures import split_shares

    rows = np.eye(len(known), dtype=np.float32)
    if styles == "all":
        return dict(zip(known, rows, strict=True))
    names, shares = split_shares(styles)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"`styles` must be all, or some of {', '.join(known)}. Received: {', '.join(unknown)}")
    return {"+".join(names): sum(share * rows[known.index(n)] for n, share in zip(names, shares, strict=True))}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = named(sys.argv[1:] if arguments is None else arguments, "network", "content")
    return run_cli(StyleApplicationConfig, "stylize apply", apply_styles, {}, arguments)
