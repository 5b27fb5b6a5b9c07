"""Instance-based methods: source images count as much as they look like the target."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from tfgantl.recognition.method import Recognizer


@dataclass(frozen=True)
class _Weighted(Recognizer, ABC):
    """Trains on source images with weights, which are the ratio of densities target / source at their features."""

    family: ClassVar[str] = "instance"
    uses: ClassVar[tuple[str, ...]] = ("source", "labelled")
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")
    from_source: ClassVar[bool] = True

    @abstractmethod
    def weights(self, source, target, seed):
        """Weights (n,) of source features (n, d), 1 on average, for target features (m, d)."""

    def streams(self, problem):
        import numpy as np

        from tfgantl.data import Examples

        # The label that a batch carries is the number of its image, by which label and weight are looked up.
        images = problem.pool[0]
        found = super().streams(problem)
        return {**found, "source": Examples.from_arrays(images, np.arange(len(images)), len(images))}

    def networks(self, problem, model):
        from tfgantl.recognition.state import Buffers

        return {"buffers": Buffers(labels=(len(problem.pool[0]),), weights=(len(problem.pool[0]),))}

    def prepare(self, model, problem):
        from tfgantl.recognition.selection import unit_features

        start = problem.source_model()
        source, target = (unit_features(start, images) for images in (problem.pool[0], problem.target_pool))
        weights = self.weights(source, target, problem.seed)
        model.auxiliary_networks["buffers"].set(labels=problem.pool[1], weights=weights)

    def notes(self, model):
        from tfgantl.recognition.density import effective_size

        weights = model.auxiliary_networks["buffers"]["weights"].numpy()
        size = effective_size(weights)
        warning = "; fewer than a tenth: few images decide" if size < 0.1 * len(weights) else ""
        return {"effective sample size": f"{size:.0f} of {len(weights)} source images{warning}"}

    def losses(self, model, batch):
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy

        images, numbers = batch["source"]
        memory = model.auxiliary_networks["buffers"]
        labels, weights = tf.gather(memory["labels"], numbers), tf.gather(memory["weights"], numbers)
        logits = model.classifier(images, training=True)
        terms = {"task": cross_entropy(tf.cast(labels, tf.int32), logits, weights)}
        terms["target"] = model.on_labelled(batch)
        return terms


@dataclass(frozen=True)
class DensityRatio(_Weighted):
    """Weights by a discriminator of the domains, cross-fitted so that no image is judged by what has seen it.

    Args:
        most: Largest weight.

    Reference:
        Bickel et al., 2009, Discriminative learning under covariate shift, JMLR 10
    """

    most: float = 10.0

    def weights(self, source, target, seed):
        from tfgantl.recognition.density import discriminator_ratio

        return discriminator_ratio(source, target, self.most, seed)


@dataclass(frozen=True)
class KLIEP(_Weighted):
    """Weights that bring the source closest to the target in Kullback-Leibler divergence.

    Args:
        centres: Number of kernels.

    Reference:
        Sugiyama et al., 2008, https://doi.org/10.1007/s10463-008-0197-x
    """

    centres: int = 100

    def weights(self, source, target, seed):
        from tfgantl.recognition.density import kliep

        return kliep(source, target, self.centres, seed)


@dataclass(frozen=True)
class KMM(_Weighted):
    """Weights that bring the mean of the source in kernel space to that of the target.

    Args:
        most: Largest weight before they are scaled.

    Reference:
        Huang et al., 2006, Correcting sample selection bias by unlabeled data, NeurIPS
    """

    most: float = 100.0

    def weights(self, source, target, seed):
        from tfgantl.recognition.density import kmm

        return kmm(source, target, self.most, seed)
