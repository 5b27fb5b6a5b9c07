"""Methods by name on a command line: `SHOT`, or with options `SHOT:consistency=1:pseudo=0.3`. Imports no TensorFlow."""

from dataclasses import fields

import yaml

from tfgantl.errors import ConfigError
from tfgantl.recognition import METHODS, Recognizer


def parse_methods(text: str) -> dict[str, Recognizer]:
    """The methods that a comma-separated list names, by what they are called there.

    Raises:
        ConfigError: If there is none, a name or an option is unknown, or a value has another type.

    Example:
        >>> parse_methods("SHOT,MCD:repeats=2")
        {'SHOT': SHOT(...), 'MCD:repeats=2': MCD(repeats=2)}
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ConfigError(f"`method` must name at least one of {', '.join(METHODS)}. Received: none")
    return {name: _method(name) for name in names}


def _method(text):
    name, *options = text.split(":")
    known = {known.casefold(): method for known, method in METHODS.items()}
    method = known.get(name.casefold())
    if method is None:
        raise ConfigError(f"`method` must name {', '.join(METHODS)}. Received: {name}")
    types = {field.name: type(field.default) for field in fields(method)}
    values = {}
    for option in options:
        key, equals, value = option.partition("=")
        if key not in types or not equals:
            allowed = ", ".join(f"{key}=…" for key in types) or "no options"
            raise ConfigError(f"{method.__name__}: options must be {allowed}. Received: {option}")
        parsed = yaml.safe_load(value)
        if types[key] is float and type(parsed) is int:
            parsed = float(parsed)
        if type(parsed) is not types[key]:
            raise ConfigError(f"{method.__name__}: `{key}` must be of type {types[key].__name__}. Received: {value}")
        values[key] = parsed
    return method(**values)
