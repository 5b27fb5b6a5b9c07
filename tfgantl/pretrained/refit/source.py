"""Fits a source to a target of another image size, with other channels or other classes."""

from collections.abc import Sequence

import keras
import numpy as np

from tfgantl.data.examples import Examples
from tfgantl.errors import ConfigError
from tfgantl.gan import GAN
from tfgantl.models.variable_names import named_weights
from tfgantl.pretrained.copying import copy_weights
from tfgantl.pretrained.load_report import LoadReport
from tfgantl.pretrained.refit.base import Refit, refit_of
from tfgantl.pretrained.refit.classes import Start, choose_classes, fit_classes
from tfgantl.pretrained.refit.editable import EditableNetwork, sample_outputs

DEFAULT_CLASS_MAP = "nearest"


def fit_source(
    source: GAN,
    image_size: int,
    channels: int,
    num_classes: int | None,
    class_map: str = DEFAULT_CLASS_MAP,
    examples: Examples | None = None,
    seed: int = 0,
    source_names: Sequence[str] | None = None,
) -> tuple[GAN, LoadReport]:
    """Makes a pair for a target out of a pair for other images, losing as little of it as possible.

    Args:
        source: Trained pair; does not change.
        image_size: Side of the target's images.
        channels: 1 or 3.
        num_classes: Classes of the target, or `None` for an unconditional pair.
        class_map: Where a class of the target starts: `nearest` (the class of the source with the same name; where
            there is none, the one with the nearest mean features in the discriminator; where names are not known on
            both sides and there are as many classes, the same label), `average` (of all), `init` (at its initial
            value), or the path of a file that maps each class of the target to one of the source. An unconditional
            source takes `nearest` or `init`: labels have no effect at first.
        examples: Training images of the target, for `nearest`.
        seed: For weights that the source cannot tell.
        source_names: Names of the classes of the source, by label; `None` if they are not known.

    Returns:
        `(pair, report)`; the same pair if nothing differs.

    Raises:
        ArtifactError: If a network that must change is not of this package, or cannot make images of that size.
        ConfigError: If `class_map` is given and not needed, or is needed and wrong.

    Reference:
        Classes: Wang et al., 2018, https://arxiv.org/abs/1805.01677; stages: Karras et al., 2018,
        https://arxiv.org/abs/1710.10196, who blend them in where these start as an identity.
    """
    if getattr(source.generator, "text_dim", None) is not None and num_classes != source.num_classes:
        raise ConfigError(
            "`source` must have classes, or none, to be fitted to others: one that reads texts goes on with "
            f"`tfgantl imagine train`. Received: {source.num_classes} captions"
        )
    _, size, _, source_channels = source.generator.output_shape
    same_classes = source.num_classes == num_classes
    chosen = None
    if source.num_classes is not None and num_classes is not None:
        chosen = choose_classes(source, num_classes, class_map, examples, seed, source_names)
    elif class_map != DEFAULT_CLASS_MAP and not (num_classes is not None and class_map == "init"):
        raise ConfigError(
            f"`class_map` must only be given if source and target have classes. Received: {class_map} "
            f"for {source.num_classes} and {num_classes}"
        )
    if (size, source_channels) == (image_size, channels) and same_classes and chosen is None:
        return source, _all_copied(source)

    refits = refit_of(source.generator), refit_of(source.discriminator)
    target = (image_size, channels, num_classes, chosen)
    generator = _fit_generator(source.generator, refits[0], seed, *target)
    discriminator = EditableNetwork.of(source.discriminator, seed)
    if size != image_size:
        (images,) = sample_outputs(source.generator, [source.generator.output], refits[1].samples)
        refits[1].resize_discriminator(discriminator, image_size, images)
    _fit_channels_and_classes(discriminator, refits[1], *target[1:])
    pair = generator.build(), discriminator.build()
    gan = GAN(*pair, ema_decay=source.ema_decay, seed=source.seed)
    if not _equal(source.generator, source.ema_generator):
        average = _fit_generator(source.ema_generator, refits[0], seed, *target)
        copy_weights(average.build(), gan.ema_generator)
    return gan, generator.report(pair[0]) + discriminator.report(pair[1])


def _fit_generator(
    generator: keras.Model,
    refit: Refit,
    seed: int,
    image_size: int,
    channels: int,
    num_classes: int | None,
    chosen: list[Start] | None,
) -> EditableNetwork:
    network = EditableNetwork.of(generator, seed)
    if network.config["image_size"] != image_size:
        refit.resize_generator(network, image_size)
    _fit_channels_and_classes(network, refit, channels, num_classes, chosen)
    return network


def _fit_channels_and_classes(
    network: EditableNetwork, refit: Refit, channels: int, num_classes: int | None, chosen: list[Start] | None
) -> None:
    if network.config["channels"] != channels:
        refit.change_channels(network, channels)
        network.config["channels"] = channels
    fit_classes(network, refit, num_classes, chosen)


def _all_copied(source: GAN) -> LoadReport:
    report = LoadReport()
    for network in (source.generator, source.discriminator):
        for path, variable in named_weights(network).items():
            report.add("copied", f"{network.name}/{path}", int(np.prod(variable.shape)))
    return report


def _equal(first: keras.Model, second: keras.Model) -> bool:
    theirs = named_weights(second)
    return all(np.array_equal(v.numpy(), theirs[path].numpy()) for path, v in named_weights(first).items())
