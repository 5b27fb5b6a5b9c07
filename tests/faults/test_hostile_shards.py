"""Shards and data sets that come from anywhere: what they name, what they repeat, and what they claim."""

import io
import json
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Lock

import numpy as np
import pytest
from conftest import growth_below, tiny_images
from PIL import Image

from tfgantl.crossmodal.caption_files import load_captioned
from tfgantl.crossmodal.caption_lines import caption_pairs
from tfgantl.data import SPLITS, ArrayRecords, Folder, Parquet, WebDataset, reading
from tfgantl.data.depth import Depth
from tfgantl.data.opening import Refused
from tfgantl.data.pictures import Encoded, PictureList
from tfgantl.data.reading import Form, MemoryStore
from tfgantl.data.shards import array_records, files, hugging_face, tar
from tfgantl.data.shards import parquet as parquet_shards
from tfgantl.data.shards.array_records import ArrayRecordPictures
from tfgantl.data.shards.dataset_card import check_card
from tfgantl.data.shards.examples import opened
from tfgantl.data.shards.parquet import ParquetPictures
from tfgantl.data.shards.records import TFRecordPictures
from tfgantl.errors import ConfigError, DataError
from tfgantl.recognition.domains import Domains
from tfgantl.untrusted import riegeli
from tfgantl.untrusted.parquet_pages import unpacked

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


@pytest.mark.parametrize("label", [b"-1", b"+1", b"[0]"])
def test_numbers_that_are_no_classes_are_not_taken_for_names(tmp_path, label):
    """A class -1 moved all others by one."""
    source = web_dataset(tmp_path / "a.tar", samples(lambda number: label if number == 3 else b"%d" % (number % 2)))
    with pytest.raises(DataError, match="labels must be whole numbers from 0, or names. Received: "):
        source.load("train")


def test_names_that_the_list_beside_shards_has_not_are_no_classes(tmp_path):
    """With one of them, the list was passed over without a word."""
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    names = (b"dog", b"cat")
    source = web_dataset(tmp_path / "a.tar", samples(lambda number: names[number % 2]))
    assert source.load("train").classes == ("cat", "dog")
    source = web_dataset(tmp_path / "a.tar", samples(lambda number: b"Cat" if number == 3 else names[number % 2]))
    with pytest.raises(DataError, match="labels must be names that classes.txt has. Received: Cat"):
        source.load("train")


@pytest.mark.parametrize("name", ["cls.txt", "label.txt", "json"])
def test_labels_that_are_called_otherwise_are_told(tmp_path, name):
    content = b'{"label": 1, "seed": 3}' if name == "json" else b"1"

    def members():
        return [one for n in range(12) for one in (member(f"{n:02}.png", png(n)), member(f"{n:02}.{name}", content))]

    with pytest.raises(ConfigError, match="`label` must be null, or .*Received: cls, beside (label in )?.?"):
        web_dataset(tmp_path / "a.tar", members()).load("train")
    pairs = [one for n in range(12) for one in (member(f"{n:02}.a.png", png(n)), member(f"{n:02}.target.png", png(n)))]
    assert replace(web_dataset(tmp_path / "b.tar", pairs), image=("a.png",)).load("train").num_classes is None
    assert replace(web_dataset(tmp_path / "a.tar", members()), label=None).load("train").num_classes is None


def labels_by_picture(source):
    parts = [source.load(split).take() for split in ("train", "validation", "test")]
    numbers = {image.tobytes(): number for number, image in enumerate(tiny_images(12))}
    return {
        numbers[image.tobytes()]: int(y) for images, labels in parts for image, y in zip(images, labels, strict=True)
    }


# --- WebDataset ---


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_long_name_of_a_folder_is_not_that_of_the_file_behind_it(tmp_path, form):
    deep = "/".join(["deep" * 20] * 3)
    ahead = [member(f"{deep}/99.cls", type=kind, linkname="x") for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE)]
    ahead += [member("link", type=tarfile.SYMTYPE, linkname=deep * 2)]
    mixed = [one for n, both in enumerate(zip(*[iter(samples())] * 2, strict=True)) for one in (ahead[n % 3], *both)]
    assert labels_by_picture(web_dataset(tmp_path / "a.tar", mixed, form)) == {n: n % 2 for n in range(12)}


