"""Codes for the pictures of a verb: some pictures at a time, kept as they are found, so that a run can go on.

Several workers search at one time, each for other pictures.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfgantl.editing.inversion import Inversion, InversionSettings, Inverter
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.editing.names import MAX_NUMBER
from tfgantl.errors import ArtifactError, DivergedError, intact
from tfgantl.images import to_unit
from tfgantl.progress import bar, log
from tfgantl.training.interruption import Interruption
from tfgantl.training.run_directory import RunDirectory
from tfgantl.training.team import Team, current
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
    images, names = to_unit(pictures.images), pictures.names
    labels = pictures.labels if config.label is not None else None  # those of held-out pictures are for the table alone

    def search(rows: slice, on_step: Callable[[int], None]) -> Inversion:
        return inverter(images[rows], None if labels is None else labels[rows], on_step=on_step)

    inversion = search_all(search, settings, len(images), names, AT_A_TIME, space, run, "inversion")
    lost = [name for name, loss in zip(pictures.names, inversion.losses, strict=True) if np.isnan(loss)]
    if len(lost) == len(pictures.names):
        raise DivergedError(f"a picture must have a start with a finite loss. Received: none of {', '.join(lost[:4])}")
    for name in lost:
        log(f"{name}: no start had a finite loss, and its code is none")
    return inversion


def search_all(
    search: Callable[[slice, Callable[[int], None]], Inversion],
    settings: InversionSettings,
    count: int,
    names: list[str],
    at_a_time: int,
    space: LatentSpace,
    run: RunDirectory,
    title: str,
) -> Inversion:
    """Searches codes for all pictures, and writes them to `codes.npz`; goes on where an interrupted run stopped.

    Args:
        search: Rows, and what to call with the number of images after each step → as many codes for each picture.
        settings: How long a picture takes.
        count: Number of pictures.
        names: Of all codes.
        at_a_time: Pictures of a search, which is what a worker takes.
        space: Where codes are.
        run: Run directory.
        title: Of the progress bar.

    Raises:
        InterruptedRun: If a signal asks to stop; what was found is saved.
        WorkerError: If another worker has gone.
    """
    team, path = current(), run.path / CODES
    each = len(names) // count
    parts = [found_before(path, space, names, each)] if path.is_file() else []
    first = sum(len(part.losses) for part in parts) // each
    if first:
        log(f"going on after {first} pictures")
    progress = bar(sum(kept * steps for kept, steps in settings.rounds) * count, title, "img")
    progress.update(progress.total * first // count)
    with Interruption() as interruption:
        while first < count:
            mine = slice(first + team.rank * at_a_time, min(count, first + (team.rank + 1) * at_a_time))
            found = search(mine, progress.update) if mine.start < count else None
            parts += [part for part in _of_all(team, found) if part is not None]
            first = min(count, first + team.workers * at_a_time)
            progress.update(progress.total * first // count - progress.n)  # what others have done
            save_codes(run, joined(parts), space, names)
            if team.lead(lambda: interruption.asked) and first < count:
                progress.close()
                interruption.stop(first, run.path)
    progress.close()
    return joined(parts)


def _of_all(team: Team, found: Inversion | None) -> list[Inversion | None]:
    """What each worker has found."""
    if team.workers == 1:
        return [found]
    arrays = {name: value for name, value in vars(found).items() if value is not None} if found else {}
    return [Inversion(labels=some.pop("labels", None), **some) if some else None for some in team.exchange(arrays)]


def joined(parts: list[Inversion]) -> Inversion:
    """Several inversions as one."""
    first = parts[0]
    return Inversion(
        np.concatenate([part.u for part in parts]),
        np.concatenate([part.codes for part in parts]),
        None if first.labels is None else np.concatenate([part.labels for part in parts if part.labels is not None]),
        np.concatenate([part.losses for part in parts]),
    )


def save_codes(
    run: RunDirectory, inversion: Inversion, space: LatentSpace, names: list[str], searched: LatentSpace | None = None
) -> None:
    """Writes codes, and as JSON in bytes the names of their pictures and the generator and space that they are of.

    Args:
        run: Run directory.
        inversion: The codes.
        space: That of the generator that they are for.
        names: Of their pictures.
        searched: That of the generator that they were searched with, if that is another one.
    """
    labels: dict[str, Any] = {} if inversion.labels is None else {"labels": inversion.labels}
    about = {
        "generator": space.generator_hash,
        "drawn": space.drawn,
        "space": space.name,
        "names": names[: len(inversion.losses)],
    }
    about["searched"] = (searched or space).generator_hash
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    with run.replacing(CODES) as temporary, open(temporary, "wb") as file:
        np.savez(file, codes=inversion.codes, losses=inversion.losses, about=text, **labels)


def read_codes(
    path: Path, space: LatentSpace, searched: bool = False
) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """Codes of a file, their labels and names.

    Args:
        path: The file.
        space: That of the generator that they must be for,
        searched: or, if so, must have been searched with.

    Raises:
        ArtifactError: If it is damaged, or has codes of another model or space.
    """
    arrays = read_npz(path)
    with intact(f"{path}: must hold codes as `tfgantl edit` writes them"):
        codes, about = arrays["codes"], json.loads(arrays["about"].astype(np.uint8).tobytes())
        generator = about.get("searched", about["generator"]) if searched else about["generator"]
        own, where, names = str(generator), str(about["space"]), [str(name) for name in about["names"]]
        draws = searched or space.draws(about.get("drawn"))
        if not draws or (own, where, codes.shape[1:]) != (space.generator_hash, space.name, space.shape):
            raise ArtifactError(
                f"{path}: must hold codes of the model {space.generator_hash} in {space.name}, of {space.shape}. "
                f"Received: those of {own} in {where}, of {codes.shape[1:]}"
            )
        if len(names) != len(codes) or codes.dtype.kind != "f":
            raise ValueError(f"{len(codes)} codes in {codes.dtype} of {len(names)} pictures")
        labels = arrays.get("labels")
        _check_labels(labels, len(codes), space.num_classes)
    return codes, labels, names


def found_before(path: Path, space: LatentSpace, names: list[str], each: int) -> Inversion:
    """What an interrupted run has saved.

    Args:
        path: `codes.npz` of the run.
        space: Where codes are.
        names: Of all codes that the run is to find.
        each: Codes of a picture.

    Raises:
        ArtifactError: If it is damaged, or has codes of other pictures, or such as no search ends with.
    """
    codes, labels, own = read_codes(path, space, searched=True)  # a run may end behind the tuning
    with intact(f"{path}: must hold the first codes of this run; delete it to search anew"):
        if own != names[: len(own)] or len(own) % each:
            raise ValueError(f"codes of {', '.join(own[:4])}")
        codes, losses = codes.astype(np.float32), read_npz(path)["losses"]
        if losses.shape != (len(codes),) or losses.dtype.kind != "f":
            raise ValueError(f"losses of {losses.shape} in {losses.dtype}")
        known = ~np.isnan(losses)
        for kind, values in ("losses", losses), ("codes", codes):
            if not np.isfinite(values[known]).all():
                raise ValueError(f"{kind} that are not finite")
        if (far := np.abs(codes[known]).max(initial=0.0)) > MAX_NUMBER:
            raise ValueError(f"codes up to {far:.3g}, above {MAX_NUMBER:g}")
    return Inversion(space.whitened(codes).astype(np.float32), codes, labels, losses)


def _check_labels(labels: np.ndarray | None, count: int, num_classes: int | None) -> None:
    if num_classes is None and labels is None:
        return
    if num_classes is None or labels is None:
        raise ValueError(
            f"{'no labels' if labels is None else 'labels'} for a model with {num_classes or 'no'} classes"
        )
    if labels.shape != (count,) or labels.dtype.kind not in "iu" or ((labels < 0) | (labels >= num_classes)).any():
        raise ValueError(f"labels of {labels.shape} in {labels.dtype}, not all below {num_classes} classes")
