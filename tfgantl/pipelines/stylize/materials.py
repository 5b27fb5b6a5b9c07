"""The pictures that a network is trained with, read and checked before anything long begins."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfgantl.data.depth import depth_of
from tfgantl.data.textures import PAINTED, TEXTURES
from tfgantl.errors import ConfigError, DataError
from tfgantl.models.vgg import smallest_side
from tfgantl.style.painting import STYLE, STYLE_SIZE
from tfgantl.style.pictures import (
    MAX_PIXELS,
    find_contents,
    find_picture,
    read_picture,
    resized,
    shape_at,
    split_handles,
    split_shares,
)

PHOTOGRAPHS = ("astronaut", "camera", "chelsea", "china", "flower", "motorcycle_left", "rocket")
HELD_OUT = 5  # every fifth picture is not trained on
MAX_SCALE = 4  # short side of a picture that training sees, over that of a crop


@dataclass(frozen=True)
class Materials:
    """Pictures uint8 (height, width, 3) of any size.

    Args:
        training: Content to learn on.
        held_out: Content to evaluate on.
        styles: What to paint like.
        names: Of the styles.
        facts: Name of a picture → its hash.
        files: Of the styles.
    """

    training: list[np.ndarray]
    held_out: list[np.ndarray]
    styles: list[np.ndarray]
    names: list[str]
    facts: dict[str, str]
    files: list[Path]


def read_materials(content: str | None, styles: str, size: int) -> Materials:
    """Reads pictures; large ones are reduced to four times the size of the crops.

    Args:
        content: Folder, or `None` for photographs of scikit-image.
        styles: Pictures or names of shipped photographs, separated by commas; `painted` for all textures.
        size: Height and width of the crops in pixels.

    Raises:
        DataError: If a picture is missing, damaged or too narrow, or there are too few.
        ConfigError: If styles have weights, or a name twice.
    """
    paths = find_contents(content) if content else [find_picture(name, "content") for name in PHOTOGRAPHS]
    if len(paths) < 2:
        raise DataError(f"`content` must hold at least 2 pictures, one of which is held out. Received: {len(paths)}")
    styles = ",".join(TEXTURES) if styles == PAINTED else styles
    handles = split_shares(styles)[0]
    names = [Path(handle).stem for handle in handles]
    if handles != [handle.strip() for handle in split_handles(styles)]:
        raise ConfigError(f"`styles` must have no weights; they are given to `stylize apply`. Received: {styles}")
    if len(set(names)) < len(names):
        raise ConfigError(f"`styles` must have different names. Received: {', '.join(names)}")
    files = [find_picture(handle, "styles") for handle in handles]
    contents, style_pictures = [], [read_picture(path, "styles") for path in files]
    depth = depth_of(paths, MAX_PIXELS)
    for path in paths:
        picture = read_picture(path, "content", depth=depth)
        shorter = min(picture.shape[:2])
        longer = round(max(picture.shape[:2]) * MAX_SCALE * size / shorter)
        contents.append(resized(picture, shape_at(picture, longer)) if shorter > MAX_SCALE * size else picture)
    for name, style in zip(names, style_pictures, strict=True):
        if min(shape_at(style, STYLE_SIZE * size)) < smallest_side(STYLE):
            raise DataError(
                f"`styles` must not be that narrow for `size` {size}. Received: {style.shape[:2]} for {name}"
            )
    facts = {f"picture {path}": hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in [*paths, *files]}
    return Materials(
        [p for i, p in enumerate(contents) if i % HELD_OUT], contents[::HELD_OUT], style_pictures, names, facts, files
    )  # fmt: skip
