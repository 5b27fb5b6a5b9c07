"""What ImageNet adds where labels are few: VGG16 with a new head against a small network, on tiles of photographs."""

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import keep, kept
from benchmarks.tables import cell
from tfgantl.errors import ArtifactError

if TYPE_CHECKING:
    import numpy as np

    from benchmarks.recognition import RecognitionBenchmarkConfig


SIDE, SHOTS, STEPS, BATCH = 64, 10, 40, 32
PICTURES = ("astronaut", "chelsea", "coffee", "rocket", "china", "flower", "motorcycle_left", "retina")
METHODS = ("TargetOnly", "VGG16Head")


def result_path(config: "RecognitionBenchmarkConfig", name: str, seed: int) -> Path:
    """Where the result of one training is kept."""
    return Path(config.work_dir) / "photographs" / f"{name}-{seed}.json"


def photograph_lines(config: "RecognitionBenchmarkConfig") -> list[str]:
    """The table, measured where it is missing; a sentence where there are no weights."""
    heading = ["## VGG16 with a new head: tiles of photographs", ""]
    rows: dict[str, list[dict]] = {}
    for name in METHODS:
        for seed in config.seeds:
            path = result_path(config, name, seed)
            try:
                rows.setdefault(name, []).append(kept(path) or keep(path, measure(name, seed)))
            except ArtifactError as error:
                return [*heading, f"Not measured: {error}", ""]
    lines = [
        *heading,
        f"Which of {len(PICTURES)} photographs a tile of {SIDE} px is from; tiles do not overlap, {SHOTS} a class to "
        f"learn from (left halves), {STEPS} steps of {BATCH}, ten times as many for the small network; accuracy on the "
        "right halves.", "",
        "| method | accuracy | seconds |", "|---|---|---|",
    ]  # fmt: skip
    for name, found in rows.items():
        accuracy, seconds = ([v[key] for v in found] for key in ("accuracy", "seconds"))
        lines.append(f"| {name} | {cell(accuracy)} | {cell(seconds, 1.0, 0)} |")
    return [*lines, ""]


def measure(name: str, seed: int) -> dict:
    """Accuracy and seconds of one method and seed."""
    from tfgantl import recognition
    from tfgantl.data import Examples
    from tfgantl.metrics.classification import accuracy
    from tfgantl.recognition.domains import shots
    from tfgantl.recognition.task import Task
    from tfgantl.recognition.trainer import Trainer

    images, labels, test = tiles()
    known = Examples.from_arrays(*shots(images[~test], labels[~test], SHOTS, seed), len(PICTURES))
    steps = 10 * STEPS if name == "TargetOnly" else STEPS  # small networks need, and can afford, more steps
    task = Task(
        None, None, labelled=known, steps=steps, batch_size=BATCH, selection="last", validate_every=steps, seed=seed,
        weak="affine",
    )  # fmt: skip
    fitted = Trainer(task).fit(getattr(recognition, name)())
    return {"accuracy": accuracy(fitted.model.classifier, images[test], labels[test]), "seconds": fitted.seconds}


def tiles() -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
    """Tiles uint8 (n, SIDE, SIDE, 3), the number of the picture of each, and whether it is from the right half."""
    import numpy as np
    from PIL import Image

    from tfgantl.data.photographs import photograph

    images, labels, test = [], [], []
    for label, name in enumerate(PICTURES):
        picture = np.asarray(Image.open(photograph(name)).convert("RGB"))
        height, width = (n // SIDE for n in picture.shape[:2])
        for row in range(height):
            for column in range(width):
                y, x = row * SIDE, column * SIDE
                images.append(picture[y : y + SIDE, x : x + SIDE])
                labels.append(label)
                test.append(column >= width // 2)
    return np.stack(images), np.array(labels), np.array(test)
