"""Classes of one's own, such as those of `--transfer my_methods.Mine`, are looked for in the working directory.

Only modules that are named where a class is asked for: whatever else lies there, such as what came with a model, must
not take the place of a package that Python looks for and does not find. `photo.jpg` looks like a module and a class,
too, so values of other options are not looked at, nor are names of files. Imports nothing that takes time.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from os.path import exists, expanduser  # which a name that is too long does not, without an error
from pathlib import Path
from types import ModuleType

from tfgantl.regular_files import read_regular

# The options that take classes, and what names one in a recipe.
CLASS_OPTIONS = (
    "transfer",
    "method",
    "networks",
    "target",
    "source",
    "candidates",
    "domains",
    "labeller",
    "class_path",
)
CLASS_PATH = r"([A-Za-z_]\w*)(?:\.[A-Za-z_]\w*)+"
OPTION = re.compile(rf"--(?:[\w.-]+\.)?(?:{'|'.join(CLASS_OPTIONS)})\+?")
IN_RECIPES = re.compile(
    rf"^[ \t-]*(?:(?:[\w.]+\.)?(?:{'|'.join(CLASS_OPTIONS)}):[ \t]*|-[ \t]+)['\"]?({CLASS_PATH})['\"]?[ \t]*$",
    re.MULTILINE,
)
MAX_BYTES = 2**20  # of a recipe that is looked at


def find_own_modules(arguments: Sequence[str]) -> None:
    """Lets modules whose classes the arguments, or recipes among them, name be imported from the working directory."""
    named = [value for option, value in _options(arguments) if OPTION.fullmatch(option)]
    for recipe in _recipes(arguments):
        with suppress(OSError):  # whoever reads it as a recipe tells
            text = read_regular(recipe, MAX_BYTES).decode(errors="replace").replace("\r\n", "\n")
            named += [match[1] for match in IN_RECIPES.finditer(text)]
    matches = [match for value in named if (match := re.fullmatch(CLASS_PATH, value)) and not exists(value)]
    sys.meta_path.append(_Finder({match[1] for match in matches}, str(Path.cwd())))


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each option with the value that is written behind it, or after `=`."""
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        yield option, value if equals else following


def _recipes(arguments: Sequence[str]) -> Iterator[Path]:
    for option, value in _options(arguments):
        if option in ("--config", "--resume"):
            path = Path(expanduser(value))
            yield path / "config.yaml" if option == "--resume" else path


class _Finder(MetaPathFinder):
    """The last finder: for modules of some names, at the top level, that nobody else has found."""

    def __init__(self, names: set[str], directory: str):
        self.names, self.directory = names, directory

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [self.directory]) if path is None and name in self.names else None
