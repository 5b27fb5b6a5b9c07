"""From a handle to a source GAN, and from its weights to those of the target: by name and shape, or not at all."""

from pathlib import Path

import keras
import numpy as np

from tfgantl.errors import ArtifactError
from tfgantl.gan import GAN
from tfgantl.models import presets


def load_source(handle: str) -> GAN:
    """Loads a trained pair.

    Args:
        handle: Name of a preset, the directory of one, or a run directory: one with `generator.keras` and
            `discriminator.keras`.

    Returns:
        A GAN that computes in float32; the averaged generator equals the generator.

    Raises:
        ArtifactError: If there is nothing behind the handle, it is damaged, or a weight is not finite.
    """
    if handle in presets.names() or (Path(handle) / "config.json").is_file():
        gan = GAN.from_preset(handle)
    elif (Path(handle) / "generator.keras").is_file():
        gan = GAN(load_network(Path(handle) / "generator.keras"), load_network(Path(handle) / "discriminator.keras"))
    else:
        raise ArtifactError(
            f"`source` must be a preset ({', '.join(presets.names())}), the directory of one, or a run directory with "
            f"generator.keras and discriminator.keras. Received: {handle}"
        )
    for network in (gan.generator, gan.discriminator):
        check_finite(network, handle)
    return gan


def load_generator(handle: str) -> keras.Model:
    """Loads a generator alone: from a preset, a run directory, or a `.keras` file.

    Raises:
        ArtifactError: If there is nothing behind the handle, it is damaged, or a weight is not finite.
    """
    path = Path(handle)
    if path.suffix == ".keras":
        generator = load_network(path)
    elif (path / "generator.keras").is_file():
        generator = load_network(path / "generator.keras")
    else:
        generator = load_source(handle).ema_generator
    check_finite(generator, handle)
    shape = generator.output_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or len(generator.inputs) > 2:
        raise ArtifactError(
            f"{handle}: a generator must map latents, or latents and labels, to images. Received: output shape {shape}"
        )
    if len(generator.inputs) == 2 and getattr(generator, "num_classes", None) is None:
        raise ArtifactError(f"{handle}: a conditional generator must say its `num_classes`. Received: none")
    return generator


def load_network(path: Path) -> keras.Model:
    """Loads one `.keras` file without running code from it.

    Raises:
        ArtifactError: If the file is missing or not a Keras model.
    """
    if not path.is_file():
        raise ArtifactError(f"{path}: must be a .keras file. Received: no such file")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # damaged archives raise whatever their parser meets first
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArtifactError(f"{path}: must be an intact .keras file of this package. Received: {reason}") from error


def check_finite(network: keras.Model, where: str) -> None:
    """Raises `ArtifactError` if any weight is NaN or infinite."""
    for variable in network.variables:
        if not np.isfinite(variable.numpy()).all():
            raise ArtifactError(f"{where}: weights must be finite. Received: NaN or infinity in {variable.path}")


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copies all weights, each to the one with the same name and shape.

    Raises:
        ArtifactError: If any weight has no counterpart; the message lists both sides.
    """
    available, wanted = _named_weights(source), _named_weights(target)
    missing = sorted(set(wanted) - set(available))
    unused = sorted(set(available) - set(wanted))
    if missing or unused:
        raise ArtifactError(
            f"source and target {target.name} must have the same weights. Received: only in the target {missing}, "
            f"only in the source {unused}"
        )
    for name, variable in wanted.items():
        if variable.shape != available[name].shape:
            raise ArtifactError(
                f"{target.name} weight {name} must have the shape {tuple(variable.shape)}. "
                f"Received: {tuple(available[name].shape)} from the source"
            )
    for name, variable in wanted.items():
        variable.assign(available[name])


def _named_weights(network):
    return {v.path: v for v in network.variables if v.dtype == "float32"}
