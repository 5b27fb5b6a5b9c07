"""Attributes of images: what can be measured of drawings and photographs, in units that people know."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tfgantl.errors import DataError

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # share of the channels in what looks bright


@dataclass(frozen=True)
class Attribute:
    """Something that images have more or less of.

    Args:
        name: What it is called.
        unit: Of its values.
        measure: Images uint8 (n, height, width, channels) → values (n,).
        channels: Of the images that it can be measured of.
        two_valued: Whether images have it or have it not; values are then above 0 or below.

    Example:
        >>> slant = next(attribute for attribute in MEASURED if attribute.name == "slant")
        >>> leaning = np.zeros((1, 28, 28, 1), np.uint8)
        >>> leaning[0, np.arange(4, 24), 23 - np.arange(20)] = 255
        >>> slant(leaning).round(), slant.unit
        (array([45.]), 'degrees')
    """

    name: str
    unit: str
    measure: Callable[[np.ndarray], np.ndarray]
    channels: tuple[int, ...] = (1, 3)
    two_valued: bool = False

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Values float64 (n,) of images uint8 (n, height, width, channels).

        Raises:
            DataError: If the images have other channels.
        """
        if images.shape[-1] not in self.channels:
            allowed = " or ".join(map(str, self.channels))
            raise DataError(f"`{self.name}` is of images of {allowed} channels. Received: {images.shape[-1]}")
        return np.asarray(self.measure(images), np.float64)


def measured_of(attributes: Sequence[Attribute], images: np.ndarray) -> np.ndarray:
    """Values float64 (n, attributes) of images uint8 (n, height, width, channels)."""
    return np.stack([attribute(images) for attribute in attributes], axis=1)


def ink(images: np.ndarray) -> np.ndarray:
    """How much each pixel differs from the ground of its drawing.

    The ground is the median of the outermost pixels, be it dark or bright, so that bright strokes on black and black
    ones on paper are ink alike.

    Args:
        images: uint8 (n, height, width, 1).

    Returns:
        float32 (n, height, width) in [0, 1].
    """
    gray = images[..., 0].astype(np.float32)
    ground = np.median(_border(gray), axis=1)[:, None, None]
    return np.abs(gray - ground) / np.maximum(ground, 255.0 - ground)


def thickness(images: np.ndarray) -> np.ndarray:
    """Width of the strokes in pixels: that of the bar which has the area and the perimeter of the ink.

    The perimeter is the total variation, which is the mean length of the contours of all levels (coarea formula). So
    soft edges count as they are, and the width grows smoothly, where middle lines of strokes jump from pixel to pixel.
    A drawing without ink has 0.
    """
    drawings = np.pad(ink(images), ((0, 0), (1, 1), (1, 1)))  # what is beyond the picture is ground
    corner = drawings[:, :-1, :-1]
    half = np.hypot(drawings[:, 1:, :-1] - corner, drawings[:, :-1, 1:] - corner).sum((1, 2)) / 2
    # Width w and length l of a bar: w + l = half of the perimeter, w · l = area.
    return (half - np.sqrt(np.maximum(half**2 - 4 * drawings.sum((1, 2)), 0))) / 2


def slant(images: np.ndarray) -> np.ndarray:
    """Angle in degrees by which a drawing leans to the right: that of the shear which would set it upright."""
    _, mixed, vertical = _moments(ink(images))
    return np.degrees(np.arctan(-mixed / np.maximum(vertical, 1e-6)))


def size(images: np.ndarray) -> np.ndarray:
    """Extent of a drawing in percent of the side: four root mean square distances of its ink from the centre."""
    horizontal, _, vertical = _moments(ink(images))
    return 100.0 * 4.0 * np.sqrt((horizontal + vertical) / 2) / min(images.shape[1:3])


def stroke_brightness(images: np.ndarray) -> np.ndarray:
    """Mean pixel of the strokes in percent of white. How many of them there are is a matter of thickness and size."""
    mask = _strokes(ink(images))
    return (images[..., 0] * mask).sum((1, 2)) / np.maximum(mask.sum((1, 2)), 1) / 2.55


def brightness(images: np.ndarray) -> np.ndarray:
    """Mean luma in percent of white."""
    return (images.astype(np.float32) @ LUMA).mean((1, 2)) / 2.55


