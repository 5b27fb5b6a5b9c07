"""Features that a generator can make images of the right class from."""

from dataclasses import dataclass
from typing import ClassVar

from tfgantl.recognition.method import Recognizer


@dataclass(frozen=True)
class GenerateToAdapt(Recognizer):
    """Features must be what a generator can make source-like images of the right class from.

    Args:
        latent_dim: Length of the noise beside features and label.
        alpha: Weight of what the judge says of images made from source features, in the loss of the features.
        beta: Weight of the same for the target, relative to `alpha`.

    Reference:
        Sankaranarayanan et al., 2018, https://arxiv.org/abs/1704.01705
    """

    latent_dim: int = 64
    alpha: float = 0.1
    beta: float = 0.3

    family: ClassVar[str] = "generated"
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")
    from_source: ClassVar[bool] = True

    def networks(self, problem, model):
        from tfgantl.recognition.image_networks import image_judge, latent_generator

        inputs = problem.num_classes + 1 + model.features.output_shape[-1] + self.latent_dim
        return {
            "generator": latent_generator(inputs, *problem.shape),
            "judge": image_judge(*problem.shape, problem.num_classes + 1),
        }

    def made(self, model, features, labels):
        import tensorflow as tf

        noise = model.noise((tf.shape(features)[0], self.latent_dim))
        code = tf.one_hot(labels, model.head.output_shape[-1] + 1)
        return model.auxiliary_networks["generator"](tf.concat([code, features, noise], 1), training=True)

    def step(self, model, batch):
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy, domain_loss

        generator, judge = model.auxiliary_networks["generator"], model.auxiliary_networks["judge"]
        (images, labels), target = batch["source"], batch["unlabelled"][0]
        nobody = tf.fill(tf.shape(target)[:1], model.head.output_shape[-1])  # the code of the unknown class

        def judged(x, training=True):
            said = judge(x, training=training)[0]
            return said[:, :-1], said[:, -1:]  # classes, real

        known, unknown = model.embed(images), model.embed(target)
        fakes, others = self.made(model, known, labels), self.made(model, unknown, nobody)
        with tf.GradientTape() as tape:
            classes, real = judged(images)
            told = cross_entropy(labels, classes) + domain_loss(real, 1.0)
            told += domain_loss(judged(fakes)[1], 0.0) + domain_loss(judged(others)[1], 0.0)
        model.update([judge], told, tape)
        with tf.GradientTape() as tape:
            classes, real = judged(self.made(model, known, labels), False)
            fooled = cross_entropy(labels, classes) + domain_loss(real, 1.0)
        model.update([generator], fooled, tape)
        with tf.GradientTape() as tape:
            features = model.embed(images)
            task = cross_entropy(labels, model.head(features))
            task += model.on_labelled(batch)
            classes = judged(self.made(model, features, labels), False)[0]
            real = judged(self.made(model, model.embed(target), nobody), False)[1]
            alike = cross_entropy(labels, classes) + self.beta * domain_loss(real, 1.0)
            total = task + self.alpha * alike
        model.update([model.classifier], total, tape)
        return {"loss": total, "task": task, "alike": alike, "judge": told, "fooled": fooled}

    def generate(self, model, problem, count):
        """Images made from target features, and what the classifier takes the targets for."""
        import numpy as np

        from tfgantl.images import to_uint8, to_unit
        from tfgantl.models.inference import predict

        images = problem.target_pool[:count]
        features = predict(model.features, to_unit(images))
        classes = problem.num_classes
        code = np.eye(classes + 1, dtype=np.float32)[np.full(len(images), classes)]
        noise = np.random.default_rng(problem.seed).standard_normal((len(images), self.latent_dim), np.float32)
        made = predict(model.auxiliary_networks["generator"], np.concatenate([code, features, noise], 1))
        return to_uint8(made), predict(model.head, features).argmax(1)
