"""What is left of a checkpoint of another program once it has been read: arrays by their names, and plain arguments."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class ForeignNetwork:
    """One network of a checkpoint, as its file names it.

    Args:
        arrays: All tensors, averages and buffers among them, by the name that the file gives them.
        arguments: Constructor arguments, where the file says them: numbers, strings, booleans, lists and dicts of
            these.
        kind: Name of the class, where the file says it, else empty.
        is_ordered: Whether arrays stand in the order of the layers; else by their names, of which only numbers tell it.
    """

    arrays: dict[str, np.ndarray]
    arguments: dict[str, Any] = field(default_factory=dict)
    kind: str = ""
    is_ordered: bool = True


@dataclass(frozen=True)
class ForeignCheckpoint:
    """All networks of a checkpoint.

    Args:
        networks: By their names in the file, such as `g_ema`, `G` or `Gs`; a file that is one state dict has one
            network, whose name is empty.
        arrays: Tensors that stand beside the networks, such as `latent_avg`.
        arguments: Plain values that stand beside the networks, such as those of an `argparse.Namespace`.
    """

    networks: dict[str, ForeignNetwork]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
