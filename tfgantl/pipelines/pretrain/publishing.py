"""Saves a trained pair: in its run directory, and as a preset."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfgantl.gan import GAN
from tfgantl.images import grid
from tfgantl.metrics.evaluation import Evaluation
from tfgantl.models.copies import float32_copy
from tfgantl.models.presets import keep_half
from tfgantl.pipelines.measurement import sheet_of
from tfgantl.pipelines.saving import save_networks
from tfgantl.pipelines.settings import published_recipe
from tfgantl.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from tfgantl.pipelines.pretrain import PretrainConfig


def publish_pair(
    config: "PretrainConfig", gan: GAN, evaluation: Evaluation, classes: Sequence[str] | None, run: RunDirectory
) -> np.ndarray:
    """Saves the networks and what they generate, and the preset if one is asked for.

    Args:
        config: The `PretrainConfig`.
        gan: Trained pair.
        evaluation: What was measured, which the preset tells.
        classes: Names of the classes, by label, which the preset tells.
        run: Where networks and pictures go.

    Returns:
        The images of `fakes_pretrain.png`, uint8 (100, side, side, channels).
    """
    save_networks(gan, run)
    sheet = sheet_of(gan, config.seed)
    run.write_png("fakes_pretrain.png", grid(sheet, 10), generated=True)
    if config.preset_dir:
        metadata: dict = {"class_names": classes} if classes and gan.num_classes else {}
        metadata |= {"recipe": published_recipe(config), "metrics": evaluation.metrics, "protocol": evaluation.protocol}
        pair = {"generator": gan.ema_generator, "discriminator": float32_copy(gan.discriminator)}
        keep_half(pair, Path(config.preset_dir), metadata)
    return sheet
