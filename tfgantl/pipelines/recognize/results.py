"""What a comparison of recognition methods returns."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import keras

from tfgantl.metrics.verdict import Gap
from tfgantl.pipelines.results import RunResult, python_only
from tfgantl.recognition.summary import Summary
from tfgantl.report import Report

if TYPE_CHECKING:
    from tfgantl.pipelines.recognize import RecognizeConfig


@dataclass(frozen=True, kw_only=True)
class RecognizeResult(RunResult):
    """What came of a comparison.

    Args:
        methods: Row → accuracy and its standard deviation over seeds, recovered gap, seconds, score of the selection.
        baselines: The same for source-only, target-only and the oracle.
        best: Row of the best method by the selection.
        verdict: `positive`, `neutral` or `negative`, or `None` without test labels.
        setting: `transductive`, `inductive` or both, by what was known of the target.
        selection: What selected states and the best method.
        export_dir: The exported version, or `None` if it was not published.
        seconds: Of the whole job.
        classifier: Best classifier: images in [-1, 1] → logits.
        gap: Paired difference of accuracies of the best method and its baseline, or `None` without test labels.
    """

    methods: dict[str, dict]
    baselines: dict[str, dict]
    best: str
    verdict: str | None
    setting: str
    selection: str
    export_dir: Path | None
    seconds: float
    classifier: keras.Model = python_only()
    gap: Gap | None = python_only()

    @classmethod
    def of(
        cls,
        config: "RecognizeConfig",
        run_dir: Path,
        export_dir: Path | None,
        seconds: float,
        summary: Summary,
        report: Report,
    ) -> Self:
        """Puts the result together from the parts of a comparison."""
        return cls(
            methods={row: entry for row, entry in summary.rows.items() if row not in summary.baselines},
            baselines={row: summary.rows[row] for row in summary.baselines},
            best=summary.best.trial.row,
            verdict=summary.verdict.outcome if summary.verdict else None,
            setting=summary.settings,
            selection=config.selection,
            run_dir=run_dir,
            export_dir=export_dir,
            seconds=seconds,
            classifier=summary.best.classifier,
            gap=summary.verdict,
            report=report,
        )

    def to_record(self) -> dict:
        """What `metrics.jsonl` keeps: what `--json` prints, and the gap behind the verdict."""
        return {**self.to_json(), "gap": asdict(self.gap) if self.gap else None}

    def closing_lines(self) -> list[str]:
        """What the log ends with: where things are."""
        exported = (
            f"SavedModel: {self.export_dir}" if self.export_dir else "not published, because transfer was negative"
        )
        return [*super().closing_lines(), exported]
