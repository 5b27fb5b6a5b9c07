"""The GAN: the step that trains a generator and a discriminator against each other.

Reference:
    Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from inspect import signature
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl import losses, replicas
from tfgantl.averaging import update_average
from tfgantl.compilation import compile_arguments, compile_config, optimizer_for
from tfgantl.errors import ConfigError
from tfgantl.fit_inputs import Batch, check_inputs, check_unweighted, images_and_labels, telling_of_batches
from tfgantl.hooks import TrainStepHooks
from tfgantl.network_pair import NetworkPair
from tfgantl.private_step import PrivateGradients, private_step
from tfgantl.random_streams import StepStream, step_seeds
from tfgantl.rate_callbacks import with_both_rates
from tfgantl.regularizers import Regularizer
from tfgantl.running_means import RunningMeans
from tfgantl.shared_step import SharedStep


@keras.saving.register_keras_serializable(package="tfgantl")
class GAN(NetworkPair):
    """Trains a generator against a discriminator with `compile` and `fit`.

    `fit` takes images as arrays or as a `tf.data.Dataset`, alone or with labels, (n, height, width, channels): float32
    in [-1, 1], or integers in [0, 255], which are mapped. `evaluate` and `validation_data` give both losses without
    training; `predict(latents)` and `gan(latents)` give images of the averaged generator, `gan.save` and
    `keras.models.load_model` the whole state of a training.

    Freezing works at any time: set `trainable` on a network or a layer, and the next `fit` obeys. Each freezing
    pattern is traced once, and optimizer moments stay.

    Args:
        generator: Latents (batch, latent_dim) [, labels (batch,)] → images (batch, height, width, channels) in
            [-1, 1]. One that takes labels has an attribute `num_classes`.
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

    Raises:
        ConfigError: If a network ends in a sigmoid, or takes labels and has no `num_classes`.

    Example:
        >>> from tfgantl.images import to_unit
        >>> images = to_unit(HandwrittenDigits().load("train").take()[0])
        >>> gan = GAN(*DCGAN(filters=(64, 32, 16)).build(image_size=28, channels=1))
        >>> gan.compile("adam", "adam")
        >>> history = gan.fit(images, batch_size=25, epochs=1, verbose=0)
        >>> gan.generate(gan.latents(10)).shape
        (10, 28, 28, 1)
    """

    shared_step: SharedStep | None = None  # while it is taken
    asks_to_stop: Callable[[], bool] = staticmethod(lambda: False)  # whether this worker is to stop
    stopping = False  # whether one was, in the last step

    def compile(
        self,
        g_optimizer: str | keras.optimizers.Optimizer,
        d_optimizer: str | keras.optimizers.Optimizer,
        loss: str = "non_saturating",
        augment: Callable[..., tf.Tensor] | None = None,
        regularizers: Sequence[Regularizer] = (),
        r1: float = 0.0,
        r1_every: int = 16,
        gradient_penalty: float = 0.0,
        reuse_fakes: bool = False,
        transfer: TrainStepHooks | None = None,
        private: PrivateGradients | None = None,
        simultaneous: bool = False,
    ) -> None:
        """Sets how to train.

        Args:
            g_optimizer: Keras optimizer of the generator, or its name.
            d_optimizer: Keras optimizer of the discriminator, or its name.
            loss: Name of a pair in `tfgantl.losses.LOSSES`.
            augment: `DiffAugment`, `AdaptiveAugment`, or any callable of (images, seed), on all that the discriminator
                sees.
            regularizers: `Regularizer`s, such as `LeCam` or `PathLength`.
            r1: Weight gamma of the R1 penalty; 0 for none.
            r1_every: Steps between two R1 penalties, which are scaled up to make up for the others.
            gradient_penalty: Weight of the penalty of WGAN-GP; 0 for none.
            reuse_fakes: Whether the generator learns from the images that the discriminator has just been trained on,
                which saves one pass of it, instead of from fresh ones.
            transfer: A `Transfer`, whose hooks may change the step.
            private: Differential privacy of the real images. Penalties of real images, regularizers and adaptive
                augmentation must then be left out; `DifferentialPrivacy.check` says what else. Files do not keep it.
            simultaneous: Whether both networks learn from one pass of both, as in TensorFlow's tutorial, and neither
                has seen the update of the other, which saves a pass of the discriminator, too.

        Raises:
            ConfigError: If there is no such loss, or one optimizer is given for both networks.
        """
        if g_optimizer is d_optimizer and not isinstance(g_optimizer, str):
            raise ConfigError("`g_optimizer` and `d_optimizer` must be two objects: make one each. Received: the same")
        # Built on all weights, frozen or not, so that stages can change what is trained.
        g_optimizer = optimizer_for(g_optimizer, [self.generator, *self.g_adapters])
        # XLA is slower than the plain graph on a CPU.
        super().compile(optimizer=g_optimizer, jit_compile=False, auto_scale_loss=False)
        self.d_optimizer = optimizer_for(d_optimizer, [self.discriminator, *self.d_adapters])
        self.adversarial = losses.get(loss)
        self.loss_name = loss
        self.augment = augment
        self.r1, self.r1_every = r1, r1_every
        self.gradient_penalty = gradient_penalty
        self.reuse_fakes, self.simultaneous = reuse_fakes, simultaneous
        self.regularizers = [*regularizers, *([augment] if isinstance(augment, Regularizer) else [])]
        self.transfer = transfer or TrainStepHooks()
        if private is not None and (r1 or gradient_penalty or regularizers):
            raise ConfigError(
                "`r1`, `gradient_penalty` and `regularizers` must be left out with `private`, which looks at real "
                "images through its own gradients alone. Received: one of them"
            )
        if private is not None and simultaneous:
            raise ConfigError(
                "`simultaneous` must be false with `private`, which has a step of its own. Received: true"
            )
        self.private = private
        self.traces: dict[tuple[bool, ...], Callable] = {}
        self.test_means = RunningMeans("g_loss", "d_loss")

    @property
    def is_shared(self) -> bool:
        """Whether several replicas share its steps."""
        return self.distribute_strategy.num_replicas_in_sync > 1

    def train_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        reals, labels = images_and_labels(batch, self.num_classes)
        if self.private is not None:
            return private_step(self, reals, labels)
        batch_size = tf.shape(reals)[0]
        critic = partial(self.transfer.discriminator_logits, self, labels=labels)

        with tf.GradientTape() as g_tape:
            latents, fakes = self.draw(batch_size, labels, StepStream.D_LATENTS)

        # Train the discriminator to tell real images from generated ones, each in a pass of its own.
        shown = reals
        for regularizer in self.regularizers:
            shown = regularizer.mix(shown, fakes, self.seeds(StepStream.REGULARIZER))
        with tf.GradientTape() as d_tape:
            real_logits = critic(images=self.augmented(shown, StepStream.D_REAL))
            with g_tape if self.simultaneous else nullcontext():
                fake_logits = critic(images=self.augmented(fakes, StepStream.D_FAKE))
            d_loss = self.adversarial.discriminator(real_logits, fake_logits)
            d_total = d_loss + self.discriminator_penalty(critic, shown, fakes, labels, real_logits, fake_logits)
        update_discriminator = partial(
            self.apply, self.d_optimizer, [self.discriminator, *self.d_adapters], d_total, d_tape
        )
        if not self.simultaneous:
            update_discriminator()

        # Train the generator so that the discriminator takes its images for real: the same ones, or fresh ones.
        if not (self.reuse_fakes or self.simultaneous):
            with tf.GradientTape() as g_tape:
                latents, fakes = self.draw(batch_size, labels, StepStream.G_LATENTS)
        with g_tape:
            judged = fake_logits if self.simultaneous else critic(images=self.augmented(fakes, StepStream.G_FAKE))
            g_loss = self.adversarial.generator(judged)
            g_total = self.transfer.adversarial * g_loss
            g_total += self.transfer.reconstruction_loss(self, reals, labels, fakes)
            g_total += self.generator_penalty(latents, labels, fakes)
        self.apply(self.optimizer, [self.generator, *self.g_adapters], g_total, g_tape)
        if self.simultaneous:
            update_discriminator()

        self.follow()
        d_real, d_fake = (tf.reduce_mean(tf.cast(x, tf.float32)) for x in (real_logits > 0, fake_logits < 0))
        logs = {"g_loss": g_loss, "d_loss": d_loss, "d_real": d_real, "d_fake": d_fake}
        for regularizer in self.regularizers:
            logs |= regularizer.update(real_logits, fake_logits)
        return logs

    def in_every(
        self, period: int, then: Callable[[], tf.Tensor | float], otherwise: Callable[[], tf.Tensor | float]
    ) -> tf.Tensor | float:
        """What `then` gives in every `period`-th step, and what `otherwise` gives in the others."""
        if self.shared_step is not None:  # which has a graph for these steps, and one for the others
            return then() if self.shared_step.is_due(period) else otherwise()
        return tf.cond(self.step % period == 0, then, otherwise)

    def follow(self) -> None:
        """Keeps the averaged generator up to date, and counts the step."""
        update_average(self.ema_generator, self.generator, self.g_adapters, self.step, self.ema_decay)
        self.step.assign_add(1)

    def seeds(self, stream: StepStream) -> tf.Tensor:
        """Seed (2,) of one stream of this step."""
        return step_seeds(self.seed, stream, self.step)

    def noise(self, batch_size: tf.Tensor | int, stream: StepStream) -> tf.Tensor:
        """Latents (batch, latent_dim) of this step, as the transfer method wants them."""
        shape = (batch_size, self.latent_dim)
        noise = replicas.drawn(tf.random.stateless_normal, shape, self.seeds(stream))
        return self.transfer.latents(self, noise)

    def draw(
        self, batch_size: tf.Tensor | int, labels: tf.Tensor | None, stream: StepStream
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Latents of this step, and the images that the generator makes of them."""
        latents = self.noise(batch_size, stream)
        return latents, self.run_generator(latents, labels)

    def augmented(self, images: tf.Tensor, stream: StepStream) -> tf.Tensor:
        return images if self.augment is None else self.augment(images, self.seeds(stream))

    def generator_penalty(self, latents: tf.Tensor, labels: tf.Tensor | None, fakes: tf.Tensor) -> tf.Tensor | float:
        """Sum of all that is added to the adversarial loss of the generator."""
        total = self.transfer.generator_penalty(self, latents, labels, fakes)
        for regularizer in self.regularizers:
            total += regularizer.generator_penalty(self, latents, labels)
        return total

    def discriminator_penalty(
        self,
        critic: Callable[..., tf.Tensor],
        images: tf.Tensor,
        fakes: tf.Tensor,
        labels: tf.Tensor | None,
        real_logits: tf.Tensor,
        fake_logits: tf.Tensor,
    ) -> tf.Tensor:
        """Sum of all that is added to the adversarial loss of the discriminator."""
        augmented = self.augmented(images, StepStream.D_REAL)
        total = self.transfer.discriminator_penalty(self, images, labels)
        total += self.self_supervision(augmented, labels, self.seeds(StepStream.SELF_SUPERVISION))
        for regularizer in self.regularizers:
            total += regularizer.penalty(real_logits, fake_logits)
        if self.r1:
            # Lazily: only some steps pay for second derivatives.
            total += self.in_every(
                self.r1_every,
                lambda: self.r1 * self.r1_every * losses.r1_penalty(lambda x: critic(images=x), augmented),
                lambda: 0.0,
            )
        if self.gradient_penalty:
            shape = (tf.shape(images)[0], 1, 1, 1)
            mix = replicas.drawn(tf.random.stateless_uniform, shape, self.seeds(StepStream.D_MIX))
            fake = self.augmented(fakes, StepStream.D_FAKE)
            total += self.gradient_penalty * losses.gradient_penalty(lambda x: critic(images=x), augmented, fake, mix)
        return total

    def apply(
        self,
        optimizer: keras.optimizers.Optimizer,
        parts: Sequence[keras.layers.Layer],
        loss: tf.Tensor,
        tape: tf.GradientTape,
    ) -> None:
        """Updates what is trainable in a network and its adapters, if anything is."""
        weights = [w for part in parts for w in part.trainable_variables]
        if weights:
            scale = optimizer.scale_loss(tf.ones_like(loss))  # 1 but for float16
            if replicas.number() > 1:  # Keras adds their gradients up
                scale /= replicas.number()
            # What a branch of `tf.cond` that is not taken uses has a gradient of 0 in a graph; without one, too, as in
            # the graphs of a shared step, each of which has what is due.
            has_branches = not tf.executing_eagerly() and replicas.number() == 1
            unconnected = tf.UnconnectedGradients.NONE if has_branches else tf.UnconnectedGradients.ZERO
            gradients = tape.gradient(
                loss, [w.value for w in weights], output_gradients=scale, unconnected_gradients=unconnected
            )
            optimizer.apply(gradients, weights)

    def test_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Both losses for the averaged generator, with neither dropout nor augmentation; nothing changes."""
        reals, labels = images_and_labels(batch, self.num_classes)
        count = tf.shape(reals)[0]
        seeds = step_seeds(self.seed, StepStream.TEST_LATENTS, self.test_means.count)
        latents = tf.random.stateless_normal((count, self.latent_dim), seeds)
        fakes = self(self.inputs(latents, labels))
        real_logits, fake_logits = (self.discriminate(x, labels, training=False) for x in (reals, fakes))
        losses = self.adversarial.generator(fake_logits), self.adversarial.discriminator(real_logits, fake_logits)
        return self.test_means.update(losses, count)

    def reset_metrics(self) -> None:
        super().reset_metrics()
        self.test_means.reset()

    def make_train_function(self, force: bool = False) -> None:
        # A trace remembers what was trainable when it was made, so there is one for each pattern of freezing.
        pattern = tuple(layer.trainable for layer in self._flatten_layers())
        if self.is_shared and (force or pattern not in self.traces):
            self.traces[pattern] = SharedStep(self)
        elif force or pattern not in self.traces:
            super().make_train_function(force=True)
            self.traces[pattern] = self.train_function
        self.train_function: Any = self.traces[pattern]

    def _maybe_symbolic_build(self, *args: Any, **kwargs: Any) -> None:
        # Under a strategy Keras takes a batch off the data to find shapes, which are known here.
        pass

    def fit(
        self, x: Any = None, y: np.ndarray | tf.Tensor | None = None, *args: Any, **kwargs: Any
    ) -> keras.callbacks.History:
        """As `keras.Model.fit`; see the class for what it trains on.

        Raises:
            DataError: If images or labels do not fit the pair, or pixels are outside of [-1, 1].
        """
        self._check(x, y, first=self.steps_taken == 0)
        given = signature(super().fit).bind(x, y, *args, **kwargs).arguments
        check_unweighted(given.get("sample_weight"), given.get("class_weight"))
        if isinstance(given.get("validation_data"), tuple):
            images, labels, weights = keras.utils.unpack_x_y_sample_weight(given["validation_data"])
            self._check(images, labels, first=True)
            check_unweighted(weights)
        given["callbacks"] = with_both_rates(given.get("callbacks"))
        with telling_of_batches():
            return super().fit(**given)

    def evaluate(self, x: Any = None, y: np.ndarray | tf.Tensor | None = None, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.evaluate`: d_loss and g_loss of images that training has not seen."""
        if not kwargs.get("_use_cached_eval_dataset"):  # within `fit`, which has looked at it
            self._check(x, y, first=True)
            check_unweighted(signature(super().evaluate).bind(x, y, *args, **kwargs).arguments.get("sample_weight"))
        with telling_of_batches():
            return super().evaluate(x, y, *args, **kwargs)

    def _check(self, x: Any, y: np.ndarray | tf.Tensor | None, first: bool) -> None:
        if not self.compiled:
            raise ConfigError("a GAN must be compiled before it is trained: gan.compile('adam', 'adam'). Received: not")
        check_inputs(x, y, self.generator.output_shape[1:], self.num_classes, first)

    def get_compile_config(self) -> dict[str, Any]:
        # Keys of noise are in no file: what was trained with privacy must be compiled anew, and not go on without.
        return compile_config(self) if self.compiled and self.private is None else {}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**compile_arguments(config, self.rate_factor))
