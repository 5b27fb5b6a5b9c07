"""Painting-like textures that are drawn in code, to try styles on: strokes, hatching, dots, grain, mosaics, washes.

No painting can be shipped, and photographs are not painted; these have a palette and a hand each, and nothing else.
"""

import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tfgantl.files import Replacing, cache_directory

SIDE = 256  # pixels
VERSION = 1  # of the drawings; another number makes new files
Colour: TypeAlias = tuple[int, int, int]
Palette: TypeAlias = tuple[Colour, ...]  # the ground first


def _strokes(palette: Palette, rng: np.random.Generator) -> Image.Image:
    """Short broad strokes along a smooth field of directions, layer over layer."""
    image = Image.new("RGB", (SIDE, SIDE), palette[0])
    draw, field = ImageDraw.Draw(image), _smooth(rng, 40) * np.pi
    for _ in range(1800):
        x, y = rng.uniform(0, SIDE, 2)
        angle, half = field[int(y), int(x)], rng.uniform(7, 15)
        along = np.array([np.cos(angle), np.sin(angle)]) * half
        colour = _varied(palette[int(rng.integers(len(palette)))], rng, 14)
        draw.line([x - along[0], y - along[1], x + along[0], y + along[1]], colour, int(rng.integers(4, 8)))
    return image


def _hatching(palette: Palette, rng: np.random.Generator) -> Image.Image:
    """Thin lines in two directions, closer where a smooth tone is darker."""
    image = Image.new("RGB", (SIDE, SIDE), palette[0])
    draw, tone = ImageDraw.Draw(image), _smooth(rng, 30)
    for angle, least in ((0.8, -1.0), (2.3, 0.0)):
        direction = np.array([np.cos(angle), np.sin(angle)])
        for _ in range(2600):
            x, y = rng.uniform(0, SIDE, 2)
            if tone[int(y), int(x)] < least:
                continue
            half = direction * rng.uniform(8, 18)
            colour = _varied(palette[1 + int(rng.integers(len(palette) - 1))], rng, 10)
            draw.line([x - half[0], y - half[1], x + half[0], y + half[1]], colour, 1 + int(rng.random() < 0.4))
    return image


def _dots(palette: Palette, rng: np.random.Generator) -> Image.Image:
    """Round dots of pure colours, beside and over each other."""
    image = Image.new("RGB", (SIDE, SIDE), palette[0])
    draw = ImageDraw.Draw(image)
    for _ in range(2200):
        (x, y), radius = rng.uniform(0, SIDE, 2), rng.uniform(2.5, 4.5)
        colour = _varied(palette[int(rng.integers(len(palette)))], rng, 10)
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], colour)
    return image


def _grain(palette: Palette, rng: np.random.Generator) -> Image.Image:
    """A smooth ground under specks of a few pixels, as on coarse paper or film."""
    ground = _blended(palette, _smooth(rng, 36))
    specks = Image.fromarray(rng.normal(128, 110, (SIDE, SIDE)).clip(0, 255).astype(np.uint8))
    specks = specks.filter(ImageFilter.GaussianBlur(1.1))
    noise = (np.asarray(specks, np.float32) - 128)[..., None]
    return Image.fromarray((ground + 2.0 * noise).clip(0, 255).astype(np.uint8))


def _mosaic(palette: Palette, rng: np.random.Generator) -> Image.Image:
    """Cells around random points, with joints between them."""
    points = rng.uniform(0, SIDE, (220, 2))
    rows, columns = np.mgrid[:SIDE, :SIDE]
    distances = np.hypot(rows[..., None] - points[:, 0], columns[..., None] - points[:, 1])
    nearest = np.argpartition(distances, 1, axis=-1)[..., :2]
    two = np.take_along_axis(distances, nearest, -1)
    cells = nearest[..., 0]
    colours = np.array([_varied(palette[1 + i % (len(palette) - 1)], rng, 16) for i in range(len(points))], np.float32)
    joints = (two[..., 1] - two[..., 0] < 2.5)[..., None]
    return Image.fromarray(np.where(joints, np.array(palette[0]), colours[cells]).astype(np.uint8))


