"""Folders of `save_to_disk` that are half copied, damaged, or of two exports."""

import gc
import gzip
import io
import json
import os
import re
import shutil
import tarfile

import numpy as np
import pytest
from conftest import tiny_images
from PIL import Image

from tfgantl.data import SPLITS, HFDataset, reading
from tfgantl.data.shards import hugging_face
from tfgantl.data.shards.dataset_folder import check_folder
from tfgantl.errors import ConfigError, DataError, TfgantlError

datasets = pytest.importorskip("datasets", reason="needs `pip install 'tfgantl[hf]'`")
FIRST = "data-00000-of-00002.arrow"


def made(names=("cat", "dog"), split="train", count=12):
    rows = []
    for number in range(count):
        stream = io.BytesIO()
        Image.fromarray(tiny_images(count)[number].squeeze()).save(stream, "PNG")
        rows.append({"bytes": stream.getvalue(), "path": None})
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(names))})
    columns = {"image": rows, "label": [number % 2 for number in range(count)]}
    return datasets.Dataset.from_dict(columns, features=features, split=split)


@pytest.fixture
def saved(tmp_path):
    made().save_to_disk(str(tmp_path / "saved"), num_shards=2)
    return tmp_path / "saved"


def rows_of(path, **options):
    source = HFDataset(str(path), image_size=8, channels=1, validation=0.2, test=0.2, **options)
    return sum(source.load(split).size for split in SPLITS)


def change(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def of_another_export(folder):
    made(("dog", "cat")).save_to_disk(str(folder.parent / "other"), num_shards=2)
    shutil.copy(folder.parent / "other" / FIRST, folder / FIRST)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder: (folder / FIRST).unlink(), "must list all .arrow files of its folder, once each"),
        (lambda folder: change(folder / "state.json", _data_files=[{"filename": FIRST}] * 2), "once each"),
        (lambda folder: change(folder / "state.json", _data_files=[{"filename": "../x.arrow"}]), "of this folder"),
        (lambda folder: change(folder / "state.json", _data_files=None), "must list files of this folder"),
        (lambda folder: (folder / "state.json").write_text("[" * 10**5), "must be readable JSON"),
        (of_another_export, "must have the features that dataset_info.json tells"),
        (lambda folder: (folder / FIRST).write_bytes((folder / FIRST).read_bytes()[:-8]), "must be a whole file"),
        (
            lambda folder: (folder / FIRST).write_bytes((folder / FIRST).read_bytes() + b"x" * 64),
            "must be a whole file",
        ),
        (lambda folder: (folder / FIRST).write_bytes(b""), "must be a file of `save_to_disk`"),
    ],
)
def test_a_saved_data_set_is_whole_and_of_one_export(saved, damage, told):
    assert rows_of(saved) == 12
    damage(saved)
    with pytest.raises(DataError, match=told) as refusal:
        rows_of(saved)
    assert "\n" not in str(refusal.value)


def test_shards_that_are_neither_listed_nor_there_are_missed(saved):
    (saved / FIRST).unlink()
    change(saved / "state.json", _data_files=[{"filename": FIRST.replace("00000-", "00001-")}])
    with pytest.raises(DataError, match="all 2 shards of data.arrow; .*, without 0$"):
        rows_of(saved)


def test_rows_that_are_lost_with_the_end_of_a_file_are_told(saved, tmp_path):
    """Wherever it is cut off, or zeros begin."""
    content = (saved / FIRST).read_bytes()
    for cut in range(0, len(content), 40):
        for rest in (b"", bytes(len(content) - cut)):
            (saved / FIRST).write_bytes(content[:cut] + rest)
            with pytest.raises(DataError):
                rows_of(saved)


def test_no_damage_ends_the_process(saved):
    generator = np.random.default_rng(0)
    content = (saved / FIRST).read_bytes()
    for _ in range(60):
        damaged = bytearray(content)
        for place in generator.integers(len(damaged), size=3):
            damaged[place] = generator.integers(256)
        (saved / FIRST).write_bytes(damaged)
        os.utime(saved / FIRST)
        try:
            assert rows_of(saved) == 12
        except TfgantlError as error:
            assert "\n" not in str(error)


