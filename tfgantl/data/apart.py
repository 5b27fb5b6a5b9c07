"""Several sources that share pictures: each is cut by itself, and one may train on what another tests with."""

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from tfgantl.data.examples import Examples
from tfgantl.errors import DataError
from tfgantl.progress import log

AT_A_TIME = 1024  # pictures that are read and compared
KEPT_FROM = {"train": ("validation", "test"), "validation": ("test",)}  # what a split shares nothing with


def kept_apart(sources: Sequence[dict[str, Examples]]) -> list[dict[str, Examples]]:
    """Splits without pictures, told by their pixels, that another source validates on or tests with.

    Args:
        sources: Split → examples, of each source; those without end are left as they are.

    Returns:
        The same, with fewer training and validation pictures where sources share some, which the log tells.

    Raises:
        DataError: If no picture of a split is left.
    """
    finite = [number for number, parts in enumerate(sources) if all(part.size is not None for part in parts.values())]
    kept = [dict(parts) for parts in sources]
    if len(finite) < 2:
        return kept
    hashes = {(n, split): np.array([*_hashes(part)]) for n in finite for split, part in sources[n].items()}
    for number in finite:
        for split, held_out in KEPT_FROM.items():
            if split not in sources[number]:
                continue
            others = [hashes[n, name] for n in finite for name in held_out if n != number and name in sources[n]]
            stays = ~np.isin(hashes[number, split], np.concatenate(others)) if others else np.array([True])
            if stays.all():
                continue
            if not stays.any():
                raise DataError(
                    f"`{split}` of a source must have a picture that no other source holds out. "
                    f"Received: {len(stays)}, all held out by another one"
                )
            told = f"{(~stays).sum()} of {len(stays)} pictures are left out of `{split}`: another source holds them out"
            log(told)
            kept[number][split] = sources[number][split].only(np.flatnonzero(stays), told)
    return kept


def _hashes(part: Examples) -> Iterator[str]:
    for start in range(0, part.size or 0, AT_A_TIME):
        images, _ = part.read(np.arange(start, min(start + AT_A_TIME, part.size or 0)))
        yield from (hashlib.sha256(image.tobytes()).hexdigest()[:32] for image in images)
