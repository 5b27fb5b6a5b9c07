"""Shards and data sets that come from anywhere: what they name, what they repeat, and what they claim."""

import io
import json
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Lock

import numpy as np
import pytest
from conftest import growth_below, tiny_images
from PIL import Image

from tfgantl.data import ArrayRecords, Parquet, WebDataset, reading
from tfgantl.data.decode import Depth
from tfgantl.data.opening import Refused
from tfgantl.data.pictures import Encoded, PictureList
from tfgantl.data.reading import Form, MemoryStore
from tfgantl.data.shards import hugging_face, tar
from tfgantl.data.shards.examples import opened
from tfgantl.data.shards.parquet import ParquetPictures
from tfgantl.errors import DataError
from tfgantl.untrusted import riegeli

SIZES = {"image_size": 8, "channels": 1, "validation": 0.2, "test": 0.2}


def png(number, side=8):
    stream = io.BytesIO()
    Image.fromarray(tiny_images(12, side)[number].squeeze()).save(stream, "PNG")
    return stream.getvalue()


def member(name, content=b"", **fields):
    found = tarfile.TarInfo(name)
    found.size = len(content)
    for field, value in fields.items():
        setattr(found, field, value)
    return found, io.BytesIO(content)


def web_dataset(path, members, form=tarfile.GNU_FORMAT):
    with tarfile.open(path, "w", format=form) as archive:
        for one in members:
            archive.addfile(*one)
    return WebDataset(str(path), **SIZES)


def samples(label=lambda number: b"%d" % (number % 2)):
    return [
        one for n in range(12) for one in (member(f"{n:02}.png", png(n)), member(f"{n:02}.cls", label(n)))
    ]  # fmt: skip


def labels_by_picture(source):
    parts = [source.load(split).take() for split in ("train", "validation", "test")]
    numbers = {image.tobytes(): number for number, image in enumerate(tiny_images(12))}
    return {
        numbers[image.tobytes()]: int(y) for images, labels in parts for image, y in zip(images, labels, strict=True)
    }


# --- ArrayRecord ---


def array_record(path, records, options):
    module = pytest.importorskip("array_record.python.array_record_module")
    writer = module.ArrayRecordWriter(str(path), options)
    for record in records:
        writer.write(record)
    writer.close()
    return ArrayRecords(str(path), **SIZES)


def test_a_kilobyte_of_an_array_record_does_not_unpack_to_gigabytes(tmp_path):
    source = array_record(tmp_path / "a.array_record", [bytes(2**27)], "group_size:1,brotli:1")
    with (
        growth_below(100),
        pytest.raises(DataError, match="must be a whole shard. Received: a chunk of .* unpacks to 13"),
    ):
        source.load("train")


@pytest.mark.parametrize("options", ["group_size:1", "group_size:700,zstd:3", "group_size:3,uncompressed"])
def test_chunks_of_whole_array_records_are_found(tmp_path, options):
    """Also where one begins within, or ends at, the header of a block; records without bytes have a place, too."""
    for size, count in ((0, 3000), (900, 300), (65_400, 5), (200_000, 2)):
        path = tmp_path / f"{size}.array_record"
        array_record(path, [np.random.default_rng(n).bytes(size) for n in range(count)], options)
        riegeli.check_chunks(path)
    with pytest.raises(ValueError, match="left|an end within"):
        path.write_bytes(path.read_bytes()[:-70_000])
        riegeli.check_chunks(path)
