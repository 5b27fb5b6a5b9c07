"""The list of faults in docs/reliability.md names tests that are there."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent


def names_in(file):
    return set(re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE))


def test_every_fault_has_a_test():
    page = (FOLDER.parents[1] / "docs" / "reliability.md").read_text()
    rows = re.findall(r"^\| (\d+) \| .* \| `(.*\.py)::(test_\w+)` \|$", page, re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == list(range(1, len(rows) + 1)) and len(rows) > 60
    for _, file, name in rows:
        assert name in names_in(FOLDER / file), (file, name)
