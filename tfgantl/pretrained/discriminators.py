"""A discriminator for a generator that came without one."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path

import keras
import tensorflow as tf

from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.files import Replacing, cache_directory
from tfgantl.gan import GAN
from tfgantl.models import DCGAN, Networks
from tfgantl.models.copies import weights_hash
from tfgantl.models.families import family_of
from tfgantl.models.structure import structure_of
from tfgantl.optimizers import Adam
from tfgantl.progress import log
from tfgantl.random_streams import StepStream, step_seeds
from tfgantl.step_bar import StepBar
from tfgantl.untrusted.networks import load_network
from tfgantl.versions import versions

REBUILD_STEPS = 300


def rebuild_discriminator(
    generator: keras.Model, networks: Networks, seed: int = 0, steps: int = REBUILD_STEPS, batch_size: int = 32
) -> keras.Model:
    """Trains a discriminator that takes samples of a generator for real, against a second generator trained beside it.

    The second generator starts fresh and comes nearer and nearer to the samples, so the discriminator learns ever finer
    features of them, as the lost one did of the real images. A discriminator trained on a fixed set of fakes, such as
    noise, would stop at the first difference. The generator itself does not change.

    Args:
        generator: The source: latents [, labels] → images in [-1, 1].
        networks: Architecture of the discriminator and of the second generator.
        seed: Makes it repeatable.
        steps: Training steps.
        batch_size: Samples a step.

    Returns:
        The discriminator: images [, labels] → logits (batch, 1).

    Raises:
        ConfigError: If the architecture cannot make images of that size.
    """
    structure = structure_of(generator)
    size, _, channels = structure.image_shape
    num_classes, latent_dim = structure.num_classes, structure.latent_dim

    def samples(step: tf.Tensor) -> tuple[tf.Tensor, ...]:
        seeds = step_seeds(seed, StepStream.SOURCE_LATENTS, step)
        latents = tf.random.stateless_normal((batch_size, latent_dim), seeds)
        if num_classes is None:
            return (generator(latents, training=False),)
        labels = tf.random.stateless_uniform((batch_size,), seeds, 0, num_classes, tf.int32)
        return generator([latents, labels], training=False), labels

    keras.utils.set_random_seed(seed)
    gan = GAN(*networks.build(size, channels, num_classes), seed=seed)
    gan.compile(Adam(2e-4, beta_1=0.5), Adam(2e-4, beta_1=0.5))
    data = tf.data.Dataset.range(2**62).map(samples).prefetch(1)
    bar = StepBar("rebuilding the discriminator")
    gan.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[bar])
    return gan.discriminator


def cached_discriminator(generator: keras.Model, networks: Networks, seed: int = 0) -> keras.Model:
    """Like `rebuild_discriminator`, but built once for each source: it is kept in the cache of the user.

    Args:
        generator: The source.
        networks: Architecture of the discriminator.
        seed: Makes it repeatable.
    """
    architecture = json.dumps(keras.saving.serialize_keras_object(generator), sort_keys=True, default=str)
    key = f"{weights_hash(generator)} {architecture} {networks!r} {seed} {REBUILD_STEPS} {versions()}"
    path = cache_directory() / "discriminators" / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.keras"
    discriminator = _read(path)
    if discriminator is None:
        log(f"the source has no discriminator: one is built in {REBUILD_STEPS} steps, once, and kept in {path}")
        discriminator = rebuild_discriminator(generator, networks, seed)
        with suppress(OSError):  # a home that cannot be written costs the time again
            path.parent.mkdir(parents=True, exist_ok=True)
            with Replacing(path) as temporary:
                discriminator.save(temporary)
    keras.utils.set_random_seed(seed)  # what is drawn next does not depend on whether it was built
    return discriminator


def _read(path: Path) -> keras.Model | None:
    try:
        return load_network(path) if path.is_file() else None
    except ArtifactError:  # damaged; it is built anew
        return None


def networks_for(generator: keras.Model) -> Networks:
    """An architecture for images of the size that a generator makes: its own, if it is of a family.

    Raises:
        ArtifactError: If the generator makes no square images.
    """
    shape = generator.output_shape
    if len(shape) != 4 or shape[1] != shape[2]:
        raise ArtifactError(f"a generator must make images (batch, side, side, channels). Received: {shape}")
    core = structure_of(generator).core
    family = family_of(core)
    if family is not None:
        return family.from_generator(core)
    strides: list[int] = []
    side = shape[1]
    while side % 2 == 0 and side > 4:
        side, strides = side // 2, [*strides, 2]
    strides = [*[1] * (2 - len(strides)), *strides]
    filters = [max(16, 256 >> i) for i in range(len(strides))]
    try:
        return DCGAN(latent_dim=generator.inputs[0].shape[-1], filters=tuple(filters), strides=tuple(strides))
    except ConfigError as error:
        raise ArtifactError(str(error)) from error
