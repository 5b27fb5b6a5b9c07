"""The networks that a run leaves in its directory."""

from collections.abc import Mapping

import keras

from tfgantl.gan import GAN
from tfgantl.models.copies import float32_copy, thawed
from tfgantl.pretrained.together import RECORD, record_of
from tfgantl.training.run_directory import RunDirectory


def save_networks(gan: GAN, run: RunDirectory, beside: Mapping[str, keras.Model] | None = None) -> None:
    """Saves the averaged generator and the discriminator as `.keras` files, which are a source for other runs.

    Args:
        gan: Trained pair.
        run: Where to.
        beside: Networks that are there already, and belong to these, by the names of their files.
    """
    # By what they do: networks of Keras may both be called `functional`.
    pair = {"generator.keras": gan.ema_generator, "discriminator.keras": float32_copy(gan.discriminator)}
    save_together(pair, run, beside)


def save_together(
    networks: Mapping[str, keras.Model], run: RunDirectory, beside: Mapping[str, keras.Model] | None = None
) -> None:
    """Saves networks that were trained with each other.

    First comes the record that tells them from those of another training, of which a kill may leave one.

    Args:
        networks: By the names of their files.
        run: Where to.
        beside: Networks that are there already, and belong to these.
    """
    run.write(RECORD, record_of(run.path, {**networks, **(beside or {})}))
    for name, network in networks.items():
        with thawed(network), run.replacing(name) as temporary:  # others go on from it
            network.save(temporary)
