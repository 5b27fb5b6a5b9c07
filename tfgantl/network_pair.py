"""A generator and a discriminator: what they compute, outside of any training, and how they are saved together."""

from typing import Any, Self, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from tfgantl import random_streams
from tfgantl.averaging import averaged_copy
from tfgantl.class_labels import checked_labels
from tfgantl.errors import ConfigError, DataError
from tfgantl.fit_inputs import in_unit_range
from tfgantl.models import presets
from tfgantl.models.adapters.base import Adapter, run
from tfgantl.models.batch_norm import recalibrate_batch_norm
from tfgantl.models.copies import constant_layers
from tfgantl.models.inference import BATCH_SIZE, in_batches, predict, rows_at_a_time, rows_of
from tfgantl.models.outputs import check_discriminator, check_generator
from tfgantl.models.structure import label_tables
from tfgantl.random_streams import Stream

Array: TypeAlias = np.ndarray | tf.Tensor


class NetworkPair(keras.Model):
    """Both networks, their adapters, and the averaged generator. `GAN` adds training, and documents the arguments."""

    def __init__(
        self, generator: keras.Model, discriminator: keras.Model, ema_decay: float = 0.995, seed: int = 0, **kwargs: Any
    ):
        super().__init__(**kwargs)
        check_generator(generator)
        check_discriminator(discriminator)
        images, seen = generator.output_shape, discriminator.inputs[0].shape
        if not tf.TensorShape(seen).is_compatible_with(images):
            raise ConfigError(
                f"`discriminator` must take the images of the generator, {images}. Received: one that takes {seen}"
            )
        if len(discriminator.inputs) > len(generator.inputs):
            raise ConfigError(
                "`discriminator` must take no labels beside a generator without. "
                f"Received: one of {len(discriminator.inputs)} inputs"
            )
        self.generator = generator
        self.discriminator = discriminator
        self.ema_decay = ema_decay
        self.seed = seed
        self.ema_generator = averaged_copy(generator)
        self.g_adapters: list[Adapter] = []
        self.d_adapters: list[Adapter] = []
        self.method_state: Any = None  # a layer, of a class that its transfer method knows
        self.step = self.add_weight(name="step", shape=(), dtype="int32", initializer="zeros", trainable=False)
        self.rate_factor = self.add_weight(name="rate_factor", shape=(), initializer="ones", trainable=False)
        self.built = True

    @classmethod
    def from_preset(cls, name: str) -> Self:
        """Loads a shipped pair, such as `rendered-digits`.

        Raises:
            ArtifactError: If there is no such preset.
        """
        return cls(*presets.load_preset(name))

    @property
    def latent_dim(self) -> int:
        return self.generator.inputs[0].shape[-1]

    @property
    def steps_taken(self) -> int:
        """Number of training steps taken, as a number of Python."""
        return int(tf.convert_to_tensor(self.step))  # also of a variable that has a copy on each device

    @property
    def num_classes(self) -> int | None:
        """Number of classes of a conditional pair, else `None`."""
        return getattr(self.generator, "num_classes", None)

    @property
    def changing_weights(self) -> list[keras.Variable]:
        """Weights that a training can change, and a state is made of: all but those of constant layers."""
        constant = {id(weight) for layer in constant_layers(self) for weight in layer.weights}
        return [weight for weight in self.weights if id(weight) not in constant]

    # What the networks compute, as tensors.

    def inputs(self, first: Array, labels: Array | None) -> Array | list[Array]:
        """What a network is called with: images or latents alone, or together with labels."""
        return first if labels is None else [first, labels]

    def run_generator(self, latents: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        """Images of the generator as it is trained, with its adapters."""
        return run(self.generator, self.inputs(latents, labels), self.g_adapters)

    def discriminate(self, images: tf.Tensor, labels: tf.Tensor | None, training: bool = True) -> tf.Tensor:
        """Float32 logits of the discriminator, with its adapters."""
        return run(self.discriminator, self.inputs(images, labels), self.d_adapters, training)

    def self_supervision(self, images: tf.Tensor, labels: tf.Tensor | None, seed: tf.Tensor) -> tf.Tensor | float:
        """What a discriminator loses that learns more of real images than to tell them from others; 0 for most.

        Such a discriminator names the outputs that it learns from, `supervised_maps`, and has a method
        `self_supervision` of (images, these maps, seed).
        """
        if not hasattr(self.discriminator, "self_supervision"):
            return 0.0
        inputs, outputs = self.discriminator.inputs, self.discriminator.outputs
        # A pass of its own, since a transfer method may make the logits otherwise. With the logits, as adapters expect.
        network = keras.Model(inputs, [*self.discriminator.supervised_maps, *outputs])
        maps = run(network, self.inputs(images, labels), self.d_adapters)[: -len(outputs)]
        return self.discriminator.self_supervision(images, maps, seed)

    def call(self, inputs: tf.Tensor | list[tf.Tensor], training: bool = False) -> tf.Tensor:
        """Images of the averaged generator for latents, or for `[latents, labels]`, whatever `training` says."""
        return self.ema_generator(inputs, training=False)

    # The same for arrays of any length.

    def latents(self, count: int, seed: int = 0, stream: Stream = Stream.SAMPLES) -> np.ndarray:
        """Standard normal noise (count, latent_dim), float32; row i depends on (seed, stream, i) only."""
        return random_streams.latents(count, self.latent_dim, seed, stream)

    def generate(
        self, latents: np.ndarray, labels: np.ndarray | None = None, batch_size: int | None = None
    ) -> np.ndarray:
        """Images of the averaged generator.

        Args:
            latents: float32 (n, latent_dim).
            labels: int (n,) for a conditional generator.
            batch_size: Images at a time; does not change the result. 256 if not given, and fewer above 128 px.

        Returns:
            float32 (n, height, width, channels) in [-1, 1].

        Raises:
            DataError: If latents have another length, or labels are no classes of the generator.
        """
        latents = np.asarray(latents)
        if latents.ndim != 2 or latents.shape[1] != self.latent_dim:
            raise DataError(f"`latents` must be (n, {self.latent_dim}). Received: {latents.shape}")
        return predict(self.ema_generator, self.inputs(latents, self._checked(labels, len(latents))), batch_size)

    def score(self, images: np.ndarray, labels: np.ndarray | None = None, batch_size: int | None = None) -> np.ndarray:
        """Logits (n,) of the discriminator, as it is outside of training; the mean where it gives several an image.

        Args:
            images: float32 (n, height, width, channels) in [-1, 1], not augmented; or integers in [0, 255].
            labels: int (n,) for a conditional discriminator.
            batch_size: Images at a time, as for `generate`; does not change the result, unless logits depend on the
                batch, as in StyleGAN2.

        Raises:
            DataError: If images have another size or range, or labels are no classes of the pair.
        """
        expected = self.generator.output_shape[1:]
        if np.shape(images)[1:] != expected:
            raise DataError(f"`images` must be (n, {', '.join(map(str, expected))}). Received: {np.shape(images)}")
        images, labels = in_unit_range(images), self._checked(labels, len(images))
        rows = min(batch_size or BATCH_SIZE, rows_of(images.shape), rows_at_a_time(self.discriminator))
        # Not `predict`, whose graph would keep the adapters of the time when it was traced.
        logits = in_batches(lambda x, y: self.discriminate(x, y, training=False), [images, labels], rows)
        return logits.reshape(len(logits), -1).mean(1)

    def _checked(self, labels: np.ndarray | None, count: int) -> np.ndarray | None:
        if self.num_classes is None:
            if labels is not None:
                raise DataError("`labels` must be left out for a pair without classes. Received: some")
            return None
        if labels is None:
            raise DataError(f"`labels` must be given for a pair with {self.num_classes} classes. Received: none")
        return checked_labels(labels, count, self.num_classes)

    def recalibrate_batch_norm(self, batches: int = 16, batch_size: int = 128) -> None:
        """Measures the BatchNorm statistics of the averaged generator anew; always before it is looked at."""
        latents = self.latents(batches * batch_size, self.seed, Stream.CALIBRATION).reshape(batches, batch_size, -1)
        labels = tf.reshape(tf.range(batches * batch_size), (batches, batch_size))
        if self.num_classes is not None and 8 * self.num_classes <= batch_size:  # each batch has all of them
            labels %= batch_size
        labels = [None] * batches if self.num_classes is None else tf.unstack(labels % self.num_classes)
        inputs = [self.inputs(tf.constant(some), own) for some, own in zip(latents, labels, strict=True)]
        recalibrate_batch_norm(self.ema_generator, self.generator, inputs)

    # Saving.

    def get_config(self) -> dict[str, Any]:
        if self.g_adapters or self.d_adapters:
            raise ConfigError(
                "a GAN must be saved without adapters: call `finish(gan)` of its transfer method first. "
                f"Received: {len(self.g_adapters) + len(self.d_adapters)} adapters"
            )
        return {
            **super().get_config(),
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "ema_decay": self.ema_decay,
            "seed": self.seed,
            "num_classes": self.num_classes,
            "trainable_layers": [
                [layer.trainable for layer in network._flatten_layers()]
                for network in (self.generator, self.discriminator)
            ],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        networks = [keras.saving.deserialize_keras_object(config.pop(k)) for k in ("generator", "discriminator")]
        num_classes, flags = config.pop("num_classes", None), config.pop("trainable_layers", None)
        if num_classes is not None and not hasattr(networks[0], "num_classes"):  # one that a user has assembled
            rows = {table.shape[0] for table in label_tables(networks[0])}
            if rows and rows != {num_classes}:
                told = ", ".join(map(str, sorted(rows)))
                raise ConfigError(f"`num_classes` must be that of tables of labels, {told}. Received: {num_classes}")
            networks[0].num_classes = num_classes
        pair = cls(*networks, **config)
        for network, trainable in zip(networks, flags or [[], []], strict=True):
            for layer, flag in zip(network._flatten_layers(), trainable, strict=bool(trainable)):
                layer.trainable = flag  # outer layers first, and so the inner ones have the last word
        return pair

    def save_own_variables(self, store: dict[str, Any]) -> None:
        for i, variable in enumerate(self._own_variables()):
            store[str(i)] = np.asarray(variable)

    def load_own_variables(self, store: dict[str, Any]) -> None:
        if "0" not in store:  # without it, what was trained would be taken for what never was
            raise ValueError("the file of a GAN must hold its step. Received: none")
        for i, variable in enumerate(self._own_variables()):
            if str(i) in store:
                variable.assign(store[str(i)])

    def _own_variables(self) -> list[keras.Variable]:
        """The variables of no layer, and the state of dropout, which Keras leaves out of its files."""
        weights = {id(weight) for weight in self.weights}
        seeds = [variable for variable in self.variables if id(variable) not in weights]
        return [*self._trainable_variables, *self._non_trainable_variables, *seeds]
