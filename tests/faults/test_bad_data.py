"""Every kind of bad image, archive and label: handled, or refused in one line that names it."""

import errno
import os
import re
import zipfile

import numpy as np
import pytest
from conftest import growth_below, tiny_images
from numpy.lib import format as npy
from PIL import Image

from tfgantl.data import Arrays, Folder, folder, opening
from tfgantl.data.decode import fit_picture
from tfgantl.data.reading import read_picture
from tfgantl.data.splits import split_by_content
from tfgantl.errors import ArtifactError, ConfigError, DataError
from tfgantl.printing import printable
from tfgantl.untrusted.archives import read_npz


def picture(size=(20, 20), seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8))


@pytest.fixture
def good(tmp_path):
    """A folder with twelve good pictures."""
    for i in range(12):
        picture(seed=i).save(tmp_path / f"good{i:02}.png")
    return tmp_path


def load(path, **options):
    return Folder(str(path), image_size=8, channels=1, validation=0.2, test=0.2, **options).load("train")


def truncated(path):
    picture((64, 64)).save(path)
    path.write_bytes(path.read_bytes()[:-300])


def sparse(path):
    """A picture with a terabyte of nothing behind it, which was read and hashed to its end."""
    picture().save(path)
    os.truncate(path, 2**40)


def lying_header(path):
    picture().save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = (100_000).to_bytes(4, "big") * 2  # width and height in the PNG header
    path.write_bytes(bytes(data))


