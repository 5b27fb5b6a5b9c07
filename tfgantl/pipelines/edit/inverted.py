"""Pictures with their codes: what every verb that edits pictures begins with, and what is said of it."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tfgantl.editing.inversion import Inversion
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.editing.reconstruction import Reconstruction
from tfgantl.editing.tuning import tuned_around
from tfgantl.errors import TfgantlError
from tfgantl.images import to_uint8, to_unit
from tfgantl.metrics.memorisation import nearest
from tfgantl.pipelines.edit.inversion import CODES, invert_pictures, save_codes
from tfgantl.pipelines.edit.pictures import Pictures
from tfgantl.pipelines.edit.results import EditResult, finish, sheet_of
from tfgantl.pipelines.session import Session
from tfgantl.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from tfgantl.pipelines.edit.invert import InvertConfig
    from tfgantl.pipelines.edit.model import EditedModel
    from tfgantl.pipelines.edit.settings import InversionConfig

MAX_TRAINING = 10_000  # pictures among which the nearest is looked for


@dataclass(frozen=True)
class Inverted:
    """Pictures, their codes, and what the generator makes of these.

    Args:
        pictures: float32 (n, height, width, channels) in [-1, 1].
        names: Of each.
        inversion: Their codes and classes.
        images: What the generator makes of the codes, as `pictures`.
        space: Where the codes are, with the generator, which may have been tuned.
        reconstruction: Distance of images.
    """

    pictures: np.ndarray
    names: list[str]
    inversion: Inversion
    images: np.ndarray
    space: LatentSpace
    reconstruction: Reconstruction

    def tuned(self, config: "InvertConfig", run: RunDirectory) -> "Inverted":
        """The same with a generator that is tuned for these pictures, which is written to `generator.keras`."""
        usable = np.isfinite(self.inversion.losses)
        labels = self.inversion.labels
        generator = tuned_around(
            self.space, self.reconstruction, self.inversion.codes[usable],
            None if labels is None else labels[usable], self.pictures[usable], config.tune, config.seed,
        )  # fmt: skip
        with run.replacing("generator.keras") as temporary:
            generator.save(temporary)
        space = LatentSpace(generator, self.space.name)
        save_codes(run, self.inversion, space, self.names, searched=self.space)
        return replace(self, space=space, images=images_of(space, self.inversion))


def inverted(config: "InversionConfig", model: "EditedModel", pictures: Pictures, run: RunDirectory) -> Inverted:
    """Finds the codes of pictures; `codes.npz` in the run directory has them.

    Args:
        config: How hard to try.
        model: The generator.
        pictures: What to invert.
        run: Run directory.
    """
    reconstruction, encoder = model.reconstruction, model.encoder(config.encoder_steps, config.seed)
    inversion = invert_pictures(config, model.space, reconstruction, encoder, pictures, run)
    return Inverted(
        to_unit(pictures.images), pictures.names, inversion, images_of(model.space, inversion), model.space,
        reconstruction,
    )  # fmt: skip


def images_of(space: LatentSpace, inversion: Inversion) -> np.ndarray:
    """Images float32 (n, height, width, channels) of codes; gray where nothing finite was found."""
    usable, labels = np.isfinite(inversion.losses), inversion.labels
    images = np.zeros((len(usable), *space.image_shape), np.float32)
    images[usable] = space.images(inversion.codes[usable], None if labels is None else labels[usable])
    return images


def report_inversion(
    session: Session, run: RunDirectory, model: "EditedModel", pictures: Pictures, found: Inverted
) -> EditResult:
    """Writes the sheet, the table and the report of an inversion."""
    baselines = baselines_of(model, found.pictures)
    rows = rows_of(model, found, pictures.labels, baselines)
    rows += [{"picture": name, "error": reason} for name, reason in pictures.refused.items()]
    columns = [pictures.images, to_uint8(found.images), *(to_uint8(images) for images in baselines.values())]
    tuned = ["generator.keras"] if found.space is not model.space else []
    return finish(
        session, run, model, rows, sheet_of(columns),
        [
            f"Each row: the picture, what the generator makes of its code, {', '.join(baselines) or 'no baseline'}.",
            f"Codes are in {found.space.name}; pictures are compared by pixels and {found.reconstruction.name}.",
        ],
        files=(CODES, *tuned),
    )  # fmt: skip


def baselines_of(model: "EditedModel", pictures: np.ndarray) -> dict[str, np.ndarray]:
    """What an inversion has to beat: the mean training picture, and for each picture the nearest one of them.

    Args:
        model: Whose target is looked at.
        pictures: float32 (n, height, width, channels) in [-1, 1].

    Returns:
        Name → as many images; empty if the target of the model is not known.
    """
    try:
        train = model.trained_on("train").subset(MAX_TRAINING)[0]
    except TfgantlError:
        return {}
    if train.shape[1:] != pictures.shape[1:]:
        return {}
    train = to_unit(train)
    order = nearest(pictures.reshape(len(pictures), -1), train.reshape(len(train), -1))[1]
    mean = np.repeat(train.mean(0, keepdims=True), len(pictures), axis=0)
    return {"the mean picture": mean, "the nearest training picture": train[order]}


def rows_of(
    model: "EditedModel", found: Inverted, labels: np.ndarray | None, baselines: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    """What was measured of each picture, and of the baselines."""
    measured = found.reconstruction.measured(found.images, found.pictures)
    columns: dict[str, Any] = dict(measured)
    for name, images in baselines.items():
        short = "mean" if "mean" in name else "nearest"
        for key, values in found.reconstruction.measured(images, found.pictures).items():
            columns[f"{key} of {short}"] = values
    own = found.inversion.labels
    if own is not None:
        classes = [model.class_name(int(label)) for label in own]
        wanted = own if labels is None else labels
        if model.classifier is not None:
            columns["class agrees"] = model.classifier(to_uint8(found.images))[1] == wanted
    rows = []
    for i, name in enumerate(found.names):
        row: dict[str, Any] = {"picture": name}
        if own is not None:
            row["class"] = classes[i]
        if np.isnan(found.inversion.losses[i]):
            rows.append({**row, "error": "no start had a finite loss"})
            continue
        rows.append({**row, **{key: number(values[i]) for key, values in columns.items()}})
    return rows


def number(value: Any) -> float | bool:
    """A value of an array as JSON has it, in five digits behind the point."""
    return bool(value) if isinstance(value, bool | np.bool_) else round(float(value), 5)
