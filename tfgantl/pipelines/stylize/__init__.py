"""Paints a picture in the style of others: by optimising its pixels, or in one pass with a module of TF-Hub.

`python -m tfgantl.pipelines.stylize CONTENT STYLE… [-o OUT]`, or `tfgantl stylize`. `… stylize train` trains a network
of many styles, `… stylize apply` paints with it.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tfgantl.cli import run as run_cli
from tfgantl.configuration import to_yaml
from tfgantl.errors import ConfigError, check_above, check_at_least, check_seed, check_within
from tfgantl.files import check_name
from tfgantl.pipelines.stylize.arguments import named
from tfgantl.training.optimization import Precision
from tfgantl.training.run_directory import RunDirectory

SMALLEST = 32  # pixels of the shorter side, at the coarsest size
NONE = "none"


@dataclass(frozen=True)
class StylizeConfig:
    """Settings of a painting. The first word of the command line is `content`, those after it are `styles`.

    Args:
        content: Picture, folder of pictures or frames, or the name of a photograph that scikit-image ships; none for
            a texture of the styles alone.
        styles: Pictures or names, with weights as in a.jpg:0.7,b.jpg:0.3; none to reconstruct the content.
        output: Where the result goes: a .png, .jpg or .webp file, or a directory if the content is a folder; in any
            case it is in the run directory.
        size: Pixels of the longer side.
        sizes: Sizes to pass on the way, from the coarsest; half of `size` if that is 128 or more, and not given.
        steps: Steps in all.
        optimizer: adam, or lbfgs, which gets lower in a step, but needs float32 and more memory.
        learning_rate: Of Adam, for pixels in [-1, 1].
        content_weight: Of the content, which counts 1 when nothing of it is left.
        style_weight: Of the style, which counts 1 at the beginning.
        tv_weight: Of total variation, which counts 1 at the beginning.
        strength: From 0 for the Gram matrices of the content to 1 for those of the style.
        preserve_color: lum keeps the colours of the content and paints its brightness; cov gives styles the colours of
            the content before.
        masks: Gray pictures of the size of the content, separated by commas, one for each style: where it goes.
            Outside of all of them the content stays.
        init: What to begin with: content, style, noise, or a picture; auto is content, or noise where there is no
            content or no style.
        smooth: Weight of the difference from the frame before where the content has not moved, for frames in a folder.
        downsampling: Between the blocks of VGG16, max or average.
        weights: Those of VGG16: imagenet, a file, or an address.
        hub: Module for arbitrary styles, a directory or an address, that paints in one pass instead.
        allow_ops: Operations of the module that are trusted, of those that are refused otherwise.
        seed: Of the noise.
        precision: auto takes bfloat16 where the processor computes in it; for lbfgs always float32.
        name: Name of the run directory; that of the content if not given.
        run_dir: New directory for everything that the run writes; runs/NAME/NUMBER if not given.
        save_every: Steps between intermediate images, from which an interrupted run can go on.
        resume: Directory of an interrupted run to go on with; it keeps its own settings.
        allow_changes: Go on also if its data or the versions of packages have changed.
        json: Print the result as the last line, one JSON object.
    """

    content: str = "astronaut"
    styles: str = "ihc"
    output: str | None = None
    size: int = 384
    sizes: tuple[int, ...] | None = None
    steps: int = 300
    optimizer: Literal["adam", "lbfgs"] = "adam"
    learning_rate: float = 0.05
    content_weight: float = 1.0
    style_weight: float = 20.0
    tv_weight: float = 0.01
    strength: float = 1.0
    preserve_color: Literal["no", "lum", "cov"] = "no"
    masks: str | None = None
    init: str = "auto"
    smooth: float = 0.0
    downsampling: Literal["max", "average"] = "max"
    weights: str = "imagenet"
    hub: str | None = None
    allow_ops: tuple[str, ...] = ()
    seed: int = 0
    precision: Precision = "auto"
    name: str | None = None
    run_dir: str | None = None
    save_every: int = 50
    resume: str | None = None
    allow_changes: bool = False
    json: bool = False

    def __post_init__(self):
        check_at_least(self, 1, "steps", "save_every")
        check_at_least(self, SMALLEST, "size")
        check_at_least(self, 0, "content_weight", "style_weight", "tv_weight", "smooth")
        check_above(self, 0, "learning_rate")
        check_within(self, "[0, 1]", "strength")
        check_seed("seed", self.seed)
        if self.name is not None:
            check_name(self.name)
        sizes = self.passed
        if list(sizes) != sorted(set(sizes)) or sizes[-1] != self.size or sizes[0] < SMALLEST:
            raise ConfigError(
                f"`sizes` must rise from {SMALLEST} or more to `size`. Received: {', '.join(map(str, sizes))}"
            )
        if self.steps < len(sizes):
            raise ConfigError(f"`steps` must be at least {len(sizes)}, the number of sizes. Received: {self.steps}")
        of_content = self.preserve_color != "no" or self.masks is not None or self.strength < 1 or self.hub is not None
        if self.content == NONE and (of_content or self.styles == NONE):
            raise ConfigError(
                "`content` must be there for `strength`, `preserve_color`, `masks` and `hub`, and where there are no "
                "styles. Received: none"
            )
        if self.styles != NONE and not self.style_weight and self.hub is None:
            raise ConfigError("`style_weight` must be above 0 if there are styles. Received: 0")
        if self.hub is not None and (self.styles == NONE or self.masks):
            raise ConfigError("`hub` must be given with styles, and without `masks`. Received: otherwise")

    @property
    def passed(self) -> tuple[int, ...]:
        """All sizes, from the coarsest to the last."""
        if self.sizes is not None:
            return tuple(self.sizes)
        return (self.size // 2, self.size) if self.size >= 256 and self.steps > 1 else (self.size,)


def stylize(config: StylizeConfig) -> dict:
    """Paints all pictures of the content.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: `output, size, steps, content_loss, style_loss, seconds_per_step` of the last picture,
        and more.

    Raises:
        TfgantlError: If pictures, weights or directories cannot be used, the size does not fit, or it diverges.
    """
    from tfgantl.pipelines.stylize.painters import make_painter, place
    from tfgantl.pipelines.stylize.preparation import check_output, prepare
    from tfgantl.pipelines.stylize.results import deliver, style_report
    from tfgantl.progress import log

    start = time.perf_counter()
    check_output(config.output, Path(config.content).is_dir())
    job = prepare(config)
    name = check_name(config.name or job.name)
    painter = make_painter(config, job)
    with RunDirectory.open(config, name) as run:
        run.begin(to_yaml(config), {**job.facts, **painter.facts}, config.allow_changes)
        log(f"{name}: {len(job.contents)} pictures, {len(job.styles)} styles, run directory {run.path}")
        last = {}
        try:
            for number in range(first_picture(run), len(job.contents)):
                last = painter.paint(run, number)
        finally:  # also what was painted before a signal came
            output = deliver(config.output, [place(run, path) for path in job.contents])
        result = {
            "output": str(output), "size": config.size, "steps": painter.steps, **last,
            "pictures": len(job.contents), "run_dir": str(run.path), "seconds": round(time.perf_counter() - start, 1),
        }  # fmt: skip
        run.log({"run": "result", "name": name, **result})
        page = style_report(f"{name}: {config.styles}", config, job, run, painter.history, result)
        run.write("report.html", page.html())  # last: what a run that has ended can be known by
        log(f"report: {run.path / 'report.html'}", f"picture: {output}")
    return result


def first_picture(run: RunDirectory) -> int:
    """Number of the picture that a run was at when it was interrupted."""
    from tfgantl.style.state import load_state

    state = load_state(run)
    return 0 if state is None else int(state["picture"])


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["train"]:
        from tfgantl.pipelines.stylize.train import main as train

        return train(arguments[1:])
    if arguments[:1] == ["apply"]:
        from tfgantl.pipelines.stylize.apply import main as apply

        return apply(arguments[1:])
    return run_cli(StylizeConfig, "stylize", stylize, {}, named(arguments, "content"))
