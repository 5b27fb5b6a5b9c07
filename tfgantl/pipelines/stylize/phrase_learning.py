"""Learns the phrases of a network that has been trained, and keeps them beside it."""

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from tfgantl.crossmodal.encoders import FACTS, IMAGE, TEXT
from tfgantl.errors import ArtifactError
from tfgantl.models.presets import keep_half
from tfgantl.models.stylizer import Stylizer
from tfgantl.pipelines.settings import published_recipe
from tfgantl.pipelines.stylize.trained import PART, PHRASES, load_phrases
from tfgantl.pipelines.stylize.training import PreparedStyles
from tfgantl.style.phrase_training import learn_phrases
from tfgantl.style.phrases import StylePhrases
from tfgantl.style.statistics import crop_statistics, whole_statistics
from tfgantl.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from tfgantl.pipelines.stylize.train import StyleTrainingConfig

CROPS = 12  # of each style, beside all of it
LEARNT_FROM = "learnt_from"  # in the metadata of the encoders


def learn(
    config: "StyleTrainingConfig", prepared: PreparedStyles, network: Stylizer, run: RunDirectory
) -> StylePhrases | None:
    """What a network knows of phrases, in the run directory; `None` if there are no captions."""
    if prepared.captions is None or prepared.bank is None:
        return None
    learnt_from = _digest(config, prepared)
    if (run.path / PHRASES).is_dir():  # a run that goes on may have learnt them
        with suppress(ArtifactError):  # damaged, or of other styles
            found = load_phrases(str(run.path), network)
            if found is not None and found.encoders.metadata.get(LEARNT_FROM) == learnt_from:
                return found
        shutil.rmtree(run.path / PHRASES)
    vgg = prepared.loss.network
    layers = keras.Model(vgg.input, vgg.outputs[1:])  # without that of the content
    statistics = np.stack([
        np.concatenate([
            crop_statistics(layers, picture, config.size, CROPS, config.seed),
            whole_statistics(layers, picture, config.size),
        ])
        for picture in prepared.materials.styles
    ])  # fmt: skip
    phrases = learn_phrases(
        prepared.captions, statistics, config.size, prepared.bank, config.phrase_steps, config.seed
    )  # fmt: skip
    phrases.encoders.metadata[LEARNT_FROM] = learnt_from
    phrases.save(run.path / PHRASES)
    return phrases


def _digest(config: "StyleTrainingConfig", prepared: PreparedStyles) -> str:
    """Hash of all that phrases are learnt from."""
    facts = sorted(prepared.facts().items()), config.size, config.phrase_steps, config.seed
    return hashlib.sha256(repr(facts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def keep_preset(config: "StyleTrainingConfig", network: Stylizer, losses: dict[str, dict], run: RunDirectory) -> None:
    """Writes the network in half precision, and what it knows of phrases, if a preset is asked for."""
    if config.preset_dir is None:
        return
    files = {name: run.path / PHRASES / name for name in (FACTS, IMAGE, TEXT)}
    metadata = {"recipe": published_recipe(config), "losses": losses["styles"]}
    keep_half({PART: network}, Path(config.preset_dir), metadata, files)
