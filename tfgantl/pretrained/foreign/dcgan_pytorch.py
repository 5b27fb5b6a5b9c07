"""DCGANs of PyTorch, known by the shapes of their kernels: those of its tutorial, of any width, depth and size.

Reference:
    Radford et al., 2016, https://arxiv.org/abs/1511.06434;
    https://docs.pytorch.org/tutorials/beginner/dcgan_faces_tutorial.html
"""

import re
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from tfgantl.errors import ArtifactError
from tfgantl.models import DCGAN
from tfgantl.pretrained.adopt import adopt
from tfgantl.pretrained.foreign.roles import Opened, find_pair
from tfgantl.pretrained.layouts import check_order
from tfgantl.pretrained.load_report import LoadReport
from tfgantl.untrusted.foreign_checkpoints import ForeignCheckpoint
from tfgantl.untrusted.networks import build_for

KERNEL = (
    4  # of all convolutions but that at the smallest map; with stride 2 and padding 1 they double or halve the side
)
LARGEST = 1024  # pixels
NORM = {"weight", "bias", "running_mean", "running_var"}
LABELS = re.compile(r"emb|label|class", re.I)
Modules = list[dict[str, np.ndarray]]  # role → array, of each module


@dataclass(frozen=True)
class Generator:
    """What the shapes of a generator say.

    Attributes:
        networks: The architecture, with the discriminator of the tutorial.
        size: Side of the images.
        channels: 1 or 3.
        classes: `None` for an unconditional generator.
        arrays: Those of the file, with the embedding of labels first.
    """

    networks: DCGAN
    size: int
    channels: int
    classes: int | None
    arrays: dict[str, np.ndarray]


def recognise(checkpoint: ForeignCheckpoint, where: str) -> Opened | None:
    """Makes a DCGAN of a checkpoint that holds one.

    Args:
        checkpoint: Of `read_checkpoint`.
        where: Name of the file for messages.

    Returns:
        The generator; the discriminator if there is one that fits, else `None`; and the report. `None` if it is
        another network.

    Raises:
        ArtifactError: If it is a discriminator alone, or its numbers are not finite.
    """
    pair = find_pair(checkpoint)
    found = None if pair.generator is None else _generator(pair.generator.arrays)
    if found is None:
        alone = pair.generator or pair.discriminator if None in (pair.generator, pair.discriminator) else None
        if alone is not None and _discriminator(alone.arrays) is not None:
            raise ArtifactError(f"{where}: must hold a generator. Received: the discriminator of a DCGAN alone")
        return None
    if pair.generator is not None:
        check_order(pair.generator, where)
    judge = None if pair.discriminator is None else _discriminator(pair.discriminator.arrays)
    networks, notes = found.networks, [*pair.notes, _said(found)]
    fits = judge is not None and judge.size == found.size and judge.channels == found.channels and not found.classes
    if judge is not None and fits and pair.discriminator is not None:
        check_order(pair.discriminator, where)
        networks = replace(networks, discriminator_filters=judge.filters, discriminator_norm=judge.has_norm)
    elif pair.discriminator is not None:
        notes.append("The discriminator of the file is of another architecture, and was not taken.")
    if found.size > LARGEST:
        raise ArtifactError(f"{where}: a DCGAN must make images of at most {LARGEST} px. Received: {found.size} px")
    of_judge = pair.discriminator.arrays if pair.discriminator is not None and fits else None
    generator, discriminator = build_for(
        lambda: networks.build(found.size, found.channels, found.classes), [found.arrays, of_judge], where
    )
    report = LoadReport(notes=notes) + adopt(found.arrays, generator, where=where)
    if of_judge is None:
        return generator, None, report
    return generator, discriminator, report + adopt(of_judge, discriminator, where=where)


def _said(found: Generator) -> str:
    networks = found.networks
    classes = f", {found.classes} classes (latents first, then the label)" if found.classes else ""
    return (
        f"Recognised by its shapes as the DCGAN of PyTorch's tutorial: {found.size} px, {found.channels} "
        f"channel{'s' * (found.channels > 1)}, {networks.latent_dim} latents{classes}, filters "
        f"{', '.join(map(str, networks.filters))}. Strides and activations, which are in no file, are those of the "
        "tutorial; `networks` says others."
    )


