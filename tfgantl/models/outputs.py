"""What the last layers of a pair must give: images in [-1, 1], and logits."""

from collections.abc import Container
from typing import Any

import keras
import numpy as np

from tfgantl.errors import ConfigError
from tfgantl.models.inference import predict

PROBABILITIES = ("sigmoid", "hard_sigmoid", "softmax")
POSITIVE = (*PROBABILITIES, "relu", "relu6", "softplus", "exponential")  # which never make the dark half of [-1, 1]
BOUNDED = (*POSITIVE, "tanh")  # which some logits are beyond
# Operations and layers of Keras that are nothing but an activation.
_ACTIVATIONS = {
    "Exp": "exponential", "HardSigmoid": "hard_sigmoid", "ReLU": "relu", "Relu": "relu", "Relu6": "relu6",
    "Sigmoid": "sigmoid", "Softmax": "softmax", "Softplus": "softplus", "Tanh": "tanh",
}  # fmt: skip
# Those that give, outside of training, the values that they get: elsewhere, of another type, or fewer or more of them.
_MOVING = {
    "ActivityRegularization", "AlphaDropout", "Cast", "Cropping2D", "Dropout", "ExpandDims", "Flatten",
    "GaussianDropout", "GaussianNoise", "Identity", "Permute", "Reshape", "SpatialDropout2D", "Squeeze",
    "StopGradient", "Transpose", "UpSampling2D",
}  # fmt: skip
_SCALING = {"Divide", "Multiply", "TrueDivide"}
PROBES = 4


def check_generator(generator: keras.Model) -> None:
    """Refuses a network that makes no images, or images in [0, 1] or [0, 255], as many tutorials have it.

    Raises:
        ConfigError: If it gives something else than images, ends in a sigmoid or the like, or takes labels and does not
            say how many classes there are.
    """
    if len(generator.output_shape) != 4:
        raise ConfigError(
            "`generator` must give images (batch, height, width, channels). "
            f"Received: a network that gives {generator.output_shape}"
        )
    activation = last_activation(generator, before_scaling=True)
    if activation in POSITIVE:
        raise ConfigError(
            f"`generator` must make images in [-1, 1], as with tanh. Received: one that ends in {activation}"
        )
    if len(generator.inputs) > 1 and getattr(generator, "num_classes", None) is None:
        raise ConfigError(
            "`generator` must have an attribute `num_classes` if it takes labels: generator.num_classes = 10. "
            f"Received: {len(generator.inputs)} inputs and no `num_classes`"
        )


def check_discriminator(discriminator: keras.Model) -> None:
    """Refuses a discriminator that gives probabilities, or classes, which every loss would take for logits.

    Raises:
        ConfigError: If it ends in an activation with a bound, or gives several numbers that are no places of a map;
            those of this package may, as they know what they give.
    """
    if not keras.saving.get_registered_name(type(discriminator)).startswith("tfgantl>"):
        given = discriminator.output_shape
        if not isinstance(given, tuple) or (len(given) > 1 and given[-1] != 1):
            raise ConfigError(
                f"`discriminator` must give logits (batch, 1), or one for each place. Received: one that gives {given}"
            )
    activation = last_activation(discriminator)
    if activation in BOUNDED:
        raise ConfigError(
            "`discriminator` must give logits, without an activation at the end. "
            f"Received: one that ends in {activation}"
        )


def last_activation(network: keras.Model, before_scaling: bool = False) -> str | None:
    """Name of the activation that makes the output of a network: `linear` for none, `None` if it cannot be known.

    It is looked for from the output back, through networks inside of the network. What only moves values, or gives them
    another type, is passed over; behind any other operation nothing is known.

    Args:
        network: Any network.
        before_scaling: Whether what multiplies by positive numbers, and adds nothing, is passed over, too.

    Example:
        >>> features = keras.Input((4,))
        >>> logits = keras.layers.Dense(3)(features)
        >>> for ends in (logits, keras.ops.softmax(logits), keras.ops.tanh(logits) * 0.5 + 0.5):
        ...     print(last_activation(keras.Model(features, ends)))
        linear
        softmax
        None
    """
    outputs = getattr(network, "outputs", None)
    return _activation(_origin(outputs[0], before_scaling)) if outputs else None


