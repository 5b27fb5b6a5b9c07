"""The report of a run: one HTML file with all pictures inside, which opens from disk and needs no network."""

import base64
import io
import platform
from dataclasses import dataclass, field

import numpy as np
from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure

from tfgantl.configuration import to_yaml
from tfgantl.images import encode_png, grid
from tfgantl.metrics.generator_metrics import TITLES
from tfgantl.versions import versions


@dataclass
class Report:
    """What goes into a report; sections that are empty are left out.

    Args:
        title: Heading.
        summary: Sentences below it, the verdict first.
        pictures: Caption → PNG.
        columns: Heading of each column of the metrics table → its numbers.
        protocol: Metric → its parameters, in words.
        tables: Caption → rows of two or more cells.
        config: The configuration as YAML.
    """

    title: str
    summary: list[str] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)
    columns: dict[str, dict] = field(default_factory=dict)
    protocol: dict[str, str] = field(default_factory=dict)
    tables: dict[str, list[tuple]] = field(default_factory=dict)
    config: str = ""

    def html(self) -> str:
        """Renders the report."""
        environment = Environment(loader=PackageLoader("tfgantl", "templates"), autoescape=True)
        pictures = {caption: base64.b64encode(png).decode() for caption, png in self.pictures.items()}
        rows = [
            (title, [_number(column.get(name)) for column in self.columns.values()], self.protocol.get(name, ""))
            for name, title in TITLES.items()
        ]
        return environment.get_template("report.html.j2").render(
            report=self, pictures=pictures, rows=rows, versions=versions(), machine=platform.platform()
        )


def _number(value) -> str:
    return "–" if value is None else f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"


def sheet(images: np.ndarray, columns: int = 10, scale: int = 2) -> bytes:
    """A grid of uint8 images (n, side, side, channels) as PNG."""
    return encode_png(grid(images, columns), scale)


def memorisation_sheet(fakes: np.ndarray, shots: np.ndarray, pairs: int = 30) -> bytes:
    """Generated images, each beside the training image nearest to it, as PNG; both uint8 (n, side, side, channels)."""
    together = np.stack([fakes[:pairs], shots[:pairs]], axis=1).reshape(-1, *fakes.shape[1:])
    return sheet(together, 12)


def curves(histories: dict[str, list[dict]], best: dict[str, int]) -> bytes:
    """Validation cKID and losses over the steps, as PNG.

    Args:
        histories: Name of a training → its validation records.
        best: Name of a training → step that was kept.
    """
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, history in histories.items():
        steps = [record["step"] for record in history]
        line = left.plot(steps, [record["val_ckid"] for record in history], marker=".", label=name)[0]
        left.axvline(best[name], color=line.get_color(), linestyle=":", linewidth=1)
        for loss, style in (("g_loss", "-"), ("d_loss", "--")):
            known = [record for record in history if loss in record]
            right.plot(
                [record["step"] for record in known], [record[loss] for record in known],
                style, color=line.get_color(), label=f"{name} {loss}",
            )  # fmt: skip
    left.set(title="validation cKID (dotted: kept)", xlabel="step")
    left.set_yscale("symlog", linthresh=1e-3, linscale=0.3)
    left.yaxis.set_major_formatter("{x:g}")
    right.set(title="losses", xlabel="step")
    for axis in (left, right):
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def adaptation_report(config, prepared, trained, judged, useful, sheets, train_images: np.ndarray, verdict) -> Report:
    """Puts together the report of an adaptation.

    Args:
        config: The `AdaptConfig`.
        prepared: What the adaptation started with, `Prepared`.
        trained: `adapted`, and `baseline` if there is one → `Trained`.
        judged: The same, and `source` → `Evaluation`.
        useful: What a classifier was trained on → accuracy; may be empty.
        sheets: `source`, `adapted`, `baseline`, `real` → uint8 images to show.
        train_images: uint8 images that training saw.
        verdict: The `Verdict`, or `None` without a baseline.
    """
    adapted = trained["adapted"]
    captions = {
        "source": "Before: the source, one class a row",
        "adapted": "After: adapted, the same latents and labels",
        "real": "Real training images",
        "baseline": "Baseline: from scratch, same budget, same latents and labels",
    }
    pictures = {captions[title]: sheet(sheets[title]) for title in captions if title in sheets}
    nearest = train_images[judged["adapted"].nearest_train]
    pictures["Memorisation: each generated image (left) beside the nearest training image (right)"] = (
        memorisation_sheet(judged["adapted"].images, nearest)
    )
    histories = {title: result.history for title, result in trained.items()}
    pictures["Learning curves"] = curves(histories, {title: r.best_step for title, r in trained.items()})
    return Report(
        title=f"{prepared.name}: {config.source} adapted with {type(prepared.transfer).__name__}",
        summary=[
            str(verdict or "No baseline was trained, so there is no verdict."),
            f"{adapted.steps} steps of {config.batch_size} in {adapted.seconds:.0f} s "
            f"({adapted.images_per_second:.0f} images/s); the state of step {adapted.best_step} was kept.",
            str(prepared.transferability),
            "The interval of the verdict covers the choice of images, not that of the training seed.",
        ],
        pictures=pictures,
        columns={title: {**entry.metrics, **entry.diversity} for title, entry in judged.items()},
        protocol={**judged["adapted"].protocol, **judged["adapted"].diversity_protocol},
        tables={
            "Do generated images help a classifier? Accuracy on held-out images": [
                (f"trained on {what}", f"{value:.4f}") for what, value in useful.items()
            ],
            "Schedule": [(title, line) for title, result in trained.items() for line in result.stages],
            "Data": [
                (split, f"{part.size or 'endless'} images", f"fingerprint {part.fingerprint}", *part.notes)
                for split, part in prepared.examples.items()
            ],
            "Weights that were not simply copied from the source": prepared.weights,
        },
        config=to_yaml(config),
    )