def test_splits_of_a_saved_data_set_are_those_that_are_asked_for(saved, tmp_path):
    assert rows_of(saved, split="train[:50%]") == 6
    datasets.DatasetDict(train=made(), test=made(count=10, split="test")).save_to_disk(str(tmp_path / "parts"))
    assert [rows_of(tmp_path / "parts", split=split) for split in ("train", "test", "train+test[2:]")] == [12, 10, 20]
    made(split="train[:40]").save_to_disk(str(tmp_path / "cut"))
    assert rows_of(tmp_path / "cut") == rows_of(tmp_path / "cut", split="train[:40]") == 12
    for folder, split in ((saved, "test"), (saved, "train["), (saved, "test[:3]"), (tmp_path / "parts", "validation")):
        with pytest.raises(ConfigError, match="`split` must be of train(, test)?, such as") as refusal:
            rows_of(folder, split=split)
        assert "\n" not in str(refusal.value)
    for options in ({"config": "plain"}, {"revision": "v1"}):
        with pytest.raises(ConfigError, match="`config` and `revision` must be null"):
            rows_of(saved, **options)


def test_the_format_that_a_data_set_was_saved_with_is_not_ours(saved):
    change(saved / "state.json", _format_columns=["label"], _format_type="numpy")
    assert rows_of(saved) == 12


def test_rows_of_a_saved_data_set_are_neither_packed_nor_without_room(saved):
    import pyarrow

    content = (saved / FIRST).read_bytes()
    with pyarrow.ipc.open_stream(content) as stream:
        table = stream.read_all()
    for count, packing, told in ((1, "zstd", "packed rows"), (2**20, None, "1048576 rows in 0 bytes")):
        schema = table.schema if packing else pyarrow.schema({"image": pyarrow.null()})
        batch = table if packing else pyarrow.table({"image": pyarrow.nulls(count)})
        options = pyarrow.ipc.IpcWriteOptions(compression=packing)
        with pyarrow.ipc.new_stream(str(saved / FIRST), schema, options=options) as writer:
            writer.write_table(batch)
        with pytest.raises(DataError, match=f"must be a file of `save_to_disk`. Received: {told}"):
            rows_of(saved)


def test_a_row_without_a_picture_is_told_like_any_other(tmp_path):
    rows = made()
    without = datasets.Dataset.from_dict({"image": [None], "label": [0]}, features=rows.features, split="train")
    datasets.concatenate_datasets([rows, without]).save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(DataError, match="row 12.* is empty"):
        rows_of(tmp_path / "saved")
    assert rows_of(tmp_path / "saved", on_bad="skip") == 12


def packed_member(folder):
    with tarfile.open(folder / "train-0.tar", "w") as archive:
        for name, content in (
            ("0.png", (folder / "train" / "0.png").read_bytes()),
            ("0.bin.gz", gzip.compress(bytes(9))),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


CARD = "---\nconfigs:\n- config_name: default\n  data_files: '{}'\n---\n"


def repeated_value(folder, name="train.parquet"):
    """A thousand rows that refer to one megabyte."""
    import pyarrow
    from pyarrow.parquet import write_table

    table = pyarrow.table({"image": pyarrow.array([bytes(2**20)] * 1000)})
    write_table(table, folder / name, compression="zstd", use_dictionary=True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (packed_member, "train-0.tar, one for the reader webdataset"),
        (lambda folder: (folder / "LICENSE").write_bytes(gzip.compress(b"Any.")), "LICENSE, one that is packed, by gz"),
        (repeated_value, "values must come to at most 1000 times the size"),
        (lambda folder: (folder / "a.png").symlink_to("/etc/hostname"), "links must lead to files within"),
        (lambda folder: (folder / "test").symlink_to("/etc"), "links must lead to files within"),
        (lambda folder: (folder / "test").symlink_to("train"), "links must lead to files. Received"),
        (lambda folder: (folder / "a.h5").write_bytes(b"x"), "a.h5, one for the reader hdf5"),
        (lambda folder: os.mkfifo(folder / "pipe.txt"), "pipe.txt, no file"),
        (lambda folder: os.mkfifo(folder / "pipe.png"), "pipe.png, no file"),
        (lambda folder: (folder / "b.png").write_bytes(gzip.compress(b"1,2")), "b.png, one that is packed, by gz"),
        (lambda folder: repeated_value(folder, "b.png"), "values must come to at most 1000 times the size"),
        (lambda folder: (folder / "README.md").write_text(CARD.format(".x/*.png")), "must name no hidden files"),
        (lambda folder: (folder / "README.md").write_text(CARD.format("a/__b.parquet")), "must name no hidden files"),
    ],
    ids=["tar", "packed", "repeated", "link", "linked folder", "link within", "other reader", "pipe", "pipe as picture",
         "packed picture", "Parquet picture", "hidden folder", "hidden file"],
)  # fmt: skip
def test_a_folder_is_looked_at_before_the_library_reads_it(tmp_path, change, told):
    """It unpacks whatever is packed, follows links, and keeps each value of Parquet by itself."""
    folder = tmp_path / "folder"
    (folder / "train").mkdir(parents=True)
    for number, image in enumerate(tiny_images(20)):
        Image.fromarray(image.squeeze()).save(folder / "train" / f"{number}.png")
    (folder / ".git").mkdir()
    (folder / ".git" / "pack.zip").write_bytes(b"PK")
    for name in ("LICENSE", "README.md", "settings.toml"):
        (folder / name).write_text("Any.")
    (folder / "linked.png").symlink_to("train/0.png")
    check_folder(folder, ())
    change(folder)
    with pytest.raises(DataError, match=re.escape(told)) as refusal:
        HFDataset(str(folder), image_size=8, channels=1).load("train")
    assert "\n" not in str(refusal.value)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_a_table_beside_pictures_leaves_out_is_told(tmp_path):
    """The library takes `metadata.csv` for all that is known: classes of folders, or pictures, were gone."""
    for number in range(12):
        path = tmp_path / "set" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(tiny_images(12)[number].squeeze()).save(path)
    source = HFDataset(str(tmp_path / "set"), image_size=8, channels=1, validation=0.2, test=0.2)
    assert source.pictures().notes == () and source.load("train").classes == ("a", "b")
    rows = [f"{'ab'[number % 2]}/{number}.png,{number}" for number in range(10)]
    (tmp_path / "set" / "metadata.csv").write_text("\n".join(["file_name,age", *rows]))
    assert source.pictures().notes == (
        "2 of 12 pictures are not in metadata.csv", "metadata.csv has no column label, so there are no classes",
    )  # fmt: skip
    assert source.load("train").classes is None
    (tmp_path / "set" / "metadata.csv").write_text("\n".join(["file_name,age", *rows, *rows]))
    assert "2 of 12 pictures are not in metadata.csv" in source.pictures().notes  # a picture in two rows is one
    gc.collect()  # the library leaves tables open


