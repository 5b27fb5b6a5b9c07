"""Trains one network for many styles, or new styles for a network that is trained.

`tfgantl stylize train CONTENT STYLE…`.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tfgantl.cli import run as run_cli
from tfgantl.crossmodal.captions import MEASURED_CAPTIONS
from tfgantl.errors import ConfigError, check_above, check_at_least, check_seed
from tfgantl.pipelines.session import Session
from tfgantl.pipelines.settings import PublishingConfig
from tfgantl.pipelines.stylize.arguments import named
from tfgantl.training.precision import UnscaledPrecision
from tfgantl.training.settings import Devices

if TYPE_CHECKING:
    from tfgantl.pipelines.stylize.training_results import StyleTrainingResult

STYLES = "ihc,hubble_deep_field,brick,coffee"


@dataclass(frozen=True)
class StyleTrainingConfig(PublishingConfig):
    """Settings of a training.

    Args:
        content: Folder of pictures to learn painting on; photographs of scikit-image if not given.
        styles: Pictures or names of shipped photographs or textures, separated by commas; `painted` for all textures.
        base: Trained network (.keras) whose kernels are kept: only rows for the new styles are trained, and added.
        baseline: Whether a network for the new styles alone is trained from scratch with the same budget, for
            comparison with a `base`.
        size: Height and width of training crops in pixels.
        steps: Training steps.
        batch_size: Crops a step.
        style_weight: Of the style loss; that of the content loss is 1.
        adversarial: Weight of the loss of a GAN, whose discriminator learns what the styles look like; 0 for none.
        tv_weight: Of total variation.
        learning_rate: At the beginning.
        width: Channels of the network at full size.
        blocks: Residual blocks.
        captions: Words for the styles, so that phrases can ask for them: measured, of their pictures; or a CSV
            (`file,caption`), a .jsonl file, or a folder with `metadata.jsonl` or a .txt beside each picture; none to
            learn no phrases.
        on_bad_captions: What to do about captions without a style and captions that cannot be read: error stops and
            names one, skip leaves them out and says so.
        phrase_steps: Training steps of what reads phrases.
        preset_dir: New directory for the network in half precision, with what it knows of phrases.
        weights: Those of VGG16: imagenet, a file, or an address.
        seed: Makes the run repeatable.
        precision: auto takes bfloat16 where the processor computes in it.
        name: Name in run and export directories.
        save_every: Steps between checkpoints.
        devices: Devices of this machine that share each batch, as for `adapt` (docs/scale.md).
        show_training_pictures: Whether the published version holds before_after.png, which shows pictures of `content`
            and `styles`; servers show it to anybody.
    """

    content: str | None = None
    styles: str = STYLES
    base: str | None = None
    baseline: bool = False
    size: int = 128
    steps: int = 2500
    batch_size: int = 4
    style_weight: float = 5.0
    adversarial: float = 0.0
    tv_weight: float = 0.1
    learning_rate: float = 3e-3
    width: int = 16
    blocks: int = 5
    captions: str | None = MEASURED_CAPTIONS
    on_bad_captions: Literal["error", "skip"] = "error"
    phrase_steps: int = 400
    preset_dir: str | None = None
    weights: str = "imagenet"
    seed: int = 0
    precision: UnscaledPrecision = "auto"
    name: str = "styles"
    save_every: int = 500
    devices: Devices = "auto"
    show_training_pictures: bool = False

    sharing = "steps"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 1, "steps", "batch_size", "width", "blocks", "phrase_steps", "save_every")
        check_at_least(self, 1, *([] if isinstance(self.devices, str) else ["devices"]))
        check_at_least(self, 0, "tv_weight", "style_weight", "adversarial")
        check_above(self, 0, "learning_rate")
        check_seed("seed", self.seed)
        if self.size < 32 or self.size % 4:
            raise ConfigError(f"`size` must be a multiple of 4, at least 32. Received: {self.size}")
        if not self.style_weight and not self.adversarial:
            raise ConfigError("`style_weight` or `adversarial` must be above 0. Received: 0 for both")
        if self.preset_dir is not None and self.captions is None:
            raise ConfigError("`captions` must be there for `preset_dir`, which is asked by phrases. Received: none")
        if self.preset_dir and Path(self.preset_dir).exists() and not self.resume:
            raise ConfigError(f"`preset_dir` must not exist. Received: {self.preset_dir}")
        if self.baseline and self.base is None:
            raise ConfigError("`baseline` must be given with `base`, to compare with it. Received: no base")


def train_styles(config: StyleTrainingConfig) -> "StyleTrainingResult":
    """Trains, evaluates on pictures that training did not see, reports and publishes.

    Args:
        config: The settings.

    Returns:
        The network, its losses on pictures that were held out, and the report. On workers other than the chief, `None`.

    Raises:
        TfgantlError: If pictures, weights, the base or directories cannot be used, or training diverges.
    """
    from tfgantl.export.publish import check_export_dir
    from tfgantl.pipelines.stylize.phrase_learning import keep_preset, learn
    from tfgantl.pipelines.stylize.training import prepare, train
    from tfgantl.pipelines.stylize.training_results import (
        StyleTrainingResult,
        evaluate,
        publish_styles,
        save_network,
        training_report,
    )

    session = Session(config)
    check_export_dir(config.export_path, "mix")
    with session.together():
        prepared = prepare(config)
    with session.open(config.run_name, prepared.facts(), prepared.opening(), *prepared.notes) as run:
        with session.together():
            training = train(config, prepared, run)

        def measured_and_published() -> StyleTrainingResult:
            losses = evaluate(prepared, training)
            network, sheet = save_network(prepared, training, run)
            phrases = learn(config, prepared, network, run)
            keep_preset(config, network, losses, run)
            export_dir = publish_styles(config, network, phrases, sheet, run)
            seconds = session.seconds
            report = training_report(config, prepared, training, losses, network, sheet, seconds)
            return session.finish(
                StyleTrainingResult.of(config, run.path, export_dir, seconds, training, losses, network, report)
            )

        return session.by_chief(measured_and_published)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = named(sys.argv[1:] if arguments is None else arguments, "content")
    return run_cli(StyleTrainingConfig, "stylize train", train_styles, {}, arguments)
