"""Instance-based methods: source images are weighted by how much they look like the target."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tfgantl.recognition.method import Recognizer

if TYPE_CHECKING:
    import keras
    import numpy as np

    from tfgantl.data import Examples
    from tfgantl.recognition.domain_classifier import DomainClassifier
    from tfgantl.recognition.method import Batch, Scalars
    from tfgantl.recognition.trainer import Trainer


@dataclass(frozen=True)
class _Weighted(Recognizer, ABC):
    """Trains on source images with weights, which are the ratio of densities target / source at their features."""

    family: ClassVar[str] = "instance"
    uses: ClassVar[tuple[str, ...]] = ("source", "labelled")
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")
    from_source: ClassVar[bool] = True

    @abstractmethod
    def weights(self, source: "np.ndarray", target: "np.ndarray", seed: int) -> "np.ndarray":
        """Weights (n,) of source features (n, d), 1 on average, for target features (m, d)."""

    def streams(self, trainer: "Trainer") -> "dict[str, Examples]":
        import numpy as np

        from tfgantl.data import Examples

        # The label that a batch carries is the number of its image, by which label and weight are looked up.
        images = trainer.source_pool[0]
        return {**super().streams(trainer), "source": Examples.from_arrays(images, np.arange(len(images)), len(images))}

    def networks(self, model: "DomainClassifier", trainer: "Trainer") -> "dict[str, keras.Model]":
        from tfgantl.recognition.state import Buffers

        return {"buffers": Buffers(labels=(len(trainer.source_pool[0]),), weights=(len(trainer.source_pool[0]),))}

    def prepare(self, model: "DomainClassifier", trainer: "Trainer") -> None:
        from tfgantl.recognition.selection import unit_features

        start = trainer.source_model()
        source, target = (unit_features(start, images) for images in (trainer.source_pool[0], trainer.target_pool))
        weights = self.weights(source, target, trainer.task.seed)
        model.auxiliary_networks["buffers"].set(labels=trainer.source_pool[1], weights=weights)

    def notes(self, model: "DomainClassifier") -> dict[str, str]:
        from tfgantl.recognition.density import effective_size

        weights = model.auxiliary_networks["buffers"]["weights"].numpy()
        size = effective_size(weights)
        warning = "; below a tenth: few images dominate" if size < 0.1 * len(weights) else ""
        return {"effective sample size": f"{size:.0f} of {len(weights)} source images{warning}"}

    def losses(self, model: "DomainClassifier", batch: "Batch") -> "Scalars":
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy

        images, numbers = batch["source"]
        buffers = model.auxiliary_networks["buffers"]
        labels, weights = tf.gather(buffers["labels"], numbers), tf.gather(buffers["weights"], numbers)
        logits = model.classifier(images, training=True)
        terms = {"task": cross_entropy(tf.cast(labels, tf.int32), logits, weights)}
        terms["target"] = model.on_labelled(batch)
        return terms


@dataclass(frozen=True)
class DensityRatio(_Weighted):
    """Weights source images by the odds of a cross-fitted discriminator of the domains.

    Args:
        max_weight: Largest weight.

    Reference:
        Bickel et al., 2009, Discriminative learning under covariate shift, JMLR 10
    """

    max_weight: float = 10.0

    def weights(self, source: "np.ndarray", target: "np.ndarray", seed: int) -> "np.ndarray":
        from tfgantl.recognition.density import discriminator_ratio

        return discriminator_ratio(source, target, self.max_weight, seed)


@dataclass(frozen=True)
class KLIEP(_Weighted):
    """Weights source images so that the source comes closest to the target in Kullback-Leibler divergence.

    Args:
        centres: Number of kernels.

    Reference:
        Sugiyama et al., 2008, https://doi.org/10.1007/s10463-008-0197-x
    """

    centres: int = 100

    def weights(self, source: "np.ndarray", target: "np.ndarray", seed: int) -> "np.ndarray":
        from tfgantl.recognition.density import kliep

        return kliep(source, target, self.centres, seed)


@dataclass(frozen=True)
class KMM(_Weighted):
    """Weights source images so that the means of both domains agree in kernel space.

    Args:
        max_weight: Largest weight before they are scaled.

    Reference:
        Huang et al., 2006, Correcting sample selection bias by unlabeled data, NeurIPS
    """

    max_weight: float = 100.0

    def weights(self, source: "np.ndarray", target: "np.ndarray", seed: int) -> "np.ndarray":
        from tfgantl.recognition.density import kmm

        return kmm(source, target, self.max_weight, seed)