def test_links_and_folders_have_no_content_whatever_size_they_state(tmp_path):
    """Some programs state of a second name of a file how large that is."""
    whole = web_dataset(tmp_path / "a.tar", samples())
    link = member("other", type=tarfile.LNKTYPE, linkname="00.png")[0].tobuf(tarfile.USTAR_FORMAT)
    stated = bytearray(link)
    stated[124:136] = b"%011o\0" % 1536
    stated[148:156] = b" " * 8
    stated[148:156] = b"%06o\0 " % sum(stated)
    path = tmp_path / "a.tar"
    path.write_bytes(bytes(stated) + path.read_bytes())
    assert labels_by_picture(whole) == {n: n % 2 for n in range(12)}


def test_headers_of_a_million_entries_are_read_in_one_pass():
    start = time.process_time()
    assert tar._pax_name(b"4 =\n" * 2**18 + b"12 path=abc\n", "x") == "abc"
    assert time.process_time() - start < 5
    for damaged in (b"9 a=b\n", b"x a=b\n", b"-4 a\n", b"3 a=b\n" * 2, b"0 \n", b"2 ", b"12345678901 a=b\n"):
        with pytest.raises(DataError, match="a damaged header of PAX"):
            tar._pax_name(damaged, "x")


def test_thousands_of_labels_are_numbered_in_one_pass():
    pictures = object.__new__(tar.TarPictures)
    pictures._files, pictures._same = [Path("a.tar")], {b"class %d" % number: b"" for number in range(60_000)}
    start = time.process_time()
    names, numbers = pictures._classes(None)
    assert all(names[number].encode() == text for text, number in numbers.items())
    assert time.process_time() - start < 5


@pytest.mark.parametrize("labels", [(b"\xff", b"\xfe"), (b"", b"cat")])
def test_labels_that_cannot_be_told_apart_are_no_classes(tmp_path, labels):
    source = web_dataset(tmp_path / "a.tar", samples(lambda number: labels[number % 2]))
    with pytest.raises(DataError, match="labels must be whole numbers, or names in UTF-8. Received: b'"):
        source.load("train")


# --- Names of classes beside shards ---


@pytest.mark.parametrize("most", [10**9, 1])
def test_names_of_classes_that_have_changed_are_read_again(tmp_path, most):
    source = replace(web_dataset(tmp_path / "a.tar", samples()), max_bytes=most)
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    assert source.load("train").classes == ("cat", "dog")
    (tmp_path / "classes.txt").write_text("dog\ncat\n")
    assert source.load("train").classes == ("dog", "cat")
    (tmp_path / "classes.txt").unlink()
    assert source.load("train").classes is None


def test_names_of_classes_in_a_bucket_are_those_that_are_there(tmp_path):
    memory = pytest.importorskip("fsspec").filesystem("memory")
    web_dataset(tmp_path / "a.tar", samples())
    memory.pipe("/names/a.tar", (tmp_path / "a.tar").read_bytes())
    memory.pipe("/names/classes.txt", b"cat\ndog\n")
    source = WebDataset("memory://names/a.tar", **SIZES)
    try:
        assert source.load("train").classes == ("cat", "dog")
        memory.rm("/names/classes.txt")
        assert source.load("train").classes is None
        memory.pipe("/names/classes.txt", bytes(2**22 + 1))
        with pytest.raises(DataError, match="classes.txt must have at most 4194304 bytes"):
            source.load("train")
    finally:
        memory.rm("/names", recursive=True)


# --- Parquet ---


def table(path, columns, metadata=None, **options):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    found = pyarrow.table(columns)
    write_table(found if metadata is None else found.replace_schema_metadata(metadata), path, **options)
    return Parquet(str(path), **SIZES)


@pytest.mark.parametrize("label", ["", " ", "-1", "[1]"])
def test_texts_that_are_no_names_are_no_classes(tmp_path, label):
    """A class without a name, or one that moved all others."""
    labels = [label if number == 3 else "01"[number % 2] for number in range(12)]
    table(tmp_path / "a.parquet", {"image": [png(number) for number in range(12)], "label": labels})
    with pytest.raises(DataError, match="labels must be whole numbers from 0, or names. Received: "):
        Parquet(str(tmp_path / "a.parquet"), **SIZES).load("train")


