"""The model that is edited, and what lies beside it: its encoder, its directions, pictures that it has not seen."""

import hashlib
from contextlib import suppress
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tfgantl.arguments import read_recipe
from tfgantl.configuration import import_path
from tfgantl.data import (
    ArrayRecords,
    Arrays,
    Folder,
    HandwrittenDigits,
    Parquet,
    RenderedDigits,
    Source,
    TFRecords,
    WebDataset,
)
from tfgantl.data.classes import label_of
from tfgantl.data.examples import Examples
from tfgantl.data.sources import DIGITS
from tfgantl.editing.encoder import REAL, build_encoder, encoder_name, suits, train_encoder
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.editing.reconstruction import Reconstruction, reconstruction_for
from tfgantl.errors import ConfigError, DataError, TfgantlError
from tfgantl.files import Replacing, cache_directory, check_no_link, make_folder
from tfgantl.metrics.extractors import Extractor
from tfgantl.models.copies import assign_weights, layers_hash
from tfgantl.models.presets import directory_of
from tfgantl.pretrained import load_generator, load_network
from tfgantl.progress import log
from tfgantl.training.class_names import class_names_behind
from tfgantl.training.run_facts import read_facts
from tfgantl.training.team import Team, current, errors_of_workers

if TYPE_CHECKING:
    import keras

    from tfgantl.pipelines.edit.settings import EditConfig

PRESET = "rendered-digits"
EDITING = "editing"
# What a run may name as its target: sources that read files of this machine, or none.
LOCAL_SOURCES = (HandwrittenDigits, RenderedDigits, Arrays, Folder, WebDataset, TFRecords, ArrayRecords, Parquet)
ADDRESS = "://"
GIVEN = ("image_size", "channels")  # of a target: by the generator,
BOUNDS = ("max_bytes", "max_pixels")  # and by this package, unless the recipe has less
DEFAULT_RUNS = Path("runs") / "handwritten-digits"


