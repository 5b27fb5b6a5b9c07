"""Trains an extractor on labelled images of one or more domains, to measure many runs with the same features.

`python -m tfgantl.pipelines.extractor --config pipelines/extractor_digits.yaml`, or `tfgantl extractor`.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from tfgantl.cli import run as run_cli
from tfgantl.configuration import to_yaml
from tfgantl.data import Source
from tfgantl.errors import ConfigError, DataError, check_at_least, check_seed


@dataclass(frozen=True)
class ExtractorConfig:
    """Settings of an extractor.

    Args:
        domains: Labelled data sources with the same classes; training parts only are learnt from.
        out_dir: New directory for the extractor.
        steps: Training steps.
        samples: Images of each domain, repeated if there are fewer.
        image_size: Height and width in pixels, for sources that leave it open.
        channels: 1 for gray, 3 for RGB, for sources that leave it open.
        seed: Makes the training repeatable.
        json: Print the result as the last line, one JSON object.
    """

    domains: list[Source]
    out_dir: str
    steps: int = 2000
    samples: int = 8000
    image_size: int = 28
    channels: int = 1
    seed: int = 0
    json: bool = False

    def __post_init__(self):
        if not self.domains:
            raise ConfigError("`domains` must name at least one data source. Received: none")
        check_at_least(self, 1, "steps", "samples")
        check_seed("seed", self.seed)
        if Path(self.out_dir).exists():
            raise ConfigError(f"`out_dir` must not exist. Received: {self.out_dir}")


def extractor(config: ExtractorConfig) -> dict:
    """Trains, tests and saves an extractor.

    Args:
        config: The settings.

    Returns:
        What `--json` prints.
    """
    import numpy as np

    from tfgantl.metrics.classification import accuracy
    from tfgantl.metrics.extractor_choice import train_extractor

    domains = [domain.sized(config.image_size, config.channels) for domain in config.domains]
    parts = [domain.load("train") for domain in domains]
    if len({part.num_classes for part in parts} | {None}) != 2:
        raise DataError(
            f"`domains` must have labels, and the same classes. Received: {[part.num_classes for part in parts]}"
        )
    images, labels = [], []
    for part in parts:
        found, known = part.subset(config.samples)
        at = np.resize(np.arange(len(found)), config.samples)
        images.append(found[at])
        labels.append(known[at])
    made = train_extractor(
        np.concatenate(images), np.concatenate(labels), parts[0].num_classes, config.seed, config.steps
    )
    for domain in domains:
        made.accuracy[domain.name] = accuracy(made.classifier, *domain.load("test").subset(4000))
        print(f"{domain.name}: accuracy {made.accuracy[domain.name]:.4f} on test images", file=sys.stderr)
    made.save(config.out_dir)
    (Path(config.out_dir) / "recipe.yaml").write_text(to_yaml(config))
    return {"out_dir": config.out_dir, "hash": made.hash, "accuracy": made.accuracy}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(ExtractorConfig, "extractor", extractor, {}, arguments)


if __name__ == "__main__":
    sys.exit(main())