def _generator(arrays: dict[str, np.ndarray]) -> Generator | None:
    """Transposed convolutions from 1 x 1, a normalisation behind each but the last."""
    modules = _modules(arrays)
    embeddings = [
        name
        for name, roles in modules.items()
        if set(roles) == {"weight"} and roles["weight"].ndim == 2 and LABELS.search(name)
    ]
    table = modules.pop(embeddings[0])["weight"] if len(embeddings) == 1 else None
    if table is not None and not table.size:
        return None
    kernels, normed = _convolutions(list(modules.values()))
    if len(kernels) < 3 or normed != [True] * (len(kernels) - 1) + [False]:
        return None
    if any(first.shape[1] != then.shape[0] for first, then in pairwise(kernels)):
        return None
    first, last = kernels[0].shape, kernels[-1].shape
    labels = 0 if table is None else table.shape[1]
    if not _all_of_side(kernels[1:]) or first[2] != first[3] or last[1] not in (1, 3) or first[0] <= labels:
        return None
    networks = replace(
        DCGAN.pytorch_tutorial(),
        latent_dim=first[0] - labels,
        filters=tuple(kernel.shape[1] for kernel in kernels[:-1]),
        strides=(2,) * (len(kernels) - 1),
        label_dim=labels or DCGAN.label_dim,
        discriminator_filters=tuple(kernel.shape[1] for kernel in kernels[-2::-1]),
    )
    of_labels = [name for name in arrays if table is not None and name == f"{embeddings[0]}.weight"]
    order = [*of_labels, *(name for name in arrays if name not in of_labels)]
    return Generator(
        networks, first[2] * 2 ** (len(kernels) - 1), last[1], None if table is None else table.shape[0],
        {name: arrays[name] for name in order},
    )  # fmt: skip


@dataclass(frozen=True)
class Discriminator:
    """What the shapes of a discriminator say; see `Generator`."""

    filters: tuple[int, ...]
    has_norm: bool
    size: int
    channels: int


def _discriminator(arrays: dict[str, np.ndarray]) -> Discriminator | None:
    """Convolutions down to 1 x 1, a normalisation behind all but the first and the last, or none."""
    kernels, normed = _convolutions(list(_modules(arrays).values()))
    if len(kernels) < 2 or any(first.shape[0] != then.shape[1] for first, then in pairwise(kernels)):
        return None
    inner = len(kernels) - 2
    first, last = kernels[0].shape, kernels[-1].shape
    if normed not in ([False, *[True] * inner, False], [False] * len(kernels)):
        return None
    if not _all_of_side(kernels[:-1]) or last[2] != last[3] or last[0] != 1 or first[1] not in (1, 3):
        return None
    filters = tuple(kernel.shape[0] for kernel in kernels[:-1])
    return Discriminator(filters, any(normed), last[2] * 2 ** len(filters), first[1])


def _modules(arrays: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    modules: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        module, _, role = name.rpartition(".")
        if role != "num_batches_tracked":
            modules.setdefault(module, {})[role] = array
    return modules


def _convolutions(modules: Modules) -> tuple[list[np.ndarray], list[bool]]:
    """Kernels, and whether a normalisation follows each; none if there is anything else."""
    kernels: list[np.ndarray] = []
    normed: list[bool] = []
    for roles in modules:
        weight = roles.get("weight")
        if weight is not None and weight.ndim == 4 and set(roles) <= {"weight", "bias"}:
            kernels.append(weight)
            normed.append(False)
        elif set(roles) == NORM and normed and not normed[-1] and all(array.ndim == 1 for array in roles.values()):
            normed[-1] = True
        else:
            return [], []
    return kernels, normed


def _all_of_side(kernels: list[np.ndarray]) -> bool:
    return all(kernel.shape[2:] == (KERNEL, KERNEL) for kernel in kernels)