BAD = {
    "corrupt.png": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 50), "cannot be decoded"),
    "truncated.jpg": (truncated, "cannot be decoded"),
    "empty.png": (lambda path: path.write_bytes(b""), r"is empty \(0 bytes\)"),
    "text.png": (lambda path: path.write_text("not a picture"), "cannot be decoded"),
    "bomb.png": (lambda path: Image.new("1", (3000, 3000)).save(path), "decodes to 3000 x 3000 pixels, more than"),
    "header.png": (lying_header, "decodes to 100000 x 100000 pixels|cannot be decoded"),
    "black.png": (lambda path: Image.new("RGB", (20, 20)).save(path), r"shows one colour only \(value 0\)"),
    "dangling.png": (lambda path: path.symlink_to("nowhere.png"), "cannot be read"),
    "circle.png": (lambda path: path.symlink_to(path.name), r"cannot be read \(Too many levels of symbolic links"),
    "program.png": (lambda path: picture().save(path, "EPS"), "no known kind of picture"),
    "sparse.tif": (sparse, f"has more than {2**30} bytes"),
    "pipe.png": (os.mkfifo, r"is empty \(0 bytes\)"),
    "endless.png": (lambda path: path.symlink_to("/dev/zero"), r"is empty \(0 bytes\)"),
    "new\nline ü.png": (lambda path: path.write_bytes(b"x"), "cannot be decoded"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_named_or_skipped(good, name):
    make, reason = BAD[name]
    make(good / name)
    with pytest.raises(DataError, match=f"Received: .*{re.escape(printable(name))}: .*({reason})"):
        load(good, max_pixels=1_000_000)
    part = load(good, max_pixels=1_000_000, on_bad="skip")
    assert len(part.notes) == 2 and printable(name) in part.notes[0]  # and a note on the splits


def test_names_that_are_not_utf8_can_be_read_and_told(good):
    name = os.fsdecode(b"bad\xff.png")
    picture(seed=99).save(good / os.fsdecode(b"fine\xff.png"))
    (good / name).write_bytes(b"x")
    part = load(good, on_bad="skip")
    assert part.size == 7  # of thirteen good ones, three for the test and three for validation
    assert part.notes[0].encode() and "bad\\xff.png: cannot be decoded" in part.notes[0]


def test_a_file_that_vanishes_between_listing_and_reading_is_named(good, monkeypatch):
    listed = folder.find_pictures

    def then_deleted(root):
        found = listed(root)
        (root / "good03.png").unlink()
        return found

    monkeypatch.setattr(folder, "find_pictures", then_deleted)
    with pytest.raises(DataError, match=r"good03.png: cannot be read \(No such file or directory\)"):
        load(good)


def test_fewer_images_than_a_batch_are_told_before_the_run(good, capsys):
    from tfgantl.pipelines.adapt import AdaptConfig
    from tfgantl.pipelines.adapt.preparation import prepare

    prepare(AdaptConfig(target=Folder(str(good), validation=0.25, test=0.25), extractor="digits"), "x")
    assert "batches have all 6 training images, fewer than `batch_size` 64" in capsys.readouterr().err


def test_a_class_without_an_image_for_training_is_told(tmp_path):
    for name, count in (("cats", 9), ("dogs", 3)):
        (tmp_path / name).mkdir()
        for i in range(count):
            picture(seed=10 * len(name) + i + count).save(tmp_path / name / f"{i}.png")
    with pytest.raises(DataError, match="an image left for training. Received: 3 of class 1, of which 2 .* 1 for val"):
        Folder(str(tmp_path), image_size=8, channels=1, validation=0.4, test=0.5).load("train")


def test_classes_of_one_image_are_told():
    """A share of the whole takes whole images of small classes, of one with no image left to take, too."""
    with pytest.raises(DataError, match="each class must have an image left for training. Received: 1 of class"):
        split_by_content(tiny_images(6), np.arange(6), {"test": 0.5, "validation": 0.3}, {}, 0, "x")


def test_pictures_that_may_not_be_read_are_named(good, monkeypatch):
    def refusing(file, *arguments):
        if "good05" in str(file):
            raise PermissionError(errno.EACCES, "Permission denied")
        return open(file, *arguments)

    monkeypatch.setattr(
        opening, "open", refusing, raising=False
    )  # the superuser, who may run this, may read everything
    with pytest.raises(DataError, match=r"good05.png: cannot be read \(Permission denied\)"):
        load(good)


@pytest.mark.parametrize("door", ["scandir", "stat"])
def test_folders_that_may_not_be_read_are_named(tmp_path, monkeypatch, door):
    """The superuser, who may run this, may read everything."""
    for name in ("cats", "cats/more", "dogs"):
        (tmp_path / name).mkdir()
        picture().save(tmp_path / name / "1.png")
    usual = getattr(os, door)

    def refusing(path, *arguments, **options):
        if "more" in str(path) and (door == "scandir" or str(path).endswith("1.png")):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return usual(path, *arguments, **options)

    monkeypatch.setattr(os, door, refusing)
    with pytest.raises(DataError, match="cats/more.*: must be readable. Received: Permission denied"):
        load(tmp_path)


def test_a_folder_of_webp_only(tmp_path):
    for i in range(12):
        picture(seed=i).save(tmp_path / f"{i}.webp")
    assert load(tmp_path).size == 6


def test_several_bad_files_are_counted(good):
    for i in range(3):
        (good / f"bad{i}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"bad0.png: is empty \(0 bytes\) \(and 2 more files\)"):
        load(good)


def half_transparent():
    image = np.zeros((20, 20, 4), np.uint8)
    image[:10, :, 3] = 255  # the lower half is transparent, so white
    return Image.fromarray(image)


def turned():
    dark_left = Image.new("L", (20, 20), 255)
    dark_left.paste(0, (0, 0, 10, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    return dark_left, exif


def animated():
    frames = [Image.new("L", (20, 20), 255), Image.new("L", (20, 20), 0)]
    frames[0].paste(0, (0, 0, 20, 10))
    return frames


@pytest.mark.parametrize("kind", ["RGBA", "16 bit", "palette", "CMYK", "EXIF", "animation", "transparent palette"])
def test_unusual_pictures_are_shown_as_a_viewer_would(tmp_path, kind):
    """Each of these shows black above and white below."""
    top_black = Image.new("L", (20, 20), 255)
    top_black.paste(0, (0, 0, 20, 10))
    path = tmp_path / "picture.png"
    if kind == "RGBA":
        half_transparent().save(path)
    elif kind == "16 bit":
        Image.fromarray(np.repeat(np.array([[0], [65535]], np.uint16), 10, 0).repeat(20, 1)).save(path)
    elif kind == "palette":
        top_black.convert("P").save(path)
    elif kind == "transparent palette":
        top_black.point(lambda v: 1 if v else 0).convert("P").save(path, transparency=1)
    elif kind == "CMYK":
        path = tmp_path / "picture.jpg"
        top_black.convert("RGB").convert("CMYK").save(path)
    elif kind == "EXIF":
        path = tmp_path / "picture.jpg"
        image, exif = turned()
        image.save(path, exif=exif)
    else:
        path = tmp_path / "picture.gif"
        first, *others = animated()
        first.save(path, save_all=True, append_images=others)
    for channels in (1, 3):
        found = read_picture(path, 10, channels, 10**6)
        assert not isinstance(found, str), found
        image, _ = found
        assert image.shape == (10, 10, channels)
        assert image[:4].max() < 60 and image[6:].min() > 195


def test_wide_pictures_are_cut_in_the_middle():
    wide = Image.new("L", (30, 10), 0)
    wide.paste(200, (10, 0, 20, 10))
    assert (fit_picture(wide, 10, 1) == 200).all()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(30, 10), (10, 30)])
def test_pictures_become_squares_as_asked(shape, channels):
    """A dark bar across a picture on a light ground, lengthwise."""
    width, height = shape
    picture = Image.new("RGB", shape, (240, 230, 220))
    picture.paste((20, 10, 0), (0, 4, 30, 6) if width > height else (4, 0, 6, 30))
    centre, padded, squeezed = (fit_picture(picture, 30, channels, crop=crop) for crop in ("centre", "pad", "none"))
    ground = padded[0, 0]
    assert ground.tolist() == ([240, 230, 220] if channels == 3 else [232])
    dark = [(image.mean(-1) < 128) for image in (centre, padded, squeezed)]
    if width > height:
        assert (padded[:10] == ground).all() and (padded[20:] == ground).all()
        rows = [mask.all(1).sum() for mask in dark]
    else:
        assert (padded[:, :10] == ground).all() and (padded[:, 20:] == ground).all()
        rows = [mask.all(0).sum() for mask in dark]
    assert rows == [6, 2, 6]  # enlarged from 10 to 30 pixels, but for the whole picture in its own shape


def test_a_thread_of_pixels_is_padded_and_squeezed(tmp_path):
    thread = Image.fromarray(np.linspace(0, 255, 900).astype(np.uint8).reshape(1, 900))
    for crop in ("pad", "none"):
        image = fit_picture(thread, 8, 1, crop=crop)
        assert image.shape == (8, 8, 1) and len(np.unique(image)) >= 8
    coarse = fit_picture(Image.fromarray((np.indices((64, 32)).sum(0) % 2 * 255).astype(np.uint8)), 8, 1, crop="pad")
    assert np.abs(coarse[:, 2:6].astype(int) - 127).max() < 40  # a chessboard averages: nothing is skipped


def test_crop_moves_no_picture_to_another_split(tmp_path):
    for i in range(12):
        picture(seed=i).resize((20, 9 + i)).save(tmp_path / f"{i}.png")
    sources = {crop: Folder(str(tmp_path), 8, 1, crop=crop) for crop in ("centre", "pad", "none")}
    assert sources["centre"] == Folder(str(tmp_path), 8, 1)  # as it always was
    assert len({source.load("train").fingerprint for source in sources.values()}) == 3  # no cache mixes them up
    for split in ("train", "validation", "test"):
        files = [read_picture(tmp_path / f"{i}.png", 8, 1, 10**6, crop="pad")[0] for i in range(12)]
        others = [read_picture(tmp_path / f"{i}.png", 8, 1, 10**6)[0] for i in range(12)]
        padded, cut = (sources[crop].load(split).take()[0] for crop in ("pad", "centre"))
        assert [i for i in range(12) if any((files[i] == image).all() for image in padded)] == [
            i for i in range(12) if any((others[i] == image).all() for image in cut)
        ]
    with pytest.raises(ConfigError, match="`crop` must be one of centre, pad, none. Received: center"):
        Folder(str(tmp_path), 8, 1, crop="center").load("train")


def test_folder_layouts(good):
    with pytest.raises(DataError, match="`path` must be a directory. Received: .*missing"):
        load(good / "missing")
    (good / "empty").mkdir()
    with pytest.raises(DataError, match="must hold pictures .* Received: none"):
        load(good / "empty")
    (good / "class").mkdir()
    picture().save(good / "class" / "a.png")
    with pytest.raises(
        DataError, match="either beside each other or in class folders. Received: both, such as good00.png"
    ):
        load(good)


def test_empty_class_folder_is_named(tmp_path):
    for name in ("cats", "dogs"):
        (tmp_path / name).mkdir()
    for i in range(9):
        picture(seed=i).save(tmp_path / "cats" / f"{i}.webp")
    with pytest.raises(DataError, match="every class folder must hold a picture. Received: none in dogs"):
        load(tmp_path)


def test_one_picture_under_two_labels_is_refused(tmp_path):
    for name, seeds in (("cats", range(9)), ("dogs", range(8, 17))):
        (tmp_path / name).mkdir()
        for i in seeds:
            picture(seed=i).save(tmp_path / name / f"{i}.png")
    with pytest.raises(DataError, match="dogs/8.png: shows the same as .*cats/8.png, which has another label"):
        load(tmp_path)


def hidden_objects(path):
    np.savez(path, x=np.array([{"a": 1}], dtype=object))


ARRAYS = {
    "float pixels": (dict(x=tiny_images(9) / 255.0), r"must be uint8 in \[0, 255\]. Received: float64"),
    "range 0 to 1": (dict(x=tiny_images(9) // 128), r"must use the range \[0, 255\]. Received: \[0, 1\]"),
    "constant": (dict(x=np.full((9, 8, 8, 1), 7, np.uint8)), "9 of 9 images without.*every pixel is 7"),
    "shape": (dict(x=tiny_images(9)[:, 0, 0, 0]), r"must have shape \(n, height, width, 1 or 3\). Received: \(9,\)"),
    "no images": (dict(x=tiny_images(9)[:0]), "at least one image. Received: 0"),
    "missing": (dict(other=tiny_images(9)), "must hold an array `x`; `images` names another. Received: other"),
    "negative label": (dict(x=tiny_images(9), y=np.arange(9) - 1), r"in \[0, .* Received: -1 at index 0 \(1 of 9"),
    "float label": (dict(x=tiny_images(9), y=np.arange(9) / 2), "must be integers. Received: float64"),
    "too few labels": (dict(x=tiny_images(9), y=np.arange(8)), r"must have shape \(9,\), .* Received: \(8,\)"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_bad_arrays_are_refused(tmp_path, name):
    arrays, message = ARRAYS[name]
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(DataError, match=message):
        Arrays(str(tmp_path / "set.npz")).load("train")


def test_labels_outside_the_given_classes_are_refused(tmp_path):
    np.savez(tmp_path / "set.npz", x=tiny_images(9), y=np.arange(9))
    with pytest.raises(DataError, match=r"labels must be in \[0, 4\]. Received: 5 at index 5 \(4 of 9 labels\)"):
        Arrays(str(tmp_path / "set.npz"), classes=5).load("train")


def test_bad_archives_are_refused_before_they_are_unpacked(tmp_path):
    path = tmp_path / "set.npz"
    with pytest.raises(DataError, match="must be an .npz or .npy file. Received: .* does not exist"):
        Arrays(str(path)).load("train")
    path.write_bytes(b"no archive")
    with pytest.raises(DataError, match="must be an intact .npz archive. Received: File is not a zip file"):
        Arrays(str(path)).load("train")
    hidden_objects(path)
    with pytest.raises(DataError, match="must hold numbers. Received: Python objects"):
        Arrays(str(path)).load("train")
    np.savez_compressed(path, x=np.zeros((4000, 28, 28, 1), np.uint8))
    with pytest.raises(DataError, match="must unpack to at most `max_bytes` = 1000. Received: 3136000"):
        Arrays(str(path), max_bytes=1000).load("train")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive, archive.open("x.npy", "w") as member:
        npy.write_array(member, np.zeros(2**27, np.uint8))
    with pytest.raises(DataError, match="must be stored or deflated. Received: x.npy, packed by method 12"):
        Arrays(str(path)).load("train")
    np.savez(path, x=tiny_images(9))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="must be an intact .npz archive"):
        Arrays(str(path)).load("train")


def test_labels_that_are_ids_are_told_without_counting_up_to_them(tmp_path):
    np.savez(tmp_path / "set.npz", x=tiny_images(9), y=np.array([2_000_000_000, *range(8)]))
    with (
        growth_below(64),
        pytest.raises(DataError, match="each with an image. Received: 9 different labels, 0 to 2000"),
    ):
        Arrays(str(tmp_path / "set.npz")).load("train")


def test_pictures_of_one_column_keep_their_colours(tmp_path):
    x = np.zeros((40, 8, 1, 3), np.uint8)
    x[:, :4], x[:, 4:], x[:, 0, 0, 1] = [0, 0, 255], [255, 0, 0], np.arange(40)
    np.savez(tmp_path / "set.npz", x=x)
    source = Arrays(str(tmp_path / "set.npz"), labels=None, image_size=8, channels=3, crop="none")
    image = source.load("train").take()[0][0]
    assert image[2, 0].tolist() == [0, 0, 255] and image[6, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_bit_flips_in_an_archive_are_noticed(tmp_path, save):
    path = tmp_path / "set.npz"
    save(path, x=tiny_images(60))
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo("x.npy").header_offset + 600
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="must be an intact .npz archive"):
        Arrays(str(path)).load("train")


def test_a_picture_that_is_left_out_does_not_decide_what_white_is(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(30):
        Image.fromarray(rng.integers(0, 4096, (12, 12)).astype(np.uint16)).save(tmp_path / f"{i}.png")
    before = Folder(str(tmp_path), 8, 1, on_bad="skip").load("train").take()[0]
    Image.fromarray(np.full((12, 12), 65535, np.uint16)).save(tmp_path / "blown.png")
    examples = Folder(str(tmp_path), 8, 1, on_bad="skip").load("train")
    assert any("blown.png" in note for note in examples.notes)
    np.testing.assert_array_equal(examples.take()[0], before)


@pytest.mark.parametrize("value, told", [(np.inf, "must be finite"), (np.nan, "at least 0"), (-1.0, "at least 0")])
def test_one_pixel_that_is_no_number_does_not_decide_what_white_is(tmp_path, value, told):
    pixels = np.random.default_rng(0).random((12, 9, 9), np.float32)
    pixels[3, 4, 4] = value
    for i, one in enumerate(pixels):
        Image.fromarray(one).save(tmp_path / f"{i:02}.tif")
    with pytest.raises(DataError, match=f"03.tif: .*{told}") as error:
        Folder(str(tmp_path), 9, 1).read()
    assert "more" not in str(error.value)
    images = Folder(str(tmp_path), 9, 1, on_bad="skip").read().images
    np.testing.assert_array_equal(images[..., 0], np.round(np.delete(pixels, 3, 0) * 255).astype(np.uint8))


@pytest.mark.parametrize("kind", ["npy", "member"])
def test_an_array_behind_another_is_told(tmp_path, kind):
    """Of two `np.save` into one file, the first array was read, and the second was lost."""
    path = tmp_path / ("two.npy" if kind == "npy" else "two.npz")
    with open(path, "wb") if kind == "npy" else zipfile.ZipFile(path, "w").open("x.npy", "w") as file:
        np.save(file, tiny_images(20))
        np.save(file, tiny_images(30))
    if kind == "member":
        file._zipfile.close()
        with pytest.raises(ArtifactError, match="must be an intact .npz archive. Received: .*something behind it"):
            read_npz(path)
    with pytest.raises(DataError, match=r"Received: an array of \(20, 8, 8, 1\) with something behind it"):
        Arrays(str(path)).load("train")
