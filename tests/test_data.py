from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from conftest import tiny_images
from PIL import Image
from skimage.data import astronaut

from tfgantl.data import SPLITS, Arrays, Examples, Folder, HandwrittenDigits, RenderedDigits, Tfds, decode
from tfgantl.data.classes import label_of, matched, same_names
from tfgantl.data.decode import fit_picture
from tfgantl.data.pipeline import batches
from tfgantl.data.splits import split_by_content
from tfgantl.errors import ConfigError, DataError


def folder(path, count=20, classes=2):
    for i, image in enumerate(tiny_images(count * classes, 12, 3)):
        where = path / "pictures" / (f"class{i % classes}" if classes > 1 else "")
        where.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(where / f"{i}.png")
    return Folder(str(path / "pictures"), image_size=8, channels=3)


def archive(path, labels=True):
    np.savez(path / "set.npz", x=tiny_images(60), **({"y": np.arange(60) % 3} if labels else {}))
    return Arrays(str(path / "set.npz"))


@cache  # tensorflow-datasets registers a class once
def shapes_builder():
    tfds = pytest.importorskip("tensorflow_datasets")

    class Shapes(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {"image": tfds.features.Image(shape=(8, 8, 1)), "label": tfds.features.ClassLabel(num_classes=3)}
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

        def _split_generators(self, manager):
            return {"train": self._generate_examples(0, 40), "test": self._generate_examples(30, 60)}

        def _generate_examples(self, start, stop):  # the last ten of train are the first ten of test
            for i in range(start, stop):
                yield i, {"image": tiny_images(60)[i], "label": i % 3}

    return Shapes


def catalogue(path, **options):
    """A data set in the layout that tensorflow-datasets leaves on disk."""
    shapes_builder()(data_dir=str(path)).download_and_prepare()
    return Tfds("shapes", data_dir=str(path), download=False, **options)


SOURCES = {
    "rendered": lambda path: RenderedDigits(image_size=16),
    "handwritten": lambda path: HandwrittenDigits(shots=3, validation_shots=2, image_size=16),
    "arrays": archive,
    "arrays without labels": lambda path: archive(path, labels=False),
    "folder": folder,
    "folder without classes": lambda path: folder(path, classes=1),
    "tfds": catalogue,
    "tfds, one split": lambda path: catalogue(path, test_split=None),
}


@pytest.fixture(params=SOURCES)
def source(request, tmp_path):
    return SOURCES[request.param](tmp_path)


def test_splits_share_no_image_and_keep_their_promise(source):
    seen = {}
    for split in SPLITS:
        part = source.load(split)
        images, labels = part.subset(50)
        assert images.dtype == np.uint8 and images.shape[1:] == (part.image_size, part.image_size, part.channels)
        assert images.max() > 1 and len(part.fingerprint) == 16
        if part.num_classes is None:
            assert labels is None
        else:
            assert labels.dtype == np.int32 and labels.min() >= 0 and labels.max() < part.num_classes
        for image in images:
            assert seen.setdefault(image.tobytes(), split) == split
    assert len({source.load(split).fingerprint for split in SPLITS}) == 3
    with pytest.raises(ConfigError, match="must be one of train, validation, test. Received: dev"):
        source.load("dev")


def test_loading_again_gives_the_same(source):
    first, again = source.load("train"), type(source)(**vars(source)).load("train")
    assert first.fingerprint == again.fingerprint
    np.testing.assert_array_equal(first.subset(9)[0], again.subset(9)[0])
    assert source.name == source.name.lower()


def test_batch_t_depends_on_seed_and_t_only(source):
    part = source.load("train")
    straight = [batch[0].numpy() for batch in batches(part, 4, seed=1).take(8)]
    resumed = [batch[0].numpy() for batch in batches(part, 4, seed=1, start=5).take(3)]
    np.testing.assert_array_equal(straight[5:], resumed)
    assert straight[0].min() >= -1 and straight[0].max() <= 1 and straight[0].dtype == np.float32
    assert len(next(iter(batches(part, 4, seed=1)))) == (1 if part.num_classes is None else 2)
    if part.size is not None:  # a source without end has no order to choose
        other = [batch[0].numpy() for batch in batches(part, 4, seed=2).take(8)]
        assert not np.array_equal(straight, other)


def test_an_epoch_takes_every_image_once(examples):
    both = np.concatenate([x.numpy() for x, _ in batches(examples, 10, seed=0).take(12)])  # 5 epochs of 24
    for epoch in both.reshape(5, 24, -1):
        assert len(np.unique(epoch, axis=0)) == 24
    assert not np.array_equal(both[:24], both[24:48])


def test_labels_stay_with_their_images(examples):
    label_of = {image.tobytes(): label for image, label in zip(*examples.take(), strict=True)}
    for images, labels in batches(examples, 8, seed=0).take(3):
        for image, label in zip(np.rint((images + 1) * 127.5).astype(np.uint8), labels.numpy(), strict=True):
            assert label_of[image.tobytes()] == label


def test_mirror_flips_about_half(examples):
    plain = np.concatenate([x for x, _ in batches(examples, 24, seed=0).take(4)])
    mirrored = np.concatenate([x for x, _ in batches(examples, 24, seed=0, mirror=True).take(4)])
    flipped = (mirrored != plain).any((1, 2, 3))
    assert 0.3 < flipped.mean() < 0.7
    np.testing.assert_array_equal(mirrored[flipped], plain[flipped][:, :, ::-1])


def test_a_batch_larger_than_the_data_is_refused(examples):
    with pytest.raises(DataError, match="`batch_size` must be at most 24, the number of images. Received: 25"):
        batches(examples, 25, seed=0)


def test_rendered_digits_are_a_function_of_seed_split_and_index():
    train = RenderedDigits().load("train")
    images, labels = train.read(np.array([5, 900, 5]))
    np.testing.assert_array_equal(images[0], images[2])
    np.testing.assert_array_equal(images[1], train.read(np.array([900]))[0][0])
    assert set(train.take(200)[1]) == set(range(10))
    for other in (
        RenderedDigits(seed=1).load("train"),
        RenderedDigits().load("test"),
        RenderedDigits(warp=0.05).load("train"),
    ):
        assert other.fingerprint != train.fingerprint
    with pytest.raises(DataError, match="`count` must be a number"):
        train.take()


def test_every_font_draws_every_digit_differently():
    from tfgantl.data.glyphs import FONTS, _glyph

    for font in FONTS:
        glyphs = [_glyph(font, digit, 0) for digit in range(10)]
        assert len({(g.size, g.tobytes()) for g in glyphs}) == 10
        assert all(20 < g.height < 80 for g in glyphs), font


def test_seed_chooses_the_shots_but_never_moves_the_test_set():
    first, other = HandwrittenDigits(seed=0), HandwrittenDigits(seed=1)
    assert first.load("test").fingerprint == other.load("test").fingerprint
    assert first.load("train").fingerprint != other.load("train").fingerprint
    assert np.bincount(first.load("train").take()[1]).tolist() == [10] * 10


def test_the_default_test_images_are_the_ones_that_were_always_held_out():
    """The shipped extractor has seen the rest: if this changes, it must be trained again."""
    assert HandwrittenDigits(image_size=8).load("test").fingerprint == "9296130760074734"


def test_copies_of_one_image_stay_on_one_side():
    images = np.repeat(tiny_images(30), 4, axis=0)
    chosen = split_by_content(images, None, {"test": 0.3, "validation": 0.2}, {}, 0, "x")
    sides = [{images[i].tobytes() for i in part} for part in chosen.values()]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    assert sum(len(part) for part in chosen.values()) == 120


def test_the_size_of_images_does_not_move_the_cut(tmp_path):
    pictures = folder(tmp_path, classes=1)
    stored = archive(tmp_path)
    for small in (HandwrittenDigits(image_size=8), pictures, stored):
        large = replace(small, image_size=32)
        a, b = (source.load("validation").take()[0] for source in (small, large))
        again = [fit_picture(Image.fromarray(x.squeeze()), 32, b.shape[-1]) for x in a]
        errors = np.abs(np.stack(again).astype(int)[:, None] - b[None]).mean((2, 3, 4))
        assert (errors.argmin(1) == np.arange(len(a))).all()


FINITE = {name: make for name, make in SOURCES.items() if name != "rendered"}


def all_of(name, path, **options):
    """A finite source that gives everything it has, but for these options."""
    options |= {"validation_shots": None} if name == "handwritten" else {}
    return replace(FINITE[name](path), **{"shots": None, "seed": 0} | options)


@pytest.mark.parametrize("name", FINITE)
def test_shots_that_the_training_share_has_move_nothing_else(name, tmp_path):
    everything, few = all_of(name, tmp_path), all_of(name, tmp_path, shots=2)
    others = replace(few, seed=1)
    for split in ("validation", "test"):
        assert len({source.load(split).fingerprint for source in (everything, few, others)}) == 1
    train = few.load("train")
    assert train.size == 2 * (train.num_classes or 1)
    assert train.fingerprint != others.load("train").fingerprint
    assert {image.tobytes() for image in train.take()[0]} < {x.tobytes() for x in everything.load("train").take()[0]}


@pytest.mark.parametrize("name", FINITE)
def test_more_shots_leave_the_rest_for_validation_and_test(name, tmp_path):
    """Also more than the shares allow: whoever has 60 pictures may train on 50, and measure on 10."""
    everything = all_of(name, tmp_path)
    before = {split: everything.load(split) for split in SPLITS}
    cut = ("train", "validation") if name == "tfds" else SPLITS  # its test images are a split of their own
    labels = np.concatenate([np.zeros(before[s].size, int) if (y := before[s].take()[1]) is None else y for s in cut])
    most = np.bincount(labels).min() - (1 if name == "tfds" else 4)
    source = replace(everything, shots=int(most))
    after = {split: source.load(split) for split in SPLITS}
    assert after["train"].size == most * (after["train"].num_classes or 1) > before["train"].size
    assert all(2 <= after[split].size <= before[split].size for split in ("validation", "test"))
    if name != "handwritten":  # whose classes are not of one size
        assert after["train"].fingerprint == replace(source, seed=1).load("train").fingerprint  # by content alone
        assert sum(after[split].size for split in cut) == len(labels)
    with pytest.raises(DataError, match=r"`shots` must be in \[1, \d+\], the train images .*Received: 9999"):
        replace(everything, shots=9999).load("train")


def test_what_is_neither_shot_nor_held_out_is_said(tmp_path):
    assert replace(archive(tmp_path), shots=4).load("train").notes == (
        "24 of 60 images are neither shots nor held out (`validation`, `test`)",
    )
    assert HandwrittenDigits().load("train").notes == ()  # whose shares are no options


@pytest.mark.parametrize(
    ("shares", "shots", "message"),
    [
        ({"test": 0.6, "validation": 0.4}, {}, "sum below 1. Received: 0.4 and 0.6"),
        ({"test": 0.2, "validation": 0.1}, {"train": 99}, r"`shots` must be in \[1, 7\], the train images .*: 99"),
        ({"test": 0.2, "validation": 0.01}, {}, "needed for validation. Received: 10 images in all"),
    ],
)
def test_impossible_splits_are_refused(shares, shots, message):
    with pytest.raises((ConfigError, DataError), match=message):
        split_by_content(tiny_images(10), None, shares, shots, 0, "x")


@pytest.mark.parametrize(
    ("crop", "size"),
    [("centre", (400, 304)), ("pad", (304, 400)), ("none", (640, 256)), ("centre", (390, 302)), ("centre", (401, 307))],
)
def test_large_photographs_are_decoded_at_the_scale_they_are_needed_at(tmp_path, monkeypatch, crop, size):
    """In a fraction of the time; the images are those of a whole decoding, but for roundings."""
    photograph, file, seen = Image.fromarray(astronaut()).resize(size), tmp_path / "0.jpg", []
    photograph.save(file, quality=90)
    monkeypatch.setattr(decode, "fit_picture", lambda picture, *rest: seen.append(picture.size) or fit(picture, *rest))
    fit, side = fit_picture, 16
    small = decode.decode_picture(file, side, 3, 10**6, crop=crop).astype(int)
    with Image.open(file) as whole:
        assert np.abs(small - fit(whole, side, 3, crop=crop)).max() <= 3
    scale = max(s for s in (1, 2, 4, 8) if not any(length % s for length in size) and min(size) >= 4 * side * s)
    assert seen == [(size[0] // scale, size[1] // scale)]  # nothing is stretched, so not all of them are smaller
    assert decode.decode_picture(file, None, 3, 10**6).shape == (*size[::-1], 3)  # where no size is asked for


def test_pictures_are_read_again_once_they_have_changed(tmp_path):
    for name in ("cats", "dogs"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i, image in enumerate(tiny_images(20, seed=len(name) + (name == "dogs"))):
            Image.fromarray(image[..., 0]).save(tmp_path / "pets" / name / f"{i}.png")

    def load():
        return Folder(str(tmp_path / "pets"), image_size=8, channels=1).load("train")

    before = load()
    assert load() is before  # nothing has changed
    (tmp_path / "pets" / "cats" / "0.png").unlink()
    (tmp_path / "pets" / "dogs" / "0.png").write_bytes((tmp_path / "pets" / "dogs" / "1.png").read_bytes())
    assert load().fingerprint != before.fingerprint


def test_tfds_takes_copies_of_test_images_out_of_training(tmp_path):
    source = catalogue(tmp_path)
    assert source.load("test").size == 30
    assert source.load("train").size + source.load("validation").size == 30
    assert source.load("train").notes[0] == "10 copies of test images left out"
    # A number would be that of an image of either, and another one behind an image that is left out.
    images = {f"train/{i}": image for i, image in enumerate(replace(source, test_split=None).read().images)}
    for part in (source.load("train"), source.load("validation")):
        assert all(np.array_equal(images[file], image) for file, image in zip(part.files, part.take()[0], strict=True))
    assert source.load("test").files == tuple(f"test/{i}" for i in range(30))


@pytest.mark.parametrize("split", ["train", "train[:30%]", "train[-7:]+test[10%:20%]"])
def test_tfds_reads_what_tensorflow_datasets_reads(tmp_path, split):
    """In the same order, from several files."""
    tfds = pytest.importorskip("tensorflow_datasets")
    builder = shapes_builder()(data_dir=str(tmp_path))
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(num_shards=3))
    expected = list(builder.as_dataset(split=split).as_numpy_iterator())
    for name in ("shapes", "shapes:1.0.0", "Shapes"):
        content = Tfds(name, data_dir=str(tmp_path), split=split, test_split=None, image_size=8, channels=1).read()
        np.testing.assert_array_equal(content.images, [example["image"] for example in expected])
        assert content.labels.tolist() == [example["label"] for example in expected]
    assert content.classes == ("0", "1", "2")


def test_tfds_mistakes_are_one_line(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    with pytest.raises(DataError, match="must be prepared in .* Received: nope, split train"):
        Tfds("nope", data_dir=str(tmp_path), download=False).load("train")
    shapes_builder()
    with pytest.raises(DataError, match=r"must be prepared in .* Received: shapes, split train \(not prepared\)"):
        Tfds("shapes", data_dir=str(tmp_path), download=False).load("train")
    with pytest.raises(ConfigError, match="must be an image feature of shapes: image. Received: label"):
        catalogue(tmp_path, image_key="label").load("train")
    with pytest.raises(DataError, match="must be one of train, test, or a slice. Received: dev"):
        catalogue(tmp_path, split="dev").load("train")
    with pytest.raises(DataError, match="example 0 of test, which decodes to 8 x 8 pixels, more than `max_pixels` = 9"):
        catalogue(tmp_path, max_pixels=9, image_size=2).load("test")


def test_open_sizes_are_filled_in():
    assert Arrays("a.npz").sized(32, 3) == Arrays("a.npz", image_size=32, channels=3)
    assert Arrays("a.npz", image_size=8).sized(32, 3).image_size == 8
    assert RenderedDigits().sized(32, 3) == RenderedDigits()


def test_arrays_are_resized_and_change_channels(tmp_path):
    np.savez(tmp_path / "set.npz", x=tiny_images(40, 12, 3))
    images, _ = Arrays(str(tmp_path / "set.npz"), image_size=8, channels=1).load("train").take()
    assert images.shape[1:] == (8, 8, 1)


def test_arrays_and_tfds_become_squares_as_asked(tmp_path):
    wide = np.pad(tiny_images(40), ((0, 0), (0, 0), (4, 4), (0, 0)), constant_values=9)  # 8 x 16
    np.savez(tmp_path / "set.npz", x=wide)
    source = Arrays(str(tmp_path / "set.npz"), image_size=8, crop="pad")
    assert (source.load("train").take()[0][:, :2] == 9).all()
    cut = {image.tobytes() for image in replace(source, crop="centre").load("train").take()[0]}
    assert cut <= {image.tobytes() for image in tiny_images(40)}
    with pytest.raises(ConfigError, match="`crop` must be one of centre, pad, none. Received: fill"):
        catalogue(tmp_path, crop="fill").load("train")


def test_some_is_all_or_a_fixed_choice(examples):
    assert len(examples.subset(100)[0]) == 24
    np.testing.assert_array_equal(examples.subset(5)[0], examples.subset(5)[0])
    assert len(set(examples.subset(12)[1])) == 3
    with pytest.raises(DataError, match="at most 24"):
        examples.take(25)


def test_fingerprint_sees_images_and_labels():
    images, labels = tiny_images(), np.arange(24)
    prints = {
        Examples.from_arrays(i, y).fingerprint for i in (images, images[::-1]) for y in (labels, labels[::-1], None)
    }
    assert len(prints) == 6


@pytest.mark.parametrize("sizes", [[2] * 10, [2] * 8 + [4], [3] * 5, [5, 2, 2, 2]], ids=str)
def test_classes_too_small_for_a_part_each_give_one_together(sizes):
    """Twenty pictures in ten folders, as people have them, need no option."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 4, 4, 1), np.uint8)
    found = split_by_content(images, labels, {"validation": 0.25, "test": 0.25}, {}, 0, "mine")
    assert len(found["test"]) >= 2 and len(found["validation"]) >= 2
    assert set(labels[found["train"]]) == set(range(len(sizes)))
    assert sorted(np.concatenate(list(found.values()))) == list(range(len(labels)))


@pytest.mark.parametrize(
    ("here", "there", "labels"),
    [
        (["A", "a", "b"], ["A", "a", "b"], [0, 1, 2]), (["a", "A"], ["A", "a"], [1, 0]),
        (["Dog", "cat"], ["CAT", "dog"], [1, 0]), (["A", "a"], ["a", "b"], [None, 0]), (["a"], ["A", "a "], [None]),
        (["a_b", "a b"], ["a-b"], [None, None]),
    ],
)  # fmt: skip
def test_names_that_differ_in_case_alone_are_two_classes(here, there, labels):
    """Letters are classes, too."""
    assert same_names(here, there) == labels
    examples = Examples.from_arrays(tiny_images(6), np.arange(6) % len(here), len(here), classes=tuple(here))
    if None not in labels and len(here) == len(there):
        assert matched(examples, there).read(np.arange(len(here)))[1].tolist() == labels
    else:
        with pytest.raises(DataError, match="must have the same classes, by name"):
            matched(examples, there)


@pytest.mark.parametrize(("text", "names", "label"), [
    ("dog", ["cat", "dog"], 1), ("1", ["cat", "dog"], 1), ("2", ["cat", "dog"], None), ("1", None, 1),
    ("9", None, None), ("20", ["10", "20"], 1), ("1", ["10", "20"], None), ("0", ["1", "2"], None),
    ("1", ["cat", "10"], 1), ("10", ["cat", "10"], 1), ("9" * 5000, None, None), ("-1", None, None), ("²", None, None),
])  # fmt: skip
def test_numbers_are_labels_unless_they_are_names(text, names, label):
    assert label_of(text, names, 2) == label
