"""Publishes an adapted generator, unless transfer was negative."""

from pathlib import Path
from typing import TYPE_CHECKING

from tfgantl.export.publish import publish
from tfgantl.pipelines.adapt.evaluation import AdaptationEvaluation
from tfgantl.pipelines.adapt.preparation import PreparedAdaptation
from tfgantl.pipelines.adapt.training import AdaptationTraining
from tfgantl.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from tfgantl.pipelines.adapt import AdaptConfig


def publish_adapted(
    config: "AdaptConfig",
    prepared: PreparedAdaptation,
    training: AdaptationTraining,
    evaluation: AdaptationEvaluation,
    run: RunDirectory,
) -> Path | None:
    """Publishes with all that is known of the generator.

    Args:
        config: The `AdaptConfig`.
        prepared: What the adaptation started with.
        training: What came of it.
        evaluation: What was measured.
        run: Run directory, whose picture goes along.

    Returns:
        The new version, or `None` after negative transfer without `force`.
    """
    outcome = evaluation.verdict.outcome if evaluation.verdict else None
    if outcome == "negative" and not config.force:
        return None
    facts = {
        "run": run.id,
        "source": config.source,
        "target": prepared.name,
        "transfer": type(prepared.transfer).__name__,
        "class_names": prepared.examples["train"].classes if training.adapted.gan.num_classes else None,
        "shots": prepared.examples["train"].size,
        "metrics": evaluation.adapted.metrics,
        "verdict": outcome,
        "baseline": evaluation.baseline.metrics if evaluation.baseline else None,
    }
    before_after = (run.path / "before_after.png").read_bytes()
    generator = training.adapted.gan.ema_generator
    return publish(generator, config.export_path, facts=facts, force=config.force, before_after=before_after)
