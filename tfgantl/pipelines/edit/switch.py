"""Shows pictures as another class: the same code, another label.

`tfgantl edit switch [PICTURE] [--to CLASS] [-o DIR]`.
"""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from tfgantl.cli import run as run_cli
from tfgantl.errors import check_at_least, check_within
from tfgantl.pipelines.edit.arguments import named
from tfgantl.pipelines.edit.settings import SHOWN, AnimationFormat, InversionConfig
from tfgantl.pipelines.session import Session

if TYPE_CHECKING:
    from tfgantl.pipelines.edit.inverted import Inverted
    from tfgantl.pipelines.edit.model import EditedModel
    from tfgantl.pipelines.edit.results import EditResult


@dataclass(frozen=True, kw_only=True)
class SwitchConfig(InversionConfig):
    """Settings of a switch. The first word of the command line is `pictures`, and `-o` is `run_dir`.

    Args:
        to: Class, by name or number; all of them, one after the other, if not given.
        share: Of the new class; less than 1 mixes the labels.
        frames: Frames of the animation on the way to the class; 0 for none.
        format: Of the animation, gif or mp4.
        count: Held-out pictures, where none are named.
    """

    to: str | None = None
    share: float = 1.0
    frames: int = 16
    format: AnimationFormat = "gif"
    count: int = SHOWN

    verb: ClassVar[str] = "switch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_within(self, "[0, 1]", "share")
        check_at_least(self, 0, "frames")
        check_at_least(self, 1, "count")


def switch(config: SwitchConfig) -> "EditResult":
    """Switches the class of pictures.

    Args:
        config: The settings.

    Returns:
        For each picture and class whether a classifier sees the class, and how much else has changed.

    Raises:
        TfgantlError: If the model has no classes, a picture or the run directory cannot be used, or nothing finite is
            found.
    """
    from tfgantl.editing.class_switch import ClassSwitch
    from tfgantl.pipelines.edit.inverted import inverted
    from tfgantl.pipelines.edit.model import EditedModel
    from tfgantl.pipelines.edit.pictures import inversion_facts, read_pictures

    session = Session(config)
    model = EditedModel(config)
    switching = ClassSwitch(model.space)
    classes = range(switching.classes) if config.to is None else [model.label(config.to)]
    pictures = read_pictures(config, model, config.count)
    facts = inversion_facts(model, pictures)
    with session.open(config.run_name, facts, f"{len(pictures.names)} pictures as another class") as run:
        found = inverted(config, model, pictures, run)
        return session.by_chief(
            lambda: _finished(session, run, model, found, pictures.refused, switching, list(classes))
        )


def _finished(
    session: Session, run: Any, model: "EditedModel", found: "Inverted", refused: dict[str, str], switching: Any,
    classes: list[int],
) -> "EditResult":  # fmt: skip
    """Measures and writes what became of the pictures."""
    import numpy as np

    from tfgantl.editing.animation import there_and_back, write_animation
    from tfgantl.editing.class_switch import change
    from tfgantl.images import to_uint8
    from tfgantl.pipelines.edit.results import finish, scale_for, sheet_of

    config: Any = session.config
    codes, labels = found.inversion.codes, cast(np.ndarray, found.inversion.labels)
    switched = {label: switching(codes, labels, label, config.share) for label in classes}
    classifier, outside = model.classifier, switching.unchanged(config.seed)
    rows: list[dict[str, Any]] = []
    for label, images in switched.items():
        seen = None if classifier is None else classifier(to_uint8(images))[1]
        changes, rest = change(images, found.images, outside | ~outside), change(images, found.images, outside)
        for i, name in enumerate(found.names):
            row: dict[str, Any] = {"picture": name, "class": model.class_name(int(labels[i]))}
            row |= {"to": model.class_name(label), "change": float(changes[i]), "change elsewhere": float(rest[i])}
            if seen is not None and config.share == 1.0 and label != labels[i]:
                row["reaches it"] = bool(seen[i] == label)
            rows.append(row)
    files = []
    if config.frames and switching.mixes and len(classes) == 1:
        shares = np.linspace(0, 1, config.frames)
        sheets = [to_uint8(np.concatenate(list(switching(codes, labels, classes[0], s)), axis=1)) for s in shares]
        name = f"switch.{config.format}"
        with run.replacing(name) as temporary:
            write_animation(temporary, there_and_back(np.stack(sheets)), scale=scale_for(found.images))
        files.append(name)
    rows += [{"picture": name, "error": reason} for name, reason in refused.items()]
    columns = [to_uint8(images) for images in (found.pictures, found.images, *switched.values())]
    return finish(
        session, run, model, rows, sheet_of(columns),
        [
            "Each row: the picture, what the generator makes of its code, and the same code as "
            + ", ".join(model.class_name(label) for label in classes) + ".",
            "`change elsewhere` is the mean absolute difference, of a range of 2, in that half of the pixels where "
            "classes differ least.",
        ],
        files=("codes.npz", *files),
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = named(sys.argv[1:] if arguments is None else arguments, "pictures")
    return run_cli(SwitchConfig, "edit switch", switch, {}, arguments)
