"""Finds directions in which the images of a model change in one way, and measures what they do.

`tfgantl edit find [--attributes thickness,slant | --sefa 5 | --pca 5] [--to OTHER_MODEL] [-o DIR]`.
"""

import re
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, check_at_least
from tfgantl.files import absolute_if_there
from tfgantl.pipelines.edit.arguments import named
from tfgantl.pipelines.edit.settings import EditConfig
from tfgantl.pipelines.session import Session

if TYPE_CHECKING:
    from tfgantl.editing.attributes import Attribute
    from tfgantl.editing.directions import Directions
    from tfgantl.pipelines.edit.model import EditedModel
    from tfgantl.pipelines.edit.results import EditResult
    from tfgantl.training.run_directory import RunDirectory

SHOWN = 2  # images that each direction is shown with


@dataclass(frozen=True, kw_only=True)
class FindConfig(EditConfig):
    """Settings of a search for directions. Without attributes, sefa or pca, all attributes that can be measured.

    Args:
        attributes: What directions are looked for by, between commas: thickness, slant, size, brightness (gray), or
            brightness, saturation, temperature, sharpness, subject_size (colour); FILE.csv:COLUMN, a table with a
            column that names pictures; FILE.keras:CLASS, a classifier.
        sefa: Number of directions from the weights that codes enter by.
        pca: Number of directions from the principal components of activations.
        layers: Layers that sefa looks at and moves, such as 0-3, where each has a code of its own.
        to: Handle of another model of the same latents, such as the source of this one: do edits carry over?
        samples: Images that attributes are measured on to find directions.
        count: Held-out images that are moved to measure what directions do.
    """

    attributes: str | None = None
    sefa: int | None = None
    pca: int | None = None
    layers: str | None = None
    to: str | None = None
    samples: int = 4096
    count: int = 128

    verb: ClassVar[str] = "find"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 1, "sefa", "pca")
        check_at_least(self, 100, "samples")
        check_at_least(self, 10, "count")
        if self.layers is not None and not re.fullmatch(r"\d{1,4}-\d{1,4}", self.layers):
            raise ConfigError(f"`layers` must be two numbers such as 0-3. Received: {self.layers}")
        if self.layers is not None and self.sefa is None:
            raise ConfigError(f"`layers` must be given with `sefa`. Received: {self.layers} without")
        if self.to is not None:
            object.__setattr__(self, "to", absolute_if_there(self.to))

    @property
    def layer_range(self) -> range | None:
        """The layers that were given."""
        if self.layers is None:
            return None
        first, last = map(int, self.layers.split("-"))
        return range(first, last + 1)


def find(config: FindConfig) -> "EditResult":
    """Finds directions, measures them on held-out images, and keeps them beside the model.

    Args:
        config: The settings.

    Returns:
        Effects, side effects and natural range of each direction, and where they are.

    Raises:
        TfgantlError: If the model, an attribute or the run directory cannot be used.
    """
    from tfgantl.editing.carrying_over import check_comparable
    from tfgantl.pipelines.edit.directions import FILE, chosen_attributes, keep, with_measured_effects
    from tfgantl.pipelines.edit.model import EditedModel

    session = Session(config)
    model = EditedModel(config)
    other = None if config.to is None else EditedModel(replace(config, model=config.to))
    if other is not None:
        check_comparable(model.space, other.space)
    attributes = chosen_attributes(config.attributes, model, config.seed) if _by_attributes(config) else []
    directions = _found(config, model, attributes)  # before there is a run: most mistakes show here
    facts = model.facts()
    with session.open(config.run_name, facts, f"directions in {model.space.name} of {model.handle}") as run:

        def measured() -> "EditResult":
            effective = with_measured_effects(model, directions, attributes, config.count, config.seed)
            effective.save(run.path / FILE)
            kept = keep(model, effective)
            carried = {} if other is None else _carried(config, model, other, effective, attributes)
            return _report(session, run, model, effective, carried, str(kept or run.path / FILE))

        return session.by_chief(measured)


def _by_attributes(config: FindConfig) -> bool:
    return config.attributes is not None or (config.sefa is None and config.pca is None)


def _found(config: FindConfig, model: "EditedModel", attributes: "list[Attribute]") -> "Directions":
    from tfgantl.editing.closed_form import ganspace, sefa
    from tfgantl.editing.directions import Directions
    from tfgantl.pipelines.edit.directions import found_by_attributes

    found = Directions(model.space.generator_hash, model.space.name, (), model.space.drawn)
    if attributes:
        found = found_by_attributes(model, attributes, config.samples, config.seed)
    if config.sefa is not None:
        found = found.joined(sefa(model.space, config.sefa, config.layer_range))
    if config.pca is not None:
        found = found.joined(ganspace(model.space, config.pca, config.seed))
    return found


def _carried(
    config: FindConfig, model: "EditedModel", other: "EditedModel", directions: "Directions",
    attributes: "list[Attribute]",
) -> dict[str, Any]:  # fmt: skip
    """What is left of directions on the other model, and of the other model's on this one."""
    from tfgantl.editing.carrying_over import carries_over
    from tfgantl.pipelines.edit.directions import found_by_attributes, measured_for

    measured = attributes or measured_for(model)
    there = carries_over(directions, model.space, other.space, measured, seed=config.seed)
    found = found_by_attributes(other, measured, config.samples, config.seed)
    back = carries_over(found, other.space, model.space, measured, seed=config.seed)
    row = {"mean effects": there.effects, "changes of each image": there.images}
    return {
        f"found here, applied to {other.handle}": row,
        f"found on {other.handle}, applied here": {"mean effects": back.effects, "changes of each image": back.images},
        "same noise, both images": there.same,
    }


def _report(
    session: Session, run: "RunDirectory", model: "EditedModel", directions: "Directions", carried: dict[str, Any],
    where: str,
) -> "EditResult":  # fmt: skip
    import numpy as np

    from tfgantl.pipelines.edit.directions import COLUMNS, FILE, effect_tables, row_of, strip
    from tfgantl.pipelines.edit.results import finish, mean_of, sheet_of

    rows = [row_of(directions, direction) for direction in directions]
    labels = model.space.labels(SHOWN * len(directions))
    codes = model.space.sample(SHOWN * len(directions), labels)
    parts = []
    for i, direction in enumerate(directions):
        some = slice(SHOWN * i, SHOWN * (i + 1))
        effect = direction.effect
        strengths = np.linspace(effect.low, effect.high, COLUMNS) if effect else np.linspace(-2, 2, COLUMNS)
        parts.append(strip(model.space, direction, codes[some], None if labels is None else labels[some], strengths))
    columns = [np.concatenate(images) for images in zip(*parts, strict=True)]
    means = {key: value for key, value in mean_of(rows).items() if key.startswith(("monotone", "class", "side"))}
    tables = effect_tables(directions)
    for name, found in carried.items():
        means |= {f"{name}: {key}": value for key, value in found.items()}
        tables[f"Correlation, {name}"] = [(key, f"{value:.3f}") for key, value in found.items()]
    names = ", ".join(direction.name for direction in directions)
    return finish(
        session, run, model, rows, sheet_of(columns, limit=len(columns[0])),
        [
            f"{SHOWN} rows for each of {names}: images moved from the lowest to the highest strength that looks "
            "natural.",
            f"Kept in {where}, for `tfgantl edit move`.",
        ],
        means=means, tables=tables, files=(FILE,), caption="Directions",
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(FindConfig, "edit find", find, {}, named(sys.argv[1:] if arguments is None else arguments))
