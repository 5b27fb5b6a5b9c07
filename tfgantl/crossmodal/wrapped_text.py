"""Text encoders of other programs, used as they are: only how their vectors are mapped to those of images is learnt."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tfgantl.crossmodal.text_checks import MAX_CHARACTERS
from tfgantl.crossmodal.text_encoder import check_apart, read_phrases
from tfgantl.errors import ArtifactError
from tfgantl.files import expanded
from tfgantl.pretrained.module_hashes import allow, allowed_before, content_digest, digest
from tfgantl.printing import printable
from tfgantl.untrusted.loading import load_saved_model
from tfgantl.untrusted.networks import load_network
from tfgantl.untrusted.savedmodels import is_saved_model

# Outputs with the vector of a whole text, where there are others, such as those of its words.
OF_A_TEXT = ("vectors", "default", "embedding", "embeddings", "pooled_output", "text_embeds")

ALLOWED = "`text_encoder` must be a .keras file, or the directory of a SavedModel"


class TextModule(layers.Layer):
    """A signature of a SavedModel that takes strings and gives vectors; it never changes.

    Args:
        directory: The SavedModel.
        allow_ops: Operations that are trusted here.

    Raises:
        ArtifactError: If it is damaged or unsafe, or has no such signature.
    """

    runs_foreign_graph = True

    def __init__(self, directory: Path, allow_ops: tuple[str, ...]):
        super().__init__(name="module", dtype="float32", trainable=False)
        self.where = str(directory)
        self._loaded = load_saved_model(directory, allow_ops)
        self._function, self._input, self._output, self.length = self._chosen()
        self.built = True

    def _chosen(self) -> tuple[Any, str, str, int]:
        seen = []
        # TensorFlow has signatures and outputs in another order in each process.
        for name, function in sorted(self._loaded.signatures.items(), key=lambda x: (x[0] != "serving_default", x[0])):
            taken, given = function.structured_input_signature[1], function.structured_outputs
            texts = [key for key, spec in taken.items() if spec.dtype == tf.string and spec.shape.rank == 1]
            vectors = [
                key for key, spec in sorted(given.items())
                if spec.dtype.is_floating and spec.shape.rank == 2 and spec.shape[1]
            ]  # fmt: skip
            if len(vectors) > 1:
                vectors = [key for key in OF_A_TEXT if key in vectors][:1] or self._refuse_several(vectors)
            if len(taken) == len(texts) == 1 and vectors:
                return function, texts[0], vectors[0], int(given[vectors[0]].shape[1])
            seen.append(name)
        raise ArtifactError(
            f"{self.where}: a signature must map strings (batch,) to vectors (batch, length). "
            f"Received: {', '.join(seen) or 'none'}"
        )

    def _refuse_several(self, vectors: list[str]) -> list[str]:
        raise ArtifactError(
            f"{self.where}: of several outputs, one must be called {', '.join(OF_A_TEXT)}. "
            f"Received: {printable(', '.join(vectors))[:200]}"
        )

    def call(self, text: tf.Tensor) -> tf.Tensor:
        vectors = self._function(**{self._input: text})[self._output]
        return tf.ensure_shape(tf.cast(vectors, tf.float32), (None, self.length))

    def compute_output_spec(self, text: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor((text.shape[0], self.length), "float32")


@keras.saving.register_keras_serializable(package="tfgantl")
class WrappedTextEncoder(keras.Model):
    """Phrases, string (batch,) → vectors float32 (batch, dimension) of length 1, by an encoder of another program.

    Its vectors are brought to unit length and mapped by a layer that learns; it stays what it is. Which words it knows
    is its own matter.

    Args:
        source: Directory of a SavedModel, which must still be there when a file of this model is read; or a Keras
            model, or its configuration, which becomes a part of this one.
        dimension: Length of the vectors.
        allow_ops: Operations of a SavedModel that are trusted here.

    Raises:
        ArtifactError: If it does not map strings to vectors.
    """

    def __init__(
        self,
        source: str | Path | keras.Model | dict[str, Any],
        dimension: int = 64,
        allow_ops: tuple[str, ...] = (),
        name: str = "text_encoder",
        **kwargs: Any,
    ):
        if isinstance(source, dict):
            source = keras.saving.deserialize_keras_object(source)
        module: Any
        if isinstance(source, keras.Model):
            module = _checked(source)
            module.trainable = False
            self_config: dict[str, Any] = {"source": keras.saving.serialize_keras_object(source)}
        else:
            path = expanded(source).absolute()
            module = TextModule(path, tuple(allow_ops))
            allow(path, tuple(allow_ops))
            self_config = {"source": str(path), "digest": digest(path), "content": content_digest(path)}
        # === Functional Model ===
        text = keras.Input((), dtype="string", name="text")
        x = layers.UnitNormalization(name="foreign_direction")(module(text))
        x = layers.Dense(dimension, name="projection")(x)
        super().__init__(inputs=text, outputs=layers.UnitNormalization(name="direction")(x), name=name, **kwargs)

        # === Config ===
        self.module, self.module_config, self.dimension = module, self_config, dimension
        self.vocabulary: list[str] = []  # which is not known
        self.most_words = MAX_CHARACTERS

    def numbers(self, phrases: Sequence[str]) -> np.ndarray:
        """What the encoder of the other program gives for phrases, float32 (n, its length).

        Raises:
            ArtifactError: If it is not a finite vector for each, or the same for all that differ.
        """
        found = read_phrases(self.module, phrases)
        if not np.isfinite(found).all():
            raise ArtifactError("a text encoder must give finite vectors. Received: NaN or infinity")
        check_apart(found, phrases)
        return found

    def of_numbers(self, numbers: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Vectors float32 (batch, dimension) of what `numbers` gives."""
        for name in ("foreign_direction", "projection", "direction"):
            numbers = self.get_layer(name)(numbers)
        return numbers

    def unknown_words(self, text: str) -> dict[str, list[str]]:
        """None: what is not known is not known."""
        return {}

    def get_config(self) -> dict[str, Any]:
        return {**self.module_config, "dimension": self.dimension, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "WrappedTextEncoder":
        """The same model; a SavedModel is not loaded if it is not what it was."""
        config = dict(config)
        expected, content, source = config.pop("digest", None), config.pop("content", None), config["source"]
        if isinstance(source, dict):
            return cls(**config)
        path = Path(source)
        if not is_saved_model(path) or digest(path) != expected or content_digest(path) != content:
            raise ArtifactError(f"{path}: must be the text encoder that the model was made from. Received: another")
        return cls(**config, allow_ops=allowed_before(expected))


def open_foreign_text(handle: str, dimension: int = 64, allow_ops: tuple[str, ...] = ()) -> WrappedTextEncoder:
    """Opens a text encoder of another program.

    Args:
        handle: `.keras` file, or directory of a SavedModel: strings (batch,) → vectors (batch, length).
        dimension: Length of the vectors that it is mapped to.
        allow_ops: Operations of a SavedModel that are trusted.

    Raises:
        ArtifactError: If it is none, or not safe.
    """
    path = expanded(handle)
    if path.suffix == ".keras":
        return WrappedTextEncoder(load_network(path), dimension)
    if is_saved_model(path):
        return WrappedTextEncoder(path, dimension, allow_ops)
    raise ArtifactError(f"{ALLOWED}. Received: {handle}")


def text_encoder_hash(path: Path) -> str:
    """First 12 hexadecimal digits of the SHA-256 of a file, or of what a SavedModel computes with."""
    if is_saved_model(path):
        return content_digest(path)[:12]
    if not path.is_file():
        raise ArtifactError(f"{ALLOWED}. Received: {path}")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def _checked(network: keras.Model) -> keras.Model:
    taken = [(keras.backend.standardize_dtype(x.dtype), len(x.shape)) for x in getattr(network, "inputs", None) or ()]
    given = getattr(network, "output_shape", None)
    if taken != [("string", 1)] or not isinstance(given, tuple) or len(given) != 2 or not given[1]:
        raise ArtifactError(f"a text encoder must map strings to vectors. Received: {taken} to {given}")
    return network
