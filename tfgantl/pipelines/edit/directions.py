"""The directions of a model: what they are looked for by, where they are kept, and what is said of them."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock

from tfgantl.editing.attribute_directions import attribute_directions, samples_of
from tfgantl.editing.attributes import MEASURED, NAMED, Attribute
from tfgantl.editing.directions import Direction, Directions, moved, read_directions
from tfgantl.editing.effects import held_out, with_effects
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.editing.learnt_attributes import class_attribute, table_attribute
from tfgantl.errors import ArtifactError, ConfigError, reason
from tfgantl.images import to_uint8
from tfgantl.pipelines.edit.results import table_of
from tfgantl.progress import log
from tfgantl.training.run_directory import RunDirectory
from tfgantl.training.team import current

if TYPE_CHECKING:
    from tfgantl.pipelines.edit.model import EditedModel

FILE = "directions.npz"
COLUMNS = 7  # images of a strip


def measured_for(model: "EditedModel") -> list[Attribute]:
    """The measured attributes that suit the images of a model."""
    return [attribute for attribute in MEASURED if model.space.image_shape[-1] in attribute.channels]


def named_for(model: "EditedModel") -> dict[str, Attribute]:
    """All attributes that can be named for the images of a model."""
    some = (*measured_for(model), *(one for one in NAMED if model.space.image_shape[-1] in one.channels))
    return {attribute.name: attribute for attribute in some}


def chosen_attributes(text: str | None, model: "EditedModel", seed: int) -> list[Attribute]:
    """The attributes that an option names.

    Args:
        text: Names of measured attributes, FILE.csv:COLUMN or FILE.keras:CLASS, between commas; all measured ones that
            suit the model if not given.
        model: The model.
        seed: Of what is trained.

    Raises:
        ConfigError: If there is no such attribute.
    """
    known = named_for(model)
    if text is None:
        return measured_for(model)
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        path, _, what = part.rpartition(":")
        if part in known:
            found.append(known[part])
        elif path.lower().endswith(".csv"):
            found.append(table_attribute(path, what, model.space.image_shape, seed))
        elif path.endswith(".keras"):
            found.append(class_attribute(path, what, model.space.image_shape))
        else:
            raise ConfigError(
                f"`attributes` must be of {', '.join(known)} for this model, FILE.csv:COLUMN or FILE.keras:CLASS. "
                f"Received: {part}"
            )
    names = [attribute.name for attribute in found]
    if not found or len(set(names)) < len(names):
        raise ConfigError(f"`attributes` must name each attribute once. Received: {text}")
    return found


def found_by_attributes(
    model: "EditedModel", attributes: list[Attribute], samples: int, seed: int, space: LatentSpace | None = None
) -> Directions:
    """Directions of attributes, on images of the model or of another one in its place."""
    space = space or model.space
    return attribute_directions(space, attributes, samples_of(space, samples, seed))


def with_measured_effects(
    model: "EditedModel", directions: Directions, attributes: list[Attribute], count: int, seed: int
) -> Directions:
    """Directions with their effects on the attributes that they were found for, and on those that can be measured.

    Args:
        model: The model.
        directions: Of it.
        attributes: That they were found for.
        count: Held-out images.
        seed: Of these.
    """
    names = {attribute.name for attribute in attributes}
    everything = [*attributes, *(one for one in measured_for(model) if one.name not in names)]
    classifier = model.classifier
    samples = held_out(model.space, everything, classifier, count, seed)
    return with_effects(model.space, directions, everything, samples, classifier)


def kept_directions(model: "EditedModel") -> Directions | None:
    """What `find` has kept for a model, if it has.

    Raises:
        ArtifactError: If the file is damaged, or of another model or space.
    """
    path = model.directory / FILE
    return read_directions(path, model.space) if path.is_file() else None


def directions_of_run(run: RunDirectory, model: "EditedModel", begin: Callable[[], Directions]) -> Directions:
    """The directions that a run goes along: those that it began with, which are kept in it, whatever is found since.

    Args:
        run: Run directory.
        model: The model.
        begin: Gives the directions to begin with.

    Raises:
        ArtifactError: If the file is damaged, or of another model or space.
    """
    path = run.path / FILE
    if path.is_file():
        return read_directions(path, model.space)
    directions = begin()
    with run.replacing(FILE) as temporary:
        directions.save(temporary)
    return directions


def keep(model: "EditedModel", directions: Directions) -> Path | None:
    """Keeps directions beside a model, with those of other names; `None` where nothing can be written, or others do it.

    Those of a model that has been trained further, or of another space, are replaced.
    """
    if not current().is_chief:
        return None
    with suppress(OSError):
        path = model.make_directory() / FILE
        lock = FileLock(path.with_name(f".{FILE}.lock"))  # or what another process finds meanwhile would be lost
        with suppress(NotImplementedError):  # some file systems have no locks, and say so
            lock.acquire()
        try:
            kept = kept_directions(model)
            directions = directions if kept is None else kept.joined(directions)
        except ArtifactError as error:
            log(f"replaced, and kept in the runs that found them: {reason(error)}")
        finally:
            directions.save(path)
            lock.release()
        return path
    return None


def strip(
    space: LatentSpace, direction: Direction, codes: np.ndarray, labels: np.ndarray | None, strengths: np.ndarray
) -> list[np.ndarray]:
    """Images of codes moved by each strength: as many arrays uint8 (n, height, width, channels)."""
    with np.errstate(over="ignore", invalid="ignore"):  # a vector that is too long has no images, which is told
        return [to_uint8(space.images(moved(space, codes, direction, s), labels)) for s in strengths]


def row_of(directions: Directions, direction: Direction) -> dict[str, Any]:
    """What was measured of a direction, in names and numbers."""
    row: dict[str, Any] = {"direction": direction.name, "found by": direction.kind, "fit": round(direction.fit, 3)}
    effect = direction.effect
    if effect is None:
        return row
    row |= {"low": effect.low, "high": effect.high, "monotone": round(effect.monotone, 3)}
    optional = {
        "class stays": effect.class_stays,
        "side effect": directions.side_effect(direction.name),
        "side effect before": directions.side_effect(direction.name, before=True),
    }
    row |= {name: round(value, 3) for name, value in optional.items() if value is not None}
    return row | {f"{name} per unit": round(value, 3) for name, value in effect.slopes.items()}


def effect_tables(directions: Directions) -> dict[str, list[tuple]]:
    """Changes of all attributes by all directions, in standard deviations, for the report."""
    tables = {}
    for caption, name in (
        ("Change for each unit of strength, in standard deviations of the attribute", "relative"),
        ("The same before directions were made orthogonal", "before"),
    ):
        changes = [(one.name, getattr(one.effect, name)) for one in directions if one.effect is not None]
        tables[caption] = table_of([{"direction": key, **found} for key, found in changes if found])
    return {caption: rows for caption, rows in tables.items() if rows}
