"""Checkpoints of other programs as pairs of ours: recognisers are asked in turn; the first that knows one makes it."""

from collections.abc import Callable

from tfgantl.pretrained.foreign import dcgan_pytorch, others, stylegan2
from tfgantl.pretrained.foreign.roles import Opened
from tfgantl.untrusted.foreign_checkpoints import ForeignCheckpoint

# Each takes a checkpoint and the name of its file, and gives `None` if it does not know it; a new family adds one.
RECOGNISERS: tuple[Callable[[ForeignCheckpoint, str], Opened | None], ...] = (
    stylegan2.recognise, dcgan_pytorch.recognise,
)  # fmt: skip


def recognise(checkpoint: ForeignCheckpoint, where: str) -> Opened | None:
    """Makes a pair of ours of a checkpoint of another program.

    Args:
        checkpoint: Of `read_checkpoint`.
        where: Name of the file for messages.

    Returns:
        Generator, discriminator or `None`, and what became of every weight; `None` if nobody knows the checkpoint.

    Raises:
        ArtifactError: If it is known to be of a network that is not read, is a discriminator alone, or its numbers are
            not finite.
    """
    for recogniser in RECOGNISERS:
        if (opened := recogniser(checkpoint, where)) is not None:
            return opened
    others.refuse(checkpoint, where)
    return None