def test_a_picture_that_a_million_rows_refer_to_is_in_memory_once(tmp_path):
    """Of a dictionary, only what stands in it counts as unpacked."""
    pyarrow = pytest.importorskip("pyarrow")
    large = png(0) + np.random.default_rng(0).bytes(2**18)
    same = np.zeros(4000, np.int32)
    images = pyarrow.DictionaryArray.from_arrays(same, pyarrow.array([large], pyarrow.binary()))
    labels = pyarrow.DictionaryArray.from_arrays(same, pyarrow.array(["a" * 2**16]))
    for number, column in enumerate((images, pyarrow.StructArray.from_arrays([images], ["bytes"]))):
        path = tmp_path / f"{number}.parquet"
        options = {"dictionary_pagesize_limit": 2**22, "store_schema": False, "compression": "zstd"}
        table(path, {"image": column, "label": labels}, **options)
        assert path.stat().st_size < 10**6
        with growth_below(300):
            pictures = ParquetPictures([path], "image", "label")
            assert next(iter(pictures.chunk(0, 1))).held == len(large)


def test_rows_of_nothing_are_not_billions(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    nothing = pyarrow.nulls(10**6, pyarrow.binary())
    with pytest.raises(DataError, match="rows must have at least 8 bytes each. Received: 1000000 in "):
        table(tmp_path / "a.parquet", {"image": nothing}).load("train")


@pytest.mark.parametrize(
    ("counts", "message"),
    [("file", "row groups must have as many rows as the file says. Received: 3000 for 2000"),
     ("pages", "a value for each row. Received: 2000 for 3000 rows")],
)  # fmt: skip
def test_rows_are_as_many_as_the_file_says(tmp_path, counts, message):
    """The footer counts rows, groups do, and pages do: one number was checked, and another one was read by."""
    parquet = pytest.importorskip("pyarrow.parquet")
    path, said = tmp_path / "a.parquet", varint(3000)
    table(path, {"image": [png(0)] * 3000}, write_statistics=False, use_dictionary=False, compression="none")
    content = path.read_bytes()
    at = content.rindex(said + b"\x19") if counts == "file" else content.index(said)  # ahead of the list of groups
    path.write_bytes(content[:at] + varint(2000) + content[at + len(said) :])
    assert parquet.ParquetFile(path).metadata.row_group(0).num_rows == 3000
    with pytest.raises(DataError, match=message):
        Parquet(str(path), **SIZES).load("train")


def varint(number):
    """A whole number as the footer has it, in as many bytes as it takes."""
    number, found = 2 * number, []
    while number > 127:
        found, number = [*found, number & 127 | 128], number >> 7
    return bytes([*found, number])


def test_sizes_are_those_of_pages_and_not_what_the_footer_says(tmp_path):
    """A reader takes the memory that each page asks for."""
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    large = 80 * 2**20
    columns = {"image": [b"\0" * large, png(0)]}
    table(path, columns, compression="zstd", use_dictionary=False, write_statistics=False)
    stated = parquet.ParquetFile(path).metadata.row_group(0)
    content = path.read_bytes()
    for size in (stated.column(0).total_uncompressed_size, stated.total_byte_size):
        said = varint(size)
        content = content.replace(said, bytes([*[128 | 1] * (len(said) - 1), 0]))  # 1 in as many bytes
    path.write_bytes(content)
    column = parquet.ParquetFile(path).metadata.row_group(0).column(0)
    assert column.total_uncompressed_size < 2**20 and len(content) < 2**16
    with open(path, "rb") as file:
        assert unpacked(file, column.data_page_offset, column.total_compressed_size)[0] > large
    with pytest.raises(DataError, match="a row group must unpack to at most 4294967296 bytes, and 1000 times what it"):
        Parquet(str(path), **SIZES).load("train")


def test_labels_of_all_row_groups_are_read_at_one_time(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_shards, "MAX_LABELS", 5 * 2**16)
    columns = {"image": [png(n) for n in range(8)], "label": [str(n) * 2**16 for n in range(8)]}
    with pytest.raises(DataError, match="labels must unpack to at most 327680 bytes. Received: 52"):
        table(tmp_path / "a.parquet", columns, row_group_size=2, compression="zstd").load("train")


@pytest.mark.parametrize("damaged", [b"\xff" * 30, b"\x15" * 4, b"", b"\x1c" * 40 + bytes(40)])
def test_headers_of_pages_that_are_none_are_told(damaged):
    with pytest.raises(DataError, match="pages must|headers of pages must"):
        unpacked(io.BytesIO(damaged), 0, 100)


def test_a_number_is_one_class_in_all_files(tmp_path):
    for shard, names in enumerate((["cat", "dog"], ["dog", "cat"])):
        info = json.dumps({"info": {"features": {"label": {"names": names}}}})
        rows = range(6 * shard, 6 * shard + 6)
        columns = {"image": [png(n) for n in rows], "label": [n % 2 for n in rows]}
        table(tmp_path / f"{shard}.parquet", columns, {"huggingface": info})
    with pytest.raises(DataError, match="the same names of classes, in the same order. Received: (cat, dog|dog, cat)"):
        Parquet(str(tmp_path), **SIZES).load("train")


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


def test_chunks_of_an_array_record_do_not_unpack_to_much_together(tmp_path, monkeypatch):
    """Each had as much as one may, and 32 were in memory at one time."""
    source = array_record(tmp_path / "a.array_record", [bytes(2**20)] * 30, "group_size:1,brotli:1")
    monkeypatch.setattr(riegeli, "MAX_RATIO", 20)
    with pytest.raises(DataError, match="must be a whole shard. Received: chunks of .* bytes that unpack to"):
        source.load("train")
    monkeypatch.setattr(riegeli, "MAX_RATIO", 1000)
    opened = ArrayRecordPictures([tmp_path / "a.array_record"], "image", None)
    assert opened._at_a_time == 32
    monkeypatch.setattr(array_records, "MOST", 3 * 2**20)
    assert ArrayRecordPictures([tmp_path / "a.array_record"], "image", None)._at_a_time == 3


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


# --- Hugging Face ---


def test_rows_do_not_lead_out_of_the_data_set(tmp_path):
    """A row may name a file in place of holding it: that of somebody else's data set names whatever it likes."""
    inside, outside = tmp_path / "set" / "a.png", tmp_path / "private.png"
    inside.parent.mkdir()
    for path in (inside, outside):
        path.write_bytes(png(0))
    roots = [tmp_path / "set"]
    with hugging_face.open_inside(roots, str(inside)) as file:
        assert file.read() == png(0)
    for path in (outside, f"{inside.parent}/../private.png", "/etc/passwd", f"{tmp_path}/set-of-others/a.png"):
        with pytest.raises(Refused, match="lies outside of the data set"):
            hugging_face.open_inside(roots, str(path))


# --- Memory ---


class Held(PictureList):
    """Pictures in memory, of which only so many may be alive at one time."""

    def __init__(self, count):
        super().__init__("Held", count)
        self.waiting = self.most = 0
        self.lock = Lock()

    def chunk(self, start, stop):
        for _ in range(start, stop):
            with self.lock:
                self.waiting += 1
            self.most = max(self.most, self.waiting)
            yield Encoded(self._open, None, 2**20)

    def _open(self):
        time.sleep(0.002)
        with self.lock:
            self.waiting -= 1
        return opened(b"x")

    def told(self, index):
        return str(index)


def test_no_more_pictures_are_read_than_are_decoded(monkeypatch):
    """Two thousand photographs of a shard at one time would be gigabytes."""
    monkeypatch.setattr(reading, "MAX_HELD", 5 * 2**20)
    monkeypatch.setattr(reading, "CHUNK", 50)
    monkeypatch.setattr(reading, "_decoded", lambda opener, *rest: (opener(), ("integers", 1.0))[1])
    pictures = Held(200)
    store = MemoryStore(200, Form(8, 1, 10**6))
    with ThreadPoolExecutor(2) as pool:
        starts = range(0, 200, 50)
        reading._decode_chunks(pool, store, pictures, Form(8, 1, 10**6), Depth(), True, starts, lambda n: None, "skip")
    assert pictures.most <= 7 and not pictures.waiting


def test_samples_whose_files_lie_apart_are_told(tmp_path):
    """All pictures and then all labels, or a label that was corrected at the end: labels would be lost, or old."""
    pictures, labels = [(f"{n:02}.png", png(n)) for n in range(6)], [(f"{n:02}.cls", b"%d" % (n % 2)) for n in range(6)]
    together = [one for pair in zip(pictures, labels, strict=True) for one in pair]
    for name, members in (("apart", pictures + labels), ("corrected", [*together, ("00.cls", b"1")])):
        source = web_dataset(tmp_path / f"{name}.tar", [member(*one) for one in members])
        with pytest.raises(DataError, match=r"must follow each other, .* [16] samples without a picture"):
            source.load("train")
    twice = web_dataset(tmp_path / "twice.tar", [member(*one) for one in together * 2])  # as people join archives
    assert sum(twice.load(split).size for split in SPLITS) == 12


def test_links_in_the_place_of_pictures_are_counted_and_parts_of_files_told(tmp_path):
    path = tmp_path / "a.tar"
    for number in range(6):
        (tmp_path / f"{number}.png").write_bytes(png(number))
    (tmp_path / "again.png").hardlink_to(tmp_path / "0.png")
    with tarfile.open(path, "w") as archive:
        for name in ("0.png", "1.png", "2.png", "3.png", "4.png", "5.png", "again.png"):
            archive.add(tmp_path / name, name)
    examples = WebDataset(str(path), **SIZES).load("train")
    assert "left out 1 links in the place of files" in examples.notes
    with tarfile.open(path, "a") as archive:
        sparse = tarfile.TarInfo("6.png")
        sparse.type = tarfile.GNUTYPE_SPARSE
        archive.addfile(sparse)
    with pytest.raises(DataError, match="must hold whole files. Received: a sparse or continued one"):
        WebDataset(str(path), **SIZES).load("train")


@pytest.mark.parametrize("names", [("caf\u00e9", "cafe\u0301"), ("cat", "\ufeffcat"), ("cat", "c\u200bat")], ids=ascii)
def test_names_of_classes_look_different(tmp_path, names):
    members = samples(lambda number: names[number % 2].encode())
    with pytest.raises(DataError, match=r"names of classes must look different. Received: '[\\a-z0-9]+' and '"):
        web_dataset(tmp_path / "a.tar", members).load("train")
    for number in range(6):
        (tmp_path / "folder" / names[number % 2]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / names[number % 2] / f"{number}.png").write_bytes(png(number))
    with pytest.raises(DataError, match="names of classes must look different"):
        Folder(str(tmp_path / "folder"), 8, 1).load("train")


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("second", ["dog\ncat\n", None])
def test_folders_of_shards_have_the_same_names_of_classes(tmp_path, monkeypatch, remote, second):
    monkeypatch.setenv("TFGANTL_CACHE_DIR", str(tmp_path / "cache"))
    for folder, names in (("a", "cat\ndog\n"), ("b", second)):
        (tmp_path / folder).mkdir()
        web_dataset(tmp_path / folder / "s.tar", samples())
        if names:
            (tmp_path / folder / "classes.txt").write_text(names)
    pattern = f"{'file://' * remote}{tmp_path}/[ab]/s.tar"
    with pytest.raises(DataError, match="classes.txt must be the same in all folders of shards"):
        WebDataset(pattern, **SIZES).load("train")
    (tmp_path / "b" / "classes.txt").write_text("cat\ndog\n")
    assert WebDataset(pattern, **SIZES).load("train").classes == ("cat", "dog")


def test_two_array_records_in_one_file_are_told(tmp_path):
    """Places in the footer of the second are those of the file that it was, so half of the records were lost."""
    module = pytest.importorskip("array_record.python.array_record_module", reason="needs `array_record`")
    for name in ("a", "b"):
        writer = module.ArrayRecordWriter(str(tmp_path / name), "group_size:1")
        for number in range(20):
            writer.write(b"%d" % number)
        writer.close()
    path = tmp_path / "both.array_record"
    path.write_bytes((tmp_path / "a").read_bytes() + (tmp_path / "b").read_bytes())
    with pytest.raises(DataError, match="must be a whole shard. Received: another file that begins at byte"):
        ArrayRecords(str(path), **SIZES).load("train")


def test_a_tfrecord_that_is_cut_while_it_is_read_is_told(tmp_path, monkeypatch):
    import tensorflow as tf

    path = tmp_path / "a.tfrecord"
    for count in (12, 5):
        with tf.io.TFRecordWriter(str(path)) as writer:
            for number in range(count):
                image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[png(number)]))
                label = tf.train.Feature(int64_list=tf.train.Int64List(value=[0]))
                features = tf.train.Features(feature={"image": image, "label": label})
                writer.write(tf.train.Example(features=features).SerializeToString())
        if count == 12:
            pictures = TFRecordPictures([path], "image", "label")
    with pytest.raises(DataError, match="record 5 must stay there while it is read. Received: none"):
        list(pictures.chunk(0, 12))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_at_the_beginning_of_names_are_no_part_of_them(tmp_path, encoding):
    source = web_dataset(tmp_path / "a.tar", samples())
    (tmp_path / "classes.txt").write_bytes("cat\r\ndog\r\n".encode(encoding))
    assert source.load("train").classes == ("cat", "dog")
    (tmp_path / "classes.txt").write_bytes(b"caf\xe9\ncaf\xe8\n")
    with pytest.raises(DataError, match="classes.txt: must be a list of names. Received: .* of another code page"):
        source.load("train")


