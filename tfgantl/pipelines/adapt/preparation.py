"""What an adaptation starts with: the source fitted to the target, the data, the features, and the method."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras

from tfgantl.data import Examples
from tfgantl.data.examples import check_splits
from tfgantl.errors import ConfigError
from tfgantl.gan import GAN
from tfgantl.metrics.extractor_choice import choose_extractor
from tfgantl.metrics.extractors import Extractor
from tfgantl.metrics.transferability import Transferability, estimate_transferability
from tfgantl.models.copies import layers_hash, weights_hash
from tfgantl.models.families import specification_of
from tfgantl.models.specifications.discriminators import Own
from tfgantl.pipelines.adapt.discriminator import choose_discriminator, with_discriminator
from tfgantl.pipelines.open_settings import settled
from tfgantl.pretrained import fit_source, open_source
from tfgantl.progress import log
from tfgantl.training.class_names import class_names_behind
from tfgantl.training.optimization import ADAPTATION
from tfgantl.training.run import TrainingData
from tfgantl.transfer import Scratch, Transfer

if TYPE_CHECKING:
    from tfgantl.pipelines.adapt import AdaptConfig


SHIPPED = "rendered-digits"


@dataclass(frozen=True)
class PreparedAdaptation:
    """Everything that an adaptation needs, checked.

    Args:
        name: Of run and export directories.
        source: Trained pair, of the size, channels and classes of the target.
        weights: Rows on weights that were not simply copied from the source.
        examples: Split → `Examples`.
        extractor: Features for all measurements.
        transferability: Estimated before training.
        transfer: The method, chosen if it was to be.
        source_hash: Of the weights of the generator that `source` was made from.
        settings: What settings are that were left open: name → value.
        baseline: The method of the baseline.
    """

    name: str
    source: GAN
    weights: list[tuple]
    examples: dict[str, Examples]
    extractor: Extractor
    transferability: Transferability
    transfer: Transfer
    source_hash: str
    settings: dict[str, Any]
    baseline: Transfer = field(default_factory=Scratch)

    def training_data(self) -> TrainingData:
        """What trainings learn from and are validated with."""
        return TrainingData(self.examples["train"], self.examples["validation"], self.extractor)

    def beside(self) -> dict[str, keras.Model]:
        """Networks that the trained pair is of no use without, by the names of their files in the run."""
        return {}

    def opening(self) -> str:
        """What the run is about to train on, for its log."""
        return f"{self.examples['train'].size or 'endless'} training images"

    def facts(self) -> dict[str, str]:
        """What the results depend on, beside settings and packages: hashes of data and weights."""
        pair = {"generator": self.source.generator, "discriminator": self.source.discriminator}
        named = {network.name: network for network in pair.values()}
        networks = named if len(named) == 2 else pair  # networks of Keras may have one name
        return {
            **{f"{split} data": part.fingerprint for split, part in self.examples.items()},
            **{f"source {role}": weights_hash(network) for role, network in networks.items()},
            **{f"layers of the source {role}": layers_hash(network) for role, network in pair.items()},
            "extractor": self.extractor.id,
            **self.transfer.facts(),
        }


def prepare(config: "AdaptConfig", name: str) -> PreparedAdaptation:
    """Loads and checks what an `AdaptConfig` asks for, and logs what can be estimated before training.

    Args:
        config: The settings.
        name: Of the run.

    Raises:
        TfgantlError: If the source or the target cannot be used, or the method does not fit them.
    """
    source, report = open_source(config.source, config.networks, config.allow_ops, config.seed)
    loaded, source_hash = report.lines(), weights_hash(source.generator)
    _, size, _, channels = source.generator.output_shape
    target = config.target.sized(size, channels)
    examples = target.splits()
    part = examples["train"]
    check_splits(examples)
    if config.source == SHIPPED and target.extractor is None:  # pictures of the user's own
        log(f"{SHIPPED} makes printed digits, {size} px in gray; `tfgantl pretrain` makes a source like your pictures")
    # An unconditional source stays so, unless `class_map` says how classes begin.
    stays = source.num_classes is None and config.class_map == "nearest"
    names = class_names_behind(config.source, source.num_classes)
    if source.num_classes is not None and source.num_classes == part.num_classes and not (names and part.classes):
        log("classes of source and target are matched by number: their names are not known on both sides")
    source, fitted = fit_source(
        source, part.image_size, part.channels, None if stays else part.num_classes, config.class_map, part,
        config.seed, names,
    )  # fmt: skip
    log(f"{config.source}: {loaded[0]}", *loaded[1:])
    if fitted.rows():
        log(f"fitted to the target: {fitted.lines()[0]}", *fitted.lines()[1:])
    config.optimization.check(config.steps, source.num_classes)
    if config.probe and not config.transfer.needs_target:
        raise ConfigError(
            "`probe` must be left out for a method that looks at no target. "
            f"Received: it, with {type(config.transfer).__name__}"
        )
    extractor = choose_extractor(config.extractor, target.extractor, part, config.seed)
    transferability = estimate_transferability(source, part, extractor, config.seed)
    transfer, reason = config.transfer.resolve(transferability)
    log(str(transferability), *([reason] if reason else []))
    chosen = choose_discriminator(config, source, part, transfer)
    wanted = None if isinstance(chosen, Own) else chosen
    if wanted is not None:
        source = with_discriminator(source, wanted, transfer, config.seed)
    settings = settled(config, wanted or specification_of(source.generator), part, ADAPTATION)
    settings["discriminator"] = chosen
    if part.size is not None and settings["batch_size"] > part.size:
        log(f"batches have all {part.size} training images, fewer than `batch_size` {settings['batch_size']}")
    # A method that does not fit the networks fails here, before the run.
    steps = config.steps or config.default_steps  # not yet known, if there is a budget
    next(transfer.schedule(steps)).apply(GAN(*transfer.networks(source, "float32")))
    return PreparedAdaptation(
        name,
        source,
        report.rows() + fitted.rows(),
        examples,
        extractor,
        transferability,
        transfer,
        source_hash,
        settings,
    )
