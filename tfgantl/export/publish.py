"""Writes a SavedModel under a name that no server looks at, checks it, and renames it to the next version."""

import os
import shutil
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfgantl.errors import ArtifactError, RunError
from tfgantl.export.signatures import generator_signatures
from tfgantl.training.checkpoint import plain

TOLERANCE = 1e-5


def publish(generator: keras.Model, directory: Path) -> Path:
    """Exports a generator to `directory/<next version>`.

    Args:
        generator: Float32 generator with its final weights.
        directory: Model directory; versions are its numbered children.

    Returns:
        The new version's directory.

    Raises:
        ArtifactError: If the SavedModel, read back, does not give the images of the Keras model.
        RunError: If the directory cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        temporary = directory / f".tmp-{os.getpid()}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
    except OSError as error:
        raise RunError(
            f"`export_dir` must be a directory that can be written. Received: {directory} ({error})"
        ) from error
    try:
        write_saved_model(generator, temporary)
        compare(generator, temporary)
        return _rename_to_next(temporary, directory)
    except tf.errors.OpError as error:
        raise RunError(f"{directory}: the SavedModel must fit on the disk. Received: {plain(error)}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_export_dir(directory: Path) -> None:
    """Raises `RunError` if a model directory could not be made or written, without making it."""
    parent = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise RunError(f"`export_dir` must be a directory that can be written. Received: {directory}")


def write_saved_model(generator: keras.Model, directory: Path) -> None:
    """Writes the SavedModel of a generator into an existing, empty directory."""
    archive = keras.export.ExportArchive()
    archive.track(generator)
    for name, function in generator_signatures(generator).items():
        function.get_concrete_function()
        archive.add_endpoint(name, function)
    archive.write_out(str(directory), verbose=False)


def compare(generator: keras.Model, directory: Path, count: int = 8) -> float:
    """Reads a SavedModel back and compares it with the Keras model on fixed latents.

    Returns:
        Largest absolute difference of a pixel in [-1, 1].

    Raises:
        ArtifactError: If it is above 1e-5.
    """
    latents = np.random.default_rng(0).standard_normal((count, generator.inputs[0].shape[-1]), np.float32)
    inputs = {"latents": tf.constant(latents)}
    if len(generator.inputs) == 2:
        inputs["labels"] = tf.range(count) % generator.num_classes
    loaded = tf.saved_model.load(str(directory))
    served = loaded.signatures["serving_default"](**inputs)["images"].numpy()
    expected = generator.predict(list(inputs.values()) if len(inputs) > 1 else latents, verbose=0)
    difference = float(np.abs(served - expected).max())
    if not difference <= TOLERANCE:
        raise ArtifactError(
            f"{directory}: the SavedModel must give the images of the Keras model to {TOLERANCE}. "
            f"Received: {difference}"
        )
    return difference


def _rename_to_next(temporary: Path, directory: Path) -> Path:
    while True:
        versions = [int(child.name) for child in directory.iterdir() if child.name.isdecimal()]
        target = directory / str(max(versions, default=0) + 1)
        try:
            os.rename(temporary, target)  # fails if another export took the number and filled it
            return target
        except OSError:
            if not target.exists():
                raise
