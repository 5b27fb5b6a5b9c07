"""Paints a picture in the style of others, or as a phrase says: by optimising its pixels, or in one pass.

`python -m tfgantl.pipelines.stylize CONTENT STYLE… [-o OUT]`, or `tfgantl stylize`. `… stylize train` trains a network
of many styles, `… stylize apply` paints with it, `… stylize describe` says in words what a style is like.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, check_above, check_at_least, check_seed, check_within
from tfgantl.files import check_name
from tfgantl.pipelines.session import Session
from tfgantl.pipelines.settings import RunConfig, resolve_paths
from tfgantl.pipelines.stylize.arguments import named
from tfgantl.training.precision import UnscaledPrecision

if TYPE_CHECKING:
    from tfgantl.pipelines.stylize.results import StylizeResult

MIN_SIZE = 32  # pixels of the shorter side, at the coarsest size
NONE = "none"


@dataclass(frozen=True)
class StylizeConfig(RunConfig):
    """Settings of a painting. The first word of the command line is `content`, those after it are `styles`.

    Args:
        content: Picture, folder of pictures or frames, or the name of a photograph that scikit-image ships; none for
            a texture of the styles alone.
        styles: Pictures or names, with weights as in a.jpg:0.7,b.jpg:0.3; none to reconstruct the content; or a
            phrase, as "dark, grainy, blue", which a network of many styles paints in one pass.
        model: Network for a phrase, as `tfgantl stylize train` leaves it: its run directory; the shipped one if not
            given.
        blend: How the styles of a phrase are shown: mix for a look between them, regions for a region of each, by its
            share, dark styles in dark parts of the picture.
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
        precision: auto takes bfloat16 below 512 px where the processor computes in it; for lbfgs always float32.
        name: Name of the run directory; that of the content if not given.
        save_every: Steps between intermediate images, from which an interrupted run can go on.
    """

    content: str = "astronaut"
    styles: str = "ihc"
    model: str | None = None
    blend: Literal["mix", "regions"] = "mix"
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
    precision: UnscaledPrecision = "auto"
    name: str | None = None
    save_every: int = 50

    def __post_init__(self) -> None:
        resolve_paths(self)
        check_at_least(self, 1, "steps", "save_every")
        check_at_least(self, MIN_SIZE, "size")
        check_at_least(self, 0, "content_weight", "style_weight", "tv_weight", "smooth")
        check_above(self, 0, "learning_rate")
        check_within(self, "[0, 1]", "strength")
        check_seed("seed", self.seed)
        if self.name is not None:
            check_name(self.name)
        sizes = self.passed
        if list(sizes) != sorted(set(sizes)) or sizes[-1] != self.size or sizes[0] < MIN_SIZE:
            raise ConfigError(
                f"`sizes` must rise from {MIN_SIZE} or more to `size`. Received: {', '.join(map(str, sizes))}"
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
    def run_name(self) -> str:
        """The name that was given, or that of the content."""
        from tfgantl.pipelines.stylize.preparation import name_of

        return self.name or name_of(self.content, self.styles)

    @property
    def passed(self) -> tuple[int, ...]:
        """All sizes, from the coarsest to the last."""
        if self.sizes is not None:
            return tuple(self.sizes)
        return (self.size // 2, self.size) if self.size >= 256 and self.steps > 1 else (self.size,)


def stylize(config: StylizeConfig) -> "StylizeResult":
    """Paints all pictures of the content.

    Args:
        config: The settings.

    Returns:
        Where the pictures are, the losses of the last one, and the report.

    Raises:
        TfgantlError: If pictures, weights or directories cannot be used, the size does not fit, or it diverges.
    """
    from tfgantl.pipelines.stylize.painting import make_painter, paint_all
    from tfgantl.pipelines.stylize.preparation import check_output, prepare
    from tfgantl.pipelines.stylize.results import StylizeResult, style_report

    session = Session(config)
    check_output(config.output, Path(config.content).is_dir())
    job = prepare(config)
    painter = make_painter(config, job)
    with session.open(
        check_name(config.run_name), {**job.facts, **painter.facts}, job.opening(), *painter.notes()
    ) as run:
        output, last = paint_all(config, job, painter, run)
        numbers = {"steps": painter.steps, "seconds": session.seconds, **last}
        report = style_report(config, job, run, painter.history, numbers)
        return session.finish(
            StylizeResult(
                output=output, size=config.size, pictures=len(job.contents), run_dir=run.path, report=report, **numbers
            )
        )


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["train"]:
        from tfgantl.pipelines.stylize.train import main as train

        return train(arguments[1:])
    if arguments[:1] == ["apply"]:
        from tfgantl.pipelines.stylize.apply import main as apply

        return apply(arguments[1:])
    if arguments[:1] == ["describe"]:
        from tfgantl.pipelines.stylize.describe import main as describe

        return describe(arguments[1:])
    return run_cli(StylizeConfig, "stylize", stylize, {}, named(arguments, "content"))
