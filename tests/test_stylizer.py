"""The network of many styles: its normalisation, its training and continuation, new rows, painting and serving."""

import io
import json
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import interrupted_at, tiny_images
from PIL import Image

from tfgantl.data import Folder
from tfgantl.errors import ConfigError
from tfgantl.export import warmup
from tfgantl.export.publish import publish
from tfgantl.export.style_signatures import style_signatures
from tfgantl.models.style_discriminator import StyleDiscriminator
from tfgantl.models.stylizer import ConditionalInstanceNorm, Stylizer, paint
from tfgantl.models.vgg import vgg16
from tfgantl.pipelines import stylize
from tfgantl.pipelines.stylize import training_results
from tfgantl.pipelines.stylize.apply import mixes_of
from tfgantl.pipelines.stylize.materials import read_materials
from tfgantl.style.adversary import Adversary
from tfgantl.style.crops import crops
from tfgantl.style.feedforward import for_new_styles, with_styles_of
from tfgantl.style.painting import CONTENT, STYLE
from tfgantl.training.run_directory import read_result
from tfgantl.untrusted.networks import load_network


@pytest.fixture(autouse=True, scope="module")
def vgg_weights(tmp_path_factory):
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("vgg") / "random.npz"
    np.savez(path, **{w.path: w.numpy() for w in vgg16((CONTENT, *STYLE), None).weights})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFGANTL_VGG16_WEIGHTS", str(path))
        patch.setattr(warmup, "BATCHES", (1, 4))
        yield path


def tiny(styles=("a", "b"), seed=0):
    """A network with rows that differ."""
    keras.utils.set_random_seed(seed)
    network = Stylizer(len(styles), width=2, blocks=1, styles=styles)
    rng = np.random.default_rng(seed)
    for norm in network.norms():
        norm.gamma.assign(rng.uniform(0.5, 1.5, norm.gamma.shape))
        norm.beta.assign(rng.normal(0, 0.3, norm.beta.shape))
    return network


def pixels(seed=0, height=20, width=24):
    return np.random.default_rng(seed).uniform(-1, 1, (height, width, 3)).astype(np.float32)


def test_normalisation_by_hand_and_the_mix_of_rows():
    layer = ConditionalInstanceNorm(2)
    x, mix = pixels()[None] * 3 + 1, np.array([[0.25, 0.75]], np.float32)
    layer.build([x.shape, mix.shape])
    layer.gamma.assign([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]])
    layer.beta.assign([[0.0, 0.0, 1.0], [4.0, 0.0, 0.0]])
    found = layer([x, mix])
    plain = (x - x.mean((1, 2))) / x.std((1, 2))
    np.testing.assert_allclose(found, plain * [1.75, 2.0, 2.25] + [3.0, 0.0, 0.25], atol=1e-4)


def test_a_network_survives_a_keras_file_with_the_names_of_its_styles(tmp_path):
    network = tiny()
    network.save(tmp_path / "s.keras")
    again = load_network(tmp_path / "s.keras")
    assert again.styles == ["a", "b"] and again.num_styles == 2
    image = tf.constant(pixels())
    np.testing.assert_array_equal(*(paint(n, image, np.array([0, 1], "f"), 1.0) for n in (network, again)))


def test_any_size_is_painted_and_strength_fades_to_the_picture():
    network, image = tiny(), tf.constant(pixels(0, 21, 18))
    mix = tf.constant([1.0, 0.0])
    whole, half, none = (paint(network, image, mix, strength).numpy() for strength in (1.0, 0.5, 0.0))
    assert whole.shape == (21, 18, 3)
    np.testing.assert_array_equal(none, image)
    np.testing.assert_allclose(half, (whole + image) / 2, atol=1e-6)
    other = paint(network, image, tf.constant([0.0, 1.0]), 1.0).numpy()
    between = paint(network, image, tf.constant([0.5, 0.5]), 1.0).numpy()
    assert np.abs(whole - other).mean() > 0.01 and np.abs(between - whole).mean() < np.abs(other - whole).mean()


