"""Tables of docs/benchmarks.md."""

import os
import platform
from pathlib import Path

from tfgantl.files import Replacing


def mean(rows: list[dict], key: str) -> float | None:
    """Mean of one number over rows; `None` if it is not there."""
    values = [row[key] for row in rows]
    return None if None in values else sum(values) / len(values)


def cell(values: list[float | None], scale: float = 1.0, digits: int = 3) -> str:
    """Mean ± sample standard deviation; a single value has none."""
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        return "–"
    average = sum(numbers) / len(numbers)
    if len(numbers) == 1:
        return f"{average * scale:.{digits}f}"
    deviation = (sum((v - average) ** 2 for v in numbers) / (len(numbers) - 1)) ** 0.5
    return f"{average * scale:.{digits}f} ± {deviation * scale:.{digits}f}"


def machine() -> str:
    """What numbers and times depend on."""
    from tfgantl.training.precision import dtype_policy
    from tfgantl.versions import versions

    found = ", ".join(f"{name} {number}" for name, number in versions().items())
    return f"{os.cpu_count()} cores, {platform.machine()}, precision {dtype_policy('auto')}; {found}."


def replace_part(page: Path, heading: str, lines: list[str]) -> None:
    """Writes one part of a page, from its heading of the first level to the next one, and keeps the others."""
    parts: dict[str, list[str]] = {}
    for line in page.read_text().splitlines() if page.is_file() else []:
        if line.startswith("# "):
            parts[line] = []
        if parts:
            parts[next(reversed(parts))].append(line)
    parts[heading] = lines
    page.parent.mkdir(parents=True, exist_ok=True)
    with Replacing(page) as temporary:
        temporary.write_text("\n".join(line for part in parts.values() for line in part).rstrip("\n") + "\n")
