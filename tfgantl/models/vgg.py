"""VGG16 as a feature extractor: what ImageNet has taught, for losses, metrics and classifiers."""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers as keras_layers
from keras import ops

from tfgantl.errors import ArtifactError, ConfigError, intact, reason
from tfgantl.files import expanded
from tfgantl.images import to_pixels
from tfgantl.models.layers import Conv2D
from tfgantl.untrusted import hub
from tfgantl.untrusted.archives import check_digest, read_npz
from tfgantl.untrusted.hdf5 import read_hdf5
from tfgantl.untrusted.savedmodels import is_saved_model, read_variables

VARIABLE = "TFGANTL_VGG16_WEIGHTS"
BLOCKS = {"block1": 2, "block2": 2, "block3": 3, "block4": 3, "block5": 3}  # convolutions of each
LAYERS = tuple(
    f"{block}_{part}" for block, count in BLOCKS.items() for part in (*(f"conv{i + 1}" for i in range(count)), "pool")
)
FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
URL = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{FILE}"
MD5 = "6d6bbae143d832006294945121d1f1fc"
MEANS = (103.939, 116.779, 123.68)  # of blue, green and red in ImageNet, as the weights were trained with


def vgg16(
    layers: Sequence[str] = ("block5_conv3",),
    weights: str | Path | None = "imagenet",
    input_shape: tuple[int | None, int | None, int] = (None, None, 3),
    pooling: str | None = None,
    trainable: Sequence[str] = (),
    downsampling: str = "max",
    dtype: str = "float32",
    constant: bool = False,
) -> keras.Model:
    """Gives some layers of VGG16 for images in [-1, 1]; nothing behind the last of them is computed.

    Args:
        layers: Names of layers, `block1_conv1` … `block5_pool`; outputs are after the ReLU.
        weights: `imagenet` for the file that the environment variable `TFGANTL_VGG16_WEIGHTS` names or, if it is not
            set, the cache of Keras, filled by a download; a local `.weights.h5`, `.h5` or `.npz` with the layers of
            Keras' VGG16; a SavedModel, or the TF-Hub or Kaggle address of one; `None` for random weights.
        input_shape: Height and width in pixels, `None` for any, and 1 (gray) or 3 channels.
        pooling: `avg` or `max` over all positions of each output; `None` for feature maps.
        trainable: Blocks that are trained, such as `("block4", "block5")`; all others are frozen.
        downsampling: `max`, as it was trained, or `average` between blocks.
        dtype: Keras dtype policy of the convolutions; outputs have its compute dtype.
        constant: Whether nothing can ever be trained, whatever `trainable` is set to, for parts of other networks.
            Without `weights` all is 0, until they are loaded.

    Returns:
        Functional model: images float32 (batch, height, width, channels) in [-1, 1] → the output of the layer or, for
        several layers, a list of them in their order.

    Raises:
        ConfigError: If an argument is not what is allowed.
        ArtifactError: If the weights are missing, damaged or of another network.

    Reference:
        Simonyan and Zisserman, 2015, https://arxiv.org/abs/1409.1556

    Example:
        >>> content, style = vgg16(("block2_conv2", "block1_conv1"), weights=None)(tf.zeros((1, 32, 32, 3)))
        >>> content.shape, style.shape
        (TensorShape([1, 16, 16, 128]), TensorShape([1, 32, 32, 64]))
    """
    _check(layers, input_shape, pooling, trainable, downsampling)
    images = keras.Input(input_shape, name="images")
    x = ImageNetPreprocessing(name="preprocessing")(images)
    outputs_by_name, left = {}, set(layers)
    # The layers of Keras, one by one: with another dtype, another downsampling, and only as far as they are needed.
    with tf.Graph().as_default():  # where nothing is drawn for weights that nobody will use
        originals = keras.applications.VGG16(weights=None, include_top=False).layers[1:]
    for layer in originals:
        config = {**layer.get_config(), "dtype": dtype}
        kind = type(layer)
        if kind is keras_layers.Conv2D and constant:
            kind, config["kernel_initializer"] = ConstantConv2D, "zeros"
        elif kind is keras_layers.Conv2D:
            kind = FusedConv2D
        elif downsampling == "average":
            kind = keras_layers.AveragePooling2D
        x = outputs_by_name[layer.name] = kind.from_config(
            {**config, "trainable": layer.name.partition("_")[0] in trainable}
        )(x)
        left.discard(layer.name)
        if not left:
            break
    outputs = [outputs_by_name[name] for name in layers]
    if pooling is not None:
        kind = keras_layers.GlobalAveragePooling2D if pooling == "avg" else keras_layers.GlobalMaxPooling2D
        outputs = [kind(dtype="float32", name=f"{name}_{pooling}")(outputs_by_name[name]) for name in layers]
    network = keras.Model(images, outputs if len(outputs) > 1 else outputs[0], name="vgg16")
    if weights is not None:
        load_vgg16_weights(network, weights)
    return network


