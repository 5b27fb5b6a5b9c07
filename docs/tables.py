"""Writes the tables of methods, and which modules the reference shows, from the classes: `python docs/tables.py`.

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; what is between is replaced. Importing the
classes needs no TensorFlow.
"""

import re
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from pathlib import Path

from tfgantl import method_tables, transfer
from tfgantl.models import FAMILIES
from tfgantl.recognition import METHODS

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/methods.md", *(f"docs/api/{page}.md" for page in ("models", "recognition", "transfer")))
NEEDS = {"source": "labelled source", "unlabelled": "target images", "labelled": "target labels"}


def summary(cls: type) -> str:
    """First line of the docstring, without its full stop."""
    return method_tables.summary(cls).rstrip(".")


def settings(cls: type) -> str:
    """Options of a method with their defaults."""
    found = [f"`{f.name}` = {_plain(f.default)}" for f in fields(cls) if f.init] if is_dataclass(cls) else []
    return ", ".join(found) or "–"


def paper(cls: type) -> str:
    """The `Reference:` of the docstring, with addresses as links."""
    parts = method_tables.paper(cls).split("; ")
    return "; ".join(re.sub(r"^(.*?),? (https?://\S+)", r"[\1](\2)", part) for part in parts)


def needs(cls: type) -> str:
    """What a recognition method must be given; of a source that it never sees it takes the classifier."""
    return ", ".join(
        "source classifier" if name == "source" and name not in cls.uses else NEEDS[name] for name in cls.needs
    )


def transfer_methods() -> list[type]:
    """The transfer methods in the order of the alphabet."""
    found = (getattr(transfer, name) for name in transfer.__all__)
    return sorted((cls for cls in found if cls is not transfer.Transfer), key=lambda cls: cls.__name__.casefold())


def families() -> dict[str, list[type]]:
    """Family → its recognition methods; baselines, which all are compared with, come last."""
    found: dict[str, list[type]] = {}
    for cls in sorted(METHODS.values(), key=lambda cls: cls.family == "baseline"):
        found.setdefault(cls.family, []).append(cls)
    return found


def network_modules() -> list[str]:
    """Modules of each family: its specification, and its networks."""
    return [
        module
        for family in FAMILIES
        for module in (family.__module__, *(path.partition(":")[0] for path in family.classes))
    ]


def reference(modules: Iterable[str]) -> list[str]:
    """What shows each module once in the reference."""
    return "\n\n".join(f"::: {module}" for module in dict.fromkeys(modules)).splitlines()


def tables() -> dict[str, list[str]]:
    """Name of a table → its lines."""
    return {
        "transfer": _table(
            ("`--transfer`", "what it does"),
            [(f"`{cls.__name__}`", summary(cls)) for cls in transfer_methods()],
        ),
        "transfer in full": _table(
            ("`--transfer`", "what it does", "extra cost a step", "settings", "paper"),
            [(f"`{cls.__name__}`", summary(cls), cls.cost, settings(cls), paper(cls)) for cls in transfer_methods()],
        ),
        "recognition": _table(
            ("family", "`--method`"),
            [(family, " · ".join(f"`{cls.__name__}`" for cls in found)) for family, found in families().items()],
        ),
        "recognition in full": _table(
            ("`--method`", "family", "needs", "what it does", "settings", "paper"),
            [
                (f"`{cls.__name__}`", family, needs(cls), summary(cls), settings(cls), paper(cls))
                for family, found in families().items()
                for cls in found
            ],
        ),
        "reference of network families": reference(network_modules()),
        "reference of transfer methods": reference(cls.__module__ for cls in (transfer.Transfer, *transfer_methods())),
        "reference of recognition methods": reference(cls.__module__ for found in families().values() for cls in found),
    }


def filled(page: str) -> str:
    """A page with the tables that it has marks for.

    Raises:
        KeyError: If a mark names no table.
    """
    known = tables()
    return re.sub(
        r"(<!-- table: (.*?) -->\n).*?(<!-- end of table -->)",
        lambda match: match[1] + "\n" + "\n".join(known[match[2]]) + "\n\n" + match[3],
        page,
        flags=re.DOTALL,
    )


def _plain(value) -> str:
    if value in (None, (), ""):
        return "none"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _table(head, rows) -> list[str]:
    lines = [head, ("---",) * len(head), *rows]
    return ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines]


if __name__ == "__main__":
    for name in PAGES:
        path = ROOT / name
        path.write_text(filled(path.read_text()))
