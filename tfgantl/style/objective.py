"""What an image is optimised for: the content of one picture and the Gram matrices of others, each term scaled."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from tfgantl.style.losses import content_loss, gram, style_loss, total_variation

MIN_SHARE = 0.01  # of a target's mean square, which a term is divided by where it begins below
MOVED = 0.1  # difference of pixels in [-1, 1] that tells a moving edge from the noise of a camera


@dataclass(frozen=True)
class Weights:
    """Weights of the terms, each of which is about 1 at the beginning.

    Args:
        content: Of the features of one layer.
        style: Of the mean over the Gram matrices of five layers.
        tv: Of total variation.
        smooth: Of the difference from the frame before, where the content has not moved.
    """

    content: float = 1.0
    style: float = 1.0
    tv: float = 0.0
    smooth: float = 0.0


@dataclass(frozen=True)
class Region:
    """Part of an image and the style that belongs there.

    Args:
        share: Weight among the regions.
        maps: Layer by layer, the mask float32 (1, height, width, 1) and the sum of its squares; `None` for everywhere.
        targets: Layer by layer, the Gram matrix (1, channels, channels).
        scales: Layer by layer, what the loss is divided by.
    """

    share: float
    maps: list[tuple[tf.Tensor, tf.Tensor] | None]
    targets: list[tf.Tensor]
    scales: list[tf.Tensor]


class Objective(tf.Module):
    """Weighted, scaled losses of one image; targets are computed once.

    Args:
        network: `vgg16` for the content layer and the style layers, in this order.
        start: Float32 (1, height, width, 3) in [-1, 1]: terms are divided by their values here.
        content: Content of the same shape, or `None` for texture synthesis.
        styles: Styles float32 (1, any height, any width, 3); none for content reconstruction.
        shares: Share of each style; their sum is 1.
        weights: Of the terms.
        strength: From 0 for the Gram matrices of the content to 1 for those of the styles.
        masks: Region of each style, float32 (height, width) in [0, 1]; `None` for a mix of all styles everywhere.
        before: The frame before and its content, of the shape of `content`; `None` for single pictures.

    Attributes:
        effective: Term → what its plain loss is multiplied by; the style has one for each layer, from the image on.
    """

    def __init__(
        self,
        network: keras.Model,
        start: np.ndarray,
        content: np.ndarray | None,
        styles: Sequence[np.ndarray],
        shares: Sequence[float],
        weights: Weights,
        strength: float = 1.0,
        masks: Sequence[np.ndarray] | None = None,
        before: tuple[np.ndarray, np.ndarray] | None = None,
    ):
        super().__init__()
        self.network, self.weights, self.effective = network, weights, {}
        begun, known = _features(network, start), None
        if content is not None:
            known = begun if np.array_equal(start, content) else _features(network, content)
        grams = [[gram(x) for x in _features(network, style)[1:]] for style in styles]
        if masks is None:
            mixed = [sum(s * g for s, g in zip(shares, layer, strict=True)) for layer in zip(*grams, strict=True)]
            asked: list[tuple[float, np.ndarray | None, list[tf.Tensor]]] = [(1.0, None, mixed)] if grams else []
        else:
            asked = list(zip(shares, masks, grams, strict=True))
        self.regions = [_region(*region, strength, begun[1:], known[1:] if known else None) for region in asked]
        if self.regions and weights.style:
            for place, region in enumerate(self.regions, 1):
                where = f", region {place}" if len(self.regions) > 1 else ""
                for layer, scale in enumerate(region.scales, 1):
                    weight = weights.style * region.share / (len(region.scales) * float(scale))
                    self.effective[f"style {layer}{where}"] = weight

        self.content = None
        if known and weights.content:
            # Where the start is the content itself, the value for an image in which nothing is left of it.
            spread = tf.reduce_mean(tf.math.reduce_variance(tf.cast(known[0], tf.float32), axis=(1, 2)))
            self.content = known[0], tf.maximum(content_loss(begun[0], known[0])[0], spread)
            self.effective["content"] = weights.content / float(self.content[1])
        self.variation = tf.maximum(total_variation(tf.constant(start))[0], 1e-4)
        if weights.tv:
            self.effective["tv"] = weights.tv / float(self.variation)
        self.before = None
        if before is not None and content is not None and weights.smooth:
            painted, earlier = before
            self.before = tf.constant(painted), still_parts(content, earlier)
            self.effective["smooth"] = weights.smooth / MOVED**2

    def __call__(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scaled terms of an image (1, height, width, 3), scalars, and `total`: their weighted sum."""
        features, *maps = self.network(image, training=False)
        terms = {}
        if self.content is not None:
            terms["content"] = content_loss(features, self.content[0])[0] / self.content[1]
        if self.regions:
            terms["style"] = tf.add_n([r.share * _style(r, maps) for r in self.regions])
        if self.weights.tv:
            terms["tv"] = total_variation(image)[0] / self.variation
        if self.before is not None:
            painted, still = self.before
            terms["smooth"] = tf.reduce_mean(still * tf.square(image - painted)) / MOVED**2
        total = tf.add_n([getattr(self.weights, name) * value for name, value in terms.items()])
        return {**terms, "total": total}


