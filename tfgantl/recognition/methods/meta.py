"""Meta-learning: an initialisation that adapts from few target images, learnt on small tasks cut from the source."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tfgantl.recognition.method import Recognizer
from tfgantl.recognition.methods.baselines import TargetOnly

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras
    import numpy as np
    import tensorflow as tf

    from tfgantl.recognition.domain_classifier import DomainClassifier
    from tfgantl.recognition.fitted import Fitted
    from tfgantl.recognition.trainer import Trainer


@dataclass(frozen=True)
class Reptile(Recognizer):
    """Moves the weights towards the result of a few steps on each of many small tasks, then learns from the shots.

    A task is to tell some of the classes from a few source images of each.

    Args:
        tasks: Number of tasks.
        ways: Classes of a task.
        shots: Source images a class of a task.
        inner_steps: Steps on a task.
        inner_rate: Learning rate of these.
        outer_rate: Share of the way that the weights go, falling to 0.

    Reference:
        Nichol et al., 2018, https://arxiv.org/abs/1803.02999
    """

    tasks: int = 300
    ways: int = 5
    shots: int = 5
    inner_steps: int = 5
    inner_rate: float = 0.02
    outer_rate: float = 0.5

    family: ClassVar[str] = "meta-learning"
    uses: ClassVar[tuple[str, ...]] = ("labelled",)
    needs: ClassVar[tuple[str, ...]] = ("source", "labelled")

    def fit(self, trainer: "Trainer", title: str | None = None) -> "Fitted":
        start = self.meta_trained(trainer, title)
        return trainer.replace(steps=max(1, trainer.task.steps // 4)).train(TargetOnly(), title, start)

    def meta_trained(self, trainer: "Trainer", title: str | None) -> "DomainClassifier":
        """A classifier whose weights are a good initialisation."""
        import numpy as np
        import tensorflow as tf

        from tfgantl.images import to_unit
        from tfgantl.progress import bar, silent

        model = trainer.new_model()
        task = trainer.task
        model.compile(weak=task.weak)
        weights = model.classifier.trainable_variables
        images, labels = trainer.source_pool
        members = [np.flatnonzero(labels == label) for label in range(task.num_classes)]
        ways = min(self.ways, task.num_classes)
        rng = np.random.default_rng([task.seed, 5])
        inner = self.inner_step(model, weights)
        progress = bar(self.tasks, title or "tasks", "task") if title and not silent else None

        def draw(classes: "np.ndarray") -> "tuple[tf.Tensor, tf.Tensor]":
            rows = np.concatenate([rng.choice(members[label], self.shots) for label in classes])
            rows = rng.permutation(rows)
            return tf.constant(to_unit(images[rows])), tf.constant(labels[rows])

        for number in range(self.tasks):
            initial = [tf.identity(w.value) for w in weights]
            classes = rng.permutation(task.num_classes)[:ways]
            for _ in range(self.inner_steps):
                x, y = draw(classes)
                inner(model.augmented(x, "source"), y)
            rate = self.outer_rate * (1.0 - number / self.tasks)
            self.outer_step(model, weights, initial, draw(classes), rate)
            model.step.assign_add(1)
            if progress:
                progress.update()
        if progress:
            progress.close()
        return model

    def inner_step(
        self, model: "DomainClassifier", weights: "list[keras.Variable]"
    ) -> "Callable[[tf.Tensor, tf.Tensor], tf.Tensor]":
        """One traced step of plain gradient descent."""
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy

        @tf.function(autograph=False, reduce_retracing=True)
        def step(images: "tf.Tensor", labels: "tf.Tensor") -> "tf.Tensor":
            with tf.GradientTape() as tape:
                loss = cross_entropy(labels, model.classifier(images, training=True))
            for weight, gradient in zip(weights, tape.gradient(loss, [w.value for w in weights]), strict=True):
                weight.assign_sub(self.inner_rate * gradient)
            return loss

        return step

    def outer_step(
        self,
        model: "DomainClassifier",
        weights: "list[keras.Variable]",
        initial: "list[tf.Tensor]",
        query: "tuple[tf.Tensor, tf.Tensor]",
        rate: float,
    ) -> None:
        """Moves part of the way to the weights adapted to the task."""
        for weight, before in zip(weights, initial, strict=True):
            weight.assign(before + rate * (weight.value - before))


@dataclass(frozen=True)
class FOMAML(Reptile):
    """As Reptile, but follows the gradient of further images of the task at the adapted weights.

    Reference:
        Finn et al., 2017, https://arxiv.org/abs/1703.03400 (first order)
    """

    outer_rate: float = 0.05

    def outer_step(
        self,
        model: "DomainClassifier",
        weights: "list[keras.Variable]",
        initial: "list[tf.Tensor]",
        query: "tuple[tf.Tensor, tf.Tensor]",
        rate: float,
    ) -> None:
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy

        images, labels = query
        with tf.GradientTape() as tape:
            loss = cross_entropy(labels, model.classifier(images, training=True))
        for weight, before, gradient in zip(
            weights, initial, tape.gradient(loss, [w.value for w in weights]), strict=True
        ):
            weight.assign(before - rate * gradient)
