"""Which network of a checkpoint is the generator, its average, or the discriminator: files say it in many spellings."""

import re
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import keras
import numpy as np

from tfgantl.errors import ArtifactError
from tfgantl.pretrained.load_report import LoadReport
from tfgantl.printing import printable
from tfgantl.untrusted.foreign_checkpoints import ForeignCheckpoint, ForeignNetwork
from tfgantl.untrusted.unique_names import add

Opened: TypeAlias = tuple[keras.Model, keras.Model | None, LoadReport]  # generator and discriminator

# In the order in which they are preferred, without case and what `_plain_name` takes off.
AVERAGES = (
    "g_ema", "gs", "generator_ema", "netg_ema", "gen_ema", "ema_generator", "ema_g", "ema_netg",
    "g_running", "g_avg", "ge", "ema",
)  # fmt: skip
GENERATORS = ("g", "generator", "netg", "gen", "net_g")
DISCRIMINATORS = ("d", "discriminator", "netd", "disc", "dis", "net_d", "critic")
ROLES = (*AVERAGES, *GENERATORS, *DISCRIMINATORS)
AROUND = re.compile(r"^(model|params)_?(?=.)|_?(state_dict|state|weights|params|model|dict|network)$")
AVERAGED = re.compile(r"(.*_)?(ema|avg|average|averaged|shadow)(_.*)?")
ONE_NAME = "networks of a checkpoint must have names of their own"
AHEAD = re.compile(r"([^./]+)([./])(.+)", re.DOTALL)
# Ahead of a slash, where layers have names such as `g`, too.
WORDS = ("ema_generator", "generator_ema", "generator", "discriminator")
EMPTY = ("state_dict", "state", "model", "models", "module", "weights", "params", "networks", "net")


@dataclass(frozen=True)
class Pair:
    """The networks of a checkpoint that a source is made of.

    Args:
        generator: The average of the generator if there is one, else the generator itself; `None` if there is neither.
        discriminator: `None` if there is none.
        notes: What was chosen, as sentences for the report.
    """

    generator: ForeignNetwork | None
    discriminator: ForeignNetwork | None
    notes: list[str] = field(default_factory=list)


def find_pair(checkpoint: ForeignCheckpoint) -> Pair:
    """Finds generator and discriminator by the names of the networks, or by those ahead of all arrays (`netG.main.0`).

    Args:
        checkpoint: Of `read_checkpoint`. A network alone is taken for a generator unless its name says otherwise.

    Example:
        >>> from tfgantl.untrusted.foreign_checkpoints import ForeignCheckpoint, ForeignNetwork
        >>> g, g_ema = (ForeignNetwork({"main.0.weight": np.zeros(2) + value}) for value in (1, 2))
        >>> find_pair(ForeignCheckpoint({"g": g, "g_ema": g_ema})).notes
        ['g_ema, the averaged generator, was taken, and not g.']
    """
    networks = _split(checkpoint.networks)
    # The first of a role counts, but for a discriminator that is an average: it has not been trained against any.
    named = {_role_name(name): name for name in sorted(reversed(networks), key=_is_averaged, reverse=True)}
    of_a_role = set(named.values())
    averages, generators, discriminators = (
        [named[role] for role in roles if role in named] for roles in (AVERAGES, GENERATORS, DISCRIMINATORS)
    )
    notes = []
    if len(named) < len(networks):
        others = printable(", ".join(name for name in networks if name not in of_a_role))[:100]
        notes.append(f"Networks of the same role as others were left out: {others}.")
    if not averages and not generators and not discriminators and len(networks) == 1:
        generators = list(networks)
    unknown = [name for name in networks if name not in of_a_role or _role_name(name) not in ROLES]
    if generators and not averages:  # whatever it is called
        shapes = _shapes(networks[generators[0]])
        known = (name for name in unknown if AVERAGED.fullmatch(_plain_name(name)))
        averages = [name for name in known if _shapes(networks[name]) == shapes][:1]
    if lost := [name for name in unknown if name not in (*averages, *generators) and name in of_a_role]:
        notes.append(f"Networks of no role that is known were left out: {printable(', '.join(lost))[:100]}.")
    if averages and generators:
        notes.append(f"{_shown(averages)}, the averaged generator, was taken, and not {_shown(generators)}.")
    chosen = next(iter([*averages, *generators]), None)
    judge = next(iter(discriminators), None)
    return Pair(None if chosen is None else networks[chosen], None if judge is None else networks[judge], notes)


