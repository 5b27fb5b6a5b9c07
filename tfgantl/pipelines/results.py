"""What verbs return: one object for Python, of which `--json` prints a part."""

from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfgantl.report import Report


def python_only() -> Any:
    """A field of a result that is for Python: neither printed by `--json` nor shown by `repr`."""
    return field(repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Result:
    """Base of what verbs return."""

    def to_json(self) -> dict:
        """What `--json` prints: all fields but those for Python only, with paths as strings."""
        return {entry.name: _plain(getattr(self, entry.name)) for entry in fields(self) if entry.repr}

    def text(self) -> str:
        """What the command line prints without `--json`; empty where the log has said all."""
        return ""


@dataclass(frozen=True, kw_only=True)
class RunResult(Result):
    """Base of what verbs with a run directory return.

    Args:
        run_dir: The run directory.
        report: The report, which shows itself in a notebook; `report.html` in the run directory.
    """

    run_dir: Path
    report: "Report" = python_only()

    def to_record(self) -> dict:
        """What `metrics.jsonl` keeps."""
        return self.to_json()

    def closing_lines(self) -> list[str]:
        """What the log ends with: where things are."""
        return [f"report: {self.run_dir / 'report.html'}"]


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value
