"""What a training on captions starts with: pictures, vectors of captions, and a source that is made to read them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import keras
import numpy as np

from tfgantl.crossmodal.caption_templates import CaptionTemplates
from tfgantl.crossmodal.captioned import CaptionedData, captioned, classes_named
from tfgantl.crossmodal.text_conditioning import NONE, CaptionTable, is_text_conditional, text_conditional
from tfgantl.crossmodal.text_to_image import ENCODER, is_text_to_image
from tfgantl.crossmodal.wrapped_text import text_encoder_hash
from tfgantl.data import Source
from tfgantl.data.classes import same_names
from tfgantl.data.examples import SPLITS, Examples, check_splits
from tfgantl.errors import ConfigError
from tfgantl.gan import GAN
from tfgantl.metrics.extractor_choice import choose_extractor
from tfgantl.metrics.transferability import estimate_transferability
from tfgantl.models.copies import weights_hash
from tfgantl.models.families import specification_of
from tfgantl.pipelines.adapt.preparation import PreparedAdaptation
from tfgantl.pipelines.captioning import CaptionedSplits, caption_pictures
from tfgantl.pipelines.imagine.encoders import choose_encoder, path_of, vectors_of
from tfgantl.pipelines.measurement import MAX_IMAGES, EvaluationSet
from tfgantl.pipelines.open_settings import settled
from tfgantl.pretrained import fit_source, open_source
from tfgantl.progress import log
from tfgantl.random_streams import Stream
from tfgantl.training.class_names import class_names_behind
from tfgantl.training.optimization import ADAPTATION
from tfgantl.training.run import TrainingData
from tfgantl.transfer import Scratch
from tfgantl.transfer.text_matching import TextMatching

if TYPE_CHECKING:
    from tfgantl.pipelines.imagine.train import ImagineTrainConfig


@dataclass(frozen=True, kw_only=True)
class PreparedCaptions(PreparedAdaptation):
    """Everything that a training on captions needs, checked.

    Args:
        data: Splits whose labels are captions.
        table: Vectors of the captions.
        text_encoder: What they are from.
        templates: What measured captions were made by, or `None`.
        deviations: Standard deviation of each measured attribute.
        notes: For the log.
        encoder_hash: Of the file of `text_encoder`; empty for a shipped or a fresh one.
    """

    data: CaptionedData
    table: CaptionTable
    text_encoder: keras.Model
    templates: CaptionTemplates | None = None
    deviations: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    encoder_hash: str = ""

    def beside(self) -> dict[str, keras.Model]:
        return {ENCODER: self.text_encoder}

    def opening(self) -> str:
        """What the run is about to train on, for its log."""
        return f"{self.examples['train'].size} training images, {len(self.table)} captions"

    def facts(self) -> dict[str, str]:
        """What the results depend on, beside settings and packages: hashes of data, captions and weights."""
        captions = {f"{split} captions": part.fingerprint for split, part in self.data.splits.items()}
        encoder = {"text encoder": weights_hash(self.text_encoder), "file of the text encoder": self.encoder_hash}
        encoder["words of the text encoder"] = hashlib.sha256(
            "\n".join(self.text_encoder.vocabulary).encode()
        ).hexdigest()[:12]
        return {**super().facts(), **captions, **encoder}

    def training_data(self) -> TrainingData:
        splits = self.data.splits
        return TrainingData(splits["train"], splits["validation"], self.extractor, self.data.groups)

    def evaluation_set(self, samples: int, seed: int) -> EvaluationSet:
        """What generators are measured on: the captions of held-out pictures, as often as they are of these."""
        train, test = (self.examples[split].subset(MAX_IMAGES) for split in ("train", "test"))
        # One caption a picture, and the same pictures.
        asked = cast(np.ndarray, self.data.splits["test"].subset(MAX_IMAGES)[1])
        order = np.resize(Stream.LABELS.generator(seed).permutation(len(asked)), samples)
        labels = None if test[1] is None else test[1][order]
        noise, part = self.source.latents(samples, seed, Stream.EVALUATION), self.examples["train"]
        return EvaluationSet(
            train, test, noise, labels, part.num_classes, part.classes, asked=asked[order], of=part.size
        )


def prepare(config: "ImagineTrainConfig", name: str) -> PreparedCaptions:
    """Loads and checks what an `ImagineTrainConfig` asks for.

    Args:
        config: The settings.
        name: Of the run.

    Raises:
        TfgantlError: If the source, the target or captions cannot be used, or the method does not fit.
    """
    _refuse_half(config.source)
    source, loaded = open_source(config.source, config.networks, config.allow_ops, config.seed)
    _, size, _, channels = source.generator.output_shape
    source_hash = weights_hash(source.generator)
    target = config.target.sized(size, channels)
    splits = _captions_of(config, target)
    check_splits(splits.examples)
    part = splits.examples["train"]
    data = captioned(splits.examples, splits.captions, config.seed)
    encoder, told = choose_encoder(config, source, part, splits.captions["train"])
    fitted, report = fit_source(source, part.image_size, part.channels, source.num_classes, seed=config.seed)
    classes, source_classes, remark = _classes(config, source, part, data)
    table = CaptionTable(data.phrases, vectors_of(encoder, data.phrases), classes)
    pair, conditioned = text_conditional(fitted, table, source_classes, config.seed)
    log(f"{config.source}: {loaded.lines()[0]}", *loaded.lines()[1:], *told, *remark)
    rows = report.rows() + conditioned.rows()
    extractor = choose_extractor(config.extractor, target.extractor, part, config.seed)
    transferability = estimate_transferability(pair, data.splits["train"], extractor, config.seed)
    transfer, reason = config.transfer.resolve(transferability)
    log(str(transferability), *([reason] if reason else []))
    terms: Any = {"mismatch": config.mismatch, "blending": config.blending}
    transfer = TextMatching(transfer, **terms)
    next(transfer.schedule(config.steps or config.default_steps)).apply(GAN(*transfer.networks(pair, "float32")))
    settings = settled(config, specification_of(source.generator), part, ADAPTATION)
    return PreparedCaptions(
        name=name, source=pair, weights=loaded.rows() + rows, examples=splits.examples, extractor=extractor,
        transferability=transferability, transfer=transfer, baseline=TextMatching(Scratch(), **terms), data=data,
        source_hash=source_hash, settings=settings, table=table, text_encoder=encoder, templates=splits.templates,
        deviations=splits.deviations, notes=_notes(splits, part),
        encoder_hash="" if config.text_encoder is None else text_encoder_hash(path_of(config.text_encoder)),
    )  # fmt: skip


def _refuse_half(handle: str) -> None:
    """Refuses a generator that reads text and has no discriminator, as presets are: one is not rebuilt for text."""
    if is_text_to_image(handle) and not (Path(handle) / "discriminator.keras").is_file():
        raise ConfigError(
            "`source` must have a discriminator, which a preset of `imagine train` is without: take the directory of "
            f"its run. Received: {handle}"
        )


def _captions_of(config: "ImagineTrainConfig", target: Source) -> CaptionedSplits:
    """The pictures of all splits and their captions; of a source without end, as many as the settings say."""
    most = config.pictures if target.load(SPLITS[0]).size is None else None
    return caption_pictures(
        [target], config.captions, dict.fromkeys(SPLITS, most), config.seed, config.on_bad_captions, config.attributes,
        config.held_out,
    )  # fmt: skip


def _notes(splits: CaptionedSplits, part: Examples) -> tuple[str, ...]:
    return (*part.notes, *splits.notes)


def _classes(
    config: "ImagineTrainConfig", source: GAN, part: Examples, data: CaptionedData
) -> tuple[np.ndarray | None, Sequence[int] | None, list[str]]:
    """Class that each caption names, the source's number for each class, and what is to be told of them."""
    if source.num_classes is None or is_text_conditional(source.generator):
        return data.classes, None, []
    names = class_names_behind(config.source, source.num_classes)
    count = len(data.phrases)
    if part.num_classes is None or data.classes is None:
        if names is None:
            return None, None, ["the classes of the source have no names: every caption starts from their average"]
        classes = classes_named(data.phrases, names)
        return classes, None, [_told(int((classes != NONE).sum()), count)]
    if names and part.classes:
        partners = [NONE if label is None else label for label in same_names(part.classes, names)]
    elif source.num_classes == part.num_classes:
        partners = list(range(part.num_classes))
    else:
        partners = [NONE] * part.num_classes
    named = (data.classes != NONE) & (np.array(partners)[data.classes] != NONE)
    return data.classes, partners, [_told(int(named.sum()), count)]


def _told(named: int, count: int) -> str:
    return f"{named} of {count} captions name a class of the source, and start from it; others from the average"
