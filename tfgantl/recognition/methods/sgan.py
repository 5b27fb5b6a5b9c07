"""Semi-supervised learning with a GAN: its discriminator is the classifier, or provides the features."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, cast

from tfgantl.recognition.method import Recognizer
from tfgantl.recognition.methods.baselines import SourceOnly, TargetOnly

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from tfgantl.data import Examples
    from tfgantl.recognition.domain_classifier import DomainClassifier
    from tfgantl.recognition.fitted import Fitted
    from tfgantl.recognition.method import Batch, Scalars
    from tfgantl.recognition.trainer import Trainer


@dataclass(frozen=True)
class SGAN(Recognizer):
    """Makes the classifier a discriminator too, to which generated images are one more class; G matches its features.

    The labelled images are those of the target, or of the source if there are none.

    Args:
        latent_dim: Length of the noise.
        unsupervised: Weight of the loss that tells unlabelled from generated images.

    Reference:
        Salimans et al., 2016, https://arxiv.org/abs/1606.03498
    """

    latent_dim: int = 64
    unsupervised: float = 0.5

    family: ClassVar[str] = "semi-supervised"
    needs: ClassVar[tuple[str, ...]] = ("unlabelled",)

    def streams(self, trainer: "Trainer") -> "dict[str, Examples]":
        parts = super().streams(trainer)
        if "labelled" in parts:
            parts.pop("source", None)
        return parts

    def networks(self, model: "DomainClassifier", trainer: "Trainer") -> "dict[str, keras.Model]":
        from tfgantl.recognition.auxiliary_networks import latent_generator

        return {"generator": latent_generator(self.latent_dim, *trainer.task.shape)}

    def step(self, model: "DomainClassifier", batch: "Batch") -> "Scalars":
        import tensorflow as tf

        target = batch["unlabelled"][0]
        generator = model.auxiliary_networks["generator"]

        def generated() -> "tf.Tensor":
            return generator(model.noise((tf.shape(target)[0], self.latent_dim)), training=True)

        fakes = generated()

        def losses() -> "Scalars":
            # log Z is the logit of "real": K classes, and one more whose logit is 0.
            real = tf.reduce_logsumexp(model.classifier(target, training=True), 1)
            fake = tf.reduce_logsumexp(model.classifier(fakes, training=True), 1)
            unsupervised = tf.reduce_mean(tf.nn.softplus(real) - real) + tf.reduce_mean(tf.nn.softplus(fake))
            return {"task": model.supervised(batch), "unsupervised": self.unsupervised * unsupervised}

        logs = model.minimize(losses, auxiliary=False)
        with tf.GradientTape() as tape:
            real_mean, fake_mean = (tf.reduce_mean(model.embed(x), 0) for x in (target, generated()))
            feature_matching = tf.reduce_mean(tf.square(tf.stop_gradient(real_mean) - fake_mean))
        model.update([generator], feature_matching, tape)
        return {**logs, "feature_matching": feature_matching}

    def generate(self, model: "DomainClassifier", trainer: "Trainer", count: int) -> "tuple[np.ndarray, np.ndarray]":
        """Generated images, labelled by the predictions of the classifier."""
        import numpy as np

        from tfgantl.images import to_uint8
        from tfgantl.models.inference import predict
        from tfgantl.recognition.selection import probabilities

        noise = np.random.default_rng(trainer.task.seed).standard_normal((count, self.latent_dim), np.float32)
        images = to_uint8(predict(model.auxiliary_networks["generator"], noise))
        return images, probabilities(model, images).argmax(1)


@dataclass(frozen=True)
class DiscriminatorProbe(Recognizer):
    """Trains a linear classifier on the features of the discriminator of an unconditional GAN of the target.

    The classifier learns from the labelled target images, or from the source if there are none.

    Args:
        gan_steps: Training steps of the GAN.

    Reference:
        Radford et al., 2016, https://arxiv.org/abs/1511.06434
    """

    gan_steps: int = 600

    family: ClassVar[str] = "semi-supervised"
    needs: ClassVar[tuple[str, ...]] = ("unlabelled",)

    def fit(self, trainer: "Trainer", title: str | None = None) -> "Fitted":
        import keras

        from tfgantl.models.copies import assign_weights

        trunk = self.trunk(trainer, title)

        def frozen(image_size: int, channels: int) -> "keras.Model":
            copy = keras.models.clone_model(trunk)
            assign_weights(copy, trunk.get_weights())
            for layer in copy.layers:
                layer.trainable = layer.name == "scale"
            return copy

        method = SourceOnly() if trainer.task.labelled is None else TargetOnly()
        return trainer.replace(features=frozen).train(method, title)

    def trunk(self, trainer: "Trainer", title: str | None) -> "keras.Model":
        """Images → pooled maps of all blocks of a discriminator, each normalised to mean 0 and variance 1."""
        import keras
        from keras import layers

        from tfgantl.data.pipeline import batches
        from tfgantl.gan import GAN
        from tfgantl.models.blocks import block_features
        from tfgantl.models.dcgan import DCGANDiscriminator
        from tfgantl.optimizers import Adam
        from tfgantl.recognition.auxiliary_networks import latent_generator
        from tfgantl.step_bar import StepBar

        task = trainer.task
        keras.utils.set_random_seed(task.seed)
        size, channels = task.shape
        discriminator = DCGANDiscriminator(size, channels, (32, 64))
        gan = GAN(latent_generator(64, size, channels), discriminator, seed=task.seed)
        gan.compile(Adam(2e-4, beta_1=0.5), Adam(2e-4, beta_1=0.5), r1=0.1)
        images = cast("Examples", task.unlabelled)  # as `needs` says
        gan.fit(
            batches(images, min(task.batch_size, images.size or task.batch_size), task.seed),
            steps_per_epoch=self.gan_steps, shuffle=False, verbose=0, callbacks=[StepBar(title)] if title else [],
        )  # fmt: skip
        blocks = block_features(discriminator).outputs
        # Each map is pooled to about 4 x 4, as in the paper.
        pooled = [layers.Flatten()(layers.AveragePooling2D(max(1, x.shape[1] // 4))(x)) for x in blocks]
        # Normalised by the statistics of the target; these are measured as those of all classifiers are.
        x = layers.BatchNormalization(center=False, scale=False, name="scale")(layers.Concatenate()(pooled))
        return keras.Model(discriminator.inputs[0], x, name="features")
