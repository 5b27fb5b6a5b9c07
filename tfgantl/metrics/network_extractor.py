"""Any network as an extractor: a Keras file, an ONNX file or a SavedModel, such as DINOv2 or CLIP."""

import hashlib
import json
import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl.errors import ArtifactError, intact, not_installed
from tfgantl.metrics.extractors import Extractor, is_extractor
from tfgantl.metrics.inception.resizing import resized_clean
from tfgantl.models.classifier_pixels import OURS, RANGES, in_brackets, pixels_taken
from tfgantl.models.inference import predict
from tfgantl.printing import printable
from tfgantl.progress import bar, log
from tfgantl.regular_files import read_regular
from tfgantl.untrusted import onnx_files
from tfgantl.untrusted.archives import check_digest
from tfgantl.untrusted.loading import load_saved_model
from tfgantl.untrusted.networks import load_network
from tfgantl.untrusted.savedmodels import is_saved_model

BATCH, SHOWN = 32, 200
MAX_BATCH = BATCH * 512**2  # pixels: fewer images at one time, where they become larger
MAX_SIZE = 2048  # pixels a side
MAX_SETTINGS = 2**16  # bytes
LONGEST_NAME = 127  # bytes of that of a file of weights
SETTINGS = ("size", "mean", "std", "output")


def is_network(handle: str) -> bool:
    """Whether a handle is a network of somebody's own, and not the directory of an extractor that was trained."""
    path = Path(handle)
    return (path.suffix in (".keras", ".onnx") and path.is_file()) or (
        is_saved_model(path) and not is_extractor(handle)
    )


