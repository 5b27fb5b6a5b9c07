"""Trains an extractor on labelled images of one or more domains, to measure many runs with the same features.

`python -m tfgantl.pipelines.extractor --config pipelines/extractor_digits.yaml`, or `tfgantl extractor`.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tfgantl.cli import run as run_cli
from tfgantl.configuration import to_yaml
from tfgantl.data import Examples, Source
from tfgantl.data.classes import matched
from tfgantl.errors import ConfigError, DataError, check_at_least, check_seed
from tfgantl.pipelines.results import Result, python_only
from tfgantl.pipelines.settings import VerbConfig, resolve_paths
from tfgantl.training.run_facts import compared_settings
from tfgantl.training.settings import Devices
from tfgantl.versions import versions

if TYPE_CHECKING:
    import numpy as np

    from tfgantl.metrics.extractors import Extractor

MAX_TEST_IMAGES = 4000


@dataclass(frozen=True)
class ExtractorConfig(VerbConfig):
    """Settings of an extractor.

    Args:
        domains: Labelled data sources with the same classes, by name; training parts only are learnt from.
        out_dir: New directory for the extractor.
        steps: Training steps.
        samples: Images of each domain, repeated if there are fewer.
        image_size: Height and width in pixels, for sources that leave it open.
        channels: 1 for gray, 3 for RGB, for sources that leave it open.
        seed: Makes the training repeatable.
        batch_size: Images a step.
        devices: Devices of this machine that share each batch, as for `adapt` (docs/scale.md).
        renamed_classes: Name of a class of a later domain → its name in the first, where they are called differently.
    """

    domains: list[Source]
    out_dir: str
    steps: int = 2000
    samples: int = 8000
    image_size: int = 28
    channels: int = 1
    seed: int = 0
    batch_size: int = 128
    devices: Devices = "auto"
    renamed_classes: dict[str, str] = field(default_factory=dict)

    sharing = "steps"

    def __post_init__(self) -> None:
        resolve_paths(self)
        if not self.domains:
            raise ConfigError("`domains` must name at least one data source. Received: none")
        check_at_least(self, 1, "steps", "samples", "batch_size")
        check_at_least(self, 1, *([] if isinstance(self.devices, str) else ["devices"]))
        check_seed("seed", self.seed)
        if Path(self.out_dir).exists():
            raise ConfigError(f"`out_dir` must not exist. Received: {self.out_dir}")


@dataclass(frozen=True, kw_only=True)
class ExtractorResult(Result):
    """A trained extractor.

    Args:
        out_dir: Its directory.
        hash: Of its weights.
        accuracy: Name of a domain → accuracy on its test images.
        extractor: The extractor.
    """

    out_dir: Path
    hash: str
    accuracy: dict[str, float]
    extractor: "Extractor" = python_only()


def extractor(config: ExtractorConfig) -> ExtractorResult:
    """Trains, tests and saves an extractor.

    Args:
        config: The settings.

    Returns:
        The extractor and its accuracy. On workers other than the chief, `None`.

    Raises:
        DataError: If the domains have no labels, or other classes.
    """
    from tfgantl.data.apart import kept_apart
    from tfgantl.metrics.extractor_choice import train_extractor
    from tfgantl.training.team import errors_of_workers, form

    team = form(config.devices, config.batch_size)
    domains = [domain.sized(config.image_size, config.channels) for domain in config.domains]
    # Before training: pictures may come meanwhile.
    loaded = kept_apart([one.splits() for one in domains], [one.name for one in domains])
    parts = same_classes(domains, [splits["train"] for splits in loaded], config.renamed_classes)
    images, labels, num_classes = training_images(parts, config.samples)
    data = {f"data of domain {number}": part.fingerprint for number, part in enumerate(parts)}
    team.compare({**versions(), **data, **compared_settings(to_yaml(config))})
    with team.strategy.scope(), errors_of_workers():
        shared = train_extractor(images, labels, num_classes, config.seed, config.steps, batch_size=config.batch_size)

    def measured_and_saved() -> ExtractorResult:
        trained = shared if team.replicas == 1 else shared.on_one_device()
        trained.classes = parts[0].classes
        measure(trained, domains, same_classes(domains, [splits["test"] for splits in loaded], config.renamed_classes))
        trained.save(config.out_dir)
        (Path(config.out_dir) / "recipe.yaml").write_text(to_yaml(config))
        return ExtractorResult(
            out_dir=Path(config.out_dir), hash=trained.hash, accuracy=trained.accuracy, extractor=trained
        )

    return team.by_chief(measured_and_saved)


def same_classes(domains: list[Source], loaded: list[Examples], renamed: dict[str, str]) -> list[Examples]:
    """A split of each domain, `loaded`, with labels that mean what they mean in the first, matched by names.

    Raises:
        DataError: If a domain has other classes than the first.
    """
    from tfgantl.progress import log

    first, *others = loaded
    parts = [first]
    for domain, part in zip(domains[1:], others, strict=True):
        if first.classes is None or part.classes is None:
            log(f"{domain.name}: classes are matched by number, as names are not known on both sides")
        else:
            here = {name: new for name, new in renamed.items() if name in part.classes}
            part = matched(part, first.classes, here, domain.name)
        parts.append(part)
    return parts


def training_images(parts: list[Examples], samples: int) -> tuple["np.ndarray", "np.ndarray", int]:
    """As many labelled images of each domain, repeated if there are fewer, and their number of classes.

    Raises:
        DataError: If the domains have no labels, or other classes.
    """
    import numpy as np

    from tfgantl.recognition.task import with_labels

    if len({part.num_classes for part in parts} | {None}) != 2:
        raise DataError(
            f"`domains` must have labels, and the same classes. Received: {[part.num_classes for part in parts]}"
        )
    images, labels = [], []
    for part in parts:
        part_images, part_labels = with_labels(part, samples)
        repeated = np.resize(np.arange(len(part_images)), samples)
        images.append(part_images[repeated])
        labels.append(part_labels[repeated])
    return np.concatenate(images), np.concatenate(labels), cast(int, parts[0].num_classes)


def measure(extractor: "Extractor", domains: list[Source], parts: list[Examples]) -> None:
    """Measures the accuracy of an extractor on test images of all domains, which it keeps."""
    from tfgantl.metrics.classification import accuracy
    from tfgantl.progress import log
    from tfgantl.recognition.task import with_labels

    for domain, part in zip(domains, parts, strict=True):
        test = with_labels(part, MAX_TEST_IMAGES)
        extractor.accuracy[domain.name] = accuracy(extractor.classifier, *test)
        log(f"{domain.name}: accuracy {extractor.accuracy[domain.name]:.4f} on test images")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(ExtractorConfig, "extractor", extractor, {}, arguments)


if __name__ == "__main__":
    sys.exit(main())