def _wash(palette: Palette, rng: np.random.Generator) -> Image.Image:
    """Colours that run into each other, with soft edges where they dried."""
    tone = _smooth(rng, 22)
    edges = np.abs(np.sin(6 * tone))[..., None] ** 8
    return Image.fromarray((_blended(palette, tone) - 22 * edges).clip(0, 255).astype(np.uint8))


def _smooth(rng: np.random.Generator, scale: float) -> np.ndarray:
    """Smooth noise float (SIDE, SIDE) in [-1, 1], whose shapes are about `scale` pixels large."""
    noise = Image.fromarray(rng.normal(size=(SIDE, SIDE)).astype(np.float32))
    values = np.asarray(noise.resize((int(SIDE / scale) + 2,) * 2, Image.Resampling.BOX), np.float32)
    values = np.asarray(Image.fromarray(values).resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32)
    return np.clip(values / (2 * values.std()), -1, 1)


def _blended(palette: Palette, tone: np.ndarray) -> np.ndarray:
    """Colours float (SIDE, SIDE, 3) along a palette, by a tone in [-1, 1]."""
    at = (tone + 1) / 2 * (len(palette) - 1)
    colours = np.array(palette, np.float32)
    low = np.clip(at.astype(int), 0, len(palette) - 2)
    share = (at - low)[..., None]
    return colours[low] * (1 - share) + colours[low + 1] * share


def _varied(colour: Colour, rng: np.random.Generator, most: int) -> Colour:
    red, green, blue = (int(np.clip(value + rng.integers(-most, most + 1), 0, 255)) for value in colour)
    return red, green, blue


# Name → how it is drawn, and with which colours.
TEXTURES: dict[str, tuple[Callable[[Palette, np.random.Generator], Image.Image], Palette]] = {
    "night-strokes": (_strokes, ((16, 24, 70), (24, 40, 110), (36, 66, 150), (60, 90, 170), (10, 14, 44))),
    "ember-strokes": (_strokes, ((70, 14, 10), (150, 30, 16), (206, 62, 20), (110, 16, 20), (228, 112, 30))),
    "meadow-dots": (_dots, ((120, 176, 70), (70, 140, 50), (170, 206, 80), (100, 160, 40), (210, 220, 110))),
    "rose-dots": (_dots, ((248, 216, 224), (240, 170, 192), (250, 232, 230), (226, 140, 170), (244, 196, 214))),
    "ink-hatching": (_hatching, ((240, 238, 230), (20, 20, 24), (36, 34, 36))),
    "ochre-hatching": (_hatching, ((206, 164, 92), (140, 92, 36), (164, 112, 46))),
    "slate-grain": (_grain, ((40, 44, 48), (62, 66, 70), (84, 86, 90))),
    "blue-grain": (_grain, ((110, 150, 214), (140, 178, 232), (96, 136, 206))),
    "violet-mosaic": (_mosaic, ((30, 16, 44), (120, 40, 150), (160, 60, 190), (90, 30, 130), (190, 100, 210))),
    "turquoise-mosaic": (_mosaic, ((236, 240, 236), (40, 176, 170), (90, 206, 196), (20, 140, 150))),
    "peach-wash": (_wash, ((250, 226, 200), (246, 196, 150), (240, 170, 130), (252, 236, 216))),
    "moss-wash": (_wash, ((40, 60, 30), (64, 88, 44), (88, 106, 58), (30, 44, 26))),
}
PAINTED = "painted"  # in place of all their names


def draw_texture(name: str) -> np.ndarray:
    """Draws a texture, always the same.

    Args:
        name: One of `TEXTURES`.

    Returns:
        uint8 (256, 256, 3).

    Example:
        >>> draw_texture("ink-hatching").shape
        (256, 256, 3)
    """
    draw, palette = TEXTURES[name]
    return np.asarray(draw(palette, np.random.default_rng(zlib.crc32(name.encode()))))


def texture(name: str) -> Path:
    """The file of one of `TEXTURES`, which is drawn when it is first asked for."""
    path = cache_directory() / "textures" / str(VERSION) / f"{name}.png"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        Image.fromarray(draw_texture(name)).save(buffer, "PNG")
        with Replacing(path) as temporary:
            temporary.write_bytes(buffer.getvalue())
    return path
