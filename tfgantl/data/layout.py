"""What lies in a folder of pictures: which files are pictures, which class each is of, and what is left out.

Pictures are known by their first bytes, whatever they are called.
"""

import os
from collections.abc import Container
from contextlib import suppress
from os.path import isdir  # which a name that is too long is not, without an error
from pathlib import Path
from typing import NamedTuple

from tfgantl.data.classes import in_order
from tfgantl.data.set_folders import are_splits, check_undrawn, drawn_beside
from tfgantl.errors import DataError
from tfgantl.printing import printable
from tfgantl.progress import log

SUFFIXES = (".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_BEGINNINGS = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF87a",
    b"GIF89a",
    b"BM",
    b"II*\x00",
    b"MM\x00*",
    b"II+\x00",
    b"MM\x00+",
)
# What systems and programs, `tfgantl generate` among them, leave in folders, and what nobody calls a class.
_SYSTEM_FOLDERS = {"__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information", "__pycache__"}
_SYSTEM_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "folder.jpg.db", "generated.json"}
_SIDECARS = {".xmp", ".aae", ".thm", ".ini", ".db", ".picasa"}
# Raw files of cameras, which lie beside the pictures that were made of them.
_RAW = {".nef", ".nrw", ".dng", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw"}
_MADE_HERE = {
    "runs": ("*/*/run.json", "*/run.json"),
    "exported": ("*/*/manifest.json",),
}  # what commands make where they are started
SHEET = "sheet.png"  # all pictures of a run, in one
MAX_NAMES = 5  # of files that are left out, in a note


class Layout(NamedTuple):
    """The pictures of a folder.

    Attributes:
        files: The pictures, class by class, in alphabetical order.
        classes: Names of the classes, by label; empty if there are none.
        labels: Of each file; 0 without classes.
        notes: What was left out, or descended into.
    """

    files: list[Path]
    classes: list[str]
    labels: list[int]
    notes: list[str]


def check_folder(root: Path) -> None:
    """Raises `DataError` if there is no such directory."""
    if not isdir(root):
        raise DataError(f"Folder: `path` must be a directory. Received: {root}")


def find_pictures(root: Path) -> Layout:
    """Lists the pictures of a folder: beside each other, or in a folder for each class, in which they may lie deeper.

    Hidden files, and what systems leave behind, are passed over; every other file that is no picture is noted.

    Raises:
        DataError: If there is no folder or picture, there are pictures beside and inside of folders, a class without
            any, folders that are splits, or one that may not be read.
    """
    check_folder(root)
    try:
        return _layout(root)
    except OSError as error:  # a folder's pictures would be missing without a word
        raise DataError(f"Folder: {printable(error.filename)}: must be readable. Received: {error.strerror}") from error


def _layout(root: Path) -> Layout:
    notes: list[str] = []
    while True:
        others: list[Path] = []
        loose = pictures_in(root, others)
        folders = [path for path in root.iterdir() if path.is_dir() and not is_of_system(path.name)]
        made = [path for path in folders if is_made_here(path)]
        notes += [f"left out {printable(path.name)}/, which has what this package wrote" for path in made]
        folders = [path for path in folders if path not in made]
        if loose or len(folders) != 1 or pictures_in(folders[0], []):
            break
        root = folders[0]  # a zip file often brings a folder around everything
        notes.append(f"pictures of {printable(root.name)}/, the one folder there is")
    if not loose:
        check_apart(root, [folder.name for folder in folders], alone=True)
    if not loose:
        check_no_splits(root, [folder.name for folder in folders])
    inside = {folder.name: _deep(folder, others) for folder in folders}
    if loose and any(inside.values()):
        raise DataError(
            f"Folder: {root}: pictures must lie either beside each other or in class folders. Received: both, such as "
            f"{loose[0].name} and {next(name for name, files in inside.items() if files)}/"
        )
    if not loose and not any(inside.values()):
        raise DataError(
            f"Folder: {root}: must hold pictures ({', '.join(SUFFIXES)}). Received: "
            f"{f'{len(others)} other files, such as {others[0].name}' if others else 'none'}"
        )
    for some in (loose, *inside.values()):
        check_undrawn(some)
    if others:
        names = ", ".join(printable(path.relative_to(root)) for path in others[:MAX_NAMES])
        more = f" and {len(others) - MAX_NAMES} more" if len(others) > MAX_NAMES else ""
        notes.append(f"left out {len(others)} files that are no pictures: {names}{more}")
    if loose:
        return Layout(loose, [], [0] * len(loose), notes)
    for name, files in inside.items():
        if not files:
            raise DataError(f"Folder: {root}: every class folder must hold a picture. Received: none in {name}")
    classes = in_order(list(inside))
    files = [file for name in classes for file in inside[name]]
    labels = [label for label, name in enumerate(classes) for _ in inside[name]]
    return Layout(files, classes, labels, notes)


def check_no_splits(root: Path, names: list[str]) -> None:
    """Raises `DataError` if folders beside each other are parts of a set: test pictures would be trained on."""
    if are_splits(names):
        raise DataError(
            f"Folder: `path` must be one split, such as {root}/{max(names)}: validation and test are cut from it. "
            f"Received: {root}, which holds {', '.join(sorted(f'{name}/' for name in names))}"
        )


def check_apart(root: Path, names: list[str], alone: bool) -> None:
    """Raises `DataError` if of folders beside each other some hold pictures, and others what was drawn of them.

    Args:
        root: Where they lie.
        names: Of the folders.
        alone: Whether others beside them are classes, and so are they.
    """
    pictures, drawn = drawn_beside(names)
    if alone and len(pictures) + len(drawn) < len(names):
        return
    if pictures and any(_deep(root / name, []) for name in drawn):
        raise DataError(
            f"Folder: pictures must lie apart from what was drawn of them, as in {root / pictures[0]}. "
            f"Received: {root}, which holds {pictures[0]}/ and {drawn[0]}/"
        )


def pictures_in(directory: Path, others: list[Path]) -> list[Path]:
    """Pictures that lie in a directory itself, in alphabetical order; `others` gets what is left out."""
    found = []
    for path in sorted(directory.iterdir()):
        if path.is_dir() or is_of_system(path.name, _SYSTEM_FILES) or path.suffix.casefold() in _SIDECARS:
            continue
        if path.name == SHEET and (directory / "run.json").is_file():  # of what a command has drawn
            others.append(path)
            continue
        if path.suffix.casefold() not in _RAW and (path.suffix.casefold() in SUFFIXES or begins_like_a_picture(path)):
            found.append(path)  # those with the name of a picture are told if they are none
        else:
            others.append(path)
    return found


def pictures_beside(directory: Path) -> list[Path]:
    """Pictures that lie in a directory itself; that others lie further down, or are left out, is told."""
    others: list[Path] = []
    found = pictures_in(directory, others)
    inner = next((path.name for path in sorted(directory.iterdir()) if _has_pictures(path)), None)
    left = [f"{len(others)} other file{'s'[: len(others) > 1]}, such as {printable(others[0].name)}"] if others else []
    left += [f"pictures further down, in {printable(inner)}/"] if inner else []
    if left:
        log(f"{printable(directory)}: left out {' and '.join(left)}")
    return found


def _has_pictures(folder: Path) -> bool:
    """Whether a folder of the user's own has pictures, by their names."""
    with suppress(OSError):
        is_own = folder.is_dir() and not is_of_system(folder.name) and not is_made_here(folder)
        return is_own and any(path.suffix.casefold() in SUFFIXES for path in folder.iterdir())
    return False


def _deep(folder: Path, others: list[Path]) -> list[Path]:
    """Pictures of a class, at any depth, also behind links; each folder once, as links may go round in circles."""

    def refuse(error: OSError) -> None:  # which is passed over otherwise
        raise error

    found: list[Path] = []
    seen: set[str] = set()
    for directory, inner, _ in os.walk(folder, onerror=refuse, followlinks=True):
        if (place := os.path.realpath(directory)) in seen:
            inner.clear()
            continue
        seen.add(place)
        inner[:] = sorted(
            name for name in inner if not is_of_system(name) and not _leaves(folder, Path(directory, name))
        )
        check_apart(Path(directory), inner, alone=False)
        if are_splits(inner) and all(are_splits([name, "train"]) or are_splits([name, "test"]) for name in inner):
            raise DataError(
                f"Folder: splits must lie above classes, as train/{folder.name}/: test pictures would be trained on. "
                f"Received: {directory}, which holds {', '.join(f'{name}/' for name in inner)}"
            )
        found += pictures_in(Path(directory), others)
    return sorted(found)


def _leaves(folder: Path, link: Path) -> bool:
    """Whether a folder is a link from a class to another class, or to the set itself."""
    if not link.is_symlink():
        return False
    place, own, whole = (Path(os.path.realpath(path)) for path in (link, folder, folder.parent))
    return whole.is_relative_to(place) or (place.is_relative_to(whole) and not place.is_relative_to(own))


def is_made_here(folder: Path) -> bool:
    """Whether a folder has what commands wrote that were started beside the pictures; their sheets are no pictures."""
    if folder.name in _MADE_HERE:
        return any(any(folder.glob(pattern)) for pattern in _MADE_HERE[folder.name])
    return any((folder / name).exists() for name in ("run.json", "generated.json", ".generated"))


def is_of_system(name: str, names: Container[str] = _SYSTEM_FOLDERS) -> bool:
    """Whether a name is hidden, or one of a system's, which nobody calls a class."""
    return name.startswith(".") or name.casefold() in names


def begins_like_a_picture(path: Path) -> bool:
    """Whether a file is one, and its first bytes are those of a picture."""
    try:
        if not path.is_file():  # a pipe would keep whoever opens it
            return False
        with open(path, "rb") as file:
            head = file.read(16)
    except OSError:
        return False
    return head.startswith(_BEGINNINGS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
