"""Pivotal tuning: the generator is trained a little, so that some codes give their pictures."""

import keras
import numpy as np
import tensorflow as tf

from tfgantl.editing.latent_space import LatentSpace
from tfgantl.editing.reconstruction import Reconstruction
from tfgantl.errors import DivergedError
from tfgantl.models.copies import assign_weights, fresh_copy
from tfgantl.models.structure import structure_of
from tfgantl.optimizers import Adam
from tfgantl.progress import bar
from tfgantl.random_streams import Stream

RATE = 3e-4
BATCH = 8
NEAR = 0.5  # how far from its pivot a code is, of the way to a random one, where images are to stay
LOCALITY = 1.0  # weight of that


def tuned_around(
    space: LatentSpace,
    reconstruction: Reconstruction,
    codes: np.ndarray,
    labels: np.ndarray | None,
    pictures: np.ndarray,
    steps: int,
    seed: int = 0,
) -> keras.Model:
    """A copy of the generator whose images of some codes are nearer to their pictures.

    Beside the pictures, each step asks that images of codes on the way from these to random ones stay what they were,
    so that edits still mean what they meant. What maps noise to codes, and tables of classes, are left as they are.

    Args:
        space: Of the generator; it is not changed.
        reconstruction: Distance of images.
        codes: float32 (n, *space.shape), the pivots.
        labels: int (n,), or `None`.
        pictures: float32 (n, height, width, channels) in [-1, 1].
        steps: Training steps, of at most 8 pictures.
        seed: Of the order, and of the codes in between.

    Returns:
        The tuned copy, in float32.

    Raises:
        DivergedError: If the loss is not finite at the end.

    Reference:
        Roich et al., 2021, https://arxiv.org/abs/2106.05744
    """
    copy = fresh_copy(space.generator)
    assign_weights(copy, space.generator.get_weights())
    tuned = LatentSpace(copy, space.name)
    structure = structure_of(copy)
    mapping = [variable for layer in structure.latent_mapping for variable in layer.variables]
    fixed = {id(variable) for variable in (*mapping, *structure.label_tables)}
    weights = [variable for variable in copy.trainable_variables if id(variable) not in fixed]
    optimizer = Adam(RATE)
    optimizer.build(weights)

    @tf.function(autograph=False, reduce_retracing=True)
    def step(pivots: tf.Tensor, classes: tf.Tensor, targets: tf.Tensor, near: tf.Tensor) -> tf.Tensor:
        before = space.decode(near, classes)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(reconstruction(tuned.decode(pivots, classes), targets))
            loss += LOCALITY * tf.reduce_mean(reconstruction(tuned.decode(near, classes), before))
        optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    rng, loss = Stream.TUNING.generator(seed), tf.constant(0.0)
    progress = bar(steps, "tuning")
    for _ in range(steps):
        rows = rng.permutation(len(codes))[:BATCH]
        classes = np.zeros(len(rows), np.int32) if labels is None else labels[rows].astype(np.int32)
        noise = rng.standard_normal((len(rows), space.latent_dim), np.float32)
        others = space.of_latents(noise, None if space.num_classes is None else classes)
        near = (1 - NEAR) * codes[rows] + NEAR * others
        loss = step(*(tf.constant(x, x.dtype) for x in (codes[rows], classes, pictures[rows], near)))
        progress.update()
    progress.close()
    if not np.isfinite(loss.numpy()):
        raise DivergedError(f"tuning must have a finite loss. Received: {loss.numpy()} after {steps} steps")
    return copy
