"""How well texts and images find each other, and whether what is drawn is what was said; docs/benchmarks.md.

`python -m benchmarks.crossmodal`. It can be stopped and started again: results are kept in `work_dir`, and the tables
are of those that are finished.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.crossmodal.config import CrossmodalBenchmarkConfig
from benchmarks.results import keep, kept
from benchmarks.tables import cell, machine, replace_part
from tfgantl.cli import run as run_cli

HEADING = "# Text and images"
COMMAND = "python -m benchmarks.crossmodal --digits MNIST.npz --avatars PEEPS.npz"
COUNTS = ("pictures", "captions", "asked")  # columns without decimals
EXPLAINED = {
    "Retrieval": "Recall of what a caption is true of among the first 1, 5 and 10 found, on held-out pictures: every "
    "different caption is asked for once, and every picture. Pictures with equal captions are no rivals; where "
    "captions differ, there is one picture of each.",
    "Rendered digits, drawn by text": "Shares of the pictures that a classifier takes for the class that the text "
    "names, and whose measured attribute moves the way that a word says, in combinations that captions name and in "
    "those that were held out.",
    "Handwritten digits, ten captioned pictures a class": "The same networks with the same steps, from the source and "
    "from scratch; 1 where the paired verdict is positive.",
    "Two phrases, and no picture": "Change of the attribute that the second phrase names, in standard deviations among "
    "the pictures of the source, and the share of pictures that are still taken for their class.",
    "Photographs painted by phrases": "Phrases that are meant as one style, or as two: the share whose mix has these "
    "styles first, and of the paintings, that of which a classifier of styles (VGG16, trained on crops of the style "
    "pictures) names them first. The network is not trained here.",
}

Rows = dict[str, dict[str, Any]]  # row of a table → column → number


@dataclass(frozen=True)
class Job:
    """One training that is measured.

    Args:
        part: Of the page.
        title: Of its table.
        name: Of the file that keeps the result.
        seed: Of the training.
        steps: Of the training; 0 if there is none.
        measure: Does it.
    """

    part: str
    title: str
    name: str
    seed: int
    steps: int
    measure: Callable[[], Rows]


def jobs(config: CrossmodalBenchmarkConfig) -> Iterator[Job]:
    """All that the settings ask for, seed by seed."""
    from benchmarks.crossmodal.drawing import directed, drawn, learnt
    from benchmarks.crossmodal.retrieval import retrieval, sets
    from benchmarks.crossmodal.styling import styled
    from tfgantl.files import name_from

    retrieved, *others = EXPLAINED
    runs = Path(config.work_dir) / "runs"
    for seed in config.seeds:
        for name, settings in (sets(config, seed) if config.steps else {}).items():
            file = f"retrieval-{name}-{seed}-{settings.steps}-{config.samples}"
            yield Job(retrieved, name, file, seed, settings.steps, partial(retrieval, settings))
        measures = (drawn, config.draw_steps), (learnt, config.learn_steps), (directed, config.direct_steps)
        for part, (measure, steps) in zip(others[:-1], measures, strict=True):
            if steps:
                name = f"{measure.__name__}-{seed}-{steps}"
                yield Job(part, part, name, seed, steps, partial(measure, seed, steps, runs))
        if config.style_model is not None:
            name = f"styled-{name_from(config.style_model)}-{seed}"
            yield Job(others[-1], others[-1], name, seed, 0, partial(styled, config.style_model, seed))


def benchmark_crossmodal(config: CrossmodalBenchmarkConfig) -> dict:
    """Measures whatever is not measured yet, and writes the tables.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: title of a table → rows of each seed.
    """
    import keras

    config.check_archives()
    found: dict[str, list[tuple[Job, Rows]]] = {}
    for job in jobs(config):
        path = Path(config.work_dir) / f"{job.name}.json"
        result = kept(path)
        if result is None and not config.tables:
            result = keep(path, job.measure())
            keras.backend.clear_session()
        if result is not None:
            found.setdefault(job.title, []).append((job, result))
    replace_part(Path(config.report), HEADING, lines(found))
    return {title: [rows for _, rows in results] for title, results in found.items()}


def lines(found: dict[str, list[tuple[Job, Rows]]]) -> list[str]:
    """The part of the page: of each table what it is of, and a line a row, mean ± deviation over seeds."""
    page, part = [HEADING, "", f"Regenerate with `{COMMAND}`.", ""], ""
    for title, results in found.items():
        job, rows = results[0]
        if job.part != part:
            part = job.part
            page += [f"## {part}", "", EXPLAINED[part], ""]
        columns = list(dict.fromkeys(name for row in rows.values() for name in row))
        seeds = ", ".join(str(one.seed) for one, _ in results)
        told = "" if title == part else f"{title}: "
        page += [
            f"{told}{f'{job.steps} training steps; seeds' if job.steps else 'Seeds'} {seeds}.", "",
            f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|",
        ]  # fmt: skip
        for row in rows:
            cells = [told_cell(name, [seed[row].get(name) for _, seed in results]) for name in columns]
            page.append(f"| {row} | {' | '.join(cells)} |")
        page.append("")
    return [*page, machine(), ""]


def told_cell(column: str, values: list[float | None]) -> str:
    """A cell of a table; counts differ between seeds by chance, and have no deviation."""
    if column in COUNTS and (numbers := [value for value in values if value is not None]):
        return f"{sum(numbers) / len(numbers):.0f}"
    return cell(values)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(CrossmodalBenchmarkConfig, "python -m benchmarks.crossmodal", benchmark_crossmodal, {}, arguments)
