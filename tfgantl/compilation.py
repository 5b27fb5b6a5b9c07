"""Optimizers of a GAN, and how a file holds what it was compiled with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from tfgantl.errors import ConfigError
from tfgantl.hooks import TrainStepHooks

if TYPE_CHECKING:
    from tfgantl.gan import GAN

HOOKS = [name for name, value in vars(TrainStepHooks).items() if not name.startswith("_")]


def optimizer_for(
    optimizer: str | keras.optimizers.Optimizer, parts: Sequence[keras.layers.Layer]
) -> keras.optimizers.Optimizer:
    """Makes an optimizer ready for all weights of a network and its adapters.

    Args:
        optimizer: Keras optimizer, or its name.
        parts: The network and its adapters, with float32 weights.

    Returns:
        The optimizer, built; within one that scales the loss, if the network computes in float16.
    """
    optimizer = keras.optimizers.get(optimizer)
    layers = [layer for part in parts for layer in part._flatten_layers()]
    half = any(layer.compute_dtype == "float16" for layer in layers)
    if half and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    if not optimizer.built:
        optimizer.build([variable for layer in layers for variable in layer._trainable_variables])
    return optimizer


def compile_config(gan: GAN) -> dict[str, Any]:
    """What `compile` was called with, for a file.

    Raises:
        ConfigError: If hooks of a transfer method take part in the step, or an optimizer is one for adapters that are
            gone; a file could not hold what they need.
    """
    method = type(gan.transfer)
    if any(getattr(method, name) is not getattr(TrainStepHooks, name) for name in HOOKS):
        raise ConfigError(
            "a GAN must be compiled without a transfer method that changes its steps when it is saved. "
            f"Received: {method.__name__}"
        )
    for optimizer, network in ((gan.optimizer, gan.generator), (gan.d_optimizer, gan.discriminator)):
        weights = sum(len(layer._trainable_variables) for layer in network._flatten_layers())
        scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        if len((optimizer.inner_optimizer if scales else optimizer)._trainable_variables) != weights:
            raise ConfigError(
                "a GAN must be compiled again, once its adapters are merged, before it is saved. "
                f"Received: an optimizer of other weights than those of {network.name}"
            )
    serialize = keras.saving.serialize_keras_object
    return {
        "g_optimizer": serialize(gan.optimizer),
        "d_optimizer": serialize(gan.d_optimizer),
        "loss": gan.loss_name,
        "augment": serialize(gan.augment),
        "regularizers": [serialize(x) for x in gan.regularizers if x is not gan.augment],
        "r1": gan.r1,
        "r1_every": gan.r1_every,
        "gradient_penalty": gan.gradient_penalty,
        "reuse_fakes": gan.reuse_fakes,
        "simultaneous": gan.simultaneous,
    }


def compile_arguments(config: dict[str, Any], rate_factor: keras.Variable) -> dict[str, Any]:
    """Arguments for `compile` out of such a configuration.

    Args:
        config: What `compile_config` gave.
        rate_factor: Variable of the GAN that learning rates are multiplied by, where they are.
    """
    arguments = {name: keras.saving.deserialize_keras_object(value) for name, value in config.items()}
    for name in ("g_optimizer", "d_optimizer"):
        schedule = arguments[name]._learning_rate
        if hasattr(schedule, "factor"):
            schedule.factor = rate_factor
    return arguments
