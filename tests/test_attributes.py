"""Attributes of drawings and photographs: what is drawn is what is measured, and columns and classes are learnt."""

import csv

import keras
import numpy as np
import pytest
from PIL import Image

from tfgantl.editing import picture_tables
from tfgantl.editing.attributes import MEASURED, NAMED, ink, measured_of
from tfgantl.editing.learnt_attributes import _held_out, class_attribute, table_attribute
from tfgantl.editing.picture_tables import read_column
from tfgantl.errors import ConfigError, DataError
from tfgantl.images import to_unit
from tfgantl.models.classifier import small_cnn

GRAY = {one.name: one for one in MEASURED if 1 in one.channels}
COLOUR = {one.name: one for one in MEASURED if 3 in one.channels}


def bars(widths, side=28, shear=0.0, height=18):
    """Upright bars of some widths, sheared to the right at the top."""
    drawings = np.zeros((len(widths), side, side, 1), np.uint8)
    y, x = np.mgrid[:side, :side]
    for drawing, width in zip(drawings, widths, strict=True):
        middle = side / 2 + shear * (side / 2 - y)
        inside = (abs(x + 0.5 - middle) <= width / 2) & (abs(y + 0.5 - side / 2) <= height / 2)
        drawing[inside] = 255
    return drawings


def inverted(images):
    return 255 - images


@pytest.mark.parametrize("polarity", [lambda images: images, inverted], ids=["bright", "dark"])
def test_strokes_are_as_thick_as_they_are_drawn(polarity):
    found = GRAY["thickness"](polarity(bars([2, 4, 6])))
    np.testing.assert_allclose(found, [2, 4, 6], rtol=0.15)
    large = GRAY["thickness"](polarity(bars([6, 12], side=84, height=60)))
    np.testing.assert_allclose(large, [6, 12], rtol=0.05)
    leaning = GRAY["thickness"](polarity(bars([6, 12], side=84, height=60, shear=0.5)))
    np.testing.assert_allclose(leaning, np.array([6, 12]) * np.cos(np.arctan(0.5)), rtol=0.15)


def test_soft_strokes_are_as_thick_as_sharp_ones():
    sharp = bars([4, 8], side=56, height=40)
    soft = np.stack([np.asarray(Image.fromarray(x[..., 0]).resize((28, 28), Image.Resampling.BOX)) for x in sharp])
    np.testing.assert_allclose(GRAY["thickness"](soft[..., None]), GRAY["thickness"](sharp) / 2, rtol=0.1)


@pytest.mark.parametrize("shear", [-0.5, 0.0, 0.5])
def test_slant_is_the_angle_of_the_shear_whatever_the_thickness(shear):
    found = GRAY["slant"](bars([2, 4], shear=shear))
    np.testing.assert_allclose(found, np.degrees(np.arctan(shear)), atol=3)


def test_size_grows_with_the_extent_alone_and_brightness_with_the_strokes_alone():
    short, tall = bars([3], height=8), bars([3], height=20)
    assert GRAY["size"](tall) > 1.8 * GRAY["size"](short)
    faint = (tall * 0.5).astype(np.uint8)
    np.testing.assert_allclose(GRAY["size"](faint), GRAY["size"](tall), rtol=1e-6)
    np.testing.assert_allclose(GRAY["brightness"](np.concatenate([short, tall, faint])), [100, 100, 50], atol=0.5)


def test_ink_is_what_differs_from_the_border_and_images_do_not_depend_on_their_batch():
    drawings = np.concatenate([bars([3]), inverted(bars([3]))])
    np.testing.assert_array_equal(ink(drawings)[0], ink(drawings)[1])
    together = measured_of([*GRAY.values()], drawings)
    alone = np.concatenate([measured_of([*GRAY.values()], drawings[i : i + 1]) for i in range(2)])
    np.testing.assert_allclose(together, alone)


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("attribute", [*MEASURED, *NAMED], ids=lambda one: f"{one.name}-{one.channels[0]}")
def test_an_image_without_anything_has_finite_values(attribute, value):
    assert np.isfinite(attribute(np.full((2, 16, 16, attribute.channels[0]), value, np.uint8))).all()


