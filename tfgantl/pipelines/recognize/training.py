"""Trains whatever the run directory does not hold yet; several workers share the trainings."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tfgantl.errors import InterruptedRun
from tfgantl.pipelines.recognize.preparation import PreparedComparison
from tfgantl.progress import log
from tfgantl.recognition.comparison import TrialResult
from tfgantl.recognition.comparison import run as run_trials
from tfgantl.recognition.results import load_result, save_result
from tfgantl.recognition.summary import Summary
from tfgantl.training.run_directory import RunDirectory, read_log
from tfgantl.training.team import current

if TYPE_CHECKING:
    from tfgantl.pipelines.recognize import RecognizeConfig


def train(config: "RecognizeConfig", prepared: PreparedComparison, run: RunDirectory) -> list[TrialResult]:
    """Runs all trials that the run directory does not hold yet.

    Each worker trains its share, and begins with classifiers of the source that it trains itself: those of equal seeds
    are equal.

    Args:
        config: The `RecognizeConfig`.
        prepared: What to train.
        run: Where results are saved, and read from when a run goes on.

    Returns:
        Results of all trials; on workers other than the chief, of their own.

    Raises:
        InterruptedRun: If a signal ends it; the trials that have finished are saved.
    """
    try:
        return _finished(config, prepared, run)
    except KeyboardInterrupt as error:
        raise InterruptedRun(f"interrupted; finished trainings are saved, `--resume {run.path}` goes on") from error


def _finished(config: "RecognizeConfig", prepared: PreparedComparison, run: RunDirectory) -> list[TrialResult]:
    team, trials = current(), prepared.trials
    results: dict[int, TrialResult] = {}

    def read(numbers: Iterable[int]) -> None:
        logged = {record["run"] for record in read_log(run.path)}
        for number in numbers:
            result = load_result(run, number, trials[number])
            if result is not None:
                results[number] = result
                if _title(result) not in logged:  # another worker has saved it
                    _log_history(run, result)

    def missing_ones() -> list[int]:
        read(range(len(trials)))
        return [number for number in range(len(trials)) if number not in results]

    missing = team.lead(missing_ones)
    mine = team.share_of(missing)
    if len(mine) < len(missing):
        log(f"{len(missing)} trainings are shared among workers, and {len(mine)} of them done by the chief")
    trained = run_trials(prepared.domains, [trials[number] for number in mine], config.task_settings())
    for number, result in zip(mine, trained, strict=True):
        save_result(run, number, result)
        results[number] = result
        _log_history(run, result)
    team.meet()
    if team.is_chief:
        read(number for number in missing if number not in mine)
    return [results[number] for number in sorted(results)]


def _title(result: TrialResult) -> str:
    return f"{result.trial.row}, seed {result.trial.seed}"


def _log_history(run: RunDirectory, result: TrialResult) -> None:
    for record in result.history:
        run.log({"run": _title(result), **record})


def summarize(results: list[TrialResult], prepared: PreparedComparison) -> Summary:
    """Sums up the results of all trials, and logs them."""
    summary = Summary(results, prepared.domains.test()[1])
    log(*summary.lines())
    return summary
