"""Data sets where they lie: the same pictures in every kind of file are the same examples, and damage is told."""

import io
import json
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import tiny_images
from PIL import Image

from tfgantl.crossmodal.caption_files import load_captioned
from tfgantl.data import SPLITS, ArrayRecords, Folder, HFDataset, Parquet, TFRecords, WebDataset
from tfgantl.data.shards.files import expanded
from tfgantl.data.shards.parquet import check_parquet
from tfgantl.errors import ConfigError, DataError
from tfgantl.images import encode_png

COUNT, CLASSES = 36, ("cat", "dog", "owl")
SIZES = {"image_size": 8, "channels": 3, "validation": 0.2, "test": 0.2}


def png(number):
    stream = io.BytesIO()
    Image.fromarray(tiny_images(COUNT, 12, 3)[number]).save(stream, "PNG")
    return stream.getvalue()


def thirds():
    """Numbers of the pictures of each of three shards."""
    return enumerate(np.array_split(np.arange(COUNT), 3))


def folder(path):
    for number in range(COUNT):
        where = path / "folder" / CLASSES[number % 3]
        where.mkdir(parents=True, exist_ok=True)
        (where / f"{number}.png").write_bytes(png(number))
    return Folder(str(path / "folder"), **SIZES)


def tar_with(path, members):
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def web_dataset(path, label=lambda number: CLASSES[number % 3].encode()):
    (path / "web").mkdir()
    for shard, numbers in thirds():
        members = [
            member
            for number in numbers
            for member in (
                (f"{'deep/' * 30 if number == 5 else ''}{number:04}.png", png(number)),  # a name in two parts, or PAX
                *([(f"{'deep/' * 30 if number == 5 else ''}{number:04}.cls", label(number))] if label else ()),
            )
        ]
        tar_with(path / "web" / f"train-{shard:02}.tar", [*members, (".hidden", b"x"), ("readme.txt", b"y")])
    return WebDataset(str(path / "web"), **SIZES)


def example(number, **more):
    features = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[png(number)])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[number % 3])),
    } | more
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def tf_records(path):
    (path / "records").mkdir()
    (path / "records" / "classes.txt").write_text("\n".join(CLASSES))
    for shard, numbers in thirds():
        with tf.io.TFRecordWriter(str(path / "records" / f"{shard}.tfrecord")) as writer:
            for number in numbers:
                writer.write(example(number))
    return TFRecords(str(path / "records"), **SIZES)


def array_records(path):
    module = pytest.importorskip("array_record.python.array_record_module")
    (path / "arrays").mkdir()
    (path / "arrays" / "classes.txt").write_text("\n".join(CLASSES))
    for shard, numbers in thirds():
        writer = module.ArrayRecordWriter(str(path / "arrays" / f"{shard}.array_record"), "group_size:1")
        for number in numbers:
            writer.write(example(number))
        writer.close()
    return ArrayRecords(str(path / "arrays"), **SIZES)


def parquet(path, label="names"):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    (path / "parquet").mkdir()
    for shard, numbers in thirds():
        columns = {"image": [{"bytes": png(number), "path": f"{number}.png"} for number in numbers]}
        columns["label"] = [CLASSES[n % 3] if label == "text" else int(n % 3) for n in numbers]
        columns["other"] = ["x" * 100] * len(numbers)
        features = {"image": {"_type": "Image"}, "label": {"names": list(CLASSES), "_type": "ClassLabel"}}
        table = pyarrow.table(columns).replace_schema_metadata(
            {"huggingface": json.dumps({"info": {"features": features}})} if label == "names" else {}
        )
        write_table(table, path / "parquet" / f"train-{shard}.parquet", row_group_size=5)
    return Parquet(str(path / "parquet"), **SIZES)


def hugging_face(path):
    datasets = pytest.importorskip("datasets", reason="needs `pip install 'tfgantl[hf]'`")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES))})
    rows = {"image": [{"bytes": png(n), "path": None} for n in range(COUNT)], "label": [n % 3 for n in range(COUNT)]}
    datasets.DatasetDict({"train": datasets.Dataset.from_dict(rows, features)}).save_to_disk(str(path / "hf"))
    return HFDataset(str(path / "hf"), **SIZES)


