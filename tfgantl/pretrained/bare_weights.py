"""Weights without an architecture: of a network that is known by them, or into the one that `networks` says."""

from tfgantl.errors import ConfigError
from tfgantl.models import Networks
from tfgantl.pretrained.adopt import adopt
from tfgantl.pretrained.foreign import recognise
from tfgantl.pretrained.foreign.roles import Opened, Pair, check_has_generator, find_pair
from tfgantl.pretrained.layouts import check_order, normalised_as_there
from tfgantl.pretrained.load_report import LoadReport
from tfgantl.pretrained.sizes import infer_sizes
from tfgantl.pretrained.weights_h5 import with_names
from tfgantl.printing import printable
from tfgantl.untrusted.foreign_checkpoints import ForeignCheckpoint
from tfgantl.untrusted.networks import build_for


def open_checkpoint(
    checkpoint: ForeignCheckpoint, networks: Networks | None, where: str, generator_only: bool
) -> Opened:
    """Opens what another program has saved: as a network that is known, or as the one that `networks` says."""
    if networks is None:
        opened = recognise(checkpoint, where)
        if opened is not None:
            return opened
    pair = find_pair(checkpoint)
    generator = check_has_generator(pair, checkpoint, where)
    if networks is None:
        some = ", ".join(f"{printable(name)[:60]} {array.shape}" for name, array in [*generator.arrays.items()][:3])
        raise ConfigError(
            f"`networks` must say which architecture the weights of {where} belong to, unless it is a DCGAN as in the "
            f"tutorial of PyTorch. Received: none, and a generator with {some} …"
        )
    return adopt_pair(pair, networks, where, generator_only)


def adopt_pair(pair: Pair, networks: Networks | None, where: str, generator_only: bool) -> Opened:
    """Puts weights without an architecture into the networks that `networks` says.

    Raises:
        ArtifactError: If they do not fit.
        ConfigError: If it says none.
    """
    if networks is None:
        raise ConfigError(f"`networks` must say which architecture the weights of {where} belong to. Received: none")
    of_generator, of_discriminator = (
        {} if network is None else network.arrays for network in (pair.generator, pair.discriminator)
    )
    for network in (pair.generator, pair.discriminator):
        if network is not None:
            check_order(network, where)
    networks, notes = normalised_as_there(networks, of_generator)
    size, channels, classes = infer_sizes(networks, [a.shape for a in of_generator.values()], where)
    # Some may be missing, as `adopt` says; a discriminator that is not there is as `networks` says.
    parts = [of_generator, of_discriminator or None]
    generator, discriminator = build_for(lambda: networks.build(size, channels, classes), parts, where, present=0.8)
    report = LoadReport(notes=[*pair.notes, *notes])
    report += adopt(with_names(of_generator, generator), generator, where=where)
    if generator_only or not of_discriminator:
        return generator, None, report
    report += adopt(with_names(of_discriminator, discriminator), discriminator, where=where)
    return generator, discriminator, report
