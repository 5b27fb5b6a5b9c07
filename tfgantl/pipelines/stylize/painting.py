"""Paints the pictures of a job one by one, and brings them to where they were asked for."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tfgantl.files import Replacing
from tfgantl.pipelines.stylize.painters import OptimizingPainter, Painter, place
from tfgantl.pipelines.stylize.preparation import Job
from tfgantl.style.pictures import read_picture, save_picture
from tfgantl.style.state import load_state
from tfgantl.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from tfgantl.pipelines.stylize import StylizeConfig


def make_painter(config: "StylizeConfig", job: Job) -> Painter:
    """The one that a configuration asks for."""
    from tfgantl.pipelines.stylize.pass_painters import ModulePainter, PhrasePainter

    if job.phrase is not None:
        return PhrasePainter(config, job, job.phrase)
    return OptimizingPainter(config, job) if config.hub is None else ModulePainter(config, job, config.hub)


def paint_all(config: "StylizeConfig", job: Job, painter: Painter, run: RunDirectory) -> tuple[Path, dict]:
    """Paints all pictures of a job, from the one on that an interrupted run was at.

    Args:
        config: The `StylizeConfig`.
        job: What to paint.
        painter: How to paint.
        run: Where results go.

    Returns:
        Where the results are, and what the painter says of the last one.

    Raises:
        InterruptedRun: If a signal asks to stop; what has been painted is delivered before.
    """
    state, last = load_state(run), {}
    first = 0 if state is None else int(state["picture"])
    try:
        for number in range(first, len(job.contents)):
            last = painter.paint(run, number)
    finally:
        output = deliver(config.output, [place(run, path) for path in job.contents])
    return output, last


def deliver(output: str | None, painted: list[Path]) -> Path:
    """Copies results that are there from the run directory to where they were asked for.

    Args:
        output: File, or directory for several; `None` to leave them where they are.
        painted: Files in the run directory.

    Returns:
        The file or directory.
    """
    several = len(painted) > 1 or (output is not None and not Path(output).suffix)
    if output is None:
        return painted[0].parent if several else painted[0]
    target = Path(output)
    for path in (path for path in painted if path.is_file()):
        if several:
            target.mkdir(exist_ok=True)
            _copy(path, target / path.name)
        elif target.suffix.lower() == ".png":
            _copy(path, target)
        else:
            save_picture(target, read_picture(path, "output"))
    return target


def _copy(path: Path, target: Path) -> None:
    with Replacing(target) as temporary:
        shutil.copyfile(path, temporary)
