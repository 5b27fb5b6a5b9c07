"""What `tfgantl imagine` writes and returns."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfgantl.configuration import to_yaml
from tfgantl.crossmodal.text_checks import told_unknown
from tfgantl.pipelines.results import RunResult, python_only
from tfgantl.report import Report

if TYPE_CHECKING:
    from tfgantl.pipelines.imagine import ImagineConfig

SHEET_SIDE = 96  # pixels that an image of a sheet has at least


@dataclass(frozen=True, kw_only=True)
class ImagineResult(RunResult):
    """Pictures of a text.

    Args:
        phrase: What was drawn.
        unknown_words: Words that the text encoder does not know → known ones that are spelled alike.
        seeds: Of each picture.
        files: Of each picture, PNG.
        sheet: All of them, PNG.
        seconds: The whole run.
        images: uint8 (count, height, width, channels).
    """

    phrase: str
    unknown_words: dict[str, list[str]]
    seeds: list[int]
    files: list[Path]
    sheet: Path
    seconds: float
    images: np.ndarray = python_only()

    def closing_lines(self) -> list[str]:
        """What the log ends with: where things are."""
        return [
            f"{len(self.files)} pictures, seeds {self.seeds[0]} to {self.seeds[-1]}: {self.files[0]} …",
            f"sheet: {self.sheet}",
            *super().closing_lines(),
        ]


def imagine_report(
    config: "ImagineConfig", text: str, unknown: dict[str, list[str]], seeds: list[int], sheet: Path
) -> Report:
    """The report of a drawing."""
    return Report(
        title=f"imagine: {text}",
        summary=[
            f"{len(seeds)} pictures, row by row of seed {seeds[0]} to {seeds[-1]}; a picture depends on its text and "
            "seed alone.",
            *told_unknown(unknown),
        ],
        pictures={text: sheet.read_bytes()},
        config=to_yaml(config),
    )


def scale_of(images: np.ndarray) -> int:
    """How many times images (n, height, width, channels) are enlarged for people to see them."""
    return max(1, SHEET_SIDE // images.shape[1])
