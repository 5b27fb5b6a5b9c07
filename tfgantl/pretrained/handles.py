"""From a handle, whatever kind of thing is behind it, to a source GAN or to a generator alone."""

import os
from pathlib import Path

import keras
import numpy as np

from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.gan import GAN
from tfgantl.models import Networks, presets
from tfgantl.models.classifier_pixels import in_our_range
from tfgantl.models.copies import assign_weights, thaw
from tfgantl.models.variable_names import named_weights
from tfgantl.pretrained.bare_weights import adopt_pair, open_checkpoint
from tfgantl.pretrained.discriminators import cached_discriminator, networks_for
from tfgantl.pretrained.drawn import check_draws
from tfgantl.pretrained.foreign import recognise
from tfgantl.pretrained.foreign.roles import Opened, pair_of_weights
from tfgantl.pretrained.load_report import LoadReport
from tfgantl.pretrained.ranges import pair_in_network_range
from tfgantl.pretrained.together import check_together
from tfgantl.pretrained.weights_h5 import STEP, read_weights_h5
from tfgantl.pretrained.wrap import WrappedGenerator
from tfgantl.printing import printable
from tfgantl.progress import log
from tfgantl.untrusted import hub
from tfgantl.untrusted.archives import read_npz
from tfgantl.untrusted.foreign_checkpoints import ForeignCheckpoint, ForeignNetwork
from tfgantl.untrusted.networks import check_finite, load_network
from tfgantl.untrusted.savedmodels import is_saved_model, read_variables
from tfgantl.untrusted.torch_files import read_checkpoint

AVERAGE_TAKEN = "The averaged generator of the GAN was taken, and not the generator as the last step left it."


def load_source(handle: str, networks: Networks | None = None, allow_ops: tuple[str, ...] = ()) -> GAN:
    """Loads a trained pair; a discriminator that is missing is rebuilt from samples of the generator.

    Args:
        handle: Name of a preset or the directory of one; a run directory (`generator.keras`, `discriminator.keras`);
            a `.keras` file; bare weights (`.weights.h5`, `.npz`); a checkpoint of PyTorch, NVIDIA's or safetensors;
            the directory of a SavedModel or TF1 hub module; or an address: `https://tfhub.dev/…`,
            `kaggle://owner/model/framework/variation[/version]`, `hf://owner/repository[@revision][/file]`.
        networks: Architecture that bare weights are adopted into, and the variables of a SavedModel; without it, a
            SavedModel is wrapped and trained as it is, and a checkpoint must be of a network that is known. Also that
            of a discriminator to rebuild.
        allow_ops: Operations of a SavedModel that are trusted, see `safety`.

    Returns:
        A GAN that computes in float32; the averaged generator equals the generator.

    Raises:
        ArtifactError: If there is nothing behind the handle, it is damaged or unsafe, or a weight or a pixel is not
            finite.
        ConfigError: If an option is needed and missing, or given and not needed.
    """
    return open_source(handle, networks, allow_ops)[0]


def open_source(
    handle: str, networks: Networks | None = None, allow_ops: tuple[str, ...] = (), seed: int = 0
) -> tuple[GAN, LoadReport]:
    """Like `load_source`, and says what became of every weight."""
    check_handle(handle)
    if handle in presets.names() or (Path(handle) / "config.json").is_file():
        generator, discriminator, report = *_open_preset(handle, networks, allow_ops), LoadReport()
    else:
        generator, discriminator, report = _open(handle, networks, allow_ops)
    check_finite(generator, handle)
    _check_channels(generator, handle)
    check_draws(generator, handle)
    if discriminator is None:
        check_generator(generator, handle)
        discriminator = cached_discriminator(generator, networks or networks_for(generator), seed)
        report.notes.append("The discriminator was missing, and was rebuilt from samples of the generator.")
    check_finite(discriminator, handle)
    if not report.entries:
        for network in (generator, discriminator):
            for path, variable in named_weights(network).items():
                report.add("copied", f"{network.name}/{path}", int(np.prod(variable.shape)))
    for network in (generator, discriminator):  # as averages are, in files of plain Keras
        thaw(network)
    return GAN(generator, discriminator, seed=seed), report


