"""Semi-supervised methods: unlabelled images are trained on as well."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tfgantl.recognition.method import Recognizer

if TYPE_CHECKING:
    import keras

    from tfgantl.recognition.domain_classifier import DomainClassifier
    from tfgantl.recognition.method import Batch, Scalars
    from tfgantl.recognition.trainer import Trainer


@dataclass(frozen=True)
class PseudoLabels(Recognizer):
    """Trains on the source, and on strongly augmented target images with confident predictions.

    Classes are made as frequent among the pseudo-labels as they are in the source.

    Args:
        threshold: Least probability of a confident prediction.
        decay: Of the running means of class frequencies among predictions, a step.

    Reference:
        Lee, 2013; Sohn et al., 2020, https://arxiv.org/abs/2001.07685; Berthelot et al., 2022,
        https://arxiv.org/abs/2106.04732
    """

    threshold: float = 0.9
    decay: float = 0.95

    family: ClassVar[str] = "semi-supervised"
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")
    from_source: ClassVar[bool] = True

    def networks(self, model: "DomainClassifier", trainer: "Trainer") -> "dict[str, keras.Model]":
        from tfgantl.recognition.state import Buffers

        return {"buffers": Buffers(source=(trainer.task.num_classes,), target=(trainer.task.num_classes,))}

    def prepare(self, model: "DomainClassifier", trainer: "Trainer") -> None:
        model.auxiliary_networks["buffers"].set(
            **dict.fromkeys(("source", "target"), [1.0 / trainer.task.num_classes] * trainer.task.num_classes)
        )

    def losses(self, model: "DomainClassifier", batch: "Batch") -> "Scalars":
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy

        images, target = batch["source"][0], batch["unlabelled"][0]
        source_logits, logits = model.classifier(images, training=True), model.classifier(target, training=True)
        buffers = model.auxiliary_networks["buffers"]
        for name, predicted in (("source", source_logits), ("target", logits)):
            mean = tf.reduce_mean(tf.stop_gradient(tf.nn.softmax(predicted)), 0)
            buffers.parts[name].assign(self.decay * buffers[name] + (1.0 - self.decay) * mean)
        terms = {
            "task": cross_entropy(batch["source"][1], source_logits),
            "consistency": model.consistency(target, logits, self.threshold, buffers["source"] / buffers["target"]),
        }
        terms["target"] = model.on_labelled(batch)
        return terms
