"""Weights of the Inception network of 2015: where they are found, and how they become those of ours."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfgantl.errors import ArtifactError, intact, reason
from tfgantl.metrics.inception.blocks import BLOCKS, CLASSES, FEATURES, Names, all_names
from tfgantl.metrics.inception.network import entrance_of
from tfgantl.untrusted import hub
from tfgantl.untrusted.savedmodels import MAX_GRAPH_BYTES, is_saved_model, read_graph, read_variables, tags_of
from tfgantl.untrusted.torch_files import read_checkpoint

VARIABLE = "TFGANTL_INCEPTION_WEIGHTS"
FILE = "pt_inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{FILE}"
BYTES, SHA256 = 95_628_359, "6726825d"  # the first digits, as the name of the file has them
MODULE = "tfgan/eval/inception"
EPSILON = 1e-3  # of the normalisations
PARTS = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
HOW = (
    f"get {FILE} from {URL}, and name it as inception:PATH or in {VARIABLE}; also a SavedModel as {MODULE}/1 of "
    "TF-Hub, and the graph of 2015 (.pb)"
)


@dataclass(frozen=True)
class InceptionWeights:
    """Weights as they were found.

    Args:
        arrays: Kernels (height, width, in, out), and what normalises: `own name/kernel`, `/gamma`, `/beta`,
            `/moving_mean`, `/moving_variance`; `logits/kernel`.
        origin: Where they are from.
        published: Whether they are known to be those that published numbers are made with.
    """

    arrays: dict[str, np.ndarray]
    origin: str
    published: bool


def read_inception_weights(handle: str | Path | None = None) -> InceptionWeights:
    """Finds and reads the weights.

    Args:
        handle: A file as `pytorch-fid` and `torch-fidelity` download it; the directory or the address of a SavedModel
            as TF-Hub's `tfgan/eval/inception/1`; the graph of 2015, `classify_image_graph_def.pb`; `None` for what
            `TFGANTL_INCEPTION_WEIGHTS` names or, if it is not set, a download that is kept in the cache of Keras.

    Raises:
        ArtifactError: If they are missing, damaged, of another network, or not finite.
    """
    given = str(handle) if handle is not None else os.environ.get(VARIABLE)
    path = hub.resolve(given, "extractor") if given and hub.is_remote(given) else Path(given) if given else _download()
    origin = str(path) if handle is not None or not given else f"{VARIABLE}={given}"
    if is_saved_model(path):
        arrays = _of_saved_model(path)
        return InceptionWeights(_by_own_names(arrays, origin), origin, False)
    if not path.is_file():
        raise ArtifactError(f"weights of Inception: {HOW}. Received: {origin}, which is not there")
    if path.suffix == ".pb":
        return InceptionWeights(_by_own_names(_of_graph_file(path), origin), origin, False)
    with open(path, "rb") as file:
        published = path.stat().st_size == BYTES and hashlib.file_digest(file, "sha256").hexdigest().startswith(SHA256)
    networks = read_checkpoint(path).networks.values()
    found = [network.arrays for network in networks if "Conv2d_1a_3x3.conv.weight" in network.arrays]
    if len(found) != 1:
        raise ArtifactError(f"{origin}: must hold the Inception network of 2015; {HOW}. Received: another network")
    return InceptionWeights(_by_own_names(found[0], origin), origin, published)


def assign_inception_weights(network: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Puts weights into the network, with each normalisation folded into the kernel and bias of its convolution.

    Args:
        network: Of `inception_network`.
        arrays: Of `InceptionWeights`.
    """
    folded = {names.own: _folded(arrays, names.own) for names in all_names()}
    for block in BLOCKS:
        together = [folded.pop(f"{block.name}_{branch.role}_1") for branch in entrance_of(block)]
        kernels, biases = zip(*together, strict=True)
        folded[f"{block.name}_entrance"] = np.concatenate(kernels, axis=-1), np.concatenate(biases)
    for name, values in folded.items():
        for variable, value in zip(network.get_layer(name).weights, values, strict=True):
            variable.assign(value)
    network.get_layer("logits").kernel.assign(arrays["logits/kernel"])


def _folded(arrays: Mapping[str, np.ndarray], name: str) -> tuple[np.ndarray, np.ndarray]:
    values = {part: arrays[f"{name}/{part}"].astype(np.float64) for part in ("kernel", *PARTS)}
    scale = values["gamma"] / np.sqrt(values["moving_variance"] + EPSILON)
    return values["kernel"] * scale, values["beta"] - values["moving_mean"] * scale


