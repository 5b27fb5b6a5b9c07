"""Text files of people: UTF-8 with or without its mark, UTF-16, and any ends of lines; YAML that fits into memory."""

import codecs
from pathlib import Path
from typing import Any

import yaml

from tfgantl.errors import ArtifactError

MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
MAX_VALUES = 100_000  # of a YAML file, with what its aliases repeat


def read_text(path: Path) -> str:
    """Text in UTF-8 or, with its mark, UTF-16, as PowerShell writes it.

    Raises:
        ArtifactError: If it is in another code page.
    """
    content = path.read_bytes()
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ArtifactError(
            f"{path}: must be text in UTF-8 or UTF-16. Received: byte {error.start} is "
            f"0x{content[error.start]:02x}, of another code page"
        ) from error


def load_yaml(text: str, what: str) -> Any:
    """What YAML stands for, in plain values.

    Args:
        text: The YAML.
        what: What it is, for messages.

    Raises:
        ArtifactError: If a few lines of it stand for a mass of values, or are nested too deeply.
        yaml.YAMLError: If it is no YAML.
        AttributeError: If it has a date that is none.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if (values := _expanded(node, {})) > MAX_VALUES:
            raise ArtifactError(f"{what} must have at most {MAX_VALUES} values. Received: {values}")
        return None if node is None else loader.construct_document(node)
    except RecursionError as error:
        raise ArtifactError(f"{what} must be nested less deeply. Received: {len(text)} characters") from error
    finally:
        loader.dispose()


def _expanded(node: Any, sizes: dict[int, int]) -> int:
    """How many values a node of YAML stands for, with everything that it refers to."""
    if id(node) not in sizes:
        sizes[id(node)] = MAX_VALUES  # what contains itself has no end
        inner = node.value if isinstance(node, yaml.CollectionNode) else []
        parts = [part for item in inner for part in (item if isinstance(item, tuple) else (item,))]
        sizes[id(node)] = 1 + sum(_expanded(part, sizes) for part in parts)
    return sizes[id(node)]
