"""Styles by a phrase: words for pictures, what a phrase asks for, training, painting, serving, and bad input."""

import json
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import tiny_images
from PIL import Image

from tfgantl.crossmodal.caption_bank import CaptionBank
from tfgantl.data.textures import TEXTURES, draw_texture
from tfgantl.errors import ArtifactError, ConfigError, DataError
from tfgantl.export.style_signatures import style_signatures
from tfgantl.models.stylizer import Stylizer
from tfgantl.models.vgg import vgg16
from tfgantl.pipelines import stylize
from tfgantl.pipelines.stylize.captions import captions_of_styles, measured_words
from tfgantl.pipelines.stylize.describe import StyleDescriptionConfig, describe_style
from tfgantl.pipelines.stylize.phrase_learning import keep_preset
from tfgantl.pipelines.stylize.train import StyleTrainingConfig
from tfgantl.pipelines.stylize.trained import PHRASES, STYLIZER, load_phrases, load_stylizer
from tfgantl.style.by_phrase import PhraseStylizer
from tfgantl.style.painting import CONTENT, STYLE
from tfgantl.style.phrase_training import learn_phrases
from tfgantl.style.phrases import StylePhrases, drawn_from, mixes_of_vectors
from tfgantl.style.pictures import is_phrase
from tfgantl.style.regions import painted_in_regions, regions
from tfgantl.style.statistics import statistics_of
from tfgantl.style.style_captions import StyleCaptions, StyleWord
from tfgantl.style.surface import coarseness, colours_of, contrast, grain

WORDS = (
    StyleWord(("dark", "dim"), "brightness", (True, True, False, False)),
    StyleWord(("bright",), "brightness", (False, False, True, True)),
    StyleWord(("grainy", "rough"), "grain", (True, False, False, False)),
    StyleWord(("smooth",), "grain", (False, True, True, True)),
    StyleWord(("blue",), "blue", (False, True, False, False)),
    StyleWord(("red",), "red", (True, False, True, False)),
    StyleWord(("green",), "green", (False, False, False, True)),
)
CAPTIONS = StyleCaptions(("a", "night", "c", "d-wash"), WORDS)


@pytest.fixture(scope="module")
def phrases():
    """What is learnt of four styles whose statistics are far from each other."""
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 3, (4, 1, 24)) + 5
    statistics = (centres + rng.normal(0, 0.3, (4, 6, 24))).astype(np.float32)
    bank = CaptionBank(tuple(CAPTIONS.full(i) for i in range(4)))
    return learn_phrases(CAPTIONS, statistics, 32, bank, steps=120, dimension=16), statistics


@pytest.fixture(autouse=True, scope="module")
def vgg_weights(tmp_path_factory):
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("vgg") / "random.npz"
    np.savez(path, **{w.path: w.numpy() for w in vgg16((CONTENT, *STYLE), None).weights})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFGANTL_VGG16_WEIGHTS", str(path))
        yield path


@pytest.fixture(scope="module")
def run(phrases, tmp_path_factory):
    """A network of these styles with its phrases, as a training leaves them."""
    directory = tmp_path_factory.mktemp("run")
    keras.utils.set_random_seed(0)
    network = Stylizer(5, width=2, blocks=1, styles=["new", *CAPTIONS.styles])
    for norm in network.norms():
        norm.gamma.assign(np.random.default_rng(1).uniform(0.5, 1.5, norm.gamma.shape))
    network.save(directory / STYLIZER)
    phrases[0].save(directory / PHRASES)
    return directory


def picture(path, seed=0, shape=(40, 48, 3)):
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8)).save(path)
    return str(path)


def test_measures_tell_surfaces_apart():
    specks, lines, wash = (draw_texture(name)[None] for name in ("slate-grain", "ochre-hatching", "peach-wash"))
    assert grain(specks) > 2 * grain(lines) > 4 * grain(wash)
    assert coarseness(wash) > 2 * coarseness(specks)
    assert contrast(np.zeros((1, 16, 16, 3), np.uint8)) == 0
    assert colours_of(draw_texture("turquoise-mosaic")) == ("turquoise",)
    assert [colours_of(draw_texture(name))[0] for name in ("night-strokes", "ember-strokes")] == ["blue", "red"]