@pytest.mark.parametrize("attribute", NAMED, ids=lambda one: one.name)
def test_gray_photographs_are_measured_as_their_gray_colours_are(attribute):
    gray = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 1), np.uint8)
    np.testing.assert_allclose(attribute(gray), COLOUR[attribute.name](gray.repeat(3, -1)), rtol=1e-5)


def test_colours_are_told_apart():
    red, blue, gray = (np.full((1, 16, 16, 3), colour, np.uint8) for colour in ([200, 40, 40], [40, 40, 200], [93] * 3))
    images = np.concatenate([red, blue, gray])
    np.testing.assert_allclose(COLOUR["saturation"](images), [80, 80, 0], atol=0.1)
    warm = COLOUR["temperature"](images)
    assert warm[0] == -warm[1] > 60 and warm[2] == 0
    assert COLOUR["brightness"](red) > COLOUR["brightness"](blue)  # red looks brighter


def test_sharpness_sees_detail_and_not_contrast_and_subjects_are_measured_against_the_ground():
    noise = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
    smooth, sharp = noise.repeat(4, 1).repeat(4, 2), np.tile(noise, (1, 4, 4, 1))
    assert COLOUR["sharpness"](sharp) > 1.2 * COLOUR["sharpness"](smooth)
    np.testing.assert_allclose(COLOUR["sharpness"](sharp // 2), COLOUR["sharpness"](sharp), rtol=0.05)
    subject = np.full((2, 20, 20, 3), 200, np.uint8)
    subject[0, 5:15, 5:15] = [10, 80, 10]
    np.testing.assert_allclose(COLOUR["subject_size"](subject), [25, 0])


def test_attributes_refuse_other_channels():
    with pytest.raises(DataError, match="`slant` is of images of 1 channels. Received: 3"):
        GRAY["slant"](np.zeros((1, 8, 8, 3), np.uint8))


@pytest.mark.parametrize("softmax", [False, True], ids=["logits", "probabilities"])
def test_a_classifier_gives_the_log_odds_of_a_class(tmp_path, softmax):
    keras.utils.set_random_seed(0)
    network = small_cnn(8, 1, 3, width=4, units=6)
    logits = network.outputs[0]
    path = tmp_path / "classifier.keras"
    keras.Model(network.inputs, keras.layers.Softmax()(logits) if softmax else logits).save(path)
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), dtype=np.uint8)
    odds = keras.ops.softmax(network(to_unit(images))).numpy().astype(np.float64)[:, 2]
    found = class_attribute(path, "2", (8, 8, 1))
    assert found.two_valued and found.name == "class-2"
    np.testing.assert_allclose(found(images), np.log(odds / (1 - odds)), atol=1e-4)
    with pytest.raises(ConfigError, match="a number from 0 to 2. Received: 3"):
        class_attribute(path, "3", (8, 8, 1))
    with pytest.raises(ConfigError, match="must be a classifier of images of"):
        class_attribute(path, "2", (28, 28, 1))


