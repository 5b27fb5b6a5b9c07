"""Captions from named parts of pictures, as avatars have them: hair, glasses, beard, colours."""

import colorsys
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tfgantl.crossmodal.captions import UNNAMED, Captions, Claims
from tfgantl.errors import DataError
from tfgantl.random_streams import Stream

PREFIX = "attribute_"  # of the arrays of an archive that name parts
HEX = re.compile(r"#([0-9a-fA-F]{6})([0-9a-fA-F]{2})?")
NUMBERED = re.compile(r"(variant)?\d*")  # a value that says nothing but that it is another one
NOTHING = "without"  # what a part is that is not there
# Name of a part → what is said of it, by several templates; others are told by their own names.
SAYINGS: dict[str, tuple[str, ...]] = {
    "skinColor": ("{} skin", "a {} skin tone"),
    "baseColor": ("{} skin", "a {} skin tone"),
    "clothingColor": ("{} clothes", "a {} top"),
    "shirtColor": ("a {} shirt", "a shirt in {}"),
    "hairColor": ("{} hair", "hair in {}"),
    "primaryBackgroundColor": ("a {} background", "{} behind"),
    "face": ("a {} face", "a {} look"),
    "mouth": ("a {} mouth", "mouth {}"),
    "head": ("{} on the head", "a head with {}"),
    "headContrastColor": ("hair of {} colour", "hair in {}"),
    "hair": ("{} hair", "hair {}"),
}
MISSING: dict[str, tuple[str, ...]] = {
    "facialHair": ("no beard", "a shaved face"),
    "accessories": ("nothing on the eyes", "no glasses"),
    "mask": ("no mask",),
}
SUBJECTS = ("a person with {}", "someone with {}", "a portrait with {}", "an avatar with {}", "{}")
SKIN = ("skinColor", "baseColor")
SKIN_TONES = ((0.8, "light"), (0.6, "tan"), (0.4, "brown"), (0.0, "dark"))  # from which lightness on
HUES = (
    (0.04, "red"), (0.11, "orange"), (0.19, "yellow"), (0.44, "green"), (0.53, "turquoise"), (0.71, "blue"),
    (0.81, "purple"), (0.96, "pink"), (1.01, "red"),
)  # fmt: skip  # where each ends, of a turn
GRAY, PALE, DARK = 0.12, 0.78, 0.35  # saturation, and lightness, that names of colours change at
BROWN = 0.6  # lightness below which orange is brown


@dataclass(frozen=True)
class NamedPart:
    """A part of pictures, and the words for what it can be.

    Args:
        name: Of the part.
        words: Each value in words, once; `without` where there is none.
        of_pictures: int16 (n,): number of the value of each picture.
    """

    name: str
    words: tuple[str, ...]
    of_pictures: np.ndarray

    def saying(self, value: int, rng: np.random.Generator | None = None) -> str:
        """What is said of a value; by the first template if no generator chooses one."""
        word, plain = self.words[value], split_name(self.name)
        if word == NOTHING:
            some: tuple[str, ...] = MISSING.get(self.name, (f"no {plain}",))
        elif word == plain:
            some = (plain,)
        else:
            some = tuple(one.format(word) for one in SAYINGS.get(self.name, (f"{{}} {plain}",)))
        chosen = some[0] if rng is None else some[int(rng.integers(len(some)))]
        return re.sub(r"\ba (?=[aeiou])", "an ", chosen)


def named_parts(parts: Mapping[str, np.ndarray]) -> tuple[NamedPart, ...]:
    """Parts with words for their values: names are taken apart, numbers left out, colours named.

    Args:
        parts: Name of a part → its value for each picture, str (n,), empty where it is not there; a name may begin
            with `attribute_`.

    Returns:
        Those parts whose values differ in words.

    Raises:
        DataError: If there are none.

    Example:
        >>> (part,) = named_parts({"attribute_head": np.array(["grayBun", "longAfro2", "grayBun"])})
        >>> part.words, part.of_pictures.tolist(), part.saying(1)
        (('gray bun', 'long afro'), [0, 1, 0], 'long afro on the head')
    """
    found = []
    for name, values in parts.items():
        part = name.removeprefix(PREFIX)
        words = {str(value): word_of(part, str(value)) for value in np.unique(values)}
        known = tuple(sorted(set(words.values())))
        if len(known) > 1:
            numbers = {value: known.index(word) for value, word in words.items()}
            found.append(NamedPart(part, known, np.array([numbers[str(value)] for value in values], np.int16)))
    if not found:
        raise DataError(f"parts must have values with names that differ. Received: {', '.join(parts) or 'no parts'}")
    return tuple(found)


