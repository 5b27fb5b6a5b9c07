"""One run, from its directory to its report: what all verbs that write a run directory do in the same way."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tfgantl.configuration import to_yaml
from tfgantl.files import absolute
from tfgantl.pipelines.results import RunResult
from tfgantl.pipelines.settings import RunConfig
from tfgantl.training.run_directory import OthersRun, RunDirectory
from tfgantl.training.run_facts import compared_settings
from tfgantl.versions import versions

if TYPE_CHECKING:
    from tfgantl.training.team import Team

SomeResult = TypeVar("SomeResult", bound=RunResult)
T = TypeVar("T")
N = TypeVar("N")


class Session:
    """A run of a verb; the clock starts when it is made.

    A verb uses it so:

        session = Session(config)
        with session.open(config.run_name, facts, "100 training images") as run:
            ...
            return session.finish(result)

    Args:
        config: Settings of the verb.
    """

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        if config.sharing is not None:
            from tfgantl.training.team import form

            form(getattr(config, "devices", 1), config.shared_batch)
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the session was made."""
        return round(time.perf_counter() - self._started, 1)

    @contextmanager
    def open(
        self, name: str, facts: dict[str, str], opening: str, *notes: str, folder: str | None = None
    ) -> Iterator[RunDirectory]:
        """Opens the run directory, be it new, named or that of a run to go on with.

        Args:
            name: Name of the run.
            facts: What results depend on beside settings and packages, compared when a run goes on.
            opening: What is about to be done, for the log.
            *notes: Further lines for the log.
            folder: Folder in `runs/` for runs of this name; the name itself if not given.

        Yields:
            The run directory, which no other run can use meanwhile.

        Raises:
            RunError: If the directory cannot be used, or something has changed since the run was interrupted.
        """
        from tfgantl.progress import log

        self.name, recipe = name, to_yaml(self._stored())
        with ExitStack() as stack:

            def opened() -> tuple[str, str]:
                self._run = stack.enter_context(RunDirectory.open(self.config, folder or name))
                self._run.begin(recipe, facts, self.config.allow_changes)
                return str(self._run.path.absolute()), self._run.id

            team = self._team()
            team.compare({**versions(), **facts, **compared_settings(recipe)})
            path, run_id = team.lead(opened)
            if not team.is_chief:
                self._run = stack.enter_context(OthersRun(Path(path), run_id))
            run = self._run
            log(f"{name}: {opening}, run directory {run.path}", *notes)
            try:
                yield run
            except KeyboardInterrupt:
                log(f"{name}: to go on with what is finished, --resume {run.path}")
                raise

    def _team(self) -> "Team":
        from tfgantl.training.team import current

        return current()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Within it, networks have copies on all devices, which share the steps of trainings.

        Raises:
            WorkerError: If a worker has gone.
        """
        from tfgantl.training.team import errors_of_workers

        with self._team().strategy.scope(), errors_of_workers():
            yield

    def alone(self, network: N) -> N:
        """The same network for what the chief does by itself, without copies on several devices."""
        from tfgantl.models.copies import same_copy

        return network if self._team().replicas == 1 else same_copy(network)

    def by_chief(self, work: Callable[[], T]) -> T:
        """What is left to do when all workers have trained: the chief does it, and the others wait, and get `None`."""
        return self._team().by_chief(work)

    def _stored(self) -> RunConfig:
        """The settings as the run keeps them: what is published lands in the same place from wherever it goes on."""
        directory = getattr(self.config, "export_dir", None)
        return replace(self.config, export_dir=absolute(directory)) if directory else self.config  # type: ignore[call-arg]

    def finish(self, result: SomeResult, classes: tuple[str, ...] | None = None) -> SomeResult:
        """Ends the run: the result goes into the log, then the report is written, then it is said where things are.

        The report comes last, since a run directory with a report is one that has ended and cannot be resumed.

        Args:
            result: Of the verb.
            classes: Names of the classes that labels stand for, kept with the result.

        Returns:
            The same result.
        """
        from tfgantl.progress import log

        named = {"class_names": classes} if classes else {}
        self._run.log({"run": "result", "name": self.name, **named, **result.to_record()})
        self._run.write("report.html", result.report.html())
        log(*result.closing_lines())
        return result
