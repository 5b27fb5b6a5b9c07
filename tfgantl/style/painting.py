"""What a network that paints is trained for: the content of its input, the Gram matrices of a style."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfgantl.images import to_unit
from tfgantl.models.vgg import vgg16
from tfgantl.style.losses import STYLE_LAYERS, content_loss, gram, style_loss, total_variation
from tfgantl.style.pictures import resized, shape_at

CONTENT = "block3_conv3"  # higher layers hardly hold an image of 200 pixels together
STYLE = STYLE_LAYERS[:4]
STYLE_SIZE = 2  # longer side of a style over that of a crop, which shows a part of its picture only


class PaintingLoss(tf.Module):
    """Scaled losses of painted images: content is about 1 where nothing is left of it, style where nothing has changed.

    Args:
        styles: uint8 (height, width, 3) pictures of any size.
        examples: float32 (n, size, size, 3) content images in [-1, 1], which the scales are measured on.
        weights: As for `tfgantl.models.vgg.vgg16`.
        style_weight: Of the style loss; that of the content loss is 1.
        tv_weight: Of total variation, relative to that of the content images.
        dtype: Keras dtype policy of VGG16.

    Attributes:
        scales: Layer → what its loss is divided by, one number a style.
    """

    def __init__(
        self,
        styles: Sequence[np.ndarray],
        examples: np.ndarray,
        weights: str | Path | None = "imagenet",
        style_weight: float = 1.0,
        tv_weight: float = 0.0,
        dtype: str = "float32",
    ):
        super().__init__()
        self.style_weight, self.tv_weight = style_weight, tv_weight
        size = examples.shape[1]
        self.network = vgg16((CONTENT, *STYLE), weights, (None, None, 3), dtype=dtype)
        self.targets = []
        for picture in styles:
            features = self.network(
                to_unit(resized(picture, shape_at(picture, STYLE_SIZE * size)))[None], training=False
            )
            self.targets.append([gram(x)[0] for x in features[1:]])
        self.targets = [tf.stack(grams) for grams in zip(*self.targets, strict=True)]
        content, *found = self.network(examples, training=False)
        values = tf.cast(content, tf.float32)
        self.content_scale = tf.reduce_mean(tf.math.reduce_variance(values, axis=(1, 2)))
        self.tv_scale = tf.reduce_mean(total_variation(tf.constant(examples)))
        self.scales = [
            tf.stack([tf.reduce_mean(style_loss(x, target[None])) for target in targets])
            for x, targets in zip(found, self.targets, strict=True)
        ]

    def __call__(self, images: tf.Tensor, painted: tf.Tensor, mix: tf.Tensor) -> dict[str, tf.Tensor]:
        """Losses (batch,) of each image: content, style, tv and their weighted total.

        Args:
            images: Content, float32 (batch, size, size, 3) in [-1, 1].
            painted: The same, painted.
            mix: Share of each style, float32 (batch, styles).
        """
        target = self.network(images, training=False)[0]
        features, *found = self.network(painted, training=False)
        content = content_loss(features, tf.stop_gradient(target)) / self.content_scale
        style = 0.0
        for x, targets, scales in zip(found, self.targets, self.scales, strict=True):
            wanted = tf.einsum("bs,scd->bcd", mix, targets)
            style += style_loss(x, wanted) / (tf.linalg.matvec(mix, scales) * len(STYLE))
        variation = total_variation(painted) / self.tv_scale
        if not self.style_weight:
            style = tf.stop_gradient(style)  # only looked at, for the price of no gradient
        total = content + self.style_weight * style + self.tv_weight * variation
        return {"content": content, "style": style, "tv": variation, "total": total}
