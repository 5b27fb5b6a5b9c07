"""The report of an evaluation: numbers side by side, pictures, and distances against the number of images."""

import io
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from tfgantl.configuration import to_yaml
from tfgantl.files import fitted
from tfgantl.metrics.evaluation import Evaluation, Evaluator
from tfgantl.metrics.generator_metrics import TITLES
from tfgantl.metrics.intervals import DistanceCurve, distance_curve
from tfgantl.pipelines.evaluate.latents import best_truncation, rows_of_paths
from tfgantl.pipelines.evaluate.results import EvaluateResult
from tfgantl.report import Report, memorisation_sheet, sheet

if TYPE_CHECKING:
    from tfgantl.pipelines.evaluate import EvaluateConfig

COLUMNS = 12  # images of each that are shown


def write_report(
    config: "EvaluateConfig", result: EvaluateResult, evaluations: dict[str, Evaluation], evaluator: Evaluator
) -> None:
    """Writes `report.html`, `metrics.json`, `images.png` and `curves.png` into the new directory of a result.

    Args:
        config: The settings.
        result: What was measured.
        evaluations: Name → its part of it.
        evaluator: What it was measured with.
    """
    final = Path(config.out_dir or "")
    directory = final.with_name(fitted(f".{final.name}", f".{os.getpid()}"))
    directory.mkdir(parents=True)
    try:
        side_by_side = images_of_each(evaluator.test_images, evaluations)
        real = evaluator.test_features if evaluator.statistics is None else evaluator.statistics
        drawn = {
            name: distance_curve(real, one.features, evaluator.test_features, config.seed)
            for name, one in evaluations.items()
        }
        curves = distance_curves(drawn, evaluator.extractor.comparable)
        pictures = {f"Real test images, then {', '.join(evaluations)}, a row each": side_by_side}
        for name, one in evaluations.items():
            nearest = evaluator.train_images[one.nearest_train]
            caption = f"{name}: each generated image (left) beside the nearest training image (right)"
            pictures[caption] = memorisation_sheet(one.images, nearest)
        pictures["Distances against the number of generated images: compare equal numbers only"] = curves
        for name, curve in result.truncation.items():
            caption = f"{name}: metrics against ψ, the share of the distance of w from its average; nearest at "
            pictures[f"{caption}{best_truncation(curve):g}"] = truncation_plot(curve)
        report = Report(
            title=f"{', '.join(evaluations)} on {config.target.name}",
            summary=[*map(str, result.comparisons)] or [f"Measured with {evaluator.extractor.id}."],
            pictures=pictures,
            columns=dict(result.compared),
            protocol=result.protocol,
            tables={
                "Models": list(zip(evaluations, config.models, strict=True)),
                "Perceptual path lengths: low is smooth": rows_of_paths(result.path_lengths),
            },
            config=to_yaml(config),
        )
        (directory / "report.html").write_text(report.html(), encoding="utf-8")
        (directory / "metrics.json").write_text(json.dumps(result.to_json(), indent=2) + "\n")
        (directory / "images.png").write_bytes(side_by_side)
        (directory / "curves.png").write_bytes(curves)
        directory.rename(final)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise


def images_of_each(real: np.ndarray, evaluations: dict[str, Evaluation]) -> bytes:
    """Some real images, and in a row below some of each that was measured, as PNG."""
    rows = [np.resize(np.arange(len(images)), COLUMNS) for images in (real, *(e.images for e in evaluations.values()))]
    shown = [images[row] for images, row in zip((real, *(e.images for e in evaluations.values())), rows, strict=True)]
    return sheet(np.concatenate(shown), COLUMNS, scale=max(1, 96 // real.shape[1]))


def distance_curves(drawn: dict[str, DistanceCurve], comparable: bool) -> bytes:
    """Fréchet and kernel distance against the number of images, and where the former ends, as PNG.

    Args:
        drawn: Name → its curve.
        comparable: Whether they are the FID and KID of papers.
    """
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    frechet, kernel = ("FID", "KID") if comparable else ("cFID", "cKID")
    for name, curve in drawn.items():
        line = left.plot(curve.images, curve.frechet, marker=".", label=name)[0]
        left.axhline(curve.infinity, color=line.get_color(), linestyle=":", linewidth=1)
        right.plot(curve.images, curve.kernel, marker=".", label=name)
    left.set(title=f"{frechet} (dotted: extrapolated to infinitely many)", xlabel="generated images")
    right.set(title=f"{kernel} (unbiased: the same for any number)", xlabel="generated images")
    for axis in (left, right):
        axis.set_xscale("log")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    return _png(figure)


def truncation_plot(curve: dict[float, dict[str, float | None]]) -> bytes:
    """Distances, and how good and how diverse, against ψ, as PNG.

    Args:
        curve: ψ → metric → value.
    """
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    names = {name: name for numbers in curve.values() for name in numbers}
    shares = [name for name in names if name in ("precision", "recall", "coverage")]
    for axis, drawn in zip(figure.subplots(1, 2), ([n for n in names if n not in shares], shares), strict=True):
        for name in drawn:
            values = [np.nan if numbers[name] is None else numbers[name] for numbers in curve.values()]
            axis.plot(list(curve), values, marker=".", label=TITLES[name])
        axis.set(xlabel="ψ")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    figure.axes[0].set_yscale("symlog", linthresh=1e-3)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