def still_parts(content: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """1 where two frames are the same, near 0 where something has moved.

    Args:
        content: Float32 (…, 3) in [-1, 1].
        earlier: The same, of the frame before.

    Returns:
        Float32 (…, 1).
    """
    return np.exp(-np.mean(np.square(content - earlier), axis=-1, keepdims=True) / MOVED**2)


def held(painted: np.ndarray, content: np.ndarray, before: tuple[np.ndarray, np.ndarray], weight: float) -> np.ndarray:
    """A painting mixed with that of the frame before, where the content has not moved.

    Args:
        painted: Float32 (height, width, 3) in [-1, 1].
        content: What was painted.
        before: The same two of the frame before.
        weight: Of the frame before; that of the painting is 1.
    """
    share = still_parts(content, before[1]) * weight / (1.0 + weight)
    return share * before[0] + (1.0 - share) * painted


def _features(network: keras.Model, image: np.ndarray) -> list[tf.Tensor]:
    return network(tf.constant(image), training=False)


def _region(
    share: float,
    mask: np.ndarray | None,
    targets: list[tf.Tensor],
    strength: float,
    begun: list[tf.Tensor],
    known: list[tf.Tensor] | None,
) -> Region:
    """A region with its targets mixed with those of the content, and its scales."""
    maps: list[tuple[tf.Tensor, tf.Tensor] | None] = [None] * len(begun)
    if mask is not None:
        small = [tf.image.resize(mask[None, ..., None], x.shape[1:3], "area") for x in begun]
        maps = [(m, tf.reduce_sum(tf.square(m)) + 1e-6) for m in small]
    if strength < 1.0 and known is not None:
        plain = [gram(*_within(x, m)) for x, m in zip(known, maps, strict=True)]
        targets = [(1.0 - strength) * p + strength * t for p, t in zip(plain, targets, strict=True)]
    scales = []
    for x, m, target in zip(begun, maps, targets, strict=True):
        masked, count = _within(x, m)
        smallest = MIN_SHARE * tf.reduce_mean(tf.square(target))
        scales.append(tf.maximum(style_loss(masked, target, count)[0], smallest))
    return Region(share, maps, targets, scales)


def _style(region: Region, maps: list[tf.Tensor]) -> tf.Tensor:
    losses = []
    for x, m, target, scale in zip(maps, region.maps, region.targets, region.scales, strict=True):
        masked, count = _within(x, m)
        losses.append(style_loss(masked, target, count)[0] / scale)
    return tf.add_n(losses) / len(losses)


def _within(features: tf.Tensor, region: tuple[tf.Tensor, tf.Tensor] | None) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Features that are 0 outside of a region, and what to divide their products by."""
    if region is None:
        return features, None
    mask, count = region
    return features * tf.cast(mask, features.dtype), count
