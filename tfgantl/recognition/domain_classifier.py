"""The classifier that is trained on batches of several domains: one `train_step`, which asks a method."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import keras
import numpy as np
import tensorflow as tf

from tfgantl.augment import DiffAugment
from tfgantl.models.batch_norm import recalibrate_batch_norm
from tfgantl.optimizers import Adam
from tfgantl.recognition.losses import cross_entropy
from tfgantl.recognition.method import Recognizer

if TYPE_CHECKING:
    from tfgantl.recognition.method import Batch, Scalars


@keras.saving.register_keras_serializable(package="tfgantl")
class DomainClassifier(keras.Model):
    """Features and a head; `fit` takes batches of named streams, `evaluate` and `predict` the usual ones.

    Args:
        features: Images (batch, side, side, channels) in [-1, 1] → features (batch, d).
        head: Features → logits (batch, classes).
        seed: All random numbers of a step follow from it and from `step`.

    Attributes:
        classifier: Images → logits, as one functional model: the one to evaluate and to export.
        auxiliary_networks: Networks that a method trains beside it, by name.
        step: Number of training steps taken.

    Example:
        >>> from tfgantl.models.backbones import convolutional_features, linear_head
        >>> from tfgantl.recognition import SourceOnly
        >>> model = DomainClassifier(convolutional_features(8, 1), linear_head(128, 3))
        >>> model.compile(Adam(1e-3), method=SourceOnly(), steps=1)
        >>> data = batches(examples, 8, seed=0).map(lambda images, labels: {"source": (images, labels)})
        >>> history = model.fit(data, steps_per_epoch=1, shuffle=False, verbose=0)
        >>> model.classifier.predict(images / 127.5 - 1, verbose=0).shape
        (24, 3)
    """

    def __init__(self, features: keras.Model, head: keras.Model, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.features = features
        self.head = head
        self.seed = seed
        self.classifier = keras.Model(features.inputs[0], head(features.outputs[0]), name="classifier")
        self.auxiliary_networks: dict[str, keras.Model] = {}
        self.step = self.add_weight(name="step", shape=(), dtype="int64", initializer="zeros", trainable=False)
        self.built = True

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.classifier(images, training=training)

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer = "adam",
        method: Recognizer | None = None,
        auxiliary_optimizer: keras.optimizers.Optimizer | None = None,
        steps: int = 1000,
        weak: str = "affine",
        strong: str = "affine,resolution,cutout,color",
    ) -> None:
        """Sets how to train.

        Args:
            optimizer: Keras optimizer of features and head.
            method: What is minimised; `None` for the cross-entropy of all labelled streams.
            auxiliary_optimizer: Keras optimizer of the networks in `auxiliary_networks`.
            steps: Number of steps of the run, which schedules of a method refer to.
            weak: `DiffAugment` policy of all images that are trained on.
            strong: That of the images whose predictions shall be those of the weakly augmented ones.
        """
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        super().compile(optimizer=optimizer, loss=loss, metrics=["accuracy"], jit_compile=False)
        self.method = method or Recognizer()
        self.auxiliary_optimizer = auxiliary_optimizer or Adam(1e-3, beta_1=0.5)
        self.steps = steps
        self.weak, self.strong = DiffAugment(weak), DiffAugment(strong)
        self.optimizer.build(self.classifier.trainable_variables)
        # `fit` asks every metric for its result, which one without updates cannot give.
        self.compute_metrics(None, tf.zeros((1,), tf.int32), tf.zeros((1, self.head.output_shape[-1])))
        self.reset_metrics()
        auxiliary = {id(v): v for network in self.auxiliary_networks.values() for v in network.trainable_variables}
        self.auxiliary_optimizer.build(list(auxiliary.values()))  # networks may share layers

    def get_compile_config(self) -> dict[str, Any]:
        return {"steps": self.steps, "weak": self.weak.policy, "strong": self.strong.policy}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Makes a loaded model ready to evaluate; optimizers and method are those of whoever goes on training."""
        self.compile(**config)

    def train_step(self, batch: "Batch") -> "Scalars":
        batch = {name: batch[name] for name in sorted(batch)}
        for stream, (images, *labels) in batch.items():
            batch[stream] = (self.augmented(images, stream), *labels)
        logs = self.method.step(self, batch)
        self.step.assign_add(1)
        return logs

    def augmented(self, images: tf.Tensor, stream: str, strongly: bool = False) -> tf.Tensor:
        """Randomly changed images; equal seeds, streams and steps change equally."""
        number = sum(map(ord, stream)) * 2 + strongly
        seed = tf.stack([tf.constant(self.seed * 10_000 + number, tf.int64), self.step.value])
        return (self.strong if strongly else self.weak)(images, seed)

    def noise(self, shape: tuple[int | tf.Tensor, ...], stream: int = 0) -> tf.Tensor:
        """Standard normal numbers of this step."""
        seed = tf.stack([tf.constant(self.seed * 10_000 + 9_000 + stream, tf.int64), self.step.value])
        return tf.random.stateless_normal(shape, seed)

    @property
    def progress(self) -> tf.Tensor:
        """Share of the run that is over, a scalar in [0, 1]."""
        return tf.cast(self.step.value, tf.float32) / float(self.steps)

    def embed(self, images: tf.Tensor) -> tf.Tensor:
        """Features, as they are in training."""
        return self.features(images, training=True)

    def supervised(self, batch: "Batch") -> tf.Tensor:
        """Sum of the mean cross-entropies of all streams that have labels."""
        labelled = [parts for parts in batch.values() if len(parts) > 1]
        return tf.add_n([cross_entropy(labels, self.classifier(images, training=True)) for images, labels in labelled])

    def on_labelled(self, batch: "Batch") -> tf.Tensor:
        """Mean cross-entropy of the labelled images of the target; 0 if there are none."""
        return self.supervised({"labelled": batch["labelled"]}) if "labelled" in batch else tf.constant(0.0)

    def consistency(
        self, images: tf.Tensor, logits: tf.Tensor, threshold: float, shares: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Cross-entropy of strongly augmented images with the confident predictions for weakly augmented ones.

        FixMatch; Sohn et al., 2020, https://arxiv.org/abs/2001.07685.

        Args:
            images: Weakly augmented images (n, side, side, channels).
            logits: Those of the classifier for them (n, classes).
            threshold: Least probability of a confident prediction.
            shares: Factors (classes,) on the probabilities, to correct class frequencies.
        """
        probabilities = tf.stop_gradient(tf.nn.softmax(logits))
        if shares is not None:
            probabilities *= shares
            probabilities /= tf.reduce_sum(probabilities, 1, keepdims=True)
        confident = tf.cast(tf.reduce_max(probabilities, 1) >= threshold, tf.float32)
        strong_logits = self.classifier(self.augmented(images, "strong", strongly=True), training=True)
        return cross_entropy(tf.argmax(probabilities, 1), strong_logits, confident)

    def minimize(self, losses: "Callable[[], Scalars]", auxiliary: bool = True) -> "Scalars":
        """Takes one gradient step on the sum of losses, for all that is trainable.

        Args:
            losses: Gives the terms by name.
            auxiliary: Whether networks in `auxiliary_networks` are trained by the same losses.
        """
        with tf.GradientTape() as tape:
            terms = losses()
            total = tf.add_n(list(terms.values()))
        networks = [self.classifier, *(self.auxiliary_networks.values() if auxiliary else ())]
        self.update(networks, total, tape)
        return {"loss": total, **terms}

    def update(self, networks: list[keras.Model], loss: tf.Tensor, tape: tf.GradientTape) -> None:
        """Applies the gradient of a loss to the trainable weights of some networks."""
        self.apply([v for network in networks for v in network.trainable_variables], loss, tape)

    def apply(self, variables: list[keras.Variable], loss: tf.Tensor, tape: tf.GradientTape) -> None:
        """Applies the gradient of a loss to some weights, with the optimizer that each belongs to."""
        own = {id(v) for v in self.classifier.trainable_variables}
        groups: tuple[tuple[keras.optimizers.Optimizer, list[keras.Variable]], ...]
        groups = ((self.optimizer, []), (self.auxiliary_optimizer, []))
        for variable in variables:
            groups[id(variable) not in own][1].append(variable)
        gradients = tape.gradient(loss, [[v.value for v in variables] for _, variables in groups])
        for (optimizer, variables), group in zip(groups, gradients, strict=True):
            pairs = [(g, v) for g, v in zip(group, variables, strict=True) if g is not None]
            if pairs:
                optimizer.apply(*zip(*pairs, strict=True))

    def recalibrate_batch_norm(self, images: np.ndarray, batch_size: int = 128) -> None:
        """Measures the BatchNorm statistics on images of one domain, float32 (n, side, side, channels) in [-1, 1].

        Li et al., 2017, https://arxiv.org/abs/1603.04779.
        """
        parts = np.array_split(images, max(1, len(images) // batch_size))
        recalibrate_batch_norm(self.classifier, self.classifier, [tf.constant(part) for part in parts])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "features": keras.saving.serialize_keras_object(self.features),
            "head": keras.saving.serialize_keras_object(self.head),
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        networks = {k: keras.saving.deserialize_keras_object(config.pop(k)) for k in ("features", "head")}
        return cls(**networks, **config)
