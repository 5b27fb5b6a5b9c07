"""The command line, rewritten into what the parser takes: names of options, of classes, old names, recipes of runs."""

import codecs
import json
import re
from os.path import isfile  # which a name that is too long is not, without an error
from pathlib import Path
from typing import Any

import yaml

from tfgantl import old_names
from tfgantl.text_files import load_yaml, read_text

BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")


def underscored(arguments: list[str]) -> list[str]:
    """The command line with the names of options as they are defined: `--run-dir` is `--run_dir`."""
    parts = [argument.partition("=") for argument in arguments]
    return [
        ("--" + name[2:].replace("-", "_") if name.startswith("--") else name) + equals + value
        for name, equals, value in parts
    ]


def resumed(arguments: list[str]) -> list[str]:
    """The command line with the recipe of the run that `--resume` names, if it names one.

    Raises:
        ValueError: If it has further options, or there is no such run.
    """
    others, directory, expected = [], None, False
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if expected or (name == "--resume" and equals):
            directory, expected = argument if expected else value, False
        elif argument == "--resume":
            expected = True
        else:
            others.append(argument)
    if directory is None:
        return arguments
    wrong = [argument for argument in others if argument not in ("--json", "--allow_changes")]
    if "--devices" in wrong:  # with its value; a run does not depend on them
        place = wrong.index("--devices")
        del wrong[place : place + 2]
    wrong = [argument for argument in wrong if not argument.startswith("--devices=")]
    if wrong:
        raise ValueError(
            f"`--resume` must stand without other options; a run keeps its own. Received: {' '.join(wrong)}"
        )
    recipe = Path(directory) / "config.yaml"
    if not isfile(recipe):
        raise ValueError(f"`--resume` must name a run directory with a config.yaml. Received: {directory}")
    former = old_names.former_settings(read_recipe(recipe))
    return ["--config", str(recipe), *former, "--resume", directory, *others]


def repeated(arguments: list[str], option: str) -> list[str]:
    """The command line with all values of an option that stands several times as one list."""
    values: list[str] = []
    others, rest = [], list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == f"--{option}" and rest:
            values.append(rest.pop(0))
        elif argument.startswith(f"--{option}="):
            values.append(argument.partition("=")[2])
        else:
            others.append(argument)
    return [*others, f"--{option}={json.dumps(values)}"] if len(values) > 1 else arguments


def is_chosen(option: str, arguments: list[str]) -> bool:
    """Whether the command line, or a recipe that it names, chooses a class for an option."""
    if any(argument.partition("=")[0] in (f"--{option}", f"--{option}.class_path") for argument in arguments):
        return True
    chosen = [read_recipe(recipe).get(option) for recipe in named_recipes(arguments)]
    return any(isinstance(one, str) or (isinstance(one, dict) and "class_path" in one) for one in chosen)


def named_recipes(arguments: list[str]) -> list[Path]:
    """The recipes that a command line names, those that are there."""
    recipes = []
    for i, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        recipe = Path(value or " ".join(arguments[i + 1 : i + 2]))
        if name == "--config" and isfile(recipe):
            recipes.append(recipe)
    return recipes


def spelled(arguments: list[str], option: str, names: list[str]) -> list[str]:
    """The command line with the class of an option spelled as it is defined: `--transfer auto` is `Auto`."""
    known, result = {name.casefold(): name for name in names}, list(arguments)
    for i, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == f"--{option}" and equals:
            result[i] = f"{name}={known.get(value.casefold(), value)}"
        elif argument == f"--{option}" and i + 1 < len(arguments):
            result[i + 1] = known.get(arguments[i + 1].casefold(), arguments[i + 1])
    return result


def class_first(arguments: list[str], option: str) -> list[str]:
    """The command line with `--target Folder` before `--target.path x`, which the parser would take for a mistake."""
    chosen: list[str] = []
    others, rest = [], list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == f"--{option}" and rest:
            chosen += [argument, rest.pop(0)]
        elif argument.startswith(f"--{option}="):
            chosen.append(argument)
        else:
            others.append(argument)
    first = next((i for i, argument in enumerate(others) if argument.startswith(f"--{option}.")), None)
    if not chosen or first is None:
        return arguments
    return [*others[:first], *chosen, *others[first:]]


def check_options(arguments: list[str], option: str, default: Any, classes: dict[str, list[str]]) -> None:
    """Refuses options of a class that nobody has chosen.

    Raises:
        ValueError: With the classes that have such an option.
    """
    if is_chosen(option, arguments):
        return
    if default is None:
        for argument in arguments:
            if argument.startswith(f"--{option}.") and argument != f"--{option}.help":
                raise ValueError(
                    f"`{argument.partition('=')[0]}` must come with --{option} {' or '.join(sorted(classes))}. "
                    "Received: it alone"
                )
    if not isinstance(default, dict) or "class_path" not in default:
        return
    own = classes.get(default["class_path"].rpartition(".")[2], [])
    for argument in arguments:
        name = argument.partition("=")[0].removeprefix(f"--{option}.")
        if argument.startswith(f"--{option}.") and name not in (*own, "help", "class_path") and "." not in name:
            having = sorted(kind for kind, options in classes.items() if name in options)
            hint = f"--{option} {' or '.join(having)} has it" if having else f"no class for --{option} has it"
            raise ValueError(
                f"`--{option}.{name}` must be an option of {default['class_path']}, the default ({', '.join(own)}); "
                f"{hint}. Received: {argument}"
            )