KINDS = {
    "WebDataset": web_dataset, "TFRecords": tf_records, "ArrayRecords": array_records, "Parquet": parquet,
    "HFDataset": hugging_face,
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most", [100, 10**9], ids=["on disk", "in memory"])
def test_shards_give_what_a_folder_gives(kind, most, tmp_path):
    """The cut is by content, so it does not depend on where pictures lie, or in which order."""
    files, shards = folder(tmp_path), replace(KINDS[kind](tmp_path), max_bytes=most)
    for split in SPLITS:
        one, other = files.load(split), shards.load(split)
        assert other.classes == CLASSES and (one.size, one.num_classes) == (other.size, other.num_classes)
        label_of = {image.tobytes(): label for image, label in zip(*one.take(), strict=True)}
        assert label_of == {image.tobytes(): label for image, label in zip(*other.take(), strict=True)}
    assert shards.load("train").fingerprint == replace(shards, shots=None).load("train").fingerprint
    assert shards.name == Path(getattr(shards, "path", None) or shards.dataset).name
    assert replace(shards, shots=2).load("train").size == 6


@pytest.mark.parametrize("kind", KINDS)
def test_shards_may_have_no_labels(kind, tmp_path):
    train = replace(KINDS[kind](tmp_path), label=None).load("train")
    assert train.num_classes is None and train.take()[1] is None


def test_shards_are_named_in_several_ways(tmp_path):
    source = web_dataset(tmp_path)
    web = tmp_path / "web"
    whole = source.load("train").fingerprint
    for path in (web / "*.tar", web / "train-{00..02}.tar"):
        assert replace(source, path=str(path)).load("train").fingerprint == whole
    assert replace(source, path=str(web / "train-01.tar")).load("train").size < COUNT // 3
    assert replace(source, path=str(web / "train-{00..02}.tar")).name == "train"
    with pytest.raises(DataError, match=r"`path` must name files that are there. .* without .*train-03.tar"):
        replace(source, path=str(web / "train-{02..03}.tar")).check_files()
    with pytest.raises(DataError, match=r"`path` must be shards \(.tar\). Received: .*none.tar, with none"):
        replace(source, path=str(web / "none.tar")).check_files()
    with pytest.raises(ConfigError, match="`path` must name 1 to 1048576 files"):
        expanded("x-{0..999999999}.tar")


@pytest.mark.parametrize("kind", ["WebDataset", "Parquet", "HFDataset"])
def test_labels_under_another_name_are_not_left_out(kind, tmp_path):
    """A set of classes became one without any, and nothing was said of it."""
    with pytest.raises(ConfigError, match="`label` must be what labels are called there, .* Received: class_id, which"):
        replace(KINDS[kind](tmp_path), label="class_id").load("train")
    (tmp_path / "usual").mkdir()
    source = KINDS[kind](tmp_path / "usual")
    object.__setattr__(source, "label", "usual")
    with pytest.raises(ConfigError, match="null for none. Received: usual, which is not there, beside (label|cls)"):
        source.load("train")


def test_a_sample_of_a_web_dataset_has_one_picture(tmp_path):
    """Masks beside photographs are PNG, which came first."""
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for number in range(COUNT):
            for suffix in ("jpg", "png"):
                member = tarfile.TarInfo(f"{number:03}.{suffix}")
                member.size = len(png(number))
                archive.addfile(member, io.BytesIO(png(number)))
    with pytest.raises(ConfigError, match="a sample must have one picture, .* Received: 000.png and 000.jpg"):
        WebDataset(str(tmp_path / "a.tar"), **SIZES).load("train")
    for image in (("jpg",), ("jpg", "png")):
        assert WebDataset(str(tmp_path / "a.tar"), image=image, **SIZES).load("train").size


def test_names_of_a_web_dataset_have_the_order_of_classes_txt(tmp_path):
    source = web_dataset(tmp_path)
    (tmp_path / "web" / "classes.txt").write_text("\n".join(["more", *reversed(CLASSES)]))
    assert source.load("train").classes == tuple(reversed(CLASSES))
    (tmp_path / "web" / "classes.txt").write_text("0\n1")  # of something else
    assert source.load("train").classes == CLASSES


def test_a_folder_that_is_replaced_is_made_anew_whatever_its_time(tmp_path):
    """`datasets` keeps what it has made of a folder, by path and time; programs that copy keep the time."""
    datasets = pytest.importorskip("datasets")
    path, seen = tmp_path / "set" / "a.parquet", []
    path.parent.mkdir()
    for seed in (0, 1):
        images = tiny_images(COUNT, 12, 3, seed=seed)
        rows = {"image": [{"bytes": encode_png(image), "path": None} for image in images]}
        datasets.Dataset.from_dict(rows, datasets.Features({"image": datasets.Image()})).to_parquet(path)
        os.utime(path, (0, 0))
        seen.append({image.tobytes() for image in HFDataset(str(path.parent), **SIZES).load("train").take()[0]})
    assert not seen[0] & seen[1]


def test_labels_of_web_datasets_are_numbers_or_names(tmp_path):
    source = web_dataset(tmp_path, lambda number: b" %d\n" % (number % 3))
    assert source.load("train").classes is None and source.load("train").num_classes == 3
    (tmp_path / "web" / "classes.txt").write_text("a\nb\nc\n")
    assert replace(source, seed=1).load("train").classes == ("a", "b", "c")
    (tmp_path / "web" / "classes.txt").write_text("a\nb\n")
    with pytest.raises(DataError, match=r"labels must be in \[0, 1\], as classes.txt says. Received: 2"):
        replace(source, seed=2).load("train")
    with pytest.raises(DataError, match="every sample must have a label .* 1 of 13 samples without"):
        tar_with(tmp_path / "web" / "train-02.tar", [("x.png", png(0))])
        replace(source, path=str(tmp_path / "web" / "train-0[02].tar")).load("train")


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_that_is_none_is_named_or_left_out(kind, tmp_path, monkeypatch):
    real = png
    monkeypatch.setitem(globals(), "png", lambda number: b"nothing" if number == 17 else real(number))
    source = KINDS[kind](tmp_path)
    with pytest.raises(DataError, match=f"{kind}: every .* must be a usable picture, .* cannot be decoded"):
        source.load("train")
    parts = [replace(source, on_bad="skip").load(split) for split in SPLITS]
    assert sum(part.size for part in parts) == COUNT - 1 and "cannot be decoded" in " ".join(parts[0].notes)


def test_shards_in_a_bucket_are_copied_once(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    source = tf_records(tmp_path)
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path / "records"), "/bucket/records", recursive=True)
    try:
        there = replace(source, path="memory://bucket/records")
        here, whole = source.load("train"), there.load("train")
        assert here.fingerprint == whole.fingerprint and whole.classes == CLASSES and there.name == "records"
        memory.pipe("/bucket/records/2.tfrecord", (tmp_path / "records" / "1.tfrecord").read_bytes())
        assert there.load("train").fingerprint != whole.fingerprint  # the bucket has changed
        with pytest.raises(DataError, match="`path` must be shards .*memory://bucket/nothing/., with none"):
            replace(there, path="memory://bucket/nothing/*").load("train")
    finally:
        memory.rm("/bucket", recursive=True)
    with pytest.raises(DataError, match="`path` must be an address that can be read. Received: nowhere://x"):
        replace(source, path="nowhere://x").load("train")