def test_textures_are_always_the_same_and_differ_in_words():
    np.testing.assert_array_equal(draw_texture("rose-dots"), draw_texture("rose-dots"))
    words = measured_words([draw_texture(name) for name in TEXTURES])
    told = [tuple(word.true_of[i] for word in words) for i in range(len(TEXTURES))]
    assert len(set(told)) == len(TEXTURES)
    dark = next(word for word in words if word.synonyms[0] == "dark")
    assert dark.true_of[list(TEXTURES).index("night-strokes")] and not dark.true_of[list(TEXTURES).index("rose-dots")]


def test_words_that_one_style_unites_ask_for_it_and_others_for_a_mix():
    dark, bright, grainy, smooth, blue, red, green = range(7)
    np.testing.assert_allclose(CAPTIONS.wanted([dark]), [0.5, 0.5, 0, 0])
    assert CAPTIONS.wanted([dark, smooth, blue])[1] > 0.9
    mix = CAPTIONS.wanted([dark, grainy, blue])  # no style is all of these
    assert mix[0] > 0.3 and mix[1] > 0.3 and mix[2:].sum() < 1e-6 and np.isclose(mix.sum(), 1)


def test_drawn_phrases_never_contradict_themselves_and_shares_sum_to_1():
    rng = np.random.default_rng(0)
    for _ in range(300):
        phrase, wanted = CAPTIONS.draw(rng)
        assert phrase and np.isclose(wanted.sum(), 1, atol=1e-5)
        if (wanted == 0.5).sum() != 2:  # else it speaks of two styles
            assert not {"dark", "bright"} <= set(phrase.replace(",", "").split())


def test_learnt_phrases_name_their_styles_and_mix_what_none_unites(phrases):
    known, _ = phrases
    for i, style in enumerate(CAPTIONS.styles):
        assert known.mix(CAPTIONS.full(i)).argmax() == i
        assert known.mix(style.replace("-", " ")).argmax() == i
    assert set(drawn_from(known.styles, known.mix("dark, grainy, blue"))) >= {"a", "night"}
    assert set(np.argsort(-known.mix("night and d wash"))[:2]) == {1, 3}
    assert known.mix("blue", ["x", *CAPTIONS.styles]).argmax() == 2


def test_statistics_of_a_style_lead_back_to_its_words(phrases):
    known, statistics = phrases
    for i in range(4):
        description, near_to = known.describe(statistics[i])
        assert description.caption == CAPTIONS.full(i) and next(iter(near_to)) == CAPTIONS.styles[i]


def test_a_mix_is_of_few_styles_and_of_none_that_hardly_counts():
    directions = np.eye(6, dtype=np.float32)
    vectors = np.array([[1, 1, 1, 1, 1, 0], [5, 4.9, 0, 0, 0, 0]], np.float32)
    mixes = mixes_of_vectors(tf.constant(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)), directions, 20.0)
    assert ((mixes.numpy() > 0).sum(1) <= [5, 2]).all()
    np.testing.assert_allclose(mixes.numpy().sum(1), 1, atol=1e-6)
    np.testing.assert_array_equal(mixes[1, 2:], 0)


def test_statistics_are_means_and_products_whatever_the_size():
    flat = [tf.ones((2, 8, 6, 32)) * 4, tf.zeros((2, 4, 3, 32))]
    found = statistics_of(flat).numpy()
    assert found.shape == (2, 2 * (32 + 136)) and not found[:, 168:].any()
    np.testing.assert_allclose(found[:, :32], 2)
    np.testing.assert_allclose(statistics_of([flat[0][:, :3]]), found[:, :168], atol=1e-4)


@pytest.mark.parametrize(
    "text, told",
    [("", "must be words"), ("zzz qqq", "must have a known word"), ("dark\x07", "control characters"),
     ("dark " * 200, "at most 500 characters"), ("темно", "must have a known word"), ("!!!", "must be words"),
     ("a," * 5_000_000, "at most 500 characters"), ("dark " * 40, "at most 32 words")],
)  # fmt: skip
def test_texts_that_ask_for_nothing_are_refused(run, tmp_path, text, told):
    config = stylize.StylizeConfig(content=picture(tmp_path / "p.png"), styles=text, model=str(run))
    with pytest.raises(DataError, match=told) as refused:
        stylize.stylize(config)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


def test_what_is_a_phrase_and_what_are_pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(picture("dark.png")).rename("dark")
    assert not is_phrase("dark") and not is_phrase("dark:0.5,blue") and not is_phrase("folder/blue")
    assert is_phrase("blue") and is_phrase("dark blue") and is_phrase("x" * 5000) and is_phrase("a\0b")


