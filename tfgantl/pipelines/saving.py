"""The networks that a run leaves in its directory."""

from tfgantl.gan import GAN
from tfgantl.models.copies import float32_copy
from tfgantl.training.run_directory import RunDirectory


def save_networks(gan: GAN, run: RunDirectory) -> None:
    """Saves the averaged generator and the discriminator as `.keras` files, which are a source for other runs."""
    for network in (gan.ema_generator, float32_copy(gan.discriminator)):
        with run.replacing(f"{network.name}.keras") as temporary:
            network.save(temporary)
