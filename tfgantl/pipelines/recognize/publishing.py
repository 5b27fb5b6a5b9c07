"""Saves the best classifier in the run directory, and exports it."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from tfgantl.export.image_signatures import classifier_signatures
from tfgantl.export.publish import publish
from tfgantl.progress import log
from tfgantl.recognition.summary import Summary
from tfgantl.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from tfgantl.pipelines.recognize import RecognizeConfig


def publish_best(
    config: "RecognizeConfig", summary: Summary, run: RunDirectory, classes: tuple[str, ...] | None
) -> Path | None:
    """Saves the best classifier, and exports it unless transfer was negative.

    Args:
        config: The `RecognizeConfig`.
        summary: What was compared.
        run: Where `classifier.keras` goes.
        classes: Names of the classes, by label, if they have any.

    Returns:
        The new version, or `None` if it was not published.
    """
    classifier, row, verdict = summary.best.classifier, summary.best.trial.row, summary.verdict
    with run.replacing("classifier.keras") as temporary:
        classifier.save(temporary)
    if verdict is not None and verdict.outcome == "negative" and not config.force:
        return None
    facts = {
        "run": run.id,
        "source": type(config.source).__name__, "target": config.run_name, "method": row,
        "class_names": classes, "metrics": summary.rows[row], "verdict": verdict.outcome if verdict else None,
    }  # fmt: skip
    features = keras.Model(classifier.inputs[0], classifier.layers[-2].output)  # what the head sees
    crop = getattr(config.target, "crop", "centre")
    if crop != "centre":
        log(f"a server cuts the centred square out of pictures: with `crop` {crop}, send it pictures that are square")
    signatures = partial(classifier_signatures, features=features)
    return publish(classifier, config.export_path, signatures, facts, config.force)
