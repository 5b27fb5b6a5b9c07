"""What became of every weight when a source was loaded or fitted: nothing is dropped or made up in silence."""

from dataclasses import dataclass, field
from typing import NamedTuple

from tfgantl.printing import printable

SHOWN = 4  # weights in a line
KINDS = {
    "copied": "copied",
    "transposed": "copied in another order",
    "resized": "computed from the source",
    "initial": "left at the initial value",
    "skipped": "not used, of the source",
}


class Entry(NamedTuple):
    """The fate of one weight.

    Attributes:
        kind: A key of `KINDS`.
        name: Of the target's weight; of the source's if it was skipped.
        size: Number of parameters.
        detail: Where it comes from, or why not.
    """

    kind: str
    name: str
    size: int
    detail: str = ""


@dataclass
class LoadReport:
    """Says which weights were copied, copied in another order, computed, left at their initial value, or skipped.

    Args:
        entries: The fate of each weight.
        notes: Whatever else was decided, as sentences.

    Example:
        >>> from tfgantl.pretrained.refit.source import fit_source
        >>> target, report = fit_source(source, image_size=8, channels=3, num_classes=3)
        >>> print(report)
        weights: ... % of ... parameters come from the source
        copied: ... weights
        ...
    """

    entries: list[Entry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, kind: str, name: str, size: int, detail: str = "") -> None:
        """Adds one weight."""
        self.entries.append(Entry(kind, name, size, detail))

    def of(self, kind: str) -> dict[str, str]:
        """Names of the weights of a kind → details."""
        return {entry.name: entry.detail for entry in self.entries if entry.kind == kind}

    @property
    def share(self) -> float:
        """Share of the target's parameters that come from the source, in [0, 1]."""
        wanted = [entry for entry in self.entries if entry.kind != "skipped"]
        total = sum(entry.size for entry in wanted)
        return sum(entry.size for entry in wanted if entry.kind != "initial") / total if total else 1.0

    def __add__(self, other: "LoadReport") -> "LoadReport":
        return LoadReport(self.entries + other.entries, self.notes + other.notes)

    def rows(self) -> list[tuple[str, str, str]]:
        """(fate, weight, detail) of all that was not simply copied, for tables."""
        return [(KINDS[e.kind], e.name, e.detail) for kind in KINDS for e in self.entries if kind == e.kind != "copied"]

    def losses(self) -> list[str]:
        """What somebody should know who sees no report: weights that were not used, and those that are initial ones."""
        lines = []
        for kind in ("skipped", "initial"):
            if names := list(self.of(kind)):
                more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                lines.append(f"{KINDS[kind]}: {', '.join(map(printable, names[:SHOWN]))}{more}")
        return lines

    def lines(self) -> list[str]:
        """The report, for the log."""
        total = sum(entry.size for entry in self.entries if entry.kind != "skipped")
        lines = [f"weights: {100 * self.share:.1f} % of {total:,} parameters come from the source"]
        for kind, title in KINDS.items():
            details = self.of(kind)
            if details:
                lines.append(f"{title}: {len(details)} weight{'s' * (len(details) > 1)}")
                if kind != "copied":
                    lines += [f"  {name}{': ' + detail if detail else ''}" for name, detail in details.items()]
        return [*lines, *self.notes]

    def __str__(self) -> str:
        return "\n".join(self.lines())