def saturation(images: np.ndarray) -> np.ndarray:
    """How far colours are from gray, in percent: saturation as HSV has it, bright pixels counting more."""
    pixels = images.astype(np.float32)
    most = pixels.max(-1)
    return 100.0 * (most - pixels.min(-1)).sum((1, 2)) / np.maximum(most.sum((1, 2)), 1.0)


def temperature(images: np.ndarray) -> np.ndarray:
    """How warm colours are: mean red less mean blue, in percent of white."""
    means = images.mean((1, 2), dtype=np.float32)
    return (means[:, 0] - means[:, 2]) / 2.55


def sharpness(images: np.ndarray) -> np.ndarray:
    """Deviation of the Laplacian of gray over that of gray itself: fine detail, whatever the contrast."""
    gray = _gray(images)
    edges = 4 * gray[:, 1:-1, 1:-1] - gray[:, :-2, 1:-1] - gray[:, 2:, 1:-1] - gray[:, 1:-1, :-2] - gray[:, 1:-1, 2:]
    return edges.std((1, 2)) / np.maximum(gray.std((1, 2)), 1.0)


def subject_size(images: np.ndarray) -> np.ndarray:
    """Share of the pixels, in percent, whose colour is not that of the ground, the median of the outermost pixels."""
    pixels = images.astype(np.float32)
    ground = np.stack([np.median(_border(channel), axis=1) for channel in np.moveaxis(pixels, -1, 0)], axis=-1)
    distance = np.linalg.norm(pixels - ground[:, None, None], axis=-1)
    far = np.percentile(distance, 95, axis=(1, 2))[:, None, None]
    return 100.0 * (distance > np.maximum(far / 2, 1.0)).mean((1, 2))


def _gray(images: np.ndarray) -> np.ndarray:
    pixels = images.astype(np.float32)
    return pixels[..., 0] if pixels.shape[-1] == 1 else np.asarray(pixels @ LUMA)


def _border(gray: np.ndarray) -> np.ndarray:
    return np.concatenate([gray[:, 0], gray[:, -1], gray[:, 1:-1, 0], gray[:, 1:-1, -1]], axis=1)


def _strokes(drawing: np.ndarray) -> np.ndarray:
    """Pixels (…, height, width) of at least half of the strongest ink, and of more than a trace of it."""
    return drawing > np.maximum(drawing.max((-2, -1), keepdims=True) / 2, 0.05)


def _moments(drawings: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variance of x, covariance and variance of y (n,) of the ink, in pixels²; y points down."""
    total = np.maximum(drawings.sum((1, 2)), 1e-6)
    rows, columns = (np.arange(side, dtype=np.float64) for side in drawings.shape[1:])
    across, down = drawings.sum(1), drawings.sum(2)
    x, y = across @ columns / total, down @ rows / total
    mixed = np.einsum("nij,i,j->n", drawings, rows, columns) / total - x * y
    return across @ columns**2 / total - x**2, mixed, down @ rows**2 / total - y**2


MEASURED = (
    Attribute("thickness", "px", thickness, (1,)),
    Attribute("slant", "degrees", slant, (1,)),
    Attribute("size", "% of the side", size, (1,)),
    Attribute("brightness", "% of white", stroke_brightness, (1,)),
    Attribute("brightness", "% of white", brightness, (3,)),
    Attribute("saturation", "%", saturation, (3,)),
    Attribute("temperature", "% of white", temperature, (3,)),
    Attribute("sharpness", "", sharpness, (3,)),
    Attribute("subject_size", "% of pixels", subject_size, (3,)),
)
# Of gray images, which are taken for drawings: only where they are named.
NAMED = (Attribute("sharpness", "", sharpness, (1,)), Attribute("subject_size", "% of pixels", subject_size, (1,)))


def attribute_named(name: str, channels: int) -> Attribute:
    """The measured attribute of a name, for images of so many channels.

    Raises:
        DataError: If there is none.
    """
    for attribute in MEASURED:
        if attribute.name == name and channels in attribute.channels:
            return attribute
    known = ", ".join(attribute.name for attribute in MEASURED if channels in attribute.channels)
    raise DataError(f"an attribute of images of {channels} channels must be one of {known}. Received: {name}")
