"""Inputs and outputs of every signature, kept beside a SavedModel, so that anybody can check that it gives them."""

import io
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image

from tfgantl.errors import ArtifactError
from tfgantl.untrusted.archives import read_npz
from tfgantl.untrusted.chunks import needed
from tfgantl.untrusted.pictures import refusal

FILE = Path("assets.extra") / "examples.npz"
TOLERANCE = {"f": 1e-5, "u": 1, "i": 0, "b": 0}  # by kind of number; pixels may be rounded the other way
TEXTS_APART = 0.1  # share
ROWS = 8


def example_inputs(
    specs: dict, classes: int | None, directions: Sequence[str] = (), texts: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Eight rows for each input of a signature.

    Args:
        specs: Name of an input → `tf.TensorSpec`.
        classes: Number of classes, for labels, or of styles.
        directions: Names of directions of a generator that can be edited.
        texts: Phrases that a text encoder knows.
    """
    rng, inputs = np.random.default_rng(0), {}
    choices = cast(int, classes)  # what has labels or styles has a number of them
    for name, spec in specs.items():
        shape = [ROWS, *spec.shape[1:]]
        if name == "image_bytes":
            files = [_picture(rng.integers(0, 256, (20 + i, 30, 3), dtype=np.uint8)) for i in range(ROWS)]
            inputs[name] = np.array(files, object)
        elif name in ("labels", "style"):
            inputs[name] = (np.arange(ROWS) % choices).astype(np.int32)
        elif name == "strength":
            inputs[name] = np.linspace(0, 1, ROWS, dtype=np.float32)
        elif name in ("direction", "text"):
            known = directions if name == "direction" else texts
            inputs[name] = np.array([known[i % len(known)].encode() for i in range(ROWS)], object)
        elif name == "mix":
            inputs[name] = rng.dirichlet(np.ones(choices), ROWS).astype(np.float32)
        elif spec.dtype.is_integer:
            inputs[name] = np.arange(ROWS, dtype=spec.dtype.as_numpy_dtype)
        elif name == "images":
            inputs[name] = rng.uniform(-1, 1, shape).astype(np.float32)
        else:
            inputs[name] = rng.standard_normal(shape, np.float32)
    return inputs


def write_examples(directory: Path, examples: dict[str, tuple[dict, dict]]) -> None:
    """Writes `{signature: (inputs, outputs)}`."""
    arrays: dict[str, Any] = {}
    for signature, sides in examples.items():
        for side, values in zip(("in", "out"), sides, strict=True):
            for name, value in values.items():
                for key, array in _plain(f"{signature}/{side}/{name}", value):
                    arrays[key] = array
    (directory / FILE).parent.mkdir(exist_ok=True)
    np.savez_compressed(directory / FILE, **arrays)


def read_examples(directory: Path) -> dict[str, tuple[dict, dict]]:
    """Reads `{signature: (inputs, outputs)}`.

    Raises:
        Exception: If the file is missing or damaged, whatever its reader meets first.
    """
    found: dict[str, tuple[dict, dict]] = {}
    for key, array in read_npz(directory / FILE).items():
        signature, side, name, *place = key.split("/")
        values = found.setdefault(signature, ({}, {}))[side == "out"]
        if place:
            values.setdefault(name, {})[tuple(map(int, place))] = array.tobytes()
        else:
            values[name] = array
    for signature, sides in found.items():
        inputs, outputs = (
            {name: _strings(value) if isinstance(value, dict) else value for name, value in side.items()}
            for side in sides
        )
        found[signature] = inputs, outputs
    return found


def _strings(found: dict[tuple[int, ...], bytes]) -> np.ndarray:
    """Files or texts by their places, as an array in which no place is empty.

    Raises:
        ValueError: If places are missing: names of a stranger could make room for anything.
    """
    shape = [1 + max(sides) for sides in zip(*found, strict=True)]
    if prod(shape) != len(found):
        raise ValueError(f"{len(found)} texts for {prod(shape)} places")
    strings = np.empty(shape, object)
    for place, content in found.items():
        strings[place] = content
    return strings


def differences(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], where: str) -> float:
    """Compares outputs; pictures by their pixels, texts by how many differ.

    Returns:
        The largest difference.

    Raises:
        ArtifactError: If names, shapes or types differ, or values by more than 1e-5 (floats) or 1 (pixels), or more
            than a tenth of the texts, of which two that fit alike may change places.
    """
    if set(found) != set(expected):
        raise ArtifactError(f"{where}: outputs must be {sorted(expected)}. Received: {sorted(found)}")
    largest = 0.0
    for name, wanted in expected.items():
        value = np.asarray(found[name])
        if wanted.dtype == object and not name.endswith("_bytes"):
            share = float(np.mean(value != wanted)) if value.shape == wanted.shape else 1.0
            if share > TEXTS_APART:
                raise ArtifactError(f"{where}: {name} must be those of the Keras model. Received: {share:.0%} others")
            continue
        if wanted.dtype == object:
            value, wanted = _pixels(value), _pixels(wanted)
        if value.shape != wanted.shape or value.dtype != wanted.dtype:
            raise ArtifactError(
                f"{where}: {name} must be {wanted.dtype} {wanted.shape}. Received: {value.dtype} {value.shape}"
            )
        if wanted.dtype.kind not in TOLERANCE:
            raise ArtifactError(f"{where}: {name} must be numbers, texts or pictures. Received: {wanted.dtype}")
        difference = float(np.abs(value.astype(np.float64) - wanted).max())
        if not difference <= TOLERANCE[wanted.dtype.kind]:
            raise ArtifactError(
                f"{where}: {name} must be that of the Keras model to {TOLERANCE[wanted.dtype.kind]:g}. "
                f"Received: a difference of {difference:g}"
            )
        largest = max(largest, difference)
    return largest


def _picture(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _pixels(files: np.ndarray) -> np.ndarray:
    """All pixels in a row: pictures may have different sizes."""
    if refused := refusal(list(files.flat)):
        raise ArtifactError(refused)
    opened = (Image.open(io.BytesIO(needed(file) or b""), formats=("PNG", "JPEG")) for file in files)
    return np.concatenate([np.asarray(picture).ravel() for picture in opened])


def _plain(key: str, value: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Arrays of numbers as they are; each file or text as bytes of its own: an archive of objects would be code."""
    value = np.asarray(value)
    if value.dtype != object:
        return [(key, value)]
    return [("/".join([key, *map(str, at)]), np.frombuffer(one, np.uint8)) for at, one in np.ndenumerate(value)]
