"""Pictures in TFRecord shards of `tf.train.Example`."""

import struct
from collections.abc import Iterator
from pathlib import Path

from tfgantl.data.pictures import Encoded, PictureList
from tfgantl.data.shards.examples import encoded_of, told_record
from tfgantl.data.shards.files import class_names_beside
from tfgantl.errors import DataError, reason
from tfgantl.printing import printable

HEAD, FOOT = 12, 4  # bytes around a record: its length and checksums
AHEAD = 2**20  # bytes that are read at one time


class TFRecordPictures(PictureList):
    """Records of TFRecord shards, whose checksums TensorFlow compares when they are read.

    Args:
        files: The shards.
        image: Name of the feature with the picture.
        label: Name of the feature with the label, or `None`.

    Raises:
        DataError: If a shard is damaged, or there is no record.
    """

    unit = "record"

    def __init__(self, files: list[Path], image: str, label: str | None) -> None:
        self._counts = [_count(file) for file in files]
        if not sum(self._counts):
            raise DataError(f"TFRecords: shards must hold records. Received: {files[0]}, without any")
        super().__init__(
            "TFRecords", sum(self._counts), label is not None, class_names_beside(files) if label else None
        )
        self._files, self._image, self._label = files, image, label
        self._records: Iterator[bytes] = iter(())
        self._position = -1

    def chunk(self, start: int, stop: int) -> Iterator[Encoded]:
        if start != self._position:
            self._records, self._position = self._from(start), start
        for index in range(start, stop):
            record = next(self._records, None)
            if record is None:
                raise DataError(f"TFRecords: {self.told(index)} must stay there while it is read. Received: none")
            self._position += 1
            yield encoded_of(record, self._image, self._label, self.told(index))

    def told(self, index: int) -> str:
        file, number = told_record(self._files, self._counts, index)
        return f"{printable(file)}: record {number}"

    def _from(self, start: int) -> Iterator[bytes]:
        import tensorflow as tf

        file, number = told_record(self._files, self._counts, start)
        files = [str(path) for path in self._files[self._files.index(file) :]]
        try:
            yield from tf.data.TFRecordDataset(files).skip(number).as_numpy_iterator()
        except tf.errors.OpError as error:
            raise DataError(
                f"TFRecords: {self.told(self._position)} must be whole. Received: {printable(reason(error))}"
            ) from error


def _count(file: Path) -> int:
    """Number of records. TensorFlow makes room for what one claims, and ends the process if there is none."""
    left, count = file.stat().st_size, 0
    with open(file, "rb", AHEAD) as stream:
        while left:
            head = stream.read(HEAD)
            length = struct.unpack("<Q", head[:8])[0] if len(head) == HEAD else 0
            left -= HEAD + length + FOOT
            if left < 0:
                raise DataError(
                    f"TFRecords: {printable(file)}: records must be whole. Received: one of {length} bytes, the "
                    f"{count + 1}th"
                )
            stream.seek(length + FOOT, 1)
            count += 1
    return count
