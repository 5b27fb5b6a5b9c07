"""Semi-supervised methods: what has no labels is trained on as well."""

from dataclasses import dataclass
from typing import ClassVar

from tfgantl.recognition.method import Recognizer


@dataclass(frozen=True)
class PseudoLabels(Recognizer):
    """Trains on the source, and on the target images that the classifier is sure of, strongly augmented.

    Classes are made as frequent among the pseudo-labels as they are in the source.

    Args:
        threshold: How sure it must be.
        decay: Share of the old mean that a step keeps of how frequent predictions are.

    Reference:
        Lee, 2013; Sohn et al., 2020, https://arxiv.org/abs/2001.07685; Berthelot et al., 2022,
        https://arxiv.org/abs/2106.04732
    """

    threshold: float = 0.9
    decay: float = 0.95

    family: ClassVar[str] = "semi-supervised"
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")
    from_source: ClassVar[bool] = True

    def networks(self, problem, model):
        from tfgantl.recognition.state import Buffers

        return {"buffers": Buffers(source=(problem.num_classes,), target=(problem.num_classes,))}

    def prepare(self, model, problem):
        model.auxiliary_networks["buffers"].set(
            **dict.fromkeys(("source", "target"), [1.0 / problem.num_classes] * problem.num_classes)
        )

    def losses(self, model, batch):
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy

        images, target = batch["source"][0], batch["unlabelled"][0]
        known, logits = model.classifier(images, training=True), model.classifier(target, training=True)
        memory = model.auxiliary_networks["buffers"]
        for name, seen in (("source", known), ("target", logits)):
            mean = tf.reduce_mean(tf.stop_gradient(tf.nn.softmax(seen)), 0)
            memory.parts[name].assign(self.decay * memory[name] + (1.0 - self.decay) * mean)
        terms = {
            "task": cross_entropy(batch["source"][1], known),
            "consistency": model.consistency(target, logits, self.threshold, memory["source"] / memory["target"]),
        }
        terms["target"] = model.on_labelled(batch)
        return terms
