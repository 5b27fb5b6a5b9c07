"""Shards of WebDataset that are not whole: no picture is lost without a word, and whatever programs write is read."""

import io
import tarfile

import pytest

from tfgantl.data import WebDataset
from tfgantl.data.shards.files import local_files, stamp_of_files
from tfgantl.data.shards.tar import BLOCK, RECORD, members_of
from tfgantl.errors import DataError

COUNT = 12


def archive(names=None, size=700):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as made:
        for name in names or [f"{number}.png" for number in range(COUNT)]:
            one = tarfile.TarInfo(name)
            one.size = size
            made.addfile(one, io.BytesIO(b"x" * size))
    return stream.getvalue()


def count(content):
    return len(list(members_of(io.BytesIO(content), len(content), "x.tar")))


END = COUNT * 3 * BLOCK


def header(kind, length):
    found = bytearray(tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT))
    found[124:136], found[148:156], found[156:157] = b"\x80" + length.to_bytes(11, "big"), b" " * 8, kind
    found[148:156] = b"%06o\0 " % sum(found)
    return bytes(found)


def test_archives_that_are_cut_off_anywhere_are_told():
    content = archive()
    for end in range(0, END + BLOCK, 100):
        with pytest.raises(DataError, match="x.tar: must be whole. Received: "):
            count(content[:end])


DAMAGED = {
    "zeros in the place of what was not copied": archive()[: END // 2] + bytes(7 * RECORD),
    "a second archive": archive() + archive(),
    "something behind the end": archive() + b"x",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_archives_end_behind_their_last_member(kind):
    with pytest.raises(DataError, match="x.tar: must end behind its last member. Received: "):
        count(DAMAGED[kind])


@pytest.mark.parametrize("zeros", [1, 2, 3, 5, 20, 41, (64 * BLOCK - END % (64 * BLOCK)) // BLOCK + 64])
def test_what_programs_fill_their_records_up_with_is_no_damage(zeros):
    content = archive()[:END] + bytes(zeros * BLOCK)
    assert count(content) == COUNT


@pytest.mark.parametrize("kind", [b"K", b"g", b"L", b"x"])
def test_headers_of_a_petabyte_do_not_end_an_archive(kind):
    with pytest.raises(DataError, match="a header must have at most 1048576 bytes. Received: 1125899906842624"):
        count(archive()[: END // 2] + header(kind, 2**50) + archive()[END // 2 :])


def test_labels_that_begin_alike_are_not_one_class(tmp_path):
    (tmp_path / "a.tar").write_bytes(archive(["a.png", "a.cls"], size=5000))
    with pytest.raises(DataError, match="a label must have at most 4096 bytes. Received: 5000 in a.cls"):
        WebDataset(str(tmp_path / "a.tar"), image_size=8, channels=1).pictures()


def test_samples_of_one_name_in_a_row_are_told(tmp_path):
    (tmp_path / "a.tar").write_bytes(archive(["a.png", "a.cls", "a.PNG", "a.cls"]))
    with pytest.raises(DataError, match="must have each of their files once. Received: the name png twice"):
        WebDataset(str(tmp_path / "a.tar"), image_size=8, channels=1).pictures()


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [((0, 1, 3), "2"), ((0, 1, 2, 3), ""), ((1, 2, 3, 4), ""), ((1, 3, 4), "2"), ((1, 2, 3), "0")],
)
def test_a_folder_of_shards_has_all_that_their_names_count(tmp_path, numbers, missing):
    for number in numbers:
        (tmp_path / f"train-{number:05}-of-00004.tar").write_bytes(b"")
    (tmp_path / "test-00000-of-00001.tar").write_bytes(b"")
    assert len(local_files("WebDataset", f"{tmp_path}/train-*", (".tar",))) == len(numbers)
    if not missing:
        assert len(local_files("WebDataset", str(tmp_path), (".tar",))) == 5
        return
    for path in (str(tmp_path), f"file://{tmp_path}"):
        with pytest.raises(DataError, match=f"all 4 shards of train.tar; .* Received: {path}, without {missing}$"):
            check = stamp_of_files if "://" in path else local_files
            check("WebDataset", path, (".tar",))


@pytest.mark.parametrize("other", ["b.tar.gz", "b.tar.part", "B.TAR.zst.part", "b.tfrecord-00001-of-00002.gz"])
def test_packed_and_unfinished_shards_of_a_folder_are_told(tmp_path, other):
    suffixes = (".tar", ".tfrecord-*")
    for name in ("a.tar", "notes.txt.gz", other):
        (tmp_path / name).write_bytes(b"")
    for path in (str(tmp_path), f"file://{tmp_path}"):
        check = stamp_of_files if "://" in path else local_files
        with pytest.raises(DataError, match=f"are all there and not packed; .* Received: {path}, with {other}$"):
            check("WebDataset", path, suffixes)
    assert local_files("WebDataset", f"{tmp_path}/a*", suffixes) == [str(tmp_path / "a.tar")]