def _by_own_names(arrays: Mapping[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """Arrays of either layout under the names of this package.

    Raises:
        ArtifactError: If one is missing, or has another shape or numbers that are not finite.
    """
    of_torch = "Conv2d_1a_3x3.conv.weight" in arrays
    prefix = "" if of_torch else _scope(arrays)
    result = {}
    for names in all_names():
        for part, (there, shape) in _parts(names, of_torch).items():
            value = _checked(arrays, prefix + there, shape, where)
            result[f"{names.own}/{part}"] = value.transpose(2, 3, 1, 0) if of_torch and part == "kernel" else value
    if of_torch:
        result["logits/kernel"] = _checked(arrays, "fc.weight", (CLASSES, FEATURES), where).T
    else:
        result["logits/kernel"] = _checked(arrays, f"{prefix}softmax/weights", (FEATURES, CLASSES), where)
    return result


def _parts(names: Names, of_torch: bool) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Part of a convolution → its name and shape in a file."""
    kernel, filters, channels = names.convolution.kernel, names.convolution.filters, names.channels
    if of_torch:
        named = {part: (f"{names.torch}.bn.{torch}", (filters,)) for part, torch in PARTS.items()}
        return {"kernel": (f"{names.torch}.conv.weight", (filters, channels, *kernel)), **named}
    scope = names.tensorflow
    named = {part: (f"{scope}/batchnorm/{part}", (filters,)) for part in PARTS}
    return {"kernel": (f"{scope}/conv2d_params", (*kernel, channels, filters)), **named}


def _checked(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...], where: str) -> np.ndarray:
    array = arrays.get(name)
    if array is None or array.shape != shape or not np.isfinite(array).all():
        received = "none" if array is None else f"{array.shape}" if array.shape != shape else "NaN or infinity"
        raise ArtifactError(
            f"{where}: the Inception network of 2015 must have finite numbers of the shape {shape} as {name}. "
            f"Received: {received}"
        )
    if name.endswith(("moving_variance", "running_var")) and array.min() < 0:
        raise ArtifactError(f"{where}: variances must be at least 0, as {name}. Received: {array.min():.3g}")
    return array


def _scope(arrays: Mapping[str, np.ndarray]) -> str:
    """What stands ahead of all names, as that of a function which the graph was imported into."""
    return next((name.removesuffix("softmax/weights") for name in arrays if name.endswith("softmax/weights")), "")


def _of_saved_model(directory: Path) -> dict[str, np.ndarray]:
    """Constants of a frozen graph, in the graph or in one of its functions; variables, where it has none."""
    graph = read_graph(directory, tags_of(directory)).graph_def
    with intact(f"{directory}: must hold intact constants"):
        for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
            arrays = dict(_constants(nodes))
            if arrays:
                return arrays
    return read_variables(directory)


def _of_graph_file(path: Path) -> dict[str, np.ndarray]:
    if path.stat().st_size > MAX_GRAPH_BYTES:
        raise ArtifactError(f"{path}: must be at most {MAX_GRAPH_BYTES} bytes. Received: {path.stat().st_size}")
    with intact(f"{path}: must be an intact graph of TensorFlow"):
        return dict(_constants(tf.compat.v1.GraphDef.FromString(path.read_bytes()).node))


def _constants(nodes: "Iterator[tf.compat.v1.NodeDef]") -> Iterator[tuple[str, np.ndarray]]:
    """Name and numbers of the constants that have the names of weights; all others are left unread."""
    for node in nodes:
        if node.op != "Const" or not node.name.endswith(("conv2d_params", "softmax/weights", *PARTS)):
            continue
        tensor = node.attr["value"].tensor
        count = int(np.prod([side.size for side in tensor.tensor_shape.dim], dtype=object))
        if count != 1 and len(tensor.tensor_content) != 4 * count:  # a shape is no evidence of bytes
            raise ValueError(f"{node.name} with {len(tensor.tensor_content)} bytes for {count} numbers")
        yield node.name, tf.make_ndarray(tensor).astype(np.float32)


def _download() -> Path:
    """The file in the cache of Keras, downloaded if it is not there, and compared with its hash."""
    try:
        path = Path(keras.utils.get_file(FILE, URL, cache_subdir="models"))
    except Exception as error:  # the network has many ways to fail
        raise ArtifactError(
            f"weights of Inception can be downloaded; offline, {HOW}. Received: {reason(error)}"
        ) from error
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(SHA256):
        raise ArtifactError(
            f"{path}: must have a SHA-256 that begins with {SHA256}; remove it to load it anew. Received: {found}"
        )
    return path