def appended(arguments: list[str], option: str, names: list[str]) -> tuple[list[str], list[str]]:
    """The command line with each `--option Class` as the parser appends to a list; the first one replaces the default.

    Args:
        arguments: The command line.
        option: Whose value is a list of objects.
        names: Of known classes, spelled as they are defined.

    Returns:
        The command line, and remarks on what to write in place of old names.
    """
    result, remarks, rest = [], [], list(arguments)
    while rest:
        argument = rest.pop(0)
        name, equals, value = argument.partition("=")
        if argument == f"--{option}" and rest:
            equals, value = "=", rest.pop(0)
        if name != f"--{option}" or not equals:
            result.append(argument)
        elif value.startswith("["):
            result.append(f"--{option}={value}")
        else:
            entries, remark = old_names.renamed_methods(value) if option == "method" else ([{"class_path": value}], "")
            remarks += [remark] if remark else []
            if not any(part.startswith(f"--{option}+") for part in result):
                result.append(f"--{option}=[]")
            result += [f"--{option}+={json.dumps(_spelled_entry(entry, names))}" for entry in entries]
    return result, remarks


def with_renamed_recipes(arguments: list[str], choices: dict[str, list[str]]) -> tuple[list[str], list[str]]:
    """The command line with recipes that hold old names replaced by their content with those of today.

    Args:
        arguments: The command line.
        choices: Option → names of its classes.

    Returns:
        The command line, and remarks on what to write.
    """
    result, remarks, rest = [], [], list(arguments)
    while rest:
        argument = rest.pop(0)
        name, equals, value = argument.partition("=")
        if argument == "--config" and rest:
            value = rest.pop(0)
            argument = f"--config={value}"
        if name == "--config" and isfile(value):
            recipe, more = old_names.renamed_recipe(read_recipe(Path(value)))
            # The parser reads UTF-8 only, and numbers to base 60 and 8.
            if not more and (not _is_plain(Path(value)) or _has_base_60(recipe) or _is_read_otherwise(value, recipe)):
                argument = f"--config={yaml.safe_dump(recipe, allow_unicode=True)}"
            if more:
                for option, names in choices.items():
                    if isinstance(recipe.get(option), list):
                        recipe[option] = [_spelled_entry(entry, names) for entry in recipe[option]]
                remarks += [f"{value}: {remark}" for remark in more]
                argument = f"--config={yaml.safe_dump(recipe, allow_unicode=True)}"
        result.append(argument)
    return result, remarks


def _has_base_60(value: Any) -> bool:
    """Whether a recipe has a text such as 1:30, which YAML 1.1 has for a number."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(_has_base_60, inner)) or (isinstance(value, str) and BASE_60.fullmatch(value) is not None)


def _is_read_otherwise(path: str, recipe: dict) -> bool:
    """Whether the parser finds other values in a recipe that was read and is no mass of them."""
    return bool(recipe) and yaml.safe_load(read_text(Path(path))) != recipe


def _is_plain(path: Path) -> bool:
    content = path.read_bytes()
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not content.startswith(codecs.BOM_UTF8)


def read_recipe(path: Path) -> dict:
    """A recipe as YAML has it; empty if it cannot be read, as the parser will say what is wrong with it.

    Raises:
        ValueError: If a few lines of it stand for a mass of values, or options of one thing in two places.
    """
    try:
        recipe = load_yaml(read_text(path), f"{path}: a recipe")
    except yaml.YAMLError:
        return {}
    _check_classes(recipe, path)
    _check_places(recipe, path)
    return recipe if isinstance(recipe, dict) else {}


def _check_places(recipe: Any, path: Path) -> None:
    """Refuses `target.shots` beside `target`, of which the parser would take what comes last."""
    for name in recipe if isinstance(recipe, dict) else ():
        parts = str(name).split(".")
        for end in range(1, len(parts)):
            if (outer := ".".join(parts[:end])) in recipe:
                raise ValueError(f"{path}: options of `{outer}` must be within it. Received: {name} beside it")


def _check_classes(value: Any, path: Path) -> None:
    """Refuses options that stand beside the class that they are of, where the parser would not look for them."""
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_classes(inner, path)
    if isinstance(value, dict) and "class_path" in value:
        within = [set(map(str, value.get(key) or ())) for key in ("init_args", "dict_kwargs")]
        if twice := sorted(within[0] & within[1]):
            raise ValueError(
                f"{path}: options of {value['class_path']} must be in one place. Received: {twice[0]} in `init_args` "
                "and `dict_kwargs`"
            )
        beside = [str(key) for key in value if key not in ("class_path", "init_args", "dict_kwargs")]
        if beside:
            raise ValueError(
                f"{path}: options of {value['class_path']} must be under `init_args`. Received: {', '.join(beside)} "
                "beside `class_path`"
            )


def _spelled_entry(entry: Any, names: list[str]) -> Any:
    """A class, or an object with its options, with classes spelled as they are defined."""
    if isinstance(entry, str):
        return {name.casefold(): name for name in names}.get(entry.casefold(), entry)
    if not isinstance(entry, dict) or "class_path" not in entry:
        return entry
    given = entry.get("init_args") or {}
    if not isinstance(given, dict):  # the parser will say so
        return entry
    options = {
        name: _spelled_entry(value, names) if isinstance(value, dict) else value for name, value in given.items()
    }
    return {"class_path": _spelled_entry(entry["class_path"], names), **({"init_args": options} if options else {})}
