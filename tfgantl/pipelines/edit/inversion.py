"""Codes for the pictures of a verb: some pictures at a time, kept as they are found, so that a run can go on."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfgantl.editing.inversion import Inversion, InversionSettings, Inverter
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.errors import ArtifactError, DivergedError, intact
from tfgantl.images import to_unit
from tfgantl.progress import bar, log
from tfgantl.training.interruption import Interruption
from tfgantl.training.run_directory import RunDirectory
from tfgantl.untrusted.archives import read_npz

if TYPE_CHECKING:
    import keras

    from tfgantl.editing.reconstruction import Reconstruction
    from tfgantl.pipelines.edit.pictures import Pictures
    from tfgantl.pipelines.edit.settings import InversionConfig

CODES = "codes.npz"
AT_A_TIME = 16  # pictures between two saves


def invert_pictures(
    config: "InversionConfig",
    space: LatentSpace,
    reconstruction: "Reconstruction",
    encoder: "keras.Model | None",
    pictures: "Pictures",
    run: RunDirectory,
) -> Inversion:
    """Finds the codes of all pictures, and writes them to `codes.npz`; goes on where an interrupted run stopped.

    Args:
        config: How hard to try.
        space: Where codes are.
        reconstruction: Distance of images.
        encoder: Of this space, or `None`.
        pictures: What to invert.
        run: Run directory.

    Returns:
        Codes of all pictures; a loss is NaN where nothing finite was found.

    Raises:
        DivergedError: If that is so for every picture.
        InterruptedRun: If a signal asks to stop; what was found is saved.
    """
    settings = InversionSettings(config.steps, config.restarts, config.rate, config.seed)
    inverter = Inverter(space, reconstruction, settings, encoder)
    images, path = to_unit(pictures.images), run.path / CODES
    labels = pictures.labels if config.label is not None else None  # those of held-out pictures are for the table alone
    parts = [found_before(path, space)] if path.is_file() else []
    first = sum(len(part.losses) for part in parts)
    if first:
        log(f"going on after {first} pictures")
    progress = bar(sum(count * steps for count, steps in settings.rounds) * len(images), "inversion", "img")
    progress.update(progress.total * first // len(images))
    with Interruption() as interruption:
        for start in range(first, len(images), AT_A_TIME):
            rows = slice(start, start + AT_A_TIME)
            some = None if labels is None else labels[rows]
            parts.append(inverter(images[rows], some, on_step=progress.update))
            save_codes(run, joined(parts), space, pictures.names)
            if interruption.asked and start + AT_A_TIME < len(images):
                progress.close()
                interruption.stop(len(images[: rows.stop]), run.path)
    progress.close()
    inversion = joined(parts)
    lost = [name for name, loss in zip(pictures.names, inversion.losses, strict=True) if np.isnan(loss)]
    if len(lost) == len(pictures.names):
        raise DivergedError(f"a picture must have a start with a finite loss. Received: none of {', '.join(lost[:4])}")
    for name in lost:
        log(f"{name}: no start had a finite loss, and its code is none")
    return inversion


def joined(parts: list[Inversion]) -> Inversion:
    """Several inversions as one."""
    first = parts[0]
    return Inversion(
        np.concatenate([part.u for part in parts]),
        np.concatenate([part.codes for part in parts]),
        None if first.labels is None else np.concatenate([part.labels for part in parts if part.labels is not None]),
        np.concatenate([part.losses for part in parts]),
    )


def save_codes(run: RunDirectory, inversion: Inversion, space: LatentSpace, names: list[str]) -> None:
    """Writes codes, and as JSON in bytes the names of their pictures and the generator and space that they are of."""
    labels: dict[str, Any] = {} if inversion.labels is None else {"labels": inversion.labels}
    about = {"generator": space.generator_hash, "space": space.name, "names": names[: len(inversion.losses)]}
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    with run.replacing(CODES) as temporary, open(temporary, "wb") as file:
        np.savez(file, codes=inversion.codes, losses=inversion.losses, about=text, **labels)


def read_codes(path: Path, space: LatentSpace) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """Codes of a file, their labels and names.

    Raises:
        ArtifactError: If it is damaged, or has codes of another model or space.
    """
    arrays = read_npz(path)
    with intact(f"{path}: must hold codes as `tfgantl edit` writes them"):
        codes, about = arrays["codes"], json.loads(arrays["about"].astype(np.uint8).tobytes())
        own, where, names = str(about["generator"]), str(about["space"]), [str(name) for name in about["names"]]
        labels = arrays.get("labels")
        if len(names) != len(codes) or (labels is not None and labels.shape != (len(codes),)):
            raise ValueError(f"{len(codes)} codes of {len(names)} pictures")
    if (own, where, codes.shape[1:]) != (space.generator_hash, space.name, space.shape):
        raise ArtifactError(
            f"{path}: must hold codes of the model {space.generator_hash} in {space.name}, of {space.shape}. "
            f"Received: those of {own} in {where}, of {codes.shape[1:]}"
        )
    return codes, labels, names


def found_before(path: Path, space: LatentSpace) -> Inversion:
    """What an interrupted run has saved."""
    codes, labels, _ = read_codes(path, space)
    return Inversion(space.whitened(codes).astype(np.float32), codes, labels, read_npz(path)["losses"])
