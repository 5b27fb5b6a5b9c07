"""Old names of settings: commands, recipes and run directories of earlier versions still read. Plain data in and out.

A setting that is renamed gets an entry here, and nothing elsewhere.
"""

import re
from typing import Any

import yaml

# Setting whose class is chosen → its options, for classes of this package.
OPTIONS = {"transfer": {"rate": "g_lr_multiplier", "d_rate": "d_lr_multiplier"}}

# Recognition methods, and their options. Until version 0.2, `method` was one text such as SHOT,MCD:repeats=2.
METHODS = {"finetune": "FineTuneClassifier", "l2sp": "L2SPClassifier"}
METHOD_OPTIONS = {
    "adda": {"rate": "gradient_scale"},
    "densityratio": {"most": "max_weight"},
    "ganimages": {"sure": "confident_share"},
    "kmm": {"most": "max_weight"},
    "vgg16head": {"rate": "lr_multiplier"},
}


# What run directories keep of a run and those of earlier versions do not, which is no change.
LATER_FACTS = (
    "picture pixels", "mask pixels", "module variables", "show_training_pictures", "max_copies", "privacy.clip",
    "privacy.delta", "encoders of phrases", "VGG16", "pictures are compared by", "layers of the generator",
    "layers of the source generator", "layers of the source discriminator", "networks of methods",
    "file of the text encoder", "layers of the stylizer", "styles of the stylizer", "what phrases say",
    "styles of the base", "words of the text encoder", "layers of the encoders of phrases", "layers of the base",
    "layers of the discriminator of the base",
)  # fmt: skip
# What was done before there was a setting for it, and is its default no longer: that of a run goes on.
FORMER = {"optimization": {"reuse_fakes": False}}


def former_settings(recipe: dict) -> list[str]:
    """Options for what a run of an earlier version does, and its recipe does not say.

    Args:
        recipe: The `config.yaml` of the run.

    Example:
        >>> former_settings({"steps": 600, "optimization": {"r1": 0.1}})
        ['--optimization.reuse_fakes=false']
    """
    return [
        f"--{part}.{name}={str(value).lower()}"
        for part, settings in FORMER.items()
        for name, value in settings.items()
        if isinstance(recipe.get(part), dict) and name not in recipe[part]
    ]


def renamed_arguments(arguments: list[str]) -> tuple[list[str], list[str]]:
    """A command line with the names of today.

    Args:
        arguments: Options with underscores.

    Returns:
        The command line, and for each change a remark on what to write.
    """
    found, remarks, foreign = [], [], {}
    for i, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        setting, _, option = name.removeprefix("--").partition(".")
        if name == f"--{setting}" and setting in OPTIONS:
            foreign[setting] = _is_foreign(value if equals else " ".join(arguments[i + 1 : i + 2]))
        now = OPTIONS.get(setting, {}).get(option.removeprefix("init_args."))
        if now and name.startswith("--") and not foreign.get(setting):
            remarks.append(f"{name} is called --{setting}.{now}")
            argument = f"--{setting}.{now}{equals}{value}"
        found.append(argument)
    return found, remarks


def renamed_recipe(recipe: dict) -> tuple[dict, list[str]]:
    """A recipe with the names of today.

    Args:
        recipe: As in YAML.

    Returns:
        The recipe, and for each change a remark on what to write.
    """
    found, remarks = dict(recipe), []
    for setting, names in OPTIONS.items():
        chosen = recipe.get(setting)
        if not isinstance(chosen, dict) or not isinstance(chosen.get("init_args"), dict):
            continue
        if not _is_foreign(str(chosen.get("class_path", ""))):
            options = {names.get(option, option): value for option, value in chosen["init_args"].items()}
            remarks += [f"{setting}: {old} is called {now}" for old, now in names.items() if old in chosen["init_args"]]
            found[setting] = {**chosen, "init_args": options}
    if isinstance(recipe.get("method"), str):
        found["method"] = methods(recipe["method"])
        short = [entry if "init_args" in entry else entry["class_path"] for entry in found["method"]]
        shown = yaml.safe_dump(short, default_flow_style=True, sort_keys=False, width=1000).strip()
        remarks.append(f"method is written as a list, {shown}")
    elif isinstance(recipe.get("method"), list):
        found["method"] = [renamed_method(entry) for entry in recipe["method"]]
        pairs = zip(recipe["method"], found["method"], strict=True)
        remarks += [f"method: {old} is called {now}" for old, now in pairs if old != now]
    return found, remarks


