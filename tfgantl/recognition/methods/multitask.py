"""Multi-task learning: source and target are two tasks with shared features, which may conflict."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from tfgantl.recognition.method import Recognizer

if TYPE_CHECKING:
    import keras

    from tfgantl.recognition.domain_classifier import DomainClassifier
    from tfgantl.recognition.method import Batch, Scalars
    from tfgantl.recognition.trainer import Trainer


@dataclass(frozen=True)
class MultiTask(Recognizer):
    """Trains one head a domain on shared features; the cosine of their gradients shows whether the tasks conflict.

    Args:
        balance: How losses are combined: `uncertainty` learns a weight of each, `pcgrad` removes from each gradient
            the component that conflicts with the other, `sum` does neither.

    Reference:
        Kendall et al., 2018, https://arxiv.org/abs/1705.07115 (uncertainty); Yu et al., 2020,
        https://arxiv.org/abs/2001.06782 (PCGrad)
    """

    balance: Literal["uncertainty", "pcgrad", "sum"] = "uncertainty"

    family: ClassVar[str] = "multi-task"
    uses: ClassVar[tuple[str, ...]] = ("source", "labelled")
    needs: ClassVar[tuple[str, ...]] = ("source", "labelled")

    def networks(self, model: "DomainClassifier", trainer: "Trainer") -> "dict[str, keras.Model]":
        from tfgantl.models.backbones import linear_head
        from tfgantl.recognition.state import TrainableVector

        return {
            "source_head": linear_head(model.features.output_shape[-1], trainer.task.num_classes),
            "uncertainty": TrainableVector(2),
        }

    def step(self, model: "DomainClassifier", batch: "Batch") -> "Scalars":
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy

        heads = {"source": model.auxiliary_networks["source_head"], "labelled": model.head}
        shared = model.features.trainable_variables
        with tf.GradientTape(persistent=True) as tape:
            tasks = [
                cross_entropy(labels, heads[name](model.embed(images)))
                for name, (images, labels) in batch.items()
            ]  # fmt: skip
            log_variances = model.auxiliary_networks["uncertainty"].vector.value
            weighted = tasks
            if self.balance == "uncertainty":
                weighted = [tf.exp(-log_variances[i]) * task + log_variances[i] for i, task in enumerate(tasks)]
            total = tf.add_n(weighted)
        first, second = (tape.gradient(task, [v.value for v in shared]) for task in weighted)
        products = tf.add_n([tf.reduce_sum(a * b) for a, b in zip(first, second, strict=True)])
        squares = [tf.add_n([tf.reduce_sum(g * g) for g in side]) + 1e-12 for side in (first, second)]
        conflict = tf.minimum(products, 0.0) if self.balance == "pcgrad" else 0.0
        gradients = [
            a + b - conflict * (b / squares[1] + a / squares[0]) for a, b in zip(first, second, strict=True)
        ]  # fmt: skip
        model.optimizer.apply(gradients + tape.gradient(total, [v.value for v in model.head.trainable_variables]),
                              [*shared, *model.head.trainable_variables])  # fmt: skip
        variables = [*heads["source"].trainable_variables]
        if self.balance == "uncertainty":
            variables += model.auxiliary_networks["uncertainty"].trainable_variables
        model.apply(variables, total, tape)
        cosine = products / tf.sqrt(squares[0] * squares[1])
        return {"loss": total, "source": tasks[1], "target": tasks[0], "cosine": cosine}

    def notes(self, model: "DomainClassifier") -> dict[str, str]:
        cosine = model.history.history["cosine"][-1]  # mean since the last validation
        warning = ", the tasks conflict: transfer may hurt" if cosine < 0 else ""
        return {"balance": self.balance, "cosine of the tasks' gradients": f"{cosine:.2f}{warning}"}
