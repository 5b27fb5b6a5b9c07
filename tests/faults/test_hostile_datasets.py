"""Prepared data sets of tensorflow-datasets that come from anywhere."""

import io
import json
import struct
import sys
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf
from conftest import growth_below, tiny_images
from PIL import Image

from tfgantl.data import Tfds
from tfgantl.errors import ConfigError, DataError

pytest.importorskip("tensorflow_datasets")
FEATURES = "tensorflow_datasets.core.features."
RECORDS = "strange-train.tfrecord-00000-of-00001"


def png(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def picture(side=8, name=f"{FEATURES}image_feature.Image", **more):
    shape = {"dimensions": [str(side), str(side), "1"]}
    return {"pythonClassName": name, "image": {"shape": shape, "dtype": "uint8", "encodingFormat": "png", **more}}


def dictionary(name=f"{FEATURES}features_dict.FeaturesDict", **features):
    return {"pythonClassName": name, "featuresDict": {"features": features}}


def example(number, **more):
    images = {"image": png(tiny_images(12)[number].squeeze()), **more}
    features = {key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[file])) for key, file in images.items()}
    features["label"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[number % 2]))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


LABEL = {"pythonClassName": f"{FEATURES}class_label_feature.ClassLabel", "classLabel": {"numClasses": "2"}}
PLAIN = dictionary(image=picture(), label=LABEL)


def strange(path, features=PLAIN, split=None, info=None, **more):
    """A set of 12 images that no code is registered for; `more` is in each record, too."""
    folder = path / "strange" / "1.0.0"
    folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / RECORDS)) as writer:
        for number in range(12):
            writer.write(example(number, **more))
    (folder / "features.json").write_text(json.dumps(features))
    splits = [{"name": "train", "shardLengths": ["12"], **(split or {})}]
    described = {"name": "strange", "version": "1.0.0", "fileFormat": "tfrecord", "splits": splits, **(info or {})}
    (folder / "dataset_info.json").write_text(json.dumps(described))
    return folder


def load(path, name="strange", **options):
    return Tfds(name, data_dir=str(path), download=False, test_split=None, shots=1, **options).read()


def test_a_prepared_set_is_read_without_the_code_that_made_it(tmp_path):
    folder = strange(tmp_path)
    (folder / "label.labels.txt").write_text("cat\ndog\n")
    content = load(tmp_path, "strange:1.*.*")
    np.testing.assert_array_equal(content.images, tiny_images(12))
    assert content.labels.tolist() == [0, 1] * 6 and content.classes == ("cat", "dog")
    old = {"type": f"{FEATURES}image_feature.Image", "content": {"shape": [8, 8, 1], "dtype": "uint8"}}
    legacy = {"type": f"{FEATURES}features_dict.FeaturesDict", "content": {"image": old}}
    (folder / "features.json").write_text(json.dumps(legacy))
    content = load(tmp_path, split="train[25%:]")
    assert len(content.images) == 9 and content.labels is None


