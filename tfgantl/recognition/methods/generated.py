"""Classifiers of images that an adapted conditional GAN makes."""

from dataclasses import dataclass, replace
from typing import ClassVar

from tfgantl.recognition.method import Recognizer


@dataclass(frozen=True)
class GANImages(Recognizer):
    """Adapts a class-conditional GAN to the target, and trains the classifier on its images.

    The GAN learns from the labelled images of the target, and from the others with labels that another method is
    sure of.

    Args:
        source: Handle of the conditional GAN to adapt, as for `tfgantl adapt`.
        gan_steps: Training steps of the adaptation.
        images: Generated images to train on.
        labeller: Name of the method that labels the unlabelled images of the target; none leaves them out.
        sure: Share of the images of each predicted class that are taken, the surest first.
        rounds: How often to go round: from the second time on, the classifier trained on generated images is the
            labeller.

    Reference:
        Antoniou et al., 2017, https://arxiv.org/abs/1711.04340; Besnier et al., 2020, https://arxiv.org/abs/1911.02996
    """

    source: str = "rendered-digits"
    gan_steps: int = 600
    images: int = 6000
    labeller: str = "SHOT"
    sure: float = 0.7
    rounds: int = 1

    family: ClassVar[str] = "generated"
    needs: ClassVar[tuple[str, ...]] = ("source",)

    def __post_init__(self):
        if self.labeller != "none":
            from tfgantl.recognition.registry import parse_methods

            parse_methods(self.labeller)

    def fit(self, problem, title=None):
        from time import perf_counter

        import numpy as np

        from tfgantl.data import Examples
        from tfgantl.images import to_uint8
        from tfgantl.recognition.trainer import SHOWN, train

        start, began = problem.source_model(), perf_counter()
        labels = np.arange(self.images) % problem.num_classes
        fitted = None
        for _ in range(self.rounds):
            known = self.known(problem, fitted, title)
            gan = self.adapted(problem, known, title)
            fakes = to_uint8(gan.generate(gan.latents(self.images, problem.seed), labels))
            made = Examples.from_arrays(fakes, labels, problem.num_classes)
            fitted = train(OnGenerated(), replace(problem, source=made), title, start)
        fitted.seconds = perf_counter() - began
        fitted.generated = fakes[:SHOWN], labels[:SHOWN]
        return fitted

    def known(self, problem, labeller, title):
        """Images of the target whose labels are given, and those that a labeller is sure of."""
        import numpy as np

        from tfgantl.data import Examples
        from tfgantl.errors import ConfigError
        from tfgantl.recognition.registry import parse_methods

        parts = [] if problem.labelled is None else [problem.labelled.take()]
        if problem.unlabelled is not None and self.labeller != "none":
            labeller = labeller or parse_methods(self.labeller)[self.labeller].fit(problem, title)
            parts.append(surest(labeller.model, problem.target_pool, self.sure))
        if not parts:
            raise ConfigError(
                "GANImages: there must be images of the target, with labels or with a `labeller`. "
                f"Received: none ({problem.setting} setting)"
            )
        return Examples.from_arrays(*map(np.concatenate, zip(*parts, strict=True)), problem.num_classes)

    def adapted(self, problem, known, title):
        """The GAN, adapted to labelled images, without validation."""
        import keras

        from tfgantl.gan import GAN
        from tfgantl.metrics.extractor_choice import train_extractor
        from tfgantl.pretrained import fit_source, open_source
        from tfgantl.training.optimization import ADAPTATION, dtype_policy
        from tfgantl.training.run import TrainingData
        from tfgantl.training.run import train as train_gan
        from tfgantl.training.settings import TrainingSettings
        from tfgantl.transfer import FineTune

        source, _ = open_source(self.source, None, (), problem.seed)
        source, _ = fit_source(source, *problem.shape, problem.num_classes, "nearest", known, problem.seed)
        extractor = train_extractor(*known.subset(2000), problem.num_classes, problem.seed, steps=100)
        method = FineTune()
        keras.utils.set_random_seed(problem.seed)
        networks = method.networks(source, dtype_policy("auto"))
        gan = GAN(*networks, ema_decay=ADAPTATION.ema_decay, seed=problem.seed)
        settings = TrainingSettings(
            steps=self.gan_steps,
            batch_size=min(problem.batch_size, known.size),
            seed=problem.seed,
            validate_every=self.gan_steps,
            optimization=ADAPTATION,
        )
        return train_gan(gan, method, source, TrainingData(known, known, extractor), settings, title=title or "gan").gan


@dataclass(frozen=True)
class OnGenerated(Recognizer):
    """Trains on generated images in place of those of the source, and on the labelled ones."""

    family: ClassVar[str] = "generated"

    def streams(self, problem):
        return {name: part for name, part in super().streams(problem).items() if name != "unlabelled"}


def surest(model, images, share: float):
    """The images of each predicted class that a classifier is surest of, and its predictions.

    Args:
        model: The classifier.
        images: uint8 (n, side, side, channels).
        share: Share of the images of each class that are taken.
    """
    import numpy as np

    from tfgantl.recognition.selection import probabilities

    said = probabilities(model, images)
    labels, chosen = said.argmax(1), []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        members = members[np.argsort(-said[members, label], kind="stable")]
        chosen.extend(members[: max(1, round(share * len(members)))])
    chosen = np.sort(chosen)
    return images[chosen], labels[chosen]