# --- What was asked for, and what is there now ---


def test_a_label_that_was_asked_for_and_is_not_there_is_told(tmp_path):
    web = replace(web_dataset(tmp_path / "a.tar", samples()), label="klass")
    pictures = [{"bytes": png(number), "path": None} for number in range(12)]
    table(tmp_path / "a.parquet", {"image": pictures, "label": [0, 1] * 6})
    rows = Parquet(str(tmp_path / "a.parquet"), **SIZES)
    for source in (web, replace(rows, label="klass")):
        with pytest.raises(ConfigError, match="`label` must be what labels are called there.* Received: klass"):
            source.load("train")
    assert replace(rows, label=None).load("train").num_classes is None


def test_files_of_a_server_that_tells_their_size_alone_are_copied_by_each_process(tmp_path, monkeypatch):
    fsspec = pytest.importorskip("fsspec")

    class Plain(fsspec.get_filesystem_class("file")):
        protocol = "plain"

        def info(self, path, **options):
            told = super().info(path, **options)
            return {name: told[name] for name in ("name", "size", "type")}

    fsspec.register_implementation("plain", Plain, clobber=True)
    web_dataset(tmp_path / "a.tar", samples())
    monkeypatch.setattr(files, "OLD", -1.0)
    source = WebDataset(f"plain://{tmp_path}/a.tar", **SIZES)
    before = labels_by_picture(source)
    web_dataset(tmp_path / "a.tar", samples(lambda number: b"%d" % (1 - number % 2)))  # of the same size
    assert labels_by_picture(source) == before  # as it was when this process began
    monkeypatch.setattr(files, "_copied_now", set())
    assert labels_by_picture(source) == {number: 1 - label for number, label in before.items()}


