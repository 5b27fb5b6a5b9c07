"""What a painting is made of, read and checked before anything long begins."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfgantl.data.depth import Depth, depth_of
from tfgantl.errors import ConfigError, DataError, RunError
from tfgantl.files import check_kept, expanded, name_from
from tfgantl.models.vgg import smallest_side
from tfgantl.printing import printable
from tfgantl.style.losses import CONTENT_LAYER, STYLE_LAYERS
from tfgantl.style.memory_budget import bytes_per_pixel, check_memory
from tfgantl.style.pictures import (
    MAX_PIXELS,
    NONE,
    find_contents,
    find_frames,
    find_picture,
    is_phrase,
    read_picture,
    shape_at,
    split_handles,
    split_shares,
)
from tfgantl.training.precision import UnscaledPrecision, dtype_policy
from tfgantl.training.run_facts import read_facts

if TYPE_CHECKING:
    from tfgantl.pipelines.stylize import StylizeConfig


OUTPUTS = (".png", ".jpg", ".jpeg", ".webp")
INITS = ("auto", "content", "style", "noise")
FINE = 512  # pixels of the longer side, from which bfloat16 ends higher than rounding explains (docs/style.md)

ORDER = "order of contents"


@dataclass(frozen=True)
class Job:
    """Pictures to paint and to paint with.

    Args:
        contents: Files of the content, in their order; `None` for a texture.
        styles: uint8 pictures.
        shares: Share of each style.
        masks: uint8 (height, width, 1), one for each style, or `None`.
        init: `content`, `style`, `noise`, or a uint8 picture.
        dtype: Keras dtype policy of VGG16.
        facts: What results depend on, beside settings and packages.
        phrase: What to paint like, in place of styles; `None` if there are pictures of them.
        depth: What is white in contents of more than 8 bits, of all of them.
    """

    contents: list[Path | None]
    styles: list[np.ndarray]
    shares: list[float]
    masks: list[np.ndarray] | None
    init: str | np.ndarray
    dtype: str
    facts: dict[str, str]
    phrase: str | None = None
    depth: Depth | None = None

    def opening(self) -> str:
        """What is about to be painted, for the log."""
        if self.phrase is not None:
            return f"pictures: {len(self.contents)}, by a phrase"
        return f"pictures: {len(self.contents)}, styles: {len(self.styles)}"

    def read(self, path: Path) -> np.ndarray:
        """A picture of the content, uint8 (height, width, 3)."""
        return read_picture(path, "content", depth=self.depth)


def _began_before(config: "StylizeConfig") -> bool:
    """Whether a run goes on that an earlier version began: frame 10 came before 2 there, and each had its own white."""
    path = Path(config.resume or "") / "run.json"
    return config.resume is not None and path.is_file() and ORDER not in read_facts(path)


def prepare(config: "StylizeConfig") -> Job:
    """Reads and checks what a `StylizeConfig` asks for.

    Raises:
        TfgantlError: If a picture cannot be used, masks do not fit, VGG16 cannot take a size, or memory does not do.
    """
    phrase = phrase_of(config)
    former = _began_before(config)
    find = find_contents if former else find_frames
    contents: list[Path | None] = [None] if config.content == NONE else [*find(config.content)]
    depth = None if former else depth_of([path for path in contents if path], MAX_PIXELS)
    handles, shares = ([], []) if config.styles == NONE or phrase is not None else split_shares(config.styles)
    styles = [read_picture(handle, "styles") for handle in handles]
    masks = [read_picture(mask, "masks", 1) for mask in split_handles(config.masks)] if config.masks else None
    if masks is not None and len(masks) != len(styles):
        raise ConfigError(f"`masks` must be one for each of the {len(styles)} styles. Received: {len(masks)}")
    init = config.init
    if init == "auto":
        init = "noise" if config.content == NONE or config.styles == NONE else "content"
    if (init == "content" and config.content == NONE) or (init == "style" and config.styles == NONE):
        raise ConfigError(f"`init` must be noise or a picture where there is no {init}. Received: {init}")
    files = [*(path for path in contents if path), *(find_picture(handle, "styles") for handle in handles)]
    files += [expanded(mask) for mask in split_handles(config.masks)] if config.masks else []
    start: str | np.ndarray = init
    if init not in INITS:
        files.append(find_picture(init, "init"))
        start = read_picture(init, "init")
    dtype = "float32" if config.optimizer == "lbfgs" else style_policy(config.precision, config.size)
    for path in contents:  # all of them: a folder is not to fail in the middle
        picture = read_picture(path, "content", depth=depth) if path else styles[0]
        for mask in masks or ():
            if mask.shape[:2] != picture.shape[:2]:
                raise DataError(
                    f"`masks` must have the size of the content, {_size(picture)}. Received: {_size(mask)} for {path}"
                )
        if config.hub is None and phrase is None:
            _check_size(config, [(path or handles[0], picture), *zip(handles, styles, strict=True)])
            check_memory(
                shape_at(picture, config.size), bytes_per_pixel(dtype, config.optimizer == "lbfgs", len(masks or ()))
            )
    if config.output:
        output = Path(config.output)
        check_kept([output, *(output / f"{path.stem}.png" for path in contents if path)], files)
    facts = hashes_of(files) if former else {**hashes_of(files), ORDER: "by numbers, with one white"}
    return Job(contents, styles, shares, masks, start, dtype, facts, phrase, depth)


def style_policy(precision: UnscaledPrecision, size: int) -> str:
    """The Keras dtype policy that pixels are optimised in; `auto` has float32 for large pictures.

    Args:
        precision: What was asked for.
        size: Longer side in pixels.
    """
    return "float32" if precision == "auto" and size >= FINE else dtype_policy(precision)


def hashes_of(files: Iterable[Path]) -> dict[str, str]:
    """`picture NAME` → hash; of all those that have the name, as content and styles of two folders may."""
    found: dict[str, dict[str, None]] = {}
    for path in files:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:12]
        found.setdefault(f"picture {path.name}", {})[digest] = None
    return {name: " ".join(digests) for name, digests in found.items()}


def phrase_of(config: "StylizeConfig") -> str | None:
    """The phrase that is given in place of styles, if there is one.

    Raises:
        ConfigError: If an option is given that does not go with it, or `model` or `blend` without it.
    """
    if not is_phrase(config.styles):
        if config.model is not None:
            raise ConfigError(
                f"`model` must be given with a phrase in place of styles. Received: {printable(config.styles)}"
            )
        if config.blend != "mix":
            raise ConfigError(
                "`blend` must be mix without a phrase; `masks` gives each style a region. Received: regions"
            )
        return None
    given = {"masks": config.masks, "hub": config.hub, "`preserve_color` cov": config.preserve_color == "cov"}
    if config.content == NONE or (wrong := [name for name, value in given.items() if value]):
        what = "no content" if config.content == NONE else ", ".join(wrong)
        raise ConfigError(f"a phrase in place of styles must be given with a content alone. Received: {what}")
    return config.styles


def name_of(content: str, styles: str) -> str:
    """A name for the run, of letters that names may have."""
    if content != NONE:
        name = Path(content).absolute().stem
    else:
        name = f"texture-{Path(split_shares(styles)[0][0]).stem}"
    return name_from(name)


def check_output(output: str | None, folder: bool) -> None:
    """Refuses an output that could not be written.

    Raises:
        ConfigError: If it does not fit the content.
        RunError: If its directory does not exist.
    """
    if output is None:
        return
    path = Path(output)
    if folder and path.suffix:
        raise ConfigError(f"`output` must be a directory if `content` is one. Received: {output}")
    if not folder and path.suffix.lower() not in OUTPUTS:
        raise ConfigError(f"`output` must end in {', '.join(OUTPUTS)}. Received: {output}")
    parent = path.absolute().parent
    if not parent.is_dir() or (folder and path.exists() and not path.is_dir()) or (not folder and path.is_dir()):
        raise RunError(f"`output` must be a place in a directory that exists. Received: {output}")


def _check_size(config: "StylizeConfig", pictures: Sequence[tuple[str | Path, np.ndarray]]) -> None:
    """VGG16 halves four times before its last style layer."""
    least, coarsest = smallest_side((CONTENT_LAYER, *STYLE_LAYERS)), config.passed[0]
    for called, what in pictures:
        if min(shape_at(what, coarsest)) < least:
            enough = -(-least * max(what.shape[:2]) // min(what.shape[:2]))
            raise ConfigError(
                f"`size` and `sizes` must be at least {enough}, as VGG16 takes {least} pixels a side, and a picture "
                f"has {_size(what)}. Received: {coarsest} for {called}"
            )


def _size(picture: np.ndarray) -> str:
    return f"{picture.shape[1]} x {picture.shape[0]} pixels"
