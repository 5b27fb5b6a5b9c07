"""Paints the pictures of a job one by one into a run directory: by optimisation, or with a module."""

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tfgantl.files import Replacing
from tfgantl.images import to_uint8, to_unit
from tfgantl.pipelines.stylize.preparation import Job
from tfgantl.progress import bar, log
from tfgantl.style.color import match_colors, with_colors_of
from tfgantl.style.pictures import read_picture, resized, save_picture, shape_at
from tfgantl.training.interruption import Interruption
from tfgantl.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from tfgantl.pipelines.stylize import StylizeConfig
    from tfgantl.style.coarse_to_fine import Painting, PaintingTask


RECORD_EVERY = 10  # steps between records


def place(run: RunDirectory, path: Path | None) -> Path:
    """Where the result of a picture lies in the run directory."""
    return run.path / "painted" / f"{path.stem if path else 'texture'}.png"


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
                _write(run, target, picture)
            _write(run, place(run, path), picture)
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
        if config.smooth and number:
            earlier = cast(Path, job.contents[number - 1])  # frames are of a folder
            before = read_picture(place(run, earlier), "content"), read_picture(earlier, "content")
        return PaintingTask(
            job.read(job.contents[number]), job.styles, job.shares,
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


class ModulePainter:
    """Paints each picture in one pass with a module for arbitrary styles.

    Args:
        config: The `StylizeConfig`.
        job: What to paint; several styles are painted one by one and mixed.
        hub: Handle of the module.
    """

    def __init__(self, config: "StylizeConfig", job: Job, hub: str) -> None:
        from tfgantl.style.arbitrary import load_module

        self.config, self.job, self.hub, self.steps = config, job, hub, 1
        self.history: dict[str, list[dict]] = {}
        self.module, digest = load_module(hub, config.allow_ops)
        self.facts = {"module": digest}

    def paint(self, run: RunDirectory, number: int) -> dict:
        """Paints one picture; losses are not known."""
        from tfgantl.style.arbitrary import paint_with

        path, config = cast(Path, self.job.contents[number]), self.config  # a module needs a content
        picture, start = read_picture(path, "content"), time.perf_counter()
        content = to_unit(resized(picture, shape_at(picture, config.size)))
        painted = np.zeros_like(content)
        for style, share in zip(self.job.styles, self.job.shares, strict=True):
            image = to_unit(style)
            image = match_colors(image, content) if config.preserve_color == "cov" else image
            painted = painted + share * paint_with(self.module, content, image, self.hub)
        painted = content + config.strength * (painted - content)
        if config.preserve_color == "lum":
            painted = with_colors_of(painted, content)
        if config.smooth and number:
            painted = self._smoothed(run, number, content, painted)
        _write(run, place(run, path), to_uint8(painted))
        seconds = round(time.perf_counter() - start, 4)
        return {"content_loss": None, "style_loss": None, "seconds_per_step": seconds, "effective_weights": {}}

    def _smoothed(self, run: RunDirectory, number: int, content: np.ndarray, painted: np.ndarray) -> np.ndarray:
        """Mixed with the frame before where the content has not moved."""
        from tfgantl.style.objective import held

        earlier = cast(Path, self.job.contents[number - 1])
        shape = content.shape[:2]
        frame, result = (read_picture(path, "content") for path in (earlier, place(run, earlier)))
        before = to_unit(resized(result, shape)), to_unit(resized(frame, shape))
        return held(painted, content, before, self.config.smooth)


def make_painter(config: "StylizeConfig", job: Job) -> OptimizingPainter | ModulePainter:
    """The one that a configuration asks for."""
    return OptimizingPainter(config, job) if config.hub is None else ModulePainter(config, job, config.hub)


def paint_all(
    config: "StylizeConfig", job: Job, painter: OptimizingPainter | ModulePainter, run: RunDirectory
) -> tuple[Path, dict]:
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
    from tfgantl.style.state import load_state

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


def _write(run: RunDirectory, target: Path, picture: np.ndarray) -> None:
    target.parent.mkdir(exist_ok=True)
    with run.replacing(str(target.relative_to(run.path))) as temporary:
        save_picture(temporary, picture)