def load_generator(handle: str, networks: Networks | None = None, allow_ops: tuple[str, ...] = ()) -> keras.Model:
    """Loads a generator alone, from whatever `load_source` takes.

    Raises:
        ArtifactError: If there is nothing behind the handle, it is damaged or unsafe, a weight is not finite, or it is
            no generator.
        ConfigError: If an option is needed and missing, or given and not needed.
    """
    return check_generator(load_model(handle, networks, allow_ops), handle)


def check_handle(handle: str) -> None:
    """Refuses what can be the name of nothing, before anything is looked for under it.

    Raises:
        ArtifactError: If no file can have such a name.
    """
    try:
        os.stat(handle)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass  # whoever opens it tells
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        if not hub.is_remote(handle):
            raise ArtifactError(
                f"a model must be a path, a preset or an address. Received: {printable(handle)[:80]} ({reason})"
            ) from error


def load_model(
    handle: str, networks: Networks | None = None, allow_ops: tuple[str, ...] = (), pixels: str | None = None
) -> keras.Model:
    """Like `load_generator`, but a `.keras` file may hold any network, such as a classifier.

    Args:
        handle: As for `load_source`.
        networks: The same.
        allow_ops: The same.
        pixels: What a classifier takes, `0..255`, `0..1` or `-1..1`; `None` to read it from its first layers.

    Raises:
        ArtifactError: If there is nothing behind the handle, it is damaged or unsafe, or a weight is not finite.
        ConfigError: If an option is needed and missing, or given and not needed.
    """
    check_handle(handle)
    if handle in presets.names() or (Path(handle) / "config.json").is_file():
        generator, _ = _open_preset(handle, networks, allow_ops)
    else:
        generator, _, report = _open(handle, networks, allow_ops, generator_only=True)
        log(*report.notes, *(f"{handle}: {line}" for line in report.losses()))
    check_finite(generator, handle)
    check_draws(generator, handle)
    return in_our_range(generator, handle, pixels)


def check_generator(generator: keras.Model, where: str) -> keras.Model:
    """Returns a network if it maps latents, or latents and labels, to images.

    Raises:
        ArtifactError: If it does not, or its images have their channels first.
    """
    shape, inputs = (getattr(generator, name, None) for name in ("output_shape", "inputs"))  # neither, if not built
    if not isinstance(shape, tuple) or len(shape) != 4 or not inputs or len(inputs) > 2:
        raise ArtifactError(
            f"{where}: a generator must map latents, or latents and labels, to images. Received: output shape {shape}"
        )
    _check_channels(generator, where)
    if len(generator.inputs[0].shape) != 2:
        raise ArtifactError(
            f"{where}: latents must be vectors (batch, size). Received: an input of {generator.inputs[0].shape}"
        )
    if len(generator.inputs) == 2 and getattr(generator, "num_classes", None) is None:
        raise ArtifactError(f"{where}: a conditional generator must say its `num_classes`. Received: none")
    return generator


def _check_channels(generator: keras.Model, where: str) -> None:
    shape = getattr(generator, "output_shape", None)
    if isinstance(shape, tuple) and len(shape) == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3):
        raise ArtifactError(f"{where}: the 1 or 3 channels of images must come last. Received: output shape {shape}")


def _open_preset(
    handle: str, networks: Networks | None, allow_ops: tuple[str, ...]
) -> tuple[keras.Model, keras.Model | None]:
    """Generator and discriminator of a preset; those that are shipped make images in [-1, 1]."""
    _refuse_unused(handle, networks, allow_ops)
    gan = GAN.from_preset(handle)
    if handle in presets.names():
        return gan.generator, gan.discriminator
    return pair_in_network_range(gan.generator, gan.discriminator, handle)


