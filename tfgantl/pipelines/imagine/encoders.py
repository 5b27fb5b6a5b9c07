"""Which text encoder reads the captions of a training: the given one, that of the source, or one that learns them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tfgantl.crossmodal.captions import Captions
from tfgantl.crossmodal.contrastive import train_encoders
from tfgantl.crossmodal.encoders import TEXT
from tfgantl.crossmodal.text_conditioning import is_text_conditional
from tfgantl.crossmodal.text_encoder import TextEncoder, check_apart, read_phrases
from tfgantl.crossmodal.text_to_image import ENCODER
from tfgantl.crossmodal.wrapped_text import WrappedTextEncoder, open_foreign_text
from tfgantl.data import Examples
from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.files import expanded
from tfgantl.gan import GAN
from tfgantl.pretrained.together import check_together
from tfgantl.untrusted.networks import load_network

if TYPE_CHECKING:
    from tfgantl.pipelines.imagine.train import ImagineTrainConfig

MOST_IMAGES = 10_000  # that an encoder learns from
BATCH, WIDTH = 64, 16  # of the image encoder, which only teaches the other one
AGAIN = 8  # phrases that an encoder must give the same vectors for, when it is asked again


def choose_encoder(
    config: "ImagineTrainConfig", source: GAN, part: Examples, captions: Captions
) -> tuple[keras.Model, list[str]]:
    """The text encoder of a training, and what is to be told of it.

    Args:
        config: The settings.
        source: Trained pair; a text-conditional one has an encoder beside it.
        part: Training pictures.
        captions: Of these.

    Raises:
        ConfigError: If one is given although the source has its own.
        ArtifactError: If it is none, or not there.
    """
    if is_text_conditional(source.generator):
        if config.text_encoder is not None:
            raise ConfigError(
                "`text_encoder` must be left out for a source that has its own. "
                f"Received: {config.text_encoder}, for {config.source}"
            )
        path = Path(config.source)
        directory = path if path.is_dir() else path.parent
        check_together(directory, {ENCODER: (text := load_network(directory / ENCODER))})
        return text, []
    at = part.places(MOST_IMAGES)
    images, some = part.read(at)[0], captions.of_some(at)
    steps, text = config.encoder_steps, None
    if config.text_encoder is not None:
        text = _opened(config.text_encoder, config.allow_ops)
        if isinstance(text, TextEncoder):
            return text, []
    told = f"a text encoder was trained in {steps} steps on {len(images)} captioned pictures"
    size: Any = {"batch_size": BATCH, "width": WIDTH}
    return train_encoders(images, some, steps=steps, seed=config.seed, text=text, **size).text, [told]


def path_of(handle: str) -> Path:
    """Where a text encoder is: a file, a directory of encoders, or a SavedModel."""
    path = expanded(handle)
    return path / TEXT if (path / TEXT).is_file() else path


def _opened(handle: str, allow_ops: tuple[str, ...]) -> Any:
    """A text encoder of this package as it is, or one of another program behind a layer that is to learn."""
    path = path_of(handle)
    if path.suffix == ".keras" and path.is_file():
        network = load_network(path)
        if isinstance(network, TextEncoder | WrappedTextEncoder):
            return network
    return open_foreign_text(handle, allow_ops=allow_ops)


def vectors_of(encoder: keras.Model, phrases: Sequence[str]) -> np.ndarray:
    """Vectors float32 (n, dimension) of unit length, of whatever an encoder gives.

    Raises:
        ArtifactError: If one is not finite, has no direction, or is another the next time, or all are the same.
    """
    vectors = read_phrases(encoder, phrases)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(vectors).all() or not (lengths > 0).all():
        raise ArtifactError("a text encoder must give finite vectors other than 0. Received: others")
    if not np.allclose(read_phrases(encoder, phrases[:AGAIN]), vectors[:AGAIN], atol=1e-3 * float(lengths.max())):
        raise ArtifactError("a text encoder must give the same vectors for the same texts. Received: others each time")
    check_apart(vectors, phrases)
    return vectors / lengths
