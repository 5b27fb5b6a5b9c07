"""Feature-based methods with an adversary: a domain discriminator, or a second head."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tfgantl.errors import check_at_least
from tfgantl.recognition.method import Recognizer

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from tfgantl.recognition.domain_classifier import DomainClassifier
    from tfgantl.recognition.method import Batch, Scalars
    from tfgantl.recognition.trainer import Trainer


@dataclass(frozen=True)
class DANN(Recognizer):
    """Trains features that a domain discriminator cannot tell apart, by a reversed gradient.

    Args:
        strength: What the factor of the reversed gradient grows to, along 2 / (1 + exp(-10 p)) - 1.

    Reference:
        Ganin et al., 2016, https://arxiv.org/abs/1505.07818
    """

    strength: float = 1.0

    family: ClassVar[str] = "feature"
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")

    def networks(self, model: "DomainClassifier", trainer: "Trainer") -> "dict[str, keras.Model]":
        from tfgantl.recognition.auxiliary_networks import domain_discriminator

        return {"domain": domain_discriminator(model.features.output_shape[-1])}

    def losses(self, model: "DomainClassifier", batch: "Batch") -> "Scalars":
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy, domain_loss, reverse_gradient

        strength = self.strength * (2.0 / (1.0 + tf.exp(-10.0 * model.progress)) - 1.0)
        images, labels = batch["source"]
        source, target = model.embed(images), model.embed(batch["unlabelled"][0])
        task = cross_entropy(labels, model.head(source))
        task += model.on_labelled(batch)
        logits = [
            model.auxiliary_networks["domain"](reverse_gradient(x, strength), training=True) for x in (source, target)
        ]
        return {"task": task, "domain_loss": domain_loss(logits[0], 1.0) + domain_loss(logits[1], 0.0)}


@dataclass(frozen=True)
class ADDA(Recognizer):
    """Adapts a copy of the source features to the target, until a discriminator takes them for source features.

    The head and the features of the source are frozen.

    Args:
        gradient_scale: Factor on the adversarial gradient of the target features, which must stay readable to the head.

    Reference:
        Tzeng et al., 2017, https://arxiv.org/abs/1702.05464
    """

    gradient_scale: float = 0.1

    family: ClassVar[str] = "feature"
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")
    from_source: ClassVar[bool] = True

    def networks(self, model: "DomainClassifier", trainer: "Trainer") -> "dict[str, keras.Model]":
        from tfgantl.recognition.auxiliary_networks import domain_discriminator, frozen_copy

        return {
            "source": frozen_copy(trainer.source_model().features),
            "domain": domain_discriminator(model.features.output_shape[-1]),
        }

    def prepare(self, model: "DomainClassifier", trainer: "Trainer") -> None:
        model.head.trainable = False

    def step(self, model: "DomainClassifier", batch: "Batch") -> "Scalars":
        import tensorflow as tf

        from tfgantl.recognition.losses import domain_loss

        domain = model.auxiliary_networks["domain"]
        source = model.auxiliary_networks["source"](batch["source"][0], training=False)
        with tf.GradientTape() as features:
            target = model.embed(batch["unlabelled"][0])
            with features.stop_recording():
                with tf.GradientTape() as tape:
                    d_loss = domain_loss(domain(source, training=True), 1.0)
                    d_loss += domain_loss(domain(target, training=True), 0.0)
                model.update([domain], d_loss, tape)
            g_loss = domain_loss(domain(target, training=False), 1.0)
            total = self.gradient_scale * g_loss + model.on_labelled(batch)
        model.update([model.features], total, features)
        return {"loss": total, "d_loss": d_loss, "g_loss": g_loss}


@dataclass(frozen=True)
class MCD(Recognizer):
    """Two heads seek target images on which they disagree, while the features minimise that discrepancy.

    Args:
        repeats: Steps of the features for each step of the heads.

    Reference:
        Saito et al., 2018, https://arxiv.org/abs/1712.02560
    """

    repeats: int = 4

    def __post_init__(self) -> None:
        check_at_least(self, 1, "repeats")

    family: ClassVar[str] = "feature"
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")

    def networks(self, model: "DomainClassifier", trainer: "Trainer") -> "dict[str, keras.Model]":
        from tfgantl.models.backbones import linear_head

        return {"second": linear_head(model.features.output_shape[-1], trainer.task.num_classes)}

    def step(self, model: "DomainClassifier", batch: "Batch") -> "Scalars":
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy, discrepancy

        heads, target = [model.head, model.auxiliary_networks["second"]], batch["unlabelled"][0]
        labelled = [batch[name] for name in ("source", "labelled") if name in batch]

        def task_loss() -> "tf.Tensor":
            embedded = [(model.embed(images), labels) for images, labels in labelled]
            return tf.add_n([cross_entropy(y, head(x)) for x, y in embedded for head in heads])

        def disagreement(x: "tf.Tensor") -> "tf.Tensor":
            return discrepancy(*(head(x) for head in heads))

        with tf.GradientTape() as tape:
            task = task_loss()
        model.update([model.features, *heads], task, tape)
        for repeat in range(self.repeats):
            with tf.GradientTape() as features:
                x = model.embed(target)
                if not repeat:  # the heads move before the features do, which are the same to both
                    with features.stop_recording():
                        with tf.GradientTape() as tape:
                            maximized = disagreement(x)
                            total = task_loss() - maximized
                        model.update(heads, total, tape)
                minimized = disagreement(x)
            model.update([model.features], minimized, features)
        return {"loss": task + minimized, "task": task, "max_discrepancy": maximized, "discrepancy": minimized}
