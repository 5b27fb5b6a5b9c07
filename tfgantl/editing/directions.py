"""Directions in a latent space: what they are, how they are kept, and how codes are moved along them."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfgantl.editing.latent_space import LatentSpace
from tfgantl.editing.names import MAX_STRENGTH
from tfgantl.errors import ArtifactError, ConfigError, intact
from tfgantl.files import Replacing
from tfgantl.printing import printable
from tfgantl.untrusted.archives import read_npz
from tfgantl.untrusted.unique_names import add

MAX_ABOUT = 2**20  # bytes of what is written about directions


@dataclass(frozen=True)
class Effect:
    """What a direction does to images that it was not found on.

    Args:
        slopes: Attribute → its change for each unit of strength, in its own unit.
        relative: The same in standard deviations of the attribute among images of one class.
        before: `relative` of the direction before it was made orthogonal to others; empty if it was not.
        monotone: Mean Spearman correlation of strength and attribute over the natural range, image by image; of the
            attribute it was found for, or the one that it changes most.
        class_stays: Share of the images over the natural range that a classifier takes for the class that they had
            before, or `None`.
        low: Least strength that looks natural and that the attribute of the name follows,
        high: and the greatest.
    """

    slopes: dict[str, float]
    relative: dict[str, float]
    before: dict[str, float]
    monotone: float
    class_stays: float | None
    low: float
    high: float


@dataclass(frozen=True)
class Direction:
    """A direction that codes can be moved along.

    Args:
        name: What it is called.
        kind: `attribute`, `sefa` or `pca`: how it was found.
        vector: float32 (*space.shape) in whitened coordinates. A strength of 1 moves a code by one standard deviation
            of typical codes; behind a mapping, so it does in each layer whose part is not zero.
        plain: The same before it was made orthogonal to others.
        fit: Share of what it was found from that it accounts for, in [0, 1].
        effect: What was measured of it, or `None`.
    """

    name: str
    kind: str
    vector: np.ndarray
    plain: np.ndarray
    fit: float
    effect: Effect | None = None


@dataclass(frozen=True)
class Directions:
    """Directions of one generator.

    Args:
        generator: Hash of its weights.
        space: Name of the latent space.
        all: Each with a name of its own.
        drawn: What it draws, as `LatentSpace.drawn` has it; `None` where that is not known.

    Example:
        >>> from tfgantl.editing.closed_form import sefa
        >>> space = LatentSpace(tfgantl.load_generator("rendered-digits"))
        >>> found = sefa(space, 2)
        >>> print(*(direction.name for direction in found))
        sefa-1 sefa-2
        >>> codes = space.sample(4, np.arange(4))
        >>> images = space.images(moved(space, codes, found["sefa-1"], 2.0), np.arange(4))
    """

    generator: str
    space: str
    all: tuple[Direction, ...]
    drawn: tuple[float, ...] | None = None

    def __iter__(self) -> Iterator[Direction]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def __getitem__(self, name: str) -> Direction:
        """The direction of a name.

        Raises:
            ConfigError: If there is none.
        """
        found = {direction.name: direction for direction in self.all}
        if name not in found:
            raise ConfigError(f"`direction` must be one of {', '.join(found) or 'none'}. Received: {name}")
        return found[name]

    def side_effect(self, name: str, before: bool = False) -> float | None:
        """How much a direction of an attribute changes the others that have directions, for one deviation of its own.

        Args:
            name: Of the attribute.
            before: Whether as it was before it was made orthogonal to them.

        Returns:
            Mean absolute change of the others in standard deviations; `None` if there are none, or nothing is measured.
        """
        effect = self[name].effect
        changes = {} if effect is None else effect.before if before else effect.relative
        others = [one.name for one in self.all if one.kind == "attribute" and one.name in changes and one.name != name]
        if not others or name not in changes:
            return None
        return float(np.mean([abs(changes[other]) for other in others]) / max(abs(changes[name]), 1e-9))

    def joined(self, others: "Directions") -> "Directions":
        """These and others of the same generator, which take the place of those of the same names."""
        names = {direction.name for direction in others.all}
        return replace(self, all=(*(one for one in self.all if one.name not in names), *others.all))

    def save(self, path: str | Path) -> None:
        """Writes them as `.npz`, which appears as a whole: vectors, and text about them as JSON in UTF-8."""
        about = {
            "generator": self.generator,
            "drawn": self.drawn,
            "space": self.space,
            "directions": [
                {
                    "name": one.name, "kind": one.kind, "fit": one.fit,
                    "effect": None if one.effect is None else asdict(one.effect),
                }
                for one in self.all
            ],
        }  # fmt: skip
        vectors, plain = (np.stack([getattr(one, name) for one in self.all]) for name in ("vector", "plain"))
        text = np.frombuffer(json.dumps(about).encode(), np.uint8)
        with Replacing(Path(path)) as temporary, open(temporary, "wb") as file:
            np.savez(file, vectors=vectors, plain=plain, about=text)


def read_directions(path: str | Path, space: LatentSpace) -> Directions:
    """Reads directions of a generator.

    Args:
        path: What `Directions.save` has written.
        space: The space that they must be of.

    Raises:
        ArtifactError: If the file is missing or damaged, or has directions of another model or space.
    """
    arrays = read_npz(Path(path))
    with intact(f"{path}: must hold directions as `tfgantl edit find` writes them"):
        vectors, plain, text = arrays["vectors"], arrays["plain"], arrays["about"].astype(np.uint8)
        if text.nbytes > MAX_ABOUT:
            raise ValueError(f"{text.nbytes} bytes of text")
        about = json.loads(text.tobytes())
        own, where, entries = str(about["generator"]), str(about["space"]), list(about["directions"])
        if (own, where) != (space.generator_hash, space.name) or not space.draws(about.get("drawn")):
            raise ArtifactError(
                f"{path}: must hold directions of the model {space.generator_hash} in {space.name}. "
                f"Received: those of {own} in {where}{', which draws otherwise' * (own == space.generator_hash)}"
            )
        if vectors.shape != (len(entries), *space.shape) or plain.shape != vectors.shape:
            raise ValueError(f"vectors of {vectors.shape}")
        if not (np.isfinite(vectors).all() and np.isfinite(plain).all()):
            raise ValueError("numbers that are not finite")
        found: dict[str, Direction] = {}
        for entry, one, other in zip(entries, vectors, plain, strict=True):
            name, kind, fit = str(entry["name"]), str(entry["kind"]), _number(entry["fit"])
            if printable(name) != name:
                raise ValueError(f"a name with what cannot be seen: {printable(name)}")
            add(found, name, Direction(name, kind, one, other, fit, _effect(entry["effect"])))
    return Directions(own, where, tuple(found.values()), space.drawn)


def directions_of_file(path: str | Path, generator: keras.Model) -> Directions:
    """Reads directions of a generator, in whichever of its spaces they are.

    Raises:
        ArtifactError: If the file is missing or damaged, or has directions of another model.
        ConfigError: If the generator has no such space.
    """
    arrays = read_npz(Path(path))
    with intact(f"{path}: must hold directions as `tfgantl edit find` writes them"):
        space = str(json.loads(arrays["about"].astype(np.uint8).tobytes())["space"])
    return read_directions(path, LatentSpace(generator, space))


def moved(space: LatentSpace, codes: np.ndarray, direction: Direction | np.ndarray, strength: Any) -> np.ndarray:
    """Codes that are moved along a direction.

    Args:
        space: Where they are.
        codes: float32 (n, *space.shape).
        direction: Direction, or vector (*space.shape) in whitened coordinates.
        strength: Number, or numbers (n,), in standard deviations of typical codes.

    Returns:
        float32 (n, *space.shape).
    """
    vector = direction.vector if isinstance(direction, Direction) else direction
    step = np.asarray(space.from_whitened(vector.astype(np.float32))) - space.mean
    strengths = np.broadcast_to(np.asarray(strength, np.float32), (len(codes),))
    return codes + strengths.reshape(-1, *[1] * len(space.shape)) * step


def in_space(space: LatentSpace, vectors: np.ndarray, layers: range | None = None) -> np.ndarray:
    """Unit vectors (n, units) as float32 (n, *space.shape): in W+, the same for some layers, or for all."""
    if len(space.shape) == 1:
        return vectors.astype(np.float32)
    found = np.zeros((len(vectors), *space.shape), np.float32)
    found[:, slice(None) if layers is None else list(layers)] = vectors[:, None]
    return found


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (n, units) of length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def with_fixed_signs(vectors: np.ndarray) -> np.ndarray:
    """Vectors (n, units) whose greatest component is positive: solvers are free to choose the sign."""
    greatest = np.take_along_axis(vectors, np.abs(vectors).argmax(1)[:, None], axis=1)
    return vectors * np.where(greatest < 0, -1.0, 1.0)


def _effect(entry: dict | None) -> Effect | None:
    if entry is None:
        return None
    tables = {
        key: {str(name): _number(value) for name, value in entry[key].items()}
        for key in ("slopes", "relative", "before")
    }
    stays, low, high = entry["class_stays"], float(entry["low"]), float(entry["high"])
    if not -MAX_STRENGTH <= low <= high <= MAX_STRENGTH:
        raise ValueError(f"a natural range from {low} to {high}")
    return Effect(
        **tables, monotone=_number(entry["monotone"]), class_stays=None if stays is None else _number(stays),
        low=low, high=high,
    )  # fmt: skip


def _number(value: Any) -> float:
    number = float(value)
    if not np.isfinite(number):  # which JSON has no word for
        raise ValueError("numbers that are not finite")
    return number
