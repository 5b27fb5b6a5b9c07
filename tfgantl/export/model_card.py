"""What somebody must know who is to use a published model: where it comes from, what it is like, and what it is not."""

from pathlib import Path

from jinja2 import Environment, PackageLoader

from tfgantl.versions import versions


def write_model_card(directory: Path, facts: dict) -> None:
    """Writes `model_card.md`.

    Args:
        directory: The version.
        facts: `name` and `signatures`, and as far as they are known `source`, `target`, `transfer`, `shots`, `metrics`,
            `baseline`, `verdict`, `extractor`, `classes`.
    """
    environment = Environment(loader=PackageLoader("tfgantl", "templates"), trim_blocks=True, lstrip_blocks=True)
    page = environment.get_template("model_card.md.j2").render(facts=facts, versions=versions())
    (directory / "model_card.md").write_text(page)
