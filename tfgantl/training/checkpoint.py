"""Checkpoints of everything that training changes, on TensorFlow's own format with its checksums."""

import re
from pathlib import Path

import tensorflow as tf

from tfgantl.errors import RunError
from tfgantl.training.callbacks import all_finite


def plain(error: tf.errors.OpError) -> str:
    """The message of a TensorFlow error without the names of graph nodes."""
    return re.sub(r"\{\{.*?\}\} ?| ?\[Op:.*?\]", "", error.message)


class Checkpoints:
    """Keeps the last two states of a GAN and its optimizers whose values are all finite.

    Args:
        gan: Compiled GAN.
        directory: Where checkpoints lie.

    Attributes:
        last: Path of the newest checkpoint, or `none`.
    """

    def __init__(self, gan, directory: Path):
        self.gan = gan
        # TensorFlow does not look into the lists of a Keras model by itself.
        parts = [*gan.regularizers, *gan.g_adapters, *gan.d_adapters]
        state = tf.train.Checkpoint(gan=gan, g_optimizer=gan.optimizer, d_optimizer=gan.d_optimizer, parts=parts)
        self._manager = tf.train.CheckpointManager(state, str(directory), max_to_keep=2, checkpoint_name="step")
        self._state = state

    @property
    def last(self) -> str:
        return self._manager.latest_checkpoint or "none"

    def save(self, step: int) -> None:
        """Writes a checkpoint, unless a weight is not finite.

        Raises:
            RunError: If the disk is full or cannot be written.
        """
        if not all_finite(self.gan):
            return
        try:
            self._manager.save(checkpoint_number=step)
        except tf.errors.OpError as error:
            raise RunError(
                f"{self._manager.directory}: checkpoints must fit on the disk. Received: {plain(error)}"
            ) from error

    def restore_last(self) -> None:
        """Reads the newest checkpoint back."""
        self._state.restore(self._manager.latest_checkpoint).assert_consumed()
