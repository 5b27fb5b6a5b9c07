"""Images above `max_bytes`: on disk, the same as in memory, written once, resumed after a kill, and cleared."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny_images
from filelock import FileLock
from PIL import Image

from tfgantl.data import SPLITS, Folder, base, encoded, image_file, reading
from tfgantl.data.image_file import image_sets
from tfgantl.data.pipeline import batches
from tfgantl.data.stored import StoredImages
from tfgantl.errors import DataError, RunError
from tfgantl.pipelines import cache


@pytest.fixture
def pets(tmp_path, monkeypatch):
    """Forty pictures of two classes, two of them alike, decoded in five chunks and read from disk."""
    monkeypatch.setattr(reading, "CHUNK", 8)
    monkeypatch.setattr(image_file, "CHUNK", 8)
    for number, image in enumerate(tiny_images(40, 12, 3)):
        where = tmp_path / "pets" / ("cats" if number % 2 else "dogs")
        where.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image if number != 4 else tiny_images(40, 12, 3)[2]).save(where / f"{number:02}.png")
    return Folder(str(tmp_path / "pets"), image_size=8, channels=3, validation=0.2, test=0.2, max_bytes=100)


def only_set():
    (found,) = [path for path in image_sets().iterdir() if path.is_dir()]
    return found


def test_images_on_disk_are_split_and_drawn_as_those_in_memory(pets):
    for shots in (None, 3):
        on_disk, in_memory = replace(pets, shots=shots), replace(pets, shots=shots, max_bytes=10**9)
        for split in SPLITS:
            one, other = on_disk.load(split), in_memory.load(split)
            assert (one.size, one.num_classes, one.classes) == (other.size, other.num_classes, other.classes)
            for a, b in zip(one.take(), other.take(), strict=True):
                np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(one.subset(3)[0], other.subset(3)[0])
        drawn = [list(batches(x.load("train"), 4, 7, 3, 6, mirror=True)) for x in (on_disk, in_memory)]
        for (a, b), (c, d) in zip(*drawn, strict=True):
            np.testing.assert_array_equal(a, c)
            np.testing.assert_array_equal(b, d)
    assert only_set()  # for both numbers of shots


def test_they_are_written_once(pets, monkeypatch):
    first = pets.load("train").fingerprint
    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_into", None)
        patch.setattr("tfgantl.data.folder.find_pictures", None)
        again = [replace(pets, seed=seed, shots=5, max_bytes=most).load("train") for seed in (1, 2) for most in (1, 99)]
    assert len({part.fingerprint for part in again}) == 2 and pets.load("train").fingerprint == first
    (Path(pets.path) / "cats" / "99.png").write_bytes((Path(pets.path) / "cats" / "01.png").read_bytes())
    assert pets.load("train").size + pets.load("test").size + pets.load("validation").size == 41
    assert only_set()  # that of the folder as it was is gone


@pytest.fixture
def slow(pets, monkeypatch):
    """Pictures that fit into memory, decoded for longer than is worth being kept."""
    monkeypatch.setattr(encoded, "WORTH_KEEPING", -1.0)
    return replace(pets, max_bytes=10**9)


def parts(source):
    """All that is known of the images of a source, read as by a new process."""
    base._splits.cache_clear()
    found = [source.load(split) for split in SPLITS]
    return [(x.fingerprint, x.num_classes, x.classes, x.notes, x.files) for x in found]


def test_what_took_long_to_decode_is_not_decoded_again(slow, monkeypatch):
    first = parts(slow)
    assert first[0][4] and not any("on disk" in note for *_, notes, _ in first for note in notes)
    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_into", None)
        assert parts(slow) == first
        assert parts(replace(slow, shots=5)) != first
    (Path(slow.path) / "cats" / "99.png").write_bytes((Path(slow.path) / "cats" / "01.png").read_bytes())
    assert sum(len(files) for *_, files in parts(slow)) == 41


def test_what_took_a_moment_is_not_kept(pets, monkeypatch):
    monkeypatch.setattr(encoded, "WORTH_KEEPING", 60.0)
    parts(replace(pets, max_bytes=10**9))
    assert not image_sets().exists()


@pytest.mark.parametrize("damage", ["pixels", "file", "of a set with more than memory"])
def test_images_that_cannot_be_read_are_decoded_and_kept_once_more(slow, monkeypatch, damage):
    first = parts(slow)
    if damage == "pixels":
        with open(only_set() / image_file.PIXELS, "r+b") as file:
            file.write(b"other")
    elif damage == "file":
        (only_set() / image_file.RECORDS).unlink()
        (only_set() / image_file.RECORDS).mkdir()
    else:
        image_file.remove_set(only_set())
        parts(replace(slow, max_bytes=100))
    assert parts(slow) == first
    monkeypatch.setattr(reading, "read_into", None)
    assert parts(slow) == first


@pytest.mark.parametrize("why", ["no room", "another process", "a bad set"])
def test_images_that_cannot_be_kept_are_decoded_each_time(slow, monkeypatch, why):
    if why == "a bad set":
        (Path(slow.path) / "birds").mkdir()
        (Path(slow.path) / "birds" / "0.png").write_bytes(b"no picture")
        with pytest.raises(DataError, match="every class must have a picture"):
            parts(replace(slow, on_bad="skip"))
        assert not image_sets().exists()
        return
    held = replace(slow)
    if why == "no room":
        monkeypatch.setattr(encoded, "ROOM", 2**50)
        assert parts(held) == parts(held) and not any(path.is_dir() for path in image_sets().iterdir())
        return
    parts(held)
    found = only_set()
    image_file.remove_set(found)
    with FileLock(f"{found}.lock"):
        assert parts(held) == parts(held) and not found.exists()


def test_pictures_that_contradict_each_other_are_left_out_on_disk_too(pets):
    copied = (Path(pets.path) / "cats" / "01.png").read_bytes()
    (Path(pets.path) / "dogs" / "99.png").write_bytes(copied)
    skipping = replace(pets, on_bad="skip")
    counts = [sum(replace(skipping, max_bytes=most).load(split).size for split in SPLITS) for most in (100, 10**9)]
    base._splits.cache_clear()
    again = sum(skipping.load(split).size for split in SPLITS)
    assert counts == [40, 40] and again == 40


@pytest.mark.parametrize("inside", [True, False])
def test_files_that_are_replaced_in_place_are_other_files(tmp_path, inside):
    """As by `cp -p`, `rsync --inplace -t` or programs that set all times to 0: of the same name, size and time."""
    file, seen = tmp_path / "0.bmp", []
    for content in (b"one", b"two"):
        with open(file, "wb") as stream:
            stream.write(content)
        os.utime(file, (0, 0))
        seen += [base.stamp_of(tmp_path if inside else file)] * 2
        time.sleep(0.02)  # clocks of file systems tick in steps
    assert len(set(seen)) == 2 and base.stamp_of(tmp_path if inside else file) == seen[-1]


@pytest.mark.parametrize("around", ["", "set/set"])
def test_pictures_behind_links_to_folders_are_stamped(pets, tmp_path, around):
    """Classes are put together of links, where a picture that comes or goes is as good as any."""
    there = tmp_path / "linked"
    (there / around).mkdir(parents=True)
    for name in ("cats", "dogs"):
        (there / around / name).symlink_to(Path(pets.path) / name)
    (there / around / "cats" / "itself").symlink_to(there)  # which `Folder` does not follow either
    linked = replace(pets, path=str(there))
    seen = [(base.stamp_of(there), linked.load("train").fingerprint)]
    (Path(pets.path) / "cats" / "01.png").unlink()
    seen.append((base.stamp_of(there), linked.load("train").fingerprint))
    (there / around / "dogs").unlink()
    (there / around / "dogs").symlink_to(Path(pets.path) / "cats")
    seen.append((base.stamp_of(there), ""))
    assert len({stamp for stamp, _ in seen}) == 3 and len({images for _, images in seen}) == 3


def test_links_in_a_circle_have_a_stamp(tmp_path):
    (tmp_path / "only").symlink_to(tmp_path)
    assert base.stamp_of(tmp_path) == base.stamp_of(tmp_path)


def test_a_killed_process_has_not_worked_in_vain(pets, monkeypatch):
    """Decoding stops for good behind the second chunk, with a third whose pixels are written and do not count."""
    whole = pets.load("train").fingerprint
    shutil.rmtree(image_sets())
    script = (
        "import os, sys\nfrom tfgantl.data import Folder, image_file, reading\n"
        "reading.CHUNK = image_file.CHUNK = 8\nwrite, calls = image_file._write_all, []\n"
        "def dying(*arguments):\n    calls.append(1)\n    if len(calls) == 6: os.kill(os.getpid(), 9)\n"
        "    write(*arguments)\nimage_file._write_all = dying\n"
        "Folder(sys.argv[1], 8, 3, validation=0.2, test=0.2, max_bytes=100).load('train')"
    )
    done = subprocess.run([sys.executable, "-c", script, pets.path])
    assert done.returncode == -signal.SIGKILL
    decoded, read = [], reading.read_picture
    monkeypatch.setattr(reading, "read_picture", lambda *a: decoded.append(1) or read(*a))
    base._splits.cache_clear()
    assert pets.load("train").fingerprint == whole and len(decoded) == 40 - 16


def test_two_processes_write_one_set(pets):
    script = (
        "import sys\nfrom tfgantl.data import Folder\n"
        "print(Folder(sys.argv[1], 8, 3, validation=0.2, test=0.2, max_bytes=100).load('train').fingerprint)"
    )
    both = [subprocess.Popen([sys.executable, "-c", script, pets.path], stdout=subprocess.PIPE) for _ in range(2)]
    assert len({process.communicate()[0] for process in both}) == 1 and only_set()
    assert not any(process.returncode for process in both)


@pytest.mark.parametrize("on_bad", ["error", "skip"])
def test_a_bad_picture_is_named_at_once_or_left_out(pets, on_bad):
    (Path(pets.path) / "cats" / "05.png").write_bytes(b"no picture")
    source = replace(pets, on_bad=on_bad)
    if on_bad == "error":
        with pytest.raises(DataError, match="every file must be a usable .* Received: .*cats/05.png: cannot be dec"):
            source.load("train")
        return
    parts = [source.load(split) for split in SPLITS]
    assert sum(part.size for part in parts) == 39 and "cats/05.png: cannot be decoded" in parts[0].notes[0]
    np.testing.assert_array_equal(parts[0].take()[0], replace(source, max_bytes=10**9).load("train").take()[0])


def test_pictures_of_16_bits_have_one_white(pets):
    for number in (0, 30):
        deep = tiny_images(1, 12, 1, number)[0, ..., 0].astype(np.uint16) * (16 if number else 8)
        Image.fromarray(deep).save(Path(pets.path) / "dogs" / f"{number:02}.png")
    in_memory = replace(pets, max_bytes=10**9)
    for split in SPLITS:
        np.testing.assert_array_equal(pets.load(split).take()[0], in_memory.load(split).take()[0])
    assert pets.load("train").notes[0] == "2 pictures of integers up to 4064: white is 4095"


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: os.truncate(path, 100), r"Received: an end before image \d"),
        (lambda path: path.write_bytes(path.read_bytes()[::-1]), r"Received: other pixels in image \d"),
    ],
)
def test_what_is_not_as_it_was_written_is_told(pets, damage, told):
    train = pets.load("train")
    damage(only_set() / image_file.PIXELS)
    with pytest.raises(DataError, match=f"`tfgantl cache --clear` lets it be written again. {told}"):
        train.take()


def test_a_damaged_list_of_images_is_written_anew(pets):
    whole = pets.load("train").fingerprint
    records = only_set() / image_file.RECORDS
    records.write_bytes(bytes(len(records.read_bytes())))
    base._splits.cache_clear()
    assert pets.load("train").fingerprint == whole


def test_a_disk_without_room_is_told_before_anything_is_decoded(pets, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 10**7))
    monkeypatch.setattr(reading, "read_picture", None)
    with pytest.raises(RunError, match=r"must have room for 0.0 GB .* TFGANTL_CACHE_DIR .* Received: 0.0 GB free"):
        pets.load("train")


def test_reading_takes_no_more_memory_than_a_batch(tmp_path):
    """Also far more images than are asked for; those that lie together are read at once."""
    path, digests = tmp_path / "images.u8", np.zeros((300, 32), np.uint8)
    images = np.random.default_rng(0).integers(0, 256, (300, 4, 4, 1), np.uint8)
    path.write_bytes(images.tobytes())
    for row, image in zip(digests, images, strict=True):
        row[:] = np.frombuffer(reading.hashlib.sha256(image.data).digest(), np.uint8)
    stored = StoredImages(path, (4, 4, 1), digests)
    for at in ([], [5], [299, 0, 0], list(range(40, 260)), [7, 8, 9, 3]):
        np.testing.assert_array_equal(stored[np.array(at, np.int64)], images[at])
    part = stored.part(np.array([9, 3, 8]))
    np.testing.assert_array_equal(part[np.array([2, 0])], images[[8, 9]])
    assert part.shape == (3, 4, 4, 1) and len(part) == 3


def test_the_cache_is_told_and_cleared_but_for_what_is_being_written(pets, capsys):
    pets.load("train")
    extractor = image_sets().parent / "extractors" / "0123456789abcdef"
    extractor.mkdir(parents=True)
    (extractor / "a").write_bytes(bytes(10**5))
    assert cache.main([]) == 0
    told = capsys.readouterr().out
    assert "images              1" in told and "extractors          1" in told
    with FileLock(f"{only_set()}.lock"):
        result = cache.cache(cache.CacheConfig(kind="images", clear=True))
        assert result.busy == 1 and result.entries == {"images": 1}
    train = pets.load("train")
    result = cache.cache(cache.CacheConfig(clear=True))
    assert result.removed > 10**5 and not any(result.bytes.values()) and not result.busy
    assert train.take()[0].any()  # who has opened it keeps it


def test_what_others_keep_beside_the_cache_is_not_cleared(pets, tmp_path, monkeypatch):
    """The cache may have been given a disk on which somebody has folders of the same names."""
    pets.load("train")
    mine = [image_sets() / "holiday" / "1.png", image_sets().parent / "shards" / "train" / "0.tar", tmp_path / "linked"]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"my only copy")
    (image_sets().parent / "shards" / "0123456789abcdef").symlink_to(tmp_path / "linked")
    copying = image_sets().parent / "shards" / "fedcba9876543210"
    copying.mkdir()
    with FileLock(f"{copying}.lock"):
        result = cache.cache(cache.CacheConfig(clear=True))
    kinds = ("images", "shards", "datasets", "extractors", "discriminators", "editing")
    assert result.entries == {kind: int(kind == "shards") for kind in kinds}
    assert result.busy == 1 and copying.is_dir() and all(path.read_bytes() == b"my only copy" for path in mine)


@pytest.mark.parametrize("name", [image_file.PIXELS, image_file.RECORDS, image_file.REASONS, ""])
def test_links_in_a_shared_cache_are_not_written_through(pets, tmp_path, name):
    pets.load("train")
    kept = only_set()
    shutil.rmtree(kept)
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "only").write_text("my only copy")
    if name:
        kept.mkdir()
        (kept / name).symlink_to(victim / "only")
    else:
        kept.symlink_to(victim)
    base._splits.cache_clear()
    with pytest.raises(RunError, match=f"{name}: must be of the cache itself. Received: a link"):
        pets.load("train")
    assert [path.read_text() for path in victim.iterdir()] == ["my only copy"]


def test_a_description_without_its_facts_is_written_anew(pets):
    whole = pets.load("train").fingerprint
    (only_set() / image_file.DESCRIPTION).write_text('{"format": 1}')
    base._splits.cache_clear()
    assert pets.load("train").fingerprint == whole
