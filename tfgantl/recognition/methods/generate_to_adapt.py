"""Generate to adapt: a generator conditioned on features provides the loss that aligns them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tfgantl.recognition.method import Recognizer

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from tfgantl.recognition.domain_classifier import DomainClassifier
    from tfgantl.recognition.method import Batch, Scalars
    from tfgantl.recognition.trainer import Trainer


@dataclass(frozen=True)
class GenerateToAdapt(Recognizer):
    """Trains features from which a generator can draw source-like images of the right class.

    Args:
        latent_dim: Length of the noise beside features and label.
        alpha: Weight of the adversarial loss of images generated from features, in the loss of the features.
        beta: Weight of the target's part of it, relative to `alpha`.

    Reference:
        Sankaranarayanan et al., 2018, https://arxiv.org/abs/1704.01705
    """

    latent_dim: int = 64
    alpha: float = 0.1
    beta: float = 0.3

    family: ClassVar[str] = "generated"
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")
    from_source: ClassVar[bool] = True

    def networks(self, model: "DomainClassifier", trainer: "Trainer") -> "dict[str, keras.Model]":
        from tfgantl.recognition.auxiliary_networks import image_discriminator, latent_generator

        inputs = trainer.task.num_classes + 1 + model.features.output_shape[-1] + self.latent_dim
        return {
            "generator": latent_generator(inputs, *trainer.task.shape),
            "discriminator": image_discriminator(*trainer.task.shape, trainer.task.num_classes + 1),
        }

    def generated(self, model: "DomainClassifier", features: "tf.Tensor", labels: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        noise = model.noise((tf.shape(features)[0], self.latent_dim))
        code = tf.one_hot(labels, model.head.output_shape[-1] + 1)
        return model.auxiliary_networks["generator"](tf.concat([code, features, noise], 1), training=True)

    def step(self, model: "DomainClassifier", batch: "Batch") -> "Scalars":
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy, domain_loss

        generator, discriminator = (model.auxiliary_networks[name] for name in ("generator", "discriminator"))
        (images, labels), target = batch["source"], batch["unlabelled"][0]
        unknown = tf.fill(tf.shape(target)[:1], model.head.output_shape[-1])  # one more class than there are

        def class_and_real_logits(x: "tf.Tensor", training: bool = True) -> "tuple[tf.Tensor, tf.Tensor]":
            logits = discriminator(x, training=training)[0]
            return logits[:, :-1], logits[:, -1:]

        source_features, target_features = model.embed(images), model.embed(target)
        fakes = self.generated(model, source_features, labels)
        target_fakes = self.generated(model, target_features, unknown)
        with tf.GradientTape() as tape:
            classes, real = class_and_real_logits(images)
            d_loss = cross_entropy(labels, classes) + domain_loss(real, 1.0)
            d_loss += domain_loss(class_and_real_logits(fakes)[1], 0.0)
            d_loss += domain_loss(class_and_real_logits(target_fakes)[1], 0.0)
        model.update([discriminator], d_loss, tape)
        with tf.GradientTape() as tape:
            classes, real = class_and_real_logits(self.generated(model, source_features, labels), False)
            g_loss = cross_entropy(labels, classes) + domain_loss(real, 1.0)
        model.update([generator], g_loss, tape)
        with tf.GradientTape() as tape:
            features = model.embed(images)
            task = cross_entropy(labels, model.head(features))
            task += model.on_labelled(batch)
            classes = class_and_real_logits(self.generated(model, features, labels), False)[0]
            real = class_and_real_logits(self.generated(model, model.embed(target), unknown), False)[1]
            adversarial = cross_entropy(labels, classes) + self.beta * domain_loss(real, 1.0)
            total = task + self.alpha * adversarial
        model.update([model.classifier], total, tape)
        return {"loss": total, "task": task, "adversarial": adversarial, "d_loss": d_loss, "g_loss": g_loss}

    def generate(self, model: "DomainClassifier", trainer: "Trainer", count: int) -> "tuple[np.ndarray, np.ndarray]":
        """Images generated from target features, labelled by the predictions of the classifier."""
        import numpy as np

        from tfgantl.images import to_uint8
        from tfgantl.models.inference import predict, predict_pixels

        images = trainer.target_pool[:count]
        features = predict_pixels(model.features, images)
        classes = trainer.task.num_classes
        code = np.eye(classes + 1, dtype=np.float32)[np.full(len(images), classes)]
        noise = np.random.default_rng(trainer.task.seed).standard_normal((len(images), self.latent_dim), np.float32)
        generated = predict(model.auxiliary_networks["generator"], np.concatenate([code, features, noise], 1))
        return to_uint8(generated), predict(model.head, features).argmax(1)
