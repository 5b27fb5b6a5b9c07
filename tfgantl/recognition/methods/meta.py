"""Meta-learning: the source is cut into small tasks, so that a few target images are enough to learn from."""

from dataclasses import dataclass, replace
from typing import ClassVar

from tfgantl.recognition.method import Recognizer


@dataclass(frozen=True)
class Reptile(Recognizer):
    """Moves the weights towards those that a few steps on a small task lead to; then learns the target from its shots.

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

    def fit(self, problem, title=None):
        from time import perf_counter

        from tfgantl.recognition.methods.baselines import TargetOnly
        from tfgantl.recognition.trainer import check_needs, train

        check_needs(self, problem)
        began = perf_counter()
        start = self.meta_trained(problem, title)
        fitted = train(TargetOnly(), replace(problem, steps=max(1, problem.steps // 4)), title, start)
        fitted.seconds = perf_counter() - began
        return fitted

    def meta_trained(self, problem, title):
        """A classifier whose weights are a good place to start from."""
        import numpy as np
        import tensorflow as tf

        from tfgantl.images import to_unit
        from tfgantl.progress import bar, silent

        model = problem.model()
        model.compile(weak=problem.weak)
        weights = model.classifier.trainable_variables
        images, labels = problem.pool
        members = [np.flatnonzero(labels == label) for label in range(problem.num_classes)]
        ways = min(self.ways, problem.num_classes)
        rng = np.random.default_rng([problem.seed, 5])
        inner = self.inner_step(model, weights)
        progress = bar(self.tasks, title or "tasks", "task") if title and not silent else None

        def draw(classes):
            rows = np.concatenate([rng.choice(members[label], self.shots) for label in classes])
            rows = rng.permutation(rows)
            return tf.constant(to_unit(images[rows])), tf.constant(labels[rows])

        for task in range(self.tasks):
            begun = [tf.identity(w.value) for w in weights]
            classes = rng.permutation(problem.num_classes)[:ways]
            for _ in range(self.inner_steps):
                x, y = draw(classes)
                inner(model.augmented(x, "source"), y)
            rate = self.outer_rate * (1.0 - task / self.tasks)
            self.outer_step(model, weights, begun, draw(classes), rate)
            model.step.assign_add(1)
            if progress:
                progress.update()
        if progress:
            progress.close()
        return model

    def inner_step(self, model, weights):
        """One traced step of plain gradient descent."""
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy

        @tf.function(reduce_retracing=True)
        def step(images, labels):
            with tf.GradientTape() as tape:
                loss = cross_entropy(labels, model.classifier(images, training=True))
            for weight, gradient in zip(weights, tape.gradient(loss, [w.value for w in weights]), strict=True):
                weight.assign_sub(self.inner_rate * gradient)
            return loss

        return step

    def outer_step(self, model, weights, begun, query, rate):
        """Goes part of the way to where the task has led."""
        for weight, before in zip(weights, begun, strict=True):
            weight.assign(before + rate * (weight.value - before))


@dataclass(frozen=True)
class FOMAML(Reptile):
    """As Reptile, but moves the weights along the gradient that further images of the task have where it has led.

    Reference:
        Finn et al., 2017, https://arxiv.org/abs/1703.03400 (first order)
    """

    outer_rate: float = 0.05

    def outer_step(self, model, weights, begun, query, rate):
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy

        images, labels = query
        with tf.GradientTape() as tape:
            loss = cross_entropy(labels, model.classifier(images, training=True))
        for weight, before, gradient in zip(
            weights, begun, tape.gradient(loss, [w.value for w in weights]), strict=True
        ):
            weight.assign(before - rate * gradient)
