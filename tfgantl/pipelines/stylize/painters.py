"""What paints a picture of a job into a run directory: by optimisation; others are in `pass_painters`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from tfgantl.images import to_uint8, to_unit
from tfgantl.pipelines.stylize.preparation import Job
from tfgantl.progress import bar, log
from tfgantl.style.color import with_colors_of
from tfgantl.style.pictures import read_picture, resized, save_picture
from tfgantl.training.interruption import Interruption
from tfgantl.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from tfgantl.pipelines.stylize import StylizeConfig
    from tfgantl.style.coarse_to_fine import Painting, PaintingTask


RECORD_EVERY = 10  # steps between records


def place(run: RunDirectory, path: Path | None) -> Path:
    """Where the result of a picture lies in the run directory."""
    return run.path / "painted" / f"{path.stem if path else 'texture'}.png"


class Painter(Protocol):
    """What paints the pictures of a job.

    Attributes:
        steps: Of each picture.
        history: Name of a picture → records of its losses.
        facts: What results depend on, beside settings, pictures and packages.
    """

    steps: int
    history: dict[str, list[dict]]
    facts: dict[str, str]

    def notes(self) -> list[str]:
        """Lines for the log, before anything is painted."""
        ...

    def paint(self, run: RunDirectory, number: int) -> dict:
        """Paints one picture of the job, and tells of it."""
        ...


class OptimizingPainter:
    """Optimises each picture; goes on where an interrupted run stopped.

    Args:
        config: The `StylizeConfig`.
        job: What to paint.
    """

    def __init__(self, config: "StylizeConfig", job: Job) -> None:
        from tfgantl.models.copies import weights_hash
        from tfgantl.models.vgg import vgg16
        from tfgantl.style.losses import CONTENT_LAYER, STYLE_LAYERS

        self.config, self.job = config, job
        self.history: dict[str, list[dict]] = {}
        self.network = vgg16(
            (CONTENT_LAYER, *STYLE_LAYERS), config.weights, downsampling=config.downsampling, dtype=job.dtype
        )
        self.steps = config.steps
        self.facts = {"vgg16": weights_hash(self.network)}

    def notes(self) -> list[str]:
        """None."""
        return []

    def paint(self, run: RunDirectory, number: int) -> dict:
        """Paints one picture.

        Args:
            run: Where results, intermediate images and the state go.
            number: Of the picture in the job.

        Returns:
            `content_loss, style_loss, seconds_per_step, effective_weights`.

        Raises:
            InterruptedRun: If a signal asks to stop; the last image, and all to go on with, are saved.
        """
        from tfgantl.style.coarse_to_fine import Painting, paint
        from tfgantl.style.state import load_state, save_state

        path, config = self.job.contents[number], self.config
        task, title = self._task(run, number), path.stem if path else "texture"
        state, painting = load_state(run), None
        if state is not None and int(state["picture"]) == number:
            optimizer = {name: value for name, value in state.items() if name.startswith("adam")}
            painting = Painting(
                state["image"], int(state["step"]), state={"image": state["image"], **optimizer},
                terms={name[5:]: float(value) for name, value in state.items() if name.startswith("term_")},
            )  # fmt: skip
            log(f"{title}: going on from step {painting.step}")
        records = self.history[title] = run.keep_records(title, painting.step if painting else 0)
        progress = bar(config.steps, title)
        progress.update(painting.step if painting else 0)

        def on_step(painting: "Painting") -> bool:
            progress.update()
            if painting.step % RECORD_EVERY == 0 or painting.step == config.steps:
                progress.set_postfix({name: f"{v:.3g}" for name, v in painting.terms.items()}, refresh=False)
                records.append({"step": painting.step, **painting.terms})
                run.log({"run": title, **records[-1]})
            return interruption.asked is not None

        def on_state(painting: "Painting") -> None:
            picture = self._finished(task, cast(np.ndarray, painting.image))
            if len(self.job.contents) == 1:
                target = run.path / "steps" / f"{painting.step:06}.png"
                write_painted(run, target, picture)
            write_painted(run, place(run, path), picture)
            terms: dict[str, Any] = {f"term_{name}": np.float32(value) for name, value in painting.terms.items()}
            save_state(run, {**(painting.state or {}), **terms}, step=painting.step, picture=number)

        with Interruption() as interruption:
            try:
                painting = paint(task, self.network, on_step, on_state, painting, config.save_every)
            finally:
                progress.close()
            if interruption.asked:
                interruption.stop(painting.step, run.path)
        seconds, count = painting.seconds
        if painting.effective:
            log(f"{title}: effective weights " + ", ".join(f"{k} {v:.3g}" for k, v in painting.effective.items()))
        return {
            "content_loss": painting.terms.get("content"), "style_loss": painting.terms.get("style"),
            "seconds_per_step": round(seconds / count, 4) if count else None,
            "effective_weights": painting.effective,
        }  # fmt: skip

    def _task(self, run: RunDirectory, number: int) -> "PaintingTask":
        from tfgantl.style.coarse_to_fine import PaintingTask
        from tfgantl.style.objective import Weights

        config, job, before = self.config, self.job, None
        path = job.contents[number]
        if config.smooth and number:
            earlier = cast(Path, job.contents[number - 1])  # frames are of a folder
            before = read_picture(place(run, earlier), "content"), job.read(earlier)
        return PaintingTask(
            None if path is None else job.read(path), job.styles, job.shares,
            Weights(config.content_weight, config.style_weight, config.tv_weight, config.smooth), config.passed,
            config.steps, job.init, config.strength, config.preserve_color == "cov", job.masks, before,
            config.optimizer, config.learning_rate, config.seed,
        )  # fmt: skip

    def _finished(self, task: "PaintingTask", image: np.ndarray) -> np.ndarray:
        """uint8 (height, width, 3) with colours and regions of the content where they are to stay."""
        shape = image.shape[1:3]
        if task.content is None:
            return to_uint8(image[0])
        content = to_unit(resized(task.content, shape))
        painted = with_colors_of(image[0], content) if self.config.preserve_color == "lum" else image[0]
        if task.masks is not None:
            covered = np.clip(sum(resized(mask, shape).astype(np.float32) / 255 for mask in task.masks), 0, 1)
            painted = covered * painted + (1 - covered) * content
        return to_uint8(painted)


def write_painted(run: RunDirectory, target: Path, picture: np.ndarray) -> None:
    """Writes a picture to its place in the run directory."""
    with run.replacing(str(target.relative_to(run.path))) as temporary:
        save_picture(temporary, picture)
