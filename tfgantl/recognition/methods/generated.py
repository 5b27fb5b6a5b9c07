"""Classifiers trained on images that an adapted conditional GAN generates."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tfgantl.errors import ConfigError
from tfgantl.recognition.method import Recognizer
from tfgantl.recognition.methods.parameters import SHOT

if TYPE_CHECKING:
    import numpy as np

    from tfgantl.data import Examples
    from tfgantl.gan import GAN
    from tfgantl.recognition.domain_classifier import DomainClassifier
    from tfgantl.recognition.fitted import Fitted
    from tfgantl.recognition.task import Task
    from tfgantl.recognition.trainer import Trainer


@dataclass(frozen=True)
class GANImages(Recognizer):
    """Adapts a class-conditional GAN to the target, and trains the classifier on its images.

    The GAN learns from the labelled images of the target, and from the others with confident labels of another method.

    Args:
        source: Handle of the conditional GAN to adapt, as for `tfgantl adapt`.
        gan_steps: Training steps of the adaptation.
        images: Generated images to train on.
        labeller: Method that labels the unlabelled images of the target; null leaves these out.
        confident_share: Share of the images of each predicted class that are taken, the most confident first.
        rounds: Number of repetitions; from the second one on, the classifier trained on generated images is the
            labeller.

    Reference:
        Antoniou et al., 2017, https://arxiv.org/abs/1711.04340; Besnier et al., 2020, https://arxiv.org/abs/1911.02996
    """

    source: str = "rendered-digits"
    gan_steps: int = 600
    images: int = 6000
    labeller: Recognizer | None = SHOT()
    confident_share: float = 0.7
    rounds: int = 1

    family: ClassVar[str] = "generated"
    needs: ClassVar[tuple[str, ...]] = ("source",)
    from_source: ClassVar[bool] = True

    def fit(self, trainer: "Trainer", title: str | None = None) -> "Fitted":
        import numpy as np

        from tfgantl.data import Examples
        from tfgantl.images import to_uint8

        task = trainer.task
        classifier: DomainClassifier | None = None
        labels = np.arange(self.images) % task.num_classes
        for _ in range(self.rounds):
            labelled = self.labelled(trainer, classifier, title)
            gan = self.adapted(task, labelled, title)
            fakes = to_uint8(gan.generate(gan.latents(self.images, task.seed), labels))
            source = Examples.from_arrays(fakes, labels, task.num_classes)
            fitted = trainer.replace(source=source).train(_OnGenerated(), title, trainer.source_model())
            classifier = fitted.model
        fitted.generated = fakes[: trainer.max_generated], labels[: trainer.max_generated]
        return fitted

    def facts(self) -> dict[str, str]:
        from tfgantl.models.copies import layers_hash, weights_hash
        from tfgantl.pretrained import load_generator

        generator = load_generator(self.source)  # a discriminator that it has not would be rebuilt, a little otherwise
        gan = f"{weights_hash(generator)} {layers_hash(generator)}"
        return {"GAN": gan, **(self.labeller.facts() if self.labeller else {})}

    def labelled(self, trainer: "Trainer", classifier: "DomainClassifier | None", title: str | None) -> "Examples":
        """Images of the target with given labels, and with confident ones of a classifier.

        Args:
            trainer: The trainer.
            classifier: What labels the unlabelled images; `None` for that of the labeller.
            title: Of its progress bar.
        """
        import numpy as np

        from tfgantl.data import Examples

        task = trainer.task
        parts: list[tuple] = [] if task.labelled is None else [task.labelled.take()]
        if task.unlabelled is not None and self.labeller is not None:
            classifier = classifier or trainer.fit(self.labeller, title).model
            parts.append(most_confident(classifier, trainer.target_pool, self.confident_share))
        if not parts:
            raise ConfigError(
                "GANImages: there must be images of the target, with labels or with a `labeller`. "
                f"Received: none ({task.setting} setting)"
            )
        images, labels = map(np.concatenate, zip(*parts, strict=True))
        return Examples.from_arrays(images, labels, task.num_classes)

    def adapted(self, task: "Task", labelled: "Examples", title: str | None) -> "GAN":
        """The GAN, adapted to labelled images, without validation."""
        import keras

        from tfgantl.gan import GAN
        from tfgantl.metrics.extractor_choice import train_extractor
        from tfgantl.pretrained import fit_source, open_source
        from tfgantl.training.class_names import class_names_behind
        from tfgantl.training.optimization import ADAPTATION
        from tfgantl.training.precision import dtype_policy
        from tfgantl.training.run import TrainingData
        from tfgantl.training.run import train as train_gan
        from tfgantl.training.settings import TrainingSettings
        from tfgantl.transfer import FineTune

        source, _ = open_source(self.source, None, (), task.seed)
        source, _ = fit_source(
            source,
            *task.shape,
            task.num_classes,
            "nearest",
            labelled,
            task.seed,
            class_names_behind(self.source, source.num_classes),
        )
        extractor = train_extractor(*labelled.subset(2000), task.num_classes, task.seed, steps=100)
        method = FineTune()
        keras.utils.set_random_seed(task.seed)
        generator, discriminator = method.networks(source, dtype_policy("auto", scales_loss=True))
        gan = GAN(generator, discriminator, ema_decay=ADAPTATION.settled().average, seed=task.seed)
        settings = TrainingSettings(
            steps=self.gan_steps,
            batch_size=min(task.batch_size, labelled.size or task.batch_size),
            seed=task.seed,
            validate_every=self.gan_steps,
            optimization=ADAPTATION,
        )
        data = TrainingData(labelled, labelled, extractor)
        return train_gan(gan, method, source, data, settings, title=title or "gan").gan


@dataclass(frozen=True)
class _OnGenerated(Recognizer):
    """Trains on generated images in place of those of the source, and on the labelled ones of the target."""

    family: ClassVar[str] = "generated"

    def streams(self, trainer: "Trainer") -> "dict[str, Examples]":
        return {name: part for name, part in super().streams(trainer).items() if name != "unlabelled"}


def most_confident(model: "DomainClassifier", images: "np.ndarray", share: float) -> "tuple[np.ndarray, np.ndarray]":
    """The most confident predictions of each class: images, and their predicted labels.

    Args:
        model: The classifier.
        images: uint8 (n, side, side, channels).
        share: Share of the images of each class that are taken.
    """
    import numpy as np

    from tfgantl.recognition.selection import probabilities

    predicted = probabilities(model, images)
    labels = predicted.argmax(1)
    chosen: list[int] = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        members = members[np.argsort(-predicted[members, label], kind="stable")]
        chosen.extend(members[: max(1, round(share * len(members)))])
    rows = np.sort(chosen)
    return images[rows], labels[rows]