@keras.saving.register_keras_serializable(package="tfgantl")
class ImageNetPreprocessing(keras_layers.Layer):
    """Images (…, 1 or 3) in [-1, 1] → what VGG was trained on: BGR in [0, 255] minus the mean of ImageNet."""

    def call(self, images: tf.Tensor) -> tf.Tensor:
        pixels = to_pixels(ops.cast(images, "float32"))
        if images.shape[-1] == 1:
            pixels = ops.repeat(pixels, 3, axis=-1)
        centred = ops.flip(pixels, axis=-1) - ops.convert_to_tensor(MEANS, "float32")
        return ops.cast(centred, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], 3)


@keras.saving.register_keras_serializable(package="tfgantl")
class FusedConv2D(keras_layers.Conv2D):
    """A convolution whose bias is added by the operation that TensorFlow fuses with it and the activation.

    Keras adds a broadcast tensor instead, which makes a step of style transfer 1.8 times as long in bfloat16.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        outputs = tf.nn.bias_add(self.convolution_op(inputs, self.kernel), ops.convert_to_tensor(self.bias))
        return self.activation(outputs)


@keras.saving.register_keras_serializable(package="tfgantl")
class ConstantConv2D(FusedConv2D, Conv2D):
    """A convolution whose weights are never trained, whoever sets `trainable`: optimizers keep nothing for them.

    Checkpoints leave them out, and copies of a network take them over: see `never_changes`. Gradients with respect to
    small maps are as fast as those of the `Conv2D` of this package.
    """

    never_changes = True

    def add_weight(self, *args: Any, **kwargs: Any) -> keras.Variable:
        return super().add_weight(*args, **{**kwargs, "trainable": False})


def load_vgg16_weights(network: keras.Model, weights: str | Path) -> None:
    """Assigns the convolutions of a network by their names; nothing is assigned unless all of it fits.

    Args:
        network: Has layers named as those of VGG16; others are left alone.
        weights: As for `vgg16`.

    Raises:
        ArtifactError: If the weights are missing, damaged or of another network.
    """
    arrays, where = _read(weights)
    plan = []
    for layer in network.layers:
        if layer.name not in LAYERS or not layer.weights:
            continue
        for variable, rank in zip(layer.weights, (4, 1), strict=True):
            shape = tuple(variable.shape)
            fitting = _arrays_of(arrays, layer.name, rank)
            is_one = len(fitting) == 1 and fitting[0].shape == shape and fitting[0].dtype.kind == "f"
            if not is_one or not np.isfinite(fitting[0]).all():
                received = ", ".join(f"{a.dtype} {a.shape}" for a in fitting) or f"none among {len(arrays)} arrays"
                wanted = f"one finite array of floats, of the shape {shape} for {layer.name}"
                raise ArtifactError(f"{where}: VGG16 weights must have {wanted}. Received: {received}")
            plan.append((variable, fitting[0]))
    for variable, value in plan:
        variable.assign(value)


def vgg16_hash(weights: str | Path) -> str:
    """First 12 hexadecimal digits of the SHA-256 of the convolutions, whatever kind of file they are in.

    Args:
        weights: As for `vgg16`.

    Raises:
        ArtifactError: If the weights are missing or damaged.
    """
    arrays, digest = _read(weights)[0], hashlib.sha256()
    for name in LAYERS:
        for array in (*_arrays_of(arrays, name, 4), *_arrays_of(arrays, name, 1)):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:12]


def imagenet_is_here() -> bool:
    """Whether the weights `imagenet` are on this machine, so that nothing need be downloaded."""
    named = os.environ.get(VARIABLE)
    return Path(named).exists() if named else (_cache() / FILE).is_file()


def _arrays_of(arrays: dict[str, np.ndarray], layer: str, rank: int) -> list[np.ndarray]:
    return [array for name, array in arrays.items() if array.ndim == rank and layer in re.split(r"[/:.]", name)]


def _read(weights: str | Path) -> tuple[dict[str, np.ndarray], str]:
    """Arrays by names that hold those of their layers, and where they are from."""
    named = str(weights) == "imagenet" and os.environ.get(VARIABLE)
    if str(weights) == "imagenet" and not named:
        path = _cached()
    elif hub.is_remote(str(weights)):
        path = hub.resolve(str(weights), "weights")
    else:
        path = Path(named or weights)
    origin = f"{VARIABLE}={path}" if named else str(path)
    if is_saved_model(path):
        return read_variables(path), origin
    if not path.is_file():
        raise ArtifactError(
            f"`weights` of VGG16 must be imagenet, a .weights.h5, .h5 or .npz file, a SavedModel, or the address of "
            f"one; {_how()}. Received: {origin}, which is not there"
        )
    if path.suffix == ".npz":
        return read_npz(path), origin
    check_digest(path)
    with intact(f"{origin}: must be an intact HDF5 file with the weights of VGG16; {_how()}"):
        return read_hdf5(path), origin


def _cached() -> Path:
    """The file that Keras downloads for its own VGG16, from its cache if it is there."""
    try:
        return Path(keras.utils.get_file(FILE, URL, cache_subdir="models", file_hash=MD5))
    except Exception as error:  # the network has many ways to fail
        raise ArtifactError(
            f"`weights` of VGG16 must be in the cache of Keras, or can be downloaded; {_how()}. "
            f"Received: {reason(error)}"
        ) from error


def _cache() -> Path:
    return Path(os.environ.get("KERAS_HOME") or expanded("~/.keras")) / "models"


def _how() -> str:
    return f"offline, get {FILE} elsewhere, and put it into {_cache()}, or name it in {VARIABLE}"


def _check(
    layers: Sequence[str],
    input_shape: tuple[int | None, int | None, int],
    pooling: str | None,
    trainable: Sequence[str],
    downsampling: str,
) -> None:
    unknown = [name for name in layers if name not in LAYERS]
    if not layers or unknown or len(set(layers)) != len(layers):
        raise ConfigError(
            f"`layers` must name layers of VGG16, {LAYERS[0]} … {LAYERS[-1]}, each once. Received: "
            f"{', '.join(unknown or layers) or 'none'}"
        )
    wrong = [name for name in trainable if name not in BLOCKS]
    if wrong:
        raise ConfigError(f"`trainable` must name blocks, {', '.join(BLOCKS)}. Received: {', '.join(wrong)}")
    for name, value, allowed in (
        ("pooling", pooling, (None, "avg", "max")),
        ("downsampling", downsampling, ("max", "average")),
    ):
        if value not in allowed:
            raise ConfigError(f"`{name}` must be one of {', '.join(map(str, allowed))}. Received: {value}")
    least = smallest_side(layers)
    if input_shape[-1] not in (1, 3) or any(side is not None and side < least for side in input_shape[:2]):
        raise ConfigError(
            f"`input_shape` must have sides of at least {least} pixels for {', '.join(layers)}, and 1 or 3 channels. "
            f"Received: {input_shape}"
        )


def smallest_side(layers: Sequence[str]) -> int:
    """Least height and width in pixels of images that reach these layers."""
    return max(2 ** (int(name[5]) - (not name.endswith("_pool"))) for name in layers)
