"""The verbs as functions, for notebooks and scripts: keyword arguments are the fields of their configurations.

They differ from the command line in how they fail, with an exception in place of an exit code, and in what they leave
alone: standard output, signal handlers, and the process.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfgantl.errors import ConfigError

if TYPE_CHECKING:
    import keras

    from tfgantl.gan import GAN
    from tfgantl.metrics.extractor_choice import ImageFeatures
    from tfgantl.models import Networks
    from tfgantl.pipelines.adapt.results import AdaptResult, ProbeResult
    from tfgantl.pipelines.describe import DescribeResult
    from tfgantl.pipelines.evaluate import EvaluateResult
    from tfgantl.pipelines.generate import GenerateResult
    from tfgantl.pipelines.imagine.results import ImagineResult
    from tfgantl.pipelines.pretrain.results import PretrainResult
    from tfgantl.pipelines.recognize.ranking import RankResult
    from tfgantl.pipelines.recognize.results import RecognizeResult
    from tfgantl.pipelines.stylize.results import StylizeResult


def adapt(**settings: Any) -> "AdaptResult | ProbeResult":
    """Adapts a GAN to a target, compares it with training from scratch, and exports it.

    For example, `tfgantl.adapt(target=tfgantl.Folder("my_pictures"), transfer=tfgantl.transfer.FreezeD(), steps=500)`.

    Args:
        **settings: Fields of `AdaptConfig`, such as `source`, `target`, `transfer` and `steps`.

    Returns:
        `verdict`, `metrics`, `generator`, `report`, `run_dir`, `export_dir` and more; of `probe=True`, what it tells.

    Raises:
        ConfigError: If a setting is unknown, or not what is allowed.
        TfgantlError: If the source, the target or the run directory cannot be used, or training diverges.
    """
    from tfgantl.pipelines.adapt import DEFAULTS, AdaptConfig
    from tfgantl.pipelines.adapt import adapt as verb

    return _run(verb, "adapt", AdaptConfig, settings, DEFAULTS)


def pretrain(**settings: Any) -> "PretrainResult":
    """Trains a source GAN, generator and discriminator, on any data source.

    Args:
        **settings: Fields of `PretrainConfig`, such as `target`, `networks` and `steps`.

    Returns:
        `metrics`, `generator`, `report`, `run_dir` and more; `str(result.run_dir)` is a source for `adapt`.

    Raises:
        ConfigError: If a setting is unknown, or not what is allowed.
        TfgantlError: If the images or the run directory cannot be used, or training diverges.
    """
    from tfgantl.pipelines.pretrain import DEFAULTS, PretrainConfig
    from tfgantl.pipelines.pretrain import pretrain as verb

    return _run(verb, "pretrain", PretrainConfig, settings, DEFAULTS)


def evaluate(**settings: Any) -> "EvaluateResult":
    """Measures any generator on the held-out images of a target.

    Args:
        **settings: Fields of `EvaluateConfig`, such as `model` and `target`.

    Returns:
        `metrics`, `diversity`, `protocol` and `generator`.

    Raises:
        ConfigError: If a setting is unknown, or not what is allowed.
        TfgantlError: If the model or the target cannot be used.
    """
    from tfgantl.pipelines.evaluate import DEFAULTS, EvaluateConfig
    from tfgantl.pipelines.evaluate import evaluate as verb

    return _run(verb, "evaluate", EvaluateConfig, settings, DEFAULTS)


def generate(**settings: Any) -> "GenerateResult":
    """Writes images of a generator to disk, with labels and seeds: folders, or shards.

    Args:
        **settings: Fields of `GenerateConfig`, such as `model`, `count`, `format` and `out_dir`.

    Returns:
        `out_dir`, `written`, `there` and more; what is there is not written again.

    Raises:
        ConfigError: If a setting is unknown, or not what is allowed.
        TfgantlError: If the model cannot be used, or the directory holds something else.
    """
    from tfgantl.pipelines.generate import GenerateConfig
    from tfgantl.pipelines.generate import generate as verb

    return _run(verb, "generate", GenerateConfig, settings, {})


def recognize(**settings: Any) -> "RecognizeResult | RankResult":
    """Adapts a classifier to a target with few labels or none, and compares the ways to do so.

    Args:
        **settings: Fields of `RecognizeConfig`, such as `source`, `target`, `method` and `labels`.

    Returns:
        `methods`, `best`, `verdict`, `classifier`, `report`, `run_dir`, `export_dir` and more; of
        `rank=True`, the ranks.

    Raises:
        ConfigError: If a setting is unknown, or not what is allowed.
        TfgantlError: If data or the run directory cannot be used, or training diverges.
    """
    from tfgantl.pipelines.recognize import DEFAULTS, RecognizeConfig
    from tfgantl.pipelines.recognize import recognize as verb

    return _run(verb, "recognize", RecognizeConfig, settings, DEFAULTS)


def describe(pictures: str | Path, **settings: Any) -> "DescribeResult":
    """Says what pictures show.

    For example, `tfgantl.describe("photo.png").descriptions[0].caption`.

    Args:
        pictures: Picture, or folder of pictures.
        **settings: Further fields of `DescribeConfig`, such as `model` and `top`.

    Returns:
        `descriptions`, `pictures`, `refused` and `model`.

    Raises:
        ConfigError: If a setting is unknown, or not what is allowed.
        TfgantlError: If the model or no picture can be used.
    """
    from tfgantl.pipelines.describe import DescribeConfig
    from tfgantl.pipelines.describe import describe as verb

    return _run(verb, "describe", DescribeConfig, {"pictures": str(pictures), **settings}, {})


def imagine(text: str, **settings: Any) -> "ImagineResult":
    """Draws what a text says.

    For example, `tfgantl.imagine("a thick slanted seven", count=3).images`.

    Args:
        text: What to draw.
        **settings: Fields of `ImagineConfig`, such as `model`, `count` and `seed`.

    Returns:
        `images`, `seeds`, `files`, `sheet`, `unknown_words`, `report`, `run_dir`.

    Raises:
        ConfigError: If a setting is unknown, or not what is allowed.
        TfgantlError: If the text says nothing that is known, or the model or the run directory cannot be used.
    """
    from tfgantl.pipelines.imagine import ImagineConfig
    from tfgantl.pipelines.imagine import imagine as verb

    return _run(verb, "imagine", ImagineConfig, {"text": text, **settings}, {})


def stylize(**settings: Any) -> "StylizeResult":
    """Paints a picture in the style of others.

    Args:
        **settings: Fields of `StylizeConfig`, such as `content`, `styles`, `size` and `output`.

    Returns:
        `output`, the losses, `report`, `run_dir` and more.

    Raises:
        ConfigError: If a setting is unknown, or not what is allowed.
        TfgantlError: If pictures, weights or directories cannot be used, or it diverges.
    """
    from tfgantl.pipelines.stylize import StylizeConfig
    from tfgantl.pipelines.stylize import stylize as verb

    return _run(verb, "stylize", StylizeConfig, settings, {})


def load_source(handle: str, networks: "Networks | str | None" = None, allow_ops: tuple[str, ...] = ()) -> "GAN":
    """Loads a trained pair; see `tfgantl.pretrained.load_source`. Networks may also be named, as `"DCGAN"`."""
    networks = _networks(networks)
    start_tensorflow()
    from tfgantl.pretrained import load_source

    return load_source(str(handle), networks, allow_ops)


def load_generator(
    handle: str, networks: "Networks | str | None" = None, allow_ops: tuple[str, ...] = ()
) -> "keras.Model":
    """Loads a generator alone; see `tfgantl.pretrained.load_generator`. Networks may also be named, as `"DCGAN"`."""
    networks = _networks(networks)
    start_tensorflow()
    from tfgantl.pretrained import load_generator

    return load_generator(str(handle), networks, allow_ops)


def load_extractor(handle: str = "inception") -> "ImageFeatures":
    """Loads features to measure with, such as those that FID is defined on.

    For example, `tfgantl.load_extractor("inception:weights.pth")(images)`.

    Args:
        handle: `inception`, `inception-clean` or `inception-pytorch`, be it with `:PATH` to its weights; `vgg16`; a
            shipped name; or the directory of one that was trained (docs/metrics.md).

    Returns:
        A function: images uint8 (n, height, width, channels) → features float32 (n, d); of Inception, d is 2048, and
        images have any size.

    Raises:
        ArtifactError: If there is none, or it is damaged.
    """
    start_tensorflow()
    from tfgantl.metrics.extractor_choice import ImageFeatures

    return ImageFeatures(str(handle))


def publish(network: "keras.Model | GAN", directory: str | Path, **options: Any) -> Path:
    """Exports a network as the next version of a model directory, for TensorFlow Serving.

    Args:
        network: Generator, classifier or another network; of a `GAN`, its averaged generator.
        directory: Model directory; its name is that of the model.
        **options: As for `tfgantl.export.publish.publish`: signatures, facts, force, before_after,
            max_copies.

    Returns:
        The new version's directory.

    Raises:
        ArtifactError: If what a server would load does not give what the network does, or no endpoints suit it.
        RunError: If the directory cannot be written.
    """
    start_tensorflow()
    from tfgantl.export.publish import publish
    from tfgantl.gan import GAN

    return publish(network.ema_generator if isinstance(network, GAN) else network, Path(directory), **options)


def start_tensorflow() -> None:
    """Imports TensorFlow as the backend of Keras, without its start-up remarks.

    Raises:
        ConfigError: If Keras has been imported with another backend.
    """
    from tfgantl.cli import quiet_tensorflow

    keras = sys.modules.get("keras")
    if keras is not None and keras.backend.backend() != "tensorflow":
        raise ConfigError(
            "`KERAS_BACKEND` must be tensorflow when Keras is imported before tfgantl. "
            f"Received: {keras.backend.backend()}"
        )
    quiet_tensorflow()


def _networks(networks: "Networks | str | None") -> "Networks | None":
    """Networks, of which a name stands for those with default settings, as in a configuration."""
    from tfgantl.pipelines.evaluate import EvaluateConfig
    from tfgantl.pipelines.keywords import configure

    return configure(EvaluateConfig, "evaluate", {"networks": networks}).networks


def _run(verb: Callable, name: str, config_class: type[Any], settings: dict[str, Any], defaults: dict) -> Any:
    from tfgantl.pipelines.keywords import configure

    config = configure(config_class, name, settings, defaults)
    start_tensorflow()
    with _untouched_generators():
        return verb(config)


@contextmanager
def _untouched_generators() -> Iterator[None]:
    """Puts the random generators of Python and NumPy back: a script that draws from them must not draw the same again.

    Runs set them, and those of Keras, by their seeds.
    """
    import random

    import numpy as np

    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)