# --- Files from anywhere ---


def changed(path, at, content):
    data = bytearray(path.read_bytes())
    data[at : at + len(content)] = content
    path.write_bytes(bytes(data))


def with_checksum(path):
    header = bytearray(path.read_bytes()[:512])
    header[148:156] = b" " * 8
    changed(path, 148, b"%06o\0 " % sum(header))


def larger_than_it_is(path):
    changed(path, 124, b"%011o\0" % 2**31)
    with_checksum(path)


def size_of_terabytes(path):
    changed(path, 124, b"\x80" + (2**60).to_bytes(11, "big"))
    with_checksum(path)


def long_name(path):
    changed(path, 156, b"L")
    changed(path, 124, b"%011o\0" % 2**22)
    with_checksum(path)


TARS = {
    "damaged header": (lambda path: changed(path, 0, b"other"), "a damaged header at byte 0"),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:700]), "must be whole"),
    "larger than it is": (larger_than_it_is, "must be whole. Received: 0000.png of 2147483648 bytes"),
    "terabytes": (size_of_terabytes, "must be whole. Received: 0000.png of 1152921504606846976 bytes"),
    "long name": (long_name, "a header must have at most 1048576 bytes. Received: 4194304"),
    "packed": (lambda path: path.write_bytes(b"\x1f\x8b" + bytes(range(256)) * 8), "a damaged header at byte 0"),
    "empty": (lambda path: path.write_bytes(b""), "must be whole. Received: 0 bytes"),
}


@pytest.mark.parametrize("damage", TARS)
def test_damaged_tars_are_told(damage, tmp_path):
    source = web_dataset(tmp_path)
    path = tmp_path / "web" / "train-00.tar"
    TARS[damage][0](path)
    with pytest.raises(DataError, match=TARS[damage][1]) as error:
        replace(source, path=str(path)).load("train")
    assert "\n" not in str(error.value)


