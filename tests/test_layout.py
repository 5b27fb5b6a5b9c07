"""Folders as people have them: what is a picture, which class it is of, and what is told of the rest."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny_images
from PIL import Image

from tfgantl.data import SPLITS, Arrays, Examples, Folder
from tfgantl.data.base import stamp_of
from tfgantl.data.classes import in_order, matched
from tfgantl.data.layout import find_pictures
from tfgantl.errors import DataError


def fill(folder, count=8, seed=0, suffix=".png", fmt="PNG", size=9):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        pixels = np.random.default_rng([seed, i]).integers(0, 256, (size, size, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{seed}-{i}{suffix}", fmt)


def total(source):
    return sum(source.load(split).size for split in ("train", "validation", "test"))


@pytest.mark.parametrize(
    ("suffix", "fmt"),
    [(".JPG", "JPEG"), (".jfif", "JPEG"), (".JPEG", "JPEG"), ("", "PNG"), (".png", "JPEG"), (".bin", "WEBP"),
     (".dat", "GIF"), (".pic", "BMP"), (".tiff", "TIFF")],
)  # fmt: skip
def test_pictures_are_known_by_what_they_are(tmp_path, suffix, fmt):
    fill(tmp_path, 20, suffix=suffix, fmt=fmt)
    source = Folder(str(tmp_path), 8, 3)
    assert total(source) == 20 and not any("left out" in note for note in source.load("train").notes)


@pytest.mark.parametrize("name", ["__MACOSX/cat/._1.png", "@eaDir/x.png", ".DS_Store", "cat/Thumbs.db", "desktop.ini",
                                  "cat/1.xmp", "cat/@eaDir/1.png/thumb.jpg", ".ipynb_checkpoints/a.png"])  # fmt: skip
def test_what_systems_leave_behind_is_passed_over(tmp_path, name):
    fill(tmp_path / "cat"), fill(tmp_path / "dog", seed=1)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"\0\5\26\7")
    layout = find_pictures(tmp_path)
    assert layout.classes == ["cat", "dog"] and len(layout.files) == 16 and not layout.notes


def test_what_is_left_out_is_told_with_count_and_names(tmp_path):
    fill(tmp_path, 20)
    for i in range(7):
        (tmp_path / f"note{i}.txt").write_text("x")
    notes = Folder(str(tmp_path), 8, 3).load("train").notes
    assert notes[0].startswith("left out 7 files that are no pictures: note0.txt, note1.txt") and "2 more" in notes[0]


def test_classes_may_lie_deeper_and_in_a_folder_around_everything(tmp_path):
    fill(tmp_path / "all" / "cat" / "2023" / "may"), fill(tmp_path / "all" / "cat", seed=2)
    fill(tmp_path / "all" / "dog" / "x", seed=1)
    layout = find_pictures(tmp_path)
    assert layout.classes == ["cat", "dog"] and np.bincount(layout.labels).tolist() == [16, 8]
    assert layout.notes == ["pictures of all/, the one folder there is"]


def test_folders_that_are_splits_are_named(tmp_path):
    for split in ("train", "Test", "val"):
        fill(tmp_path / split / "cat"), fill(tmp_path / split / "dog")
    with pytest.raises(DataError, match=r"`path` must be one split, such as .*/val.* Received: .*Test/, train/, val/"):
        find_pictures(tmp_path)
    assert find_pictures(tmp_path / "train").classes == ["cat", "dog"]


@pytest.mark.parametrize("names", [
    ("Training", "Test", "test-multiple_fruits"), ("seg_train", "seg_test", "seg_pred"), ("train2017", "val2017"),
    ("train", "test", "unlabeled"), ("trainA", "trainB", "testA", "testB"), ("trainset", "testset"),
    ("trainval", "test"), ("TrainImages", "TestImages"), ("imagesTr", "imagesTs"), ("train", "test_public"),
    ("training", "hold-out"), ("train 80%", "Holdout"), ("valset", "testset"), ("tr", "ts"), ("train", "extra"),
    ("train", "validate"), ("train", "evaluation"), ("train", "held_out"), ("trn", "tst"),
], ids=lambda names: names[0])  # fmt: skip
def test_splits_are_known_whatever_is_beside_them(tmp_path, names):
    for name in names:
        fill(tmp_path / name)
    with pytest.raises(DataError, match="`path` must be one split"):
        find_pictures(tmp_path)


@pytest.mark.parametrize("names", [
    ("train", "bus"), ("contest", "latest"), ("train_test", "x"), ("test tube", "training shoe"),
    ("crash-test", "train"), ("trainee", "testament"), ("set_a", "set_b"), ("trainer", "test"),
    ("test1", "test2", "test3"), ("Test A", "Test B"), ("dev 1", "dev 2"), ("DE", "TR", "TS"),
    ("car", "extra", "train"),
])  # fmt: skip
def test_classes_that_are_called_a_little_like_splits_are_classes(tmp_path, names):
    for name in names:
        fill(tmp_path / name)
    assert find_pictures(tmp_path).classes == sorted(names)


@pytest.mark.parametrize(
    ("pictures", "drawn"),
    [("images", "masks"), ("JPEGImages", "SegmentationClass"), ("img", "Ground Truth"), ("cat/images", "cat/trimaps")],
)
def test_what_was_drawn_of_pictures_is_no_class_and_no_picture(tmp_path, pictures, drawn):
    """Masks beside the photographs were a class, or were trained on among them."""
    for name in (pictures, drawn, "dog") if "/" in pictures else (pictures, drawn):
        fill(tmp_path / name)
    with pytest.raises(DataError, match="apart from what was drawn of them, as in .*, which holds"):
        find_pictures(tmp_path)
    assert find_pictures(tmp_path / pictures).files


def test_the_sheet_of_what_a_command_has_drawn_is_no_picture(tmp_path):
    fill(tmp_path)
    count = len(find_pictures(tmp_path).files)
    shutil.copy(find_pictures(tmp_path).files[0], tmp_path / "sheet.png")
    assert len(find_pictures(tmp_path).files) == count + 1
    (tmp_path / "run.json").write_text("{}")
    after = find_pictures(tmp_path)
    assert len(after.files) == count and "sheet.png" in after.notes[-1]


def test_a_picture_in_two_kinds_of_file_is_told_where_names_are_not_kept(tmp_path):
    """Of a set on disk one was trained on, and the other tested."""
    for number, image in enumerate(tiny_images(30)):
        Image.fromarray(image[..., 0]).save(tmp_path / f"{number}.png")
    assert Folder(str(tmp_path), 8, 1, max_bytes=100).load("train").size
    Image.fromarray(tiny_images(1, seed=9)[0, ..., 0]).save(tmp_path / "7.JPG", "JPEG")
    with pytest.raises(DataError, match=r"in one kind of file, if not all fit into memory .* Received: 7 in two"):
        Folder(str(tmp_path), 8, 1, max_bytes=100).load("train")
    assert Folder(str(tmp_path), 8, 1).load("train").size


@pytest.mark.parametrize("names", [("photo", "mask", "replay"), ("images", "cat")])
def test_classes_that_are_called_like_masks_are_classes(tmp_path, names):
    for name in names:
        fill(tmp_path / name)
    (tmp_path / names[0] / "labels").mkdir()  # beside pictures, as programs write them
    (tmp_path / names[0] / "labels" / "0.txt").write_text("0 0.5")
    assert find_pictures(tmp_path).classes == sorted(names)


def test_masks_among_pictures_are_told(tmp_path):
    fill(tmp_path / "a"), fill(tmp_path / "b")
    for number, file in enumerate(find_pictures(tmp_path).files):
        if number % 2:
            shutil.copy(file, file.with_name(f"{file.stem}_mask.png"))
    with pytest.raises(DataError, match="apart from what was drawn of them. Received: .* files such as .*_mask.png"):
        find_pictures(tmp_path)
    for file in [*tmp_path.rglob("*_mask.png")][:-1]:
        file.unlink()
    assert find_pictures(tmp_path).files  # one that is called so by accident


def test_runs_beside_the_pictures_are_no_class(tmp_path):
    """A command that was started there made a class of its own sheets, and its interrupted run could not go on."""
    fill(tmp_path / "cat"), fill(tmp_path / "dog", seed=1)
    before = find_pictures(tmp_path), stamp_of(tmp_path)
    for where, mark in (
        ("runs/mine/1", "run.json"), ("exported/mine/1", "manifest.json"), ("try", "run.json"),
        ("generated", "generated.json"),
    ):  # fmt: skip
        fill(tmp_path / where, seed=2)
        (tmp_path / where / mark).write_text("{}")
    after = find_pictures(tmp_path)
    assert after[:3] == before[0][:3] and stamp_of(tmp_path) == before[1]
    assert sorted(note.split(",")[0] for note in after.notes) == [
        "left out exported/",
        "left out generated/",
        "left out runs/",
        "left out try/",
    ]
    fill(tmp_path / "other" / "runs"), fill(tmp_path / "other" / "walks")  # what people do
    assert find_pictures(tmp_path / "other").classes == ["runs", "walks"]


def test_the_same_picture_in_two_kinds_of_file_is_on_one_side(tmp_path):
    """As cameras and programs leave it: half of the test had been trained on as the other file."""
    fill(tmp_path, count=40)
    for file in list(tmp_path.iterdir()):
        Image.open(file).save(file.with_suffix(".jpg"), quality=30)
        file.with_suffix(".NEF").write_bytes(b"II*\0" + bytes(100))
    source = Folder(str(tmp_path), 8, 3)
    parts = {split: source.load(split) for split in SPLITS}
    stems = {split: {Path(name).stem for name in part.files} for split, part in parts.items()}
    assert sum(map(len, stems.values())) == 40 and sum(part.size for part in parts.values()) == 80
    assert any("40 files that are no pictures" in note for note in parts["train"].notes)


def test_of_copies_that_are_held_out_one_counts(tmp_path, capsys):
    """A set in which each picture lies ten times has a tenth of the pictures to measure on."""
    fill(tmp_path, 30)
    for file in list(tmp_path.iterdir()):
        for i in range(9):
            (tmp_path / f"{file.stem} ({i}).png").write_bytes(file.read_bytes())
    test = Folder(str(tmp_path), 8, 3).load("test")
    images, labels = test.different(10_000)
    assert (
        len(images) * 10 == test.size and len({image.tobytes() for image in images}) == len(images) and labels is None
    )
    assert "held-out images are copies of others" in capsys.readouterr().err
    few = Examples.from_arrays(images[[0, 1, 0, 2, 1]], np.array([5, 6, 5, 7, 6]), 8)
    np.testing.assert_array_equal(few.different(9)[0], images[:3])
    assert few.different(9)[1].tolist() == [5, 6, 7]


def test_only_other_files_are_named(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    with pytest.raises(DataError, match="must hold pictures .* Received: 1 other files, such as film.mp4"):
        find_pictures(tmp_path)


def test_numbers_are_in_the_order_of_numbers():
    assert in_order(["10", "9", "1", "02"]) == ["1", "02", "9", "10"]
    assert in_order(["a10", "a9"]) == ["a10", "a9"]


def test_labels_and_names_stay_together(tmp_path):
    for label, name in enumerate(("10", "2", "1")):
        fill(tmp_path / name, 10, seed=label)
    part = Folder(str(tmp_path), 8, 3).load("train")
    assert part.classes == ("1", "2", "10") and part.num_classes == 3
    np.savez(tmp_path / "x.npz", x=tiny_images(30), y=np.arange(30) % 3, names=np.array(["a", "b", "c"]))
    assert Arrays(str(tmp_path / "x.npz")).load("test").classes == ("a", "b", "c")


def named(classes, labels=(0, 1, 2, 0, 1, 2)):
    return Examples.from_arrays(tiny_images(6), np.array(labels), len(classes), classes=classes)


def test_classes_are_matched_by_name_and_the_change_is_told():
    found = matched(named(("dog", "Old Cat", "bird")), ("old_cat", "Bird", "Dog"))
    assert found.take()[1].tolist() == [2, 0, 1, 2, 0, 1] and found.classes == ("old_cat", "Bird", "Dog")
    assert found.notes[-1] == "classes matched by name: dog is 2, Old Cat is 0, bird is 1"
    assert found.fingerprint != named(("dog", "Old Cat", "bird")).fingerprint  # other labels are other data
    same = matched(named(("A", "b", "c")), ("a", "B", "C"))
    assert same.take()[1].tolist() == [0, 1, 2, 0, 1, 2] and not same.notes
    spelled = matched(named(("cafe\u0301", "01", "x")), ("caf\u00e9", "1", "X"))
    assert spelled.classes == ("caf\u00e9", "1", "X") and spelled.notes == ()
    renamed = matched(named(("dog", "kitty", "bird")), ("bird", "cat", "dog"), {"kitty": "cat"})
    assert renamed.take()[1].tolist() == [2, 1, 0, 2, 1, 0]


@pytest.mark.parametrize(
    ("here", "there", "renamed", "message"),
    [
        (("a", "b"), ("a", "c"), {}, "Received: a, b for a, c; missing: c; too many: b"),
        (("a", "b"), ("a", "b", "c"), {}, "missing: c"),
        (("a", "A"), ("a", "b"), {}, "missing: b"),
        (("a", "b"), ("a", "b"), {"x": "a"}, "`renamed_classes` must name classes of the target .a, b.. Received: x"),
    ],
)
def test_classes_without_a_partner_are_named(here, there, renamed, message):
    with pytest.raises(DataError, match=message):
        matched(named(here, [0, 1] * 3), there, renamed)


@pytest.mark.parametrize(
    ("labels", "message"),
    [([1, 2, 3] * 10, "3 different labels, 1 to 3; none of 0"), ([3, 1007, 5] * 10, "3 to 1007; none of 0, 1, 2, 4, 6"),
     ([0, 2] * 15, "none of 1")],
)  # fmt: skip
def test_labels_of_arrays_are_checked_like_folders(tmp_path, labels, message):
    np.savez(tmp_path / "x.npz", x=tiny_images(30), y=np.array(labels))
    with pytest.raises(DataError, match=message):
        Arrays(str(tmp_path / "x.npz")).load("train")


def test_arrays_whose_labels_have_another_name_and_plain_arrays(tmp_path):
    np.savez(tmp_path / "x.npz", x=tiny_images(30), target=np.arange(30) % 3)
    with pytest.raises(DataError, match="Received: y, beside an array target of 30 whole numbers"):
        Arrays(str(tmp_path / "x.npz")).load("train")
    assert Arrays(str(tmp_path / "x.npz"), labels="target").load("train").num_classes == 3
    for other in (np.eye(3)[np.arange(30) % 3], np.arange(30.0) % 3, np.array(["cat", "dog"] * 15)):
        np.savez(tmp_path / "other.npz", x=tiny_images(30), labels=other)
        with pytest.raises(DataError, match=f"Received: y, beside an array labels of 30 {other.dtype}"):
            Arrays(str(tmp_path / "other.npz")).load("train")
    assert Arrays(str(tmp_path / "x.npz"), labels=None).load("train").num_classes is None
    np.save(tmp_path / "x.npy", tiny_images(30))
    assert Arrays(str(tmp_path / "x.npy")).load("train").num_classes is None


def test_pixels_of_another_scale_are_told(tmp_path):
    """Of scikit-learn's digits, which go to 16, all pictures were almost black."""
    np.savez(tmp_path / "x.npz", x=tiny_images(30) // 16)
    (tmp_path / "x").mkdir()
    for number, image in enumerate(tiny_images(30) // 16):
        Image.fromarray(image[..., 0]).save(tmp_path / "x" / f"{number}.png")
    for source in (Arrays(str(tmp_path / "x.npz")), Folder(str(tmp_path / "x"), 8, 1)):
        notes = source.load("train").notes
        assert "no pixel is above 15 of 255, so that all pictures are almost black" in notes


@pytest.mark.parametrize(("dtype", "top", "white"), [
    ("float32", 255, 255), ("float32", 1, 1), ("float32", 1400, 1400), ("uint16", 4095, 4095), ("uint16", 255, 255),
    ("uint16", 65535, 65535), ("uint16", 1023, 1023), ("float32", 1.02, 1), ("float32", 260, 255),
])  # fmt: skip
def test_what_is_white_is_decided_for_the_set(tmp_path, dtype, top, white):
    """One picture in twenty uses the whole range; the others must not be brighter for it."""
    for i in range(20):
        pixels = np.random.default_rng(i).uniform(0, top if i == 7 else top / 4, (9, 9))
        pixels[0, 0] = top if i == 7 else top / 4
        Image.fromarray(pixels.astype(dtype)).save(tmp_path / f"{i}.tif")
    source = Folder(str(tmp_path), 9, 1)
    parts = [source.load(split).take()[0] for split in ("train", "validation", "test")]
    brightest = np.sort(np.concatenate([part.reshape(len(part), -1).max(1) for part in parts]))
    assert brightest[-1] == 255 and 62 <= brightest[0] <= brightest[-2] <= 65
    assert any(f"white is {white:g}" in note for note in source.load("train").notes)


@pytest.mark.parametrize("count", [10, 12, 20, 45])
def test_few_pictures_leave_something_to_measure_on(tmp_path, count):
    fill(tmp_path, count)
    source = Folder(str(tmp_path), 8, 3)
    sizes = [source.load(split).size for split in ("train", "validation", "test")]
    assert sum(sizes) == count and min(sizes) >= 2 and sizes[0] >= count / 2
    assert any("are few" in note for note in source.load("train").notes)


def test_linked_folders_inside_of_classes_are_looked_at_once(tmp_path):
    """Their pictures were left out without a word."""
    (tmp_path / "elsewhere" / "more").mkdir(parents=True)
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / "set" / name / "1.png")
    Image.new("L", (8, 8)).save(tmp_path / "elsewhere" / "more" / "2.png")
    for name in ("a", "b"):
        (tmp_path / "set" / "cat" / name).symlink_to(tmp_path / "elsewhere" / "more")
    (tmp_path / "elsewhere" / "more" / "round").symlink_to(tmp_path / "set" / "cat")
    found = find_pictures(tmp_path / "set")
    assert [str(path.relative_to(tmp_path / "set")) for path in found.files] == [
        "cat/1.png",
        "cat/a/2.png",
        "dog/1.png",
    ]


def test_splits_inside_of_classes_are_not_mixed(tmp_path):
    """Test pictures were trained on, without a word."""
    for name in ("cat/train", "cat/test", "dog/train", "dog/test"):
        (tmp_path / name).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / name / "1.png")
    with pytest.raises(
        DataError, match="splits must lie above classes, as train/(cat|dog)/: .* which holds test/, train/"
    ):
        find_pictures(tmp_path)


@pytest.mark.parametrize("shape", [(8, 8, 50), (64, 64, 3), (40, 30, 3), (40, 30, 1)])
def test_slices_of_an_array_are_no_pictures(tmp_path, shape):
    """As MATLAB has them, and one picture alone."""
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8))
    with pytest.raises(DataError, match=r"images must have the shape \(n, height, width, 1\) where .*Received: "):
        Arrays(str(tmp_path / "a.npz"), labels=None).load("train")
