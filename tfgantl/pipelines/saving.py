"""The networks that a run leaves in its directory."""

from collections.abc import Mapping

import keras

from tfgantl.gan import GAN
from tfgantl.models.copies import float32_copy
from tfgantl.pretrained.together import RECORD, record_of
from tfgantl.training.run_directory import RunDirectory


def save_networks(gan: GAN, run: RunDirectory, beside: Mapping[str, keras.Model] | None = None) -> None:
    """Saves the averaged generator and the discriminator as `.keras` files, which are a source for other runs.

    First comes the record that tells them from those of another training, of which a kill may leave one.

    Args:
        gan: Trained pair.
        run: Where to.
        beside: Networks that are there already, and belong to these, by the names of their files.
    """
    pair = {f"{network.name}.keras": network for network in (gan.ema_generator, float32_copy(gan.discriminator))}
    run.write(RECORD, record_of(run.path, {**pair, **(beside or {})}))
    for name, network in pair.items():
        with run.replacing(name) as temporary:
            network.save(temporary)
