"""Pictures to take content, style and regions from: named on the command line, checked, brought to size."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from tfgantl.data.decode import decode_picture
from tfgantl.data.depth import Depth
from tfgantl.data.layout import SUFFIXES, pictures_beside
from tfgantl.data.photographs import PHOTOGRAPHS, photograph
from tfgantl.data.textures import TEXTURES, texture
from tfgantl.errors import ConfigError, DataError
from tfgantl.files import Replacing, expanded
from tfgantl.printing import printable

MAX_PIXELS = 64_000_000
LONGEST_HANDLES = 65_536  # characters of all handles of a command line; more is a text
MOST_COMMAS = 16  # in the name of a file; each may be the last one of it
NONE = "none"  # on the command line: texture synthesis without content, reconstruction without style


def find_picture(handle: str, argument: str) -> Path:
    """The file behind a path, or behind the name of a photograph that is shipped or of a texture that is drawn.

    Raises:
        DataError: If there is none.
    """
    if _is_file(handle):
        return expanded(handle)
    if handle in PHOTOGRAPHS:
        return photograph(handle)
    if handle in TEXTURES:
        return texture(handle)
    raise DataError(
        f"`{argument}` must be a picture, or one of {', '.join([*PHOTOGRAPHS, *TEXTURES])}, or {NONE}. "
        f"Received: {handle}, which is not there"
    )


def read_picture(handle: str | Path, argument: str, channels: int = 3, depth: Depth | None = None) -> np.ndarray:
    """Reads a picture as a whole.

    Args:
        handle: Path, or the name of a shipped photograph.
        argument: Name of the option, for messages.
        channels: 1 for gray, 3 for RGB.
        depth: What white is in pictures of more than 8 bits that belong together; `None` to decide by this one.

    Returns:
        uint8 (height, width, channels).

    Raises:
        DataError: If it is not there, damaged, or too large.
    """
    path = find_picture(str(handle), argument)
    picture = decode_picture(path, None, channels, MAX_PIXELS, depth)
    if isinstance(picture, str):
        raise DataError(f"`{argument}` must be a usable picture. Received: {printable(path)}, which {picture}")
    return picture


def find_contents(handle: str) -> list[Path]:
    """The picture behind a handle, or all those in a folder, in alphabetical order.

    Raises:
        DataError: If there is none.
    """
    folder = expanded(handle)
    if not folder.is_dir():
        return [find_picture(handle, "content")]
    found = pictures_beside(folder)
    if not found:
        raise DataError(f"`content` must be a folder with pictures ({', '.join(SUFFIXES)}). Received: {handle}")
    stems = Counter(path.stem for path in found)
    twice = next((stem for stem, count in stems.items() if count > 1), None)
    if twice:
        raise DataError(f"`content` must have pictures of different names. Received: {twice} twice in {handle}")
    return found


def find_frames(handle: str) -> list[Path]:
    """The same in the order of frames: numbers in names count as numbers, so that 2 comes before 10.

    Raises:
        DataError: If there is none.
    """
    return sorted(find_contents(handle), key=_as_frame)


def _as_frame(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"([0-9]+)", path.stem)]


def split_handles(text: str) -> list[str]:
    """Handles between commas; up to 16 commas in the name of a file that is there belong to it."""
    parts, found, start = text.split(","), [], 0
    while start < len(parts):
        ends = range(min(len(parts), start + MOST_COMMAS + 1), start + 1, -1)
        end = next((end for end in ends if _is_there(",".join(parts[start:end]))), start + 1)
        found.append(",".join(parts[start:end]))
        start = end
    return found


def _is_there(handle: str) -> bool:
    name, _, share = handle.strip().rpartition(":")
    return any(_is_file(one) for one in (handle.strip(), name if share.replace(".", "").isdigit() else ""))


def _is_file(handle: str) -> bool:
    try:
        return expanded(handle).is_file()
    except (OSError, ValueError, RuntimeError):  # too long, or with signs that no name has
        return False


def split_shares(styles: str) -> tuple[list[str], list[float]]:
    """Handles and shares of `a.jpg:0.7,b.jpg:0.3`; without a number, a style counts 1. Shares sum to 1.

    Raises:
        ConfigError: If a share is negative or not finite, or all are 0.

    Example:
        >>> split_shares("a.jpg:3,b.jpg")
        (['a.jpg', 'b.jpg'], [0.75, 0.25])
    """
    handles, shares = [], []
    for part in split_handles(styles):
        handle, _, number = part.strip().rpartition(":")
        try:
            share = float(number)
        except ValueError:
            handle, share = part.strip(), 1.0
        handles.append(handle or part.strip())
        shares.append(share if handle else 1.0)
    if not all(np.isfinite(shares)) or min(shares) < 0 or not sum(shares):
        raise ConfigError(f"`styles` must have weights of at least 0, one of them above 0. Received: {styles}")
    return handles, [share / sum(shares) for share in shares]


def is_phrase(styles: str) -> bool:
    """Whether what is given as styles is a phrase: nothing of it is a picture, a name, or looks like a path.

    Example:
        >>> is_phrase("dark, grainy, blue"), is_phrase("ihc:0.7,brick"), is_phrase("missing.jpg"), is_phrase("none")
        (True, False, False, False)
    """
    if len(styles) > LONGEST_HANDLES:
        return True
    for part in split_handles(styles):
        handle, _, share = part.strip().rpartition(":")
        for one in (part.strip(), handle if share.replace(".", "").isdigit() else ""):
            known = one in (NONE, *PHOTOGRAPHS, *TEXTURES)
            if known or _is_file(one) or Path(one).suffix.lower() in SUFFIXES or {"/", "\\"} & set(one):
                return False
    return True


def resized(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A uint8 (height, width, channels) picture in another height and width, with antialiasing."""
    image = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)
    return np.asarray(image.resize(shape[::-1], Image.Resampling.LANCZOS)).reshape(*shape, picture.shape[-1])


def shape_at(picture: np.ndarray, longer: int) -> tuple[int, int]:
    """Height and width of a picture whose longer side gets `longer` pixels."""
    height, width = picture.shape[:2]
    return tuple(max(1, round(side * longer / max(height, width))) for side in (height, width))


def save_picture(path: Path, picture: np.ndarray) -> None:
    """Writes uint8 (height, width, 3) in the format that the suffix of `path` names, as a whole or not at all."""
    with Replacing(path) as temporary:
        Image.fromarray(picture).save(temporary, quality=95)
