"""What classes are called in phrases: one of them, several, and with an article."""

import re

from tfgantl.data.classes import plain_name

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def noun_of(name: str) -> str:
    """What a class is called in a phrase: a number by its word, other names without the signs of programs.

    Example:
        >>> noun_of("7"), noun_of("red_blood-cell")
        ('seven', 'red blood cell')
    """
    plain = plain_name(name)
    return NUMBERS[int(plain)] if plain.isdecimal() and int(plain) < len(NUMBERS) else plain


def plural_of(noun: str) -> str:
    """The usual plural of a noun.

    Example:
        >>> [plural_of(noun) for noun in ("seven", "six", "fly", "boy")]
        ['sevens', 'sixes', 'flies', 'boys']
    """
    if noun.endswith(("s", "x", "z", "ch", "sh")) or noun == "zero":
        return f"{noun}es"
    return f"{noun[:-1]}ies" if re.search("[^aeiou]y$", noun) else f"{noun}s"


def with_article(words: str) -> str:
    """The words behind `a` or `an`."""
    return f"{'an' if words[:1] in 'aeiou' and not words.startswith('one') else 'a'} {words}"
