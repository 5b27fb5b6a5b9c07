"""One name, one thing: no class name stands twice in the package."""

import ast
from pathlib import Path

import tfgantl


def test_no_class_is_defined_twice():
    package = Path(tfgantl.__file__).parent
    places: dict[str, list[str]] = {}
    for path in sorted(package.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(str(path.relative_to(package)))
    assert len(places) > 100
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