def describe_parts(parts: tuple[NamedPart, ...], seed: int, each: int = 4, most: int = 12) -> Captions:
    """Several phrases for each picture, each of some of its parts.

    Args:
        parts: From `named_parts`.
        seed: Chooses parts, their order, templates and frames.
        each: Phrases of a picture, at most; equal ones count once.
        most: Parts that a phrase names.

    Returns:
        Captions with claims.
    """
    rng, count = Stream.CAPTIONS.generator(seed), len(parts[0].of_pictures)
    said: dict[str, np.ndarray] = {}
    of_pictures = []
    for picture in range(count):
        phrases = []
        for _ in range(each):
            chosen = rng.permutation(len(parts))[: int(rng.integers(1, min(most, len(parts)) + 1))]
            claim = np.full(len(parts), UNNAMED, np.int16)
            claim[chosen] = [parts[i].of_pictures[picture] for i in chosen]
            sayings = [parts[i].saying(int(claim[i]), rng) for i in chosen]
            phrase = SUBJECTS[int(rng.integers(len(SUBJECTS)))].format(listed(sayings))
            said[phrase] = claim
            phrases.append(phrase)
        of_pictures.append(phrases)
    captions = Captions.of(of_pictures)
    facts = np.stack([part.of_pictures for part in parts], axis=1)
    claims = Claims(
        tuple(part.name for part in parts), tuple(part.words for part in parts),
        np.stack([said[phrase] for phrase in captions.phrases]), facts,
    )  # fmt: skip
    return Captions(captions.phrases, captions.of_pictures, claims=claims)


def whole_descriptions(parts: tuple[NamedPart, ...]) -> list[str]:
    """For each picture the phrase that names all of its parts, by the first template of each."""
    rows = zip(*(part.of_pictures for part in parts), strict=True)
    return [
        SUBJECTS[0].format(listed([part.saying(int(value)) for part, value in zip(parts, row, strict=True)]))
        for row in rows
    ]


def word_of(part: str, value: str) -> str:
    """A value of a part in words.

    Example:
        >>> word_of("hair", "mediumBangs2"), word_of("skinColor", "#ffdbb4"), word_of("glasses", "variant03")
        ('medium bangs', 'light', 'glasses')
    """
    if not value:
        return NOTHING
    if found := HEX.fullmatch(value):
        return skin_tone(found[1]) if part in SKIN else colour_name(found[1])
    return split_name(part) if NUMBERED.fullmatch(value) else split_name(value)


def split_name(name: str) -> str:
    """A name as programs write them, in words: `facialHair` → `facial hair`; numbers at the end are left out."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name.rstrip("0123456789") or name)
    return " ".join(words).lower()


def colour_name(hexadecimal: str) -> str:
    """What a colour is called.

    Example:
        >>> ", ".join(colour_name(one) for one in ("b6e3f4", "77311d", "ffffff", "2c1b18"))
        'pale blue, brown, white, dark brown'
    """
    red, green, blue = (int(hexadecimal[i : i + 2], 16) / 255 for i in (0, 2, 4))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    chroma = max(red, green, blue) - min(red, green, blue)
    if chroma < GRAY and (lightness > DARK or chroma < GRAY / 2):
        return "white" if lightness > 0.93 else "gray" if lightness > DARK / 2 else "black"
    name = next(name for end, name in HUES if hue < end)
    if name in ("red", "orange") and lightness < BROWN and saturation < 0.75:
        return "dark brown" if lightness < DARK / 1.5 else "brown"
    if name == "red" and lightness > PALE:
        return "pink"
    return f"pale {name}" if lightness > PALE else f"dark {name}" if lightness < DARK else name


def skin_tone(hexadecimal: str) -> str:
    """How light a colour of skin is."""
    lightness = colorsys.rgb_to_hls(*(int(hexadecimal[i : i + 2], 16) / 255 for i in (0, 2, 4)))[1]
    return next(word for least, word in SKIN_TONES if lightness >= least)


def listed(sayings: list[str]) -> str:
    """Sayings in a row, `and` before the last."""
    *others, last = sayings
    return f"{', '.join(others)} and {last}" if others else last
