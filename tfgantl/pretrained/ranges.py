"""Pixel ranges of generators from outside: measured, and mapped to [-1, 1]."""

import keras
import numpy as np

from tfgantl.errors import ArtifactError
from tfgantl.models.copies import same_copy
from tfgantl.models.inference import predict
from tfgantl.models.outputs import last_activation
from tfgantl.progress import log

MAPPED = "to_network_range"  # the layer behind a generator that is mapped
SAMPLES = 64
BEYOND = 0.15  # times the brightest pixel, below black
MOST = 10  # beyond which nothing is in [-1, 1], however little was trained


def in_network_range(network: keras.Model, where: str) -> keras.Model:
    """A generator that makes images in [-1, 1]; what was mapped is said.

    What it makes is measured on 64 latents: [0, 1] (a sigmoid, or what goes a little beyond) and [0, 255] are mapped.

    Args:
        network: Any network; those of this package, and what are no generators, are given back as they are.
        where: Where it is from, for messages.

    Raises:
        ArtifactError: If a generator makes something else.
    """
    if keras.saving.get_registered_name(type(network)).startswith("tfgantl>"):
        return network
    inputs, output = getattr(network, "inputs", None) or [], getattr(network, "output_shape", None)
    if isinstance(output, tuple) and len(output) == 4 and inputs and len(inputs[0].shape) == 2:
        return _generator(network, where)
    return network


def pair_in_network_range(
    generator: keras.Model, discriminator: keras.Model | None, where: str
) -> tuple[keras.Model, keras.Model | None]:
    """A generator that makes images in [-1, 1], and its discriminator, which sees what the generator made before.

    Args:
        generator: As for `in_network_range`.
        discriminator: Images [, labels] → logits, or `None`; those of this package are given back as they are.
        where: Where they are from, for messages.

    Raises:
        ArtifactError: If the generator makes something else.
    """
    mapped = in_network_range(generator, where)
    is_own = keras.saving.get_registered_name(type(discriminator)).startswith("tfgantl>")
    if discriminator is None or mapped is generator or is_own:
        return mapped, discriminator
    scale = mapped.get_layer(MAPPED).scale
    images, *others = (keras.Input(x.shape[1:], dtype=x.dtype, name=x.name) for x in discriminator.inputs)
    seen = keras.layers.Rescaling(1 / scale, 1 / scale, name="from_network_range")(images)
    logits = discriminator.call([seen, *others] if others else seen)  # through its own layers, which have blocks then
    both = same_copy(keras.Model([images, *others] if others else images, logits, name=discriminator.name))
    if (classes := getattr(discriminator, "num_classes", None)) is not None:
        both.num_classes = classes
    log(f"{where}: the discriminator sees pixels as its generator made them")
    return mapped, both


def is_unit_range(low: float, high: float) -> bool:
    """Whether pixels between these are of [0, 1]: what was trained for it, and not clipped, goes a little beyond.

    Where nothing is black, what was trained for [-1, 1] would make bright pictures only.
    """
    return (low >= 0 and high <= 2) or (low >= -BEYOND * high and 0.5 < high <= 1.5)


def is_byte_range(low: float, high: float) -> bool:
    """The same for [0, 255]; where nothing reaches 16, neither it nor [0, 1] is likely."""
    return (low >= 0 and 16 < high <= 256) or is_unit_range(low / 255, high / 255) and high > 127


def _generator(generator: keras.Model, where: str) -> keras.Model:
    activation = last_activation(generator)
    if activation == "tanh":
        return generator
    rng = np.random.default_rng(0)
    classes = getattr(generator, "num_classes", None) or 1
    given = [rng.standard_normal((SAMPLES, generator.inputs[0].shape[-1]), np.float32)]
    given += [np.arange(SAMPLES) % classes for _ in generator.inputs[1:]]
    # The memory of a foreign network has been looked at for one image, and no more.
    images = predict(generator, given if len(given) > 1 else given[0], batch_size=1)
    low, high = float(images.min()), float(images.max())
    if activation == "sigmoid" or is_unit_range(low, high):
        return _after(generator, 2.0, "[0, 1]", where)
    if is_byte_range(low, high):
        return _after(generator, 1 / 127.5, "[0, 255]", where)
    if max(-low, high) > MOST or low >= 0:
        raise ArtifactError(
            f"{where}: a generator must make pixels in [-1, 1], [0, 1] or [0, 255]. Received: [{low:g}, {high:g}]"
        )
    return generator


def _after(generator: keras.Model, scale: float, received: str, where: str) -> keras.Model:
    log(f"{where}: the generator makes pixels in {received}, which are mapped to [-1, 1]")
    images = keras.layers.Rescaling(scale, -1.0, name=MAPPED)(generator.outputs[0])
    inputs = generator.inputs if len(generator.inputs) > 1 else generator.inputs[0]
    mapped = keras.Model(inputs, images, name=generator.name)
    if (classes := getattr(generator, "num_classes", None)) is not None:
        mapped.num_classes = classes
    return mapped
