"""What a painting leaves: the picture where it was asked for, and a report."""

import shutil
from pathlib import Path

from tfgantl.configuration import to_yaml
from tfgantl.images import encode_png
from tfgantl.pipelines.stylize.painters import place
from tfgantl.report import Report
from tfgantl.style.pictures import read_picture, save_picture
from tfgantl.style.sheets import loss_curves, small, table

SHOWN = 3  # pictures of a folder
SIDE = 384


def deliver(output: str | None, painted: list[Path]) -> Path:
    """Copies results that are there from the run directory to where they were asked for.

    Args:
        output: File, or directory for several; `None` to leave them where they are.
        painted: Files in the run directory.

    Returns:
        The file or directory.
    """
    several = len(painted) > 1 or (output is not None and not Path(output).suffix)
    if output is None:
        return painted[0].parent if several else painted[0]
    target = Path(output)
    for path in (path for path in painted if path.is_file()):
        if several:
            target.mkdir(exist_ok=True)
            shutil.copyfile(path, target / path.name)
        elif target.suffix.lower() == ".png":
            shutil.copyfile(path, target)
        else:
            save_picture(target, read_picture(path, "output"))
    return target


def style_report(title: str, config, job, run, history: dict, result: dict) -> Report:
    """Content, styles, results and losses on one page.

    Args:
        title: Heading.
        config: The `StylizeConfig`.
        job: What was painted.
        run: Run directory with the results.
        history: Name of a picture → records of its losses.
        result: What `--json` prints.
    """
    rows = []
    for path in job.contents[:SHOWN]:
        shown = [read_picture(place(run, path), "content"), *job.styles]
        rows.append([small(picture, SIDE) for picture in ([job.read(path), *shown] if path else shown)])
    pictures = {"Content, result, styles": encode_png(table(rows))}
    steps = sorted((run.path / "steps").glob("*.png"))
    if len(steps) > 1:
        chosen = [steps[round(i * (len(steps) - 1) / 3)] for i in range(min(4, len(steps)))]
        pictures["On the way"] = encode_png(table([[small(read_picture(path, "steps"), SIDE) for path in chosen]]))
    if any(history.values()):
        pictures["Losses"] = loss_curves(dict(list(history.items())[:SHOWN]))
    pace = result.get("seconds_per_step")
    return Report(
        title=title,
        summary=[f"{result['steps']} steps, {pace or 0:.3g} s a step, {result['seconds']:.0f} s in all."],
        pictures=pictures,
        tables={
            "Last losses (1: nothing is left of the content; the style as it was at the beginning)": [
                (name, f"{result[name]:.4f}") for name in ("content_loss", "style_loss") if result.get(name) is not None
            ],
            "What plain losses are multiplied by": [
                (name, f"{value:.4g}") for name, value in result.get("effective_weights", {}).items()
            ],
        },
        config=to_yaml(config),
    )
