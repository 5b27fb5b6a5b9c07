"""The outcome of a comparison: a row for each method, the best one, and whether transfer helped."""

from functools import cached_property
from typing import cast

import numpy as np

from tfgantl.metrics.verdict import Gap, judge_accuracy
from tfgantl.recognition.comparison import ORACLE, SOURCE_ONLY, TARGET_ONLY, TrialResult, row_name


class Summary:
    """Summarises the results of all trials.

    Args:
        results: Of all methods and seeds, baselines among them.
        labels: True classes of the test images, int (n,); `None` if they are not known, and there is no verdict.
    """

    def __init__(self, results: list[TrialResult], labels: np.ndarray | None) -> None:
        self.results, self.labels = results, labels
        self.by_row: dict[str, list[TrialResult]] = {}
        for result in results:
            self.by_row.setdefault(result.trial.row, []).append(result)
        self.baselines = [row for row, found in self.by_row.items() if found[0].trial.is_baseline]

    @cached_property
    def rows(self) -> dict[str, dict]:
        """Row → accuracy and its standard deviation over seeds, recovered gap, seconds, and the score of selection.

        The recovered gap is (method - source-only) / (oracle - source-only).
        """
        rows: dict[str, dict] = {}
        for row, results in self.by_row.items():
            correct = [] if self.labels is None else [float((r.predicted == self.labels).mean()) for r in results]
            rows[row] = {
                "accuracy": float(np.mean(correct)) if correct else None,
                "sd": float(np.std(correct, ddof=1)) if len(correct) > 1 else None,
                "seconds": round(float(np.mean([r.seconds for r in results])), 1),
                "score": float(np.mean([r.score for r in results])),
            }
        for entry in rows.values():
            entry["recovered"] = None
            if self.labels is not None and ORACLE in rows:
                floor, ceiling = rows[SOURCE_ONLY]["accuracy"], rows[ORACLE]["accuracy"]
                if ceiling > floor:
                    entry["recovered"] = (entry["accuracy"] - floor) / (ceiling - floor)
        return rows

    @cached_property
    def best(self) -> TrialResult:
        """The method with the best selection score, whatever the test says: its result of the first seed.

        Methods with the largest number of labels are compared.
        """
        labels = {row: found[0].trial.labels or 0 for row, found in self.by_row.items() if row not in self.baselines}
        rows = [row for row, count in labels.items() if count == max(labels.values())]
        return self.by_row[max(rows, key=lambda row: self.rows[row]["score"])][0]

    def reference(self, row: str) -> str:
        """The baseline that a method must beat: the better one of those that know no more than it does."""
        labels = self.by_row[row][0].trial.labels
        known = [SOURCE_ONLY]
        if labels:
            known.append(row_name(TARGET_ONLY, labels))
        return max(known, key=lambda name: self.rows[name]["accuracy"])

    def gap(self, row: str, baseline: str) -> Gap:
        """Paired difference of accuracies."""
        own, other = (np.stack([r.predicted == self.labels for r in self.by_row[name]]) for name in (row, baseline))
        return judge_accuracy(own, other)

    @cached_property
    def verdict(self) -> Gap | None:
        """Of the best method; `None` without test labels."""
        if self.labels is None:
            return None
        return self.gap(self.best.trial.row, self.reference(self.best.trial.row))

    @property
    def settings(self) -> str:
        """The settings that were compared, by what was known of the target."""
        labels = {found[0].trial.labels for row, found in self.by_row.items() if row not in self.baselines}
        names = [] if 0 not in labels else ["transductive"]
        return " and ".join(names + (["inductive"] if labels - {0} else []))

    def confusion(self, row: str) -> np.ndarray:
        """Counts (classes, classes) over all seeds, where there are test labels: true class → predicted class."""
        labels = cast(np.ndarray, self.labels)
        classes = int(max(labels.max(), *(r.predicted.max() for r in self.by_row[row]))) + 1
        counts = np.zeros((classes, classes), int)
        for result in self.by_row[row]:
            np.add.at(counts, (labels, result.predicted), 1)
        return counts

    def preserved(self, result: TrialResult) -> float | None:
        """Share of generated images whose intended label the oracle of the same seed predicts."""
        oracles = [r for r in self.by_row.get(ORACLE, []) if r.trial.seed == result.trial.seed]
        if result.generated is None or not oracles:
            return None
        from tfgantl.metrics.classification import accuracy

        return accuracy(oracles[0].classifier, *result.generated)

    def lines(self) -> list[str]:
        """The table, the best method and the verdict, as text."""
        width = max(map(len, self.rows))
        lines = [f"{'':{width}}  accuracy      recovered  seconds"]
        for row, entry in self.rows.items():
            lines.append(f"{row:{width}}  {spread(entry):13} {percent(entry['recovered']):>9}  {entry['seconds']:7.1f}")
        best = self.best.trial.row
        lines.append(f"best by selection: {best}")
        if self.verdict is not None:
            lines.append(f"{best} against {self.reference(best)}: {self.verdict}")
        return lines


def spread(entry: dict) -> str:
    """Accuracy ± standard deviation as text."""
    if entry["accuracy"] is None:
        return "–"
    return f"{entry['accuracy']:.4f}" + (f"±{entry['sd']:.4f}" if entry["sd"] is not None else "")


def percent(value: float | None) -> str:
    """A share as text."""
    return "–" if value is None else f"{100 * value:.0f} %"
