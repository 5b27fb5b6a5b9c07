"""Pairs that are made text-conditional: what they keep of their source, and how they learn captions."""

import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY, conditional_pair, numpy_weights, tiny_images

from tfgantl.crossmodal.captioned import captioned, classes_named
from tfgantl.crossmodal.captions import Captions
from tfgantl.crossmodal.text_conditioning import CaptionTable, from_vectors, text_conditional, with_captions
from tfgantl.data import Examples
from tfgantl.errors import ConfigError
from tfgantl.gan import GAN
from tfgantl.models.families import text_families
from tfgantl.models.layers.caption_vectors import CaptionVectors, blend
from tfgantl.optimizers import Adam
from tfgantl.transfer import CDC, FineTune, FreezeD, LoRA, MineGAN
from tfgantl.transfer.text_matching import TextMatching

PHRASES = ("a thin zero", "a thick zero", "a thin one", "a thick one", "a thin two", "a thick two")
CLASSES = np.array([0, 0, 1, 1, 2, 2])
FAMILIES = [family.__name__ for family in text_families()]


def table(phrases=PHRASES, dimension=6):
    """Vectors with a part of their own for each class and for each width."""
    of_class, of_width = np.eye(dimension)[CLASSES], np.eye(dimension)[3 + np.arange(6) % 2]
    vectors = of_class + 0.5 * of_width
    return CaptionTable(phrases, (vectors / np.linalg.norm(vectors, axis=1)[:, None]).astype("f4"), CLASSES)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_map_from_text_starts_as_the_label_that_it_names(family):
    source = conditional_pair(TINY[family])
    made, report = text_conditional(source, table())
    latents, images = source.latents(6), source.generate(source.latents(6), CLASSES)
    apart = np.abs(images - source.generate(latents, (CLASSES + 1) % 3)).mean()
    assert np.abs(images - made.generate(latents, np.arange(6))).mean() < 0.05 * apart
    np.testing.assert_allclose(made.score(images, np.arange(6)), source.score(images, CLASSES), atol=0.1)
    assert "label_embedding/kernel: from the rows of 3 classes" in "\n".join(report.lines())


def test_captions_start_from_the_classes_that_the_source_has_for_theirs():
    source = conditional_pair()
    made, _ = text_conditional(source, table(), source_classes=[2, 0, -1])
    latents = source.latents(6)
    wanted = source.generate(latents, np.array([2, 2, 0, 0, 1, 1]))
    close = np.abs(made.generate(latents, np.arange(6)) - wanted).mean((1, 2, 3))
    assert (close[:4] < 1e-3).all() and close[4:].min() > close[:4].max()


def test_text_has_no_effect_at_first_on_an_unconditional_source_but_gets_gradients():
    source = conditional_pair(classes=None)
    made, _ = text_conditional(source, table())
    latents = source.latents(6)
    np.testing.assert_array_equal(made.generate(latents, np.arange(6)), source.generate(latents))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(made.generator([latents, np.arange(6)]) ** 2)
    kernel = made.generator.get_layer("block0_dense").kernel
    assert np.abs(tape.gradient(loss, kernel.value)[-1]).max() > 0


def test_other_captions_keep_the_map():
    made, _ = text_conditional(conditional_pair(), table())
    chosen = table()
    other = CaptionTable(PHRASES[:2], chosen.vectors[[4, 1]], CLASSES[[4, 1]])
    again, _ = text_conditional(made, other)
    latents = made.latents(2)
    np.testing.assert_array_equal(again.generate(latents, np.arange(2)), made.generate(latents, np.array([4, 1])))
    shorter = with_captions(made.ema_generator, other)
    np.testing.assert_array_equal(shorter([latents, np.arange(2)]), made.ema_generator([latents, np.array([4, 1])]))


@pytest.mark.parametrize("family", [name for name in TINY if name not in FAMILIES])
def test_families_whose_labels_enter_elsewhere_are_told(family):
    with pytest.raises(ConfigError, match=f"must be of DCGAN, .* text-conditional. Received: {family}Generator"):
        text_conditional(conditional_pair(TINY[family]), table())


def test_encoders_that_do_not_fit_are_told():
    made, _ = text_conditional(conditional_pair(), table())
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
    source, _ = text_conditional(conditional_pair(size=28), table())
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
    source, _ = text_conditional(conditional_pair(), table())
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
