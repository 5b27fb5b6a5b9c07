"""Text files of people: UTF-8 with or without its mark, UTF-16, and any ends of lines; YAML that fits into memory."""

import codecs
import re
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from tfgantl.errors import ArtifactError, reason
from tfgantl.printing import printable
from tfgantl.regular_files import read_regular

MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_INT = "tag:yaml.org,2002:int"
_NUMBERS = {  # YAML 1.1, https://yaml.org/type/int.html and float.html, but for numbers to base 8 and 60
    _INT: r"^(?:[-+]?0b[0-1_]+|[-+]?[0-9][0-9_]*|[-+]?0x[0-9a-fA-F_]+)$",
    "tag:yaml.org,2002:float": (
        r"^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
}
MAX_BYTES = 2**28
MAX_VALUES = 100_000  # of a YAML file, with what its aliases repeat


def read_text(path: Path, most: int = MAX_BYTES) -> str:
    """Text in UTF-8 or, with its mark, UTF-16, as PowerShell writes it.

    Args:
        path: The file.
        most: Bytes that it may have.

    Raises:
        ArtifactError: If it is in another code page.
        OSError: If it cannot be read, is a pipe or a device, or is too large.
    """
    content = read_regular(path, most)
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ArtifactError(
            f"{path}: must be text in UTF-8 or UTF-16. Received: byte {error.start} is "
            f"0x{content[error.start]:02x}, of another code page"
        ) from error


class _Loader(yaml.SafeLoader):
    """Without numbers that nobody means: 1:30 to base 60, whose value takes quadratic time, and 0100 to base 8.

    Zeros in front count for nothing, as in YAML 1.2 and on the command line. Values are counted as they are read.
    """

    what = "YAML"
    _values = 0

    yaml_implicit_resolvers = {
        first: [(tag, re.compile(_NUMBERS[tag]) if tag in _NUMBERS else pattern) for tag, pattern in some]
        for first, some in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._values += 1
        if self._values > 2 * MAX_VALUES:  # keys among them
            raise ArtifactError(f"{self.what} must have at most {MAX_VALUES} values. Received: more")
        return super().compose_node(parent, index)


def _decimal(loader: _Loader, node: yaml.ScalarNode) -> int:
    sign, digits = re.fullmatch(r"([-+]?)(.*)", loader.construct_scalar(node)).groups()  # type: ignore[union-attr]
    plain = digits.lstrip("0_") or "0" if digits.replace("_", "").isdigit() else digits
    return loader.construct_yaml_int(yaml.ScalarNode(node.tag, sign + plain))


_Loader.add_constructor(_INT, _decimal)


class _Texts(_Loader):
    """All values as they are written: `yes`, `1.50` and `007` are texts."""

    yaml_implicit_resolvers: dict[str, list] = {}


def load_yaml(text: str, what: str, texts: bool = False) -> Any:
    """What YAML stands for, in plain values.

    Args:
        text: The YAML.
        what: What it is, for messages.
        texts: Whether values are texts as they are written, such as names, and not numbers, truth values or nothing.

    Raises:
        ArtifactError: If a few lines of it stand for a mass of values, are nested too deeply, have a key twice, or say
            of a value that it is of a kind that it is not.
        yaml.YAMLError: If it is no YAML.
    """
    loader = (_Texts if texts else _Loader)(text)
    loader.what = what
    try:
        node = loader.get_single_node()
        if (values := _expanded(node, {}, what)) > MAX_VALUES:
            raise ArtifactError(f"{what} must have at most {MAX_VALUES} values. Received: {values}")
        return None if node is None else loader.construct_document(node)
    except RecursionError as error:
        raise ArtifactError(f"{what} must be nested less deeply. Received: {len(text)} characters") from error
    except (AttributeError, IndexError, KeyError, TypeError) as error:  # `!!bool maybe`, or a date that is none
        raise ArtifactError(f"{what} must have values of the kinds that it says. Received: {reason(error)}") from error
    finally:
        loader.dispose()


def _expanded(node: Any, sizes: dict[int, int], what: str) -> int:
    """How many values a node of YAML stands for, with everything that it refers to; keys are unique, as YAML wants."""
    if id(node) not in sizes:
        sizes[id(node)] = MAX_VALUES  # what contains itself has no end
        inner = node.value if isinstance(node, yaml.CollectionNode) else []
        keys = Counter(item[0].value for item in inner if isinstance(item, tuple) and _is_key(item[0]))
        if keys and (most := max(keys, key=keys.__getitem__)) and keys[most] > 1:
            raise ArtifactError(f"{what} must have each key once. Received: {printable(most)[:80]} {keys[most]} times")
        parts = [part for item in inner for part in (item if isinstance(item, tuple) else (item,))]
        sizes[id(node)] = 1 + sum(_expanded(part, sizes, what) for part in parts)
    return sizes[id(node)]


def _is_key(node: Any) -> bool:
    """Whether a key is plain, and not one that takes over those of another mapping."""
    return isinstance(node, yaml.ScalarNode) and node.tag != "tag:yaml.org,2002:merge"
