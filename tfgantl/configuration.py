"""Configurations as YAML: what a recipe holds, and what a run directory keeps. Imports no TensorFlow."""

import dataclasses
import inspect
import sys
import types
import typing

import yaml

if typing.TYPE_CHECKING:
    from _typeshed import DataclassInstance


def to_yaml(config: "DataclassInstance") -> str:
    """The recipe of a configuration, which `--config` reads back.

    Args:
        config: Dataclass of a pipeline.

    Returns:
        YAML of all fields. Objects whose class can be chosen are written as `class_path` and `init_args`.
    """
    return yaml.safe_dump(_fields(config), sort_keys=False, allow_unicode=True)


def import_path(cls: type) -> str:
    """The shortest dotted path below the top package under which a class is found, such as `tfgantl.transfer.LoRA`."""
    parts = cls.__module__.split(".")
    for length in range(min(2, len(parts)), len(parts)):
        module = ".".join(parts[:length])
        if getattr(sys.modules.get(module), cls.__name__, None) is cls:
            return f"{module}.{cls.__name__}"
    return f"{cls.__module__}.{cls.__qualname__}"


def chosen_class(hint: typing.Any) -> type | None:
    """The base class that a field's value can be chosen from, given the annotation of the field, or `None`."""
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    classes = [option for option in options if isinstance(option, type) and option is not types.NoneType]
    found = [cls for cls in classes if hasattr(cls, "__subclasses__") and cls.__subclasses__()]
    return found[0] if found and found[0].__module__ != "builtins" else None


def _fields(config: typing.Any) -> dict:
    hints = typing.get_type_hints(type(config))
    names = {field.name for field in dataclasses.fields(config) if field.init}
    # What a class declares itself comes before what it shares with others.
    order = dict.fromkeys(name for cls in type(config).__mro__ for name in inspect.get_annotations(cls))
    return {name: _plain(getattr(config, name), hints[name]) for name in order if name in names}


def _plain(value: typing.Any, hint: typing.Any = None) -> typing.Any:
    if dataclasses.is_dataclass(value):
        if type(value) is hint and chosen_class(hint) is None:
            return _fields(value)
        arguments = _fields(value)
        return {"class_path": import_path(type(value)), **({"init_args": arguments} if arguments else {})}
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, tuple | list) else value