def test_splits_of_a_data_set_in_one_folder_are_told(tmp_path, capsys):
    """Test pictures of its authors were trained on, without a word."""
    for split in ("train", "test"):
        web_dataset(tmp_path / f"digits-{split}-000.tar", samples())
    WebDataset(f"{tmp_path}/*train-*.tar", **SIZES).load("train")
    assert "holds shards of" not in capsys.readouterr().err
    for _ in range(2):
        WebDataset(str(tmp_path), **SIZES).load("train")
    assert (
        capsys.readouterr().err.count("holds shards of test, train, and all are taken; a pattern such as train-*") == 1
    )


@pytest.mark.parametrize(
    ("card", "place"),
    [
        ("configs:\n- config_name: a\n  data_files:\n  - split: train\n    path: /etc/*.parquet\n", "/etc/"),
        ("configs:\n- config_name: a\n  data_files: http://127.0.0.1:1/a.parquet\n", "http://127"),
        ("configs:\n- config_name: a\n  data_dir: a/../../b\n", r"a/\.\./\.\./b"),
        ("configs:\n- config_name: a\n  data_files: {train: ['zip://a::http://b/c']}\n", "zip://"),
        ("configs:\n- config_name: a\n  data_files: {train: 'file:/etc/a.parquet'}\n", "file:/etc/"),
        ("configs:\n- config_name: a\n  data_files: 'local:../a.parquet'\n", "local:"),
    ],
    ids=["absolute", "address", "above", "chained", "scheme without slashes", "scheme of this machine"],
)
def test_the_card_of_a_data_set_does_not_lead_out_of_its_folder(tmp_path, card, place):
    pytest.importorskip("huggingface_hub")
    for name, text in (("README.md", f"---\n{card}---\n# Mine\n"), (".huggingface.yaml", card)):
        (tmp_path / name).write_text(text)
        with pytest.raises(DataError, match=f"must name files within its folder. Received: {place}"):
            check_card(tmp_path)
        (tmp_path / name).unlink()
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: a\n  data_files: data/train-*.parquet\n  sep: '::'\n---\n"
    )
    check_card(tmp_path)