def test_names_and_links_of_an_archive_lead_nowhere(tmp_path):
    path = tmp_path / "evil.tar"
    tar_with(path, [(f"../../{number}.png", png(number)) for number in range(COUNT)])
    with tarfile.open(path, "a") as archive:
        for number, kind in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE)):
            member = tarfile.TarInfo(f"link{number}.png")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    before = sorted(tmp_path.rglob("*"))
    parts = [WebDataset(str(path), **SIZES).load(split) for split in SPLITS]
    assert sum(part.size for part in parts) == COUNT
    assert [found for found in sorted(tmp_path.rglob("*")) if "own-cache" not in str(found)] == before


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (
            lambda path: changed(path, 0, (2**40).to_bytes(8, "little")),
            "records must be whole. Received: one of 1099511",
        ),
        (lambda path: path.write_bytes(path.read_bytes()[:-3]), "records must be whole. Received: one of .*the 12th"),
        (lambda path: changed(path, 40, b"\0\0\0\0"), "record 0 must be whole. Received: "),
        (lambda path: path.write_bytes(b""), "shards must hold records"),
    ],
    ids=["a terabyte", "cut off", "other bytes", "empty"],
)
def test_damaged_records_are_told(damage, told, tmp_path):
    source = tf_records(tmp_path)
    damage(tmp_path / "records" / "0.tfrecord")
    with pytest.raises(DataError, match=told):
        replace(source, path=str(tmp_path / "records" / "0.tfrecord")).load("train")


def test_features_and_columns_that_are_not_there_are_told(tmp_path):
    records = tf_records(tmp_path)
    with pytest.raises(DataError, match="record 0: `label` must be .* Received: kind, with .*; there are image, label"):
        replace(records, label="kind").load("train")
    with pytest.raises(DataError, match="has no feature `picture` with a picture; there are image, label"):
        replace(records, image="picture").load("train")
    columns = parquet(tmp_path)
    with pytest.raises(ConfigError, match="`image` must be a column of .*: image, label, other. Received: picture"):
        replace(columns, image="picture").load("train")
    with pytest.raises(DataError, match="`image` must be a column of bytes, or of structs .* Received: other, of str"):
        replace(columns, image="other").load("train")


@pytest.mark.parametrize("kind", ["ArrayRecords", "Parquet"])
def test_files_that_are_something_else_are_told(kind, tmp_path):
    source = KINDS[kind](tmp_path)
    for path in Path(source.path).iterdir():
        path.write_bytes(b"something else" * 100)
    with pytest.raises(DataError, match=f"{kind}: .*must be a whole .* Received: ") as error:
        source.load("train")
    assert "\n" not in str(error.value)


def test_labels_of_parquet_may_be_text(tmp_path):
    assert parquet(tmp_path, "text").load("train").classes == CLASSES


def test_numbers_without_names_are_classes(tmp_path):
    train = parquet(tmp_path, "numbers").load("train")
    assert train.num_classes == 3 and train.classes is None


def test_samples_are_called_as_they_are_in_their_shard(tmp_path):
    """They were called by their places, which are other numbers: 10.png comes behind 1.png."""
    source = web_dataset(tmp_path)
    listed = source.pictures()
    names = [listed.called(index) for index in range(COUNT)]
    assert names[:2] == ["train-00.tar/0000.png", "train-00.tar/0001.png"] and len(set(names)) == COUNT
    assert names[5] == f"train-{next(s for s, some in thirds() if 5 in some):02}.tar/{'deep/' * 30}0005.png"
    rows = [f"{number:04}.png,picture {number}" for number in range(COUNT)]
    (tmp_path / "captions.csv").write_text("\n".join(["file,caption", *rows]))
    splits, captions = load_captioned(source, tmp_path / "captions.csv")
    for split, examples in splits.items():
        phrases = [captions[split].phrases[i] for i in range(examples.size)]
        assert [phrase.split()[1] for phrase in phrases] == [str(int(Path(name).stem)) for name in examples.files]
    (tmp_path / "captions.csv").write_text("\n".join(["file,caption", *(f"{n},picture" for n in range(COUNT))]))
    with pytest.raises(DataError, match="must hold captions of the pictures"):
        load_captioned(source, tmp_path / "captions.csv")


def test_parquet_files_of_a_folder_may_have_dictionaries(tmp_path):
    """As pyarrow writes them: of pictures that are all different, the dictionary has many, and each is there once."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    rng = np.random.default_rng(0)
    pictures = [{"bytes": rng.bytes(300), "path": None} for _ in range(4000)]
    write_table(pyarrow.table({"image": pictures, "age": rng.normal(size=4000)}), tmp_path / "a.parquet")
    check_parquet(tmp_path / "a.parquet")
