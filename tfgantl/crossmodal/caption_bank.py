"""The captions that pictures can be given, and what each of them says of class and attributes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfgantl.crossmodal.attribute_words import HIGH, LOW, MIDDLE
from tfgantl.crossmodal.caption_templates import CLASS, CaptionTemplates
from tfgantl.crossmodal.captions import Captions
from tfgantl.crossmodal.nouns import noun_of
from tfgantl.errors import DataError
from tfgantl.printing import printable

MAX_PHRASES = 4096
PREFERENCE = np.float32(1.0)  # for captions that say more, in logits a word


@dataclass(frozen=True, eq=False)
class CaptionBank:
    """Captions, with what each says.

    Args:
        phrases: The captions.
        names: What they speak of, such as `class` and `thickness`; empty if that is not known.
        values: Words for the values of each of these, by their numbers.
        says: int16 (phrases, names): the value that each caption stands for.

    Example:
        >>> bank = CaptionBank(("a seven", "an eight"), ("class",), (("seven", "eight"),), np.array([[0], [1]]))
        >>> bank.beliefs(np.array([[2.0, 0.0]]))[0].get("class")
        {'seven': 0.881, 'eight': 0.119}
    """

    phrases: tuple[str, ...]
    names: tuple[str, ...] = ()
    values: tuple[tuple[str, ...], ...] = ()
    says: np.ndarray | None = None

    def __post_init__(self) -> None:
        shape, said = (len(self.phrases), len(self.names)), (0, 0) if self.says is None else self.says.shape
        if not self.phrases or len(self.phrases) > MAX_PHRASES:
            raise DataError(f"captions to choose from must be 1 to {MAX_PHRASES}. Received: {len(self.phrases)}")
        if self.names and (said != shape or len(self.values) != len(self.names)):
            raise DataError(f"what captions say must have the shape {shape}. Received: {said}")
        for column, (name, words) in enumerate(zip(self.names, self.values, strict=True)):
            some = np.asarray(self.says)[:, column]
            if len(words) > MAX_PHRASES or some.min() < 0 or some.max() >= len(words):
                raise DataError(
                    f"captions must say of {printable(name)[:40]} one of at most {MAX_PHRASES} words. "
                    f"Received: numbers from {some.min()} to {some.max()}, of {len(words)} words"
                )

    @classmethod
    def of_templates(cls, templates: CaptionTemplates) -> "CaptionBank":
        """Every class with every level of every attribute; of many attributes, the first ones."""
        words = list(templates.words)
        classes = max(1, len(templates.class_names))
        while words and classes * 3 ** len(words) > MAX_PHRASES:
            words.pop()
        grids = np.meshgrid(np.arange(classes), *[[LOW, MIDDLE, HIGH]] * len(words), indexing="ij")
        says = np.stack([grid.ravel() for grid in grids], axis=1).astype(np.int16)
        names = [one.name for one in words]
        phrases = [
            templates.phrase(int(row[0]), dict(zip(names, map(int, row[1:]), strict=True))) for row in says
        ]  # fmt: skip
        values = [tuple(noun_of(name) for name in templates.class_names) or (templates.noun,)]
        values += [(one.low[0], "", one.high[0]) for one in words]
        keep = slice(None) if templates.class_names else slice(1, None)
        return cls(tuple(phrases), (CLASS, *names)[keep], tuple(values[keep]), says[:, keep])

    @classmethod
    def of_captions(cls, captions: Captions) -> "CaptionBank":
        """The captions that pictures of a training have; of many, those that most pictures have."""
        uses = [phrase for ids in captions.of_pictures for phrase in ids]
        counts = np.bincount(uses, minlength=len(captions.phrases))
        chosen = np.sort(np.argsort(-counts, kind="stable")[:MAX_PHRASES])
        return cls(tuple(captions.phrases[i] for i in chosen if counts[i]))

    @property
    def preference(self) -> np.ndarray:
        """What is added to the logits float32 (phrases,) of captions before the likeliest is chosen.

        Of captions that are true alike, the one that says more is to be told: a word counts as much as odds of e.
        """
        if self.says is None:
            return np.zeros(len(self.phrases), np.float32)
        has_word = [np.array([bool(word) for word in words])[self.says[:, i]] for i, words in enumerate(self.values)]
        return np.asarray(PREFERENCE * np.sum(has_word, axis=0), np.float32)

    def beliefs(self, logits: np.ndarray) -> list[dict[str, dict[str, float]]]:
        """What is believed of pictures: for each name, the probability of each of its words.

        Captions that leave a name out say nothing of it, and do not count for it.

        Args:
            logits: float (n, phrases), similarities times scale.

        Returns:
            For each picture: name → word → probability to three digits; those of a name sum to 1.
        """
        odds = np.exp(logits - logits.max(1, keepdims=True))
        shares = odds / odds.sum(1, keepdims=True)
        found: list[dict[str, dict[str, float]]] = [{} for _ in range(len(logits))]
        for column, (name, words) in enumerate(zip(self.names, self.values, strict=True)):
            of_value = np.eye(len(words))[self.says[:, column]]  # type: ignore[index]  # there are names
            spoken = [number for number, word in enumerate(words) if word]
            for belief, row in zip(found, (shares @ of_value)[:, spoken], strict=True):
                total = max(float(row.sum()), 1e-12)
                belief[name] = {words[i]: round(float(share) / total, 3) for i, share in zip(spoken, row, strict=True)}
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `from_json` makes it again."""
        says = None if self.says is None else self.says.tolist()
        return {"phrases": list(self.phrases), "names": list(self.names), "values": self.values, "says": says}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "CaptionBank":
        """The bank from plain values."""
        values: Sequence[Sequence[str]] = fields["values"]
        says = None if fields["says"] is None else np.array(fields["says"], np.int16)
        return cls(
            tuple(map(str, fields["phrases"])), tuple(map(str, fields["names"])),
            tuple(tuple(map(str, words)) for words in values), says,
        )  # fmt: skip
