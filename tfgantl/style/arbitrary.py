"""Modules that paint in any style in one pass, in the manner of arbitrary-image-stylization on TF-Hub.

A module maps a content and a style, float32 (1, height, width, 3) in [0, 1], to a list whose first element is the
painted content.

Reference:
    Ghiasi et al., 2017, https://arxiv.org/abs/1705.06830
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfgantl.errors import ArtifactError, reason
from tfgantl.pretrained.ranges import is_byte_range
from tfgantl.progress import log
from tfgantl.style.pictures import shape_at
from tfgantl.untrusted import hub
from tfgantl.untrusted.loading import load_saved_model
from tfgantl.untrusted.savedmodels import is_saved_model

PROBE = 64  # pixels a side of what a module is tried with
STYLE_SIZE = 256  # pixels of the longer side: what such modules are trained on
BEYOND, SOME = 0.1, 0.1  # what ends in no activation goes so far beyond [0, 1], in no more of its values


def load_module(handle: str, allow_ops: tuple[str, ...] = ()) -> tuple[Callable[..., Any], dict[str, str]]:
    """Loads a module after a look at its operations.

    Args:
        handle: Directory of a SavedModel, or its address on TF-Hub or Kaggle.
        allow_ops: Operations that are trusted, of those that are refused otherwise.

    Returns:
        The module, and hashes of its graph and of its variables, by what they are called in a run.

    Raises:
        ArtifactError: If it is missing, damaged, unsafe, cannot be called, or gives other pixels.
    """
    path = hub.resolve(handle, "hub") if hub.is_remote(handle) else Path(handle)
    if not is_saved_model(path):
        raise ArtifactError(f"`hub` must be a SavedModel, or the address of one. Received: {handle}")
    module = load_saved_model(path, tuple(allow_ops), handle)
    if not callable(module):
        raise ArtifactError(f"{handle}: must be a module to call with content and style. Received: signatures only")
    variables = sorted(file for file in (path / "variables").glob("*") if file.is_file())
    facts = {"module": [path / "saved_model.pb"], "module variables": variables}
    module = _in_unit_range(module, handle)
    return module, {name: _hash(files) for name, files in facts.items()}


def _in_unit_range(module: Callable[..., Any], where: str) -> Callable[..., Any]:
    """A module that gives pixels in [0, 1], looked at with noise of all brightnesses; what was mapped is said.

    Raises:
        ArtifactError: If it gives other pixels than those of [0, 1] or [0, 255].
    """
    rng = np.random.default_rng(0)
    content, style = (rng.uniform(size=(1, side, side, 3)).astype(np.float32) for side in (PROBE, STYLE_SIZE))
    try:
        pixels = np.asarray(module(tf.constant(content), tf.constant(style))[0], np.float32)
    except Exception:  # whatever it raises, `paint_with` says
        return module
    outside = np.mean((pixels < -BEYOND) | (pixels > 1 + BEYOND)) if np.isfinite(pixels).all() else 0.0
    if outside <= SOME:
        return module
    low, high = float(pixels.min()), float(pixels.max())
    if not is_byte_range(low, high):
        raise ArtifactError(f"{where}: must give pixels in [0, 1]. Received: [{low:g}, {high:g}]")
    log(f"{where}: the module gives pixels in [0, 255], which are mapped")
    return lambda content, style: [module(content, style)[0] / 255]


def _hash(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with open(file, "rb") as stream:
            while part := stream.read(2**20):
                digest.update(part)
    return digest.hexdigest()[:12]


def paint_with(module: Callable[..., Any], content: np.ndarray, style: np.ndarray, where: str) -> np.ndarray:
    """Paints one image.

    Args:
        module: As `load_module` gives it.
        content: Float32 (height, width, 3) in [-1, 1].
        style: The same, of any size.
        where: Name of the module, for messages.

    Returns:
        Float32 of the shape of `content`, in [-1, 1].

    Raises:
        ArtifactError: If the module does not do what it should.
    """
    small = tf.image.resize(style[None], shape_at(style, STYLE_SIZE), antialias=True)
    try:
        painted = module(tf.constant((content[None] + 1) / 2), (small + 1) / 2)[0]
    except Exception as error:  # whatever the module raises
        raise ArtifactError(
            f"{where}: must map a content and a style (1, height, width, 3) in [0, 1] to a list. Received: "
            f"{reason(error)}"
        ) from error
    painted = np.asarray(painted, np.float32)
    if painted.ndim != 4 or painted.shape[0] != 1 or painted.shape[-1] != 3 or not np.isfinite(painted).all():
        raise ArtifactError(f"{where}: must give finite images (1, height, width, 3). Received: {painted.shape}")
    if painted.shape[1:3] != content.shape[:2]:  # networks that halve round to multiples of 4
        painted = tf.image.resize(painted, content.shape[:2]).numpy()
    return np.clip(painted[0] * 2 - 1, -1, 1)
