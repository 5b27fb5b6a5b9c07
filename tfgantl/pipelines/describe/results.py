"""What a training of encoders returns, publishes and reports."""

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfgantl.configuration import to_yaml
from tfgantl.crossmodal.encoders import TextImageEncoders
from tfgantl.export.describe_signatures import describe_signatures, example_texts, network_of
from tfgantl.export.publish import publish
from tfgantl.images import encode_png, grid
from tfgantl.pipelines.describe.material import CaptionedMaterial
from tfgantl.pipelines.describe.measurement import DescriptionMeasures
from tfgantl.pipelines.describe.opening import ENCODERS
from tfgantl.pipelines.results import RunResult, python_only
from tfgantl.pipelines.session import Session
from tfgantl.report import Report
from tfgantl.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from tfgantl.pipelines.describe.train import DescribeTrainConfig

SHOWN, FOUND = 8, 8  # captions in the report, and pictures that are found for each


@dataclass(frozen=True, kw_only=True)
class DescribeTrainResult(RunResult):
    """Trained encoders.

    Args:
        export_dir: The version that was published.
        hash: Of the encoders.
        measured: On held-out pictures.
        seconds: The whole run.
        encoders: The encoders.
    """

    export_dir: Path
    hash: str
    measured: dict[str, Any]
    seconds: float
    encoders: TextImageEncoders = python_only()

    def closing_lines(self) -> list[str]:
        """What the log ends with: numbers, and where things are."""
        ways = self.measured["retrieval"]
        numbers = [
            f"{way}: " + ", ".join(f"{name} {share:.3f}" for name, share in ranks.items())
            for way, ranks in ways.items()
        ]
        told = ", ".join(f"{name} {share:.3f}" for name, share in self.measured["told"].items())
        places = [f"encoders: {self.run_dir / ENCODERS}", f"exported: {self.export_dir}"]
        return [*numbers, *([f"told rightly: {told}"] if told else []), *places, *super().closing_lines()]


def keep(encoders: TextImageEncoders, own: Path, out_dir: str | None) -> None:
    """Writes encoders; a run that goes on may have written them before it was interrupted.

    Args:
        encoders: To be written.
        own: Directory in the run; what is there is replaced if it is anything else.
        out_dir: Directory beside that, or `None`.

    Raises:
        RunError: If `out_dir` is there and holds anything else.
    """
    if own.is_dir() and not encoders.are_in(own):
        shutil.rmtree(own)
    for directory in (own, *([Path(out_dir)] if out_dir else [])):
        if not encoders.are_in(directory):
            encoders.save(directory)


def publish_encoders(
    config: "DescribeTrainConfig", encoders: TextImageEncoders, measured: DescriptionMeasures, run: RunDirectory
) -> Path:
    """Exports the encoders as the next version of a model directory."""
    facts = {
        "run": run.id, "source": encoders.hash, "target": config.run_name, "metrics": measured.flat(),
        "texts": list(example_texts(encoders)),
    }  # fmt: skip
    return publish(network_of(encoders), config.export_path, partial(describe_signatures, encoders=encoders), facts)


def finish(
    session: Session, run: RunDirectory, encoders: TextImageEncoders, material: CaptionedMaterial,
    measured: DescriptionMeasures, version: Path,
) -> DescribeTrainResult:  # fmt: skip
    """Writes the report, and ends the run."""
    numbers = measured.to_json()
    ranks = list(next(iter(numbers["retrieval"].values())))
    rows: list[tuple] = [("", *ranks)]
    rows += [(way, *(f"{share[rank]:.3f}" for rank in ranks)) for way, share in numbers["retrieval"].items()]
    asked, sheet = searched(encoders, material)
    report = Report(
        title=f"describe: {session.name}",
        summary=[
            f"{len(material.images)} pictures with {len(material.captions.phrases)} different captions; measured on "
            f"{measured.pictures} held-out ones, which have {measured.captions}.",
            *material.notes,
        ],
        pictures={f"What is found, a row each, for: {'; '.join(asked)}": sheet},
        tables={
            "Retrieval": rows,
            "Told rightly": [(name, f"{share:.3f}") for name, share in measured.told.items()],
        },
        config=to_yaml(session.config),
    )
    return session.finish(
        DescribeTrainResult(
            run_dir=run.path, report=report, export_dir=version, hash=encoders.hash, measured=numbers,
            seconds=session.seconds, encoders=encoders,
        )
    )  # fmt: skip


def searched(encoders: TextImageEncoders, material: CaptionedMaterial) -> tuple[list[str], bytes]:
    """Some captions of held-out pictures, and a PNG with the pictures that are found for each in a row."""
    phrases = material.test_captions.phrases
    asked = [phrases[i] for i in np.unique(np.linspace(0, len(phrases) - 1, SHOWN).astype(int))]
    scores = encoders.embed_texts(asked, check=False) @ encoders.embed_images(material.test_images).T
    best = np.argsort(-scores, axis=1, kind="stable")[:, :FOUND]
    images = material.test_images[best.ravel()]
    return asked, encode_png(grid(images, best.shape[1]), max(1, 64 // images.shape[1]))