@pytest.fixture
def table(tmp_path):
    """A table of drawings: how wide they are, in numbers and in words, and a column that nothing can be made of."""
    widths = 2 * np.random.default_rng(0).integers(1, 4, 60)
    (tmp_path / "pictures").mkdir()
    with open(tmp_path / "table.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["note", "file", "width", "kind", "many"])
        for i, (width, drawing) in enumerate(zip(widths, bars(widths, 8, height=6), strict=True)):
            drawing[0, 0] = i  # none is a copy of another
            Image.fromarray(drawing[..., 0]).save(tmp_path / "pictures" / f"{i}.png")
            writer.writerow(
                [f"nothing {i}", f"pictures/{i}.png", width, "wide" if width > 4 else "narrow", f"word {i}"]
            )
        writer.writerow(["one that is lost", "pictures/lost.png", 3, "narrow", ""])
    return tmp_path / "table.csv"


def test_columns_of_numbers_and_of_two_words_are_learnt(table):
    drawings = bars([2, 4, 6, 6], 8, height=6)
    width = table_attribute(table, "width", (8, 8, 1), steps=60)
    assert not width.two_valued
    np.testing.assert_allclose(width(drawings), [2, 4, 6, 6], atol=1.0)
    kind = table_attribute(table, "kind", (8, 8, 1), steps=60)
    assert kind.two_valued and kind.unit == "log odds of wide"
    assert ((kind(drawings) > 0) == [False, False, True, True]).all()


def test_of_two_numbers_the_larger_one_is_more(tmp_path, capsys):
    """By the alphabet, 10 comes before 9; rows that say nothing are told."""
    for i, drawing in enumerate(bars([2, 6] * 12, 8, height=6)):
        drawing[0, 0] = i
        Image.fromarray(drawing[..., 0]).save(tmp_path / f"{i}.png")
    lines = [f"{i}.png,{(9, '1e1')[i % 2]}" for i in range(24)]
    (tmp_path / "t.csv").write_text("\n".join(["file,age", *lines, f"{'x' * 3000},9", "0.png,"]))
    age = table_attribute(tmp_path / "t.csv", "age", (8, 8, 1), steps=60)
    assert age.unit == "log odds of 10" and np.subtract(*age(bars([2, 6], 8, height=6))) < 0
    told = capsys.readouterr().err
    assert "left out 2 of 26 rows: xxx" in told and "is not there, 0.png has no value" in told


@pytest.mark.parametrize("text, message", [
    ("file,age,age\n0.png,1,2\n", "must be one of file, age, age. Received: age, 2 times"),
    ("file,age\n0.png,1,2\n", "row 2 must have 2 values, as the heading. Received: 3"), ("", "Received: age"),
])  # fmt: skip
def test_tables_that_can_be_read_in_two_ways_are_refused(tmp_path, text, message):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises((ConfigError, DataError), match=message):
        table_attribute(tmp_path / "t.csv", "age", (8, 8, 1))


def test_masks_of_a_table_are_no_pictures(tmp_path):
    """The column of which more files were there was taken: that of masks, as soon as a picture was missing."""
    photo, mask = bars([2, 6], 8, height=6)
    Image.fromarray(mask[..., 0]).save(tmp_path / "mask.png")
    for i in range(1, 24):
        Image.fromarray(photo[..., 0]).save(tmp_path / f"{i}.png")
    rows = [f"mask.png,{i}.png,{i}" for i in range(24)]
    (tmp_path / "t.csv").write_text("\n".join(["mask,Image,age", *rows]))
    images, ages = read_column(tmp_path / "t.csv", "age", (8, 8, 1))
    assert len(ages) == 23 and np.array_equal(images[0], bars([2, 6], 8, height=6)[0])
    (tmp_path / "t.csv").write_text("\n".join(["a,b,age", *rows]))
    with pytest.raises(DataError, match="must be called as pictures are: file, .*, path. Received: a, b$"):
        read_column(tmp_path / "t.csv", "age", (8, 8, 1))


def test_what_a_table_lacks_is_told_in_one_line(table, tmp_path):
    with pytest.raises(ConfigError, match="must be one of note, file, width, kind, many. Received: height"):
        table_attribute(table, "height", (8, 8, 1))
    with pytest.raises(DataError, match="many must have numbers, or two words. Received: 60 words"):
        table_attribute(table, "many", (8, 8, 1))
    (tmp_path / "bare.csv").write_text("file,width\nno.png,1\n")
    with pytest.raises(DataError, match="a column must name pictures"):
        table_attribute(tmp_path / "bare.csv", "width", (8, 8, 1))
    with pytest.raises(DataError, match="no such file"):
        table_attribute(tmp_path / "none.csv", "width", (8, 8, 1))


@pytest.mark.parametrize("kind", ["255", "sigmoid", "logit"])
def test_classifiers_of_others_see_the_pixels_that_they_take(tmp_path, kind):
    """They were given [-1, 1] whatever their first layers said, and one output was no class."""
    images = keras.Input((8, 8, 1))
    x = keras.layers.Rescaling(1 / 255)(images) if kind == "255" else images
    x = keras.layers.GlobalAveragePooling2D()(x)
    dense = keras.layers.Dense(2 if kind == "255" else 1, "sigmoid" if kind == "sigmoid" else None)
    network = keras.Model(images, dense(x))
    dense.set_weights([np.array([[0.0, 4.0]] if kind == "255" else [[4.0]]), np.zeros(2 if kind == "255" else 1)])
    network.save(tmp_path / "other.keras")
    (tmp_path / "metrics.jsonl").write_text('{"run": "result", "class_names": ["a", "b", "c"]}\n')
    attribute = class_attribute(tmp_path / "other.keras", "1", (8, 8, 1))
    seen = attribute.measure(np.stack([np.zeros((8, 8, 1), np.uint8), np.full((8, 8, 1), 255, np.uint8)]))
    np.testing.assert_allclose(seen, [0, 4] if kind == "255" else [-4, 4], atol=1e-3)
    opposite = class_attribute(tmp_path / "other.keras", "0", (8, 8, 1))
    np.testing.assert_allclose(opposite.measure(np.full((1, 8, 8, 1), 255, np.uint8)), [-4], atol=1e-3)


def test_labels_side_by_side_are_each_there_or_not(tmp_path):
    """A picture of both had not the first, and one of neither might have it."""
    images = keras.Input((1, 1, 1))
    logits = keras.layers.Dense(2, "sigmoid", kernel_initializer="ones")(keras.layers.Flatten()(images))
    network = keras.Model(images, logits)
    network.layers[-1].bias.assign([0.0, 2.0])
    network.save(tmp_path / "labels.keras")
    attribute = class_attribute(tmp_path / "labels.keras", "1", (1, 1, 1))
    found = attribute(np.array([0, 255], np.uint8).reshape(2, 1, 1, 1))
    np.testing.assert_allclose(found, [1.0, 3.0], atol=1e-5)


def test_a_picture_of_many_rows_is_decoded_once_and_has_one_value(tmp_path, monkeypatch):
    """It was in training and among what was held out."""
    decoded = []
    monkeypatch.setattr(
        picture_tables, "decode_picture", lambda path, *_: decoded.append(path) or np.zeros((8, 8, 1), "u1")
    )
    for number in range(20):
        Image.new("L", (8, 8)).save(tmp_path / f"{number}.png")
    rows = [f"{number % 20}.png,{number % 20}" for number in range(300)]
    (tmp_path / "t.csv").write_text("\n".join(["file,age", *rows, "0.png, 0 "]))
    images, values = picture_tables.read_column(tmp_path / "t.csv", "age", (8, 8, 1))
    assert len(images) == len(values) == len(decoded) == 20
    (tmp_path / "t.csv").write_text("\n".join(["file,age", *rows, "0.png,1"]))
    with pytest.raises(DataError, match="a picture must have one value of age. Received: 0.png with 0 and 1"):
        picture_tables.read_column(tmp_path / "t.csv", "age", (8, 8, 1))
    (tmp_path / "t.csv").write_text("\n".join(["file,age", *rows, "././0.png,1"]))
    with pytest.raises(DataError, match="a picture must have one value of age. Received: ././0.png with 0 and 1"):
        picture_tables.read_column(tmp_path / "t.csv", "age", (8, 8, 1))
    monkeypatch.setattr(picture_tables, "MAX_BYTES", 301 * 64)
    (tmp_path / "t.csv").write_text("\n".join(["file,age", *rows, "0.png,0", "1.png,1"]))
    with pytest.raises(DataError, match="pictures must take at most 19264 bytes of memory. Received: 19328"):
        picture_tables.read_column(tmp_path / "t.csv", "age", (8, 8, 1))


def test_copies_of_a_picture_are_on_one_side():
    images = np.arange(10, dtype=np.uint8).reshape(10, 1)
    assert _held_out(images).tolist() == [True, False, False, False, False] * 2
    assert _held_out(images[[0, 1, 0, 1, 2, 0]]).tolist() == [True, False, True, False, False, True]
