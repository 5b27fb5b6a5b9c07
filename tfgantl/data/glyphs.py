"""Draws digits with the fonts that matplotlib ships."""

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

OVERSAMPLING = 4  # drawn large, then reduced: thin strokes keep their gray
POINTS = 64

# Fonts with upright Arabic digits; the others of matplotlib hold symbols, or digits at other places.
FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-BoldOblique", "DejaVuSans-Oblique",
    "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-BoldOblique", "DejaVuSansMono-Oblique",
    "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-BoldItalic", "DejaVuSerif-Italic",
    "STIXGeneral", "STIXGeneralBol", "STIXGeneralBolIta", "STIXGeneralItalic",
    "cmr10", "cmb10", "cmss10", "cmtt10",
)  # fmt: skip


@cache
def _glyph(font: str, digit: int, stroke: int) -> Image.Image:
    """A digit cut out closely, white on black, about POINTS high."""
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    typeface = ImageFont.truetype(str(path), POINTS)
    canvas = Image.new("L", (3 * POINTS, 3 * POINTS))
    ImageDraw.Draw(canvas).text((POINTS, POINTS), str(digit), fill=255, font=typeface, stroke_width=stroke)
    return canvas.crop(canvas.getbbox())


def _warp(picture: Image.Image, rng: np.random.Generator, strength: float, cells: int = 3) -> Image.Image:
    """Bends a picture smoothly: the knots of a coarse net move by about `strength` of the side."""
    side = picture.width
    knots = np.linspace(0, side, cells + 1)
    y, x = np.meshgrid(knots, knots, indexing="ij")
    x, y = x + rng.normal(0, strength * side, x.shape), y + rng.normal(0, strength * side, y.shape)
    mesh = []
    for i in range(cells):
        for j in range(cells):
            box = tuple(round(v) for v in (knots[j], knots[i], knots[j + 1], knots[i + 1]))
            corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)]
            mesh.append((box, tuple(float(v) for c in corners for v in (x[c], y[c]))))
    return picture.transform(picture.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)


def render_digit(
    rng: np.random.Generator,
    digit: int,
    image_size: int,
    rotation: float,
    shear: float,
    stroke: float,
    sizes: tuple[float, float],
    warp: float,
) -> np.ndarray:
    """Draws one digit.

    Args:
        rng: Source of all choices.
        digit: 0 to 9.
        image_size: Height and width of the result.
        rotation: Largest rotation, in degrees.
        shear: Largest shear.
        stroke: Largest width added to the strokes, as a share of the digit's height.
        sizes: Smallest and largest height, as shares of the image size.
        warp: Strength of the bending, as a share of the image size.

    Returns:
        uint8 (image_size, image_size, 1), white on black.
    """
    glyph = _glyph(FONTS[rng.integers(len(FONTS))], digit, int(rng.integers(round(stroke * POINTS) + 1)))
    side = image_size * OVERSAMPLING
    scale_y = glyph.height / (side * rng.uniform(*sizes))
    scale_x = scale_y / rng.uniform(0.7, 1.4)
    scale_x = max(scale_x, glyph.width / (side * 0.95))
    angle, slant = math.radians(rng.uniform(-rotation, rotation)), rng.uniform(-shear, shear)
    cos, sin = math.cos(angle), math.sin(angle)
    # Inverse map, output → glyph: rotate about the centre, then shear, then scale.
    a, b = scale_x * (cos + slant * sin), scale_x * (sin - slant * cos)
    d, e = -scale_y * sin, scale_y * cos
    shift = rng.uniform(-0.05, 0.05, 2) * side
    cx, cy = side / 2 + shift[0], side / 2 + shift[1]
    matrix = (a, b, glyph.width / 2 - a * cx - b * cy, d, e, glyph.height / 2 - d * cx - e * cy)
    drawn = glyph.transform((side, side), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    if warp:
        drawn = _warp(drawn, rng, warp)
    return np.asarray(drawn.reduce(OVERSAMPLING))[..., None]


def render_digits(
    indices: np.ndarray, key: tuple[int, ...], image_size: int, **looks: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Draws the digits with the given indices; each depends on `key` and its own index only.

    Returns:
        images uint8 (n, image_size, image_size, 1) and labels int32 (n,).
    """
    images = np.empty((len(indices), image_size, image_size, 1), np.uint8)
    labels = np.empty(len(indices), np.int32)
    for row, index in enumerate(indices):
        rng = np.random.default_rng([*key, int(index)])
        labels[row] = rng.integers(10)
        images[row] = render_digit(rng, int(labels[row]), image_size, **looks)
    return images, labels
