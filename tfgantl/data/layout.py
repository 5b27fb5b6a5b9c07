"""What lies in a folder of pictures: which files are pictures, which class each is of, and what is left out.

Pictures are known by their first bytes, whatever they are called.
"""

import os
import re
from collections.abc import Container
from os.path import isdir  # which a name that is too long is not, without an error
from pathlib import Path
from typing import NamedTuple

from tfgantl.data.classes import in_order
from tfgantl.errors import DataError
from tfgantl.printing import printable

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
_TRAINING = {"train", "training", "trainval"}
_HELD_OUT = {"val", "valid", "validation", "dev", "test", "testing", "eval", "holdout"}
_OF_ANY = {"a", "b", "set", "data", "dataset", "image", "images", "img", "imgs", "public", "private", "split"}
_JOINED = re.compile(r"(train|test|val|valid|eval)(?:set|data|images?|imgs?|a|b)")  # as in `trainset` and `testb`
# Folders of what was drawn of pictures, beside those of the pictures; and how it is called where it lies among them.
_PICTURES = {"image", "images", "img", "imgs", "jpegimages", "photo", "photos", "picture", "pictures", "rgb"}
_DRAWN = {
    "annotation", "annotations", "depth", "depths", "groundtruth", "ground_truth", "gt", "label", "labels", "mask",
    "masks", "seg", "segmentation", "segmentationclass", "segmentationobject", "segmentations", "trimap", "trimaps",
}  # fmt: skip
_DRAWN_OF = re.compile("(?i)(.+)[-_. ](mask|masks|seg|segmentation|gt|groundtruth|label|labels|trimap|depth)")
_MADE_HERE = {
    "runs": ("*/*/run.json", "*/run.json"),
    "exported": ("*/*/manifest.json",),
}  # what commands make where they are started
SHEET = "sheet.png"  # all pictures of a run, in one
MAX_NAMES = 5  # of files that are left out, in a note
MANY = 4  # of so many pictures, one that is a mask of another by its name is no accident


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
            any, or folders that are splits.
    """
    check_folder(root)
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
    if not loose and _are_splits([folder.name for folder in folders]):
        names = ", ".join(sorted(f"{folder.name}/" for folder in folders))
        raise DataError(
            f"Folder: `path` must be one split, such as {root}/{sorted(folder.name for folder in folders)[-1]}: "
            f"validation and test are cut from it. Received: {root}, which holds {names}"
        )
    if not loose:
        _check_alike(root, [folder.name for folder in folders])
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
        _check_undrawn(some)
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


def pictures_in(directory: Path, others: list[Path]) -> list[Path]:
    """Pictures that lie in a directory itself, in alphabetical order; `others` gets what is left out."""
    found = []
    for path in sorted(directory.iterdir()):
        if path.is_dir() or is_of_system(path.name, _SYSTEM_FILES) or path.suffix.casefold() in _SIDECARS:
            continue
        if path.name == SHEET and (directory / "config.yaml").is_file():  # of what a command has drawn
            continue
        if path.suffix.casefold() not in _RAW and (path.suffix.casefold() in SUFFIXES or _begins_like_a_picture(path)):
            found.append(path)  # those with the name of a picture are told if they are none
        else:
            others.append(path)
    return found


def _deep(folder: Path, others: list[Path]) -> list[Path]:
    """Pictures of a class, at any depth."""
    found = []
    for directory, inner, _ in os.walk(folder):
        inner[:] = sorted(name for name in inner if not is_of_system(name))
        _check_alike(Path(directory), inner)
        found += pictures_in(Path(directory), others)
    return sorted(found)


def _check_alike(root: Path, names: list[str]) -> None:
    """Raises `DataError` if folders beside each other hold pictures, and what was drawn of them, such as masks."""
    pictures, drawn = (
        [name for name in names if name.casefold().replace(" ", "_") in known] for known in (_PICTURES, _DRAWN)
    )
    if pictures and drawn:
        raise DataError(
            f"Folder: pictures must lie apart from what was drawn of them; let `path` be the folder of the pictures, "
            f"such as {root / pictures[0]}. Received: {root}, which holds {pictures[0]}/ and {drawn[0]}/"
        )


def _check_undrawn(files: list[Path]) -> None:
    """Raises `DataError` if among pictures lie masks of them, which are called like these."""
    stems = {file.with_suffix("") for file in files}
    drawn = [f for f in files if (own := _DRAWN_OF.fullmatch(f.stem)) and f.with_name(own[1]) in stems]
    if len(drawn) * MANY >= len(files) > 0:
        raise DataError(
            "Folder: pictures must lie apart from what was drawn of them. "
            f"Received: {len(drawn)} of {len(files)} files such as {drawn[0]}, beside the picture of that name"
        )


def _are_splits(names: list[str]) -> bool:
    """Whether folders are parts of a set: one is for training, such as `seg_train`, and another one is not."""
    words = [_words(name) for name in names]
    others = [[word for word in some if word not in _TRAINING | _HELD_OUT] for some in words]  # of `seg_train`, seg
    training = [i for i, some in enumerate(words) if _TRAINING & {*some}]
    held_out = [i for i, some in enumerate(words) if _HELD_OUT & {*some}]
    plainly = bool(names) and {name.casefold() for name in names} <= _TRAINING | _HELD_OUT
    return plainly or any(i != j and others[i] == others[j] for i in training for j in held_out)


def _words(name: str) -> list[str]:
    """The words of a name that tell: of `trainA`, `TrainImages`, `train_set` and `imagesTr`, train."""
    divided = re.sub("(?<=[a-z])(?=[A-Z])", " ", name)
    whole = divided.replace(" Tr", " train").replace(" Ts", " test") if divided.endswith((" Tr", " Ts")) else divided
    found = re.findall("[a-z]+", re.sub("hold[^a-z]?out", "holdout", whole.casefold()))
    single = [joined[1] if (joined := _JOINED.fullmatch(word)) else word for word in found]
    return [word for word in single if word not in _OF_ANY]


def is_made_here(folder: Path) -> bool:
    """Whether a folder has what commands wrote that were started beside the pictures; their sheets are no pictures."""
    if folder.name in _MADE_HERE:
        return any(any(folder.glob(pattern)) for pattern in _MADE_HERE[folder.name])
    return any((folder / name).exists() for name in ("run.json", "generated.json", ".generated"))


def is_of_system(name: str, names: Container[str] = _SYSTEM_FOLDERS) -> bool:
    """Whether a name is hidden, or one of a system's, which nobody calls a class."""
    return name.startswith(".") or name.casefold() in names


def _begins_like_a_picture(path: Path) -> bool:
    try:
        if not path.is_file():  # a pipe would keep whoever opens it
            return False
        with open(path, "rb") as file:
            head = file.read(16)
    except OSError:
        return False
    return head.startswith(_BEGINNINGS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