@pytest.mark.parametrize("version", ["", ":1.0.0"])
@pytest.mark.parametrize(
    "features",
    [
        dictionary("payload.X"), dictionary("payload.X", image=picture()), dictionary(image=picture(name="payload.X")),
        dictionary(image=picture(), more={"pythonClassName": "payload.X", "jsonFeature": {"json": "{}"}}),
        {"type": "payload.X", "content": {"image": {"type": "payload.X", "content": {"shape": [8, 8, 1]}}}},
    ],
    ids=["all", "around", "picture", "beside", "legacy"],
)  # fmt: skip
def test_modules_that_a_prepared_set_names_are_not_imported(tmp_path, monkeypatch, features, version):
    strange(tmp_path, features, info={"moduleName": "payload", "features": features})
    (tmp_path / "payload.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert len(load(tmp_path, f"strange{version}").images) == 12
    except ConfigError as error:
        assert "must be an image feature of strange" in str(error)
    assert "payload" not in sys.modules


def test_pictures_that_nobody_asked_for_are_not_decoded(tmp_path):
    bomb = png(np.zeros((8000, 8000), np.uint8))
    strange(tmp_path, dictionary(image=picture(), mask=picture(8000), label=LABEL), mask=bomb)
    load(tmp_path)
    with growth_below(50):
        assert len(load(tmp_path).images) == 12
    with pytest.raises(DataError, match="example 0 of train, which decodes to 8000 x 8000 pixels, more than"):
        load(tmp_path, image_key="mask", image_size=8, max_pixels=10**6)
    with pytest.raises(ConfigError, match="at most `max_pixels` = 1000000 pixels. Received: 8000 x 8000"):
        load(tmp_path, image_key="mask", max_pixels=10**6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"info": {"fileFormat": "riegeli"}}, "must have records in tfrecord. Received: riegeli"),
        ({"info": {"name": "../../strange"}}, "must have files of the usual names"),
        ({"split": {"filepathTemplate": "/etc/{SPLIT}"}}, "must have files of the usual names"),
        ({"split": {"name": "../train"}}, "must have splits of simple names"),
        ({"split": {"shardLengths": ["-1"]}}, "must have numbers of examples"),
        ({"split": {"shardLengths": ["many"]}}, "must hold a set that tensorflow-datasets has prepared"),
        ({"info": {"splits": None}}, "must hold a set that tensorflow-datasets has prepared"),
        ({"features": dictionary(image=picture(), label={**LABEL, "classLabel": {"numClasses": 10**9}})},
         "must have at most 65536 classes"),
        ({"features": []}, "must hold a set that tensorflow-datasets has prepared"),
        ({"features": dictionary(image={**picture(), "image": {}})}, "must hold a set"),
    ],
)  # fmt: skip
def test_sets_that_are_not_read_are_told_in_one_line(tmp_path, changes, message):
    strange(tmp_path, **changes)
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "said", [{"dtype": "float32"}, {"dtype": ""}, {"encodingFormat": "webp"}, {"encoding_format": "raw"}, {"bits": 4}]
)
def test_pictures_whose_bytes_mean_something_else_are_not_read(tmp_path, said):
    """float32 lies in the records as RGBA of the same bytes, and would be read as noise."""
    features = dictionary(image=picture(), other=picture(**said), label=LABEL)
    strange(tmp_path, features, other=png(tiny_images(12)[0].squeeze()))
    assert len(load(tmp_path).images) == 12
    received = "{} {!r}".format(*next(iter(said.items()))).replace("encoding_f", "encodingF")
    with pytest.raises(ConfigError, match=f"of uint8 or uint16, as PNG or JPEG. Received: other, {received}$"):
        load(tmp_path, image_key="other")


