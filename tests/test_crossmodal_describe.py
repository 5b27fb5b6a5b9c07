"""The verbs that describe and search, and what is published and served of them."""

import base64
import json
import re

import numpy as np
import pytest
import tensorflow as tf
from conftest import tiny_images
from PIL import Image
from starlette.testclient import TestClient

from tfgantl.crossmodal.captions import Captions
from tfgantl.crossmodal.contrastive import train_encoders
from tfgantl.crossmodal.description import describe_images
from tfgantl.crossmodal.encoders import TextImageEncoders
from tfgantl.data import HandwrittenDigits
from tfgantl.errors import ArtifactError
from tfgantl.export.check import check
from tfgantl.export.examples import differences, read_examples, write_examples
from tfgantl.export.manifest import read_manifest
from tfgantl.images import encode_png
from tfgantl.pipelines.describe import main as describe
from tfgantl.pipelines.export import main as export
from tfgantl.serving.app import Metrics, make_app
from tfgantl.serving.served_model import ServedModel

TINY = ["--image_size", "8", "--steps", "2", "--batch_size", "4", "--dimension", "4", "--width", "2"]


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    """The directory of encoders of 8 x 8 pictures, dark or bright."""
    path = tmp_path_factory.mktemp("encoders") / "mine"
    images = tiny_images(24) // 3
    images[::2] += 150
    captions = Captions.of([[("a bright one", "a dark one")[i % 2]] for i in range(24)])
    train_encoders(images, captions, steps=30, batch_size=12, dimension=4, width=2).save(path)
    return path


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, image in enumerate(tiny_images(6, 12) // 3):
        Image.fromarray(image[..., 0] + 150 * (number == 2)).save(folder / f"{number}.png")
    return folder


def test_pictures_are_described(encoders, pictures, capsys):
    (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert describe([str(pictures), "--model", str(encoders), "--top", "2", "--json"]) == 0
    told = capsys.readouterr()
    found = json.loads(told.out.splitlines()[-1])
    captions = {name: one["caption"] for name, one in found["pictures"].items()}
    assert captions == {f"{i}.png": "a bright one" if i == 2 else "a dark one" for i in range(6)}
    assert list(found["refused"]) == ["broken.png"] and "broken.png: left out" in told.err
    (pictures / "broken.png").rename(pictures / "0.png: a bright one (100%)\n.png")
    (pictures / "1.png").rename(pictures / "1.png: a bright one (100%)\n.png")
    assert describe([str(pictures), "--model", str(encoders)]) == 0
    assert ")\n.png" not in (told := capsys.readouterr().out) and r"(100%)\x0a.png: a dark one" in told
    assert describe([str(pictures / "2.png"), "--model", str(encoders)]) == 0
    assert capsys.readouterr().out.startswith("2.png: a bright one (")


def test_pictures_are_found_by_texts_and_captions_by_pictures(encoders, pictures, tmp_path, capsys):
    sheet = tmp_path / "found.png"
    arguments = [str(pictures), "one brigt bright", "--model", str(encoders), "--top", "3", "-o", str(sheet), "--json"]
    assert describe(["search", *arguments]) == 0
    told = capsys.readouterr()
    found = json.loads(told.out.splitlines()[-1])
    assert found["found"][0][0] == "2.png" and len(found["found"]) == 3 and found["searched"] == 6
    assert found["unknown_words"] == {"brigt": ["bright"]} and "brigt (known: bright)" in told.err
    with Image.open(sheet) as shown:
        assert shown.width > 250
    before = (pictures / "1.png").read_bytes()
    assert describe(["search", *arguments[:-2], str(pictures / "1.png")]) == 2
    assert "`output` must not be a picture that is read" in capsys.readouterr().err
    assert (pictures / "1.png").read_bytes() == before
    (tmp_path / "some.txt").write_text("a dark one\na bright one\n")
    assert describe(["search", str(tmp_path / "some.txt"), str(pictures / "2.png"), "--model", str(encoders)]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("a bright one")
    (tmp_path / "some.txt").write_text("xqzt blorp\na dark qqq one\na bright one\n")  # nothing is near many pictures
    words = ["search", str(tmp_path / "some.txt"), str(pictures / "2.png"), "--model", str(encoders), "--json"]
    assert describe(words) == 0
    told = capsys.readouterr()
    found = json.loads(told.out.splitlines()[-1])
    assert found["searched"] == 2 and "qqq" in found["unknown_words"] and "left out 1 captions" in told.err
    (tmp_path / "some.txt").write_text("xqzt blorp\n")
    assert describe(words) == 3 and "must hold a caption with a known word. Received: xqzt" in capsys.readouterr().err


FOLDER = ["--target", "Folder", "--target.path", "PICTURES"]
MISTAKES = {
    "no picture": (["nowhere.png"], 3, "`pictures` must be a picture, or a folder with some. Received: nowhere.png"),
    "no model": (["PICTURES", "--model", "nowhere"], 4, "encoders must be a directory with encoders.json"),
    "unknown words": (["search", "PICTURES", "qqq", "--model", "MODEL"], 3, "`query` must have a known word, such as"),
    "no words": (["search", "PICTURES", "", "--model", "MODEL"], 3, "`query` must be words. Received: no text"),
    "nothing to search": (["search", "nowhere", "dark", "--model", "MODEL"], 3, "`among` must be a folder of pictures"),
    "other output": (["search", "PICTURES", "dark", "-o", "x.jpg"], 2, "`output` must be a .png file. Received: x.jpg"),
    "two pictures": (["search", "TEXTS", "PICTURES", "--model", "MODEL"], 3, "`query` must be one picture"),
    "captions without class": (["train", "--captions", "x", "--held_out", "3"], 2, "must only be given for measured"),
    "no captions": (["train", *FOLDER, "--captions", "x.csv", *TINY], 3, "x.csv, which is not there"),
    "no parts": (["train", "--captions", "parts"], 2, "`captions` may be parts for a target `Arrays`"),
    "unknown attribute": (["train", "--attributes", "beauty", *TINY], 2, "`attributes` must be auto, or of thickness"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes_are_one_line(kind, encoders, pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.txt").write_text("dark\n")
    arguments, code, message = MISTAKES[kind]
    given = {"PICTURES": str(pictures), "MODEL": str(encoders), "TEXTS": str(tmp_path / "texts.txt")}
    try:
        ended = describe([given.get(word, word) for word in arguments])
    except SystemExit as stop:
        ended = stop.code
    errors = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    assert ended == code and len(errors) == 1 and message in errors[0], errors
    assert not (tmp_path / "runs").exists()


def test_a_training_on_captioned_pictures_is_measured_and_published(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for number, image in enumerate(tiny_images(40)):
        (tmp_path / "mine").mkdir(exist_ok=True)
        Image.fromarray(image[..., 0]).save(tmp_path / "mine" / f"{number}.png")
    rows = [f"{i}.png,{'a bright' if i % 2 else 'a dark'} picture" for i in range(40)]
    (tmp_path / "captions.csv").write_text("\n".join(["file,caption", *rows, "40.png,nothing"]))
    arguments = ["train", "--target", "Folder", "--target.path", "mine", "--captions", "captions.csv", *TINY, "--json"]
    assert describe(arguments) == 3 and not (tmp_path / "runs").exists()
    assert "captions without a picture (`file`: 40.png)" in capsys.readouterr().err
    assert describe([*arguments, "--on_bad_captions", "skip"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["measured"]["captions"] == 2 and set(result["measured"]["retrieval"]) == {
        "text → picture", "by chance, text → picture", "picture → text", "by chance, picture → text",
    }  # fmt: skip
    encoders = TextImageEncoders.load(f"{result['run_dir']}/encoders")
    assert encoders.hash == result["hash"]
    assert any(note.startswith("left out 1 captions without a picture") for note in encoders.metadata["notes"])
    manifest = read_manifest(tmp_path / result["export_dir"])
    assert set(manifest["texts"]) == {"a bright picture", "a dark picture"} and manifest["independent_rows"]
    assert describe(["mine/1.png", "--model", result["run_dir"]]) == 0


def test_measured_captions_and_named_parts_are_learnt_from(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    bars = rng.integers(0, 40, (60, 8, 8, 1), dtype=np.uint8)
    for number, bar in enumerate(bars):
        bar[1:7, 2 : 4 + number % 3] = 255 - number
    parts = {"attribute_hat": np.array(["", "redHat", "blueHat"])[np.arange(60) % 3]}
    np.savez(tmp_path / "bars.npz", x=bars, y=np.arange(60) % 2, names=np.array(["bar", "beam"]), **parts)
    common = ["train", "--target", "Arrays", "--target.path", "bars.npz", *TINY, "--json"]
    assert describe([*common, "--attributes", "thickness", "--held_out", "0"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])["measured"]["told"]
    assert set(told) == {"class", "thickness"}
    assert describe([*common, "--captions", "parts", "--out_dir", "hats"]) == 0
    assert set(TextImageEncoders.load("hats").bank.phrases) == {
        "a person with no hat", "a person with red hat hat", "a person with blue hat hat",
    }  # fmt: skip
    hats = parts["attribute_hat"]
    for other in (hats[np.arange(65) % 60], np.stack([hats, hats], axis=1), hats.astype(np.bytes_), hats == "redHat"):
        np.savez(
            tmp_path / "bars.npz", x=bars, y=np.arange(60) % 2, names=np.array(["bar", "beam"]), attribute_hat=other
        )
        assert describe([*common, "--captions", "parts", "--out_dir", "others"]) == 3
        assert "attribute_hat must have a value for each picture of `x`" in capsys.readouterr().err


# --- published --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def version(encoders, tmp_path_factory):
    directory = tmp_path_factory.mktemp("published") / "seen"
    assert export(["--model", str(encoders), "--export_dir", str(directory)]) == 0
    return directory / "1"


def test_what_is_published_describes_as_python_does(encoders, version):
    mine, signatures = TextImageEncoders.load(encoders), tf.saved_model.load(str(version)).signatures
    images = tiny_images(3)
    files = tf.constant([encode_png(image) for image in images])
    found = signatures["describe"](image_bytes=files)
    expected = describe_images(mine, images, top=2)
    assert [[text.decode() for text in row] for row in found["captions"].numpy()] == [
        [caption for caption, _ in one.nearest] for one in expected
    ]
    np.testing.assert_allclose(found["scores"], [[share for _, share in one.nearest] for one in expected], atol=1e-5)
    texts = tf.constant(["a dark one", "bright", "a dark one"])
    scores = signatures["match"](image_bytes=files, text=texts)["scores"]
    similarity = mine.similarity(images, ["a dark one", "bright", "a dark one"])
    np.testing.assert_allclose(scores, np.diag(similarity), atol=1e-5)
    vectors = signatures["embed_texts"](text=texts)["vectors"]
    np.testing.assert_allclose(vectors, mine.embed_texts(["a dark one", "bright", "a dark one"]), atol=1e-6)
    assert max(check(version).values()) < 1e-5


TEXTS = {
    "empty": ("", "text must have words"),
    "signs": ("?!", "text must have words"),
    "unknown": ("qqq", "text must have a known word, such as"),
    "other script": ("三つ", "text must have a known word, such as"),
    "long": ("dark " * 200, "text must have at most 500 characters"),
    "many words": ("a " * 40, "text must have at most 32 words"),
    "control": ("dark \x1b", "text must have UTF-8, and no control characters"),
    "reversed": ("dark \u202e", "text must have UTF-8, and no control characters"),
    "ten megabytes": ("x" * 9_000_000, "text must have at most 500 characters"),
}


def b64(content):
    return {"b64": base64.b64encode(content).decode()}


def test_a_server_answers_in_words_and_refuses_bad_texts(version):
    metrics = Metrics()
    model = ServedModel(version.parent, metrics.batch, poll=0.05).start()
    with TestClient(make_app(model, metrics, 10**7, 64, 30.0), base_url="http://127.0.0.1") as client:

        def ask(signature, *rows):
            body = {"signature_name": signature, "instances": list(rows)}
            return client.post("/v1/models/seen:predict", content=json.dumps(body))

        file = b64(encode_png(tiny_images(1)[0]))
        (answer,) = ask("describe", file).json()["predictions"]
        assert set(answer["captions"]) == {"a dark one", "a bright one"} and sum(answer["scores"]) == pytest.approx(1)
        assert ask("match", {"image_bytes": file, "text": "a dark one"}).status_code == 200
        for text, message in TEXTS.values():
            refused = ask("embed_texts", text)
            assert refused.status_code == 400 and message in refused.json()["error"], (text[:20], refused.text[:300])
        not_utf8 = ask("embed_texts", b64(b"dark \xff"))
        assert not_utf8.status_code == 400 and "UTF-8" in not_utf8.json()["error"]


@pytest.mark.parametrize("signature", ["serving_default", "describe", "embed_images"])
def test_requests_without_a_picture_are_told(encoders, version, signature):
    """Their answer was a word about shapes from within the network."""
    call = tf.saved_model.load(str(version)).signatures[signature]
    (spec,) = call.structured_input_signature[1].values()
    with pytest.raises(tf.errors.InvalidArgumentError, match="a request must have at least 1 row. Received: none"):
        call(**{spec.name: tf.zeros([0, *spec.shape[1:]], spec.dtype)})


def test_pixels_of_another_range_are_refused(version):
    """They were described, with confidence, as if they were in [-1, 1]."""
    call = tf.saved_model.load(str(version)).signatures["serving_default"]
    (spec,) = call.structured_input_signature[1].values()
    with pytest.raises(tf.errors.InvalidArgumentError, match="images must be in .-1, 1."):
        call(**{spec.name: tf.fill([2, *spec.shape[1:]], 255.0)})


@pytest.mark.parametrize(("pictures", "texts", "told"), [
    (0, 0, "a request must have at least 1 row. Received: none"),
    (0, 2, "inputs must have as many rows. Received:] [0 2]"),
    (2, 0, "inputs must have as many rows. Received:] [2 0]"),
    (1, 3, "inputs must have as many rows. Received:] [1 3]"),
    (3, 1, "inputs must have as many rows. Received:] [3 1]"),
])  # fmt: skip
def test_a_text_stands_beside_each_picture(version, pictures, texts, told):
    """One picture was compared with all texts, and one text with all pictures, where a server did not count them."""
    match = tf.saved_model.load(str(version)).signatures["match"]
    file = encode_png(tiny_images(1)[0])
    both = {"image_bytes": [file] * pictures, "text": ["a dark one"] * texts}
    with pytest.raises(tf.errors.InvalidArgumentError, match=re.escape(told)):
        match(**{name: tf.constant(rows, tf.string, (len(rows),)) for name, rows in both.items()})


def test_no_pictures_have_no_descriptions():
    encoders, none = TextImageEncoders.load(), tiny_images(0, 28)
    assert describe_images(encoders, none) == [] and encoders.similarity(none, ["a thick seven"]).shape == (0, 1)


def test_strings_of_any_rank_are_kept_beside_a_model(tmp_path):
    captions = np.array([[b"a", b""], [b"b", "é".encode()]], object)
    (tmp_path / "assets.extra").mkdir()
    write_examples(tmp_path, {"describe": ({"text": np.array([b"x", b"y"], object)}, {"captions": captions})})
    ((inputs, outputs),) = read_examples(tmp_path).values()
    assert inputs["text"].tolist() == [b"x", b"y"] and outputs["captions"].tolist() == captions.tolist()
    assert differences(outputs, {"captions": captions}, "here") == 0.0
    with pytest.raises(ArtifactError, match="captions must be those of the Keras model. Received: 100% others"):
        differences({"captions": captions}, {"captions": np.roll(captions, 1, 1)}, "here")


def test_the_shipped_encoders_know_digits():
    images, labels = HandwrittenDigits(shots=None).load("test").subset(200)
    found = describe_images(TextImageEncoders.load(), images)
    names = "zero one two three four five six seven eight nine".split()
    likeliest = [max(one.beliefs["class"], key=one.beliefs["class"].get) for one in found]
    assert np.mean(np.array(likeliest) == np.array(names)[labels]) > 0.9
