"""Photographs that dependencies ship, to try things on: named, and found without importing what ships them."""

from importlib.util import find_spec
from pathlib import Path

# Name → folder in its package.
PHOTOGRAPHS = {
    **dict.fromkeys(
        (
            "astronaut", "brick", "camera", "chelsea", "coffee", "grass", "gravel", "hubble_deep_field", "ihc",
            "motorcycle_left", "motorcycle_right", "retina", "rocket",
        ),
        "skimage/data",
    ),
    **dict.fromkeys(("china", "flower"), "sklearn/datasets/images"),
}  # fmt: skip


def photograph(name: str) -> Path:
    """The file of one of `PHOTOGRAPHS`."""
    package, _, folder = PHOTOGRAPHS[name].partition("/")
    spec = find_spec(package)
    roots = (spec.submodule_search_locations if spec is not None else None) or []
    return next(file for root in roots for file in (Path(root) / folder).glob(f"{name}.*"))
