"""Publishes an adapted generator, unless transfer was negative or it copies its training images."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfgantl.export.origin import Origin, license_behind
from tfgantl.export.publish import publish, refusal
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
        run: Run directory, whose picture goes along where the settings allow for it.

    Returns:
        The new version, or `None` where `refusal_of` gives a reason and there is no `force`.
    """
    if refusal_of(config, evaluation) and not config.force:
        return None
    names = prepared.examples["train"].classes if training.adapted.gan.num_classes else None
    facts = {**facts_of(config, prepared, evaluation, run), "class_names": names}
    before_after = (run.path / "before_after.png").read_bytes() if config.show_training_pictures else None
    generator = training.adapted.gan.ema_generator
    limit = config.max_copies
    return publish(
        generator, config.export_path, facts=facts, force=config.force, before_after=before_after, max_copies=limit
    )


def facts_of(
    config: "AdaptConfig", prepared: PreparedAdaptation, evaluation: AdaptationEvaluation, run: RunDirectory
) -> dict[str, Any]:
    """What is kept with the result of any adaptation."""
    return {
        "run": run.id,
        "source": config.source,
        "target": prepared.name,
        "transfer": type(prepared.transfer).__name__,
        "shots": prepared.examples["train"].size,
        "metrics": evaluation.adapted.metrics,
        "verdict": evaluation.verdict.outcome if evaluation.verdict else None,
        "baseline": evaluation.baseline.metrics if evaluation.baseline else None,
        "privacy": evaluation.privacy_record,
        "origin": origin_of(config, prepared).record(),
    }


def refusal_of(config: "AdaptConfig", evaluation: AdaptationEvaluation) -> str | None:
    """Why the result may not be published without force, in words; `None` if it may."""
    outcome = evaluation.verdict.outcome if evaluation.verdict else None
    return refusal({"verdict": outcome, "privacy": evaluation.privacy.record()}, config.max_copies)


def origin_of(config: "AdaptConfig", prepared: PreparedAdaptation) -> Origin:
    """Where the result comes from, as far as it is known."""
    return Origin(
        source=config.source,
        source_hash=prepared.source_hash,
        source_license=config.source_license or license_behind(config.source),
        data=prepared.examples["train"].fingerprint,
        target_license=config.target_license or config.target.license,
    )
