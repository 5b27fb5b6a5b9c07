"""How names and arrays of other programs become those of our StyleGAN2: rules, and what they are made of."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tfgantl.errors import ArtifactError, intact
from tfgantl.untrusted.unique_names import add

MAX_COPIES = 2**24  # bytes that one tensor under several names may take
Arrays = dict[str, np.ndarray]
Change = Callable[[np.ndarray], np.ndarray]


def as_kernel(x: np.ndarray) -> np.ndarray:
    """A kernel of PyTorch (out, in, height, width) → (height, width, in, out)."""
    return x.reshape(x.shape[-4:]).transpose(2, 3, 1, 0)  # one program has an axis of length 1 before the four


def as_flat(x: np.ndarray) -> np.ndarray:
    """A bias that is stored with further axes of length 1."""
    return x.reshape(-1)


def as_first_dense(x: np.ndarray) -> np.ndarray:
    """(out, channels · 16), channels first → (16 · channels, out), channels last."""
    return x.reshape(x.shape[0], -1, 4, 4).transpose(2, 3, 1, 0).reshape(-1, x.shape[0])


def as_same(x: np.ndarray) -> np.ndarray:
    """What is laid out as here."""
    return x


def as_transposed(x: np.ndarray) -> np.ndarray:
    """Weights of a dense layer, or a table, with the other axis first."""
    return x.T


def as_constant(x: np.ndarray) -> np.ndarray:
    """The constant ([1,] channels, side, side) → (side, side, channels)."""
    return x.reshape(x.shape[-3:]).transpose(1, 2, 0)


def as_map(x: np.ndarray) -> np.ndarray:
    """A map of noise ([1, 1,] side, side)."""
    return x.reshape(x.shape[-2:])


def as_scalar(x: np.ndarray) -> np.ndarray:
    """A number, with or without an axis."""
    return x.reshape(())


@dataclass(frozen=True)
class Rule:
    """One pattern of names, what it is called here, and how its arrays are laid out here.

    Args:
        pattern: Of the whole name; groups are numbers.
        name: Path in our network, from the numbers and the size of the largest feature map, as log2.
        change: Brings an array into our layout.
    """

    pattern: str
    name: Callable[[list[int], int], str]
    change: Change


@dataclass(frozen=True)
class WeightLayout:
    """How one program names the weights of one network.

    Args:
        program: For reports.
        needs: A name that no other layout has.
        rules: For all that is needed.
        unused: Pattern of the names that are not: filters, which are constants.
    """

    program: str
    needs: str
    rules: tuple[Rule, ...]
    unused: str = r"$^"

    def convert(self, arrays: Arrays) -> tuple[Arrays, dict[str, str], list[str]]:
        """Brings arrays under our names and into our layout.

        Args:
            arrays: By the names of the program.

        Returns:
            `(converted, origins, left)`: path → array, path → name, and names that were not used.

        Raises:
            ArtifactError: If an array cannot be brought into our layout, or two would be one of ours.
        """
        stored = sum({id(array): array.nbytes for array in arrays.values()}.values())
        if (named := sum(array.nbytes for array in arrays.values())) > 4 * stored + MAX_COPIES:
            raise ArtifactError(f"tensors of a StyleGAN2 must have a name each. Received: {named} bytes of {stored}")
        converted: Arrays = {}
        origins: dict[str, str] = {}
        left = []
        largest = max(
            (int(side) for name in arrays for side in re.findall(r"(?:^|[./])b?(\d+)(?:x|\.)", name)), default=4
        )
        top = largest.bit_length() - 1
        for name, array in arrays.items():
            for rule in self.rules:
                matched = re.fullmatch(rule.pattern, name)
                if matched:
                    path = rule.name([int(group) for group in matched.groups()], top)
                    with intact(f"{name} of a StyleGAN2 must fit {path}"):
                        changed = np.asarray(rule.change(array), np.float32)
                    what = f"{name} of a StyleGAN2 must be the only one for its place, beside {origins.get(path)}"
                    add(converted, path, changed, what)
                    origins[path] = name
                    break
            else:
                if not re.fullmatch(self.unused, name):
                    left.append(name)
        return converted, origins, left


def fixed(name: str) -> Callable[[list[int], int], str]:
    """A name without numbers."""
    return lambda numbers, top: name


def numbered(name: str, offset: int = 0) -> Callable[[list[int], int], str]:
    """A name with the one number that was found, plus an offset."""
    return lambda numbers, top: name.format(numbers[0] + offset)


def suffixed(name: Callable[[list[int], int], str], part: str) -> Callable[[list[int], int], str]:
    """The name of a layer, and a part of it."""
    return lambda numbers, top: name(numbers, top) + part


def noise_name(numbers: list[int], top: int) -> str:
    """Maps of noise are numbered through all convolutions."""
    return f"block{(numbers[0] + 1) // 2}_conv{1 if numbers[0] == 0 else (numbers[0] + 1) % 2}_noise/map"


def in_block(part: str) -> Callable[[list[int], int], str]:
    """Blocks that are named by their side, with the number of the convolution behind it if there is one."""
    return lambda numbers, top: f"block{numbers[0].bit_length() - 3}_" + part.format(*numbers[1:])


def from_image(part: str) -> Callable[[list[int], int], str]:
    """The same, counted from the image."""
    return lambda numbers, top: f"block{top - numbers[0].bit_length() + 2}_" + part.format(*numbers[1:])
