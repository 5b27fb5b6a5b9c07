"""Draws what a text says, with a text-conditional generator.

`python -m tfgantl.pipelines.imagine TEXT [-o DIR]`, or `tfgantl imagine`. `… imagine train` trains such a generator.
"""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, check_at_least, check_seed
from tfgantl.pipelines.edit.arguments import named
from tfgantl.pipelines.session import Session
from tfgantl.pipelines.settings import RunConfig

if TYPE_CHECKING:
    from tfgantl.pipelines.imagine.results import ImagineResult

MOST = 10_000  # pictures of one text


@dataclass(frozen=True, kw_only=True)
class ImagineConfig(RunConfig):
    """Settings of a drawing. The first word of the command line is `text`, and `-o` is `run_dir`.

    Args:
        text: What to draw.
        model: Run directory of `tfgantl imagine train`; the shipped model of digits if not given.
        count: Pictures to draw.
        seed: Of the first picture; the others have those after it.
    """

    text: str = "a thick slanted seven"
    model: str | None = None
    count: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 1, "count")
        check_seed("seed", self.seed)
        if self.count > MOST:
            raise ConfigError(f"`count` must be at most {MOST}. Received: {self.count}")

    @property
    def run_name(self) -> str:
        """The name that was given, or that of the verb."""
        return self.name or "imagine"


def imagine(config: ImagineConfig) -> "ImagineResult":
    """Draws pictures of a text.

    Args:
        config: The settings.

    Returns:
        The pictures, what they are called and what words were not known.

    Raises:
        TfgantlError: If the text says nothing that is known, or the model or the run directory cannot be used.
    """
    import numpy as np

    from tfgantl.crossmodal.text_checks import check_text, told_unknown
    from tfgantl.crossmodal.text_to_image import load_text_to_image
    from tfgantl.images import encode_png, grid
    from tfgantl.models.copies import layers_hash, weights_hash
    from tfgantl.pipelines.imagine.results import ImagineResult, imagine_report, scale_of

    session = Session(config)
    model = load_text_to_image(config.model)
    text = check_text(config.text, model.text_encoder)
    unknown = model.text_encoder.unknown_words(text)
    hashes = {"generator": weights_hash(model.generator), "text encoder": weights_hash(model.text_encoder)}
    facts = {**hashes, "layers of the generator": layers_hash(model.generator)}
    with session.open(config.run_name, facts, f"{config.count} pictures of `{text}`", *told_unknown(unknown)) as run:
        seeds = [config.seed + i for i in range(config.count)]
        images = model.draw([text] * config.count, np.array(seeds))
        files = [run.write(f"seed-{seed}.png", encode_png(image)) for seed, image in zip(seeds, images, strict=True)]
        sheet = run.write_png("sheet.png", grid(images, 10), scale_of(images))
        return session.finish(
            ImagineResult(
                run_dir=run.path, phrase=text, unknown_words=unknown, seeds=seeds, files=files, sheet=sheet,
                seconds=session.seconds, images=images, report=imagine_report(config, text, unknown, seeds, sheet),
            )
        )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["train"]:
        from tfgantl.pipelines.imagine.train import main as train

        return train(arguments[1:])
    return run_cli(ImagineConfig, "imagine", imagine, {}, named(arguments, "text"))