def test_a_phrase_paints_a_photograph_and_says_what_it_drew_from(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    content = picture("photo.png")
    arguments = [content, "dark, grainy, bleu, blue", "-o", "out.png", "--model", str(run), "--size", "48", "--json"]
    assert stylize.main(arguments) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert np.asarray(Image.open("out.png")).shape == (40, 48, 3)
    assert {"a", "night"} <= set(found["drawn_from"]) and sum(found["drawn_from"].values()) == pytest.approx(
        1, abs=0.01
    )
    assert found["unknown_words"] == {"bleu": ["blue"]} and found["phrase"] == "dark, grainy, bleu, blue"
    report = next((tmp_path / "runs").glob("*/*/report.html")).read_text()
    assert "What the phrase has drawn from" in report
    assert stylize.main(["apply", str(run), content, "dark, grainy, blue", "-o", "applied.png"]) == 0
    assert stylize.main(["apply", str(run), content, "night:0.5,a", "-o", "named.png"]) == 0


def test_each_style_of_a_mix_has_its_region_and_dark_ones_are_in_dark_parts():
    ramp = np.linspace(-1, 1, 60)[None, :, None] * np.ones((40, 1, 3))
    masks = regions(ramp, np.array([0.25, 0.75]))
    np.testing.assert_allclose(masks.sum(0), 1, atol=1e-6)
    np.testing.assert_allclose(masks.mean((1, 2)), [0.25, 0.75], atol=0.02)
    assert masks[0, :, 0].min() > 0.99 and masks[1, :, -1].min() > 0.99
    np.testing.assert_allclose(regions(np.zeros((40, 40, 3)), np.array([0.5, 0.5])).mean((1, 2)), 0.5, atol=0.02)
    # The second style is the darker one, the third has no share and is not painted.
    paintings = {0: np.ones_like(ramp), 1: np.zeros_like(ramp)}
    found = painted_in_regions(lambda mix: paintings[int(mix.argmax())], ramp, np.array([0.75, 0.25, 0.0], "f4"))
    assert found.dtype == np.float32 and found[:, 0].max() < 0.01 and found[:, -1].min() > 0.99
    np.testing.assert_allclose(found.mean(), 0.75, atol=0.02)


@pytest.mark.parametrize("verb", ["stylize", "apply"])
def test_regions_show_the_styles_of_a_mix(run, tmp_path, monkeypatch, verb):
    monkeypatch.chdir(tmp_path)
    content = picture("photo.png", shape=(40, 40, 3))
    of_verb = {"apply": ["apply", str(run), content], "stylize": [content]}[verb]
    options = [] if verb == "apply" else ["--model", str(run), "--size", "40"]
    for blend, phrase in (("mix", "dark, grainy, blue"), ("regions", "dark, grainy, blue"), ("mix", "green")):
        assert stylize.main([*of_verb, phrase, *options, "-o", f"{blend}-{phrase[0]}.png", "--blend", blend]) == 0
    mixed, parted, other = (
        np.asarray(Image.open(f"{name}.png")).astype(int) for name in ("mix-d", "regions-d", "mix-g")
    )
    assert np.abs(mixed - parted).mean() > 1 and np.abs(parted - other).mean() > 1


def test_a_phrase_goes_with_a_content_alone_and_a_model_with_a_phrase(run, tmp_path):
    for wrong in ({"styles": "ihc"}, {"styles": "dark", "preserve_color": "cov"}, {"styles": "dark", "masks": "m.png"}):
        with pytest.raises(ConfigError, match="phrase"):
            stylize.stylize(stylize.StylizeConfig(content=picture(tmp_path / "p.png"), model=str(run), **wrong))
    with pytest.raises(ConfigError, match="`blend` must be mix without a phrase.* Received: regions"):
        stylize.stylize(stylize.StylizeConfig(content=picture(tmp_path / "p.png"), blend="regions"))


def test_the_phrase_signature_paints_what_python_does(run):
    network = load_stylizer(str(run))
    known = load_phrases(str(run), network)
    model = PhraseStylizer(network, known)
    np.testing.assert_allclose(
        model(tf.constant(["dark blue"]))[0], known.mix("dark blue", network.styles), atol=1e-6
    )  # fmt: skip
    endpoints = style_signatures(model)
    file = tf.io.encode_png(tiny_images(1, 20, 3)[0])
    one = {"image_bytes": tf.stack([file]), "strength": tf.ones(1)}
    by_phrase = endpoints["phrase"](text=tf.constant(["dark blue"]), **one)["png_bytes"]
    by_mix = endpoints["mix"](mix=known.mix("dark blue", network.styles)[None], **one)["png_bytes"]
    assert by_phrase[0] == by_mix[0]
    with pytest.raises(tf.errors.InvalidArgumentError, match="known word"):
        endpoints["phrase"](text=tf.constant(["zzz"]), **one)


def test_phrases_of_another_network_and_changed_ones_are_refused(run, phrases, tmp_path):
    with pytest.raises(ArtifactError, match="styles of the network beside it"):
        StylePhrases.load(run / PHRASES, ["other"])
    phrases[0].save(tmp_path / PHRASES)
    facts = json.loads((tmp_path / PHRASES / "encoders.json").read_text())
    facts["metadata"]["directions"][0][0] += 1
    (tmp_path / PHRASES / "encoders.json").write_text(json.dumps(facts))
    with pytest.raises(ArtifactError, match="as it was saved"):
        StylePhrases.load(tmp_path / PHRASES, CAPTIONS.styles)
    (tmp_path / "bare").mkdir()
    load_stylizer(str(run)).save(tmp_path / "bare" / STYLIZER)
    config = stylize.StylizeConfig(
        content=picture(tmp_path / "p.png"), styles="dark", model=str(tmp_path / "bare")
    )  # fmt: skip
    with pytest.raises(ArtifactError, match="knows none"):
        stylize.stylize(config)


def test_captions_of_people_take_the_place_of_words(tmp_path):
    files = [tmp_path / "one.png", tmp_path / "two.png"]
    (tmp_path / "captions.csv").write_text("file,caption\none.png,a stormy sea\ntwo.png,quiet fields\n")
    captions, bank, _ = captions_of_styles(str(tmp_path / "captions.csv"), ["one", "two"], [], files)
    assert captions.full(1) == "quiet fields" and bank.phrases == ("a stormy sea", "quiet fields")
    rng = np.random.default_rng(0)
    assert all(np.isclose(captions.draw(rng)[1].sum(), 1) for _ in range(50))
    (tmp_path / "captions.csv").write_text("file,caption\none.png,a stormy sea\n")
    with pytest.raises(DataError, match=r"two\.png|of two"):
        captions_of_styles(str(tmp_path / "captions.csv"), ["one", "two"], [], files, "skip")


def test_captions_of_styles_in_several_folders_are_not_those_of_pictures_of_the_same_name(tmp_path):
    files = [tmp_path / "impressionism" / "1.png", tmp_path / "fauvism" / "2.png"]
    for file in files:
        file.parent.mkdir()
        Image.new("RGB", (8, 8)).save(file)
    captions = tmp_path / "captions.csv"
    captions.write_text("file,caption\ncubism/1.png,angular gray facets\nfauvism/2.png,wild bright colours\n")
    with pytest.raises(DataError, match="every style must have a caption. Received: none of one"):
        captions_of_styles(str(captions), ["one", "two"], [], files, "skip")
    captions.write_text("file,caption\nimpressionism/1.png,soft light\nfauvism/2.png,wild bright colours\n")
    found, _, _ = captions_of_styles(str(captions), ["one", "two"], [], files)
    assert found.phrases == (("soft light",), ("wild bright colours",))


def test_a_training_learns_phrases_and_leaves_a_preset(tmp_path, monkeypatch):
    from tfgantl.pipelines.stylize import train, training_results

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training_results, "publish", lambda *rest, **more: tmp_path / "exported")
    config = StyleTrainingConfig(
        styles="night-strokes,rose-dots,moss-wash", size=32, steps=1, width=2, blocks=1, batch_size=1, phrase_steps=2,
        run_dir="run", preset_dir="preset",
    )  # fmt: skip
    result = train.train_styles(config)
    network = load_stylizer("preset")
    assert network.styles == result.styles == ["night-strokes", "rose-dots", "moss-wash"]
    assert load_phrases("run", network).encoders.hash == load_phrases("preset", network).encoders.hash
    keep_preset(
        config, result.generator, {"styles": {}}, SimpleNamespace(path=Path("run"))
    )  # which is there, and stays
    described = describe_style(StyleDescriptionConfig(picture="night-strokes", model="preset"))
    assert set(described.near_to) <= set(network.styles) and described.beliefs["brightness"].keys() == {
        "dark",
        "bright",
    }
