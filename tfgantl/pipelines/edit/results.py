"""What verbs that edit write and return: a sheet of pictures, a table, a report."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfgantl.configuration import to_yaml
from tfgantl.images import encode_png, grid
from tfgantl.pipelines.results import RunResult
from tfgantl.pipelines.session import Session
from tfgantl.report import Report
from tfgantl.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from tfgantl.pipelines.edit.model import EditedModel

TABLE = "edit.json"
MAX_ROWS = 50  # of a table in a report; the file has all
SHEET_SIDE = 96  # pixels that an image of a sheet has at least


@dataclass(frozen=True, kw_only=True)
class EditResult(RunResult):
    """What an edit gave.

    Args:
        model: Handle of the generator.
        generator_hash: Of its weights.
        means: Name of a number → its mean over pictures.
        rows: What was measured of each picture.
        sheet: The pictures side by side, PNG.
        files: What else was written.
        seconds: The whole run.
    """

    model: str
    generator_hash: str
    means: dict[str, float | None]
    rows: list[dict[str, Any]]
    sheet: Path
    files: list[Path]
    seconds: float

    def closing_lines(self) -> list[str]:
        """What the log ends with: numbers, and where things are."""
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in self.means.items() if value is not None)
        return [*([numbers] if numbers else []), f"sheet: {self.sheet}", *super().closing_lines()]

    def to_record(self) -> dict:
        """What `metrics.jsonl` keeps: all but the rows, which are in `edit.json`."""
        return {name: value for name, value in self.to_json().items() if name != "rows"}


def finish(
    session: Session,
    run: RunDirectory,
    model: "EditedModel",
    rows: list[dict[str, Any]],
    sheet: bytes,
    summary: list[str],
    *,
    means: dict[str, float | None] | None = None,
    pictures: dict[str, bytes] | None = None,
    tables: dict[str, list[tuple]] | None = None,
    files: tuple[str, ...] = (),
    caption: str = "Pictures",
) -> EditResult:
    """Writes `edit.json`, the sheet and the report, and ends the run.

    Args:
        session: Of the verb.
        run: Run directory.
        model: What was edited with.
        rows: What was measured of each picture, in names and numbers.
        sheet: PNG, which is written as `<verb>.png`, and stands first in the report.
        summary: Sentences for the report.
        means: Numbers over all pictures; those of the rows if not given.
        pictures: Further pictures for the report: caption → PNG.
        tables: Further tables for the report: caption → rows.
        files: Names of what else is in the run directory.
        caption: Of the table of the rows.
    """
    config: Any = session.config
    means = mean_of(rows) if means is None else means
    path = run.write(f"{config.verb}.png", sheet)
    facts = {"verb": config.verb, "model": model.handle, "generator": model.space.generator_hash}
    run.write(TABLE, json.dumps({**facts, "space": model.space.name, "means": means, "rows": rows}, indent=2) + "\n")
    report = Report(
        title=f"edit {config.verb}: {model.handle}",
        summary=summary,
        pictures={"Side by side": sheet, **(pictures or {})},
        tables={
            "Means": [(name, _shown(value)) for name, value in means.items()],
            **(tables or {}),
            caption: table_of(rows),
        },
        config=to_yaml(config),
    )
    return session.finish(
        EditResult(
            run_dir=run.path, report=report, model=model.handle, generator_hash=model.space.generator_hash,
            means=means, rows=rows, sheet=path, files=[run.path / name for name in files], seconds=session.seconds,
        )
    )  # fmt: skip


def mean_of(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    """Means of all numbers in rows, over the rows that have them; truth values count 0 and 1."""
    found: dict[str, float | None] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row[name] for row in rows if isinstance(row.get(name), int | float)]
        if values and name not in ("label",):
            found[name] = float(np.mean(values))
    return found


def table_of(rows: list[dict[str, Any]]) -> list[tuple]:
    """Rows as cells, below a row of their names."""
    if not rows:
        return []
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [tuple(names), *(tuple(_shown(row.get(name)) for name in names) for row in rows[:MAX_ROWS])]


def sheet_of(columns: list[np.ndarray], limit: int = 24) -> bytes:
    """Pictures in rows, one a row of each column, as PNG, enlarged where they are small.

    Args:
        columns: uint8 (n, height, width, channels), each of the same n.
        limit: Rows that are shown.
    """
    together = np.stack([column[:limit] for column in columns], axis=1)
    images = together.reshape(-1, *columns[0].shape[1:])
    return encode_png(grid(images, len(columns)), scale_for(images))


def scale_for(images: np.ndarray) -> int:
    """How many times images (n, height, width, channels) are enlarged for people to see them."""
    return max(1, SHEET_SIDE // images.shape[1])


def _shown(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
