"""How well a generator edits pictures it has not seen: inversion, switches, directions, restoration.

`python -m benchmarks.editing` writes a part of docs/benchmarks.md. It can be stopped and started again: models and
results are kept in `work_dir`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.editing.config import SIDE, EditingBenchmarkConfig
from benchmarks.results import keep, kept, shipped
from benchmarks.tables import cell, machine, replace_part
from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, not_installed

HEADING = "# Editing"
# What is measured → what its table is headed by, and its columns: title → key and digits.
TABLES: dict[str, tuple[str, dict[str, tuple[str, int]]]] = {
    "inversion": (
        "{count} held-out {kind} inverted: errors as shares of those of the nearest training picture and of the mean "
        "picture",
        {"L1 / nearest": ("l1 of nearest", 2), "perceptual / nearest": ("perceptual of nearest", 2),
         "L1 / mean": ("l1 of mean", 2), "PSNR": ("psnr", 1), "class agrees": ("class", 2), "seconds": ("seconds", 0)},
    ),
    "switch": (
        "Held-out and generated {kind} switched to every other class",
        {"reached": ("reached", 3), "change": ("change", 3), "change elsewhere": ("elsewhere", 3)},
    ),
    "directions": (
        "Directions of attributes of {kind}, on images they were not found on; side effects in standard deviations for "
        "each of its own",
        {"Spearman": ("monotone", 3), "class stays": ("class stays", 3), "side effect": ("side effect", 2),
         "before orthogonalising": ("before", 2), "natural from": ("low", 1), "to": ("high", 1)},
    ),
    "carried": (
        "Directions of the source on models that methods have made of it: correlations of mean effects, of the change "
        "of each image, of mean effects the other way, and of attributes of both images of the same noise",
        {"effects": ("effects", 3), "each image": ("images", 3), "other way": ("effects back", 3),
         "same noise": ("same", 3)},
    ),
}  # fmt: skip


def benchmark_editing(config: EditingBenchmarkConfig) -> dict:
    """Measures whatever is not measured yet, and writes the tables.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: part → results of all seeds.
    """
    try:
        import cv2  # noqa: F401 - what takes hours must not end for want of it
    except ImportError as error:
        raise ConfigError(not_installed("benchmarks.editing", "opencv-python-headless", "bench", error)) from error
    from benchmarks.editing.measures import carried, directions, inversion, restoration, switches
    from benchmarks.editing.subjects import digits, photographs

    parts = {"inversion": inversion, "switch": switches, "directions": directions, "restoration": restoration}
    found = {
        name: [measured(config, f"{name}-{seed}", lambda: part(digits(config, seed))) for seed in config.seeds]  # noqa: B023
        for name, part in parts.items()
    }
    if config.photographs:
        for name in ("inversion", "switch", "directions"):
            found[f"{name} of photographs"] = [
                measured(config, f"{name}-photographs-{seed}", lambda: parts[name](photographs(config, seed)))  # noqa: B023
                for seed in config.carried_seeds
            ]
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
    for kind, of in {"digits": "", "photographs": " of photographs"}.items():
        for name, (heading, columns) in TABLES.items():
            rows = found.get(f"{name}{of}")
            if rows and rows[0]:
                seeds = "" if len(rows) == len(config.seeds) else f"; seeds {', '.join(map(str, config.carried_seeds))}"
                table += [f"{heading.format(count=config.count, kind=kind)}{seeds}.", "", *rows_of(columns, rows), ""]
    merged = [
        {f"{task}, {name}": numbers for task, some in seed.items() for name, numbers in some.items()}
        for seed in found["restoration"]
    ]
    table += [
        "Damaged digits: mean absolute difference where pixels are unknown, and whether the class is seen.", "",
        *rows_of({"L1": ("l1", 3), "class agrees": ("class", 2), "spread of answers": ("spread", 3)}, merged), "",
    ]  # fmt: skip
    photographs = (
        f" Photographs are those of `{Path(config.photographs).name}` with {SIDE} px, on which a class-conditional "
        f"StyleGAN2 was pretrained, {config.photograph_steps} steps of 16 with the rates of its authors and shifts as "
        "augmentation; pictures are compared by pixels, codes are in W+, and a classifier that has seen only "
        "photographs tells classes."
        if config.photographs
        else ""
    )
    option = " --photographs FILE.npz" if config.photographs else ""
    return [
        HEADING, "",
        f"`rendered-digits` adapted to 10 handwritten digits of each class, {config.steps} steps; seeds "
        f"{', '.join(map(str, config.seeds))}. Classes are told by the shipped classifier, which has seen no generated "
        f"image.{photographs} Regenerate with `python -m benchmarks.editing{option}`.", "",
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
