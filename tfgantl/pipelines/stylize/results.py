"""What a painting returns, and its report."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfgantl.configuration import to_yaml
from tfgantl.images import encode_png
from tfgantl.pipelines.results import RunResult
from tfgantl.pipelines.stylize.painters import place
from tfgantl.pipelines.stylize.preparation import Job
from tfgantl.report import Report
from tfgantl.style.pictures import read_picture
from tfgantl.style.sheets import loss_curves, small, table
from tfgantl.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from tfgantl.pipelines.stylize import StylizeConfig


MAX_SHOWN = 3  # pictures of a folder
SHOWN_SIZE = 384


@dataclass(frozen=True, kw_only=True)
class StylizeResult(RunResult):
    """What came of a painting.

    Args:
        output: The picture, or the directory of several.
        size: Pixels of the longer side.
        steps: Steps of each picture.
        content_loss: Of the last picture; 1 when nothing is left of the content. `None` with a module.
        style_loss: Of the last picture; 1 for the style as it was at the beginning. `None` with a module.
        seconds_per_step: Of the last picture.
        effective_weights: Term → what plain losses of the last picture are multiplied by.
        phrase: What was painted like, if that was a phrase.
        drawn_from: Name → share of each style that the phrase has drawn from.
        unknown_words: Word of the phrase that is not known → known ones that are spelled alike.
        pictures: Number of pictures.
        seconds: Of the whole job.
    """

    output: Path
    size: int
    steps: int
    content_loss: float | None = None
    style_loss: float | None = None
    seconds_per_step: float | None = None
    effective_weights: dict[str, float] = field(default_factory=dict)
    phrase: str | None = None
    drawn_from: dict[str, float] = field(default_factory=dict)
    unknown_words: dict[str, list[str]] = field(default_factory=dict)
    pictures: int
    seconds: float

    def closing_lines(self) -> list[str]:
        return [*super().closing_lines(), f"picture: {self.output}"]


def style_report(config: "StylizeConfig", job: Job, run: RunDirectory, history: dict, numbers: dict) -> Report:
    """Content, styles, results and losses on one page.

    Args:
        config: The `StylizeConfig`.
        job: What was painted.
        run: Run directory with the results.
        history: Name of a picture → records of its losses.
        numbers: Steps, seconds, and the losses of the last picture.
    """
    rows: list[list[np.ndarray | None]] = []
    for path in job.contents[:MAX_SHOWN]:
        shown = [read_picture(place(run, path), "content"), *job.styles]
        pictures_of = [job.read(path), *shown] if path else shown
        rows.append([small(picture, SHOWN_SIZE) for picture in pictures_of])
    pictures = {"Content, result, styles": encode_png(table(rows))}
    steps = sorted((run.path / "steps").glob("*.png"))
    if len(steps) > 1:
        chosen = [steps[round(i * (len(steps) - 1) / 3)] for i in range(min(4, len(steps)))]
        pictures["On the way"] = encode_png(
            table([[small(read_picture(path, "steps"), SHOWN_SIZE) for path in chosen]])
        )
    if any(history.values()):
        pictures["Losses"] = loss_curves(dict(list(history.items())[:MAX_SHOWN]))
    pace = numbers.get("seconds_per_step")
    return Report(
        title=f"{config.run_name}: {config.styles}",
        summary=[f"{numbers['steps']} steps, {pace or 0:.3g} s a step, {numbers['seconds']:.0f} s in all."],
        pictures=pictures,
        tables={
            "Last losses (1: nothing is left of the content; the style as it was at the beginning)": [
                (name, f"{numbers[name]:.4f}")
                for name in ("content_loss", "style_loss")
                if numbers.get(name) is not None
            ],
            "What the phrase has drawn from": [
                (name, f"{share:.3f}") for name, share in numbers.get("drawn_from", {}).items()
            ],
            "What plain losses are multiplied by": [
                (name, f"{value:.4g}") for name, value in numbers.get("effective_weights", {}).items()
            ],
        },
        config=to_yaml(config),
    )
