"""Fits a source to a target of another image size, with other channels or other classes."""

import numpy as np

from tfgantl.errors import ConfigError
from tfgantl.gan import GAN
from tfgantl.pretrained.copying import copy_weights, named_weights
from tfgantl.pretrained.load_report import LoadReport
from tfgantl.pretrained.refit.channels import fit_channels
from tfgantl.pretrained.refit.classes import choose_classes, fit_classes
from tfgantl.pretrained.refit.discriminator_resolution import JUDGED, fit_discriminator_size
from tfgantl.pretrained.refit.generator_resolution import fit_generator_size, sample
from tfgantl.pretrained.refit.parts import Part

DEFAULT_CLASS_MAP = "nearest"


def fit_source(
    source: GAN,
    image_size: int,
    channels: int,
    num_classes: int | None,
    class_map: str = DEFAULT_CLASS_MAP,
    examples=None,
    seed: int = 0,
) -> tuple[GAN, LoadReport]:
    """Makes a pair for a target out of a pair for other images, losing as little of it as possible.

    Args:
        source: Trained pair; does not change.
        image_size: Side of the target's images.
        channels: 1 or 3.
        num_classes: Classes of the target, or `None` for an unconditional pair.
        class_map: Where a class of the target starts, if the number of classes differs: `nearest` (the class of the
            source with the nearest mean features in the discriminator), `average` (of all), `init` (at its initial
            value), or the path of a file that maps each class of the target to one of the source. An unconditional
            source takes `nearest` or `init`: labels have no effect at first.
        examples: Training images of the target, for `nearest`.
        seed: For weights that the source cannot tell.

    Returns:
        `(pair, report)`; the same pair if nothing differs.

    Raises:
        ArtifactError: If a network that must change is not of this package, or cannot make images of that size.
        ConfigError: If `class_map` is given and not needed, or is needed and wrong.

    Reference:
        Classes: Wang et al., 2018, https://arxiv.org/abs/1805.01677; stages: Karras et al., 2018,
        https://arxiv.org/abs/1710.10196, who blend them in where these start as an identity.
    """
    _, size, _, made = source.generator.output_shape
    same_classes = source.num_classes == num_classes
    if source.num_classes is not None and num_classes is not None and not same_classes:
        chosen = choose_classes(source, num_classes, class_map, examples, seed)
    else:
        adds_classes = source.num_classes is None and num_classes is not None
        if class_map != DEFAULT_CLASS_MAP and not (adds_classes and class_map == "init"):
            raise ConfigError(
                f"`class_map` must only be given if source and target have different classes. Received: {class_map} "
                f"for {source.num_classes} and {num_classes}"
            )
        chosen = None
    if (size, made) == (image_size, channels) and same_classes:
        return source, _all_copied(source)

    def fit(generator):
        maker, judge = Part.of(generator, seed), Part.of(source.discriminator, seed)
        (images,) = sample(generator, [generator.output], JUDGED)
        fit_generator_size(maker, image_size)
        fit_discriminator_size(judge, image_size, images)
        for part in (maker, judge):
            fit_channels(part, channels)
            fit_classes(part, num_classes, chosen)
        return maker, judge

    maker, judge = fit(source.generator)
    generator, discriminator = maker.build(), judge.build()
    gan = GAN(generator, discriminator, ema_decay=source.ema_decay, seed=source.seed)
    if not _equal(source.generator, source.ema_generator):
        copy_weights(fit(source.ema_generator)[0].build(), gan.ema_generator)
    return gan, maker.report(generator) + judge.report(discriminator)


def _all_copied(source):
    report = LoadReport()
    for network in (source.generator, source.discriminator):
        for path, variable in named_weights(network).items():
            report.add("copied", f"{network.name}/{path}", int(np.prod(variable.shape)))
    return report


def _equal(first, second):
    theirs = named_weights(second)
    return all(np.array_equal(v.numpy(), theirs[path].numpy()) for path, v in named_weights(first).items())
