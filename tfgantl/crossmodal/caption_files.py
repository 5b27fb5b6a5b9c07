"""Captions that people wrote: a CSV, a text file beside each picture, or `metadata.jsonl` as data sets have it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from tfgantl.crossmodal.caption_lines import caption_pairs
from tfgantl.crossmodal.captions import Captions
from tfgantl.crossmodal.picture_names import PictureNames
from tfgantl.crossmodal.text_checks import fault_of
from tfgantl.data.base import FiniteSource, Source
from tfgantl.data.examples import Examples
from tfgantl.errors import DataError
from tfgantl.files import expanded
from tfgantl.printing import printable

OnBad: TypeAlias = Literal["error", "skip"]
MAX_NAMED = 3  # names in a message


def load_captioned(
    source: Source, where: str | Path, on_bad: OnBad = "error"
) -> tuple[dict[str, Examples], dict[str, Captions]]:
    """All splits of a source, with captions as `caption_splits` reads them.

    Captions of pictures that are in no split, as shots are few, are no mistake.
    """
    splits = source.splits()
    everything = splits
    if isinstance(source, FiniteSource) and source.shots is not None:
        everything = replace(source, shots=None).splits()
    idle = [name for part in everything.values() for name in part.files or ()]
    return caption_splits(splits, where, on_bad, idle, folder=getattr(source, "path", None))


def caption_splits(
    splits: Mapping[str, Examples],
    where: str | Path,
    on_bad: OnBad = "error",
    others: Sequence[str] = (),
    folder: str | Path | None = None,
) -> tuple[dict[str, Examples], dict[str, Captions]]:
    r"""The captions of all splits of a source, and the splits without those pictures that have none.

    Args:
        splits: Name of a split → its examples, which know what their pictures are called.
        where: A CSV (`file,caption`, several lines a picture), a `.jsonl` file (`file_name`, `text`), or the folder
            with `metadata.jsonl`, or with a `.txt` beside each picture, whose lines are its captions. For pictures of
            an array, their places in it are their names.
        on_bad: `error` stops at captions without a picture, pictures without a caption and captions that cannot be
            read; `skip` leaves them out, and says so in the notes.
        others: Names of pictures that may have captions and are in no split.
        folder: Where the pictures lie, if they are files: captions of a whole set may name them from further up.

    Returns:
        Name of a split → its examples, and its captions.

    Raises:
        DataError: If the file cannot be used, no caption fits, or as `on_bad` says.

    Example:
        >>> _ = Path("captions.csv").write_text("file,caption\n0,a dark pattern\n1,noise\n2,noise")
        >>> three = Examples.from_arrays(images[:3], None, files=["0", "1", "2"])
        >>> _, captions = caption_splits({"train": three}, "captions.csv")
        >>> captions["train"].phrases
        ('a dark pattern', 'noise')
    """
    names = [name for examples in splits.values() for name in names_of(examples)]
    for known in (names, others):
        name, count = next(iter(Counter(known).most_common(1)), ("", 0))
        if count > 1:  # a caption would be given to each
            raise DataError(
                f"captions must be of pictures of different names. Received: {count} called {printable(name)[:200]}"
            )
    found, notes = read_captions(names, where, on_bad, others, folder)
    kept, captions = {}, {}
    for split, examples in splits.items():
        with_one = [i for i, name in enumerate(names_of(examples)) if name in found]
        if not with_one:
            raise DataError(f"{where}: a picture of each split must have a caption. Received: none of {split}")
        kept[split] = examples.some(np.array(with_one))
        if len(with_one) != examples.size:
            told = f"{len(with_one)} of {examples.size} pictures have captions"
            kept[split] = replace(kept[split], notes=(*examples.notes, told))
        called = names_of(kept[split])
        captions[split] = Captions.of([found[name] for name in called], notes)
    return kept, captions


def read_captions(
    names: Sequence[str],
    where: str | Path,
    on_bad: OnBad = "error",
    others: Sequence[str] = (),
    folder: str | Path | None = None,
) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """The captions of pictures, by the names of these.

    Args:
        names: Of the pictures, as paths relative to their folder.
        where: As for `caption_splits`.
        on_bad: As for `caption_splits`.
        others: As for `caption_splits`.
        folder: As for `caption_splits`.

    Returns:
        Name → captions, for those that have any, and remarks.

    Raises:
        DataError: As `caption_splits`.
    """
    path = expanded(where)
    pairs, bad, wanted = list(caption_pairs(path, names)), [], set(names)
    root = expanded(folder) if folder is not None else None
    meant = PictureNames([*names, *others], root, path if path.is_dir() else path.parent)
    pictures, unclear = meant.of(dict.fromkeys(name for name, _, _ in pairs))
    ambiguous = dict.fromkeys(unclear)
    found: dict[str, dict[str, None]] = {}  # captions in their order, each once
    without_picture, repeated = Counter[str](), 0
    for name, caption, place in pairs:
        picture = pictures.get(name)
        if name in ambiguous:
            continue
        if picture is None:
            without_picture[name] += 1
        elif picture not in wanted:
            continue
        elif caption in found.get(picture, ()):
            repeated += 1
        elif wrong := fault_of(caption):
            bad.append(f"{place}: a caption must be {wrong}")
        else:
            found.setdefault(picture, {})[caption] = None
    missing = [name for name in names if name not in found]
    problems = [
        *bad[:1],
        *([_listed("names for one picture, from several folders", list(ambiguous), "`file`")] if ambiguous else []),
        *([_listed("captions without a picture", list(without_picture), "`file`")] if without_picture else []),
        *([_listed("pictures without a caption", missing, "`--captions`")] if missing else []),
    ]
    if not found:
        raise DataError(f"{path}: must hold captions of the pictures. Received: {'; '.join(problems) or 'none'}")
    if problems and on_bad == "error":
        raise DataError(
            f"{path}: every picture must have a caption, and every caption a picture, or `on_bad_captions` be skip. "
            f"Received: {'; '.join(problems)}"
        )
    notes = [f"left out {line}" for line in problems]
    if len(bad) > 1:
        notes.append(f"left out {len(bad)} captions that cannot be read, the first named")
    if repeated:
        notes.append(f"{repeated} lines of {path.name} repeat others, and count once")
    return {name: list(captions) for name, captions in found.items()}, tuple(notes)


def names_of(examples: Examples) -> tuple[str, ...]:
    """What each picture is called where it is from.

    Raises:
        DataError: If pictures have no names, as those that are kept on disk.
    """
    if examples.files is None:
        raise DataError("captions must be of images that are held in memory (`max_bytes`). Received: others")
    return examples.files


def _listed(what: str, names: list[str], column: str) -> str:
    some = ", ".join(printable(name) for name in names[:MAX_NAMED])
    more = " …" if len(names) > MAX_NAMED else ""
    return f"{len(names)} {what} ({column}: {some}{more})"
