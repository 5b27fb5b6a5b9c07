"""LPIPS: how different two pictures look to people, and how different those are that a few-shot generator makes."""

import os
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfgantl.errors import ArtifactError, reason
from tfgantl.images import to_unit
from tfgantl.metrics.diversity import Clusters
from tfgantl.metrics.perceptual import LAYERS
from tfgantl.models.inference import in_batches, rows_of
from tfgantl.models.vgg import BLOCKS, smallest_side, vgg16
from tfgantl.progress import bar
from tfgantl.random_streams import Stream
from tfgantl.untrusted.torch_files import read_checkpoint

VGG_VARIABLE, LINEAR_VARIABLE = "TFGANTL_TORCH_VGG16_WEIGHTS", "TFGANTL_LPIPS_WEIGHTS"
VGG_FILE, LINEAR_FILE = "vgg16-397923af.pth", "vgg.pth"
VGG_URL = f"https://download.pytorch.org/models/{VGG_FILE}"
LINEAR_URL = f"https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/{LINEAR_FILE}"
# Of red, green and blue in [-1, 1].
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
POSITIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)  # of the convolutions in torchvision's `features`
EPSILON = 1e-10
BATCH = 16


class LPIPS:
    """The learned perceptual distance of version 0.1 on VGG16.

    Args:
        vgg: VGG16 in the layout of torchvision, `vgg16-397923af.pth`; `None` for what `TFGANTL_TORCH_VGG16_WEIGHTS`
            names or, if it is not set, a download that is kept in the cache of Keras.
        linear: Weights of the layers, `weights/v0.1/vgg.pth` of the `lpips` package; `None` for what
            `TFGANTL_LPIPS_WEIGHTS` names, or a download.

    Raises:
        ArtifactError: If weights are missing, damaged, or of another network.

    Reference:
        Zhang et al., 2018, https://arxiv.org/abs/1801.03924
    """

    def __init__(self, vgg: str | Path | None = None, linear: str | Path | None = None):
        whole = vgg16(LAYERS, None)
        # The layers of VGG16 behind other preprocessing than that of ImageNet in Keras.
        self._network = keras.Model(whole.get_layer("preprocessing").output, whole.outputs, name="lpips_vgg16")
        arrays, where = _read(vgg, VGG_VARIABLE, VGG_FILE, VGG_URL)
        names = [f"{block}_conv{i + 1}" for block, count in BLOCKS.items() for i in range(count)]
        for name, position in zip(names, POSITIONS, strict=True):
            kernel, bias = whole.get_layer(name).weights
            shape = tuple(kernel.shape)
            stored = (shape[3], shape[2], *shape[:2])
            kernel.assign(_array(arrays, f"features.{position}.weight", stored, where).transpose(2, 3, 1, 0))
            bias.assign(_array(arrays, f"features.{position}.bias", tuple(bias.shape), where))
        arrays, where = _read(linear, LINEAR_VARIABLE, LINEAR_FILE, LINEAR_URL)
        widths = [output.shape[-1] for output in whole.outputs]
        self._weights = [
            _array(arrays, f"lin{i}.model.1.weight", (1, width, 1, 1), where).ravel() for i, width in enumerate(widths)
        ]
        self._embed = tf.function(self._embedded, autograph=False, jit_compile=False, reduce_retracing=True)

    def __call__(self, images: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Distances of pairs.

        Args:
            images: uint8 (n, height, width, 1 or 3), of at least 16 pixels a side.
            others: The same.

        Returns:
            float32 (n,), 0 for the same pictures, about 0.7 for unrelated photographs.

        Raises:
            ArtifactError: If the pictures are of different sizes, or too small.
        """
        if images.shape != others.shape:
            raise ArtifactError(f"LPIPS must have pairs of one size. Received: {images.shape} and {others.shape}")
        _check(images)

        def both(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
            a, signs = self._embed(one)
            b, _ = self._embed(other)
            return tf.reduce_sum(tf.square(a - b) * signs, axis=1)

        return in_batches(both, [images, others], min(BATCH, rows_of(images.shape)))

    def distance(self, images: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
        """The same for pictures that are not rounded: float32 (n,) of float32 (n, height, width, 1 or 3) in [-1, 1]."""
        a, signs = self._embedded_pixels(images)
        b, _ = self._embedded_pixels(others)
        return tf.reduce_sum(tf.square(a - b) * signs, axis=1)

    def embed(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Vectors float32 (n, d) of images, and signs (d,): a distance is the sum of signed squared differences.

        Raises:
            ArtifactError: If the images are too small.
        """
        _check(images)
        vectors = in_batches(lambda batch: self._embed(batch)[0], [images], min(BATCH, rows_of(images.shape)))
        return vectors, self._embed(tf.constant(images[:1]))[1].numpy()

    def _embedded(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._embedded_pixels(to_unit(images))

    def _embedded_pixels(self, pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.repeat(pixels, 3 // tf.shape(pixels)[-1], axis=-1)  # gray ones, too
        pixels = tf.ensure_shape(pixels, [None, None, None, 3])
        features = self._network((pixels - tf.constant(SHIFT)) / tf.constant(SCALE), training=False)
        parts, signs = [], []
        for feature, weights in zip(features, self._weights, strict=True):
            length = tf.sqrt(tf.reduce_sum(tf.square(feature), axis=-1, keepdims=True))
            positions = tf.reduce_prod(tf.shape(feature)[1:3])  # of any size: one graph serves several
            scale = tf.constant(np.sqrt(np.abs(weights)), tf.float32) / tf.sqrt(tf.cast(positions, tf.float32))
            scaled = feature / (length + EPSILON) * scale
            parts.append(tf.reshape(scaled, (tf.shape(scaled)[0], -1)))
            signs.append(tf.tile(tf.constant(np.sign(weights), tf.float32), [positions]))
        return tf.concat(parts, axis=1), tf.concat(signs, axis=0)


def intra_lpips(lpips: LPIPS, fakes: np.ndarray, centres: np.ndarray, most: int = 50, seed: int = 0) -> Clusters:
    """Diversity as few-shot papers print it: LPIPS between generated pictures that share a nearest training picture.

    Clusters without a pair have no distance, so the number of those that are filled belongs to it: see `Clusters`.

    Args:
        lpips: The distance.
        fakes: Generated pictures, uint8 (n, side, side, channels).
        centres: The K training pictures, uint8 (K, side, side, channels).
        most: Pictures of a cluster that are compared; more are drawn from at random.
        seed: Chooses them.

    Reference:
        Ojha et al., 2021, https://arxiv.org/abs/2104.06820
    """
    vectors, signs = lpips.embed(centres)
    owners = []
    with bar(len(fakes), "LPIPS", "image", shown=len(fakes) > 100) as progress:
        for start in range(0, len(fakes), BATCH):
            part = fakes[start : start + BATCH]
            owners.append(_distances(lpips.embed(part)[0], vectors, signs).argmin(1))
            progress.update(len(part))
    owner, rng = np.concatenate(owners), Stream.CLUSTERS.generator(seed)
    counts = np.bincount(owner, minlength=len(centres))
    spreads = []
    for centre in np.flatnonzero(counts > 1):
        members = np.flatnonzero(owner == centre)
        if len(members) > most:
            members = rng.choice(members, most, replace=False)
        own = lpips.embed(fakes[members])[0]
        spreads.append(_distances(own, own, signs)[np.triu_indices(len(members), 1)].mean())
    distance = float(np.mean(spreads)) if spreads else None
    return Clusters(distance, int((counts > 0).sum()), len(centres), float(counts.max() / len(fakes)))


def _distances(a: np.ndarray, b: np.ndarray, signs: np.ndarray) -> np.ndarray:
    signed = a * signs
    return (signed * a).sum(1)[:, None] + (b * b * signs).sum(1)[None] - 2.0 * signed @ b.T


def _check(images: np.ndarray) -> None:
    least = smallest_side(LAYERS)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3) or min(images.shape[1:3]) < least:
        raise ArtifactError(
            f"LPIPS must have uint8 images (n, height, width, 1 or 3) of at least {least} pixels a side. "
            f"Received: {images.dtype} {images.shape}"
        )


def _read(given: str | Path | None, variable: str, file: str, url: str) -> tuple[Mapping[str, np.ndarray], str]:
    named = given is None and os.environ.get(variable)
    how = f"get {file} from {url}, and name it in {variable}"
    if given is None and not named:
        try:
            given = keras.utils.get_file(f"lpips-{file}", url, cache_subdir="models")
        except Exception as error:  # the network has many ways to fail
            raise ArtifactError(f"weights of LPIPS must be in the cache, or can be downloaded; {how}. "
                                f"Received: {reason(error)}") from error  # fmt: skip
    path = Path(named or given or "")
    if not path.is_file():
        raise ArtifactError(f"weights of LPIPS: {how}. Received: {path}, which is not there")
    arrays: dict[str, np.ndarray] = {}
    for network in read_checkpoint(path).networks.values():
        arrays |= network.arrays
    return arrays, str(path)


def _array(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...], where: str) -> np.ndarray:
    array = arrays.get(name)
    if array is None or array.shape != shape or not np.isfinite(array).all():
        received = "none" if array is None else str(array.shape)
        raise ArtifactError(f"{where}: must have finite numbers of the shape {shape} as {name}. Received: {received}")
    return array
