"""Generators that are told in words what to draw."""

import base64
import io
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_MLP, conditional_pair, tiny_images
from PIL import Image
from starlette.testclient import TestClient

from tfgantl.crossmodal.text_conditioning import CaptionTable, text_conditional
from tfgantl.crossmodal.text_encoder import TextEncoder
from tfgantl.crossmodal.text_to_image import ENCODER, TextToImage, load_text_to_image
from tfgantl.data import SPLITS
from tfgantl.data.sources import Arrays
from tfgantl.export.text_signatures import imagine_signatures
from tfgantl.pipelines.adapt.text_direction import direction_effect, named_attributes
from tfgantl.pipelines.captioning import caption_pictures
from tfgantl.pipelines.export import main as export
from tfgantl.pipelines.imagine import main as imagine
from tfgantl.serving.app import Metrics, make_app
from tfgantl.serving.served_model import ServedModel

PHRASES = ("a thin zero", "a thick zero", "a thin one", "a thick one", "a thin two", "a thick two")
CLASSES = np.array([0, 0, 1, 1, 2, 2])


@pytest.fixture(scope="module")
def drawer(tmp_path_factory):
    """The run directory of a tiny text-conditional pair."""
    keras.utils.set_random_seed(0)
    run = tmp_path_factory.mktemp("drawer") / "run"
    run.mkdir()
    encoder = TextEncoder.of(PHRASES, dimension=6, width=4)
    vectors = encoder(tf.constant(PHRASES)).numpy()
    made, _ = text_conditional(conditional_pair(TINY_MLP), CaptionTable(PHRASES, vectors, CLASSES))
    made.ema_generator.save(run / "generator.keras")
    encoder.save(run / ENCODER)
    return run


def pixels_of(file):
    """Gray pixels (height, width, 1) of the content of a PNG file, or of the file."""
    content = file if isinstance(file, bytes) else file.read_bytes()
    return np.asarray(Image.open(io.BytesIO(content)))[..., None]


def test_pictures_and_a_sheet_are_drawn_of_a_text(drawer, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = ["a thicc zero", "--model", str(drawer), "--count", "3", "--seed", "5", "--json", "-o", "out"]
    assert imagine(given) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert result["seeds"] == [5, 6, 7] and result["unknown_words"] == {"thicc": ["thick", "thin"]}
    assert "thicc (known: thick, thin)" in printed.err
    shown = np.stack([pixels_of(tmp_path / f"out/seed-{seed}.png") for seed in (5, 6, 7)])
    model = load_text_to_image(str(drawer))
    np.testing.assert_array_equal(shown, model.draw(["a thicc zero"] * 3, [5, 6, 7]))
    assert (shown[0] != shown[1]).any() and pixels_of(tmp_path / "out/sheet.png").shape[1] > 3 * 8


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "`text` must be words. Received: no text"),
        ("xyzzy", "must have a known word, such as"),
        ("七", "must have a known word, such as"),
        ("a one" * 200, "at most 500 characters. Received: 1000"),
        ("a \x07one", "text without control characters"),
    ],
)
def test_a_text_that_says_nothing_is_one_line(drawer, tmp_path, capsys, monkeypatch, text, told):
    monkeypatch.chdir(tmp_path)
    assert imagine([f"--text={text}", "--model", str(drawer)]) == 3
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1 and not (tmp_path / "runs").exists()


def test_a_model_without_a_text_encoder_is_one_line(tmp_path, capsys):
    assert imagine(["a one", "--model", str(tmp_path)]) == 4
    assert "must be the directory of a run of `tfgantl imagine train`" in capsys.readouterr().err


def test_what_is_served_is_what_python_draws_and_bad_texts_are_refused(drawer):
    model = load_text_to_image(str(drawer))
    endpoints = imagine_signatures(model)
    files = endpoints["imagine"](tf.constant(["a thin one", "a thick two"]), tf.constant([3, 4], tf.int64))["png_bytes"]
    shown = np.stack([pixels_of(file) for file in files.numpy()])
    np.testing.assert_array_equal(shown, model.draw(["a thin one", "a thick two"], [3, 4]))
    for text in ("", "xyzzy", "a\x00one", "a one " * 500):
        with pytest.raises(tf.errors.InvalidArgumentError, match="text must "):
            endpoints["imagine"](tf.constant(["a one", text]), tf.constant([1, 2], tf.int64))


@pytest.fixture(scope="module")
def published(drawer, tmp_path_factory):
    directory = tmp_path_factory.mktemp("published") / "drawer"
    assert export(["--model", str(drawer), "--export_dir", str(directory)]) == 0
    return directory


def test_it_is_published_like_any_other(drawer, published):
    signatures = tf.saved_model.load(str(published / "1")).signatures
    files = signatures["imagine"](text=tf.constant(["a thin one"]), seed=tf.constant([3], tf.int64))["png_bytes"]
    wanted = load_text_to_image(str(drawer)).draw(["a thin one"], [3])[0]
    np.testing.assert_array_equal(pixels_of(files.numpy()[0]), wanted)


BAD_TEXTS = {
    "empty": ("", "text must have words"),
    "unknown": ("xyzzy", "text must have a known word, such as"),
    "long": ("a one " * 200, "text must have at most 500 characters"),
    "many words": ("a " * 40, "text must have at most 32 words"),
    "control": ("a \x1bone", "text must have UTF-8, and no control characters"),
    "separator": ("a one\u2028", "text must have UTF-8, and no control characters"),
    "not UTF-8": ({"b64": base64.b64encode(b"one \xff").decode()}, "text must have UTF-8, and no control characters"),
    "no text": (7, "is not of expected type: string"),
}


