"""What can be told before training, and what is chosen by it."""

import numpy as np
import pytest

from tfgantl.data import Examples
from tfgantl.errors import ConfigError
from tfgantl.images import to_uint8
from tfgantl.metrics.transferability import Transferability, estimate_transferability
from tfgantl.transfer import Auto, FineTune


def shots(images, labels):
    return Examples.from_arrays(images, labels, 3)


def test_a_source_is_near_its_own_images_and_far_from_others(source, tiny_extractor):
    labels = np.arange(60) % 3
    own = to_uint8(source.generate(source.latents(60, seed=77), labels))
    near = estimate_transferability(source, shots(own, labels), tiny_extractor)
    noise = np.random.default_rng(0).integers(0, 256, own.shape, np.uint8)
    far = estimate_transferability(source, shots(noise, labels), tiny_extractor)
    assert abs(near.ckid) < 0.1 * far.ckid
    assert near.separability < 0.7 < 0.95 < far.separability
    assert near.shots == 60 and near.classes == 3
    assert f"{far.separability:.0%} of source and target images" in str(far)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_images_are_enough_to_look_ahead(source, tiny_extractor, count):
    labels = np.arange(count) % 3
    images = to_uint8(source.generate(source.latents(count), labels))
    transferability = estimate_transferability(source, shots(images, labels), tiny_extractor)
    assert (transferability.ckid is None) == (count == 1) and str(transferability).startswith("before training")


@pytest.mark.parametrize(
    ("ckid", "count", "name", "why"),
    [
        (3.0, 1000, "LoRA", "the source is far: cKID 3.00 > 2"),
        (1.0, 50, "LoRA", "only 50 images"),
        (None, 1, "LoRA", "only 1 images"),
        (1.0, 51, "FineTune", "more than 50 images"),
        (1.0, None, "FineTune", "more than 50 images"),
    ],
)
def test_auto_chooses_by_distance_and_number_of_images(ckid, count, name, why):
    method, reason = Auto().resolve(Transferability(ckid, 1.0, count, None))
    assert type(method).__name__ == name and reason.startswith(f"auto: {name}, because") and reason.endswith(why)


def test_a_method_is_its_own_choice():
    method = FineTune()
    assert method.resolve(Transferability(9.0, 1.0, 1, None)) == (method, "")


def test_auto_cannot_be_trained_with_before_it_has_chosen(source):
    with pytest.raises(ConfigError, match="`transfer` must be what `Auto.resolve` gives"):
        Auto().networks(source, "float32")
