"""The GAN: a generator and a discriminator, the step that trains them, and the averaged generator that is kept.

Reference:
    Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661
"""

import keras
import numpy as np
import tensorflow as tf

from tfgantl import losses
from tfgantl.hooks import TrainStepHooks
from tfgantl.models import presets
from tfgantl.models.adapters.base import Adapter, effective_weights, run
from tfgantl.models.batch_norm import recalibrate_batch_norm
from tfgantl.models.copies import float32_copy
from tfgantl.regularizers import Regularizer

# Streams of random numbers within one step; equal (seed, stream, step) give equal numbers.
D_LATENTS, D_REAL, D_FAKE, D_MIX, G_LATENTS, G_FAKE, PENALTY, REGULARIZER = range(8)


@keras.saving.register_keras_serializable(package="tfgantl")
class GAN(keras.Model):
    """Trains a generator against a discriminator with `compile` and `fit`.

    Freezing works at any time: set `trainable` on a network or a layer, and the next `fit` obeys. Each freezing
    pattern is traced once, and optimizer moments stay.

    Args:
        generator: Latents (batch, latent_dim) [, labels (batch,)] → images (batch, height, width, channels) in
            [-1, 1].
        discriminator: Images [, labels] → logits (batch, 1).
        ema_decay: Share of the old average that a step keeps in `ema_generator`.
        seed: All random numbers of a step follow from it and from `step`.

    Attributes:
        ema_generator: Float32 generator with averaged weights: the one to evaluate and to export.
        g_adapters: Adapters of the generator. The averaged generator has them merged.
        d_adapters: Adapters of the discriminator.
        method_state: Layer in which a transfer method keeps what it must remember, or `None`.
        step: Number of training steps taken.
        rate_factor: What learning rates are multiplied by; below 1 after training has diverged.

    Example:
        >>> gan = GAN(*DCGAN(filters=(64, 32, 16)).build(image_size=28, channels=1))
        >>> gan.compile(keras.optimizers.Adam(1e-4, beta_1=0.5), keras.optimizers.Adam(1e-4, beta_1=0.5))
        >>> data = batches(HandwrittenDigits().load("train"), 4, seed=0)
        >>> history = gan.fit(data, steps_per_epoch=2, shuffle=False, verbose=0)
        >>> gan.generate(gan.latents(10)).shape
        (10, 28, 28, 1)
    """

    def __init__(self, generator, discriminator, ema_decay: float = 0.995, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.generator = generator
        self.discriminator = discriminator
        self.ema_decay = ema_decay
        self.seed = seed
        self.ema_generator = float32_copy(generator)
        self.ema_generator.trainable = False
        self.g_adapters: list[Adapter] = []
        self.d_adapters: list[Adapter] = []
        self.method_state: keras.layers.Layer | None = None
        self.step = self.add_weight(name="step", shape=(), dtype="int32", initializer="zeros", trainable=False)
        self.rate_factor = self.add_weight(name="rate_factor", shape=(), initializer="ones", trainable=False)
        self.built = True

    @classmethod
    def from_preset(cls, name: str) -> "GAN":
        """Loads a shipped pair, such as `rendered-digits`.

        Raises:
            ArtifactError: If there is no such preset.
        """
        return cls(*presets.load_preset(name))

    def compile(
        self,
        g_optimizer,
        d_optimizer,
        loss: str = "non_saturating",
        augment=None,
        regularizers=(),
        r1: float = 0.0,
        r1_every: int = 16,
        gradient_penalty: float = 0.0,
        transfer: TrainStepHooks | None = None,
    ):
        """Sets how to train.

        Args:
            g_optimizer: Keras optimizer of the generator.
            d_optimizer: Keras optimizer of the discriminator.
            loss: Name of a pair in `tfgantl.losses.LOSSES`.
            augment: `DiffAugment`, `AdaptiveAugment`, or any callable of (images, seed), on all that the discriminator
                sees.
            regularizers: `Regularizer`s, such as `LeCam`.
            r1: Weight gamma of the R1 penalty; 0 for none.
            r1_every: Steps between two R1 penalties, which are scaled up to make up for the others.
            gradient_penalty: Weight of the penalty of WGAN-GP; 0 for none.
            transfer: A `Transfer`, whose hooks may change the step.
        """
        super().compile(optimizer=g_optimizer, jit_compile=False)  # XLA is slower than the plain graph on a CPU
        self.d_optimizer = d_optimizer
        self.adversarial = losses.get(loss)
        self.augment = augment
        self.r1, self.r1_every = r1, r1_every
        self.gradient_penalty = gradient_penalty
        self.regularizers = [*regularizers, *([augment] if isinstance(augment, Regularizer) else [])]
        self.transfer = transfer or TrainStepHooks()
        self.traces = {}
        # Built on all weights, frozen or not, so that stages can change what is trained.
        for optimizer, parts in (
            (g_optimizer, [self.generator, *self.g_adapters]),
            (d_optimizer, [self.discriminator, *self.d_adapters]),
        ):
            if not optimizer.built:
                layers = [layer for part in parts for layer in part._flatten_layers()]
                optimizer.build([v for layer in layers for v in layer._trainable_variables])

    def train_step(self, batch):
        images = batch[0]
        targets, labels = images, batch[1] if self.num_classes is not None else None
        batch_size = tf.shape(images)[0]

        # Train the discriminator to tell real images from generated ones, each in a pass of its own.
        fakes = self.run_generator(self.noise(batch_size, D_LATENTS), labels)
        for regularizer in self.regularizers:
            images = regularizer.mix(images, fakes, self.seeds(REGULARIZER))
        with tf.GradientTape() as tape:
            real_logits = self.discriminator_logits(self.augmented(images, D_REAL), labels)
            fake_logits = self.discriminator_logits(self.augmented(fakes, D_FAKE), labels)
            d_loss = self.adversarial.discriminator(real_logits, fake_logits)
            d_total = d_loss + self.discriminator_penalty(images, fakes, labels, real_logits, fake_logits)
        self.apply(self.d_optimizer, [self.discriminator, *self.d_adapters], d_total, tape)

        # Train the generator so that the discriminator takes its images for real.
        with tf.GradientTape() as tape:
            latents = self.noise(batch_size, G_LATENTS)
            fakes = self.run_generator(latents, labels)
            g_loss = self.adversarial.generator(self.discriminator_logits(self.augmented(fakes, G_FAKE), labels))
            g_total = self.transfer.adversarial * g_loss + self.transfer.reconstruction_loss(
                self, targets, labels, fakes
            )
            g_total += self.transfer.generator_penalty(self, latents, labels, fakes)
        self.apply(self.optimizer, [self.generator, *self.g_adapters], g_total, tape)

        # Keep the averaged generator up to date.
        self.update_ema()
        self.step.assign_add(1)
        logs = {
            "g_loss": g_loss,
            "d_loss": d_loss,
            "d_real": tf.reduce_mean(tf.cast(real_logits > 0, tf.float32)),
            "d_fake": tf.reduce_mean(tf.cast(fake_logits < 0, tf.float32)),
        }
        for regularizer in self.regularizers:
            logs |= regularizer.update(real_logits, fake_logits)
        return logs

    def inputs(self, first, labels):
        """What a network is called with: images or latents alone, or together with labels."""
        return first if labels is None else [first, labels]

    def run_generator(self, latents, labels):
        """Images of the generator as it is trained, with its adapters."""
        return run(self.generator, self.inputs(latents, labels), self.g_adapters)

    def discriminate(self, images, labels, training=True):
        """Float32 logits of the discriminator, with its adapters."""
        return run(self.discriminator, self.inputs(images, labels), self.d_adapters, training)

    def score(self, images, labels=None, batch_size: int = 256) -> np.ndarray:
        """Logits (n,) of the discriminator, as it is outside of training.

        Args:
            images: float32 (n, height, width, channels) in [-1, 1], not augmented.
            labels: int (n,) for a conditional discriminator.
            batch_size: Images at a time; does not change the result.
        """
        parts = []
        for start in range(0, len(images), batch_size):
            some = slice(start, start + batch_size)
            known = None if labels is None else tf.constant(labels[some])
            logits = self.discriminate(tf.constant(images[some]), known, training=False)
            parts.append(logits.numpy()[:, 0])
        return np.concatenate(parts)

    def discriminator_logits(self, images, labels):
        """Float32 logits, as the transfer method wants them, of images that are already augmented."""
        return self.transfer.discriminator_logits(self, images, labels)

    def seeds(self, stream: int):
        """Seed (2,) of one stream of this step."""
        return tf.stack([tf.constant(self.seed * 100 + stream, tf.int64), tf.cast(self.step, tf.int64)])

    def noise(self, batch_size, stream):
        noise = tf.random.stateless_normal((batch_size, self.latent_dim), self.seeds(stream))
        return self.transfer.latents(self, noise)

    def augmented(self, images, stream):
        return images if self.augment is None else self.augment(images, self.seeds(stream))

    @property
    def latent_dim(self) -> int:
        latents = self.generator.inputs[0]
        return latents.shape[-1]

    @property
    def num_classes(self) -> int | None:
        """Number of classes of a conditional pair, else `None`."""
        return getattr(self.generator, "num_classes", None)

    def discriminator_penalty(self, images, fakes, labels, real_logits, fake_logits):
        """Sum of all that is added to the adversarial loss of the discriminator."""
        total = self.transfer.discriminator_penalty(self, images, labels)
        for regularizer in self.regularizers:
            total += regularizer.penalty(real_logits, fake_logits)
        if self.r1:
            # Lazily: only some steps pay for second derivatives.
            augmented = self.augmented(images, D_REAL)
            total += tf.cond(
                self.step % self.r1_every == 0,
                lambda: (
                    self.r1
                    * self.r1_every
                    * losses.r1_penalty(lambda x: self.discriminator_logits(x, labels), augmented)
                ),
                lambda: 0.0,
            )
        if self.gradient_penalty:
            mix = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), self.seeds(D_MIX))
            real, fake = self.augmented(images, D_REAL), self.augmented(fakes, D_FAKE)
            total += self.gradient_penalty * losses.gradient_penalty(
                lambda x: self.discriminator_logits(x, labels), real, fake, mix
            )
        return total

    def apply(self, optimizer, parts, loss, tape):
        """Updates what is trainable in a network and its adapters, if anything is."""
        weights = [w for part in parts for w in part.trainable_variables]
        if weights:
            optimizer.apply(tape.gradient(loss, [w.value for w in weights]), weights)

    def update_ema(self):
        step = tf.cast(self.step, tf.float32)
        decay = tf.minimum(self.ema_decay, (1.0 + step) / (10.0 + step))  # follows closely at first
        adapted = effective_weights(self.generator, self.g_adapters)
        for average, live in zip(self.ema_generator.variables, self.generator.variables, strict=True):
            if live.dtype == "float32":
                average.assign(average * decay + adapted.get(live.path, live) * (1.0 - decay))

    def make_train_function(self, force=False):
        # A trace remembers what was trainable when it was made, so there is one for each pattern of freezing.
        pattern = tuple(layer.trainable for layer in self._flatten_layers())
        if force or pattern not in self.traces:
            super().make_train_function(force=True)
            self.traces[pattern] = self.train_function
        self.train_function = self.traces[pattern]

    def latents(self, count: int, seed: int = 0) -> np.ndarray:
        """Standard normal noise (count, latent_dim), float32; row i depends on (seed, i) only."""
        rng = np.random.default_rng([seed, 11])
        return rng.standard_normal((count, self.latent_dim), np.float32)

    def generate(self, latents, labels=None, batch_size: int = 256) -> np.ndarray:
        """Images of the averaged generator.

        Args:
            latents: float32 (n, latent_dim).
            labels: int (n,) for a conditional generator.
            batch_size: Images at a time; does not change the result.

        Returns:
            float32 (n, height, width, channels) in [-1, 1].
        """
        inputs = self.inputs(latents, labels)
        return self.ema_generator.predict(inputs, batch_size=batch_size, verbose=0)

    def recalibrate_batch_norm(self, batches: int = 16, batch_size: int = 128):
        """Measures the BatchNorm statistics of the averaged generator anew; always before it is looked at."""
        latents = self.latents(batches * batch_size, seed=self.seed + 1).reshape(batches, batch_size, -1)
        labels = None if self.num_classes is None else tf.range(batch_size) % self.num_classes
        inputs = [self.inputs(tf.constant(some), labels) for some in latents]
        recalibrate_batch_norm(self.ema_generator, self.generator, inputs)

    def get_config(self):
        return {
            **super().get_config(),
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "ema_decay": self.ema_decay,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        networks = {k: keras.saving.deserialize_keras_object(config.pop(k)) for k in ("generator", "discriminator")}
        return cls(**networks, **config)
