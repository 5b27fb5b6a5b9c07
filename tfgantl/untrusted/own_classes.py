"""Numbers in configurations of the classes of this package, some of which stand for layers, rows or names.

What a number would build cannot be seen by building it: a few digits may stand for millions of layers. So numbers are
compared beforehand with what the weights could fill, and with how many layers there may be.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfgantl.errors import ArtifactError

PREFIX = "tfgantl>"
LAYERS = {
    "AdaptiveAugment", "AdaptivePseudoAugment", "BatchNormalization", "Bias", "CaptionVectors",
    "ConditionalInstanceNorm", "ConstantConv2D", "Conv2D", "Conv2DTranspose", "DiffAugment", "DoubledImage",
    "DoublingConv2D", "Dropout", "FusedConv2D", "GatedLinearUnit", "HalvingSpectralConv2D", "ImageNetPreprocessing",
    "ImageRange",
    "LabelProjection", "LabelTable", "LearntConstant", "LeCam", "LinearResizing", "MinibatchDeviation",
    "ModulatedConv2D", "Noise", "PathLength", "ReflectionPadding", "ScaledConv2D", "ScaledDense", "SpectralConv2D",
    "SpectralDense", "Style", "StyleVectors", "UniformNoise", "UnitRMS",
}  # fmt: skip  # of a few operations each; all others are networks
HOLDERS = {
    "DomainClassifier",
    "EnsembleDiscriminator",
    "GAN",
    "MinedGenerator",
    "WrappedTextEncoder",
}  # which build what they hold, and copies of it
OF_NETWORK, OF_BLOCK = 160, 12  # layers of the networks of this package, at most, and of each of their blocks
REPEATED = ("blocks", "mapping_layers", "label_layers")  # numbers of blocks
SMALL = 2**16  # numbers up to this one need no weights, such as sides of images
LONG = 4096  # characters, such as those of a path
FREE = {"seed"}


def check_own_classes(config: Any, stored: int, path: Path) -> None:
    """Refuses numbers that the weights could not fill, texts without end, and networks that double themselves.

    Args:
        config: That of a network, with all that is inside.
        stored: Bytes of its weights, in float32.
        path: Where it is from, for messages.

    Raises:
        ArtifactError: If there is one.
    """
    most = SMALL + stored // 4
    for name, part, holders in _own_parts(config, ()):
        if name in holders:
            raise ArtifactError(f"{path}: a {name} must not hold another one. Received: one in a {holders[-1]}")
        for key, value in _values(part, ""):
            if isinstance(value, str) and len(value) > LONG:
                raise ArtifactError(f"{path}: `{key}` must have at most {LONG} characters. Received: {len(value)}")
            if isinstance(value, int | float) and value > most and key not in FREE:
                raise ArtifactError(
                    f"{path}: `{key}` of a {name} must be at most {most}, for weights of {stored} bytes. "
                    f"Received: {value}"
                )


def layers_of(config: dict[str, Any]) -> int:
    """How many layers a part builds by its numbers, at most; 0 for one that is not of this package, or is a layer."""
    name = _name(config)
    inner = config.get("config")
    if name is None or name in LAYERS or not isinstance(inner, dict):
        return 0
    counts = [inner.get(key) for key in REPEATED]
    blocks = sum(max(count, 0) for count in counts if isinstance(count, int))
    filters = inner.get("filters")
    return OF_NETWORK + OF_BLOCK * (blocks + (len(filters) if isinstance(filters, list) else 0))


def _name(config: dict[str, Any]) -> str | None:
    """Name of a class of this package; `None` for anything else."""
    registered = config.get("registered_name")
    if not isinstance(registered, str) or not registered.startswith(PREFIX):
        return None
    return registered.removeprefix(PREFIX)


def _own_parts(config: Any, holders: tuple[str, ...]) -> Iterator[tuple[str, Any, tuple[str, ...]]]:
    """Name and configuration of each part of a class of this package, and the holders that it is in."""
    if isinstance(config, dict):
        name = _name(config)
        if name is not None:
            yield name, config.get("config"), holders
            holders = (*holders, name) if name in HOLDERS else holders
    for part in config.values() if isinstance(config, dict) else config if isinstance(config, list) else ():
        yield from _own_parts(part, holders)


def _values(config: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Name and value of all plain options, but for those of parts that have a class of their own."""
    if isinstance(config, dict):
        for name, value in config.items():
            if not (isinstance(value, dict) and "class_name" in value):
                yield from _values(value, name)
    elif isinstance(config, list):
        for value in config:
            yield from _values(value, key)
    else:
        yield key, config
