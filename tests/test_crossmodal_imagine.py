"""Generators that are told in words what to draw."""

import io
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY, TINY_DCGAN, TINY_MLP, numpy_weights, tiny_images
from PIL import Image

from tfgantl.crossmodal.captioned import captioned, classes_named
from tfgantl.crossmodal.captions import Captions
from tfgantl.crossmodal.text_conditioning import CaptionTable, from_vectors, text_conditional, with_captions
from tfgantl.crossmodal.text_encoder import TextEncoder
from tfgantl.crossmodal.text_to_image import ENCODER, TextToImage, load_text_to_image
from tfgantl.data import Examples
from tfgantl.errors import ConfigError
from tfgantl.export.text_signatures import imagine_signatures
from tfgantl.gan import GAN
from tfgantl.models.layers.caption_vectors import CaptionVectors, blend
from tfgantl.models.structure import structure_of
from tfgantl.optimizers import Adam
from tfgantl.pipelines.adapt.text_direction import direction_effect, named_attributes
from tfgantl.pipelines.imagine import main as imagine
from tfgantl.transfer import CDC, FineTune, FreezeD, LoRA, MineGAN
from tfgantl.transfer.text_matching import TextMatching

PHRASES = ("a thin zero", "a thick zero", "a thin one", "a thick one", "a thin two", "a thick two")
CLASSES = np.array([0, 0, 1, 1, 2, 2])
FAMILIES = [name for name in TINY if name != "StyleGAN2"]


def table(phrases=PHRASES, dimension=6):
    """Vectors with a part of their own for each class and for each width."""
    of_class, of_width = np.eye(dimension)[CLASSES], np.eye(dimension)[3 + np.arange(6) % 2]
    vectors = of_class + 0.5 * of_width
    return CaptionTable(phrases, (vectors / np.linalg.norm(vectors, axis=1)[:, None]).astype("f4"), CLASSES)


def pair(spec=TINY_DCGAN, classes=3, size=8):
    """A pair whose discriminator tells classes apart."""
    keras.utils.set_random_seed(1)
    gan = GAN(*spec.build(size, 1, classes))
    for variable in structure_of(gan.discriminator).label_tables:
        variable.assign(np.random.default_rng(0).normal(size=variable.shape))
    return gan


@pytest.mark.parametrize("family", FAMILIES)
def test_the_map_from_text_starts_as_the_label_that_it_names(family):
    source = pair(TINY[family])
    made, report = text_conditional(source, table())
    latents, images = source.latents(6), source.generate(source.latents(6), CLASSES)
    apart = np.abs(images - source.generate(latents, (CLASSES + 1) % 3)).mean()
    assert np.abs(images - made.generate(latents, np.arange(6))).mean() < 0.05 * apart
    np.testing.assert_allclose(made.score(images, np.arange(6)), source.score(images, CLASSES), atol=0.1)
    assert "label_embedding/kernel: from the rows of 3 classes" in "\n".join(report.lines())


def test_captions_start_from_the_classes_that_the_source_has_for_theirs():
    source = pair()
    made, _ = text_conditional(source, table(), source_classes=[2, 0, -1])
    latents = source.latents(6)
    wanted = source.generate(latents, np.array([2, 2, 0, 0, 1, 1]))
    close = np.abs(made.generate(latents, np.arange(6)) - wanted).mean((1, 2, 3))
    assert (close[:4] < 1e-3).all() and close[4:].min() > close[:4].max()


def test_text_has_no_effect_at_first_on_an_unconditional_source_but_gets_gradients():
    source = pair(classes=None)
    made, _ = text_conditional(source, table())
    latents = source.latents(6)
    np.testing.assert_array_equal(made.generate(latents, np.arange(6)), source.generate(latents))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(made.generator([latents, np.arange(6)]) ** 2)
    kernel = made.generator.get_layer("block0_dense").kernel
    assert np.abs(tape.gradient(loss, kernel.value)[-1]).max() > 0


def test_other_captions_keep_the_map():
    made, _ = text_conditional(pair(), table())
    chosen = table()
    other = CaptionTable(PHRASES[:2], chosen.vectors[[4, 1]], CLASSES[[4, 1]])
    again, _ = text_conditional(made, other)
    latents = made.latents(2)
    np.testing.assert_array_equal(again.generate(latents, np.arange(2)), made.generate(latents, np.array([4, 1])))
    shorter = with_captions(made.ema_generator, other)
    np.testing.assert_array_equal(shorter([latents, np.arange(2)]), made.ema_generator([latents, np.array([4, 1])]))


def test_networks_and_encoders_that_do_not_fit_are_told():
    with pytest.raises(ConfigError, match="must be of DCGAN, SNGAN, FastGAN or MLP .* Received: StyleGAN2Generator"):
        text_conditional(pair(TINY["StyleGAN2"]), table())
    made, _ = text_conditional(pair(), table())
    with pytest.raises(ConfigError, match="must have the length 6 .* Received: 7"):
        text_conditional(made, table(dimension=7))


