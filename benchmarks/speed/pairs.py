"""The two pairs of networks that are timed, in Keras; `torch_step.py` has the same in PyTorch."""

import keras
from keras import layers

from tfgantl.models.dcgan import DCGANDiscriminator, DCGANGenerator

BATCH = 64
SHAPES = {"classic28": (28, 28, 1), "tutorial64": (64, 64, 3)}
LATENTS = 100


def networks(pair: str, dtype: str, batch_norm: bool) -> tuple[keras.Model, keras.Model]:
    """The pair of this package: that of TensorFlow's tutorial at 28 px, or of PyTorch's at 64 px.

    Args:
        pair: A key of `SHAPES`.
        dtype: Keras dtype policy.
        batch_norm: Whether the discriminator at 64 px has batch normalisation, as in PyTorch's tutorial.
    """
    if pair == "classic28":
        return (
            DCGANGenerator(28, 1, LATENTS, (256, 128, 64), (1, 2, 2), dtype=dtype),
            DCGANDiscriminator(28, 1, (64, 128), dtype=dtype),
        )
    norm = {"norm_epsilon": 1e-5, "norm_momentum": 0.9}
    generator = DCGANGenerator(
        64, 3, LATENTS, (512, 256, 128, 64), (2, 2, 2, 2), kernel_size=4, negative_slope=0.0, norm_per_channel=True,
        dtype=dtype, **norm,
    )  # fmt: skip
    discriminator = DCGANDiscriminator(
        64, 3, (64, 128, 256, 512), kernel_size=4, dropout=0.0, negative_slope=0.2, batch_norm=batch_norm, dtype=dtype,
        **norm,
    )  # fmt: skip
    return generator, discriminator


def keras_networks(pair: str, dtype: str) -> tuple[keras.Model, keras.Model]:
    """The same pair as tutorials write it, of Keras' own layers."""
    small, options = pair == "classic28", {"padding": "same", "dtype": dtype}
    kernel, slopes = (5, (0.3, 0.3)) if small else (4, (0.0, 0.2))

    def norm(x: keras.KerasTensor) -> keras.KerasTensor:
        settings = {} if small else {"epsilon": 1e-5, "momentum": 0.9}
        return layers.BatchNormalization(dtype=dtype, **settings)(x)

    latents = keras.Input((LATENTS,))
    side, first = (7, 256) if small else (4, 512)
    x = layers.Dense(side * side * first, use_bias=False, dtype=dtype)(latents)
    x = norm(x) if small else norm(layers.Reshape((side, side, first), dtype=dtype)(x))
    x = layers.LeakyReLU(slopes[0], dtype=dtype)(x)
    x = layers.Reshape((side, side, first), dtype=dtype)(x)
    for width, stride in ((128, 1), (64, 2)) if small else ((256, 2), (128, 2), (64, 2)):
        x = norm(layers.Conv2DTranspose(width, kernel, stride, use_bias=False, **options)(x))
        x = layers.LeakyReLU(slopes[0], dtype=dtype)(x)
    x = layers.Conv2DTranspose(SHAPES[pair][-1], kernel, 2, use_bias=False, **options)(x)
    generator = keras.Model(latents, layers.Activation("tanh", dtype="float32")(x))

    images = x = keras.Input(SHAPES[pair])
    for i, width in enumerate((64, 128) if small else (64, 128, 256, 512)):
        x = layers.Conv2D(width, kernel, 2, use_bias=small, **options)(x)
        x = x if small or not i else norm(x)
        x = layers.LeakyReLU(slopes[1], dtype=dtype)(x)
        x = layers.Dropout(0.3, dtype=dtype)(x) if small else x
    logits = layers.Dense(1, dtype="float32")(layers.Flatten(dtype=dtype)(x))
    return generator, keras.Model(images, logits)
