"""Measures any generator on the held-out images of a target.

`python -m tfgantl.pipelines.evaluate --model HANDLE`, or `tfgantl evaluate`.
"""

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tfgantl.cli import run as run_cli
from tfgantl.data import SPLITS, Examples, HandwrittenDigits, Source
from tfgantl.data.classes import matched
from tfgantl.data.examples import check_splits
from tfgantl.errors import DataError, check_seed
from tfgantl.models import Networks
from tfgantl.pipelines.results import Result, python_only
from tfgantl.pipelines.settings import EvaluationConfig

if TYPE_CHECKING:
    import keras

DEFAULTS = {"target": {"class_path": "HandwrittenDigits"}}


@dataclass(frozen=True)
class EvaluateConfig(EvaluationConfig):
    """Settings of an evaluation.

    Args:
        model: Handle of the generator: a preset name, a run directory, a .keras, .weights.h5, .npz, .pt, .pth, .pkl or
            .safetensors file, a SavedModel or TF1 hub module, or the address of one (docs/sources.md).
        networks: Architecture that bare weights are adopted into; a SavedModel without it runs as it is.
        allow_ops: Operations of a SavedModel that are trusted, of those that are refused otherwise.
        target: Images it should look like; the training part only serves to find out what is copied or given away.
        seed: Chooses latents and subsets.
    """

    model: str = "rendered-digits"
    networks: Networks | None = None
    allow_ops: tuple[str, ...] = ()
    target: Source = field(default_factory=HandwrittenDigits)
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed("seed", self.seed)


@dataclass(frozen=True, kw_only=True)
class EvaluateResult(Result):
    """Numbers of a generator.

    Args:
        model: Its handle.
        metrics: Name → value, or `None` where labels would be needed.
        diversity: How generated images spread around the training images, name → value.
        protocol: Name of a number → all its parameters, in words.
        privacy: What the generator gives away of the training part: level, rule, copies, attacks.
        generator: The generator, which maps latents, or [latents, labels], to images in [-1, 1].
    """

    model: str
    metrics: dict[str, float | None]
    diversity: dict[str, float | None]
    protocol: dict[str, str]
    privacy: dict[str, Any]
    generator: "keras.Model" = python_only()

    def text(self) -> str:
        """A table of the numbers."""
        rows = [
            f"{name:15} {'–' if value is None else f'{value:.4f}':>10}   {self.protocol[name]}"
            for name, value in {**self.metrics, **self.diversity}.items()
        ]
        return "\n".join([*rows, f"privacy risk {self.privacy['level']}: {self.privacy['reason']}"])


def evaluate(config: EvaluateConfig) -> EvaluateResult:
    """Runs an evaluation.

    Args:
        config: The settings.

    Returns:
        The numbers, and how they were measured.

    Raises:
        TfgantlError: If the model or the target cannot be used, or they do not fit each other.
    """
    from tfgantl.metrics.evaluation import Evaluator, labels_like
    from tfgantl.metrics.extractor_choice import choose_extractor
    from tfgantl.pipelines.measurement import MAX_IMAGES, generate_with
    from tfgantl.pretrained import load_generator
    from tfgantl.privacy.audit import Audit, audit_privacy

    generator = load_generator(config.model, config.networks, config.allow_ops)
    target, train, test = load_target(config, generator)
    test_images, test_labels = test.subset(MAX_IMAGES)
    labels = labels_like(test_labels, config.samples, config.seed) if is_conditional(generator) else None
    images = generate_with(generator, labels, config.samples, config.seed)
    extractor = choose_extractor(config.extractor, target.extractor, train, config.seed)
    held_out = test_images, test_labels
    evaluator = Evaluator(
        extractor, train.subset(MAX_IMAGES), held_out, train.num_classes, config.seed, config.classifier_steps,
        train.classes,
    )  # fmt: skip
    evaluation = evaluator(images, labels)
    privacy = Audit("unknown", "the training part is drawn without end, and is nobody's pictures")
    if train.size is not None:
        privacy = audit_privacy(images, train.subset(MAX_IMAGES), held_out, extractor, generator, seed=config.seed)
    return EvaluateResult(
        model=config.model,
        metrics=evaluation.metrics,
        diversity=evaluation.diversity,
        protocol={**evaluation.protocol, **evaluation.diversity_protocol},
        privacy=privacy.record(),
        generator=generator,
    )


def load_target(config: EvaluateConfig, generator: "keras.Model") -> tuple[Source, Examples, Examples]:
    """The target in the size of the generator, its training part and its test part.

    Raises:
        DataError: If it has images of another size, or other classes.
    """
    from tfgantl.progress import log
    from tfgantl.training.class_names import class_names_behind

    _, size, _, channels = generator.output_shape
    target = config.target.sized(size, channels)
    examples = {split: target.load(split) for split in SPLITS}
    names = class_names_behind(config.model)
    if is_conditional(generator) and not (names and examples["train"].classes):
        log("classes are compared by number: their names are not known on both sides")
    if names and is_conditional(generator):
        examples = {split: matched(part, names) for split, part in examples.items()}
    check_splits(examples)
    train = examples["train"]
    if (train.image_size, train.channels) != (size, channels):
        raise DataError(
            f"`target` must have images of the size that the model makes, {(size, size, channels)}. "
            f"Received: {(train.image_size, train.image_size, train.channels)}"
        )
    if is_conditional(generator) and train.num_classes != generator.num_classes:
        raise DataError(
            f"`target` must have the {generator.num_classes} classes of the model. Received: {train.num_classes}"
        )
    return target, train, examples["test"]


def is_conditional(generator: "keras.Model") -> bool:
    """Whether a generator is called with labels beside latents."""
    return len(generator.inputs) == 2 and generator.num_classes is not None


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(EvaluateConfig, "evaluate", evaluate, DEFAULTS, arguments)


if __name__ == "__main__":
    sys.exit(main())
