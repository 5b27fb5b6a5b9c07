"""The Inception network of 2015 in Keras, with its peculiarities, and arranged so that it takes the least time."""

import keras
from keras import layers

from tfgantl.metrics.inception.blocks import BLOCKS, CLASSES, POOLED, STEM, Branch, Convolution, InceptionBlock
from tfgantl.models.vgg import FusedConv2D

SIDE = 299  # pixels


def inception_network() -> keras.Model:
    """The network without weights: normalisations are part of the convolutions, as they never change.

    Average pooling counts no pixels of the padding; the last block has max pooling in its place. Convolutions of one
    pixel that read the same map are one convolution, and the average of a branch is taken behind its convolution, which
    gives the same and has fewer channels.

    Returns:
        Functional model: images float32 (batch, 299, 299, 3), from -1 to 127/128, → features float32 (batch, 2048)
        and logits float32 (batch, 1008) without bias, from which the Inception score is made.

    Reference:
        Szegedy et al., 2016, https://arxiv.org/abs/1512.00567;
        the graph of 2015: http://download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz
    """
    images = x = keras.Input((SIDE, SIDE, 3), name="images")
    for name, convolution in STEM.items():
        x = _convolve(name, convolution)(x)
        if name in POOLED:
            x = layers.MaxPooling2D(3, 2, name=f"{name}_max")(x)
    for block in BLOCKS:
        x = _joined(block, x)
    features = layers.GlobalAveragePooling2D(name="features")(x)
    logits = layers.Dense(CLASSES, use_bias=False, kernel_initializer="zeros", name="logits")(features)
    network = keras.Model(images, [features, logits], name="inception")
    network.trainable = False
    return network


def entrance_of(block: InceptionBlock) -> list[Branch]:
    """The branches that begin with a convolution of one pixel on the map itself, which are computed as one."""
    return [b for b in block.branches if b.chain[0].kernel == (1, 1) and b.role != "pool"]


def _joined(block: InceptionBlock, x: keras.KerasTensor) -> keras.KerasTensor:
    entrance = entrance_of(block)
    widths = [branch.chain[0].filters for branch in entrance]
    together = FusedConv2D(
        sum(widths), 1, activation="relu", kernel_initializer="zeros", name=f"{block.name}_entrance"
    )(x)
    begun, start = {}, 0
    for branch, width in zip(entrance, widths, strict=True):
        begun[branch.role] = together[..., start : start + width]
        start += width
    outputs: list[keras.KerasTensor] = []
    for branch in block.branches:
        if branch.role == "pool":
            outputs.append(_pooled(block, branch.chain[0], x))
            continue
        y, left = (begun[branch.role], branch.chain[1:]) if branch.role in begun else (x, branch.chain)
        first = len(branch.chain) - len(left) + 1
        for i, convolution in enumerate(left):
            y = _convolve(f"{block.name}_{branch.role}_{first + i}", convolution)(y)
        number = len(branch.chain) + 1
        forks = [
            _convolve(f"{block.name}_{branch.role}_{number}{letter}", convolution)(y)
            for letter, convolution in zip("ab", branch.fork, strict=False)
        ]
        outputs += forks or [y]
    if block.pooling == "halving":
        outputs.append(layers.MaxPooling2D(3, 2, name=f"{block.name}_max")(x))
    return layers.Concatenate(name=block.name)(outputs)


def _pooled(block: InceptionBlock, convolution: Convolution, x: keras.KerasTensor) -> keras.KerasTensor:
    name = f"{block.name}_pool_1"
    if block.pooling == "max":
        return _convolve(name, convolution)(layers.MaxPooling2D(3, 1, "same", name=f"{block.name}_max")(x))
    y = _convolve(name, convolution, activation=None)(x)
    return layers.ReLU(name=f"{name}_relu")(layers.AveragePooling2D(3, 1, "same", name=f"{block.name}_average")(y))


def _convolve(name: str, convolution: Convolution, activation: str | None = "relu") -> FusedConv2D:
    return FusedConv2D(
        convolution.filters, convolution.kernel, convolution.stride, "same" if convolution.padded else "valid",
        activation=activation, kernel_initializer="zeros", name=name,
    )  # fmt: skip
