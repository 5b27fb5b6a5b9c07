"""Pictures of what style transfer did, for reports."""

import io

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from tfgantl.images import encode_png, to_uint8, to_unit
from tfgantl.models.stylizer import Stylizer, paint
from tfgantl.style.pictures import resized, shape_at

GAP = 6


def style_sheet(
    network: Stylizer, contents: list[np.ndarray], styles: list[np.ndarray] | None = None, side: int = 256
) -> bytes:
    """One row a picture, painted in all styles, as PNG; the styles are above if they are given.

    Args:
        network: Trained.
        contents: uint8 (height, width, 3).
        styles: The same.
        side: Most pixels of the longer side of each.
    """
    rows = []
    for content in contents:
        picture = small(content, side)
        image = tf.constant(to_unit(picture))
        painted = [to_uint8(paint(network, image, mix, 1.0).numpy()) for mix in np.eye(network.num_styles, dtype="f")]
        rows.append([picture, *painted])
    if styles is not None:
        rows.insert(0, [None, *(small(style, side) for style in styles)])
    return encode_png(table(rows))


def small(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture uint8 (height, width, 3) with at most `side` pixels on its longer side."""
    return resized(picture, shape_at(picture, min(side, max(picture.shape[:2]))))


def table(rows: list[list[np.ndarray | None]]) -> np.ndarray:
    """Lays pictures uint8 (height, width, 3) of several sizes out on white, in rows and columns."""
    heights = [max(p.shape[0] for p in row if p is not None) for row in rows]
    columns = range(max(len(row) for row in rows))
    widths = [max(p.shape[1] for row in rows for p in row[i : i + 1] if p is not None) for i in columns]
    sheet = np.full((sum(heights) + GAP * (len(heights) + 1), sum(widths) + GAP * (len(widths) + 1), 3), 255, np.uint8)
    top = GAP
    for row, height in zip(rows, heights, strict=True):
        left = GAP
        for picture, width in zip(row, widths, strict=False):
            if picture is not None:
                y, x = top + (height - picture.shape[0]) // 2, left + (width - picture.shape[1]) // 2
                sheet[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
            left += width + GAP
        top += height + GAP
    return sheet


def loss_curves(histories: dict[str, list[dict]]) -> bytes:
    """Scaled losses over the steps, as PNG.

    Args:
        histories: Name of a training → records with `step` and the losses; those of a GAN get a panel of their own.
    """
    panels = {("content", "style"): ("scaled losses", "log")}
    if any("adversarial" in record for records in histories.values() for record in records):
        panels["adversarial", "discriminator"] = ("losses of the GAN", "linear")
    figure = Figure(figsize=(9, 3.2 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), squeeze=False)[:, 0]
    for axis, (terms, (title, scale)) in zip(axes, panels.items(), strict=True):
        for name, records in histories.items():
            for term in terms:
                known = [record for record in records if term in record]
                axis.plot([r["step"] for r in known], [r[term] for r in known], label=f"{name} {term}", linewidth=1)
        axis.set(yscale=scale, xlabel="step", title=title)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
