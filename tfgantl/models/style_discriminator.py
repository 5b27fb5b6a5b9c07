"""A discriminator that tells patches of a style's picture from painted ones, with one head for each style."""

from typing import Any

import keras
from keras import layers

from tfgantl.models.layers import SpectralConv2D


@keras.saving.register_keras_serializable(package="tfgantl")
class StyleDiscriminator(keras.Model):
    """Images and a mix of styles → logits of patches.

    Four halvings with a spectral norm of about 1, of which each logit sees about 80 pixels, and a head for each style.

    Args:
        num_styles: Number of heads.
        width: Channels of the first block; doubled in the next two.
        dtype: Keras dtype policy of the hidden layers; logits are always float32.

    Example:
        >>> discriminator = StyleDiscriminator(2)
        >>> discriminator([keras.random.normal((4, 128, 128, 3)), keras.ops.ones((4, 2)) / 2]).shape
        TensorShape([4, 8, 8])

    Reference:
        Isola et al., 2017, https://arxiv.org/abs/1611.07004 (patches); Miyato et al., 2018,
        https://arxiv.org/abs/1802.05957 (spectral norm); Liu et al., 2019, https://arxiv.org/abs/1905.01723 (heads)
    """

    def __init__(
        self, num_styles: int, width: int = 32, dtype: str = "float32", name: str = "style_discriminator", **kwargs: Any
    ):
        images = keras.Input((None, None, 3), name="images")
        mix = keras.Input((num_styles,), name="mix")
        x = images
        for block, filters in enumerate((width, 2 * width, 4 * width, 4 * width), start=1):
            x = SpectralConv2D(filters, 4, 2, padding="same", dtype=dtype, name=f"block{block}_conv")(x)
            x = layers.LeakyReLU(0.2, dtype=dtype, name=f"block{block}_relu")(x)
        heads = layers.Conv2D(num_styles, 3, padding="same", dtype="float32", name="heads")(x)
        logits = layers.Dot(axes=(3, 1), dtype="float32", name="logits")([heads, mix])
        super().__init__([images, mix], logits, name=name, **kwargs)
        self.num_styles, self.width, self.hidden_dtype = num_styles, width, dtype

    def for_new_styles(self, num_styles: int, dtype: str) -> "StyleDiscriminator":
        """The same blocks with heads for other styles, which begin as the mean of those that it has."""
        fresh = StyleDiscriminator(num_styles, self.width, dtype)
        for layer in fresh.layers:
            weights = self.get_layer(layer.name).get_weights()
            if layer.name == "heads":
                weights = [w.mean(-1, keepdims=True).repeat(num_styles, -1) for w in weights]
            layer.set_weights(weights)
        return fresh

    def get_config(self) -> dict[str, Any]:
        return {"num_styles": self.num_styles, "width": self.width, "dtype": self.hidden_dtype, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "StyleDiscriminator":
        return cls(**config)
