"""The report of a run: one HTML file with all pictures inside, which opens from disk and needs no network."""

import base64
import html
import io
import platform
from dataclasses import dataclass, field

import numpy as np
from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure

from tfgantl.data import Examples
from tfgantl.images import encode_png, grid
from tfgantl.metrics.generator_metrics import TITLES
from tfgantl.printing import printable
from tfgantl.privacy.audit import Audit
from tfgantl.versions import versions

PRIVACY = "Does it give the training pictures away?"  # caption of a table


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
        environment = Environment(loader=PackageLoader("tfgantl", "templates"), autoescape=True, finalize=_shown)
        pictures = {caption: base64.b64encode(png).decode() for caption, png in self.pictures.items()}
        rows = [
            (title, [_number(column.get(name)) for column in self.columns.values()], self.protocol.get(name, ""))
            for name, title in TITLES.items()
            if any(name in column for column in self.columns.values())
        ]
        return environment.get_template("report.html.j2").render(
            report=self, pictures=pictures, rows=rows, versions=versions(), machine=platform.platform()
        )

    def _repr_html_(self) -> str:
        """The report in a notebook: in a frame of its own, so that its style and that of the notebook stay apart."""
        return (
            f'<iframe title="{html.escape(self.title)}" srcdoc="{html.escape(self.html())}" '
            'style="width: 100%; height: 800px; border: 0"></iframe>'
        )


def _shown(value: object) -> object:
    return printable(value, keep="\n\t") if type(value) is str else value


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"


def sheet(images: np.ndarray, columns: int = 10, scale: int = 2) -> bytes:
    """A grid of uint8 images (n, side, side, channels) as PNG."""
    return encode_png(grid(images, columns), scale)


def memorisation_sheet(fakes: np.ndarray, shots: np.ndarray, pairs: int = 30) -> bytes:
    """Generated images, each beside the training image nearest to it, as PNG; both uint8 (n, side, side, channels)."""
    together = np.stack([fakes[:pairs], shots[:pairs]], axis=1).reshape(-1, *fakes.shape[1:])
    return sheet(together, 12)


def copies_shown(audit: Audit, generated: np.ndarray, train: np.ndarray) -> dict[str, bytes]:
    """Caption → PNG of the worst generated pictures beside the training pictures that they are nearest to.

    Args:
        audit: Of the generated pictures; without copies that were looked for, there is nothing to show.
        generated: uint8 (n, side, side, channels).
        train: The same of the training pictures.
    """
    if audit.copies is None:
        return {}
    worst, twins = generated[audit.copies.worst], train[audit.copies.twins]
    caption = f"The {len(worst)} generated pictures nearest to a training picture (right), of different ones"
    return {caption: memorisation_sheet(worst, twins)}


def curves(histories: dict[str, list[dict]], best: dict[str, int]) -> bytes:
    """Validation cKID and losses over the steps, as PNG.

    Args:
        histories: Name of a training → its validation records.
        best: Name of a training → step of the best state.
    """
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, history in histories.items():
        steps = [record["step"] for record in history]
        line = left.plot(steps, [record["val_ckid"] for record in history], marker=".", label=name)[0]
        left.axvline(best[name], color=line.get_color(), linestyle=":", linewidth=1)
        for loss, style in (("g_loss", "-"), ("d_loss", "--")):
            records = [record for record in history if loss in record]
            right.plot(
                [record["step"] for record in records], [record[loss] for record in records],
                style, color=line.get_color(), label=f"{name} {loss}",
            )  # fmt: skip
    left.set(title="validation cKID (dotted: best)", xlabel="step")
    left.set_yscale("symlog", linthresh=1e-3, linscale=0.3)
    left.yaxis.set_major_formatter("{x:g}")
    right.set(title="losses", xlabel="step")
    for axis in (left, right):
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def class_rows(examples: Examples) -> list[tuple]:
    """Rows of a table of the classes, label by label; none if they have no names."""
    return [(label, name) for label, name in enumerate(examples.classes or ())]


def data_rows(examples: dict[str, Examples]) -> list[tuple]:
    """Rows of a table of what each split holds.

    Args:
        examples: Split → `Examples`.
    """
    return [
        (split, f"{part.size or 'endless'} images", f"fingerprint {part.fingerprint}", *part.notes)
        for split, part in examples.items()
    ]
