"""Image translation: labelled source images are translated to the target domain and trained on."""

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
class PixelDA(Recognizer):
    """Translates source images, with noise, to the look of the target; the classifier learns from both.

    Args:
        latent_dim: Length of the noise.
        realism: Weight of the adversarial loss of the translator.
        task: Weight of the cross-entropy in the loss of the translator, which preserves labels.

    Reference:
        Bousmalis et al., 2017, https://arxiv.org/abs/1612.05424
    """

    latent_dim: int = 16
    realism: float = 1.0
    task: float = 1.0

    family: ClassVar[str] = "generated"
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")
    from_source: ClassVar[bool] = True

    def networks(self, model: "DomainClassifier", trainer: "Trainer") -> "dict[str, keras.Model]":
        from tfgantl.recognition.auxiliary_networks import image_discriminator, translator

        return {
            "translator": translator(*trainer.task.shape, self.latent_dim),
            "discriminator": image_discriminator(*trainer.task.shape, 1),
        }

    def translated(self, model: "DomainClassifier", images: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        return model.auxiliary_networks["translator"]([images, model.noise((tf.shape(images)[0], self.latent_dim))])

    def step(self, model: "DomainClassifier", batch: "Batch") -> "Scalars":
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy, domain_loss

        discriminator, translator = (model.auxiliary_networks[name] for name in ("discriminator", "translator"))
        (images, labels), target = batch["source"], batch["unlabelled"][0]
        fakes = self.translated(model, images)
        with tf.GradientTape() as tape:
            d_loss = domain_loss(discriminator(target, training=True)[0], 1.0)
            d_loss += domain_loss(discriminator(fakes, training=True)[0], 0.0)
        model.update([discriminator], d_loss, tape)
        with tf.GradientTape() as tape:
            translated = self.translated(model, images)
            g_loss = domain_loss(discriminator(translated, training=False)[0], 1.0)
            label_loss = cross_entropy(labels, model.classifier(translated, training=True))
            total = self.realism * g_loss + self.task * label_loss
        model.update([translator], total, tape)

        def classify() -> "Scalars":
            return {"task": model.supervised(batch), "translated": model.supervised({"fakes": (fakes, labels)})}

        logs = model.minimize(classify, auxiliary=False)
        return {**logs, "d_loss": d_loss, "g_loss": g_loss}

    def generate(self, model: "DomainClassifier", trainer: "Trainer", count: int) -> "tuple[np.ndarray, np.ndarray]":
        """Translated source images uint8 (count, side, side, channels), and their labels."""
        import numpy as np
        import tensorflow as tf

        from tfgantl.images import to_uint8, to_unit
        from tfgantl.recognition.task import with_labels

        images, labels = with_labels(trainer.task.source, count)
        parts = [images[start : start + 256] for start in range(0, len(images), 256)]
        translated = [self.translated(model, tf.constant(to_unit(part))).numpy() for part in parts]
        return to_uint8(np.concatenate(translated)), labels


@dataclass(frozen=True)
class CyCADA(Recognizer):
    """Translates both ways with cycle consistency and semantic consistency, and aligns features.

    Args:
        cycle: Weight of the cycle loss, the mean absolute difference after a translation there and back.
        semantic: Weight of the semantic loss: the frozen source classifier must predict the same before and after.
        features: Factor of the reversed gradient of a domain discriminator on features; 0 for pixels only.

    Reference:
        Hoffman et al., 2018, https://arxiv.org/abs/1711.03213
    """

    cycle: float = 10.0
    semantic: float = 1.0
    features: float = 0.3

    family: ClassVar[str] = "generated"
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")
    from_source: ClassVar[bool] = True

    def networks(self, model: "DomainClassifier", trainer: "Trainer") -> "dict[str, keras.Model]":
        from tfgantl.recognition.auxiliary_networks import (
            domain_discriminator,
            frozen_copy,
            image_discriminator,
            translator,
        )

        shape = trainer.task.shape
        # Layers keep their names: TensorFlow orders sums of a graph by them, and equal seeds are to give equal results.
        return {
            "to_target": translator(*shape, blocks=2, name="there"),
            "to_source": translator(*shape, blocks=2, name="back"),
            "d_target": image_discriminator(*shape, 1, name="judge_target"),
            "d_source": image_discriminator(*shape, 1, name="judge_source"),
            "source": frozen_copy(trainer.source_model().classifier),
            "domain": domain_discriminator(model.features.output_shape[-1]),
        }

    def step(self, model: "DomainClassifier", batch: "Batch") -> "Scalars":
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy, domain_loss, reverse_gradient

        nets = model.auxiliary_networks
        (images, labels), target = batch["source"], batch["unlabelled"][0]
        target_fakes, source_fakes = nets["to_target"](images), nets["to_source"](target)

        def least_squares(network: "keras.Model", x: "tf.Tensor", label: float, training: bool = True) -> "tf.Tensor":
            return tf.reduce_mean(tf.square(network(x, training=training)[0] - label))

        with tf.GradientTape() as tape:
            d_loss = sum(
                least_squares(nets[name], x, label)
                for name, real, fake in (("d_target", target, target_fakes), ("d_source", images, source_fakes))
                for x, label in ((real, 1.0), (fake, 0.0))
            )
        model.update([nets["d_target"], nets["d_source"]], d_loss, tape)

        with tf.GradientTape() as tape:
            translated, reverse = nets["to_target"](images), nets["to_source"](target)
            g_loss = least_squares(nets["d_target"], translated, 1.0, False)
            g_loss += least_squares(nets["d_source"], reverse, 1.0, False)
            cycle_loss = tf.reduce_mean(tf.abs(nets["to_source"](translated) - images))
            cycle_loss += tf.reduce_mean(tf.abs(nets["to_target"](reverse) - target))
            # The source classifier must predict the same class of a target image and of its translation.
            predicted = tf.argmax(nets["source"](target, training=False), 1)
            semantic_loss = cross_entropy(labels, nets["source"](translated, training=False))
            semantic_loss += cross_entropy(predicted, nets["source"](reverse, training=False))
            total = g_loss + self.cycle * cycle_loss + self.semantic * semantic_loss
        model.update([nets["to_target"], nets["to_source"]], total, tape)

        def classify() -> "Scalars":
            embedded = model.embed(target_fakes)
            terms = {"task": cross_entropy(labels, model.head(embedded))}
            terms["target"] = model.on_labelled(batch)
            if self.features:
                sides = ((embedded, 1.0), (model.embed(target), 0.0))
                strength = self.features * model.progress
                terms["domain_loss"] = tf.add_n([
                    domain_loss(nets["domain"](reverse_gradient(x, strength), training=True), y) for x, y in sides
                ])  # fmt: skip
            return terms

        with tf.GradientTape() as tape:
            terms = classify()
            loss = tf.add_n(list(terms.values()))
        model.update([model.classifier, nets["domain"]], loss, tape)
        return {
            "loss": loss, **terms, "d_loss": d_loss, "g_loss": g_loss, "cycle_loss": cycle_loss,
            "semantic_loss": semantic_loss,
        }  # fmt: skip

    def generate(self, model: "DomainClassifier", trainer: "Trainer", count: int) -> "tuple[np.ndarray, np.ndarray]":
        """Translated source images, as in `PixelDA`."""
        from tfgantl.images import to_uint8
        from tfgantl.models.inference import predict_pixels
        from tfgantl.recognition.task import with_labels

        images, labels = with_labels(trainer.task.source, count)
        translated = predict_pixels(model.auxiliary_networks["to_target"], images)
        return to_uint8(translated), labels