def test_files_of_a_saved_data_set_are_no_links_out_of_it(saved, tmp_path):
    made(count=12).save_to_disk(str(tmp_path / "private"), num_shards=2)
    (saved / FIRST).unlink()
    (saved / FIRST).symlink_to(tmp_path / "private" / FIRST)
    with pytest.raises(DataError, match="must lie within .*saved. Received: a link to .*private"):
        rows_of(saved)


def test_a_picture_that_many_rows_name_is_decoded_once(tmp_path, monkeypatch):
    """Rows of a few bytes each, of which each took as long as the largest picture: hours."""
    (tmp_path / "set").mkdir()
    images = tiny_images(6)
    for number in range(6):
        Image.fromarray(images[number].squeeze()).save(tmp_path / "set" / f"{number}.png")
    rows = [{"bytes": None, "path": str(tmp_path / "set" / f"{number % 6}.png")} for number in range(60)]
    found = datasets.Dataset.from_dict({"image": rows}, datasets.Features({"image": datasets.Image()}))
    found.save_to_disk(str(tmp_path / "saved"))
    for file in (tmp_path / "set").iterdir():
        shutil.copy(file, tmp_path / "saved")
    seen, decode = [], reading._decoded
    monkeypatch.setattr(reading, "_decoded", lambda opener, *rest: seen.append(1) or decode(opener, *rest))
    source = HFDataset(str(tmp_path / "saved"), image_size=8, channels=1, validation=0.2, test=0.2)
    monkeypatch.setattr(hugging_face, "_roots_of", lambda folder: (folder, tmp_path / "set"))
    assert sum(part.size for part in source.splits().values()) == 60 and len(seen) == 6


@pytest.mark.parametrize(
    ("places", "told"),
    [
        (
            ["bus/{}.png", "car/{}.png", "train/{}.png"],
            "8 of 12 pictures are left out by `datasets`, as names of splits",
        ),
        (["a/{}.png", "more/b/{}.png"], "pictures lie in several folders .*, and have no classes by `datasets`"),
        (["cat/a/{}.png", "dog/a/{}.png", "dog/b/{}.png"], "folders called a are one class"),
        (["train/cat/{}.png", "train/dog/{}.png"], None),
    ],
)
def test_what_the_library_makes_of_folders_is_told(tmp_path, places, told):
    """A class called train took the place of all others, and classes at two depths were none, without a word."""
    for number in range(12):
        path = tmp_path / "set" / places[number % len(places)].format(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(tiny_images(12)[number].squeeze()).save(path)
    source = HFDataset(str(tmp_path / "set"), image_size=8, channels=1, validation=0.2, test=0.2)
    notes = source.pictures().notes
    assert (not notes) if told is None else re.search(told, "; ".join(notes))
