"""What is edited: models of digits that methods have adapted, and one of photographs that was trained from nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.editing.config import METHODS, SIDE, SOURCE, EditingBenchmarkConfig
from benchmarks.pairs import FRESH
from tfgantl.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from tfgantl.metrics.extractors import Extractor
    from tfgantl.pipelines.edit.model import EditedModel

NO_VGG16 = "none"  # as `weights`: it would take hours


@dataclass(frozen=True)
class Subject:
    """A model, and pictures that it has not seen.

    Args:
        model: The model.
        pictures: float32 (n, height, width, channels) in [-1, 1].
        labels: Their classes, int (n,).
        classifier: Tells classes, and has not seen a generated image.
        seed: Of the edits.
        weights: Of VGG16, by whose features colour pictures are compared; `none` for pixels alone.
    """

    model: "EditedModel"
    pictures: "np.ndarray"
    labels: "np.ndarray"
    classifier: "Extractor"
    seed: int
    weights: str = "imagenet"

    def agreement(self, images: "np.ndarray", labels: "np.ndarray | None" = None) -> float:
        """Share of images in [-1, 1] that are told to be of their classes, of those of the pictures if not given."""
        from tfgantl.images import to_uint8

        return float((self.classifier(to_uint8(images))[1] == (self.labels if labels is None else labels)).mean())


def adapted(config: EditingBenchmarkConfig, method: str, seed: int) -> "EditedModel":
    """A model that one method has adapted to handwritten digits; trained once."""
    from tfgantl.pipelines.adapt import AdaptConfig, adapt

    run = Path(config.work_dir) / f"model-{method}-{seed}-{config.steps}"
    if not (run / "report.html").is_file():
        adapt(
            AdaptConfig(
                source=SOURCE, transfer=METHODS[method], steps=config.steps, seed=seed, baseline=False,
                optimization=FRESH, samples=500, classifier_steps=1,
                export_dir=str(Path(config.work_dir) / "exported"), **_begun(run),
            )
        )  # fmt: skip
    return _edited(run, seed)


def digits(config: EditingBenchmarkConfig, seed: int) -> Subject:
    """A fine-tuned model with held-out digits."""
    from tfgantl.images import to_unit

    model = adapted(config, "FineTune", seed)
    pictures, labels = model.held_out(config.count)
    if labels is None or model.classifier is None:
        raise ConfigError("the target must have labels and a shipped classifier. Received: another")
    return Subject(model, to_unit(pictures), labels, model.classifier, seed)


def photographs(config: EditingBenchmarkConfig, seed: int) -> Subject:
    """A class-conditional StyleGAN2 with held-out photographs; trained once."""
    from tfgantl.data import Arrays
    from tfgantl.images import to_unit
    from tfgantl.metrics.extractor_choice import cached_extractor
    from tfgantl.models import StyleGAN2
    from tfgantl.pipelines.pretrain import PretrainConfig, pretrain
    from tfgantl.training.optimization import Optimization

    networks, batch = StyleGAN2(), 16
    source = Arrays(config.photographs, names="class_names", image_size=SIDE, channels=3, validation=0.1, test=0.1)
    run = Path(config.work_dir) / f"photographs-{seed}-{config.photograph_steps}"
    if not (run / "report.html").is_file():
        pretrain(
            PretrainConfig(
                target=source, networks=networks, steps=config.photograph_steps, batch_size=batch, mirror=True,
                optimization=Optimization(augment="translation"), extractor="vgg16",
                seed=seed, validate_every=500, samples=500, classifier_steps=1, **_begun(run),
            )
        )  # fmt: skip
    model = _edited(run, seed, NO_VGG16)
    pictures, labels = model.held_out(config.count)
    if labels is None:
        raise ConfigError("`photographs` must have classes. Received: none")
    classifier = cached_extractor(source.load("train"), seed)
    model.classifier = classifier  # as if it were shipped
    return Subject(model, to_unit(pictures), labels, classifier, seed, NO_VGG16)


def _begun(run: Path) -> dict[str, str]:
    """Whether a run begins or goes on, as an option of it."""
    return {"resume": str(run)} if (run / "config.yaml").is_file() else {"run_dir": str(run)}


def _edited(run: Path, seed: int, weights: str = "imagenet") -> "EditedModel":
    from tfgantl.pipelines.edit.invert import InvertConfig
    from tfgantl.pipelines.edit.model import EditedModel

    return EditedModel(InvertConfig(model=str(run), seed=seed, weights=weights))