def test_lists_of_names_that_are_more_are_told(tmp_path):
    web = web_dataset(tmp_path / "a.tar", samples())
    (tmp_path / "classes.txt").write_text("1 dog\n0 cat\n")
    with pytest.raises(DataError, match="must list names alone, in the order of their labels. Received: 1 dog"):
        web.load("train")
    feature = {"info": {"features": {"label": {"names": ["cat", "cat"]}}}}
    pictures = [{"bytes": png(number), "path": None} for number in range(12)]
    columns = {"image": pictures, "label": [0, 1] * 6}
    table(tmp_path / "a.parquet", columns, {b"huggingface": json.dumps(feature).encode()})
    with pytest.raises(DataError, match=r"names of classes must be different texts. Received: \['cat', 'cat'\]"):
        Parquet(str(tmp_path / "a.parquet"), **SIZES).load("train")


def test_pictures_of_an_archive_have_captions_within_their_folder_alone(tmp_path):
    (tmp_path / "captions").mkdir()
    (tmp_path / "diary.txt").write_text("my secret\n")
    with pytest.raises(DataError, match="pictures must lie in their folder for captions beside them"):
        list(caption_pairs(tmp_path / "captions", ["a.tar/../../diary.png"]))


def test_shards_of_one_name_in_several_folders_are_told_apart(tmp_path):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        web_dataset(tmp_path / folder / "s.tar", samples())
    paths = sorted(tmp_path.glob("*/s.tar"))
    pictures = tar.TarPictures(paths, ("png",), "cls")
    assert [pictures.called(number) for number in (0, 12)] == ["a/s.tar/00.png", "b/s.tar/00.png"]


