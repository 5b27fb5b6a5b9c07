"""A generator that cannot be rebuilt natively, trained as it is: through a signature of its SavedModel."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl.errors import ArtifactError
from tfgantl.pretrained.module_hashes import allowed_before, digest
from tfgantl.pretrained.signature import SignatureLayer

ALL = ".*"


@keras.saving.register_keras_serializable(package="tfgantl")
class WrappedGenerator(keras.Model):
    """Latents [and labels] → images, by a signature of a SavedModel of TF2 or in the TF1 hub format.

    The variables that the signature reads are the weights of the model: they train, average, freeze, and are kept in
    checkpoints like all others. What a signature does cannot be changed, so batch normalisation keeps the statistics
    that it has (a module with one graph for training and one for inference is trained through the latter), the data
    type stays what it is, and the size of the images, channels and classes too.

    A copy with fresh weights, as the baseline of an adaptation needs it, has every kernel with its values shuffled:
    the fixed statistics fit their scale, and nothing learnt is left.

    What works: training, `.weights.h5`, checkpoints, publishing as a SavedModel of its own. A `.keras` file keeps the
    weights, and the path and hash of the module, which must still be there when it is read.

    Args:
        directory: The SavedModel. Its operations are listed before it is loaded, see `safety`.
        signature: Name of the signature; if not given, one of `generator`, `default`, `generate`, `serving_default`,
            or the only one.
        num_classes: Number of classes where the labels are integers; one-hot labels tell it themselves.
        output: Name of the output with the images, where there are several.
        output_range: Smallest and largest value that the module gives to a pixel; measured on 16 images if not
            given.
        latents: What the module expects, `normal` or `uniform` in [-1, 1]; it is called with normal noise either way.
        truncation: Value of every scalar input.
        trainable: Regular expression that the name of a variable must match to be trained, or a list of names.
        allow_ops: Operations that are trusted here.
        dtype: Must be there for Keras; the module computes in what it was made with.

    Raises:
        ArtifactError: If the module is damaged or unsafe, or has no such signature, or one that is no generator.

    Example:
        >>> from tfgantl.pretrained.discriminators import rebuild_discriminator
        >>> generator = WrappedGenerator("modules/mine", trainable=".*kernel")
        >>> gan = GAN(generator, rebuild_discriminator(generator, MLP(), seed=0, steps=1))
    """

    def __init__(
        self,
        directory: str | Path,
        signature: str | None = None,
        num_classes: int | None = None,
        output: str | None = None,
        output_range: tuple[float, float] | None = None,
        latents: str = "normal",
        truncation: float = 1.0,
        trainable: str | list[str] = ALL,
        allow_ops: tuple[str, ...] = (),
        dtype: str = "float32",
        name: str = "generator",
        **kwargs: Any,
    ):
        if latents not in ("normal", "uniform"):
            raise ArtifactError(f"`latents` must be normal or uniform. Received: {latents}")
        module = SignatureLayer(Path(directory), signature, output, truncation, tuple(allow_ops))
        chosen = module.set_trainable(trainable)
        # === Functional Model ===
        noise = keras.Input((module.latent_dim,), name="latents")
        x = UniformNoise(name="uniform_latents", dtype="float32")(noise) if latents == "uniform" else noise
        classes = num_classes if module.label_width is None else module.label_width
        if module.label_input is None:
            inputs, module_inputs = noise, [x]
        else:
            classes = classes or module.guess_classes()
            labels = keras.Input((), dtype="int32", name="labels")
            inputs, module_inputs = [noise, labels], [x, labels]
        low, high = output_range or module.measure_range(latents, classes)
        images = module(module_inputs)
        images = keras.layers.Rescaling(2 / (high - low), -1 - 2 * low / (high - low), name="to_images")(images)
        super().__init__(inputs=inputs, outputs=images, name=name, **kwargs)

        # === Config ===
        self.num_classes = classes if module.label_input is not None else None
        self.latent_dim = module.latent_dim
        self.module_config = {
            "directory": str(Path(directory).absolute()),
            "digest": module.digest,
            "signature": module.signature,
            "num_classes": self.num_classes,
            "output": module.output_key,
            "output_range": [float(low), float(high)],
            "latents": latents,
            "truncation": truncation,
            "trainable": trainable if trainable == ALL else chosen,
        }
        self.hidden_dtype = dtype

    def set_trainable(self, pattern: str) -> list[str]:
        """Trains the variables whose names match, and no others; call it before `compile`.

        Args:
            pattern: Regular expression of whole names, such as `generator/block[3-5]/.*`. Statistics never train.

        Returns:
            The names that match.

        Raises:
            ArtifactError: If none matches; the message lists some.
        """
        matching = self.module_config["trainable"] = self.get_layer("module").set_trainable(pattern)
        return matching

    def get_config(self) -> dict[str, Any]:
        return {**self.module_config, "dtype": self.hidden_dtype, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "WrappedGenerator":
        """The same architecture with fresh weights; nothing is loaded if the module is not what it was."""
        config = dict(config)
        if isinstance(config.get("trainable"), str) and config["trainable"] != ALL:
            # A pattern from a file can take years to match.
            raise ArtifactError("`trainable` of a file must be a list of names. Received: a pattern")
        expected = config.pop("digest", None)
        directory = Path(config["directory"])
        if not (directory / "saved_model.pb").is_file() or digest(directory) != expected:
            raise ArtifactError(
                f"{directory}: must be the module that the model was made from. Received: another, or none"
            )
        generator = cls(**config, allow_ops=allowed_before(expected))
        generator.get_layer("module").shuffle(np.random.default_rng(0))
        return generator


@keras.saving.register_keras_serializable(package="tfgantl")
class UniformNoise(keras.layers.Layer):
    """Standard normal noise → noise that is uniform in [-1, 1], by its distribution function."""

    def call(self, noise: tf.Tensor) -> tf.Tensor:
        return tf.math.erf(noise / np.sqrt(2.0).astype(np.float32))