def renamed_settings(settings: dict) -> dict:
    """Flat settings `a.init_args.b` → value, as run directories keep them, with the names of today."""
    found = {}
    for key, value in settings.items():
        setting, between, option = key.partition(".init_args.")
        if not _is_foreign(str(settings.get(f"{setting}.class_path", ""))):
            option = OPTIONS.get(setting, {}).get(option, option)
        found[setting + between + option] = methods(value) if key == "method" and isinstance(value, str) else value
    return found


def methods(text: str) -> list[dict]:
    """Recognition methods in the syntax of earlier versions, as a recipe has them today.

    Args:
        text: Names with commas; options follow a name after colons. What they mean is for the parser to check.

    Example:
        >>> methods("SHOT,MCD:repeats=2")
        [{'class_path': 'SHOT'}, {'class_path': 'MCD', 'init_args': {'repeats': 2}}]
    """
    found = []
    for part in filter(None, map(str.strip, text.split(","))):
        name, *options = part.split(":")
        names, arguments = METHOD_OPTIONS.get(name.casefold(), {}), {}
        for option in options:
            key, _, value = option.partition("=")
            arguments[names.get(key, key)] = _labeller(value) if key == "labeller" else yaml.safe_load(value)
        found.append({"class_path": renamed_method(name), **({"init_args": arguments} if arguments else {})})
    return found


def renamed_method(name: object) -> object:
    """The name of a recognition method today."""
    return METHODS.get(name.casefold(), name) if isinstance(name, str) else name


def renamed_methods(value: str) -> tuple[list[dict], str]:
    """What one `--method` names, as in a recipe, and a remark on what to write, or an empty one."""
    if value.startswith("{"):
        return [yaml.safe_load(value)], ""
    if value and not re.search("[,:]", value) and renamed_method(value) == value:
        return [{"class_path": value}], ""
    entries = methods(value)
    command = []
    for entry in entries:
        command.append(f"--method {entry['class_path']}")
        for option, given in entry.get("init_args", {}).items():
            shown = given.get("class_path") if isinstance(given, dict) else "null" if given is None else given
            command.append(f"--method.{option} {shown}")
    return entries, f"--method {value} is written {' '.join(command)}" if entries else ""


def agrees(before: Any, now: Any) -> bool:
    """Whether a setting in a run directory is what it is now; options of classes that are left out count as equal.

    Args:
        before: Value of a setting, by an earlier version with the names of today; classes may go without their module.
        now: The value now.
    """
    if isinstance(before, list) and isinstance(now, list):
        return len(before) == len(now) and all(map(agrees, before, now))
    if isinstance(before, dict) and isinstance(now, dict) and "class_path" in before:
        last = str(now.get("class_path")).casefold()
        class_agrees = f".{last}".endswith(f".{before['class_path']}".casefold())
        old, new = before.get("init_args", {}), now.get("init_args", {})
        return class_agrees and all(key in new and agrees(value, new[key]) for key, value in old.items())
    if isinstance(before, str) and isinstance(now, str) and now.startswith("/"):  # relative paths stay so no longer
        return now == before or now.endswith(f"/{before.removeprefix('./')}")
    return before == now


def _labeller(name: str) -> dict | None:
    return None if name == "none" else {"class_path": renamed_method(name)}


def _is_foreign(class_path: str) -> bool:
    return "." in class_path and not class_path.startswith("tfgantl.")
