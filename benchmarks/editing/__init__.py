"""How well a generator edits, on held-out digits: inversion, switches, directions, restoration; docs/benchmarks.md.

`python -m benchmarks.editing`. It can be stopped and started again: models and results are kept in `work_dir`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.editing.config import EditingBenchmarkConfig
from benchmarks.results import keep, kept, shipped
from benchmarks.tables import cell, machine, replace_part
from tfgantl.cli import run as run_cli

HEADING = "# Editing"


def benchmark_editing(config: EditingBenchmarkConfig) -> dict:
    """Measures whatever is not measured yet, and writes the tables.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: part → results of all seeds.
    """
    from benchmarks.editing.measures import carried, directions, inversion, restoration, switches

    parts: dict[str, Callable[[EditingBenchmarkConfig, int], dict]] = {
        "inversion": inversion, "switch": switches, "directions": directions, "restoration": restoration,
    }  # fmt: skip
    found = {
        name: [measured(config, f"{name}-{seed}", lambda: part(config, seed)) for seed in config.seeds]  # noqa: B023
        for name, part in parts.items()
    }
    found["carried"] = [
        {method: measured(config, f"carried-{method}-{seed}", lambda: carried(config, method, seed))  # noqa: B023
         for method in config.methods}
        for seed in config.carried_seeds
    ]  # fmt: skip
    replace_part(Path(config.report), HEADING, lines(config, found))
    return found


def measured(config: EditingBenchmarkConfig, name: str, measure: Callable[[], dict]) -> dict:
    """A result, measured once."""
    import keras

    path = Path(config.work_dir) / f"{name}-{config.steps}-{config.count}-{shipped()}.json"
    result = kept(path)
    if result is None:
        result = keep(path, measure())
        keras.backend.clear_session()
    return result


def lines(config: EditingBenchmarkConfig, found: dict[str, list[dict]]) -> list[str]:
    """The part of the page."""
    table: list[str] = []
    for heading, columns, rows in (
        (f"{config.count} held-out digits inverted: errors as shares of those of the nearest training picture and of "
         "the mean picture",
         {"L1 / nearest": ("l1 of nearest", 2), "perceptual / nearest": ("perceptual of nearest", 2),
          "L1 / mean": ("l1 of mean", 2), "PSNR": ("psnr", 1), "class agrees": ("class", 2), "seconds": ("seconds", 0)},
         found["inversion"]),
        ("Switched to every other class",
         {"reached": ("reached", 3), "change": ("change", 3), "change elsewhere": ("elsewhere", 3)}, found["switch"]),
        ("Directions of attributes, on images they were not found on; side effects in standard deviations for each of "
         "its own",
         {"Spearman": ("monotone", 3), "class stays": ("class stays", 3), "side effect": ("side effect", 2),
          "before orthogonalising": ("before", 2), "natural from": ("low", 1), "to": ("high", 1)}, found["directions"]),
        ("Directions of the source on models that methods have made of it: correlations of mean effects, of the change "
         "of each image, of mean effects the other way, and of attributes of both images of the same noise; seeds "
         f"{', '.join(map(str, config.carried_seeds))}",
         {"effects": ("effects", 3), "each image": ("images", 3), "other way": ("effects back", 3),
          "same noise": ("same", 3)}, found["carried"]),
    ):  # fmt: skip
        if rows and rows[0]:
            table += [f"{heading}.", "", *rows_of(columns, rows), ""]
    merged = [
        {f"{task}, {name}": numbers for task, some in seed.items() for name, numbers in some.items()}
        for seed in found["restoration"]
    ]
    table += [
        "Damaged digits: mean absolute difference where pixels are unknown, and whether the class is seen.", "",
        *rows_of({"L1": ("l1", 3), "class agrees": ("class", 2), "spread of answers": ("spread", 3)}, merged), "",
    ]  # fmt: skip
    return [
        HEADING, "",
        f"`rendered-digits` adapted to 10 handwritten digits of each class, {config.steps} steps; seeds "
        f"{', '.join(map(str, config.seeds))}. Classes are told by the shipped classifier, which has seen no generated "
        "image. Regenerate with `python -m benchmarks.editing`.", "",
        *table, machine(), "",
    ]  # fmt: skip


def rows_of(columns: dict[str, tuple[str, int]], found: list[dict[str, dict[str, Any]]]) -> list[str]:
    """A table: a line for each row that all seeds have, mean ± deviation over seeds."""
    table = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name in found[0]:
        cells = [cell([seed[name].get(key) for seed in found], 1.0, digits) for key, digits in columns.values()]
        table.append(f"| {name} | {' | '.join(cells)} |")
    return table


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(EditingBenchmarkConfig, "python -m benchmarks.editing", benchmark_editing, {}, arguments)