def pair_of_weights(arrays: dict[str, np.ndarray], where: str) -> Pair:
    """The same for bare weights, of this package or others: what has no role by its name is the generator.

    Args:
        arrays: Of a file that is no checkpoint, such as `.weights.h5`, `.npz` or the variables of a SavedModel.
        where: Name of the file for messages.

    Raises:
        ArtifactError: If two arrays have the same place in a network.

    Example:
        >>> weights = {"generator/dense/kernel": np.ones(2), "ema_generator/dense/kernel": np.zeros(2)}
        >>> pair_of_weights(weights, "x.npz").notes
        ['ema_generator, the averaged generator, was taken, and not generator.']
    """
    parts: dict[str, dict[str, np.ndarray]] = {}
    others: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        top, separator, rest = match.groups() if (match := AHEAD.fullmatch(name)) else ("", "", name)
        if top in WORDS or (separator == "." and _plain_name(top) in ROLES):
            add(parts.setdefault(top, {}), rest, array, f"{where}: names of weights must be unique")
        else:
            others[name] = array
    if any(_plain_name(top) in (*AVERAGES, *GENERATORS) for top in parts):
        for name in list(others):  # of a network that is called as nobody knows: it is told, or the average
            top, separator, rest = match.groups() if (match := AHEAD.fullmatch(name)) else ("", "", name)
            if separator:
                parts.setdefault(top, {})[rest] = others.pop(name)
    pair = find_pair(ForeignCheckpoint({top: ForeignNetwork(part) for top, part in parts.items()}))
    if pair.generator is None:
        return Pair(ForeignNetwork(others), pair.discriminator, pair.notes)
    if others:
        lost = printable(", ".join(others))[:100]
        pair.notes.append(f"Arrays of no network were left out: {lost}.")
    return pair


def _shapes(network: ForeignNetwork) -> dict[str, tuple[int, ...]]:
    return {key: array.shape for key, array in network.arrays.items()}


def check_has_generator(pair: Pair, checkpoint: ForeignCheckpoint, where: str) -> ForeignNetwork:
    """Returns the generator of a pair.

    Raises:
        ArtifactError: If there is none.
    """
    if pair.generator is None:
        found = "a discriminator without its generator" if pair.discriminator else _some(checkpoint.networks)
        names = ", ".join((*AVERAGES[:3], *GENERATORS[:3]))
        raise ArtifactError(f"{where}: must hold a generator, called {names} or alone. Received: {found}")
    return pair.generator


def _split(networks: dict[str, ForeignNetwork]) -> dict[str, ForeignNetwork]:
    """Networks, of which one that holds several by the names ahead of its arrays is taken apart."""
    split: dict[str, ForeignNetwork] = {}
    for name, network in networks.items():
        parts: dict[str, dict[str, np.ndarray]] = {}
        for array, numbers in network.arrays.items():
            top, dot, rest = array.partition(".")
            if dot:
                parts.setdefault(top, {})[rest] = numbers
        tops = set(parts)
        roles = {top for top in tops if _plain_name(top) in ROLES}
        both = all(any(_plain_name(top) in side for top in roles) for side in (GENERATORS, DISCRIMINATORS))
        whole = roles == tops and all("." in array for array in network.arrays)
        if _plain_name(name) in ROLES or not roles or not (whole or both):
            add(split, name, network, ONE_NAME)
            continue
        for top in sorted(roles):  # behind the name of what held them, which may say that it is the average
            part = replace(network, arrays=parts[top])
            add(split, f"{name}.{top}" if name else top, part, ONE_NAME)
    return split


def _plain_name(name: str) -> str:
    """`model.netG_state_dict` → `netg`."""
    parts = [part for part in name.lower().split(".") if part not in EMPTY]
    last = parts[-1] if parts else ""
    for _ in range(2):
        last = AROUND.sub("", last) or last
    return last


def _role_name(name: str) -> str:
    """The plain name, or that of an average where a part of the path says so, as in `ema.generator`."""
    plain = _plain_name(name)
    return AVERAGES[0] if _is_averaged(name) and plain not in DISCRIMINATORS else plain


def _is_averaged(name: str) -> bool:
    """Whether a part of the path of a network says that it is an average."""
    parts = name.lower().split(".")
    return len(parts) > 1 and any(AVERAGED.fullmatch(part) for part in parts)


def _shown(names: list[str]) -> str:
    return printable(names[0])[:60]


def _some(networks: dict[str, ForeignNetwork]) -> str:
    return printable(", ".join(networks))[:100]