def test_dark_sets_are_told(tmp_path):
    """Pixels of 0 to 15 were learnt as black."""
    folder = strange(tmp_path)
    with tf.io.TFRecordWriter(str(folder / RECORDS)) as writer:
        for number in range(12):
            writer.write(example(number, image=png(tiny_images(12)[number].squeeze() // 16)))
    assert load(tmp_path).notes == ("no pixel is above 15 of 255, so that all pictures are almost black",)


def test_a_value_is_one_brightness_in_a_deep_set(tmp_path):
    """In training and test alike, though only one picture is bright."""
    folder = strange(tmp_path, dictionary(image=picture(dtype="uint16"), label=LABEL))
    with tf.io.TFRecordWriter(str(folder / RECORDS)) as writer:
        for number in range(12):
            deep = np.full((8, 8), 1000, np.uint16)
            deep[0] = 2000
            deep[0, 0] = 4000 if number == 11 else 100 * number
            writer.write(example(number, image=png(deep)))
    source = Tfds("strange", str(tmp_path), "train[:75%]", "train[75%:]", download=False)
    content, (test, _) = source.read(), source.load("test").take()
    assert set(content.images[:, 4:].ravel()) | set(test[:, 4:].ravel()) == {62}  # 255 * 1000 / 4095
    assert content.notes == ("12 pictures of integers up to 4000: white is 4095",)


def test_files_beside_the_records_are_bounded(tmp_path):
    folder = strange(tmp_path)
    (folder / "label.labels.txt").write_text("cat\ndog\nowl\n")
    with pytest.raises(DataError, match="must name 2 classes. Received: 3"):
        load(tmp_path)
    for text in ("[" * 100_000, "9" * 10_000, "\x00"):
        (folder / "features.json").write_text(text)
        with pytest.raises(DataError, match="must hold a set that tensorflow-datasets has prepared"):
            load(tmp_path)
    with open(folder / "features.json", "wb") as file:
        file.truncate(2**24 + 1)
    with growth_below(8), pytest.raises(DataError, match="must have at most 16777216 bytes"):
        load(tmp_path)


def test_configurations_stay_inside_of_the_set(tmp_path):
    elsewhere = strange(tmp_path / "elsewhere")
    (tmp_path / "strange" / ".config").mkdir(parents=True)
    usual = tmp_path / "strange" / ".config" / "metadata.json"
    usual.write_text(json.dumps({"default_config_name": "../elsewhere/strange"}))
    with pytest.raises(DataError, match="must be prepared in"):
        load(tmp_path)
    for name in ("cats", "dogs"):
        elsewhere.parent.rename(tmp_path / "strange" / name)
        elsewhere = strange(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="must be prepared in"):
        load(tmp_path)
    usual.write_text(json.dumps({"default_config_name": "dogs"}))
    assert len(load(tmp_path).images) == len(load(tmp_path, "strange/cats").images) == 12


@pytest.mark.parametrize("name", ["kaggle:strange", "strange/../x", "strange/data_dir=/tmp", "../strange", "strange:1"])
def test_names_of_sets_are_plain(tmp_path, name):
    with pytest.raises(ConfigError, match="`dataset` must be NAME, NAME/CONFIG, NAME:VERSION"):
        load(tmp_path, name)


def masked_crc(data):
    crc = 2**32 - 1
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 2**32 - 1
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32)


def claim(content):
    """The first record says that it has a petabyte, with the right checksum; TensorFlow would end the process."""
    length = struct.pack("<Q", 2**50)
    return length + masked_crc(length) + content[12:]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:40] + bytes([content[40] ^ 1]) + content[41:], lambda content: content[:-50],
        lambda content: content + b"more", claim, lambda content: b"no records at all", None,
    ],
    ids=["flipped", "cut off", "appended", "claim", "text", "missing"],
)  # fmt: skip
def test_damaged_records_are_told_in_one_line(tmp_path, damage):
    records = strange(tmp_path) / RECORDS
    content = records.read_bytes()
    assert content[:12] == content[:8] + masked_crc(content[:8])
    records.unlink()
    if damage:
        records.write_bytes(damage(content))
    with growth_below(8), pytest.raises(DataError, match="records must be whole. Received: ") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def test_records_without_the_picture_are_told_in_one_line(tmp_path):
    strange(tmp_path, dictionary(image=picture(), other=picture()))
    with pytest.raises(DataError, match="records must be whole. Received: .*other"):
        load(tmp_path, image_key="other")


@pytest.mark.parametrize("stated", [13, 11])
def test_a_file_has_as_many_records_as_are_stated(tmp_path, stated):
    """A file that was cut off behind a record was a smaller set, and what came behind the last one was lost."""
    strange(tmp_path, split={"shardLengths": [str(stated)]})
    with pytest.raises(DataError, match=f"must hold the {stated} records that dataset_info.json states. Received: 12"):
        load(tmp_path)


def test_files_are_not_kept_once_they_are_decoded(tmp_path):
    """Of photographs they are a hundred times as large as what is made of them."""
    large = png(np.random.default_rng(0).integers(0, 256, (1000, 1000), np.uint8))
    strange(tmp_path, dictionary(image=picture(1000), label=LABEL), image=large)
    tracemalloc.start()
    try:
        content = load(tmp_path, image_size=8)
        assert len(content.images) == 12 and tracemalloc.get_traced_memory()[0] < len(large)
    finally:
        tracemalloc.stop()


def test_a_set_that_is_replaced_is_read_anew(tmp_path):
    """One of a folder was, and one of tensorflow-datasets was answered from memory."""
    source = Tfds("strange", data_dir=str(tmp_path), download=False, test_split=None, validation=0.2, test=0.3)
    folder = strange(tmp_path)
    before = source.load("train").take()[0]
    with tf.io.TFRecordWriter(str(folder / RECORDS)) as writer:
        for number in range(12):
            writer.write(example(number, image=png(255 - tiny_images(12)[number].squeeze())))
    assert not set(map(bytes, source.load("train").take()[0])) & set(map(bytes, before))
