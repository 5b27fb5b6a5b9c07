"""The same architecture again, with fresh weights or with the same ones, and a hash to tell these by."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np


def fresh_copy(network: keras.Model, dtype: str | None = None) -> keras.Model:
    """A network of the same architecture with fresh weights, but for those that never change; no layer is frozen.

    Args:
        network: Any functional or sequential model; one whose configuration has no `dtype` keeps its own.
        dtype: Keras dtype policy of the hidden layers; `None` for that of the network.
    """
    config = network.get_config()
    if "dtype" in config:
        copy = type(network).from_config({**config, "dtype": dtype} if dtype else config)
    elif hasattr(network, "structure") or hasattr(network, "vocabulary"):  # a class that knows more than its layers
        copy = type(network).from_config(config)
    else:
        copy = keras.models.clone_model(network)
    for old, new in zip(constant_layers(network), constant_layers(copy), strict=True):
        assign_weights(new, old.get_weights())
    thaw(copy)  # configurations keep what was frozen, such as all of an averaged generator
    return copy


@contextmanager
def thawed(network: keras.Model) -> Iterator[None]:
    """Takes a network as if none of its layers were frozen; afterwards they are as they were."""
    frozen = thaw(network)
    try:
        yield
    finally:
        for layer in frozen:
            layer.trainable = False


def thaw(network: keras.Model) -> list[keras.layers.Layer]:
    """Freezes nothing of a network any more; gives the layers that were frozen."""
    frozen = [layer for layer in network._flatten_layers() if not layer.trainable]
    for layer in frozen:
        layer.trainable = True
    return frozen


def constant_layers(network: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Layers, however deep, that say of their weights that they never change, such as VGG16 in a discriminator."""
    return [layer for layer in network._flatten_layers() if getattr(layer, "never_changes", False)]


def same_copy(network: keras.Model, dtype: str | None = None) -> keras.Model:
    """A network of the same architecture and weights, whose variables are those of the present strategy."""
    copy = fresh_copy(network, dtype)
    assign_weights(copy, network.get_weights())
    return copy


def float32_copy(network: keras.Model) -> keras.Model:
    """A network of the same architecture and weights that computes in float32 whatever the original computes in."""
    return same_copy(network, "float32")


def assign_weights(network: keras.layers.Layer, weights: Sequence[np.ndarray]) -> None:
    """Gives a network other weights, and has it compute with them.

    Args:
        network: Any network or layer.
        weights: Arrays in the order and of the shapes of its `weights`, as `get_weights` gives them.

    Raises:
        ValueError: If their number or a shape is another.

    Example:
        >>> one, other = (keras.Sequential([keras.Input((2,)), keras.layers.Normalization()]) for _ in range(2))
        >>> one.layers[0].adapt(np.array([[1.0, 2.0], [3.0, 6.0]]))
        >>> assign_weights(other, one.get_weights())
        >>> other(np.array([[3.0, 6.0]])).numpy().tolist()
        [[1.0, 1.0]]
    """
    network.set_weights(weights)
    finalize_state(network)


def finalize_state(network: keras.layers.Layer) -> None:
    """Has layers compute with the weights that they have been given.

    `Normalization` computes with constants made of its weights, which Keras makes anew when it loads a file, and not
    when weights are assigned.
    """
    for layer in network._flatten_layers():
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def weights_hash(network: keras.Model) -> str:
    """First 12 hexadecimal digits of the SHA-256 of all weights."""
    digest = hashlib.sha256()
    for weight in network.weights:
        digest.update(weight.numpy().tobytes())
    return digest.hexdigest()[:12]


def layers_hash(network: keras.Model) -> str:
    """First 12 hexadecimal digits of the SHA-256 of its layers, such as their activations, and of how they are joined.

    Networks of equal weights compute something else where these differ. What Keras calls layers by itself, which
    depends on what a process has built before, and what they start with are left out.
    """
    try:
        told = keras.saving.serialize_keras_object(network)["config"]
    except (NotImplementedError, TypeError, ValueError):  # of layers of others, such as the signature of a module
        told = [(type(layer).__name__, str(getattr(layer, "digest", ""))) for layer in network._flatten_layers()]
    names: dict[str, str] = {}
    _number_names(told, names)
    plain = json.dumps(_without(told, names), sort_keys=True, default=_name_of_kind)
    return hashlib.sha256(plain.encode()).hexdigest()[:12]


def _number_names(config: Any, names: dict[str, str]) -> None:
    """Gives each name of a layer the number in which it comes."""
    parts = config.values() if isinstance(config, dict) else config if isinstance(config, list | tuple) else ()
    if isinstance(config, dict) and isinstance(name := config.get("name"), str):
        names.setdefault(name, f"#{len(names)}")
    for part in parts:
        _number_names(part, names)


def _without(config: Any, names: dict[str, str]) -> Any:
    """A configuration with numbers for names, and without what computes nothing."""
    if isinstance(config, list | tuple):
        return [_without(part, names) for part in config]
    if isinstance(config, str):
        return names.get(config, config)
    if not isinstance(config, dict):
        return config
    left = ("trainable", "build_config", "compile_config")
    kept = {str(key): value for key, value in config.items() if str(key) not in left}
    return {key: _without(value, names) for key, value in kept.items() if not key.endswith("initializer")}


def _name_of_kind(value: object) -> str:
    return type(value).__name__
