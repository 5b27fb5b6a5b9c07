"""Captions: phrases, which of them are of which picture, and which are true of which."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from tfgantl.errors import DataError

MEASURED_CAPTIONS, PART_CAPTIONS = "measured", "parts"  # in place of a file: how captions are made
UNNAMED = -1  # in place of a value that a phrase does not name


@dataclass(frozen=True)
class Claims:
    """What phrases say, and what pictures show, in numbers that can be compared.

    Args:
        names: What is told of pictures, such as `class` and `thickness`.
        values: Words for the values of each of these, by their numbers; an empty one where there is no word.
        of_phrases: int16 (phrases, names): the value that each phrase names, or -1.
        of_pictures: int16 (pictures, names): the value that each picture shows.
    """

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    of_phrases: np.ndarray
    of_pictures: np.ndarray


@dataclass(frozen=True, eq=False)
class Captions:
    """Phrases, and those of each picture of a set, by its place in the set.

    Args:
        phrases: All of them, each once.
        of_pictures: Numbers of the phrases of each picture, at least one.
        notes: Remarks for the report, such as pictures that were left out.
        claims: What phrases say and pictures show, where it is known; a phrase is then true of other pictures than
            those that it was given to.

    Example:
        >>> captions = Captions.of([["a seven"], ["an eight", "a bold eight"]])
        >>> captions.phrases, captions.of_pictures
        (('a seven', 'an eight', 'a bold eight'), ((0,), (1, 2)))
        >>> captions.true_of(np.array([0, 1]), np.array([0, 1]))
        array([[ True, False],
               [False,  True]])
    """

    phrases: tuple[str, ...]
    of_pictures: tuple[tuple[int, ...], ...]
    notes: tuple[str, ...] = ()
    claims: Claims | None = None

    def __post_init__(self) -> None:
        if not self.of_pictures or not all(self.of_pictures):
            raise DataError(
                f"every picture must have a caption. Received: {sum(not ids for ids in self.of_pictures)} of "
                f"{len(self.of_pictures)} without"
            )

    @classmethod
    def of(cls, captions: Iterable[Sequence[str]], notes: Sequence[str] = ()) -> Self:
        """Captions of pictures, from the phrases of each."""
        numbers: dict[str, int] = {}
        of_pictures = [
            tuple(dict.fromkeys(numbers.setdefault(" ".join(one.split()), len(numbers)) for one in some))
            for some in captions
        ]
        return cls(tuple(numbers), tuple(of_pictures), tuple(notes))

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.of_pictures)

    def of_some(self, pictures: Sequence[int] | np.ndarray) -> "Captions":
        """The captions of some of the pictures, with all phrases."""
        at = [int(i) for i in pictures]
        claims = self.claims
        if claims is not None:
            claims = Claims(claims.names, claims.values, claims.of_phrases, claims.of_pictures[at])
        return Captions(self.phrases, tuple(self.of_pictures[i] for i in at), self.notes, claims)

    def draw(self, pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A phrase for each picture, of those that it has: numbers int64 (n,)."""
        chosen = rng.random(len(pictures))
        some = (self.of_pictures[int(i)] for i in pictures)
        return np.array([ids[int(at * len(ids))] for ids, at in zip(some, chosen, strict=True)], np.int64)

    def true_of(self, pictures: np.ndarray, phrases: np.ndarray) -> np.ndarray:
        """Which phrases are true of which pictures: those that name nothing that the picture does not show.

        Without claims, those that the picture has.

        Args:
            pictures: int (n,), places of pictures.
            phrases: int (m,), numbers of phrases.

        Returns:
            bool (n, m).
        """
        has = [set(self.of_pictures[int(i)]) for i in pictures]
        own = np.array([[int(phrase) in ids for phrase in phrases] for ids in has]).reshape(len(pictures), len(phrases))
        if self.claims is None:
            return own
        said, seen = self.claims.of_phrases[phrases], self.claims.of_pictures[pictures]
        # What names nothing may say anything, and is true of nothing but its own pictures.
        agrees = ((said[None] == UNNAMED) | (said[None] == seen[:, None])).all(2) & (said != UNNAMED).any(1)[None]
        return own | agrees

    @property
    def fingerprint(self) -> str:
        """Hash of the phrases, and of which pictures they are of."""
        content = "\n".join(self.phrases) + repr(self.of_pictures)
        return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]
