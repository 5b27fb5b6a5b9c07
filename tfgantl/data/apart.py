"""Several sources that share pictures: each is cut by itself, and one may train on what another tests with."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from tfgantl.data.examples import Examples
from tfgantl.errors import DataError
from tfgantl.progress import log

KEPT_FROM = {"train": ("validation", "test"), "validation": ("test",)}  # what a split shares nothing with


def kept_apart(sources: Sequence[Mapping[str, Examples]], names: Sequence[str]) -> list[dict[str, Examples]]:
    """Splits without pictures, told by their pixels, that another source validates on or tests with.

    Args:
        sources: Split → examples, of each source; those without end are left as they are.
        names: Of the sources, for messages.

    Returns:
        The same, with fewer training and validation pictures where sources share some, which the log tells.

    Raises:
        DataError: If no picture of a split, or of a class of it, is left.
    """
    finite = [number for number, parts in enumerate(sources) if all(part.size is not None for part in parts.values())]
    kept = [dict(parts) for parts in sources]
    if len(finite) < 2:
        return kept
    hashes = {(n, split): _hashes(part) for n in finite for split, part in sources[n].items()}
    for number in finite:
        for split, held_out in KEPT_FROM.items():
            others = np.concatenate([hashes[n, name] for n in finite for name in held_out if n != number])
            stays = ~np.isin(hashes[number, split], others)
            if stays.all():
                continue
            part = sources[number][split]
            told = f"{(~stays).sum()} of {len(stays)} pictures are left out of `{split}`: another source holds them out"
            log(f"{names[number]}: {told}")
            kept[number][split] = part.only(np.flatnonzero(stays), told)
            _check(part, kept[number][split], f"{names[number]}: `{split}`")
    return kept


def _check(whole: Examples, left: Examples, where: str) -> None:
    """Raises `DataError` if nothing is left of a split, or of a class."""
    if not left.size:
        raise DataError(
            f"{where} must have a picture that no other source holds out. Received: {whole.size}, all held out"
        )
    labels = [part.read(np.arange(part.size or 0))[1] if part.digests is None else None for part in (whole, left)]
    if labels[0] is None or labels[1] is None:  # none, or those of pictures that are not read for this
        return
    gone = np.setdiff1d(labels[0], labels[1])
    if len(gone):
        name = whole.classes[gone[0]] if whole.classes else gone[0]
        raise DataError(
            f"{where} must have pictures of every class that no other source holds out. Received: none of class {name}"
        )


def _hashes(part: Examples) -> np.ndarray:
    """SHA-256 of the pixels of each picture, S32 (n,)."""
    digests = part.digests
    if digests is None:
        images, _ = part.read(np.arange(part.size or 0))  # which are in memory
        digests = np.frombuffer(b"".join(hashlib.sha256(image.tobytes()).digest() for image in images), np.uint8)
    return np.ascontiguousarray(digests).reshape(-1, 32).view("S32").ravel()
