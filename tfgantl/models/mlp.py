"""The dense GAN, unconditional or class-conditional."""

from typing import Any

import keras
from keras import layers

from tfgantl.models.conditional import discriminator_outputs, generator_inputs


@keras.saving.register_keras_serializable(package="tfgantl")
class MLPGenerator(keras.Model):
    """Noise [and labels] → Dense → leaky ReLU → Dense → tanh → images.

    Args:
        image_size: Height and width in pixels.
        channels: 1 or 3.
        latent_dim: Length of the noise.
        units: Width of the hidden layer.
        num_classes: Number of classes, or `None` for an unconditional generator.
        label_dim: Length of the label embedding.
        negative_slope: Slope of the leaky ReLU.
        dtype: Keras dtype policy of the hidden layers.
        text_dim: Length of the vectors of captions that labels stand for; `None` for classes.
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        latent_dim: int,
        units: int = 128,
        num_classes: int | None = None,
        label_dim: int = 16,
        negative_slope: float = 0.01,
        dtype: str = "float32",
        text_dim: int | None = None,
        name: str = "generator",
        **kwargs: Any,
    ):
        # === Functional Model ===
        shape = (image_size, image_size, channels)
        inputs, x = generator_inputs(latent_dim, num_classes, label_dim, dtype, text_dim)
        x = layers.Dense(units, name="block0_dense", dtype=dtype)(x)
        x = layers.LeakyReLU(negative_slope, name="block0_relu", dtype=dtype)(x)
        x = layers.Dense(image_size * image_size * channels, name="to_images_dense", dtype=dtype)(x)
        x = layers.Activation("tanh", name="to_images_tanh", dtype="float32")(x)
        images = layers.Reshape(shape, name="to_images", dtype="float32")(x)
        super().__init__(inputs=inputs, outputs=images, name=name, **kwargs)

        # === Config ===
        self.image_size = image_size
        self.channels = channels
        self.latent_dim = latent_dim
        self.units = units
        self.num_classes = num_classes
        self.label_dim = label_dim
        self.negative_slope = negative_slope
        self.hidden_dtype = dtype
        self.text_dim = text_dim

    def get_config(self) -> dict[str, Any]:
        return {
            "image_size": self.image_size,
            "channels": self.channels,
            "latent_dim": self.latent_dim,
            "units": self.units,
            "num_classes": self.num_classes,
            "label_dim": self.label_dim,
            "negative_slope": self.negative_slope,
            "dtype": self.hidden_dtype,
            "text_dim": self.text_dim,
            "name": self.name,
        }


@keras.saving.register_keras_serializable(package="tfgantl")
class MLPDiscriminator(keras.Model):
    """Images [and labels] → Dense → leaky ReLU → logits.

    Args:
        image_size: Height and width in pixels.
        channels: 1 or 3.
        units: Width of the hidden layer.
        num_classes: Number of classes, or `None` for an unconditional discriminator.
        negative_slope: Slope of the leaky ReLU.
        dtype: Keras dtype policy of the hidden layers.
        text_dim: Length of the vectors of captions that labels stand for; `None` for classes.
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        units: int = 128,
        num_classes: int | None = None,
        negative_slope: float = 0.01,
        dtype: str = "float32",
        text_dim: int | None = None,
        name: str = "discriminator",
        **kwargs: Any,
    ):
        # === Functional Model ===
        images = keras.Input((image_size, image_size, channels), name="images")
        x = layers.Flatten(name="flatten", dtype=dtype)(images)
        x = layers.Dense(units, name="block1_dense", dtype=dtype)(x)
        features = layers.LeakyReLU(negative_slope, name="block1_relu", dtype=dtype)(x)
        inputs, logits = discriminator_outputs(images, features, num_classes, text_dim=text_dim)
        super().__init__(inputs=inputs, outputs=logits, name=name, **kwargs)

        # === Config ===
        self.image_size = image_size
        self.channels = channels
        self.units = units
        self.num_classes = num_classes
        self.negative_slope = negative_slope
        self.hidden_dtype = dtype
        self.text_dim = text_dim

    def get_config(self) -> dict[str, Any]:
        return {
            "image_size": self.image_size,
            "channels": self.channels,
            "units": self.units,
            "num_classes": self.num_classes,
            "negative_slope": self.negative_slope,
            "dtype": self.hidden_dtype,
            "text_dim": self.text_dim,
            "name": self.name,
        }
