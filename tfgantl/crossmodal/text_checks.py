"""What a text must be for anything to be drawn or found by it: one set of rules, for people and for servers."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tfgantl.crossmodal.text_encoder import words_of
from tfgantl.errors import DataError
from tfgantl.printing import printable

MAX_CHARACTERS = 500  # of a phrase
# First and last of the controls, but for those that part words, and of the signs that turn the direction of writing.
CONTROLS = (
    (0x0000, 0x0008), (0x000E, 0x001F), (0x007F, 0x009F), (0x2028, 0x2029), (0x202A, 0x202E), (0x2066, 0x2069),
)  # fmt: skip
REFUSED = (*CONTROLS, (0xD800, 0xDFFF))  # and halves of surrogate pairs, which no UTF-8 has
_REFUSED = re.compile(f"[{''.join(f'{chr(first)}-{chr(last)}' for first, last in REFUSED)}]")


def check_text(text: str, encoder: Any, argument: str = "text") -> str:
    """Refuses what no image can be thought of by.

    Args:
        text: Of a user.
        encoder: `TextEncoder`, or another that tells its vocabulary, as far as that is known.
        argument: What it is called, for messages.

    Returns:
        The text, without spaces around it.

    Raises:
        DataError: If it is empty, too long, has control characters, or no word that is known.
    """
    if wrong := fault_of(text):
        raise DataError(f"`{argument}` must be {wrong}")
    words = words_of(text)
    if len(words) > encoder.most_words:
        raise DataError(f"`{argument}` must have at most {encoder.most_words} words. Received: {len(words)}")
    unknown = encoder.unknown_words(text)
    if encoder.vocabulary and set(words) <= set(unknown):
        alike = [word for near in unknown.values() for word in near]
        some = list(dict.fromkeys([*alike, *encoder.vocabulary]))[:8]
        raise DataError(f"`{argument}` must have a known word, such as {', '.join(some)}. Received: {shown(text)}")
    return text.strip()


def fault_of(text: str) -> str | None:
    """What a text must be and is not, with what it is, for messages; `None` for one that can be read."""
    if len(text) > MAX_CHARACTERS:
        return f"at most {MAX_CHARACTERS} characters. Received: {len(text)}"
    if found := _REFUSED.search(text):
        return f"text without control characters. Received: {printable(found[0])}"
    if not words_of(text):
        return f"words. Received: {shown(text) or 'no text'}"
    return None


def shown(text: str, most: int = 60) -> str:
    """A text that is fit for a message: the beginning of it, without what steers a terminal."""
    plain = printable(" ".join(text.split()))
    return plain if len(plain) <= most else f"{plain[:most]} …"


def told_unknown(words: Mapping[str, Sequence[str]]) -> list[str]:
    """A line for the log about words that an encoder does not know, if there are any.

    Args:
        words: As `unknown_words` of an encoder gives them.
    """
    if not words:
        return []
    told = [f"{word} (known: {', '.join(near)})" if near else word for word, near in words.items()]
    return [f"words that are not known, and change nothing that is meant: {printable(', '.join(told))}"]