def test_row_groups_have_bytes_of_their_own(tmp_path):
    """A group of a few bytes, listed again and again, took hours."""
    table(tmp_path / "a.parquet", {"image": [png(n) for n in range(12)]}, row_group_size=4, use_dictionary=False)
    import pyarrow.parquet

    parquet = pyarrow.parquet.ParquetFile(tmp_path / "a.parquet")

    class Repeated:
        """A footer that lists the first group a thousand times."""

        num_row_groups, schema = 1000, parquet.metadata.schema
        num_rows = 1000 * parquet.metadata.row_group(0).num_rows

        def row_group(self, number):
            return parquet.metadata.row_group(0)

    footer = type("Footer", (), {"metadata": Repeated(), "num_row_groups": 1000})()
    with pytest.raises(DataError, match="every row group must have bytes of its own"):
        parquet_shards._check_sizes(footer, ["image"], None, tmp_path / "a.parquet")


def test_a_picture_that_many_rows_have_is_decoded_once(tmp_path, monkeypatch):
    """A picture of a few kilobytes that took a fifth of a second, in as many rows as there are bytes: days."""
    seen, decode = [], reading._decoded
    monkeypatch.setattr(reading, "_decoded", lambda opener, *rest: seen.append(1) or decode(opener, *rest))
    pictures = [png(n % 6) for n in range(60)]
    source = table(tmp_path / "a.parquet", {"image": pictures}, {"pad": "x" * 1000})
    assert sum(part.size for part in source.splits().values()) == 60 and len(seen) == 6


def test_a_list_of_classes_that_has_none_of_the_labels_is_told(tmp_path):
    """Numbers of classes were others than the file said, and it did not say so."""
    source = web_dataset(tmp_path / "a.tar", samples(lambda n: [b"Cat", b"Dog"][n % 2]))
    (tmp_path / "classes.txt").write_text("dog\ncat\n")
    listed = source.pictures()
    assert listed.classes == ("Cat", "Dog")
    assert listed.notes == ("classes.txt (dog, cat) has no name of a label (Cat, Dog), and is passed over",)


