"""The directory of a generated set: what is to be in it, which is written first, and which shards are there."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from tfgantl.cluster import VARIABLE, Cluster
from tfgantl.editing.drawn_images import LOOKED_AT, alike, drawn_by
from tfgantl.errors import RunError
from tfgantl.files import TEMPORARY, Replacing, make_folder
from tfgantl.models.copies import weights_hash
from tfgantl.pretrained.module_hashes import digest
from tfgantl.text_files import read_text

if TYPE_CHECKING:
    from tfgantl.pipelines.generate import GenerateConfig
    from tfgantl.pipelines.generate.sampling import Sampler

MANIFEST, STATE = "generated.json", ".generated"
CLASS_NAMES = "classes.txt"
IMAGE = re.compile(r"[0-9]{10}\.png")
SUFFIXES = {"webdataset": ".tar", "tfrecord": ".tfrecord"}


@dataclass(frozen=True)
class Plan:
    """A set of generated images.

    Args:
        directory: Where it is.
        count: Number of images.
        shard_size: Images a shard.
        format: How they are written.
        chosen: Numbers of the shards that this process is to write.
        names: Name of each class by its label, or `None`.
    """

    directory: Path
    count: int
    shard_size: int
    format: str
    chosen: tuple[int, ...]
    names: tuple[str, ...] | None

    @classmethod
    def opened(cls, config: "GenerateConfig", sampler: "Sampler") -> "Plan":
        """Begins a set, or goes on with one.

        Raises:
            RunError: If the directory holds something else.
            ConfigError: If `TF_CONFIG` is not what TensorFlow expects.
        """
        directory = Path(config.out_dir)
        wanted: dict[str, Any] = {
            "format": config.format,
            "count": config.count,
            "shard_size": config.shard_size,
            "seed": config.seed,
            "batch_size": sampler.batch_size,
            "labels": None if sampler.labels is None else list(sampler.labels),
            "class_names": None if sampler.names is None else list(sampler.names),
            "image_shape": [int(side) for side in sampler.generator.output_shape[1:]],
            "weights": weights_hash(sampler.generator),
        }
        # Generators of equal weights may draw other images: numbers may be in the graph itself, and layers differ.
        if (Path(config.model) / "saved_model.pb").is_file():
            wanted["graph"] = digest(Path(config.model))
        else:
            labels = None if sampler.labels is None else np.resize(sampler.labels, LOOKED_AT)
            wanted["drawn"] = list(drawn_by(sampler.generator, labels))
        directory.mkdir(parents=True, exist_ok=True)
        make_folder(directory, STATE)
        with FileLock(directory / STATE / "begin.lock"):
            _begin(directory, wanted, config.model)
        shards = range(config.shard_count) if config.shards is None else tuple(dict.fromkeys(config.shards))
        worker, workers = worker_of(os.environ.get(VARIABLE))
        return cls(
            directory, config.count, config.shard_size, config.format, tuple(shards)[worker::workers], sampler.names
        )

    @property
    def shard_count(self) -> int:
        """Number of shards of the whole set."""
        return -(-self.count // self.shard_size)

    def numbers(self, shard: int) -> range:
        """The images of a shard."""
        return range(shard * self.shard_size, min(self.count, (shard + 1) * self.shard_size))

    def is_there(self, shard: int) -> bool:
        """Whether a shard has been written, and nothing of it has been removed or cut off since."""
        mark = self._mark(shard)
        if not mark.is_file():
            return False
        if self.format == "folder":
            numbers = self.numbers(shard)
            return self._listed.issuperset(numbers) or self._listed_anew().issuperset(numbers)
        size = mark.read_text()  # empty in sets of earlier versions
        return self.file(shard).exists() and size in ("", str(self.file(shard).stat().st_size))

    def file(self, shard: int) -> Path:
        """The file of a shard."""
        return self.directory / f"images-{shard:05}-of-{self.shard_count:05}{SUFFIXES[self.format]}"

    def mark(self, shard: int) -> None:
        """Says that a shard is there."""
        with Replacing(self._mark(shard)) as temporary:
            temporary.write_text("" if self.format == "folder" else str(self.file(shard).stat().st_size))

    @contextmanager
    def claimed(self, shard: int) -> Iterator[bool]:
        """Whether nobody else is writing a shard, who then would wait for this process."""
        lock = FileLock(self.directory / STATE / f"{shard:05}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def _mark(self, shard: int) -> Path:
        return self.directory / STATE / f"{shard:05}"

    @cached_property
    def _listed(self) -> set[int]:
        """Numbers of the images in the folders of the set."""
        folders = [self.directory, *(path for path in self.directory.iterdir() if path.is_dir())]
        return {int(name[:-4]) for folder in folders for name in os.listdir(folder) if IMAGE.fullmatch(name)}

    def _listed_anew(self) -> set[int]:
        """The same once more, as other processes may be writing."""
        vars(self).pop("_listed", None)
        return self._listed


def worker_of(tf_config: str | None) -> tuple[int, int]:
    """Number of this worker and of all, from the cluster that `TF_CONFIG` describes; `(0, 1)` without it.

    Raises:
        ConfigError: If it is not what TensorFlow expects.

    Example:
        >>> worker_of('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}')
        (1, 2)
    """
    cluster = Cluster.from_environment({VARIABLE: tf_config or ""})
    return (0, 1) if cluster is None else (cluster.rank, len(cluster.addresses))


def _are_lines(names: list[str]) -> bool:
    """Whether a file of lines gives names back as they are, so that each stays with its label."""
    return all(name and name == name.strip() and "\n" not in name for name in names) and len(set(names)) == len(names)


def _is_as_wanted(name: str, found: Any, wanted: Any) -> bool:
    """Whether a setting of a set is that of this one; sets of earlier versions do not say what was drawn."""
    return (found is None or alike(found, wanted)) if name == "drawn" else found == wanted


def _begin(directory: Path, wanted: dict[str, Any], model: str) -> None:
    path = directory / MANIFEST
    if path.is_file():
        try:
            found = json.loads(read_text(path))
            different = [name for name, value in wanted.items() if not _is_as_wanted(name, found.get(name), value)]
        except (ValueError, AttributeError) as error:
            raise RunError(f"{path}: must be as `tfgantl generate` wrote it. Received: something else") from error
        if different:
            raise RunError(
                f"`out_dir` must be new, or hold a set with these settings. Received: {directory}, whose "
                f"`{different[0]}` is {str(found.get(different[0]))[:80]} and not {str(wanted[different[0]])[:80]}"
            )
        return
    names = wanted["class_names"] if wanted["format"] != "folder" else None
    lines = "".join(f"{name}\n" for name in names).encode() if names and _are_lines(names) else None
    others = [name for name in os.listdir(directory) if name != STATE and not TEMPORARY.fullmatch(name)]
    if lines and others == [CLASS_NAMES] and (directory / CLASS_NAMES).read_bytes() == lines:  # of a kill just here
        others = []
    if others:
        raise RunError(f"`out_dir` must be new, or hold a generated set. Received: {directory}, which has {others[0]}")
    if lines:
        with Replacing(directory / CLASS_NAMES) as temporary:
            temporary.write_bytes(lines)
    with Replacing(path) as temporary:
        facts = {"model": model, "seed_of_image": "seed * 2**31 + number", **wanted}
        temporary.write_text(json.dumps(facts, indent=1))
