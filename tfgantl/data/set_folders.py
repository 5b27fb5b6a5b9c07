"""Folders of a data set that are no classes, by their names: its splits, and what was drawn of its pictures."""

import re
from pathlib import Path

from tfgantl.errors import DataError

_TRAINING = {"train", "training", "trainval", "trn"}
_HELD_OUT = {
    "val", "valid", "validate", "validation", "dev", "test", "testing", "tst", "eval", "evaluation", "holdout",
}  # fmt: skip
_SHORT = {"tr", "ts", "extra", "unlabeled", "unlabelled"}  # where all others are splits, too
_OF_ANY = {"a", "b", "set", "data", "dataset", "image", "images", "img", "imgs", "public", "private", "split"}
_JOINED = re.compile(r"(train|test|val|valid|eval)(?:set|data|images?|imgs?|a|b)")  # as in `trainset` and `testb`
_PICTURES = {"image", "images", "img", "imgs", "jpegimages", "photo", "photos", "picture", "pictures", "rgb"}
_DRAWN = {
    "ann", "anno", "annotation", "annotations", "depth", "depths", "groundtruth", "gt", "label", "labels", "mask",
    "masks", "seg", "segmentation", "segmentations", "trimap", "trimaps",
}  # fmt: skip
# How what was drawn of a picture is called where it lies beside that.
_DRAWN_OF = re.compile("(?i)(.+)[-_. ](mask|masks|seg|segmentation|gt|groundtruth|label|labels|trimap|depth)")
MANY = 4  # of so many pictures, one that is a mask of another by its name is no accident


def are_splits(names: list[str]) -> bool:
    """Whether folders are parts of a set: one is for training, such as `seg_train`, and another one is not.

    Example:
        >>> are_splits(["trainA", "testA"]), are_splits(["trainset", "testset"]), are_splits(["test tube", "train"])
        (True, True, False)
    """
    words = [_words(name) for name in names]
    others = [[word for word in some if word not in _TRAINING | _HELD_OUT] for some in words]  # of `seg_train`, seg
    training = [i for i, some in enumerate(words) if _TRAINING & {*some}]
    held_out = [i for i, some in enumerate(words) if _HELD_OUT & {*some}]
    plain = {_JOINED.sub(r"\1", name.casefold()) if len(name) > 5 else name.casefold() for name in names}
    splits = plain & (_TRAINING | _HELD_OUT)
    plainly = plain == splits | plain & _SHORT and (splits or plain == {"tr", "ts"})
    return bool(plainly) or any(i != j and others[i] == others[j] for i in training for j in held_out)


def _words(name: str) -> list[str]:
    """The words of a name that tell: of `trainA`, `TrainImages`, `train_set` and `imagesTr`, train."""
    divided = _divided(name)
    whole = divided.replace(" Tr", " train").replace(" Ts", " test") if divided.endswith((" Tr", " Ts")) else divided
    found = re.findall("[a-z]+", re.sub("h[eo]ld[^a-z]?out", "holdout", whole.casefold()))
    single = [joined[1] if (joined := _JOINED.fullmatch(word)) else word for word in found]
    return [word for word in single if word not in _OF_ANY]


def _divided(name: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", name)


def drawn_beside(names: list[str]) -> tuple[list[str], list[str]]:
    """Those folders that are called as those of pictures, and those that are called as what was drawn of them.

    Example:
        >>> drawn_beside(["imagesTr", "labelsTr", "cat"]), drawn_beside(["JPEGImages", "Ground Truth"])
        ((['imagesTr'], ['labelsTr']), (['JPEGImages'], ['Ground Truth']))
    """
    pictures: list[str] = []
    drawn: list[str] = []
    for name in names:
        words = re.findall("[a-z]+", re.sub("jpeg.?images", "images", _divided(name).casefold())) or [""]
        first = "groundtruth" if words[:2] == ["ground", "truth"] else words[0]
        (pictures if first in _PICTURES else drawn if first in _DRAWN else []).append(name)
    return pictures, drawn


def check_undrawn(files: list[Path]) -> None:
    """Raises `DataError` if among pictures lie masks of them, which are called like these."""
    drawn = [(file, own[1]) for file in files if (own := _DRAWN_OF.fullmatch(file.stem))]
    if len(drawn) * MANY < len(files):  # as nearly always, and there may be millions
        return
    stems = {file.with_suffix("") for file in files}
    drawn = [(file, name) for file, name in drawn if file.with_name(name) in stems]
    if len(drawn) * MANY >= len(files) > 0:
        raise DataError(
            "Folder: pictures must lie apart from what was drawn of them. "
            f"Received: {len(drawn)} of {len(files)} files such as {drawn[0][0]}, beside the picture of that name"
        )
