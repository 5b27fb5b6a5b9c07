"""What the Inception network of 2015 is made of, block by block, and what its convolutions are called elsewhere.

A block is a set of branches that read the same map, and whose outputs are joined. A branch is a chain of convolutions;
the last of them may be two that read the same map. The same table builds the network and finds its weights.

Reference:
    Szegedy et al., 2016, https://arxiv.org/abs/1512.00567
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Convolution:
    """A convolution with batch normalisation and ReLU.

    Args:
        kernel: Height and width.
        filters: Channels that it gives.
        stride: 1, or 2 where the map is halved.
        padded: Whether the map keeps its size but for the stride.
    """

    kernel: tuple[int, int]
    filters: int
    stride: int = 1
    padded: bool = True


@dataclass(frozen=True)
class Branch:
    """A chain of convolutions.

    Args:
        role: Name within its block.
        chain: The convolutions, one after the other.
        fork: Two that read the output of the chain, in place of it.
        torch: How files of PyTorch call it.
        tower: How the graph of TensorFlow calls it; empty for convolutions directly in the block.
    """

    role: str
    chain: tuple[Convolution, ...]
    torch: str
    tower: str
    fork: tuple[Convolution, ...] = ()


@dataclass(frozen=True)
class InceptionBlock:
    """Branches side by side.

    Args:
        name: Name, as in files of PyTorch but in small letters.
        branches: Joined in this order.
        pooling: `average` or `max` ahead of the branch `pool`; `halving` for a branch of its own that is pooled alone.
    """

    name: str
    branches: tuple[Branch, ...]
    pooling: str


def _square(side: int, filters: int, stride: int = 1, padded: bool = True) -> Convolution:
    return Convolution((side, side), filters, stride, padded)


def _halving(filters: int) -> Convolution:
    return Convolution((3, 3), filters, 2, padded=False)


def _row(width: int, filters: int) -> Convolution:
    return Convolution((1, width), filters)


def _column(height: int, filters: int) -> Convolution:
    return Convolution((height, 1), filters)


def _single(filters: int) -> Branch:
    return Branch("single", (_square(1, filters),), "branch1x1", "")


def _pool(filters: int) -> Branch:
    return Branch("pool", (_square(1, filters),), "branch_pool", "tower_2")


def _of_35(name: str, pool: int) -> InceptionBlock:
    five = Branch("five", (_square(1, 48), _square(5, 64)), "branch5x5", "tower")
    double = Branch("double", (_square(1, 64), _square(3, 96), _square(3, 96)), "branch3x3dbl", "tower_1")
    return InceptionBlock(name, (_single(64), five, double, _pool(pool)), "average")


def _of_17(name: str, inner: int) -> InceptionBlock:
    seven = Branch("seven", (_square(1, inner), _row(7, inner), _column(7, 192)), "branch7x7", "tower")
    chain = (_square(1, inner), _column(7, inner), _row(7, inner), _column(7, inner), _row(7, 192))
    return InceptionBlock(
        name, (_single(192), seven, Branch("double", chain, "branch7x7dbl", "tower_1"), _pool(192)), "average"
    )


def _of_8(name: str, pooling: str) -> InceptionBlock:
    fork = (_row(3, 384), _column(3, 384))
    three = Branch("three", (_square(1, 384),), "branch3x3", "tower", fork)
    double = Branch("double", (_square(1, 448), _square(3, 384)), "branch3x3dbl", "tower_1", fork)
    return InceptionBlock(name, (_single(320), three, double, _pool(192)), pooling)


STEM = {  # a max pooling follows the third and the fifth
    "conv2d_1a_3x3": _halving(32),
    "conv2d_2a_3x3": _square(3, 32, padded=False),
    "conv2d_2b_3x3": _square(3, 64),
    "conv2d_3b_1x1": _square(1, 80, padded=False),
    "conv2d_4a_3x3": _square(3, 192, padded=False),
}
POOLED = ("conv2d_2b_3x3", "conv2d_4a_3x3")
BLOCKS = (
    _of_35("mixed_5b", 32),
    _of_35("mixed_5c", 64),
    _of_35("mixed_5d", 64),
    InceptionBlock(
        "mixed_6a",
        (
            Branch("three", (_halving(384),), "branch3x3", ""),
            Branch("double", (_square(1, 64), _square(3, 96), _halving(96)), "branch3x3dbl", "tower"),
        ),
        "halving",
    ),
    _of_17("mixed_6b", 128),
    _of_17("mixed_6c", 160),
    _of_17("mixed_6d", 160),
    _of_17("mixed_6e", 192),
    InceptionBlock(
        "mixed_7a",
        (
            Branch("three", (_square(1, 192), _halving(320)), "branch3x3", "tower"),
            Branch("seven", (_square(1, 192), _row(7, 192), _column(7, 192), _halving(192)), "branch7x7x3", "tower_1"),
        ),
        "halving",
    ),
    _of_8("mixed_7b", "average"),
    # Other Inception networks take the average here, too; the one whose weights everyone uses does not.
    _of_8("mixed_7c", "max"),
)
FEATURES, CLASSES = 2048, 1008


@dataclass(frozen=True)
class Names:
    """One convolution by all its names.

    Args:
        own: In the network of this package.
        torch: In files of PyTorch, of the module that has `conv` and `bn`.
        tensorflow: In the graph of TensorFlow, of the scope that has `conv2d_params` and `batchnorm`.
        convolution: What it is.
        channels: Those of the map that it reads.
    """

    own: str
    torch: str
    tensorflow: str
    convolution: Convolution
    channels: int


def all_names() -> Iterator[Names]:
    """Every convolution, in the order in which images pass them."""
    channels = 3
    for i, (name, convolution) in enumerate(STEM.items()):
        yield Names(name, name.capitalize(), _numbered("conv", i), convolution, channels)
        channels = convolution.filters
    for i, block in enumerate(BLOCKS):
        joined = channels if block.pooling == "halving" else 0
        for branch in block.branches:
            tower = "/".join(filter(None, (_numbered("mixed", i), branch.tower)))
            inner, last = channels, len(branch.chain)
            for j, convolution in enumerate(branch.chain):
                number = "" if last == 1 and not branch.fork else f"_{j + 1}"
                yield Names(
                    f"{block.name}_{branch.role}_{j + 1}", f"{block.name.capitalize()}.{branch.torch}{number}",
                    f"{tower}/{_numbered('conv', j)}", convolution, inner,
                )  # fmt: skip
                inner = convolution.filters
            for j, convolution in enumerate(branch.fork):
                number = f"_{last + 1}{'ab'[j]}"
                yield Names(
                    f"{block.name}_{branch.role}{number}", f"{block.name.capitalize()}.{branch.torch}{number}",
                    f"{tower}/mixed/{_numbered('conv', j)}", convolution, inner,
                )  # fmt: skip
            joined += sum(convolution.filters for convolution in branch.fork) or inner
        channels = joined


def _numbered(name: str, index: int) -> str:
    return f"{name}_{index}" if index else name
