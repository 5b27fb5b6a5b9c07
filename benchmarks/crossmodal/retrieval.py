"""Retrieval by captions, on held-out pictures: recall both ways, with chance beside it."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.crossmodal.config import CrossmodalBenchmarkConfig
from tfgantl.crossmodal.captions import PART_CAPTIONS, Captions
from tfgantl.crossmodal.contrastive import train_encoders
from tfgantl.crossmodal.encoders import TextImageEncoders
from tfgantl.crossmodal.retrieval import measure_retrieval
from tfgantl.data import HandwrittenDigits
from tfgantl.data.sources import DIGITS, Arrays
from tfgantl.pipelines.describe.material import CaptionedMaterial, gather
from tfgantl.pipelines.describe.measurement import measure
from tfgantl.pipelines.describe.train import DescribeTrainConfig


def sets(config: CrossmodalBenchmarkConfig, seed: int) -> dict[str, DescribeTrainConfig]:
    """Name of a set → how encoders of it are trained."""
    shared: dict[str, Any] = {"samples": config.samples, "seed": seed}
    of_digits = {"steps": config.steps, **shared}
    found = {"handwritten digits": DescribeTrainConfig(target=HandwrittenDigits(shots=None), **of_digits)}
    if config.digits is not None:
        target = Arrays(named_classes(Path(config.digits), Path(config.work_dir)), image_size=28, channels=1)
        found = {"MNIST": DescribeTrainConfig(target=target, **of_digits)}
    if config.avatars is not None:
        target = Arrays(config.avatars, image_size=64, channels=3)
        found["Open Peeps"] = DescribeTrainConfig(
            target=target, captions=PART_CAPTIONS, steps=config.avatar_steps, **shared
        )
    return found


def named_classes(archive: Path, work_dir: Path) -> str:
    """A copy of an archive of digits whose classes have their names."""
    path = work_dir / "digits.npz"
    if not path.is_file():
        work_dir.mkdir(parents=True, exist_ok=True)
        with np.load(archive, allow_pickle=False) as arrays:
            np.savez(path, x=arrays["x"], y=arrays["y"], names=np.array(DIGITS))
    return str(path)


def retrieval(settings: DescribeTrainConfig) -> dict[str, dict[str, float]]:
    """Trains encoders, and measures them.

    Args:
        settings: Of the training.

    Returns:
        Row of the table → its numbers: all held-out pictures, where equal captions count as one, and as many of them
        as have different captions; then what is told of pictures.
    """
    material = gather(settings)
    encoders = train_encoders(
        material.images, material.captions, settings.steps, settings.batch_size, settings.seed, settings.dimension,
        settings.width, bank=material.bank,
    )  # fmt: skip
    rows = {}
    for name, images, captions in (
        ("", material.test_images, material.test_captions), (", captions that differ", *differing(material)),
    ):  # fmt: skip
        for way, ranks in measure_retrieval(encoders, images, captions).items():
            numbers = {f"@{rank}": share for rank, share in ranks.items()}
            rows[f"{way}{name}"] = {"pictures": len(images), "captions": len(captions.phrases), **numbers}
    return rows | told(encoders, material)


def differing(material: CaptionedMaterial) -> tuple[np.ndarray, Captions]:
    """The first held-out picture of each caption, so that no two captions are equal."""
    seen: dict[tuple[int, ...], int] = {}
    for picture, phrases in enumerate(material.test_captions.of_pictures):
        seen.setdefault(phrases, picture)
    some = sorted(seen.values())
    return material.test_images[some], material.test_captions.of_some(some)


def told(encoders: TextImageEncoders, material: CaptionedMaterial) -> dict[str, dict[str, float]]:
    """How often class and attributes are told rightly; nothing where that is not known."""
    found = measure(encoders, material).told
    return {f"told: {name}": {"pictures": len(material.test_images), "rightly": share} for name, share in found.items()}
