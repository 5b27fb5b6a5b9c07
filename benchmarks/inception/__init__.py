"""How fast features of Inception are computed, beside torch-fidelity: the same weights and images, in turns.

`python -m benchmarks.inception`. It needs torch-fidelity: `pip install '.[bench]'`, or a Python that has it
(`--torch_python`). Times depend on shapes alone, so weights are random ones unless a file is given.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.speed.workers import Worker, race
from benchmarks.tables import machine, replace_part
from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, check_at_least

HEADING = "# Features of Inception"
SCRIPT = Path(__file__).with_name("torch_features.py")


@dataclass(frozen=True)
class InceptionBenchmarkConfig:
    """Settings of the benchmark of Inception.

    Args:
        sizes: Heights and widths of the images in pixels.
        images: Images of a turn.
        turns: Of either side.
        weights: File of pytorch-fid and torch-fidelity; random weights if not given.
        torch_python: Python with torch-fidelity; the present one if not given.
        report: The page to write the table to.
        json: Print the result as the last line, one JSON object.
    """

    sizes: tuple[int, ...] = (32, 64)
    images: int = 128
    turns: int = 5
    weights: str | None = None
    torch_python: str | None = None
    report: str = "docs/benchmarks.md"
    json: bool = False

    def __post_init__(self) -> None:
        check_at_least(self, 1, "images", "turns")
        if not self.sizes or min(self.sizes) < 1:
            raise ConfigError(f"`sizes` must be at least 1. Received: {self.sizes}")


def benchmark_inception(config: InceptionBenchmarkConfig) -> dict[str, dict[str, float]]:
    """Times both sides, and writes the table.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: size → images a second of either side, ratio of the times, largest difference.

    Raises:
        RunError: If torch-fidelity is not installed.
    """
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        weights = Path(config.weights) if config.weights else Path(directory) / "random.npz"
        if config.weights is None:
            np.savez(weights, **torch_arrays())
        for size in config.sizes:
            found[str(size)], versions = timed(weights, size, config, Path(directory))
    lines = [
        HEADING, "",
        "Regenerate with `python -m benchmarks.inception`, which needs `pip install '.[bench]'`. The same weights and "
        f"images for both, {config.images} a turn, in turns in processes of their own; medians of {config.turns}. "
        "Of torch-fidelity, the network alone in batches of 64, without the loader of its command. Aimed at: a ratio "
        "of at most 0.8.", "",
        "| images | tfgantl, images/s | torch-fidelity, images/s | time, ours / theirs | largest difference |",
        "|---|---|---|---|---|",
        *(f"| {size} px | {row['ours']:.1f} | {row['theirs']:.1f} | {row['ratio']:.2f} | {row['difference']:.1e} |"
          for size, row in found.items()), "",
        f"{machine()[:-1]}, {versions}.", "",
    ]  # fmt: skip
    replace_part(Path(config.report), HEADING, lines)
    return found


def torch_arrays(seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights by the names of PyTorch, of which features are about as large as those of the trained network."""
    from tfgantl.metrics.inception.blocks import CLASSES, FEATURES, all_names

    rng = np.random.default_rng(seed)
    arrays = {}
    for names in all_names():
        filters, kernel, read = names.convolution.filters, names.convolution.kernel, names.channels
        scale = np.float32(1.0 / np.sqrt(read * np.prod(kernel)))
        arrays[f"{names.torch}.conv.weight"] = rng.standard_normal((filters, read, *kernel), np.float32) * scale
        for part, low, high in (("weight", 0.8, 1.6), ("bias", -0.1, 0.3), ("running_mean", -0.2, 0.2)):
            arrays[f"{names.torch}.bn.{part}"] = rng.uniform(low, high, filters).astype("f")
        arrays[f"{names.torch}.bn.running_var"] = rng.uniform(0.3, 1.5, filters).astype("f")
    arrays["fc.weight"] = rng.standard_normal((CLASSES, FEATURES), np.float32) / 20
    arrays["fc.bias"] = np.zeros(CLASSES, "f")
    return arrays


def timed(
    weights: Path, size: int, config: InceptionBenchmarkConfig, directory: Path
) -> tuple[dict[str, float], str]:  # fmt: skip
    """Both sides in turns on images of one size, and the versions of the other side."""
    files = [directory / f"{name}-{size}.npy" for name in ("ours", "theirs")]
    commands = [[str(weights), str(size), str(config.images), str(file)] for file in files]
    ours = Worker("tfgantl", commands[0], module="benchmarks.inception.own_features")
    theirs = Worker("torch-fidelity", commands[1], config.torch_python or sys.executable, script=SCRIPT)
    race([ours, theirs], config.turns, 1)
    features = [np.load(file) for file in files]
    row = {
        "ours": config.images / ours.median,
        "theirs": config.images / theirs.median,
        "ratio": ours.median / theirs.median,
        "difference": float(np.abs(features[0] - features[1]).max()),
    }
    return row, theirs.version


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(InceptionBenchmarkConfig, "python -m benchmarks.inception", benchmark_inception, {}, arguments)
