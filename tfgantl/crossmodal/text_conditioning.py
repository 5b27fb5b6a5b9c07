"""Makes a pair text-conditional, whatever it was: labels become captions, and a map from text takes the place of rows.

Training goes on as with classes: a label is the number of a caption, whose vector is looked up. Outside of training the
table is left out, and a generator takes vectors of any text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from tfgantl.errors import ConfigError
from tfgantl.gan import GAN
from tfgantl.models.conditional import EMBEDDING, PROJECTION, VECTORS
from tfgantl.models.families import family_names, text_families
from tfgantl.models.mined import MinedGenerator
from tfgantl.models.variable_names import named_weights
from tfgantl.pretrained import LoadReport, copy_weights
from tfgantl.pretrained.refit.editable import EditableNetwork

RIDGE = 1e-2  # of the mean squared singular value: rows of a class are met by what its captions have in common
NONE = -1  # class of a caption that names none


@dataclass(frozen=True)
class CaptionTable:
    """The captions that a pair is trained on.

    Args:
        phrases: Each caption once.
        vectors: float32 (captions, dimension), of unit length, by a text encoder.
        classes: int (captions,): the class that each names, or -1; `None` if classes are not known.
    """

    phrases: tuple[str, ...]
    vectors: np.ndarray
    classes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.phrases)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.vectors.shape[1]

    def first(self, count: int) -> "CaptionTable":
        """The captions at the beginning."""
        classes = None if self.classes is None else self.classes[:count]
        return CaptionTable(self.phrases[:count], self.vectors[:count], classes)


def is_text_conditional(network: keras.Model) -> bool:
    """Whether labels of a network stand for captions."""
    return getattr(network, "text_dim", None) is not None


def text_conditional(
    source: GAN, captions: CaptionTable, source_classes: Sequence[int] | None = None, seed: int = 0
) -> tuple[GAN, LoadReport]:
    """Makes a pair text-conditional.

    The map from text starts as the label that it names: the rows of the source's classes are met, by ridge regression,
    at the captions that name them; captions that name none get the mean of all rows. In a pair that was unconditional,
    text has no effect at first, but gradients reach the map. One that is text-conditional already keeps its map, and
    gets other captions.

    Args:
        source: Trained pair; does not change.
        captions: What labels are to stand for.
        source_classes: Class of the source that each class of the captions is; the same number if not given.
        seed: For weights that the source cannot tell.

    Returns:
        `(pair, report)`; the report says what became of every weight.

    Raises:
        ConfigError: If labels of one of the networks do not enter as in `tfgantl.models.conditional`, or vectors of
            captions are not of the length that the map takes.

    Reference:
        Reed et al., 2016, https://arxiv.org/abs/1605.05396
    """
    networks = source.generator, source.discriminator, source.ema_generator
    edited = [_edited(network, captions, source_classes, seed) for network in networks]
    generator, discriminator, average = (network.build() for network in edited)
    pair = GAN(generator, discriminator, ema_decay=source.ema_decay, seed=source.seed)
    copy_weights(average, pair.ema_generator)
    return pair, edited[0].report(generator) + edited[1].report(discriminator)


def _edited(
    network: keras.Model, captions: CaptionTable, source_classes: Sequence[int] | None, seed: int
) -> EditableNetwork:
    edited = EditableNetwork.of(network, seed)
    label = EMBEDDING if edited.makes_images else PROJECTION
    classes = edited.config.get("num_classes")
    known = "text_dim" in edited.config and (classes is None or f"{label}/{_values(edited)}" in edited.arrays)
    if not known:
        raise ConfigError(
            f"the {network.name} must be of {family_names(text_families())} to become text-conditional. "
            f"Received: {type(network).__name__}"
        )
    before = edited.config["text_dim"]
    if before not in (None, captions.dimension):
        raise ConfigError(
            f"vectors of captions must have the length {before} that the {network.name} takes: the text encoder must "
            f"be its own. Received: {captions.dimension}"
        )
    edited.config |= {"num_classes": len(captions), "text_dim": captions.dimension}
    if before is None and classes is None:
        _begin_without_effect(edited)
    elif before is None:
        rows = edited.arrays.pop(f"{label}/embeddings")
        kernel, bias = _map_of(rows, captions, source_classes)
        how = f"from the rows of {classes} classes"
        edited.change(f"{label}/kernel", kernel, how)
        edited.change(f"{label}/bias", bias, how)
    edited.change(f"{VECTORS}/vectors", captions.vectors, f"{len(captions)} captions")
    return edited


def _values(edited: EditableNetwork) -> str:
    return "embeddings" if edited.config["text_dim"] is None else "kernel"


def _begin_without_effect(network: EditableNetwork) -> None:
    """The map keeps its initial values, and what it is multiplied by is 0; in a discriminator, the map is 0 itself."""
    if network.makes_images:
        kernel = network.arrays["block0_dense/kernel"]
        nothing = np.zeros((network.config["label_dim"], kernel.shape[1]), np.float32)
        network.change("block0_dense/kernel", np.concatenate([kernel, nothing]), "no labels → captions")


def _map_of(
    rows: np.ndarray, captions: CaptionTable, source_classes: Sequence[int] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (dimension, units) and bias (units,) that give, of captions, the rows (classes, units) that they name."""
    classes = np.full(len(captions), NONE) if captions.classes is None else captions.classes
    if source_classes is not None:
        classes = np.where(classes == NONE, NONE, np.asarray(source_classes)[classes])
    named = classes != NONE
    mean = rows.mean(0)
    wanted = rows[classes[named]] - mean
    # A class counts once, however many captions name it.
    weights = np.sqrt(1 / np.bincount(classes[named], minlength=len(rows))[classes[named]])[:, None]
    seen = captions.vectors[named].mean(0) if named.any() else np.zeros(captions.dimension)
    x, y = (captions.vectors[named] - seen) * weights, wanted * weights
    gram = x.T @ x
    gram += RIDGE * (np.trace(gram) / len(gram) + 1e-6) * np.eye(len(gram))
    kernel = np.linalg.solve(gram, x.T @ y)
    return kernel.astype(np.float32), (mean - seen @ kernel).astype(np.float32)


def from_vectors(generator: keras.Model) -> keras.Model:
    """A text-conditional generator without its table: [latents, vectors of texts] → images, with the same weights.

    Args:
        generator: Of a pair that `text_conditional` has made.
    """
    if isinstance(generator, MinedGenerator):
        inner, latents = from_vectors(generator.mined), generator.get_layer("miner").output
        vectors = keras.Input(inner.inputs[1].shape[1:], name="vectors")
        return keras.Model([generator.inputs[0], vectors], inner([latents, vectors]), name=generator.name)
    return keras.Model(
        [generator.inputs[0], generator.get_layer(VECTORS).output], generator.outputs[0], name=generator.name
    )


def with_captions(network: keras.Model, captions: CaptionTable) -> keras.Model:
    """A text-conditional network with another table.

    Args:
        network: Generator or discriminator of a pair that `text_conditional` has made.
        captions: Its new labels.
    """
    config = {**network.get_config(), "num_classes": len(captions)}
    changed = type(network).from_config(config)
    weights = named_weights(network)
    for name, variable in named_weights(changed).items():
        variable.assign(captions.vectors if name == f"{VECTORS}/vectors" else weights[name])
    return changed