def test_two_samples_of_one_name_have_no_caption_together(tmp_path):
    pairs = [member(f"{n % 11:02}.png", png(n)) for n in range(12)]
    source = web_dataset(tmp_path / "a.tar", pairs)
    rows = [f"{n:02}.png,picture {n}" for n in range(11)]
    (tmp_path / "captions.csv").write_text("\n".join(["file,caption", *rows]))
    for one in (source, replace(source, shots=1)):
        with pytest.raises(DataError, match=r"pictures of different names. Received: 2 called a.tar/00.png"):
            load_captioned(one, tmp_path / "captions.csv")


@pytest.mark.parametrize(
    "loads", [lambda source: source.splits(), lambda source: Domains.load(source, source, 8, 1).target]
)
def test_the_parts_of_a_folder_to_which_pictures_come_share_nothing(tmp_path, monkeypatch, loads):
    """They were cut anew for each part: what was validated on was trained on, too."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    for number in range(12):
        (tmp_path / "ab"[number % 2] / f"{number}.png").write_bytes(png(number))
    stamp, calls = Folder.stamp, []

    def grows(source):
        found = stamp(source)
        calls.append(1)
        (tmp_path / "ab"[len(calls) % 2] / f"new {len(calls)}.png").write_bytes(png(len(calls) % 12, 8 + len(calls)))
        return found

    monkeypatch.setattr(Folder, "stamp", grows)
    parts = loads(Folder(str(tmp_path), **SIZES))
    images = [{image.tobytes() for image in part.take()[0]} for part in parts.values()]
    assert sum(map(len, images)) == len(set.union(*images)) >= 12


def test_classes_and_captions_beside_data_are_no_links_to_elsewhere(tmp_path):
    """Lines of any file of the user were names of classes, or captions, which are published."""
    secret = tmp_path / "home" / "secret"
    secret.parent.mkdir()
    secret.write_text("[default]\nkey = 42\n")
    (tmp_path / "set").mkdir()
    source = web_dataset(tmp_path / "set" / "a.tar", samples())
    (tmp_path / "set" / "classes.txt").symlink_to(secret)
    with pytest.raises(DataError, match="must lie in the folder of the data. Received: a link to .*secret") as error:
        source.load("train")
    assert "key" not in str(error.value)
    blobs = tmp_path / "blobs"  # a cache of a hub, where all files are links to one folder
    blobs.mkdir()
    for name in ("a.tar", "classes.txt"):
        (tmp_path / "set" / name).rename(blobs / name) if name == "a.tar" else (blobs / name).write_text("cat\ndog\n")
        (tmp_path / "set" / name).unlink(missing_ok=True)
        (tmp_path / "set" / name).symlink_to(blobs / name)
    assert source.load("train").classes == ("cat", "dog")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(png(0))
    (tmp_path / "home" / "private.jsonl").write_text('{"file_name": "a.png", "text": "a secret"}\n')
    (tmp_path / "pictures" / "metadata.jsonl").symlink_to(tmp_path / "home" / "private.jsonl")
    with pytest.raises(DataError, match="must lie in the folder of captions"):
        list(caption_pairs(tmp_path / "pictures", ["a.png"]))


def test_members_are_called_as_other_programs_call_them(tmp_path):
    """The header says another name than PAX in front of it, or is only its end: captions changed places."""
    names = [f"{n:02}.png" for n in range(6)]
    members = [
        member(name, png(n), pax_headers={"path": names[n]}) for n, name in enumerate(reversed(names))
    ]  # fmt: skip
    listed = web_dataset(tmp_path / "a.tar", members, tarfile.PAX_FORMAT).pictures()
    assert [listed.called(n) for n in range(6)] == [f"a.tar/{name}" for name in names]
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert archive.getnames() == names
    deep = [member(f"{'d' * 90}/{n}/{'e' * 20}.png", png(n)) for n in range(3)]  # in two parts
    listed = web_dataset(tmp_path / "b.tar", deep, tarfile.USTAR_FORMAT).pictures()
    assert listed.called(2) == f"b.tar/{'d' * 90}/2/{'e' * 20}.png"


def test_pictures_with_a_full_stop_in_their_names_are_counted(tmp_path):
    """All of cat.0.png, cat.1.png … are one sample: a hundred were lost, and one was told."""
    members = [member(f"cat.{n}.png", png(n)) for n in range(6)] + [member(f"{n}.png", png(n)) for n in range(6)]
    notes = web_dataset(tmp_path / "a.tar", members).pictures().notes
    assert "left out 6 pictures such as cat.0.png: names end at their first full stop" in notes
