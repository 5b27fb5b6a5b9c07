"""Durations as people write them, such as 1h30m, to seconds and to words. Imports no TensorFlow."""

import re

from tfgantl.errors import ConfigError

UNITS = {"h": 3600, "m": 60, "s": 1}
WORDS = {"h": "hour", "m": "minute", "s": "second"}


def seconds_of(duration: str, name: str = "duration") -> int:
    """Seconds of a duration.

    Args:
        duration: Hours, minutes and seconds, each with its letter, in this order; any of them may be left out.
        name: What is given by it, for the message.

    Raises:
        ConfigError: If it is none, or 0.

    Example:
        >>> seconds_of("1h30m"), seconds_of("90s")
        (5400, 90)
    """
    found = re.fullmatch(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", duration, re.ASCII)
    numbers = found.groups(default="0") if found else ()
    seconds = sum(int(number) * unit for number, unit in zip(numbers, UNITS.values(), strict=False))
    if not seconds:
        raise ConfigError(f"`{name}` must be a duration such as 90s, 10m or 1h30m. Received: {duration}")
    return seconds


def in_words(seconds: int) -> str:
    """A duration in whole units, as few as it takes.

    Args:
        seconds: At least 1.

    Example:
        >>> in_words(600), in_words(5400), in_words(90)
        ('10 minutes', '1 hour 30 minutes', '1 minute 30 seconds')
    """
    parts = []
    for letter, unit in UNITS.items():
        number, seconds = divmod(seconds, unit)
        if number:
            parts.append(f"{number} {WORDS[letter]}{'s' if number > 1 else ''}")
    return " ".join(parts)