def gives_probabilities(classifier: keras.Model) -> bool:
    """Whether each row that a classifier makes of random images in [-1, 1] is of numbers ≥ 0 whose sum is 1."""
    images = np.random.default_rng(0).uniform(-1, 1, (PROBES, *classifier.inputs[0].shape[1:])).astype(np.float32)
    # The memory of a foreign network has been looked at for one image, and no more.
    rows = np.asarray(predict(classifier, images, batch_size=1), np.float32)
    return bool((rows >= 0).all() and np.allclose(rows.sum(-1), 1, atol=0.01))  # as exact as float16


def last_dense_inputs(network: keras.Model) -> keras.KerasTensor | None:
    """Vectors that the last dense layer sees, or `None` if there is more than an activation behind it."""
    tensor = network.outputs[0]
    while True:
        operation, node, _ = _made_by(tensor)
        if isinstance(operation, keras.layers.Dense):
            return node.input_tensors[0] if len(node.input_tensors[0].shape) == 2 else None
        only_activates = isinstance(operation, keras.layers.Activation) or _of_keras(operation, _ACTIVATIONS)
        if not only_activates and not _moves(operation, node, False):
            return None
        tensor = node.input_tensors[0]


def _origin(tensor: keras.KerasTensor, before_scaling: bool) -> Any:
    """The operation that makes the values of a tensor; an input layer if they are those of an input."""
    while True:
        operation, node, index = _made_by(tensor)
        if isinstance(operation, keras.Model) and getattr(operation, "outputs", None):
            inner = _origin(operation.outputs[index], before_scaling)
            if not isinstance(inner, keras.layers.InputLayer):
                return inner
            inputs = [_made_by(given)[0] for given in operation.inputs]  # of which it hands one through
            tensor = node.input_tensors[inputs.index(inner)]
        elif _moves(operation, node, before_scaling):
            tensor = node.input_tensors[0]
        else:
            return operation


def _made_by(tensor: keras.KerasTensor) -> tuple[Any, Any, int]:
    """The operation that a tensor is from, its call, and which of its results the tensor is."""
    operation, node, index = tensor._keras_history
    return operation, operation._inbound_nodes[node], index


def _moves(operation: Any, node: Any, before_scaling: bool) -> bool:
    if _of_keras(operation, _MOVING):
        return True
    if isinstance(operation, keras.layers.Activation):
        return _activation(operation) == "linear"
    if not before_scaling:
        return False
    if isinstance(operation, keras.layers.Rescaling):
        return bool(np.all(np.asarray(operation.scale) > 0) and not np.any(operation.offset))
    given = keras.tree.flatten([node.arguments.args, node.arguments.kwargs])
    numbers = [value for value in given if isinstance(value, (int, float))]
    return _of_keras(operation, _SCALING) and len(numbers) == len(given) - 1 and min(numbers) > 0


def _activation(operation: Any) -> str | None:
    if _of_keras(operation, _ACTIVATIONS):
        leaks = getattr(operation, "negative_slope", 0)
        return None if leaks else _ACTIVATIONS[type(operation).__name__]
    activation = getattr(operation, "activation", None)
    if isinstance(activation, keras.layers.Layer):
        return _activation(activation)
    name = getattr(activation, "__name__", None)
    return name if hasattr(keras.activations, str(name)) else None


def _of_keras(operation: Any, names: Container[str]) -> bool:
    """Whether an operation or layer is one of these, and no class of somebody else with its name."""
    return type(operation).__name__ in names and type(operation).__module__.startswith("keras.")
