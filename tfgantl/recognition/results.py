"""Results of finished trainings in a run directory, so that an interrupted comparison can be resumed."""

import json
import zipfile
from typing import Any, cast

import numpy as np

from tfgantl.configuration import to_yaml
from tfgantl.errors import intact
from tfgantl.files import Replacing
from tfgantl.printing import printable
from tfgantl.progress import log
from tfgantl.recognition.comparison import Trial, TrialResult
from tfgantl.training.run_directory import RunDirectory
from tfgantl.untrusted.archives import check_members
from tfgantl.untrusted.networks import load_network

RECORD = "told"  # the array that holds a record as JSON; the name is part of the format of run directories


def save_result(run: RunDirectory, number: int, result: TrialResult) -> None:
    """Writes the result of trial `number`: its classifier first, and last the file that marks it as finished.

    Each worker writes those of its own trials.
    """
    directory = run.folder("jobs")
    with Replacing(directory / f"{number}.keras") as temporary:
        result.classifier.save(temporary)
    record = {**_identity(result.trial), "score": result.score, "seconds": result.seconds}
    record |= {"history": result.history, "notes": result.notes}
    arrays: dict[str, Any] = {"predicted": result.predicted, RECORD: np.array(json.dumps(record))}
    if result.generated is not None:
        arrays |= dict(zip(("images", "labels"), result.generated, strict=True))
    with Replacing(directory / f"{number}.npz") as temporary:
        np.savez_compressed(temporary, **arrays)


def _identity(trial: Trial) -> dict[str, Any]:
    """What tells a trial from others. Older runs have not kept the options of its method."""
    return {"row": trial.row, "seed": trial.seed, "labels": trial.labels, "method": to_yaml(cast(Any, trial.method))}


def load_result(run: RunDirectory, number: int, trial: Trial) -> TrialResult | None:
    """The result of trial `number`, or `None` if it has not finished, or was another trial: a recipe may have changed.

    Raises:
        ArtifactError: If a file is damaged.
    """
    path = run.path / "jobs" / f"{number}.npz"
    if not path.is_file():
        return None
    with intact(f"{path}: must be what the run has written; delete it to train anew"):
        with zipfile.ZipFile(path) as archive:
            check_members(archive, path)
        with np.load(path) as file:
            record = json.loads(str(file[RECORD]))
            if any(record.get(name, value) != value for name, value in _identity(trial).items()):
                log(f"{trial.row}: {path} holds another trial, {printable(record.get('row'))}, and is trained anew")
                return None
            generated = (file["images"], file["labels"]) if "images" in file else None
            predicted = file["predicted"]
        classifier = load_network(path.with_suffix(".keras"))
        return TrialResult(
            trial, predicted, record["score"], record["seconds"], classifier, record["history"], record["notes"],
            generated,
        )  # fmt: skip