def test_labels_beyond_the_captions_are_what_lies_between_two():
    layer = CaptionVectors(3, 2)
    layer.vectors.assign([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    found = layer(np.array([2, blend(1, 2, 3), blend(2, 1, 3)]))
    np.testing.assert_allclose(found, [[-1, 0], [-(0.5**0.5), 0.5**0.5], [-(0.5**0.5), 0.5**0.5]], rtol=1e-6)


@pytest.mark.parametrize(
    "method", [FineTune(), FreezeD(), CDC(samples=4, anchors=2), LoRA(rank=2), MineGAN()], ids=repr
)
def test_any_method_trains_a_text_conditional_pair(method):
    source, _ = text_conditional(pair(size=28), table())
    transfer = TextMatching(method)
    gan = GAN(*transfer.networks(source, "float32"))
    transfer.prepare(gan, source)
    gan.compile(Adam(1e-2), Adam(1e-2), transfer=transfer)
    next(transfer.schedule(2)).begin(gan)
    images, before = tiny_images(12, 28) / 127.5 - 1, numpy_weights(gan.generator)
    gan.fit(images.astype("f4"), np.arange(12, dtype="i4") % 6, batch_size=6, epochs=1, verbose=0)
    transfer.finish(gan)
    changed = {v.path for v in gan.generator.weights if not np.array_equal(v.numpy(), before[v.path])}
    assert changed and not any(path.endswith("caption_vectors/vectors") for path in changed)
    latents, phrases = gan.latents(6), table()
    told = from_vectors(gan.ema_generator)([latents, phrases.vectors])
    np.testing.assert_allclose(told, gan.ema_generator([latents, np.arange(6)]), atol=1e-6)


def test_wrong_captions_count_as_much_as_they_differ():
    source, _ = text_conditional(pair(), table())
    gan = GAN(source.generator, source.discriminator)
    transfer = TextMatching(FineTune(), mismatch=1.0)
    gan.compile(Adam(0.0), Adam(0.0), transfer=transfer)
    images = tf.constant(tiny_images(2) / 127.5 - 1, tf.float32)

    def penalty(*labels):
        return float(transfer.discriminator_penalty(gan, images, tf.constant(labels)))

    vectors = table().vectors
    wrong = np.log1p(np.exp(gan.score(images, np.array([2, 0]))))
    assert penalty(0, 0) == pytest.approx(0, abs=1e-6)  # another picture of the same caption
    assert penalty(0, 2) == pytest.approx((1 - vectors[0] @ vectors[2]) * wrong.mean(), rel=1e-4)


def test_captions_take_the_place_of_labels():
    images, labels = tiny_images(4), np.array([0, 1, 1, 0])
    part = Examples.from_arrays(images, labels, 2)
    phrases = [["a zero", "one zero"], ["a one"], ["a one", "a thin one", "a number"], ["a number"]]
    data = captioned({"train": part, "test": part}, {split: Captions.of(phrases) for split in ("train", "test")}, 0)
    named = dict(zip(data.phrases, data.classes, strict=True))
    assert named == {"a zero": 0, "one zero": 0, "a one": 1, "a thin one": 1, "a number": -1}
    assert data.phrases[:3] == ("a zero", "a one", "a number")  # the most used ones of each class, and of none
    assert not data.groups.any()  # of a class of its own, a number would have no real images
    train, test = data.splits["train"], data.splits["test"]
    assert (train.size, test.size, train.num_classes) == (12, 4, 5)
    shown, numbers = train.read(np.array([0, 4, 8, 2, 6, 10]))
    np.testing.assert_array_equal(shown, images[[0, 0, 0, 2, 2, 2]])
    told = [data.phrases[i] for i in numbers]
    assert told == ["a zero", "one zero", "a zero", "a one", "a thin one", "a number"]
    assert all(data.phrases[i] in phrases[j] for j, i in enumerate(test.take()[1]))


def test_classes_are_found_in_the_captions_of_users():
    assert classes_named(["a bold seven", "two black cats", "dogs"], ["7", "black cat"]).tolist() == [0, 1, -1]


@pytest.fixture(scope="module")
def drawer(tmp_path_factory):
    """The run directory of a tiny text-conditional pair."""
    keras.utils.set_random_seed(0)
    run = tmp_path_factory.mktemp("drawer") / "run"
    run.mkdir()
    encoder = TextEncoder.of(PHRASES, dimension=6, width=4)
    vectors = encoder(tf.constant(PHRASES)).numpy()
    made, _ = text_conditional(pair(TINY_MLP), CaptionTable(PHRASES, vectors, CLASSES))
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


def test_it_is_published_like_any_other(drawer, tmp_path):
    from tfgantl.pipelines.export import main as export

    assert export(["--model", str(drawer), "--export_dir", str(tmp_path / "drawer")]) == 0
    signatures = tf.saved_model.load(str(tmp_path / "drawer" / "1")).signatures
    files = signatures["imagine"](text=tf.constant(["a thin one"]), seed=tf.constant([3], tf.int64))["png_bytes"]
    wanted = load_text_to_image(str(drawer)).draw(["a thin one"], [3])[0]
    np.testing.assert_array_equal(pixels_of(files.numpy()[0]), wanted)


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
    source = pair(TINY_MLP, classes=None)
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


@pytest.mark.usefixtures("short_extractor")
def test_named_parts_are_drawn(pictures, capsys):
    hats, beards = np.array(["", "redHat", "blueHat"]), np.array(["", "fullBeard"])
    at = np.arange(30)
    np.savez("hats.npz", x=tiny_images(30), attribute_hat=hats[at % 3], attribute_beard=beards[at % 2])
    arguments = " ".join(TRAIN).replace("Folder --target.path pictures --captions captions.csv", "Arrays")
    arguments = arguments.replace(" --preset_dir preset", "").split()
    assert imagine([*arguments, "--target.path", "hats.npz", "--captions", "parts"]) == 0, capsys.readouterr().err
    assert "parts that captions name: hat, beard" in capsys.readouterr().err
    model = load_text_to_image("run")
    assert {"hat", "beard", "full", "red"} <= set(model.text_encoder.vocabulary)
    assert any("hat" in phrase for phrase in model.phrases)


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
