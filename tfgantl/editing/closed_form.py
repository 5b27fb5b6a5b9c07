"""Directions that need no attribute: from the weights that codes enter by (SeFa), or from activations (GANSpace)."""

import keras
import numpy as np
from sklearn.decomposition import PCA

from tfgantl.editing.attribute_directions import samples_of, within_classes
from tfgantl.editing.directions import Direction, Directions, in_space, unit, with_fixed_signs
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.errors import ConfigError
from tfgantl.models.inference import predict
from tfgantl.models.structure import structure_of
from tfgantl.random_streams import Stream, latents

SAMPLES = 2048  # images whose activations are looked at
# What only arranges numbers; a normalisation of vectors does not turn them.
ARRANGING = (
    "Concatenate", "Reshape", "Flatten", "Identity", "Activation", "GetItem", "Split", "Slice", "ExpandDims", "Squeeze",
    "RepeatVector", "UniformNoise", "UnitRMS", "Dropout", "Cast", "StyleVectors",
)  # fmt: skip


def sefa(space: LatentSpace, count: int, layers: range | None = None) -> Directions:
    """The directions that the first weights amplify most.

    Those weights are all that the code meets before anything nonlinear, be they of a dense layer, of a transposed
    convolution, of layers that make scales and shifts of normalisations, or StyleGAN's affine maps of styles. What they
    do to a unit step of each coordinate is read off the network itself, so that the rows of labels play no part.

    Args:
        space: Where directions are looked for.
        count: How many, at most as many as a code has numbers.
        layers: In W and W+, the layers whose weights are looked at, and in W+ the ones that are moved; all if not
            given.

    Returns:
        `sefa-1` …, the strongest first; `fit` is their share of the amplification.

    Raises:
        ConfigError: If there are no such layers, or the network hides them.

    Reference:
        Shen and Zhou, 2021, https://arxiv.org/abs/2007.06600
    """
    matrix = _first_weights(space, layers)
    _check_count("sefa", count, len(matrix))
    matrix = matrix / np.maximum(np.linalg.norm(matrix, axis=0), 1e-12)
    values, vectors = np.linalg.eigh(matrix @ matrix.T)
    found = with_fixed_signs(vectors.T[::-1][:count])
    return _directions(space, "sefa", found, values[::-1] / values.sum(), layers)


def ganspace(space: LatentSpace, count: int, seed: int = 0) -> Directions:
    """Principal components of the activations of the first block, as directions of codes by least squares.

    A network that does not tell its blocks, such as a wrapped module, is looked at by its images.

    Args:
        space: Where directions are looked for.
        count: How many, at most as many as a code has numbers.
        seed: Of the samples.

    Returns:
        `pca-1` …, the strongest first; `fit` is their share of the variance.

    Raises:
        ConfigError: If there cannot be that many.

    Reference:
        Härkönen et al., 2020, https://arxiv.org/abs/2004.02546
    """
    samples = samples_of(space, SAMPLES, seed)
    _check_count("pca", count, samples.u.shape[1])
    structure = structure_of(space.generator)
    features = [block.feature for block in structure.blocks if block.feature is not None]
    tells = features and structure.core in (None, structure.network)
    flat = _activations(space, features[0], seed) if tells else samples.images.reshape(SAMPLES, -1) / 255.0
    pca = PCA(count, svd_solver="randomized", random_state=0)
    scores = pca.fit_transform(within_classes(flat.astype(np.float32), samples.labels))
    solved = np.linalg.lstsq(scores, samples.u, rcond=None)[0]  # u of a component: what best explains codes by scores
    return _directions(space, "pca", with_fixed_signs(unit(solved)), pca.explained_variance_ratio_, None)


def _activations(space: LatentSpace, feature: keras.KerasTensor, seed: int) -> np.ndarray:
    """Activations (n, units) of the samples."""
    labels, noise = space.labels(SAMPLES), latents(SAMPLES, space.latent_dim, seed, Stream.DIRECTIONS)
    network = keras.Model(space.generator.inputs, feature)
    return predict(network, noise if labels is None else [noise, labels]).reshape(SAMPLES, -1)


def _first_weights(space: LatentSpace, layers: range | None) -> np.ndarray:
    """What the first weights make of a unit step of each whitened coordinate: (units, outputs)."""
    structure = structure_of(space.generator)
    if space.name == "z":
        if layers is not None:
            raise ConfigError(f"`layers` must not be given in z, where there is one code for all. Received: {layers}")
        enters, inputs = structure.network.inputs[0], structure.network.inputs
    else:
        enters = structure.styles
        inputs = [enters]
    found = _kernels_behind(structure.network, enters)
    if layers is not None:
        known = space.generator.get_layer("styles").output.shape[1]
        if not len(layers) or layers[0] < 0 or layers[-1] >= known:
            raise ConfigError(f"`layers` must be within 0-{known - 1}. Received: {layers.start}-{layers.stop - 1}")
        found = [layer for layer in found if getattr(layer, "index", None) in layers]
    if not found:
        raise ConfigError(
            f"`sefa` must have layers whose weights the code enters by; `pca` needs none. "
            f"Received: none in {space.generator.name}"
        )
    units = space.shape[-1]
    u = np.concatenate([np.zeros((1, units), np.float32), np.eye(units, dtype=np.float32)])
    codes = np.asarray(space.from_whitened(in_space(space, u)))
    if space.name == "w":
        codes = np.repeat(codes[:, None], enters.shape[1], axis=1)
    labels = [np.zeros(len(codes), np.int32)] if len(inputs) > 1 else []
    products = []
    for layer in found:
        seen = codes
        if layer.input is not enters:
            seen = predict(keras.Model(inputs, layer.input), [codes, *labels] if labels else codes)
        products.append(_product(layer, seen[1:] - seen[:1]))
    return np.concatenate(products, axis=1)


def _product(layer: keras.layers.Layer, steps: np.ndarray) -> np.ndarray:
    """What the kernel of a layer makes of steps (units, …, inputs) of what it sees, without what comes after it."""
    if hasattr(layer, "index"):  # a style, which reads one vector of several
        steps = steps[:, layer.index]
    kernel = np.asarray(layer.kernel, np.float64)
    axis = -1 if isinstance(layer, keras.layers.Conv2DTranspose) else -2
    matrix = np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1)
    return (steps.reshape(-1, len(matrix)).astype(np.float64) @ matrix).reshape(len(steps), -1)


def _kernels_behind(network: keras.Model, enters: keras.KerasTensor) -> list[keras.layers.Layer]:
    """Layers with kernels that a tensor reaches through nothing but what arranges numbers."""
    operations = (getattr(network, "_functional", None) or network).operations
    reached, found = {id(enters)}, []
    for operation in operations:
        for node in operation._inbound_nodes:
            if not reached & {id(x) for x in node.input_tensors}:
                continue
            if getattr(operation, "kernel", None) is not None:
                found.append(operation)
            elif type(operation).__name__ in ARRANGING and not getattr(operation, "weights", []):
                reached |= {id(x) for x in node.outputs}
    return list(dict.fromkeys(found))


def _directions(
    space: LatentSpace, kind: str, vectors: np.ndarray, shares: np.ndarray, layers: range | None
) -> Directions:
    placed = in_space(space, vectors, layers)
    found = [Direction(f"{kind}-{i + 1}", kind, x, x, float(shares[i])) for i, x in enumerate(placed)]
    return Directions(space.generator_hash, space.name, tuple(found), space.drawn)


def _check_count(name: str, count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise ConfigError(f"`{name}` must be in [1, {most}] for this model. Received: {count}")
