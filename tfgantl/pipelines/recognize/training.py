"""Trains whatever the run directory does not hold yet."""

from typing import TYPE_CHECKING

from tfgantl.errors import InterruptedRun
from tfgantl.pipelines.recognize.preparation import PreparedComparison
from tfgantl.progress import log
from tfgantl.recognition.comparison import TrialResult
from tfgantl.recognition.comparison import run as run_trials
from tfgantl.recognition.results import load_result, save_result
from tfgantl.recognition.summary import Summary
from tfgantl.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from tfgantl.pipelines.recognize import RecognizeConfig


def train(config: "RecognizeConfig", prepared: PreparedComparison, run: RunDirectory) -> Summary:
    """Runs all trials, and sums them up.

    Args:
        config: The `RecognizeConfig`.
        prepared: What to train.
        run: Where results are saved, and read from when a run goes on.

    Raises:
        InterruptedRun: If a signal ends it; the trials that have finished are saved.
    """
    try:
        results = finished_trials(config, prepared, run)
    except KeyboardInterrupt as error:
        raise InterruptedRun(f"interrupted; finished trainings are saved, `--resume {run.path}` goes on") from error
    summary = Summary(results, prepared.domains.test()[1])
    log(*summary.lines())
    return summary


def finished_trials(config: "RecognizeConfig", prepared: PreparedComparison, run: RunDirectory) -> list[TrialResult]:
    """Results of all trials; those that the run directory holds are not trained again."""
    loaded = {number: load_result(run, number, trial) for number, trial in enumerate(prepared.trials)}
    results = {number: result for number, result in loaded.items() if result is not None}
    missing = [number for number in loaded if number not in results]
    pending = [prepared.trials[number] for number in missing]
    trained = run_trials(prepared.domains, pending, config.task_settings())
    for number, result in zip(missing, trained, strict=True):
        save_result(run, number, result)
        results[number] = result
        for record in result.history:
            run.log({"run": f"{result.trial.row}, seed {result.trial.seed}", **record})
    return [results[number] for number in loaded]
