"""Path lengths through latent spaces, and images that are drawn towards the average."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_DCGAN, TINY_STYLEGAN2, tiny_images

from tfgantl.editing.latent_space import LatentSpace
from tfgantl.editing.perceptual_path import path_distance, perceptual_path_length
from tfgantl.editing.truncation import truncated_images
from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.images import to_uint8
from tfgantl.metrics.evaluation import Evaluator
from tfgantl.pipelines.evaluate import EvaluateConfig, evaluate, subjects
from tfgantl.pipelines.evaluate.latents import best_truncation, rows_of_paths, truncation_curves
from tfgantl.pipelines.evaluate.report import truncation_plot
from tfgantl.pipelines.evaluate.results import EvaluateResult
from tfgantl.pipelines.evaluate.subjects import Subject, generated

DIMENSION = 6


class Straight:
    """A space whose images are its codes, of which all lengths are known."""

    latent_dim, reads_labels, image_shape = DIMENSION, False, (1, DIMENSION, 1)

    def __init__(self, name):
        self.name = name

    def labels(self, count):
        return None

    def of_latents(self, latents, labels):
        return latents

    def decode(self, codes, labels):
        return codes


def squared(images, others):
    return tf.reduce_sum(tf.square(images - others), axis=1)


@pytest.mark.parametrize("at", ["full", "end"])
def test_lengths_are_those_of_the_paths(at):
    """Steps of straight lines between standard normal codes have 2 d in the mean; those of arcs, radius · angle."""
    straight = perceptual_path_length(Straight("w"), squared, 2000, at, epsilon=1e-2)
    assert straight.low < 2 * DIMENSION < straight.high + 0.3  # without the longest per cent it is a little less
    arc = perceptual_path_length(Straight("z"), squared, 2000, at, epsilon=1e-2)
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 100_000, DIMENSION))
    cosines = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    assert arc.value == pytest.approx(DIMENSION * np.mean(np.arccos(cosines) ** 2), rel=0.05)


def test_a_path_length_is_repeatable_and_its_step_does_not_matter():
    lengths = [perceptual_path_length(Straight("w"), squared, 50, epsilon=e).value for e in (1e-2, 1e-2, 1e-3)]
    assert lengths[0] == lengths[1] == pytest.approx(lengths[2], rel=1e-2)
    assert perceptual_path_length(Straight("w"), squared, 50, seed=1).value != pytest.approx(lengths[0], rel=1e-3)


def test_what_has_no_path_length_is_told():
    for space, pairs, message in (("w+", 50, "`space` must be z or w"), ("z", 9, "`pairs` must be at least 10")):
        with pytest.raises(ConfigError, match=message):
            perceptual_path_length(Straight(space), squared, pairs)
    with pytest.raises(ConfigError, match="`path_pairs` must be 0 for images below 16 pixels. Received: 8 x 8"):
        path_distance((8, 8, 1))
    for settings in ({"path_pairs": 5}, {"truncation": (0.5, -1)}):
        with pytest.raises(ConfigError, match=f"`{next(iter(settings))}` must be"):
            EvaluateConfig(**settings)


def test_where_there_is_no_lpips_it_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("TFGANTL_TORCH_VGG16_WEIGHTS", str(tmp_path / "missing"))
    distance, name = path_distance((16, 16, 1), vgg=None)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 16, 16, 1)).astype(np.float32)
    assert name == "VGG16, not LPIPS" and float(distance(images, images)[0]) == 0 < float(distance(images, -images)[0])


def test_missing_weights_are_told_before_anything_is_measured(monkeypatch, tmp_path):
    for name in ("TFGANTL_VGG16_WEIGHTS", "TFGANTL_TORCH_VGG16_WEIGHTS"):
        monkeypatch.setenv(name, str(tmp_path / "missing"))
    monkeypatch.setattr(subjects, "load_target", lambda *arguments: pytest.fail("measured"))
    with pytest.raises(ArtifactError, match="missing"):
        evaluate(EvaluateConfig(model=("rendered-digits",), path_pairs=10))


@pytest.fixture(scope="module")
def styled():
    keras.utils.set_random_seed(3)
    generator = TINY_STYLEGAN2.build(8, 1, 3)[0]
    for weight in generator.trainable_weights:
        weight.assign(weight + 0.3 * np.random.default_rng(2).normal(size=weight.shape))
    return generator


def test_truncation_goes_from_the_average_to_what_is_generated(styled):
    space, labels = LatentSpace(styled, "w"), np.arange(6) % 3
    whole, half, none = (truncated_images(space, psi, 6, labels, seed=4).astype(int) for psi in (1.0, 0.5, 0.0))
    latents = np.random.default_rng([4, 11]).standard_normal((6, space.latent_dim), np.float32)
    expected = to_uint8(styled([latents, labels], training=False).numpy())
    np.testing.assert_allclose(whole, expected, atol=1)
    assert (none == none[0]).all() and whole.std(0).mean() > half.std(0).mean() > 0
    with pytest.raises(ConfigError, match="`psi` must be at least 0"):
        truncated_images(space, -1.0, 6, labels)
    with pytest.raises(ConfigError, match="`space` must be w"):
        truncated_images(LatentSpace(TINY_DCGAN.build(8, 1)[0], "z"), 1.0, 6)


def test_curves_against_truncation_are_of_what_has_a_w(styled, tiny_extractor, capsys):
    images, labels = tiny_images(60), np.arange(60) % 3
    evaluator = Evaluator(tiny_extractor, (images[:20], labels[:20]), (images[20:], labels[20:]), 3)
    config = EvaluateConfig(truncation=(1.0, 0.0, 0.5), samples=50)
    subjects = [Subject("styled", "styled.keras", styled), Subject("folder", "made/by/others", None)]
    found = truncation_curves(config, subjects, evaluator)
    assert list(found) == ["styled"] and "folder: no truncation, since it has no w" in capsys.readouterr().err
    curve = found["styled"]
    whole, labels = generated(subjects[0], evaluator.test_images, evaluator.test_labels, 50, 0)
    assert list(curve) == [0.0, 0.5, 1.0] and curve[0.0]["recall"] == 0.0
    assert curve[1.0]["ckid"] == pytest.approx(evaluator.some(whole, labels, ["ckid"])["ckid"], rel=0.05)
    assert best_truncation({0.5: {"ckid": 0.2}, 0.7: {"ckid": 0.1}, 1.0: {"ckid": None}}) == 0.7
    assert truncation_plot(curve).startswith(b"\x89PNG")


def test_path_lengths_are_rows_with_their_interval_and_distance():
    length = {"value": 12.5, "low": 10.0, "high": 15.0}
    rows = rows_of_paths({"a": {"distance": "LPIPS", "pairs": 100, "w end": length}})
    assert rows == [("a", "w end", "12.5 [10, 15]", "LPIPS, 100 pairs, ε = 1e-4")]
    result = EvaluateResult(
        model="a", metrics={}, diversity={}, protocol={}, privacy={"level": "low", "reason": "x"},
        truncation={"a": {0.5: {"ckid": 0.25, "cfid": None}}}, generator=None,
    )  # fmt: skip
    assert "a: ψ = 0.5: ckid 0.2500" in result.text()