def _open(handle: str, networks: Networks | None, allow_ops: tuple[str, ...], generator_only: bool = False) -> Opened:
    """`(generator, discriminator or None, report)` of anything but a preset."""
    path = hub.resolve(handle) if hub.is_remote(handle) else Path(handle)
    is_pair = (path / "generator.keras").is_file()  # a SavedModel may lie beside it, as on the Hugging Face Hub
    if not is_pair and is_saved_model(path):
        return _open_saved_model(path, networks, allow_ops, generator_only)
    if allow_ops:
        raise ConfigError(f"`allow_ops` must only be given for a SavedModel. Received: {allow_ops} for {handle}")
    if path.name.endswith(".weights.h5"):
        return adopt_pair(pair_of_weights(_of_gan(read_weights_h5(path)), handle), networks, handle, generator_only)
    if path.suffix == ".npz":
        arrays = read_npz(path)
        opened = None if networks else recognise(ForeignCheckpoint({"": ForeignNetwork(arrays)}), handle)
        return opened or adopt_pair(pair_of_weights(arrays, handle), networks, handle, generator_only)
    notes: list[str] = []
    if path.suffix == ".keras":
        generator, discriminator = load_network(path), None
        if isinstance(generator, GAN):
            generator, discriminator, notes = _pair_of(generator)
        generator, discriminator = pair_in_network_range(generator, discriminator, handle)
    elif is_pair:
        generator, discriminator = load_network(path / "generator.keras"), None
        if not generator_only and (path / "discriminator.keras").is_file():
            discriminator = load_network(path / "discriminator.keras")
            check_together(path, {"generator.keras": generator, "discriminator.keras": discriminator})
        generator, discriminator = pair_in_network_range(generator, discriminator, handle)
    elif path.is_file():
        return open_checkpoint(read_checkpoint(path), networks, handle, generator_only)
    else:
        raise ArtifactError(
            f"`source` must be a preset ({', '.join(presets.names())}), the directory of one, a run directory with "
            f"generator.keras, a .keras, .weights.h5, .npz, .pt, .pth, .pkl or .safetensors file, a SavedModel, or the "
            f"address of one. Received: {handle}"
        )
    if discriminator is not None or generator_only:
        _refuse_unused(handle, networks, ())
    return generator, discriminator, LoadReport(notes=notes)


def _pair_of(gan: GAN) -> tuple[keras.Model, keras.Model, list[str]]:
    """The networks of a saved training, and what there is to say: its generator is the average, as in all that it does.

    The weights of the average are put into the generator that was trained, whose layers are not frozen.
    """
    if not gan.steps_taken:  # what was put into the generator since it was made is in no average
        return gan.generator, gan.discriminator, []
    assign_weights(gan.generator, gan.ema_generator.get_weights())
    return gan.generator, gan.discriminator, [AVERAGE_TAKEN]


def _of_gan(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights of a `GAN` without its average, unless a step has been taken."""
    if STEP in arrays and not arrays[STEP].any():
        return {name: array for name, array in arrays.items() if not name.startswith("ema_generator/")}
    return arrays


def _open_saved_model(
    path: Path, networks: Networks | None, allow_ops: tuple[str, ...], generator_only: bool
) -> Opened:
    if networks is None:
        return WrappedGenerator(path, allow_ops=allow_ops), None, LoadReport()
    if allow_ops:  # adopting reads variables only, and runs nothing
        raise ConfigError(f"`allow_ops` must not be given with `networks`. Received: {allow_ops}")
    return adopt_pair(pair_of_weights(read_variables(path), str(path)), networks, str(path), generator_only)


def _refuse_unused(handle: str, networks: Networks | None, allow_ops: tuple[str, ...]) -> None:
    if networks is not None:
        raise ConfigError(f"`networks` must not be given for a source that says its own. Received: it, for {handle}")
    if allow_ops:
        raise ConfigError(f"`allow_ops` must only be given for a SavedModel. Received: {allow_ops} for {handle}")
