"""Results of finished trainings in a run directory, so that a comparison can be stopped and gone on with."""

import json

import numpy as np

from tfgantl.errors import intact
from tfgantl.recognition.comparison import Job, Result
from tfgantl.training.run_directory import RunDirectory
from tfgantl.untrusted.networks import load_network


def save_result(run: RunDirectory, number: int, result: Result) -> None:
    """Writes the result of job `number`: its classifier, and last what tells that all is there."""
    directory = run.path / "jobs"
    directory.mkdir(exist_ok=True)
    with run.replacing(f"jobs/{number}.keras") as temporary:
        result.classifier.save(temporary)
    told = {"row": result.job.row, "seed": result.job.seed, "score": result.score, "seconds": result.seconds}
    told |= {"history": result.history, "notes": result.notes}
    arrays = {"predicted": result.predicted, "told": np.array(json.dumps(told))}
    if result.generated is not None:
        arrays |= dict(zip(("images", "labels"), result.generated, strict=True))
    with run.replacing(f"jobs/{number}.npz") as temporary:
        np.savez_compressed(temporary, **arrays)


def load_result(run: RunDirectory, number: int, job: Job) -> Result | None:
    """The result of job `number`, or `None` if it has not ended.

    Raises:
        ArtifactError: If a file is damaged.
    """
    path = run.path / "jobs" / f"{number}.npz"
    if not path.is_file():
        return None
    with intact(f"{path}: must be what the run has written; delete it to train anew"):
        with np.load(path) as found:
            told = json.loads(str(found["told"]))
            generated = (found["images"], found["labels"]) if "images" in found else None
            predicted = found["predicted"]
        classifier = load_network(path.with_suffix(".keras"))
        return Result(
            job, predicted, told["score"], told["seconds"], classifier, told["history"], told["notes"], generated
        )