class NetworkExtractor(Extractor):
    """Features of a network of one's own.

    What the network takes stands in a JSON file beside it, `NAME.json` (of `vit.onnx`, `vit.onnx.json`), all of it
    optional: `size`, height and width that images are resized to without aliasing (that of the network, or else of the
    images); `mean` and `std` of red, green and blue in [0, 1] (0.5 each: pixels in [-1, 1], unless the first layers of
    a Keras network say that it takes [0, 1] or [0, 255]); `output`, the name of the output of an ONNX file or
    SavedModel (the first). Features of rank 4 are averaged over positions, and of those of rank 3, as transformers
    give them, the first token is taken.

    Args:
        handle: The file or directory.

    Raises:
        ArtifactError: If it cannot be used.
    """

    def __init__(self, handle: str):
        self.path = Path(handle)
        self.name, self.scale, self.predicts_labels, self.classes, self.accuracy = self.path.stem, 1.0, False, None, {}
        self.settings = _settings(self.path)
        self._size, self._channels_first = None, False
        self._weights: list[Path] = []  # files beside an ONNX file
        with intact(f"{self.path}: must be a network with one input"):
            self._function = self._opened()
        self._size = self.settings.get("size") or self._size

    @property
    def input_shape(self) -> tuple[int, int, int]:
        raise ArtifactError("`input_shape` must be asked of an extractor for one size. Received: a network for all")

    @cached_property
    def hash(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of all its files."""
        digest = hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode())
        files = sorted(self.path.rglob("*")) if self.path.is_dir() else [self.path, *self._weights]
        for file in files:
            if file.is_file():
                with open(file, "rb") as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
        return digest.hexdigest()[:12]

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Looks at images.

        Args:
            images: uint8 (n, height, width, 1 or 3).

        Returns:
            Features float32 (n, d) and zeros int64 (n,), as no labels are predicted.

        Raises:
            ArtifactError: If the network gives no features of them.
        """
        parts = []
        with bar(len(images), f"{self.name} features", "image", shown=len(images) > SHOWN) as progress:
            rows = min(BATCH, max(1, MAX_BATCH // (self._size or max(images.shape[1:3])) ** 2))
            for start in range(0, len(images), rows):
                batch = images[start : start + rows]
                with intact(f"{self.path}: must map images to features"):
                    features = np.asarray(self._function(self._pixels(batch)), np.float32)
                parts.append(self._flat(features, len(batch)))
                progress.update(len(batch))
        if len(lengths := {part.shape[1] for part in parts}) > 1:
            raise ArtifactError(f"{self.path}: must give as many features of every batch. Received: {sorted(lengths)}")
        return np.concatenate(parts), np.zeros(len(images), np.int64)

    def _pixels(self, images: np.ndarray) -> np.ndarray:
        if images.shape[-1] == 1:
            images = np.repeat(images, 3, axis=-1)
        pixels = images.astype(np.float32) if self._size is None else resized_clean(images, self._size)
        mean, std = (np.asarray(self.settings.get(name, [0.5] * 3), np.float32) for name in ("mean", "std"))
        scaled = (pixels / 255.0 - mean) / std
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)) if self._channels_first else scaled

    def _flat(self, features: np.ndarray, count: int) -> np.ndarray:
        if features.ndim == 4:
            features = features.mean(axis=(2, 3) if self._channels_first else (1, 2))
        elif features.ndim == 3:
            features = features[:, 0]
        if features.ndim != 2 or len(features) != count or not np.isfinite(features).all():
            raise ArtifactError(f"{self.path}: must give finite features (n, d). Received: shape {features.shape}")
        return features

    def _opened(self) -> Callable[[np.ndarray], Any]:
        if self.path.suffix == ".onnx":
            return self._onnx()
        if self.path.suffix == ".keras":
            network = load_network(self.path)
            self._size = network.input_shape[1] if isinstance(network.input_shape, tuple) else None
            self._take_pixels_of(network)
            outputs = network.outputs[0] if isinstance(network.outputs, list) and len(network.outputs) > 1 else None
            network = network if outputs is None else type(network)(network.inputs, outputs)
            return lambda pixels: predict(network, pixels, BATCH)
        loaded = load_saved_model(self.path)
        signatures = getattr(loaded, "signatures", {})
        if "serving_default" not in signatures:
            raise ArtifactError(f"{self.path}: must have the signature serving_default. Received: {[*signatures]}")
        signature = signatures["serving_default"]
        ((name, spec),) = signature.structured_input_signature[1].items()
        self._channels_first = len(spec.shape) == 4 and spec.shape[1] == 3 != spec.shape[3]
        self._size = spec.shape[2] if len(spec.shape) == 4 else None
        output = self.settings.get("output") or sorted(signature.structured_outputs)[0]
        return lambda pixels: signature(**{name: tf.constant(pixels)})[output].numpy()

    def _take_pixels_of(self, network: keras.Model) -> None:
        """Scales pixels to what the first layers of a network are made for, if nothing else is said."""
        if "mean" in self.settings or "std" in self.settings or (taken := pixels_taken(network)) in (None, OURS):
            return
        log(f"{self.path}: the network takes pixels in {in_brackets(taken)}")
        low, high = RANGES[taken]
        self.settings |= {"mean": [-low / (high - low)] * 3, "std": [1 / (high - low)] * 3}

    def _onnx(self) -> Callable[[np.ndarray], Any]:
        check_digest(self.path)
        self._weights = _beside(self.path)
        try:
            import onnxruntime
        except ImportError as error:
            raise ArtifactError(not_installed(str(self.path), "onnxruntime", "onnx", error)) from error
        with intact(f"{self.path}: must be an intact ONNX file"):
            session = onnxruntime.InferenceSession(str(self.path), providers=["CPUExecutionProvider"])
        (first, *_), outputs = session.get_inputs(), [self.settings.get("output") or session.get_outputs()[0].name]
        self._channels_first = len(first.shape) == 4 and first.shape[1] == 3
        side = first.shape[2] if len(first.shape) == 4 else None
        self._size = side if isinstance(side, int) else None
        return lambda pixels: session.run(outputs, {first.name: pixels})[0]


def _beside(path: Path) -> list[Path]:
    """The files beside an ONNX file in which weights are that it has not itself.

    Raises:
        ArtifactError: If one would be elsewhere.
    """
    files = [path.parent / name.decode("utf-8", "replace") for name in sorted(onnx_files.locations(path))]
    for file in files:
        if file.parent != path.parent or file.name in ("", ".", "..") or len(os.fsencode(file.name)) > LONGEST_NAME:
            raise ArtifactError(f"{path}: must have its weights beside it. Received: {printable(file)[:200]}")
    return files


def _settings(path: Path) -> dict[str, Any]:
    beside = path.with_name(path.name + ".json")
    if not beside.is_file():
        return {}
    with intact(f"{beside}: must be JSON with {', '.join(SETTINGS)}"):
        settings = json.loads(read_regular(beside, MAX_SETTINGS))
        unknown = [name for name in settings if name not in SETTINGS]
        if unknown:
            raise ValueError(", ".join(unknown))
        for name in ("mean", "std"):
            if name in settings and (len(settings[name]) != 3 or not np.isfinite(np.float32(settings[name])).all()):
                raise ValueError(f"{name} {settings[name]}, not three numbers")
        if min(settings.get("std", [1])) <= 0:
            raise ValueError(f"std {settings['std']}, not above 0")
        if type(settings.get("size", 1)) is not int or not 1 <= settings.get("size", 1) <= MAX_SIZE:
            raise ValueError(f"size {settings['size']}, not in [1, {MAX_SIZE}]")
        return settings
