"""What somebody must know who is to use a published model: where it comes from, what it is like, and what it is not."""

import re
from pathlib import Path

from jinja2 import Environment, PackageLoader

from tfgantl.printing import printable
from tfgantl.versions import versions


def write_model_card(directory: Path, facts: dict) -> None:
    """Writes `model_card.md`.

    Args:
        directory: The version.
        facts: `name` and `signatures`, and as far as they are known `source`, `target`, `transfer`, `shots`, `metrics`,
            `baseline`, `verdict`, `extractor`, `classes`.
    """
    environment = Environment(
        loader=PackageLoader("tfgantl", "templates"), trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    environment.filters |= {"code": _code}
    page = environment.get_template("model_card.md.j2").render(facts=facts, versions=versions())
    (directory / "model_card.md").write_text(page)


class _CodeSpan(str):
    """Markdown of our own, which is not escaped."""


def _code(text: object) -> _CodeSpan:
    """A code span, which nothing in the text can end."""
    return _CodeSpan(f"`{printable(text).replace('`', chr(39))}`")


def _shown(text: object) -> str:
    """Whatever the template inserts: text that Markdown shows as it is, and that cannot end a cell or a paragraph."""
    if isinstance(text, _CodeSpan):
        return text
    marks = r"[\\`|<>\[\]*#]|(?<!\w)_|_(?!\w)"  # Markdown leaves a _ within a word alone
    return re.sub(marks, lambda found: f"&#{ord(found[0])};", printable(text))
