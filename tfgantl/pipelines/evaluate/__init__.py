"""Measures generators, or pictures that anything has generated, on the held-out images of a target.

`python -m tfgantl.pipelines.evaluate --model HANDLE`, or `tfgantl evaluate`.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from tfgantl.cli import run as run_cli
from tfgantl.data import HandwrittenDigits, Source
from tfgantl.data.decode import Crop
from tfgantl.errors import ConfigError, check_seed
from tfgantl.models import Networks
from tfgantl.pipelines.evaluate.results import Comparison, EvaluateResult
from tfgantl.pipelines.settings import EvaluationConfig

DEFAULTS = {"target": {"class_path": "HandwrittenDigits"}}


@dataclass(frozen=True)
class EvaluateConfig(EvaluationConfig):
    """Settings of an evaluation.

    Args:
        model: Handle of the generator: a preset name, a run directory, a .keras, .weights.h5, .npz, .pt, .pth, .pkl or
            .safetensors file, a SavedModel or TF1 hub module, or the address of one (docs/sources.md); or a folder of
            pictures that anything has generated. Given several times, all are compared.
        networks: Architecture that bare weights are adopted into; a SavedModel without it runs as it is.
        allow_ops: Operations of a SavedModel that are trusted, of those that are refused otherwise.
        target: Images it should look like; the training part only serves to find out what is copied or given away.
        seed: Chooses latents and subsets.
        out_dir: New directory for a report with pictures, and how distances depend on the number of images.
        statistics: File with mean and covariance of features (`mu`, `sigma`), as pytorch-fid writes it, that Fréchet
            distances are from, in place of the test images.
        save_statistics: File that those of the test images are written to.
        path_pairs: Pairs of images that perceptual path lengths are measured on, in z and, where there is one, in w;
            0 to leave them out.
        truncation: Shares of the distance of w from its average that a StyleGAN2 is also measured at, such as
            [0.5, 0.7, 1]; none to leave it out.
    """

    model: list[str] | str = "rendered-digits"
    networks: Networks | None = None
    allow_ops: tuple[str, ...] = ()
    target: Source = field(default_factory=HandwrittenDigits)
    seed: int = 0
    out_dir: str | None = None
    statistics: str | None = None
    save_statistics: str | None = None
    path_pairs: int = 0
    truncation: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed("seed", self.seed)
        if not self.models or len(set(self.models)) < len(self.models):
            raise ConfigError(f"`model` must name one or more models, each once. Received: {self.models}")
        if self.out_dir is not None and Path(self.out_dir).exists():
            raise ConfigError(f"`out_dir` must not exist. Received: {self.out_dir}")
        if self.path_pairs != 0 and self.path_pairs < 10:
            raise ConfigError(f"`path_pairs` must be 0 or at least 10. Received: {self.path_pairs}")
        if not all(psi >= 0 for psi in self.truncation):
            raise ConfigError(f"`truncation` must be numbers of at least 0. Received: {self.truncation}")

    @property
    def models(self) -> list[str]:
        """Handles of all that is measured."""
        return [self.model] if isinstance(self.model, str) else list(self.model)


def evaluate(config: EvaluateConfig) -> EvaluateResult:
    """Runs an evaluation.

    Args:
        config: The settings.

    Returns:
        The numbers, and how they were measured.

    Raises:
        TfgantlError: If a model or the target cannot be used, or they do not fit each other.
    """
    from tfgantl.metrics.evaluation import Evaluator
    from tfgantl.metrics.extractor_choice import choose_extractor
    from tfgantl.metrics.gaussians import FeatureGaussian
    from tfgantl.pipelines.evaluate.latents import path_lengths, truncation_curves
    from tfgantl.pipelines.evaluate.report import write_report
    from tfgantl.pipelines.evaluate.subjects import generated, load_target, open_subjects
    from tfgantl.pipelines.measurement import MAX_IMAGES
    from tfgantl.privacy.audit import Audit, audit_privacy
    from tfgantl.progress import log

    if config.save_statistics is not None:
        FeatureGaussian.check_place(config.save_statistics)
        if config.statistics and Path(config.statistics).resolve() == Path(config.save_statistics).resolve():
            raise ConfigError(f"`save_statistics` must not be the file of `statistics`. Received: {config.statistics}")
    statistics = None if config.statistics is None else FeatureGaussian.load(config.statistics)
    subjects = open_subjects(config)
    lengths = path_lengths(config, subjects)  # first, as they may ask for weights that are not there
    target, train, test = load_target(config.target, subjects)
    test_images, test_labels = test.different(MAX_IMAGES)
    extractor = choose_extractor(config.extractor, target.extractor, train, config.seed)
    if statistics is not None and config.statistics is not None:
        statistics.check_of(extractor.id, config.statistics)
        if statistics.extractor is None:
            log(f"{config.statistics} does not say whose features it is of; compared are those of {extractor.id}")
    evaluator = Evaluator(
        extractor, train.subset(MAX_IMAGES), (test_images, test_labels), train.num_classes, config.seed,
        config.classifier_steps, train.classes, statistics,
    )  # fmt: skip
    if config.save_statistics is not None:
        FeatureGaussian.of(evaluator.test_features, extractor.id).save(config.save_statistics)
    crop: Crop = getattr(target, "crop", "centre")
    evaluations, audits = {}, {}
    for subject in subjects:
        images, labels = generated(subject, test_images, test_labels, config.samples, config.seed, crop)
        evaluations[subject.name] = evaluator(images, labels, subject.name)
        audits[subject.name] = Audit("unknown", "the training part is drawn without end, and is nobody's pictures")
        if train.size is not None:
            audits[subject.name] = audit_privacy(
                images, train.subset(MAX_IMAGES), (test_images, test_labels), evaluator.extractor,
                subject.generator, seed=config.seed, of=train.size,
            )  # fmt: skip
    first = evaluations[subjects[0].name]
    result = EvaluateResult(
        model=subjects[0].handle,
        metrics=first.metrics,
        diversity=first.diversity,
        protocol={**first.protocol, **first.diversity_protocol},
        compared={name: {**one.metrics, **one.diversity} for name, one in evaluations.items()},
        comparisons=Comparison.of_all(evaluations, evaluator, config.seed),
        privacy=audits[subjects[0].name].record(),
        privacy_of_all={name: audit.record() for name, audit in audits.items()},
        path_lengths=lengths,
        truncation=truncation_curves(config, subjects, evaluator),
        out_dir=None if config.out_dir is None else Path(config.out_dir),
        generator=subjects[0].generator,
    )
    if result.out_dir is not None:
        write_report(config, result, evaluations, evaluator)
    return result


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(EvaluateConfig, "evaluate", evaluate, DEFAULTS, arguments)


if __name__ == "__main__":
    sys.exit(main())
