"""Feature-based methods without an adversary: feature distributions of both domains are aligned."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tfgantl.recognition.method import Recognizer

if TYPE_CHECKING:
    import tensorflow as tf

    from tfgantl.recognition.domain_classifier import DomainClassifier
    from tfgantl.recognition.fitted import Fitted
    from tfgantl.recognition.method import Batch, Scalars
    from tfgantl.recognition.trainer import Trainer


@dataclass(frozen=True)
class AdaBN(Recognizer):
    """Keeps the weights of the source and re-estimates BatchNorm statistics on the target.

    Reference:
        Li et al., 2017, https://arxiv.org/abs/1603.04779
    """

    family: ClassVar[str] = "feature"
    uses: ClassVar[tuple[str, ...]] = ("unlabelled",)
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")
    from_source: ClassVar[bool] = True

    def fit(self, trainer: "Trainer", title: str | None = None) -> "Fitted":
        from tfgantl.recognition.fitted import Fitted

        model = trainer.copy_of_source_model()
        trainer.recalibrate_batch_norm(model, self.uses)
        return Fitted(model)


@dataclass(frozen=True)
class _Aligned(Recognizer, ABC):
    """Adds a distance between the feature distributions of both domains to the loss.

    Args:
        strength: Weight of the distance.
    """

    strength: float = 1.0

    family: ClassVar[str] = "feature"
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")

    def losses(self, model: "DomainClassifier", batch: "Batch") -> "Scalars":
        from tfgantl.recognition.losses import cross_entropy

        images, labels = batch["source"]
        source, target = model.embed(images), model.embed(batch["unlabelled"][0])
        task = cross_entropy(labels, model.head(source)) + model.on_labelled(batch)
        return {"task": task, "distance": self.strength * self.distance(model, source, target)}

    @abstractmethod
    def distance(self, model: "DomainClassifier", source: "tf.Tensor", target: "tf.Tensor") -> "tf.Tensor":
        """Scalar, of features (n, d) of both domains."""


@dataclass(frozen=True)
class DeepCORAL(_Aligned):
    """Matches the covariances of source and target features.

    Reference:
        Sun and Saenko, 2016, https://arxiv.org/abs/1607.01719
    """

    strength: float = 10.0

    def distance(self, model: "DomainClassifier", source: "tf.Tensor", target: "tf.Tensor") -> "tf.Tensor":
        from tfgantl.recognition.losses import coral

        return coral(source, target)


@dataclass(frozen=True)
class MMD(_Aligned):
    """Minimises the maximum mean discrepancy of features under a sum of Gaussian kernels (DAN, on one layer).

    Reference:
        Long et al., 2015, https://arxiv.org/abs/1502.02791
    """

    def distance(self, model: "DomainClassifier", source: "tf.Tensor", target: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        from tfgantl.recognition.losses import mmd

        return mmd(self.kernel(model, tf.concat([source, target], 0)), tf.shape(source)[0])

    def kernel(self, model: "DomainClassifier", features: "tf.Tensor") -> "tf.Tensor":
        """Similarities of all pairs (n, n) of features (n, d)."""
        from tfgantl.recognition.losses import gaussian_kernel

        return gaussian_kernel(features)


@dataclass(frozen=True)
class JAN(MMD):
    """Aligns the joint distributions of features and predictions, by the product of both kernels.

    Reference:
        Long et al., 2017, https://arxiv.org/abs/1605.06636
    """

    def kernel(self, model: "DomainClassifier", features: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        from tfgantl.recognition.losses import gaussian_kernel

        probabilities = tf.nn.softmax(model.head(features))
        return super().kernel(model, features) * gaussian_kernel(probabilities, widths=(0.92,))
