"""A network as its settings and named arrays, which is the form in which it can be changed."""

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from tfgantl.models.variable_names import named_weights
from tfgantl.pretrained.load_report import LoadReport


@dataclass
class EditableNetwork:
    """A generator or a discriminator that is being fitted to a target.

    Args:
        kind: Keras class of the network.
        config: Arguments of its constructor.
        arrays: Path of a weight → values, for all that come from the source.
        changes: Path → in which way the values were computed from those of the source; those missing are copies.
        seed: For weights that the source cannot tell.
    """

    kind: type[keras.Model]
    config: dict[str, Any]
    arrays: dict[str, np.ndarray]
    changes: dict[str, str] = field(default_factory=dict)
    seed: int = 0

    @classmethod
    def of(cls, network: keras.Model, seed: int) -> "EditableNetwork":
        """Takes a network apart."""
        arrays = {path: variable.numpy() for path, variable in named_weights(network).items()}
        return cls(type(network), network.get_config(), arrays, seed=seed)

    @property
    def makes_images(self) -> bool:
        """Whether it is a generator."""
        return "latent_dim" in self.config

    def build(self) -> keras.Model:
        """Puts the network together; weights that the source cannot tell get their initial values."""
        keras.utils.set_random_seed(self.seed)
        network = self.kind.from_config(self.config)
        for path, variable in named_weights(network).items():
            if path in self.arrays:
                variable.assign(self.arrays[path])
        return network

    def change(self, path: str, values: np.ndarray, how: str) -> None:
        """Replaces the values of a weight, and remembers in which way."""
        self.arrays[path] = np.ascontiguousarray(values, np.float32)
        before = self.changes.get(path)
        self.changes[path] = how if before in (None, how) else f"{before}; {how}"

    def rename(self, old: str, new: str) -> None:
        """Moves all weights of a layer to another layer."""
        tables: tuple[dict[str, Any], ...] = (self.arrays, self.changes)
        for paths in tables:
            for path in [path for path in paths if path.startswith(f"{old}/")]:
                paths[new + path.removeprefix(old)] = paths.pop(path)

    def forget(self, layer: str) -> None:
        """Drops all weights of a layer."""
        for paths in (self.arrays, self.changes):
            for path in [path for path in paths if path.startswith(f"{layer}/")]:
                del paths[path]

    def report(self, network: keras.Model) -> LoadReport:
        """What became of every weight of the network that was built."""
        report = LoadReport()
        for path, variable in named_weights(network).items():
            kind = "resized" if path in self.changes else "copied" if path in self.arrays else "initial"
            size = int(np.prod(variable.shape))
            report.add(kind, f"{network.name}/{path}", size, self.changes.get(path, ""))
        return report


def outputs_of(model: keras.Model, inputs: list[np.ndarray], batch_size: int = 32) -> list[np.ndarray]:
    """Outputs for many inputs, without tracing a function for a model that is used once.

    Args:
        model: Any functional model.
        inputs: One array for each input, of the same length.
        batch_size: Rows at a time.

    Returns:
        One array for each output.
    """
    batches = []
    for start in range(0, len(inputs[0]), batch_size):
        rows = [array[start : start + batch_size] for array in inputs]
        outputs = model(rows if len(rows) > 1 else rows[0], training=False)
        batches.append([np.asarray(x) for x in (outputs if isinstance(outputs, list | tuple) else [outputs])])
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]


def sample_outputs(generator: keras.Model, outputs: list, count: int) -> list[np.ndarray]:
    """Values of symbolic tensors of a generator, for random latents and labels.

    Args:
        generator: Any functional generator.
        outputs: Symbolic tensors of its graph.
        count: Number of latents.

    Returns:
        One array (count, …) for each tensor.
    """
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((count, generator.inputs[0].shape[-1]), np.float32)]
    if len(generator.inputs) == 2:
        inputs.append(np.arange(count) % generator.num_classes)
    symbolic = generator.inputs if len(inputs) > 1 else generator.inputs[0]
    return outputs_of(keras.Model(symbolic, outputs), inputs)
