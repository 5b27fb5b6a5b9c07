"""Two things of a file under one name, of which the last would win without a word: refused, in one line."""

import io
import zipfile

import h5py
import numpy as np
import pytest

from tfgantl.crossmodal.caption_lines import caption_pairs
from tfgantl.data.shards.files import class_names_beside
from tfgantl.errors import ArtifactError, DataError, TfgantlError
from tfgantl.pretrained.foreign.stylegan2_layouts import NVIDIA_GENERATOR, ROSINALITY_GENERATOR
from tfgantl.pretrained.refit.classes import _from_file
from tfgantl.pretrained.weights_h5 import read_weights_h5
from tfgantl.text_files import load_yaml
from tfgantl.untrusted.archives import read_npz
from tfgantl.untrusted.hdf5 import read_hdf5


def npy(value):
    stream = io.BytesIO()
    np.save(stream, np.full(3, value, "f"))
    return stream.getvalue()


def npz_with_two_spellings(path):
    with zipfile.ZipFile(path / "x.npz", "w") as archive:
        for name, value in (("w", 1), ("w.npy", 2)):
            archive.writestr(name, npy(value))
    read_npz(path / "x.npz")


def layer_with_two_first_weights(path):
    with h5py.File(path / "x.weights.h5", "w") as file:
        for number in ("0", "00"):
            file[f"layers/dense/vars/{number}"] = np.ones(2, "f")
    read_weights_h5(path / "x.weights.h5")


def layer_that_is_called_like_a_place(path):
    with h5py.File(path / "x.h5", "w") as file:
        file["a/x/kernel"] = np.ones(2, "f")
        file.create_group("x").attrs["name"] = "a"
        file["x/kernel"] = np.zeros(2, "f")
    read_hdf5(path / "x.h5")


def kernels_of_one_place(_):
    names = ("synthesis.b8.conv0.weight", "synthesis.b9.conv0.weight")
    NVIDIA_GENERATOR.convert({name: np.ones((8, 8, 3, 3), "f") for name in names})


def biases_of_one_place(_):
    ROSINALITY_GENERATOR.convert({name: np.ones(4, "f") for name in ("conv1.activate.bias", "conv1.bias")})


def class_map(text):
    def read(path):
        (path / "map.yaml").write_text(text)
        _from_file(path / "map.yaml", 2, 3, ["cat", "dog"], None)

    return read


def captions(name, text):
    def read(path):
        (path / name).write_text(text)
        list(caption_pairs(path / name, ()))

    return read


def text_beside_two_pictures(path):
    (path / "1.txt").write_text("a cat")
    list(caption_pairs(path, ["1.png", "1.jpg"]))


READERS = {
    "archive": (npz_with_two_spellings, "names in the archive must be unique. Received: w twice"),
    "layer": (layer_with_two_first_weights, "weights of a layer must have a number each. Received: the name 0 twice"),
    "place": (layer_that_is_called_like_a_place, "names of weights must be unique, .* the name a/x/kernel twice"),
    "kernel": (kernels_of_one_place, "must be the only one for its place, beside synthesis.b8.conv0.weight. Received"),
    "bias": (biases_of_one_place, "must be the only one for its place, beside conv1.activate.bias. Received"),
    "class": (class_map("0 1\n0 2\n1 0\n"), "by number or name, as YAML, JSON or lines of two. Received: the name 0"),
    "named class": (class_map("cat: 1\n0: 2\n1: 0\n"), "YAML, JSON or lines of two. Received: the name 0 twice"),
    "JSON map": (class_map('{"0": 1, "0": 2, "1": 0}'), "must have each key once. Received: 0 2 times"),
    "recipe": (lambda _: load_yaml("a: {steps: 1, steps: 2}", "x"), "x must have each key once. Received: steps 2"),
    "column": (
        captions("c.csv", "file,text, Text\n1,a,b\n"),
        "one column must be called caption or text. Received: text,  Text",
    ),
    "JSON line": (captions("c.jsonl", '{"file": "1", "text": "a", "text": "b"}'), "Received: the name text twice"),
    "text file": (text_beside_two_pictures, "a text file must be beside one picture. Received: the name .*1.txt twice"),
}


@pytest.mark.parametrize("kind", READERS)
def test_nothing_takes_the_place_of_something_of_the_same_name(tmp_path, kind):
    read, message = READERS[kind]
    with pytest.raises(TfgantlError, match=message) as error:
        read(tmp_path)
    assert "\n" not in str(error.value)


def test_keys_that_a_recipe_takes_over_may_be_given_anew():
    text = "a: &one {x: 1, y: 2}\nb: {<<: *one, y: 3}\nc: {<<: *one, <<: *one, x: 4}"
    assert load_yaml(text, "x") == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 4, "y": 2}}


def test_an_empty_line_does_not_move_names_to_other_labels(tmp_path):
    (tmp_path / "classes.txt").write_text("cat\n\nowl\n")
    with pytest.raises(DataError, match="must be a list of different names. Received: 3 lines, 1 of them empty"):
        class_names_beside([tmp_path / "a.tar"])
    (tmp_path / "classes.txt").write_text("cat\r\nowl\r\n\r\n")
    assert class_names_beside([tmp_path / "a.tar"]) == ("cat", "owl")


@pytest.mark.parametrize("large", [False, True])
def test_no_member_is_swallowed_by_the_comment_of_another(tmp_path, monkeypatch, large):
    """Also where the end has no room for the count, and another record has it."""
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1 if large else 2**16)
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in "abc":
            archive.writestr(f"{name}.npy", npy(1))
        archive.comment = b"a comment"
    content = bytearray(path.read_bytes())
    if large:
        end = content.index(b"PK\5\6")
        content[end + 8 : end + 12] = b"\xff" * 4
        path.write_bytes(content)
    assert len(read_npz(path)) == 3
    first = content.index(b"PK\1\2")
    content[first + 32] = 46 + 5  # length of the comment of the first member: the header and name of the second
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="must list the 3 members that its end states. Received: 2"):
        read_npz(path)
