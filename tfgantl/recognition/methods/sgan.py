"""Semi-supervised learning with a GAN: the judge is the classifier, or its features are."""

from dataclasses import dataclass, replace
from typing import ClassVar

from tfgantl.recognition.method import Recognizer


@dataclass(frozen=True)
class SGAN(Recognizer):
    """The classifier is a judge too: an image is real as far as it looks like some class; G matches its features.

    The labelled images are those of the target, or of the source if there are none.

    Args:
        latent_dim: Length of the noise.
        unsupervised: Weight of the loss of real and generated images without labels.

    Reference:
        Salimans et al., 2016, https://arxiv.org/abs/1606.03498
    """

    latent_dim: int = 64
    unsupervised: float = 0.5

    family: ClassVar[str] = "semi-supervised"
    needs: ClassVar[tuple[str, ...]] = ("unlabelled",)

    def streams(self, problem):
        found = super().streams(problem)
        if "labelled" in found:
            found.pop("source", None)
        return found

    def networks(self, problem, model):
        from tfgantl.recognition.image_networks import latent_generator

        return {"generator": latent_generator(self.latent_dim, *problem.shape)}

    def step(self, model, batch):
        import tensorflow as tf

        target = batch["unlabelled"][0]
        generator = model.auxiliary_networks["generator"]

        def made():
            return generator(model.noise((tf.shape(target)[0], self.latent_dim)), training=True)

        fakes = made()

        def losses():
            # log Z is the logit of "real": K classes, and one more whose logit is 0.
            real = tf.reduce_logsumexp(model.classifier(target, training=True), 1)
            fake = tf.reduce_logsumexp(model.classifier(fakes, training=True), 1)
            unsupervised = tf.reduce_mean(tf.nn.softplus(real) - real) + tf.reduce_mean(tf.nn.softplus(fake))
            return {"task": model.supervised(batch), "judge": self.unsupervised * unsupervised}

        logs = model.minimize(losses, auxiliary=False)
        with tf.GradientTape() as tape:
            wanted, found = (tf.reduce_mean(model.embed(x), 0) for x in (target, made()))
            matching = tf.reduce_mean(tf.square(tf.stop_gradient(wanted) - found))
        model.update([generator], matching, tape)
        return {**logs, "matching": matching}

    def generate(self, model, problem, count):
        """Generated images, and what the classifier takes them for."""
        import numpy as np

        from tfgantl.images import to_uint8
        from tfgantl.models.inference import predict
        from tfgantl.recognition.selection import probabilities

        noise = np.random.default_rng(problem.seed).standard_normal((count, self.latent_dim), np.float32)
        made = to_uint8(predict(model.auxiliary_networks["generator"], noise))
        return made, probabilities(model, made).argmax(1)


@dataclass(frozen=True)
class DiscriminatorProbe(Recognizer):
    """Learns features without labels, as the discriminator of a GAN of the target, and a linear classifier on them.

    The classifier learns from the labelled target images, or from the source if there are none.

    Args:
        gan_steps: Training steps of the GAN.

    Reference:
        Radford et al., 2016, https://arxiv.org/abs/1511.06434
    """

    gan_steps: int = 600

    family: ClassVar[str] = "semi-supervised"
    needs: ClassVar[tuple[str, ...]] = ("unlabelled",)

    def fit(self, problem, title=None):
        from time import perf_counter

        import keras

        from tfgantl.recognition.methods.baselines import SourceOnly, TargetOnly
        from tfgantl.recognition.trainer import check_needs, train

        check_needs(self, problem)
        began = perf_counter()
        trunk = self.trunk(problem, title)

        def frozen(image_size, channels):
            copy = keras.models.clone_model(trunk)
            copy.set_weights(trunk.get_weights())
            for layer in copy.layers:
                layer.trainable = layer.name == "scale"
            return copy

        method = SourceOnly() if problem.labelled is None else TargetOnly()
        fitted = train(method, replace(problem, features=frozen), title)
        fitted.seconds = perf_counter() - began
        return fitted

    def trunk(self, problem, title):
        """Images → pooled maps of all blocks of a discriminator, each normalised to mean 0 and variance 1."""
        import keras
        from keras import layers

        from tfgantl.data.pipeline import batches
        from tfgantl.gan import GAN
        from tfgantl.models.dcgan import DCGANDiscriminator
        from tfgantl.progress import StepBar
        from tfgantl.recognition.image_networks import latent_generator

        keras.utils.set_random_seed(problem.seed)
        size, channels = problem.shape
        judge = DCGANDiscriminator(size, channels, (32, 64))
        gan = GAN(latent_generator(64, size, channels), judge, seed=problem.seed)
        gan.compile(keras.optimizers.Adam(2e-4, beta_1=0.5), keras.optimizers.Adam(2e-4, beta_1=0.5), r1=0.1)
        images = problem.unlabelled
        gan.fit(
            batches(images, min(problem.batch_size, images.size or problem.batch_size), problem.seed),
            steps_per_epoch=self.gan_steps, shuffle=False, verbose=0, callbacks=[StepBar(title)] if title else [],
        )  # fmt: skip
        blocks = [layer.output for layer in judge.layers if layer.name.endswith("_relu")]
        # About 4 x 4 places of each map are kept, as in the paper.
        pooled = [layers.Flatten()(layers.AveragePooling2D(max(1, x.shape[1] // 4))(x)) for x in blocks]
        # Normalised by the statistics of the target; these are measured as those of all classifiers are.
        x = layers.BatchNormalization(center=False, scale=False, name="scale")(layers.Concatenate()(pooled))
        return keras.Model(judge.inputs[0], x, name="features")
