"""Model-based methods: training on the target starts from the parameters of the source."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tfgantl.recognition.method import Recognizer

if TYPE_CHECKING:
    import keras

    from tfgantl.recognition.domain_classifier import DomainClassifier
    from tfgantl.recognition.method import Batch, Scalars
    from tfgantl.recognition.trainer import Trainer


@dataclass(frozen=True)
class FineTuneClassifier(Recognizer):
    """Fine-tunes the source classifier on the labelled target images.

    Args:
        frozen: Number of blocks, counted from the image, that keep the weights of the source.

    Reference:
        Yosinski et al., 2014, https://arxiv.org/abs/1411.1792
    """

    frozen: int = 1

    family: ClassVar[str] = "model"
    uses: ClassVar[tuple[str, ...]] = ("labelled",)
    needs: ClassVar[tuple[str, ...]] = ("source", "labelled")
    from_source: ClassVar[bool] = True

    def prepare(self, model: "DomainClassifier", trainer: "Trainer") -> None:
        blocks = sorted({layer.name.split("_")[0] for layer in model.features.layers if layer.name.startswith("block")})
        for layer in model.features.layers:
            if layer.name.split("_")[0] in blocks[: self.frozen]:
                layer.trainable = False


@dataclass(frozen=True)
class L2SPClassifier(FineTuneClassifier):
    """Fine-tunes with an L2 penalty on the distance of all weights from those of the source.

    Args:
        strength: Weight λ of λ/2 Σ (θ - θ_source)².

    Reference:
        Li et al., 2018, https://arxiv.org/abs/1802.01483
    """

    frozen: int = 0
    strength: float = 0.01

    def networks(self, model: "DomainClassifier", trainer: "Trainer") -> "dict[str, keras.Model]":
        from tfgantl.recognition.auxiliary_networks import frozen_copy

        return {"source": frozen_copy(model.features)}

    def losses(self, model: "DomainClassifier", batch: "Batch") -> "Scalars":
        import tensorflow as tf

        pairs = zip(model.features.weights, model.auxiliary_networks["source"].weights, strict=True)
        distances = [tf.nn.l2_loss(v.value - w.value) for v, w in pairs if v.trainable]
        return {"task": model.supervised(batch), "penalty": self.strength * tf.add_n(distances)}


@dataclass(frozen=True)
class SHOT(Recognizer):
    """Adapts the features until the frozen source head predicts confidently and all classes; needs no source images.

    Information maximisation, and pseudo-labels from the nearest of the class centroids of the features.

    Args:
        pseudo: Weight of the cross-entropy on pseudo-labels.
        consistency: Weight of the cross-entropy of strongly augmented images with confident predictions for the weakly
            augmented ones (Sohn et al., 2020, https://arxiv.org/abs/2001.07685); the paper has none.
        threshold: Least probability of a confident prediction.

    Reference:
        Liang et al., 2020, https://arxiv.org/abs/2002.08546
    """

    pseudo: float = 0.1
    consistency: float = 0.0
    threshold: float = 0.9

    family: ClassVar[str] = "model"
    uses: ClassVar[tuple[str, ...]] = ("unlabelled", "labelled")
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")
    from_source: ClassVar[bool] = True

    def networks(self, model: "DomainClassifier", trainer: "Trainer") -> "dict[str, keras.Model]":
        from tfgantl.recognition.state import Buffers

        return {"buffers": Buffers(centroids=(trainer.task.num_classes, model.features.output_shape[-1]))}

    def prepare(self, model: "DomainClassifier", trainer: "Trainer") -> None:
        model.head.trainable = False

    def refresh(self, model: "DomainClassifier", trainer: "Trainer") -> None:
        """Computes class centroids from predictions, then once more from the nearest centroids."""
        import numpy as np
        from scipy.special import softmax

        from tfgantl.models.inference import predict, predict_pixels
        from tfgantl.recognition.selection import unit

        features = predict_pixels(model.features, trainer.target_pool)
        shares = softmax(predict(model.head, features), axis=1)
        features = unit(features)
        for _ in range(2):
            centroids = unit(shares.T @ features)
            shares = np.eye(len(centroids), dtype=np.float32)[(features @ centroids.T).argmax(1)]
        model.auxiliary_networks["buffers"].set(centroids=centroids)

    def losses(self, model: "DomainClassifier", batch: "Batch") -> "Scalars":
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy, information_maximization

        images = batch["unlabelled"][0]
        features = model.embed(images)
        logits = model.head(features)
        centroids = model.auxiliary_networks["buffers"]["centroids"]
        similarities = tf.matmul(tf.stop_gradient(features), centroids, transpose_b=True)
        terms = {"information": information_maximization(logits)}
        if self.pseudo:
            terms["pseudo"] = self.pseudo * cross_entropy(tf.argmax(similarities, 1), logits)
        if self.consistency:
            terms["consistency"] = self.consistency * model.consistency(images, logits, self.threshold)
        terms["task"] = model.on_labelled(batch)
        return terms
