"""Generated images to files: PNG files in folders, `.tar` shards of WebDataset, TFRecord shards.

Nothing of a file depends on when and where it is written: the same images give the same bytes.
"""

import io
import json
import os
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tfgantl.errors import RunError, reason
from tfgantl.files import Replacing, make_folder, name_from
from tfgantl.images import encode_png

if TYPE_CHECKING:
    from tfgantl.pipelines.generate.plan import Plan
    from tfgantl.pipelines.generate.sampling import Drawn


class ShardWriter(ABC):
    """Takes the images of one shard, batch by batch; what is written counts when the block ends without an error.

    Args:
        plan: The set.
        shard: Number of the shard.
        pool: Threads that encode.
    """

    def __init__(self, plan: "Plan", shard: int, pool: ThreadPoolExecutor) -> None:
        self.plan, self.shard, self.pool = plan, shard, pool

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.close(kind is None)
        if kind is None:
            self.plan.mark(self.shard)

    @abstractmethod
    def write(self, drawn: "Drawn") -> None:
        """Takes the next images."""

    @abstractmethod
    def close(self, complete: bool) -> None:
        """Gives the shard its name, or removes what there is of it."""


class FolderWriter(ShardWriter):
    """A PNG file an image, named by its number, in a folder of its class if there are classes.

    The seed is in the file, as text. Files are on the disk before they count.
    """

    def __init__(self, plan: "Plan", shard: int, pool: ThreadPoolExecutor) -> None:
        super().__init__(plan, shard, pool)
        self._folders = folder_names(plan.names)

    def write(self, drawn: "Drawn") -> None:
        def save(row: int) -> None:
            label = None if drawn.labels is None else int(drawn.labels[row])
            folder = make_folder(self.plan.directory, "" if label is None else self._folders.get(label, str(label)))
            text = PngInfo()
            text.add_text("seed", str(drawn.seeds[row]))
            image = drawn.images[row]
            stream = io.BytesIO()
            Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(stream, "PNG", pnginfo=text)
            path = folder / f"{drawn.numbers[row]:010}.png"
            temporary = path.with_name(f".{path.name}.part")
            temporary.unlink(missing_ok=True)  # also a link, which would be written through
            with open(temporary, "xb") as file:
                file.write(stream.getvalue())
            os.replace(temporary, path)

        list(self.pool.map(save, range(len(drawn.numbers))))

    def close(self, complete: bool) -> None:
        if complete:
            os.sync()  # once a shard: a call for each file would take longer than the image


class FileWriter(ShardWriter):
    """A shard that is one file."""

    def __init__(self, plan: "Plan", shard: int, pool: ThreadPoolExecutor) -> None:
        super().__init__(plan, shard, pool)
        self._replacing = Replacing(plan.file(shard))
        self._open(self._replacing.__enter__())

    def write(self, drawn: "Drawn") -> None:
        for row, png in enumerate(self.pool.map(encode_png, drawn.images)):
            label = None if drawn.labels is None else int(drawn.labels[row])
            self._add(int(drawn.numbers[row]), png, label, int(drawn.seeds[row]))

    def close(self, complete: bool) -> None:
        whole = False
        try:
            self._close()  # which writes, and finds the disk full
            whole = complete
        finally:
            self._replacing.__exit__(None if whole else Exception, None, None)

    @abstractmethod
    def _open(self, path: Path) -> None: ...

    @abstractmethod
    def _add(self, number: int, png: bytes, label: int | None, seed: int) -> None: ...

    @abstractmethod
    def _close(self) -> None: ...


class TarWriter(FileWriter):
    """A `.tar` shard of WebDataset: `NUMBER.png`, `NUMBER.cls` and `NUMBER.json` of each image."""

    def _open(self, path: Path) -> None:
        self._archive = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115

    def _add(self, number: int, png: bytes, label: int | None, seed: int) -> None:
        members = {"png": png, "json": json.dumps({"seed": seed}).encode()}
        if label is not None:
            members["cls"] = str(label).encode()
        for suffix, content in members.items():
            member = tarfile.TarInfo(f"{number:010}.{suffix}")
            member.size, member.mode = len(content), 0o644
            self._archive.addfile(member, io.BytesIO(content))

    def _close(self) -> None:
        self._archive.close()


class RecordWriter(FileWriter):
    """A TFRecord shard of `tf.train.Example`: `image` (PNG), `label`, `seed`, `number`."""

    def _open(self, path: Path) -> None:
        import tensorflow as tf

        self._tf, self._records = tf, tf.io.TFRecordWriter(str(path))

    def _add(self, number: int, png: bytes, label: int | None, seed: int) -> None:
        train = self._tf.train
        integers = {"seed": seed, "number": number, **({} if label is None else {"label": label})}
        features = {key: train.Feature(int64_list=train.Int64List(value=[value])) for key, value in integers.items()}
        features["image"] = train.Feature(bytes_list=train.BytesList(value=[png]))
        example = train.Example(features=train.Features(feature=features))
        with self._told():
            self._records.write(example.SerializeToString(deterministic=True))

    def _close(self) -> None:
        with self._told():
            self._records.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Context manager around writing: errors of TensorFlow become one line."""
        try:
            yield
        except self._tf.errors.OpError as error:
            raise RunError(f"{self.plan.file(self.shard)} must fit on the disk. Received: {reason(error)}") from error


WRITERS: dict[str, type[ShardWriter]] = {"folder": FolderWriter, "webdataset": TarWriter, "tfrecord": RecordWriter}


def folder_names(names: tuple[str, ...] | None) -> dict[int, str]:
    """Label → name of a folder: the name of the class where all are fit for it, else its number."""
    if names is None or any(name_from(name) != name for name in names):
        return {}
    return dict(enumerate(names)) if len({name.casefold() for name in names}) == len(names) else {}
