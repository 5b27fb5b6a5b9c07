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
    return next((Path(find_spec(package).submodule_search_locations[0]) / folder).glob(f"{name}.*"))
