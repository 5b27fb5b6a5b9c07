"""Moves pictures along directions: thicker, more slanted, warmer.

`tfgantl edit move [PICTURE] [--direction NAME] [--by STRENGTH] [-o DIR]`, or `--list` for the directions of a model.
"""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tfgantl.cli import run as run_cli
from tfgantl.editing.names import MAX_STRENGTH
from tfgantl.errors import ConfigError, check_at_least
from tfgantl.pipelines.edit.arguments import named
from tfgantl.pipelines.edit.settings import AnimationFormat, InversionConfig
from tfgantl.pipelines.results import Result
from tfgantl.pipelines.session import Session

if TYPE_CHECKING:
    import numpy as np

    from tfgantl.editing.directions import Direction, Directions
    from tfgantl.pipelines.edit.inverted import Inverted
    from tfgantl.pipelines.edit.model import EditedModel
    from tfgantl.pipelines.edit.pictures import Pictures
    from tfgantl.pipelines.edit.results import EditResult
    from tfgantl.training.run_directory import RunDirectory

SAMPLES = 2048  # images that directions are found on where none are kept,
HELD_OUT = 64  # and that they are measured on
SHOWN = 4  # pictures that are taken of the target's where none are named
FRAMES = 13  # of an animation, one way


@dataclass(frozen=True, kw_only=True)
class MoveConfig(InversionConfig):
    """Settings of moving pictures. The first word of the command line is `pictures`, and `-o` is `run_dir`.

    Args:
        direction: Names of directions that `edit find` has kept, between commas; those of attributes if not given. If
            none are kept, they are found first.
        by: Strength, in standard deviations of codes; the natural range of each direction if not given.
        format: Of the animations, gif or mp4.
        list: Only print the directions of the model, with what they do; writes nothing.
        count: Held-out pictures, where none are named.
    """

    direction: str | None = None
    by: float | None = None
    format: AnimationFormat = "gif"
    list: bool = False
    count: int = SHOWN

    verb: ClassVar[str] = "move"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 1, "count")
        if self.by is not None and not abs(self.by) <= MAX_STRENGTH:
            raise ConfigError(f"`by` must be in [-{MAX_STRENGTH}, {MAX_STRENGTH}]. Received: {self.by}")


@dataclass(frozen=True, kw_only=True)
class DirectionList(Result):
    """The directions that are kept for a model.

    Args:
        model: Handle of the model.
        directions: What was measured of each.
    """

    model: str
    directions: "list[dict[str, Any]]"

    def text(self) -> str:
        """A line for each."""
        if not self.directions:
            return f"no directions are kept for {self.model}: tfgantl edit find --model {self.model}"
        return "\n".join(_line(row) for row in self.directions)


def move(config: MoveConfig) -> "EditResult | DirectionList":
    """Moves pictures along directions, or lists these.

    Args:
        config: The settings.

    Returns:
        What became of the attribute and the class of each picture, and where strips and animations are.

    Raises:
        TfgantlError: If the model, a picture, a direction or the run directory cannot be used.
    """
    from tfgantl.pipelines.edit.directions import directions_of_run, kept_directions, row_of
    from tfgantl.pipelines.edit.inverted import inverted
    from tfgantl.pipelines.edit.model import EditedModel
    from tfgantl.pipelines.edit.pictures import inversion_facts, read_pictures

    session = Session(config)
    model = EditedModel(config)
    kept = kept_directions(model)
    if config.list:
        rows = [row_of(kept, direction) for direction in kept] if kept else []
        return session.by_chief(lambda: DirectionList(model=model.handle, directions=rows))
    if config.direction and kept and not config.resume:
        _chosen(config, kept)  # a name that is wrong is told before anything is computed
    pictures = read_pictures(config, model, config.count)
    facts = inversion_facts(model, pictures)
    with session.open(config.run_name, facts, f"{len(pictures.names)} pictures in {model.space.name}") as run:
        chosen = _chosen(config, directions_of_run(run, model, lambda: kept or _found(config, model)))
        found = inverted(config, model, pictures, run)
        return session.by_chief(lambda: _report(session, run, model, pictures, found, chosen))


def _found(config: MoveConfig, model: "EditedModel") -> "Directions":
    """Directions of the measured attributes of a model that has none yet, which are kept."""
    from tfgantl.pipelines.edit.directions import found_by_attributes, keep, measured_for, with_measured_effects
    from tfgantl.progress import log

    log(f"the directions of {model.handle} are found, once; `tfgantl edit find` looks for others")
    attributes = measured_for(model)
    directions = found_by_attributes(model, attributes, SAMPLES, config.seed)
    directions = with_measured_effects(model, directions, attributes, HELD_OUT, config.seed)
    keep(model, directions)
    return directions