def test_a_server_draws_and_refuses_bad_texts(drawer, published):
    metrics = Metrics()
    served = ServedModel(published, metrics.batch, poll=0.05).start()
    with TestClient(make_app(served, metrics, 10**7, 64, 30.0), base_url="http://127.0.0.1") as client:

        def ask(*rows):
            body = {"signature_name": "imagine", "instances": [{"text": text, "seed": 3} for text in rows]}
            return client.post("/v1/models/drawer:predict", content=json.dumps(body))

        (answer,) = ask("a thin one").json()["predictions"]
        wanted = load_text_to_image(str(drawer)).draw(["a thin one"], [3])[0]
        np.testing.assert_array_equal(pixels_of(base64.b64decode(answer["b64"])), wanted)
        for name, (text, message) in BAD_TEXTS.items():
            refused = ask("a thin one", text)
            assert refused.status_code == 400 and message in refused.json()["error"], (name, refused.text[:300])


def test_words_that_are_measured_are_found_in_a_text():
    assert named_attributes("a bold, small digit") == {"thickness": 1, "size": -1}


def test_the_effect_of_a_direction_is_told_in_deviations():
    before = tiny_images(20, 16)
    after = np.minimum(before // 2 + 100, 255).astype(np.uint8)
    labels = np.arange(20) % 2
    effect = direction_effect(before, after, "a bright digit", labels, lambda images: np.zeros(len(images), int))
    assert effect.classes_kept == 1.0  # of those that were right before
    assert effect.named == {"brightness": 1} and effect.shifts["brightness"] > 1
    assert "brightness +" in effect.line()


def test_a_model_is_one_of_its_parts(drawer):
    model = load_text_to_image(str(drawer))
    assert isinstance(model, TextToImage) and model.latent_dim == 4 and "thick" in model.phrases


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Pictures with captions of a user, and an unconditional source, in the present directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    rows = ["file,caption"]
    for number, image in enumerate(tiny_images(30)):
        Image.fromarray(image[..., 0]).save(tmp_path / "pictures" / f"{number}.png")
        rows.append(f"{number}.png,a {'dark' if number % 2 else 'bright'} pattern")
    (tmp_path / "captions.csv").write_text("\n".join([*rows, "0.png,noise"]))
    (tmp_path / "source").mkdir()
    source = conditional_pair(TINY_MLP, classes=None)
    source.generator.save(tmp_path / "source" / "generator.keras")
    source.discriminator.save(tmp_path / "source" / "discriminator.keras")
    return tmp_path


TRAIN = (
    "train --source source --target Folder --target.path pictures --captions captions.csv --steps 2 --validate_every 2 "
    "--batch_size 4 --samples 20 --classifier_steps 2 --encoder_steps 2 --baseline false --precision float32 "
    "--run_dir run --export_dir exported --preset_dir preset"
).split()


@pytest.mark.usefixtures("short_extractor")
def test_captions_of_a_user_train_any_source(pictures, capsys):
    assert imagine([*TRAIN, "--json"]) == 0, capsys.readouterr().err
    result = json.loads(capsys.readouterr().out)
    assert result["steps"] == 2 and (pictures / result["export_dir"] / "saved_model.pb").is_file()
    drawn = [load_text_to_image(handle).draw(["a dark pattern"], [1]) for handle in ("run", "preset")]
    np.testing.assert_allclose(*np.array(drawn, float), atol=2)  # the preset has half precision
    assert imagine(["noise", "--model", "run", "--count", "2"]) == 0


def test_named_parts_are_drawn(tmp_path):
    hats, beards = np.array(["", "redHat", "blueHat"]), np.array(["", "fullBeard"])
    at = np.arange(30)
    parts = {"attribute_hat": hats[at % 3], "attribute_beard": beards[at % 2]}
    np.savez(tmp_path / "hats.npz", x=tiny_images(30), **parts)
    source = Arrays(str(tmp_path / "hats.npz"), image_size=8, channels=1)
    found = caption_pictures([source], "parts", dict.fromkeys(SPLITS), seed=0)
    assert sum(part.size for part in found.examples.values()) == 30
    for split, part in found.examples.items():
        whole = found.whole[split]
        for place, (number,) in zip(map(int, part.files), whole.of_pictures, strict=True):
            assert ("no hat", "red hat", "blue hat")[place % 3] in whole.phrases[number]
    some = caption_pictures([source], "parts", {"train": 5, "test": None}, seed=0)
    assert some.examples["train"].size == len(some.captions["train"]) == 5 and set(some.captions) == {"train", "test"}
    assert set(some.examples["train"].files) < set(found.examples["train"].files)


@pytest.mark.parametrize("source", ["imagine-digits", "preset"])
def test_a_preset_is_no_source(source, pictures, capsys):
    (pictures / "preset").mkdir()
    (pictures / "preset" / ENCODER).touch()
    assert imagine([*TRAIN, "--source", source, "--preset_dir", "new"]) == 2
    error = capsys.readouterr().err
    assert "`source` must have a discriminator" in error and error.count("\n") == 1


def test_captions_that_cannot_be_used_are_one_line(pictures, capsys):
    (pictures / "captions.csv").write_text("file,colour\n0.png,red")
    assert imagine(TRAIN) == 3
    error = capsys.readouterr().err
    assert "a column must be called caption or text" in error and error.count("\n") == 1
    assert not (pictures / "run").exists()