class EditedModel:
    """A generator with its latent space.

    Args:
        config: Names the model and the space.

    Attributes:
        handle: Of the model.
        generator: Latents, or [latents, labels] → images.
        space: Where its codes are.
        class_names: Name of each class, or `None`.
        directory: Where its encoder and its directions are kept: beside it if it is a run, else in the cache.

    Raises:
        TfgantlError: If there is no such model, or it cannot be used.
    """

    def __init__(self, config: "EditConfig") -> None:
        self.handle = config.model or default_model()
        self.generator = load_generator(self.handle, config.networks, config.allow_ops)
        self.space = LatentSpace(self.generator, config.space)
        self._weights = None if config.weights == "none" else config.weights
        self.class_names = class_names_behind(self.handle, self.space.num_classes) if self.space.num_classes else None
        path = directory_of(self.handle)
        is_run = (path / "config.yaml").is_file() and (path / "generator.keras").is_file()
        self._root = path if is_run else cache_directory() / "editing" / self.space.generator_hash
        self.directory = self._root / EDITING
        check_no_link(self.directory, self._root)  # before anything is computed that would be kept there

    def facts(self) -> dict[str, str]:
        """Hashes of the generator: a run that goes on must have the same."""
        return {"generator": self.space.generator_hash, "layers of the generator": layers_hash(self.generator)}

    def label(self, text: str) -> int:
        """The class that a name or a number stands for.

        Raises:
            ConfigError: If the model has no classes, or not this one.
        """
        classes = self.space.num_classes
        if classes is None:
            raise ConfigError(f"the model must have classes for one to be chosen. Received: {text}, for {self.handle}")
        if (label := label_of(text, self.class_names, classes)) is not None:
            return label
        names = f", or a name of {', '.join(self.class_names)}" if self.class_names else ""
        known = f"a number from 0 to {classes - 1}{names}"
        if self.class_names and all(name.isdecimal() for name in self.class_names):  # which numbers are, then
            known = f"one of {', '.join(self.class_names)}"
        raise ConfigError(f"a class must be {known}. Received: {text}")

    def class_name(self, label: int) -> str:
        """What a class is called, or its number."""
        return self.class_names[label] if self.class_names else str(label)

    def encoder(self, steps: int, seed: int) -> "keras.Model | None":
        """The encoder of the model: the one that is kept, or one that is trained, once.

        Args:
            steps: Training steps; `None` is returned for 0.
            seed: Of its training.
        """
        if not steps:
            return None
        layers = self.space.generator.to_json()  # with equal weights, others compute something else
        key = f"{self.space.generator_hash} {layers} {self.space.name} {self.reconstruction.identity} {steps} {seed}"
        training = hashlib.sha256(key.encode()).hexdigest()[:12]
        path = self.directory / encoder_name(self.space, training)
        team, encoder = current(), None
        if team.is_chief:
            with suppress(OSError):  # of a version that did not put the generator into the name
                (self.directory / f"encoder-{self.space.name}-{training}.keras").rename(path)
        if team.is_chief and path.is_file():
            with suppress(TfgantlError):  # damaged; it is trained anew
                found = load_network(path)
                encoder = found if suits(found, self.space) else None
        if team.lead(lambda: encoder is not None):
            return _of_chief(team, encoder, self.space)
        log(f"the encoder of the model is trained in {steps} steps, once, and kept in {path}")
        pictures = None
        with suppress(TfgantlError):
            pictures = self.trained_on("train").subset(2000)[0]
        if REAL % team.replicas:
            encoder = team.by_chief(lambda: train_encoder(self.space, self.reconstruction, steps, seed, pictures))
        else:
            with team.strategy.scope(), errors_of_workers():
                encoder = train_encoder(self.space, self.reconstruction, steps, seed, pictures)
        encoder = _of_chief(team, encoder, self.space)
        if team.is_chief:
            with suppress(OSError):  # a directory that cannot be written costs the time again
                self.make_directory()
                with Replacing(path) as temporary:
                    encoder.save(temporary)
        return encoder

    def make_directory(self) -> Path:
        """Makes the directory of the encoder and the directions, if it is not there.

        Raises:
            OSError: If it cannot be written.
        """
        self._root.mkdir(parents=True, exist_ok=True)
        return make_folder(self._root, EDITING)

    @cached_property
    def reconstruction(self) -> Reconstruction:
        """What its images and pictures are compared by."""
        return reconstruction_for(self.space.image_shape, self._weights)

    @cached_property
    def target(self) -> Source:
        """The data source that the model was made for, in the size of its images.

        Raises:
            DataError: If it is not known.
        """
        path, found = directory_of(self.handle) / "config.yaml", None
        height, _, channels = self.space.image_shape
        if path.is_file():
            found = _within_bounds(_target_of(path))
        elif self.space.image_shape == (28, 28, 1) and class_names_behind(self.handle) == [*DIGITS]:
            found = HandwrittenDigits()
        if found is None:
            raise DataError(
                f"`pictures` must be given for a model that does not say which images it is for. "
                f"Received: none, for {self.handle}"
            )
        return found.sized(height, channels)

    @cached_property
    def classifier(self) -> Extractor | None:
        """A classifier that has never seen images of the model, if one is shipped for its target."""
        try:
            handle = self.target.extractor
        except TfgantlError:
            return None
        extractor = None if handle is None else Extractor.load(handle)
        suits = extractor is not None and extractor.predicts_labels and extractor.input_shape == self.space.image_shape
        return extractor if suits else None

    def trained_on(self, split: str) -> Examples:
        """Pictures of the target, as the run had them: a stranger's run may name any folder of this machine.

        Raises:
            DataError: If the target is not known, or its pictures are not those that the run was made from.
        """
        if isinstance(self.target, HandwrittenDigits | RenderedDigits):  # which read no file
            return self.target.load(split)
        known = self._fingerprints.get(f"{split} data")
        examples = self.target.load(split) if known else None
        if examples is None or known != examples.fingerprint:
            facts = directory_of(self.handle) / "run.json"
            raise DataError(
                "`pictures` must be given where those of the target are not what the model was made from. "
                f"Received: none, and others than {facts} knows"
            )
        return examples

    @cached_property
    def _fingerprints(self) -> dict[str, Any]:
        with suppress(TfgantlError):
            return read_facts(directory_of(self.handle) / "run.json")
        return {}

    def held_out(self, count: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Some pictures of the target that the model has not been trained on.

        Returns:
            uint8 (count, height, width, channels), and labels where the model and they have the same classes.

        Raises:
            DataError: If the target is not known, or has other images.
        """
        examples = self.trained_on("test")
        images, labels = examples.subset(count)
        if images.shape[1:] != self.space.image_shape:
            raise DataError(
                f"`pictures` must be given, as the target has images of {images.shape[1:]}. "
                f"Received: none, for a model of {self.space.image_shape}"
            )
        return images, labels if examples.num_classes == self.space.num_classes else None


def _of_chief(team: Team, encoder: "keras.Model | None", space: LatentSpace) -> "keras.Model":
    """The encoder that the chief has, on every worker, without copies on several devices."""
    if team.replicas == 1:
        return cast("keras.Model", encoder)
    mine = encoder.get_weights() if team.is_chief and encoder is not None else []
    copy = build_encoder(space)
    arrays = team.exchange({str(number): array for number, array in enumerate(mine)})[0]
    assign_weights(copy, list(arrays.values()))
    return copy


def default_model() -> str:
    """The newest run of `adapt` on handwritten digits, or else the shipped preset."""
    numbers = [int(path.name) for path in DEFAULT_RUNS.glob("*") if path.name.isdecimal()]
    runs = [DEFAULT_RUNS / str(number) for number in sorted(numbers)]
    ended = [run for run in runs if (run / "generator.keras").is_file() and (run / "report.html").is_file()]
    handle = str(ended[-1]) if ended else PRESET
    log(f"model: {handle}")
    return handle


def _within_bounds(source: Source | None) -> Source | None:
    """A target of somebody else, which may not say how much memory its pictures take."""
    if source is None:
        return None
    own = {field.name: field.default for field in fields(source)}
    bounds = {name: min(getattr(source, name), own[name]) for name in BOUNDS if name in own}
    return replace(source, **{name: own[name] for name in GIVEN if name in own}, **bounds)


def _target_of(recipe: Path) -> Source | None:
    """The target of a run, from its recipe; `None` unless it is of this package and on this machine.

    A run may be a stranger's. Its recipe is not asked to be run, so it may neither name code to import nor an address
    to read from.
    """
    from tfgantl.pipelines.evaluate import EvaluateConfig
    from tfgantl.pipelines.keywords import configure

    target = read_recipe(recipe).get("target")
    options = (target.get("init_args") or {}) if isinstance(target, dict) else None
    known = {import_path(source): source for source in LOCAL_SOURCES}
    if not isinstance(target, dict) or not isinstance(options, dict) or target.get("class_path") not in known:
        return None
    if ADDRESS in str(options.get("path")):
        return None
    plain = {"class_path": target["class_path"], "init_args": options}
    return configure(EvaluateConfig, "evaluate", {"target": plain}).target
