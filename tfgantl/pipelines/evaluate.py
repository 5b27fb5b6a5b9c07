"""Measures any generator on the held-out images of a target.

`python -m tfgantl.pipelines.evaluate --model HANDLE`, or `tfgantl evaluate`.
"""

import sys
from dataclasses import dataclass, field

from tfgantl.cli import run as run_cli
from tfgantl.data import SPLITS, HandwrittenDigits, Source
from tfgantl.data.examples import check_splits
from tfgantl.errors import DataError, check_at_least, check_seed
from tfgantl.models import Networks

DEFAULTS = {"target": {"class_path": "HandwrittenDigits"}}


@dataclass(frozen=True)
class EvaluateConfig:
    """Settings of an evaluation.

    Args:
        model: Handle of the generator: a preset name, a run directory, a .keras, .weights.h5 or .npz file, a
            SavedModel or TF1 hub module, or the address of one (docs/sources.md).
        networks: Architecture that bare weights are adopted into; a SavedModel without it runs as it is.
        allow_ops: Operations of a SavedModel that are trusted, of those that are refused otherwise.
        target: Images it should look like; the training part only serves to find copies.
        extractor: Features for the metrics: auto, a shipped name, or a directory.
        samples: Generated images that are measured.
        classifier_steps: Training steps of each classifier that judges generated images by their use.
        seed: Chooses latents and subsets.
        json: Print the result as the last line, one JSON object.
    """

    model: str = "rendered-digits"
    networks: Networks | None = None
    allow_ops: tuple[str, ...] = ()
    target: Source = field(default_factory=HandwrittenDigits)
    extractor: str = "auto"
    samples: int = 4000
    classifier_steps: int = 500
    seed: int = 0
    json: bool = False

    def __post_init__(self):
        check_at_least(self, 10, "samples")
        check_at_least(self, 1, "classifier_steps")
        check_seed("seed", self.seed)


def evaluate(config: EvaluateConfig) -> dict:
    """Runs an evaluation, and prints a table.

    Args:
        config: The settings.

    Returns:
        What `--json` prints.
    """
    from tfgantl.images import to_uint8
    from tfgantl.metrics.evaluation import Evaluator, labels_like
    from tfgantl.metrics.extractor_choice import choose_extractor
    from tfgantl.models.inference import predict
    from tfgantl.pretrained import load_generator
    from tfgantl.random_streams import latents

    generator = load_generator(config.model, config.networks, config.allow_ops)
    _, size, _, channels = generator.output_shape
    target = config.target.sized(size, channels)
    train, test = target.load("train"), target.load("test")
    check_splits({split: target.load(split) for split in SPLITS})
    if (train.image_size, train.channels) != (size, channels):
        raise DataError(
            f"`target` must have images of the size that the model makes, {(size, size, channels)}. "
            f"Received: {(train.image_size, train.image_size, train.channels)}"
        )
    num_classes = generator.num_classes if len(generator.inputs) == 2 else None
    if num_classes is not None and train.num_classes != num_classes:
        raise DataError(f"`target` must have the {num_classes} classes of the model. Received: {train.num_classes}")
    test_images, test_labels = test.subset(10_000)
    inputs = latents(config.samples, generator.inputs[0].shape[-1], config.seed)
    labels = None if num_classes is None else labels_like(test_labels, config.samples, config.seed)
    inputs = inputs if labels is None else [inputs, labels]
    images = to_uint8(predict(generator, inputs))
    extractor = choose_extractor(config.extractor, target.extractor, train, config.seed)
    judge = Evaluator(
        extractor,
        train.subset(10_000),
        (test_images, test_labels),
        train.num_classes,
        config.seed,
        config.classifier_steps,
    )
    judged = judge(images, labels)
    protocol = {**judged.protocol, **judged.diversity_protocol}
    for name, value in {**judged.metrics, **judged.diversity}.items():
        print(f"{name:15} {'–' if value is None else f'{value:.4f}':>10}   {protocol[name]}")
    return {"model": config.model, "metrics": judged.metrics, "diversity": judged.diversity, "protocol": protocol}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(EvaluateConfig, "evaluate", evaluate, DEFAULTS, arguments)


if __name__ == "__main__":
    sys.exit(main())