def _chosen(config: MoveConfig, directions: "Directions") -> "list[Direction]":
    """The directions that were asked for: by name, or all of attributes, or all."""
    if config.direction is not None:
        return [directions[name.strip()] for name in config.direction.split(",")]
    return [one for one in directions if one.kind == "attribute"] or [*directions]


def _strengths(config: MoveConfig, direction: "Direction", count: int) -> "np.ndarray":
    """What pictures are moved by: from nothing to `by`, or over the natural range."""
    import numpy as np

    effect = direction.effect
    low, high = (effect.low, effect.high) if effect is not None else (-2.0, 2.0)
    return np.linspace(0, config.by, count) if config.by is not None else np.linspace(low, high, count)


def _report(
    session: Session, run: "RunDirectory", model: "EditedModel", pictures: "Pictures", found: "Inverted",
    chosen: "list[Direction]",
) -> "EditResult":  # fmt: skip
    import numpy as np

    from tfgantl.editing.animation import there_and_back, write_animation
    from tfgantl.images import to_uint8
    from tfgantl.pipelines.edit.directions import COLUMNS, strip
    from tfgantl.pipelines.edit.results import finish, mean_of, scale_for, sheet_of

    config: Any = session.config
    usable = np.isfinite(found.inversion.losses)
    names = [name for name, fine in zip(found.names, usable, strict=True) if fine]
    codes, labels = found.inversion.codes[usable], found.inversion.labels
    labels = None if labels is None else labels[usable]
    rows = [{"picture": name, "error": "no start had a finite loss"} for name in found.names if name not in names] + [
        {"picture": name, "error": reason} for name, reason in pictures.refused.items()
    ]
    sheets, frames = [], []
    before = [pictures.images[usable], to_uint8(found.images[usable])]
    for direction in chosen:
        images = strip(found.space, direction, codes, labels, _strengths(config, direction, COLUMNS))
        sheets.append([*before, *images])
        smooth = strip(found.space, direction, codes, labels, _strengths(config, direction, FRAMES))
        frames.append(there_and_back(np.stack(smooth)))
        rows += _rows(model, direction, names, codes, labels, _strengths(config, direction, COLUMNS))
    animations = {
        f"{name}.{config.format}": np.concatenate([part[:, i] for part in frames]) for i, name in enumerate(names)
    }
    for file, animation in animations.items():
        with run.replacing(file) as temporary:
            write_animation(temporary, animation, scale=scale_for(animation))
    # One picture after the other, in all directions.
    columns = [np.stack(parts, axis=1).reshape(-1, *parts[0].shape[1:]) for parts in zip(*sheets, strict=True)]
    told = ", ".join(direction.name for direction in chosen)
    span = f"up to {config.by:g} deviations" if config.by is not None else "over its natural range"
    return finish(
        session, run, model, rows, sheet_of(columns),
        [f"Each row: the picture, what the generator makes of its code, and that moved {span}.",
         f"Rows of a picture: {told}."],
        means={key: value for key, value in mean_of(rows).items() if key not in ("strength", "before", "after")},
        files=tuple(animations),
    )  # fmt: skip


def _rows(
    model: "EditedModel", direction: "Direction", names: "list[str]", codes: "np.ndarray",
    labels: "np.ndarray | None", strengths: "np.ndarray",
) -> "list[dict[str, Any]]":  # fmt: skip
    """What became of each picture at the ends of the strengths."""
    from tfgantl.images import to_uint8
    from tfgantl.pipelines.edit.directions import named_for, strip

    own = named_for(model).get(direction.name)
    judge = model.classifier
    first = to_uint8(model.space.images(codes, labels))
    classes = judge(first)[1] if judge is not None and judge.predicts_labels else None
    ends = strengths[[0, -1]]
    ends = ends[ends != 0]
    rows: list[dict[str, Any]] = []
    for strength, images in zip(ends, strip(model.space, direction, codes, labels, ends), strict=True):
        values = None if own is None else (own(first), own(images))
        stays = None if judge is None or classes is None else judge(images)[1] == classes
        for i, name in enumerate(names):
            row: dict[str, Any] = {"picture": name, "direction": direction.name, "strength": round(float(strength), 3)}
            if values is not None:
                row |= {"before": round(float(values[0][i]), 3), "after": round(float(values[1][i]), 3)}
            rows.append(row if stays is None else {**row, "class stays": bool(stays[i])})
    return rows


def _line(row: "dict[str, Any]") -> str:
    facts = [f"{name} {value:g}" for name, value in row.items() if isinstance(value, float)]
    return f"{row['direction']} ({row['found by']}): {', '.join(facts)}"


def main(arguments: "list[str] | None" = None) -> int:
    """Runs the command line, and returns the exit code."""
    given = named(sys.argv[1:] if arguments is None else arguments, "pictures")
    given = ["--list=true" if argument == "--list" else argument for argument in given]
    return run_cli(MoveConfig, "edit move", move, {}, given)
