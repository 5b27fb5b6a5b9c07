"""Trains encoders of texts and pictures on captioned pictures, measures retrieval, and publishes what describes.

`tfgantl describe train [--target Folder --target.path pictures --captions captions.csv]`.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tfgantl.cli import run as run_cli
from tfgantl.crossmodal.captions import MEASURED_CAPTIONS
from tfgantl.data import HandwrittenDigits, Source
from tfgantl.errors import ConfigError, check_at_least, check_seed
from tfgantl.pipelines.session import Session
from tfgantl.pipelines.settings import PublishingConfig
from tfgantl.training.settings import Devices

if TYPE_CHECKING:
    from tfgantl.pipelines.describe.results import DescribeTrainResult

DEFAULTS = {"target": {"class_path": "HandwrittenDigits", "init_args": {"shots": None}}, "also": []}


@dataclass(frozen=True)
class DescribeTrainConfig(PublishingConfig):
    """Settings of a training on captioned pictures.

    Args:
        target: Pictures to train on, and to measure on.
        also: Further sources of the same classes, for measured captions.
        captions: A CSV (`file,caption`), a .jsonl file, or a folder with `metadata.jsonl` or a .txt beside each
            picture; or measured: the class of each picture, and words for what is measured of it; or parts: the arrays
            `attribute_…` of an archive, which name the parts of its pictures.
        on_bad_captions: What to do about captions without a picture, pictures without a caption and captions that
            cannot be read: error stops and names one, skip leaves them out and says so.
        attributes: What is measured for captions, with commas: thickness, slant, size and brightness of gray pictures,
            and brightness, saturation, temperature, sharpness and subject_size of colour ones; auto takes the first
            three.
        held_out: Combinations of a class and two words that no measured caption names.
        image_size: Height and width in pixels, for sources that leave it open.
        channels: 1 for gray, 3 for RGB, for sources that leave it open.
        samples: Pictures that are drawn of each source, if it has more.
        each: Phrases that are made of each picture, where they are made.
        steps: Training steps.
        batch_size: Pictures a step.
        dimension: Length of the vectors.
        width: Channels of the first stage of the image encoder.
        text_encoder: A trained encoder of texts, whose vectors are mapped to those of pictures: a .keras file, or the
            directory of a SavedModel, that takes strings and gives vectors; a fresh one is trained if not given.
        allow_ops: Operations of such a SavedModel that are trusted, of those that are refused otherwise.
        seed: Makes the training repeatable.
        devices: Devices of this machine that share each batch, as for `adapt` (docs/scale.md).
        out_dir: New directory for the encoders, beside that in the run.
    """

    target: Source = field(default_factory=lambda: HandwrittenDigits(shots=None))
    also: list[Source] = field(default_factory=list)
    captions: str = MEASURED_CAPTIONS
    on_bad_captions: Literal["error", "skip"] = "error"
    attributes: str = "auto"
    held_out: int = 0
    image_size: int = 28
    channels: int = 1
    samples: int = 8000
    each: int = 4
    steps: int = 1000
    batch_size: int = 96
    dimension: int = 64
    width: int = 16
    text_encoder: str | None = None
    allow_ops: tuple[str, ...] = ()
    seed: int = 0
    devices: Devices = "auto"
    out_dir: str | None = None

    sharing = "steps"
    kind = "-encoders"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 0, "held_out")
        check_at_least(self, 1, "steps", "each", "dimension", "width")
        check_at_least(self, 2, "batch_size", "samples")
        check_at_least(self, 1, *([] if isinstance(self.devices, str) else ["devices"]))
        check_seed("seed", self.seed)
        is_measured = self.captions == MEASURED_CAPTIONS
        if not is_measured and (self.held_out or self.attributes != "auto" or self.also):
            raise ConfigError(
                "`held_out`, `attributes` and `also` must only be given for measured captions. "
                f"Received: one, for {self.captions}"
            )
        if self.out_dir is not None and Path(self.out_dir).exists() and not self.resume:
            raise ConfigError(f"`out_dir` must not exist. Received: {self.out_dir}")


def describe_train(config: DescribeTrainConfig) -> "DescribeTrainResult":
    """Trains both encoders, measures them on held-out pictures, and publishes them.

    Args:
        config: The settings.

    Returns:
        Retrieval both ways, what is told of held-out pictures, and where the encoders are. On workers other than the
        chief, `None`.

    Raises:
        TfgantlError: If pictures, captions or directories cannot be used, or training diverges.
    """
    from tfgantl.crossmodal.contrastive import train_encoders
    from tfgantl.crossmodal.wrapped_text import open_foreign_text, text_encoder_hash
    from tfgantl.export.publish import check_export_dir
    from tfgantl.files import expanded
    from tfgantl.pipelines.describe.material import gather
    from tfgantl.pipelines.describe.measurement import measure
    from tfgantl.pipelines.describe.opening import ENCODERS
    from tfgantl.pipelines.describe.results import DescribeTrainResult, finish, keep, publish_encoders
    from tfgantl.training.team import current

    session = Session(config)
    check_export_dir(config.export_path, "describe")
    material = gather(config)
    current().check_batch(min(config.batch_size, len(material.images)))
    facts = {"pictures": material.fingerprint}
    if config.text_encoder is not None:
        facts["file of the text encoder"] = text_encoder_hash(expanded(config.text_encoder))
    opening = f"{len(material.images)} pictures with {len(material.captions.phrases)} different captions"
    with session.open(config.run_name, facts, opening, *material.notes) as run:
        with session.together():
            text = None
            if config.text_encoder is not None:
                text = open_foreign_text(config.text_encoder, config.dimension, config.allow_ops)
            encoders = train_encoders(
                material.images, material.captions, config.steps, config.batch_size, config.seed, config.dimension,
                config.width, text=text, bank=material.bank,
            )  # fmt: skip

        def measured_and_published() -> DescribeTrainResult:
            encoders.text, encoders.image = session.alone(encoders.text), session.alone(encoders.image)
            measured = measure(encoders, material)
            encoders.metadata = {"measured": measured.to_json(), "notes": list(material.notes)}
            keep(encoders, run.path / ENCODERS, config.out_dir)
            version = publish_encoders(config, encoders, measured, run)
            return finish(session, run, encoders, material, measured, version)

        return session.by_chief(measured_and_published)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(DescribeTrainConfig, "describe train", describe_train, DEFAULTS, arguments)
