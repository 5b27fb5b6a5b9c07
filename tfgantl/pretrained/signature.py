"""One signature of a SavedModel as a Keras layer: what goes in, what comes out, and the variables that it reads."""

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl.errors import ArtifactError
from tfgantl.pretrained.module_hashes import allow, digest
from tfgantl.pretrained.ranges import is_byte_range, is_unit_range
from tfgantl.printing import printable
from tfgantl.progress import log
from tfgantl.untrusted.loading import load_saved_model

SIGNATURES = ("generator", "default", "serving_default", "generate")
LATENTS = ("z", "latents", "latent", "noise", "inputs", "default")
ONE_HOT = re.compile("(?i)label|class|categor|cond|one_?hot|^(y|c)$")  # what labels (n, classes) are called
IMAGES = ("images", "samples", "generated", "default", "output_0")
STATISTICS = re.compile(r"moving|running|accu|ExponentialMovingAverage|/(mean|var(iance)?)(:0)?$|global_step")
BEYOND = 1000  # the number of classes: no label
MARGIN = 0.02  # beyond [-1, 1], of pixels that are rounded


class SignatureLayer(keras.layers.Layer):
    """One signature of a SavedModel, with the variables that it reads as weights.

    Args:
        directory: The SavedModel.
        signature: Name, or `None` to choose.
        output: Name of the output with the images, or `None` to choose.
        scalar: Value of scalar inputs.
        allow_ops: Operations that are trusted here.
    """

    runs_foreign_graph = True  # of which nobody knows whether its rows depend on each other

    def __init__(
        self, directory: Path, signature: str | None, output: str | None, scalar: float, allow_ops: tuple[str, ...]
    ):
        super().__init__(name="module", dtype="float32")
        self.where, self.scalar = str(directory), scalar
        self._loaded = load_saved_model(directory, allow_ops)
        self.digest = digest(directory)
        allow(directory, allow_ops)
        self.signature = self._choose_signature(signature)
        self._function = self._loaded.signatures[self.signature]
        self._sort_inputs(self._function.structured_input_signature[1])
        self.output_key, self._image_shape = self._choose_output(output)
        self._track()
        self.built = True

    def _choose_signature(self, wanted: str | None) -> str:
        matching = [name for name in self._loaded.signatures if not name.startswith("__")]
        for name in (wanted,) if wanted else SIGNATURES:
            if name in matching:
                return name
        if not wanted and len(matching) == 1:
            return matching[0]
        names = wanted or " or ".join(SIGNATURES)
        raise ArtifactError(
            f"{self.where}: must have the signature {names}. Received: {', '.join(sorted(matching)) or 'none'}"
        )

    def _sort_inputs(self, specs: dict[str, tf.TensorSpec]) -> None:
        """Says which input is what, by type, rank and name."""
        self.label_input, self.label_width, self._constants = None, None, {}
        self._labels_in_column = False
        specs = dict(sorted(specs.items()))  # TensorFlow has them in another order in each process
        noise = [name for name, spec in specs.items() if spec.dtype.is_floating and spec.shape.rank == 2]
        if len(noise) > 1:
            named = [name for name in noise if name in LATENTS]
            if len(named) != 1:
                raise ArtifactError(
                    f"{self.where}: of inputs {', '.join(noise)}, one must be called as latents are: "
                    f"{', '.join(LATENTS)}. Received: {', '.join(named) or 'none'}"
                )
            noise = named
        for name, spec in specs.items():
            width = spec.shape[1] if spec.shape.rank == 2 else None
            if noise and name == noise[0]:
                self._latent_input, self._latent_dtype, self.latent_dim = name, spec.dtype, spec.shape[1]
            elif spec.shape.rank == 0 and (spec.dtype.is_floating or spec.dtype.is_bool):
                self._constants[name] = tf.constant(False if spec.dtype.is_bool else self.scalar, spec.dtype)
            elif self.label_input is None and spec.shape.rank == 1 and spec.dtype.is_integer:
                self.label_input, self._label_dtype = name, spec.dtype
            elif self.label_input is None and width == 1 and spec.dtype.is_integer:
                self.label_input, self._label_dtype, self._labels_in_column = name, spec.dtype, True
            elif self.label_input is None and (width or 0) > 1 and ONE_HOT.search(name):
                self.label_input, self._label_dtype, self.label_width = name, spec.dtype, width
            else:
                raise ArtifactError(
                    f"{self.where}: inputs must be latents, labels and scalars. Received: {name} {spec.shape}, "
                    f"{spec.dtype.name} in the signature {self.signature}"
                )
        batched = [spec for spec in specs.values() if spec.shape.rank]
        if not noise or self.latent_dim is None or any(spec.shape[0] is not None for spec in batched):
            shapes = {name: str(spec.shape) for name, spec in specs.items()}
            raise ArtifactError(
                f"{self.where}: latents must have the shape (any batch, fixed length). Received: {shapes}"
            )

    def _choose_output(self, wanted: str | None) -> tuple[str, tuple[int, int, int]]:
        outputs = self._function.structured_outputs
        outputs = outputs if isinstance(outputs, dict) else {"output_0": outputs}
        matching = [
            name for name, spec in outputs.items()
            if spec.shape.rank in (4, None) and spec.dtype.is_floating and (wanted is None or name == wanted)
        ]  # fmt: skip
        matching = sorted(matching, key=lambda name: IMAGES.index(name) if name in IMAGES else len(IMAGES))
        if not matching or (len(matching) > 1 and matching[0] not in IMAGES):
            shapes = {name: str(spec.shape) for name, spec in outputs.items()}
            raise ArtifactError(
                f"{self.where}: one output must be images (batch, side, side, 1 or 3) of floats; name it as `output`. "
                f"Received: {shapes}"
            )
        self.output_key = matching[0]
        shape = tuple(self._run(tf.zeros((1, self.latent_dim)), tf.zeros((1,), tf.int32)).shape)
        if len(shape) != 4 or shape[1] != shape[2] or shape[3] not in (1, 3):
            raise ArtifactError(f"{self.where}: images must be square, with 1 or 3 channels. Received: {shape}")
        return matching[0], shape[1:]

    def _track(self) -> None:
        """Shares the variables with Keras: what an optimizer writes, the signature reads."""
        handles = _captured(self._function)
        variables = [v for v in _all_variables(self._loaded, self._function) if id(v.handle) in handles]
        floats = [v for v in variables if v.dtype.is_floating]
        marked = any(v.trainable for v in floats)
        self._names = {}
        for variable in variables:
            name = variable.name.removesuffix(":0")
            learns = variable.dtype.is_floating and (variable.trainable if marked else not STATISTICS.search(name))
            variable._trainable = learns  # what the gradient tape looks at
            with ExitStack() as scopes:
                for scope in name.split("/")[:-1]:
                    scopes.enter_context(keras.name_scope(scope))
                shared = keras.Variable(variable, trainable=learns, dtype=variable.dtype.name, name=name.split("/")[-1])
            self._track_variable(shared)
            self._names[name] = (shared, learns)
        if not any(learns for _, learns in self._names.values()):
            raise ArtifactError(f"{self.where}: the signature must read variables, to be trained. Received: none")

    def set_trainable(self, chosen: str | list[str]) -> list[str]:
        def is_chosen(name: str) -> bool:
            return name in chosen if isinstance(chosen, list) else re.fullmatch(chosen, name) is not None

        matching = [name for name, (_, learns) in self._names.items() if learns and is_chosen(name)]
        if not matching:
            names = ", ".join([name for name, (_, learns) in self._names.items() if learns][:6])
            raise ArtifactError(f"`trainable` must match the name of a variable, such as {names}. Received: {chosen}")
        self._chosen = set(matching)
        self._thaw_chosen()
        return matching

    @keras.layers.Layer.trainable.setter
    def trainable(self, value: bool) -> None:
        """Freezes all variables, or thaws those that `set_trainable` chose, and no others."""
        keras.layers.Layer.trainable.fset(self, value)
        self._thaw_chosen()

    def _thaw_chosen(self) -> None:
        for name, (variable, _) in self._names.items():
            variable.trainable = self.trainable and name in self._chosen

    def guess_classes(self) -> int:
        """The rows of the only variable that looks like an embedding of labels, if all of these draw something."""
        matching = {
            variable.shape[0]: name for name, (variable, _) in self._names.items()
            if len(variable.shape) == 2 and re.search("emb|label|class", name.lower())
        }  # fmt: skip
        told = f"{self.where}: `num_classes` of WrappedGenerator must be given, as labels are integers. Received: none"
        if len(matching) != 1:
            raise ArtifactError(told)
        ((classes, name),) = matching.items()
        first, last, beyond = (self._drawn(label) for label in (0, classes - 1, classes + BEYOND))
        # Labels that there are not are an error, or draw as if there were none.
        draws_as_none = beyond is not None and np.array_equal(last, beyond) and not np.array_equal(first, beyond)  # type: ignore[arg-type]
        if last is None or draws_as_none:
            raise ArtifactError(f"{told}, and a label {classes - 1}, of the rows of {printable(name)}, is none")
        log(f"{self.where}: {classes} classes, as many as {printable(name)} has rows")
        return classes

    def _drawn(self, label: int) -> np.ndarray | None:
        """An image of a label, or `None` where the module knows no such label."""
        noise = np.random.default_rng(0).standard_normal((1, self.latent_dim), np.float32)
        try:
            return self._run(tf.constant(noise), tf.constant([label])).numpy()
        except tf.errors.InvalidArgumentError:
            return None

    def measure_range(self, latents: str, classes: int | None) -> tuple[int, int]:
        """The smallest of [-1, 1], [0, 1] and [0, 255] that holds 16 images."""
        noise = np.random.default_rng(0).standard_normal((16, self.latent_dim), np.float32)
        noise = tf.math.erf(noise / np.float32(np.sqrt(2))) if latents == "uniform" else noise
        images = self._run(tf.constant(noise), tf.range(16) % (classes or 1)).numpy()
        low, high = images.min(), images.max()
        found = (0, 1) if is_unit_range(low, high) else (0, 255) if is_byte_range(low, high) else None
        if found is not None:
            log(f"{self.where}: the module makes pixels in {list(found)}, which are mapped to [-1, 1]")
            return found
        if -1 - MARGIN <= low < 0 and high <= 1 + MARGIN:
            return -1, 1
        raise ArtifactError(f"{self.where}: `output_range` must be given. Received: pixels in [{low:g}, {high:g}]")

    def shuffle(self, rng: np.random.Generator) -> None:
        for variable, learns in self._names.values():
            if learns:
                values = variable.numpy()
                variable.assign(rng.permutation(values.ravel()).reshape(values.shape))

    def _run(self, noise: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        arguments = {self._latent_input: tf.cast(noise, self._latent_dtype), **self._constants}
        if self.label_input is not None:
            if self.label_width is not None:
                labels = tf.one_hot(labels, self.label_width)
            elif self._labels_in_column:
                labels = tf.expand_dims(labels, 1)
            arguments[self.label_input] = tf.cast(labels, self._label_dtype)
        return tf.cast(self._function(**arguments)[self.output_key], tf.float32)

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        return tf.ensure_shape(self._run(*inputs), (None, *self._image_shape))

    def compute_output_spec(self, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        return keras.KerasTensor((inputs[0].shape[0], *self._image_shape), "float32")


def _all_variables(loaded: Any, function: Any) -> list[tf.Variable]:
    matching = [*getattr(loaded, "variables", ()), *function.variables]
    return list({id(v): v for v in matching if hasattr(v, "handle")}.values())


def _captured(function: Any) -> set[int]:
    """Identities of the outside tensors that the outputs depend on: a TF1 graph captures the discriminator, too."""
    reached, queue = set(), list(function.graph.outputs)
    while queue:
        tensor = queue.pop()
        if id(tensor) not in reached:
            reached.add(id(tensor))
            queue += list(tensor.op.inputs)
    return {id(outer) for outer, inner in function.graph.captures if id(inner) in reached}
