"""Results of finished trainings in a run directory, so that an interrupted comparison can be resumed."""

import json
from typing import Any

import numpy as np

from tfgantl.errors import intact
from tfgantl.recognition.comparison import Trial, TrialResult
from tfgantl.training.run_directory import RunDirectory
from tfgantl.untrusted.networks import load_network

RECORD = "told"  # the array that holds a record as JSON; the name is part of the format of run directories


def save_result(run: RunDirectory, number: int, result: TrialResult) -> None:
    """Writes the result of trial `number`: its classifier first, and last the file that marks it as finished."""
    directory = run.path / "jobs"
    directory.mkdir(exist_ok=True)
    with run.replacing(f"jobs/{number}.keras") as temporary:
        result.classifier.save(temporary)
    record = {"row": result.trial.row, "seed": result.trial.seed, "score": result.score, "seconds": result.seconds}
    record |= {"history": result.history, "notes": result.notes}
    arrays: dict[str, Any] = {"predicted": result.predicted, RECORD: np.array(json.dumps(record))}
    if result.generated is not None:
        arrays |= dict(zip(("images", "labels"), result.generated, strict=True))
    with run.replacing(f"jobs/{number}.npz") as temporary:
        np.savez_compressed(temporary, **arrays)


def load_result(run: RunDirectory, number: int, trial: Trial) -> TrialResult | None:
    """The result of trial `number`, or `None` if it has not finished.

    Raises:
        ArtifactError: If a file is damaged.
    """
    path = run.path / "jobs" / f"{number}.npz"
    if not path.is_file():
        return None
    with intact(f"{path}: must be what the run has written; delete it to train anew"):
        with np.load(path) as file:
            record = json.loads(str(file[RECORD]))
            generated = (file["images"], file["labels"]) if "images" in file else None
            predicted = file["predicted"]
        classifier = load_network(path.with_suffix(".keras"))
        return TrialResult(
            trial, predicted, record["score"], record["seconds"], classifier, record["history"], record["notes"],
            generated,
        )  # fmt: skip
