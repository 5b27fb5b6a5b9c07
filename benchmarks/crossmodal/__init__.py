"""How well texts and images find each other, on held-out pictures and captions; docs/benchmarks.md.

`python -m benchmarks.crossmodal`. It can be stopped and started again: results are kept in `work_dir`.
"""

from pathlib import Path

from benchmarks.crossmodal.config import CrossmodalBenchmarkConfig
from benchmarks.results import keep, kept
from benchmarks.tables import cell, machine, replace_part
from tfgantl.cli import run as run_cli

HEADING = "# Text and images"
COLUMNS = {"pictures": 0, "captions": 0, "@1": 3, "@5": 3, "@10": 3, "rightly": 3}


def benchmark_crossmodal(config: CrossmodalBenchmarkConfig) -> dict:
    """Measures whatever is not measured yet, and writes the tables.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: set of pictures → rows of each seed.
    """
    import keras

    config.check_archives()
    from benchmarks.crossmodal.retrieval import retrieval, sets

    found: dict[str, list[dict]] = {}
    for seed in config.seeds:
        for name, settings in sets(config, seed).items():
            path = Path(config.work_dir) / f"retrieval-{name}-{seed}-{config.steps}-{config.samples}.json"
            result = kept(path)
            if result is None:
                result = keep(path, retrieval(settings))
                keras.backend.clear_session()
            found.setdefault(name, []).append(result)
    drawing = drawing_of(config) if config.draw_steps else {}
    if config.style_model is not None:
        drawing["Photographs painted by phrases, as a classifier of styles sees them"] = styling_of(config)
    replace_part(Path(config.report), HEADING, [*lines(config, found), *drawing_lines(drawing)])
    return {**found, **drawing}


def drawing_of(config: CrossmodalBenchmarkConfig) -> dict[str, list[dict[str, dict]]]:
    """What generators that are told in words have drawn: title → rows of each seed."""
    import keras

    from benchmarks.crossmodal.drawing import directed, drawn, learnt

    work_dir, found = Path(config.work_dir), dict[str, list[dict]]()
    for title, measure, steps in (
        ("Rendered digits, drawn by text", drawn, config.draw_steps),
        ("Handwritten digits, ten captioned pictures a class", learnt, config.learn_steps),
        ("Two phrases, and no picture", directed, config.direct_steps),
    ):
        for seed in config.seeds:
            path = work_dir / f"{measure.__name__}-{seed}-{steps}.json"
            result = kept(path)
            if result is None:
                result = keep(path, measure(seed, steps, work_dir / "runs"))
                keras.backend.clear_session()
            found.setdefault(title, []).append(result)
    return found


def styling_of(config: CrossmodalBenchmarkConfig) -> list[dict[str, dict]]:
    """What a classifier of styles sees in photographs that phrases have painted: rows of each seed."""
    from benchmarks.crossmodal.styling import styled
    from tfgantl.files import name_from

    found = []
    for seed in config.seeds:
        path = Path(config.work_dir) / f"styled-{name_from(str(config.style_model))}-{seed}.json"
        result = kept(path)
        found.append(keep(path, styled(config.style_model, seed)) if result is None else result)
    return found


def drawing_lines(found: dict[str, list[dict[str, dict]]]) -> list[str]:
    """Tables of what was drawn: a line a row, a column a number, mean ± deviation over seeds."""
    table: list[str] = []
    for title, seeds in found.items():
        columns = list(dict.fromkeys(name for row in seeds[0].values() for name in row))
        table += [f"{title}.", "", f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
        for row in seeds[0]:
            cells = [cell([seed[row].get(name) for seed in seeds], 1.0, 3) for name in columns]
            table.append(f"| {row} | {' | '.join(cells)} |")
        table.append("")
    return table


def lines(config: CrossmodalBenchmarkConfig, found: dict[str, list[dict[str, dict]]]) -> list[str]:
    """The part of the page."""
    table: list[str] = []
    for name, seeds in found.items():
        table += [f"{name}.", "", f"| | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
        for row in seeds[0]:
            cells = [cell([seed[row].get(key) for seed in seeds], 1.0, digits) for key, digits in COLUMNS.items()]
            table.append(f"| {row} | {' | '.join(cells)} |")
        table.append("")
    return [
        HEADING, "",
        "Recall of what a caption is true of among the first 1, 5 and 10 found: every different caption is asked for "
        "once, and every picture. Pictures with equal captions are no rivals; where captions differ, there is one "
        f"picture of each. {config.steps} training steps; seeds {', '.join(map(str, config.seeds))}. Regenerate with "
        "`python -m benchmarks.crossmodal --digits MNIST.npz --avatars PEEPS.npz`.", "",
        *table, machine(), "",
    ]  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(CrossmodalBenchmarkConfig, "python -m benchmarks.crossmodal", benchmark_crossmodal, {}, arguments)
