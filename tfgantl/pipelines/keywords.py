"""From keyword arguments to a configuration, with the checks and the errors of the command line."""

import dataclasses
import difflib
import io
import types
import typing
from contextlib import redirect_stderr
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from jsonargparse import ArgumentError, ArgumentParser, set_parsing_settings

from tfgantl import cli
from tfgantl.configuration import chosen_class
from tfgantl.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")


def configure(config_class: type[Config], verb: str, settings: dict[str, Any], defaults: dict | None = None) -> Config:
    """Makes a configuration from keyword arguments.

    Args:
        config_class: Dataclass of the verb.
        verb: Name of the verb.
        settings: Field → value. Where a class can be chosen: an object, its name, or `class_path` and `init_args`.
        defaults: As for `tfgantl.cli.parse`; needed to resume a run.

    Raises:
        ConfigError: If a setting is unknown, or not what is allowed.
    """
    _check_names(config_class, verb, settings)
    if settings.get("resume") is not None:
        return _resumed(config_class, verb, settings, defaults or {})
    hints = typing.get_type_hints(config_class)
    return config_class(**{name: _checked(config_class, name, value, hints) for name, value in settings.items()})


def _check_names(config_class: type[Any], verb: str, settings: dict[str, Any]) -> None:
    known = [field.name for field in dataclasses.fields(config_class) if field.init]
    for name in settings:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean `{close[0]}`?" if close else f"they are {', '.join(known)}."
            raise ConfigError(f"`{verb}` must be given settings that it has; {hint} Received: {name}")


def _checked(config_class: type[Any], name: str, value: Any, hints: dict[str, Any]) -> Any:
    hint, base = hints[name], chosen_class(hints[name])
    if value is None and types.NoneType not in typing.get_args(hint):  # which a parser takes for what is not given
        raise ConfigError(f"`{name}` must be {_allowed(hint)}. Received: None")
    if isinstance(value, Path):
        value = str(value)
    elif isinstance(getattr(value, "item", None), types.BuiltinFunctionType) and isinstance(value, Number):
        value = cast(Any, value).item()  # a scalar of NumPy
    # Of a dataclass that is not chosen, such as `Optimization`, a parser takes parts only.
    if base is None and isinstance(hint, type) and dataclasses.is_dataclass(hint):
        if isinstance(value, hint):
            return value
        if not isinstance(value, dict):
            raise ConfigError(f"`{name}` must be {_allowed(hint)}. Received: {value!r}")
    try:
        parser = _parser(config_class)
        if isinstance(value, str) or (isinstance(value, dict) and "class_path" in value):
            parser.set_defaults({name: None})  # or its settings would go over to another class
        return parser.instantiate(parser.parse_object({name: value}))[name]
    except ArgumentError as error:
        detail = " ".join(line.strip() for line in str(error).splitlines()[1:])
        reason = f" ({detail})" if base is not None and isinstance(value, str | dict) else ""
        raise ConfigError(f"`{name}` must be {_allowed(hint)}. Received: {value!r}{reason}") from error


def _parser(config_class: type[Any]) -> ArgumentParser:
    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(config_class)
    return parser


def _allowed(hint: Any) -> str:
    """What a field takes, in words."""
    base = chosen_class(hint)
    if base is not None:
        names = sorted(cls.__name__ for cls in cli.concrete_dataclasses(base))
        return f"an object of {', '.join(names)}, or of a class of your own, or a name of one"
    if typing.get_origin(hint) is typing.Literal:
        return f"one of {', '.join(map(str, typing.get_args(hint)))}"
    if isinstance(hint, types.UnionType):
        return " or ".join("None" if part is types.NoneType else _allowed(part) for part in typing.get_args(hint))
    return f"of type {hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else hint}"


def _resumed(config_class: type[Any], verb: str, settings: dict[str, Any], defaults: dict) -> Any:
    """The configuration of the run that is to go on, read as the command line reads it."""
    wrong = [name for name in settings if name not in ("resume", "allow_changes")]
    if wrong:
        raise ConfigError(
            f"`resume` must stand without other settings; a run keeps its own. Received: {', '.join(wrong)}"
        )
    arguments = ["--resume", str(settings["resume"]), *(["--allow_changes"] if settings.get("allow_changes") else [])]
    message = io.StringIO()
    try:
        with redirect_stderr(message):
            return cli.parse(config_class, verb, defaults, arguments)
    except SystemExit as error:  # which is how a parser of the command line fails
        reason = message.getvalue().strip().rpartition("error: ")[2]
        raise ConfigError(reason) from error
