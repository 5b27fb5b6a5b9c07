"""Encoders of texts and images: what is saved is what was trained, and phrases find the images they are true of."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgantl.crossmodal.captions import Captions
from tfgantl.crossmodal.contrastive import shifted, train_encoders
from tfgantl.crossmodal.description import describe_images
from tfgantl.crossmodal.encoders import FACTS, TextImageEncoders
from tfgantl.crossmodal.retrieval import chance_at, measure_retrieval, recall_at
from tfgantl.crossmodal.text_checks import check_text
from tfgantl.crossmodal.text_encoder import TextEncoder
from tfgantl.crossmodal.wrapped_text import WrappedTextEncoder, open_foreign_text
from tfgantl.errors import ArtifactError, ConfigError, DataError
from tfgantl.pipelines.imagine.encoders import vectors_of
from tfgantl.untrusted.networks import load_network

PHRASES = ("a thick seven", "a thin eight", "Été, three eights!")


@pytest.fixture(scope="module")
def text():
    keras.utils.set_random_seed(0)
    return TextEncoder.of(PHRASES, dimension=6, width=5, most_words=7)


def test_the_vocabulary_is_inside_of_the_file(text, tmp_path):
    text.save(tmp_path / "text.keras")
    again = load_network(tmp_path / "text.keras")
    asked = tf.constant([*PHRASES, "unheard of", ""])
    np.testing.assert_array_equal(again(asked), text(asked))
    assert again.vocabulary == text.vocabulary and "été" in text.vocabulary
    np.testing.assert_allclose(np.linalg.norm(text(asked)[:4], axis=1), 1, rtol=1e-5)


def test_case_and_signs_do_not_count_and_the_order_of_words_does(text):
    same, other = text(tf.constant(["A THICK,  seven.", "a thick seven"])), text(tf.constant(["seven thick a"]))
    np.testing.assert_allclose(same[0], same[1], atol=1e-6)
    assert np.abs(other[0] - same[0]).max() > 1e-3
    numbers = text.numbers(["a thick seven"])
    short = text.of_numbers(tf.constant(numbers[:, :3]))
    np.testing.assert_allclose(short, same[:1], atol=1e-6)  # padding changes nothing


MISTAKES = {
    "": "must be words. Received: no text",
    " \n ": "must be words",
    "!?": "must be words. Received: !?",
    "三つ": "must have a known word, such as .*. Received: 三つ",
    "thicc sevn": "must have a known word, such as thick, .*seven",
    "x" * 501: "at most 500 characters. Received: 501",
    "x" * 10_000_000: "at most 500 characters. Received: 10000000",
    "a " * 8: "at most 7 words. Received: 8",
    "a \x1b[31m seven": "without control characters. Received: .x1b",
    "a \u202e seven": "without control characters",
    "a \ud800 seven": "without control characters",
}


@pytest.mark.parametrize("wrong", MISTAKES, ids=lambda wrong: repr(wrong[:12]))
def test_texts_that_nothing_can_be_thought_of_by_are_refused(text, wrong):
    with pytest.raises(DataError, match=MISTAKES[wrong]) as told:
        check_text(wrong, text, "query")
    assert str(told.value).startswith("`query` must ") and len(str(told.value)) < 300


def test_unknown_words_come_with_known_ones(text):
    assert check_text(" a thicc seven\n", text) == "a thicc seven"
    assert text.unknown_words("a thicc seven, a") == {"thicc": ["thick", "thin"]}


@pytest.mark.parametrize("vocabulary", [[], ["a", "a"]])
def test_a_vocabulary_has_words_each_once(vocabulary):
    with pytest.raises(ConfigError, match="`vocabulary` must have"):
        TextEncoder(vocabulary)
    with pytest.raises(DataError, match="captions must have words"):
        TextEncoder.of(["!"])


# --- training ---------------------------------------------------------------------------------------------------------


def bars(count=48, seed=0):
    """Images with a bright bar in one of four rows, and captions with synonyms."""
    rng = np.random.default_rng(seed)
    rows = np.arange(count) % 4
    images = rng.integers(0, 60, (count, 8, 8, 1), dtype=np.uint8)
    images[np.arange(count), 2 * rows] = 250
    names = [("first", "top"), ("second", "upper"), ("third", "lower"), ("last", "bottom")]
    return images, Captions.of([[f"the {word} row" for word in names[row]] for row in rows])


@pytest.fixture(scope="module")
def trained():
    return train_encoders(*bars(), steps=60, batch_size=24, seed=1, dimension=8, width=4, shift=0)


def test_phrases_find_the_images_they_are_true_of(trained):
    images, captions = bars(seed=5)
    found = measure_retrieval(trained, images, captions, ranks=(1,))
    assert found["text → picture"][1] > 0.9 and found["picture → text"][1] > 0.9
    assert found["by chance, text → picture"][1] == pytest.approx(0.25)
    assert found["by chance, picture → text"][1] == pytest.approx(0.25)
    (description,) = describe_images(trained, images[:1], top=2)
    assert {caption for caption, _ in description.nearest} == {"the first row", "the top row"}
    assert description.confidence > 0.3 and description.lines()[0].startswith(description.caption)


def test_equal_captions_are_no_rivals(trained):
    """Six images of a batch share each caption, and are not driven apart by it."""
    images, captions = bars()
    similarity = trained.similarity(images, captions.phrases)
    true = captions.true_of(np.arange(48), np.arange(8))
    worst, others = np.where(true, similarity, 9).min(1), np.where(true, -9, similarity).max(1)
    assert np.mean(worst > others) > 0.9


def test_a_seed_repeats_a_training():
    one, same, other = (
        train_encoders(*bars(12), steps=2, batch_size=4, seed=seed, dimension=4, width=2) for seed in (3, 3, 4)
    )
    assert one.hash == same.hash != other.hash and one.scale == same.scale


def test_what_is_saved_is_what_is_loaded_and_nothing_else(trained, tmp_path):
    trained.save(tmp_path / "encoders")
    again = TextImageEncoders.load(tmp_path / "encoders")
    images, captions = bars(4)
    np.testing.assert_array_equal(
        again.similarity(images, captions.phrases), trained.similarity(images, captions.phrases)
    )
    assert again.hash == trained.hash and again.bank.phrases == trained.bank.phrases and again.scale == trained.scale
    facts = json.loads((tmp_path / "encoders" / FACTS).read_text())
    facts["bank"]["phrases"][0] = "something else"
    (tmp_path / "encoders" / FACTS).write_text(json.dumps(facts))
    with pytest.raises(ArtifactError, match="must be as it was saved, with the hash"):
        TextImageEncoders.load(tmp_path / "encoders")
    with pytest.raises(ArtifactError, match="encoders must be a directory with encoders.json"):
        TextImageEncoders.load(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["encoders"]


@pytest.mark.parametrize("count", [1, 3])
def test_each_image_needs_captions(count):
    images, captions = bars(4)
    with pytest.raises(DataError, match=f"each with captions. Received: {count}, and captions of 4"):
        train_encoders(images[:count], captions, steps=1)


def test_images_of_another_size_are_refused(trained):
    with pytest.raises(ArtifactError, match=r"takes images of \(8, 8, 1\). Received: \(9, 9, 1\)"):
        trained.embed_images(np.zeros((1, 9, 9, 1), np.uint8))


def test_shifts_repeat_the_border():
    image = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    found = {tuple(shifted(image, 1, np.random.default_rng(seed))[0, :, 0, 0]) for seed in range(30)}
    columns = [image[0, :, column, 0] for column in (0, 1)]  # moved to either side, the border is there again
    expected = {tuple(column[np.clip(np.arange(4) + by, 0, 3)]) for column in columns for by in (-1, 0, 1)}
    assert found == expected


# --- retrieval --------------------------------------------------------------------------------------------------------


def test_recall_counts_the_best_relevant_one_and_no_luck():
    similarity = np.array([[0.9, 0.8, 0.7, 0.1], [0.5, 0.5, 0.5, 0.5], [0.1, 0.2, 0.3, 0.4]])
    relevant = np.array([[0, 0, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]], bool)
    assert recall_at(similarity, relevant, (1, 3, 4)) == {1: 0.0, 3: 0.5, 4: 1.0}


def test_chance_is_what_random_orders_give():
    rng = np.random.default_rng(0)
    relevant = rng.random((400, 12)) < 0.2
    found = recall_at(rng.random((400, 12)), relevant, (1, 5))
    expected = chance_at(relevant, (1, 5))
    assert found[1] == pytest.approx(expected[1], abs=0.08) and found[5] == pytest.approx(expected[5], abs=0.08)


# --- encoders of other programs ---------------------------------------------------------------------------------------


class Letters(tf.Module):
    """Counts of four letters, as some other program might encode a text."""

    def __init__(self):
        self.weight = tf.Variable(np.eye(4, dtype=np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="sentences")])
    def serve(self, sentences):
        lengths = [tf.strings.length(tf.strings.regex_replace(sentences, f"[^{letter}]", "")) for letter in "orst"]
        counts = [tf.cast(length, tf.float32) for length in lengths]
        return {"vectors": tf.stack(counts, 1) @ self.weight + 0.1}


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    path = tmp_path_factory.mktemp("module") / "letters"
    letters = Letters()
    tf.saved_model.save(letters, str(path), signatures=letters.serve)
    return path


def test_a_savedmodel_of_strings_is_used_as_it_is(module, tmp_path):
    wrapped = open_foreign_text(str(module), dimension=5)
    images, captions = bars(16)
    before = wrapped.numbers(["the top row"])
    encoders = train_encoders(images, captions, steps=3, batch_size=8, width=2, text=wrapped)
    np.testing.assert_array_equal(wrapped.numbers(["the top row"]), before)
    assert len(wrapped.trainable_variables) == 2 and encoders.embed_texts(["ほ"]).shape == (1, 5)
    encoders.save(tmp_path / "encoders")
    again = TextImageEncoders.load(tmp_path / "encoders")
    np.testing.assert_allclose(again.embed_texts(["the top row"]), encoders.embed_texts(["the top row"]), atol=1e-6)
    variables = module / "variables" / "variables.data-00000-of-00001"
    trained = variables.read_bytes()
    variables.write_bytes(trained[::-1])  # trained anew, under the same graph
    with pytest.raises(ArtifactError, match="must be the text encoder that the model was made from"):
        TextImageEncoders.load(tmp_path / "encoders")
    variables.write_bytes(trained)
    (module / "saved_model.pb").rename(module / "moved")
    with pytest.raises(ArtifactError, match="must be the text encoder that the model was made from"):
        TextImageEncoders.load(tmp_path / "encoders")
    (module / "moved").rename(module / "saved_model.pb")


def test_a_keras_model_of_strings_becomes_a_part(text, tmp_path):
    text.save(tmp_path / "text.keras")
    wrapped = open_foreign_text(str(tmp_path / "text.keras"), dimension=3)
    wrapped.save(tmp_path / "wrapped.keras")
    (tmp_path / "text.keras").unlink()
    again = load_network(tmp_path / "wrapped.keras")
    np.testing.assert_allclose(again(tf.constant(PHRASES)), wrapped(tf.constant(PHRASES)), atol=1e-6)
    assert len(wrapped.trainable_variables) == 2


def test_what_gives_no_vectors_of_strings_is_refused(tmp_path):
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ArtifactError, match="must map strings to vectors"):
        WrappedTextEncoder(network)
    with pytest.raises(ArtifactError, match="`text_encoder` must be a .keras file, or the directory of a SavedModel"):
        open_foreign_text(str(tmp_path))


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (lambda texts: tf.zeros((1, 4)), "must give 2 vectors for as many texts. Received: 1"),
        (lambda texts: tf.zeros((tf.shape(texts)[0], 0)), "a signature must map strings .* to vectors"),
        (lambda texts: tf.ones((tf.shape(texts)[0], 4)), "must tell texts apart. Received: the same vector"),
    ],
    ids=["another number of rows", "nothing in a row", "one vector for all"],
)
def test_vectors_that_nothing_could_be_learnt_of_are_refused(tmp_path, vectors, message):
    module = tf.Module()
    signature = [tf.TensorSpec([None], tf.string, name="text")]
    module.serve = tf.function(lambda text: {"vectors": vectors(text)}, input_signature=signature)
    tf.saved_model.save(module, str(tmp_path / "module"), signatures=module.serve)
    with pytest.raises(ArtifactError, match=message):
        open_foreign_text(str(tmp_path / "module"), dimension=3).numbers(["a thin seven", "a thick seven"])


def test_a_generator_is_not_told_what_does_not_differ(text):
    with pytest.raises(ArtifactError, match="must tell texts apart. Received: the same vector for all of them"):
        vectors_of(text, ["zyx", "wvu"])  # which it does not know


def test_an_encoder_that_answers_otherwise_each_time_teaches_nothing(tmp_path):
    module = tf.Module()
    signature = [tf.TensorSpec([None], tf.string, name="text")]
    module.serve = tf.function(lambda text: {"vectors": tf.random.normal((tf.shape(text)[0], 4))}, signature)
    tf.saved_model.save(module, str(tmp_path / "module"), signatures=module.serve)
    with pytest.raises(ArtifactError, match="the same vectors for the same texts. Received: others each time"):
        vectors_of(open_foreign_text(str(tmp_path / "module"), dimension=3), list(PHRASES))


@pytest.mark.parametrize("scale", [1e39, float("inf"), 0.0, float("nan")])
def test_a_scale_of_which_no_shares_can_be_made_is_refused(trained, tmp_path, scale):
    replace(trained, scale=scale).save(tmp_path / "encoders")
    with pytest.raises(ArtifactError, match="`scale` must be a finite number above 0, at most 10000. Received: "):
        TextImageEncoders.load(tmp_path / "encoders")


@pytest.mark.parametrize("known", ["pooled_output", None])
def test_of_several_vectors_of_a_text_the_same_is_taken_each_time(tmp_path, known):
    module = tf.Module()
    rows = lambda text, size: tf.cast(tf.strings.length(text), tf.float32)[:, None] * tf.ones((1, size))  # noqa: E731
    module.serve = tf.function(
        lambda text: {known or "other": rows(text, 4), "last": rows(text, 6)},
        input_signature=[tf.TensorSpec([None], tf.string, name="text")],
    )
    tf.saved_model.save(module, str(tmp_path / "module"), signatures=module.serve)
    if known:
        assert open_foreign_text(str(tmp_path / "module"), dimension=3).numbers(["a"]).shape == (1, 4)
        return
    with pytest.raises(ArtifactError, match="of several outputs, one must be called .* Received: last, other"):
        open_foreign_text(str(tmp_path / "module"), dimension=3)
