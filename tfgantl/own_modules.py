"""Classes of one's own, such as those of `--transfer my_methods.Mine`, are looked for in the working directory.

Only the modules that are named: whatever else lies there, such as what came with a model, must not take the place of a
package that Python looks for and does not find. Imports nothing that takes time.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

NAMED = re.compile(r"(?:--[\w.+-]+=)?([A-Za-z_]\w*)(?:\.[A-Za-z_]\w*)+")
IN_RECIPES = re.compile(r"^[ \t-]*(?:[\w.]+:[ \t]*)?['\"]?([A-Za-z_]\w*)(?:\.[A-Za-z_]\w*)+['\"]?[ \t]*$", re.MULTILINE)
MAX_BYTES = 2**20  # of a recipe that is looked at


def find_own_modules(arguments: Sequence[str]) -> None:
    """Lets modules that the arguments, or recipes among them, name be imported from the working directory."""
    names = {match[1] for word in arguments if (match := NAMED.fullmatch(word))}
    for recipe in _recipes(arguments):
        with suppress(OSError):
            text = recipe.read_bytes()[:MAX_BYTES].decode(errors="replace").replace("\r\n", "\n")
            names |= {match[1] for match in IN_RECIPES.finditer(text)}
    sys.meta_path.append(_Finder(names, str(Path.cwd())))


def _recipes(arguments: Sequence[str]) -> Iterator[Path]:
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        option, _, value = word.partition("=")
        if option in ("--config", "--resume"):
            path = Path(value or following).expanduser()
            yield path / "config.yaml" if option == "--resume" else path


class _Finder(MetaPathFinder):
    """The last finder: for modules of some names, at the top level, that nobody else has found."""

    def __init__(self, names: set[str], directory: str):
        self.names, self.directory = names, directory

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [self.directory]) if path is None and name in self.names else None