def test_new_rows_leave_the_old_styles_exactly_as_they_were():
    network, image = tiny(), tf.constant(pixels())
    fresh = for_new_styles(network, ["c"])
    for norm in fresh.norms():
        norm.gamma.assign(norm.gamma + 0.5)
    both = with_styles_of(network, fresh)
    assert both.styles == ["a", "b", "c"]
    old = [paint(n, image, np.eye(n.num_styles, dtype="f")[1], 1.0) for n in (network, both)]
    np.testing.assert_allclose(*old, atol=1e-6)
    new = [paint(n, image, np.eye(n.num_styles, dtype="f")[-1], 1.0) for n in (fresh, both)]
    np.testing.assert_allclose(*new, atol=1e-6)


def test_a_batch_of_crops_depends_on_its_number_only():
    pictures = list(tiny_images(3, 40, 3))
    whole = list(crops(pictures, 16, 2, 5, seed=1))
    later = list(crops(pictures, 16, 2, 5, seed=1, start=3))
    assert whole[0].shape == (2, 16, 16, 3) and len(later) == 2
    np.testing.assert_array_equal(whole[3], later[0])
    assert not np.array_equal(whole[0], whole[1])
    plain = [np.full((20, 20, 3), value, np.uint8) for value in (0, 127, 255)]
    turns = np.concatenate([np.mean(batch, (1, 2, 3)) for batch in crops(plain, 16, 2, 3, seed=1, in_turn=True)])
    np.testing.assert_allclose(turns, [-1, -0.004, 1, -1, -0.004, 1], atol=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_kernels_act_with_a_spectral_norm_of_1_and_are_left_alone(tmp_path, dtype):
    keras.utils.set_random_seed(0)
    discriminator = StyleDiscriminator(1, width=4, dtype=dtype)
    layer, mix = discriminator.get_layer("block2_conv"), tf.ones((1, 1))
    layer.kernel.assign(3.0 * layer.kernel)
    before = layer.kernel.numpy()
    for _ in range(30):
        discriminator([tf.constant(pixels(1, 16, 16)[None]), mix], training=True)
    np.testing.assert_array_equal(layer.kernel, before)
    largest = np.linalg.svd(before.reshape(-1, 8))[1][0]
    x = pixels(2, 8, 8)[None, ..., :1].repeat(4, -1)
    plain = tf.nn.conv2d(x, before / largest, 2, "SAME")
    np.testing.assert_allclose(tf.cast(layer(x), "float32"), plain, atol=2e-2 if dtype != "float32" else 1e-4)
    discriminator.save(tmp_path / "d.keras")
    again = load_network(tmp_path / "d.keras").get_layer("block2_conv")
    np.testing.assert_array_equal(layer.direction, again.direction)


def test_each_style_has_a_head_and_new_ones_begin_as_their_mean():
    discriminator, image = StyleDiscriminator(2, width=4), pixels()[None]
    one, other, both = (discriminator([image, np.array([mix], "f")]) for mix in ([1, 0], [0, 1], [0.25, 0.75]))
    np.testing.assert_allclose(both, 0.25 * one + 0.75 * other, atol=1e-6)
    assert np.abs(one - other).max() > 1e-3
    fresh = discriminator.for_new_styles(3, "float32")
    for mix in np.eye(3, dtype="f"):
        np.testing.assert_allclose(fresh([image, mix[None]]), (one + other) / 2, atol=1e-6)


def test_an_adversary_tells_a_style_from_what_is_painted_and_holds_still_meanwhile():
    keras.utils.set_random_seed(0)
    adversary = Adversary(StyleDiscriminator(1, width=4), 1.0, 1e-2, 100)
    dark, light, mix = tf.fill((4, 16, 16, 3), -0.8), tf.fill((4, 16, 16, 3), 0.8), tf.ones((4, 1))
    losses = [float(adversary.train_step(light, dark, mix)) for _ in range(30)]
    assert losses[-1] < 0.1 < losses[0]
    before = adversary.discriminator.get_weights()
    assert adversary.loss(light, mix) < -0.5 < 0.5 < adversary.loss(dark, mix)
    for old, new in zip(before, adversary.discriminator.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


PUBLISHED = []  # options of each


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Contents, styles, and a run that was never interrupted."""
    path = tmp_path_factory.mktemp("styles")
    (path / "contents").mkdir()
    names = ("contents/1", "contents/2", "contents/3", "first", "second", "new")
    for seed, name in enumerate(names, 1):
        rows, columns = np.mgrid[:40, :50]
        waves = [np.sin(rows / (2 + seed) + i * columns / (3 + seed)) for i in range(3)]
        Image.fromarray(((np.stack(waves, -1) + 1) * 127).astype(np.uint8)).save(path / f"{name}.png")
    with pytest.MonkeyPatch.context() as patch:  # publishing takes longer, and has a test of its own
        patch.setattr(training_results, "publish", lambda *_, **options: PUBLISHED.append(options) or path)
        assert train(path, "whole", steps=22) == 0
        yield path


def train(folder, name, *options, styles=("first.png", "second.png"), steps=3):
    words = ["train", str(folder / "contents"), *(str(folder / style) for style in styles)]
    tiny = [
        "--size",
        "32",
        "--width",
        "2",
        "--blocks",
        "1",
        "--batch_size",
        "2",
        "--precision",
        "float32",
        "--phrase_steps",
        "1",
    ]
    where = ["--run_dir", str(folder / name), "--export_dir", str(folder / "exported")]
    return stylize.main([*words, *tiny, *where, "--steps", str(steps), *map(str, options)])


def test_training_lowers_the_losses_and_leaves_pictures(folder):
    result = read_result(folder / "whole")
    assert result["styles"] == ["first", "second"] and result["steps"] == 22
    for name in ("stylizer.keras", "sheet.png", "report.html"):
        assert (folder / "whole" / name).is_file()
    assert PUBLISHED[0]["before_after"] is None  # it would show pictures of training to anybody
    records = [json.loads(line) for line in (folder / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records if "step" in record] == [1, 20, 22]
    assert records[-2]["total"] < 0.8 * records[0]["total"]


def test_new_rows_are_learnt_alone_compared_with_scratch_and_applied(folder, capsys):
    options = ["--base", folder / "whole" / "stylizer.keras", "--baseline", "true", "--show_training_pictures"]
    assert train(folder, "grown", *options, styles=("new.png",)) == 0
    assert PUBLISHED[-1]["before_after"].startswith(b"\x89PNG")
    grown = read_result(folder / "grown")
    assert grown["styles"] == ["first", "second", "new"] and set(grown["losses"]) == {"styles", "scratch"}
    old, new = (load_network(folder / name / "stylizer.keras") for name in ("whole", "grown"))
    kernels = [layer.name for layer in old.layers if layer.name.endswith("_conv")]
    for name in kernels:
        np.testing.assert_array_equal(old.get_layer(name).kernel, new.get_layer(name).kernel)
    moved = [not np.array_equal(norm.gamma[2], np.mean(norm.gamma[:2], 0)) for norm in new.norms()]
    assert all(moved) and grown["trained_parameters"] == sum(w.shape[1] for n in old.norms() for w in n.weights)

    words = [str(folder / "grown"), str(folder / "contents"), "first:3", "new"]
    capsys.readouterr()
    assert stylize.main(["apply", *words, "-o", str(folder / "out"), "--strength", "0.5", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["pictures"] == 3 and told["images_per_second"] > 0
    painted = np.asarray(Image.open(folder / "out" / "1.png"))
    plain = np.asarray(Image.open(folder / "contents" / "1.png"))
    assert painted.shape == plain.shape == (40, 50, 3) and (painted != plain).any()
    words = [str(folder / "grown"), str(folder / "contents"), "-o", str(folder / "classes")]
    assert stylize.main(["apply", *words, "--size", "32"]) == 0
    styled = Folder(str(folder / "classes"), 16, 3, validation=0.2, test=0.2).load("train")
    assert styled.num_classes == 3  # one for each style, for a GAN that generates in all of them


def test_a_training_that_is_interrupted_goes_on_exactly(folder, monkeypatch, capsys):
    with interrupted_at(20):
        assert train(folder, "cut", steps=22) == 7
    assert "SIGINT at step 20; everything is saved" in capsys.readouterr().err
    assert stylize.main(["train", "--resume", str(folder / "cut")]) == 0
    networks = [load_network(folder / name / "stylizer.keras") for name in ("whole", "cut")]
    for a, b in zip(*(network.get_weights() for network in networks), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_gan_of_styles_is_trained_moved_to_a_new_style_and_resumed(folder, capsys):
    options = ["--adversarial", 1, "--style_weight", 0]
    assert train(folder, "gan", *options) == 0
    with interrupted_at(1):
        assert train(folder, "cut gan", *options) == 7
    assert stylize.main(["train", "--resume", str(folder / "cut gan")]) == 0
    for name in ("stylizer.keras", "discriminator.keras"):
        whole, cut = (load_network(folder / run / name).get_weights() for run in ("gan", "cut gan"))
        for a, b in zip(whole, cut, strict=True):
            np.testing.assert_array_equal(a, b)
    records = [json.loads(line) for line in (folder / "gan" / "metrics.jsonl").read_text().splitlines()]
    assert {"content", "adversarial", "discriminator"} < set(records[0])

    assert train(folder, "moved", "--base", folder / "gan", *options, styles=("new.png",), steps=1) == 0
    assert "styles: 1, discriminator of the base, run directory" in capsys.readouterr().err
    networks = [load_network(folder / run / "discriminator.keras") for run in ("gan", "moved")]
    steps = [np.abs(a - b).max() for a, b in zip(*(n.get_layer("block3_conv").weights for n in networks), strict=True)]
    assert 0 < steps[0] < 2e-3  # one step of its own, from the discriminator of the base
    (folder / "gan" / "discriminator.keras").write_bytes((folder / "moved" / "discriminator.keras").read_bytes())
    assert train(folder, "wrong", "--base", folder / "gan", *options, styles=("new.png",)) == 4
    assert "must be of one training, as together.json says" in capsys.readouterr().err
    (folder / "gan" / "discriminator.keras").write_bytes((folder / "gan" / "stylizer.keras").read_bytes())
    assert train(folder, "wrong", "--base", folder / "gan", *options, styles=("new.png",)) == 4
    assert "must hold a discriminator of styles. Received: Stylizer" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        train(folder, "nothing", "--style_weight", "0")
    assert "`style_weight` or `adversarial` must be above 0. Received: 0 for both" in capsys.readouterr().err


def test_what_is_no_picture_is_not_served_as_a_black_one():
    network = tiny()
    for weight in network.weights:
        weight.assign(tf.fill(weight.shape, 1e25))
    file = tf.io.encode_png(np.arange(18 * 22 * 3, dtype=np.uint8).reshape(18, 22, 3))
    with pytest.raises(tf.errors.InvalidArgumentError, match="images must be finite: weights are too large"):
        style_signatures(network)["serving_default"](tf.stack([file]), tf.constant([0]), tf.ones(1))


def test_the_served_network_paints_files_of_any_size(tmp_path):
    network = tiny()
    version = publish(network, tmp_path / "styles", style_signatures)
    served = tf.saved_model.load(str(version)).signatures
    image = ((pixels(1, 18, 22) + 1) * 127).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    row = {"image_bytes": tf.constant([file.getvalue()] * 2), "strength": tf.constant([1.0, 0.0])}
    files = served["serving_default"](style=tf.constant([1, 1]), **row)["png_bytes"].numpy()
    painted, same = (np.asarray(Image.open(io.BytesIO(png))).astype(int) for png in files)
    np.testing.assert_array_equal(same, image)
    direct = paint(network, tf.constant(image / 127.5 - 1, tf.float32), tf.constant([0.0, 1.0]), 1.0).numpy()
    assert np.abs(painted - (direct + 1) * 127.5).max() <= 1
    mixed = served["mix"](mix=tf.constant([[0.0, 3.0]] * 2), **row)["png_bytes"].numpy()
    assert mixed[0] == files[0]
    large = io.BytesIO()
    Image.new("L", (1300, 900)).save(large, "PNG")  # counted as what is painted of it
    many = {"image_bytes": tf.constant([large.getvalue()] * 9), "strength": tf.ones(9)}
    with pytest.raises(tf.errors.InvalidArgumentError, match="a request must ask for at most 8388608 painted pixels"):
        served["serving_default"](style=tf.zeros(9, tf.int32), **many)
    with pytest.raises(tf.errors.InvalidArgumentError, match="mix must be at least 0, and above 0 somewhere"):
        served["mix"](mix=tf.constant([[0.0, 1.0], [0.0, 0.0]]), **row)
    with pytest.raises(tf.errors.InvalidArgumentError, match="labels must be in"):
        served["serving_default"](style=tf.constant([2, 0]), **row)
    with pytest.raises(tf.errors.InvalidArgumentError, match="strength must be in"):
        served["serving_default"](style=tf.constant([0, 0]), **{**row, "strength": tf.constant([1.5, 0.0])})
    with pytest.raises(tf.errors.InvalidArgumentError, match="inputs must have as many rows"):
        served["serving_default"](style=tf.constant([0, 0]), **{**row, "strength": tf.constant([1.0])})


def test_names_of_styles_may_have_blanks(folder):
    (folder / "a style, of mine.png").write_bytes((folder / "first.png").read_bytes())
    made = read_materials(str(folder / "contents"), f"{folder / 'a style, of mine.png'} , {folder / 'second.png'}", 32)
    assert list(made.names) == ["a style, of mine", "second"]


def test_mixes_and_wrong_options(folder, tmp_path, capsys):
    assert mixes_of("b:3,a", ["a", "b"])["b+a"].tolist() == [0.25, 0.75]
    assert list(mixes_of("all", ["a", "b"])) == ["a", "b"]
    with pytest.raises(ConfigError, match="`styles` must be all, or some of a, b. Received: c"):
        mixes_of("c", ["a", "b"])
    assert train(folder, "one", styles=("nowhere.png",)) == 3
    assert train(folder, "one", styles=("first.png", "contents/../first.png")) == 2
    assert train(folder, "one", styles=("first.png:2", "second.png:2")) == 2
    said = capsys.readouterr().err
    assert "must have different names. Received: first, first" in said and "must have no weights" in said
    tiny(("first", "b")).save(tmp_path / "s.keras")
    assert train(folder, "two", "--base", tmp_path / "s.keras") == 2
    assert "`styles` must be new to the base. Received: first" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        train(folder, "three", "--baseline", "true")
    assert "`baseline` must be given with `base`" in capsys.readouterr().err
    assert stylize.main(["apply", str(folder / "first.png"), str(folder / "contents")]) == 4
    assert not (folder / "two").exists()


def test_names_of_styles_are_not_taken_for_paths(folder, tmp_path, capsys):
    """They are the names of folders, and those of a file from anywhere."""
    evil = tmp_path / "evil.keras"
    with zipfile.ZipFile(folder / "whole" / "stylizer.keras") as good, zipfile.ZipFile(evil, "w") as bad:
        for name in good.namelist():
            content = good.read(name)
            bad.writestr(name, content.replace(b'["first", "second"]', b'["..", "/tmp/x"]'))
    assert stylize.main(["apply", str(evil), str(folder / "contents"), "-o", str(tmp_path / "out")]) == 4
    assert "`styles` must be 2 different names without /" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", ["apply", "optimize"])
def test_pictures_are_not_painted_over(verb, folder, capsys, vgg_weights):
    contents = folder / "contents"
    before = {path: path.read_bytes() for path in contents.iterdir()}
    first = str(min(before))
    words = {"apply": ["apply", str(folder / "whole")], "optimize": []}[verb]
    style = {"apply": "first", "optimize": str(folder / "first.png")}[verb]
    more = {"apply": [], "optimize": ["--run_dir", str(folder / "never")]}[verb]
    assert stylize.main([*words, first, style, "-o", first, *more]) == 2
    assert "`output` must not be a picture that is read. Received:" in capsys.readouterr().err
    assert stylize.main([*words, str(contents), style, "-o", str(contents), *more]) == 2
    (folder / "links").mkdir(exist_ok=True)
    for path in contents.iterdir():
        (folder / "links" / path.name).unlink(missing_ok=True)
        (folder / "links" / path.name).hardlink_to(path)
    assert stylize.main([*words, str(contents), style, "-o", str(folder / "links"), *more]) == 2
    assert before == {path: path.read_bytes() for path in contents.iterdir()}
