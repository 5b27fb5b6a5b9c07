"""Pictures in ArrayRecord shards of `tf.train.Example`; the one module that imports `array_record`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfgantl.data.pictures import Encoded, PictureList
from tfgantl.data.shards.examples import encoded_of, told_record
from tfgantl.data.shards.files import class_names_beside
from tfgantl.errors import ConfigError, DataError, not_installed, reason
from tfgantl.printing import printable
from tfgantl.untrusted.riegeli import check_chunks

AT_A_TIME, MOST = 32, 2**28  # records in memory, and bytes of the chunks that they lie in


class ArrayRecordPictures(PictureList):
    """Records of ArrayRecord shards.

    Args:
        files: The shards.
        image: Name of the feature with the picture.
        label: Name of the feature with the label, or `None`.

    Raises:
        ConfigError: If `array_record` is not installed.
        DataError: If a shard is damaged, or there is no record.
    """

    unit = "record"

    def __init__(self, files: list[Path], image: str, label: str | None) -> None:
        try:
            from array_record.python.array_record_module import ArrayRecordReader
        except ImportError as error:
            raise ConfigError(not_installed("ArrayRecords", "array-record", "arrayrecord", error)) from error
        self._files, self._image, self._label = files, image, label
        self._readers: list[Any] = []
        largest = 1
        for file in files:
            with _whole(file):
                largest = max(largest, check_chunks(file))
                self._readers.append(ArrayRecordReader(str(file)))
                if not self._readers[-1].num_records():  # also what is no ArrayRecord at all
                    raise ValueError("no records")
        self._at_a_time = min(AT_A_TIME, max(1, MOST // largest))
        self._counts = [reader.num_records() for reader in self._readers]
        super().__init__(
            "ArrayRecords", sum(self._counts), label is not None, class_names_beside(files) if label else None
        )

    def chunk(self, start: int, stop: int) -> Iterator[Encoded]:
        first = 0
        for file, reader, count in zip(self._files, self._readers, self._counts, strict=True):
            numbers = range(max(0, start - first), min(count, stop - first))
            for at in range(0, len(numbers), self._at_a_time):
                some = numbers[at : at + self._at_a_time]
                with _whole(file):
                    records = reader.read(list(some))
                for number, record in zip(some, records, strict=True):
                    yield encoded_of(record, self._image, self._label, self.told(first + number))
            first += count

    def told(self, index: int) -> str:
        file, number = told_record(self._files, self._counts, index)
        return f"{printable(file)}: record {number}"


class _whole:  # noqa: N801 - reads as a word of the sentence
    """Context manager around reading a shard: whatever its library raises becomes `DataError`, in one line."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            raise DataError(
                f"ArrayRecords: {printable(self._file)}: must be a whole shard. Received: {printable(reason(error))}"
            ) from error
