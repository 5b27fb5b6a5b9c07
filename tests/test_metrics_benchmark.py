"""The benchmark of metrics: damage that is what it says, and tables that say what was measured."""

import numpy as np
import pytest
from conftest import tiny_images

from benchmarks.damage import DAMAGE, hue_shifted
from benchmarks.metrics import MetricsBenchmarkConfig, measure
from benchmarks.metrics_tables import change, lines, spread
from tfgantl.errors import ConfigError

PICTURES = tiny_images(100), np.repeat(np.arange(10), 10)
TRAIN = tiny_images(20, seed=9), np.arange(20) % 10


def rows_of(images):
    return [image.tobytes() for image in images]


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_keeps_sizes_and_does_what_it_says(name):
    images, labels = DAMAGE[name](PICTURES, TRAIN, np.random.default_rng(0))
    assert images.shape == PICTURES[0].shape and images.dtype == np.uint8 and labels.shape == PICTURES[1].shape
    known = set(rows_of(PICTURES[0]))
    if "class" in name and "missing" in name:
        assert len(set(labels)) == 9 and set(rows_of(images)) < known
    elif "tenth" in name:
        assert len(set(rows_of(images))) == 10
    elif "copies" in name:
        assert set(rows_of(images)) <= set(rows_of(TRAIN[0]))
    elif "labels" in name:
        assert (labels != PICTURES[1]).sum() == 20 and (images == PICTURES[0]).all()
    elif "hue" not in name:  # gray pictures have none
        assert not set(rows_of(images)) & known


def test_a_hue_that_is_turned_leaves_gray_and_comes_back():
    colours = np.array([[[[200, 90, 90], [90, 90, 90]]]], np.uint8)
    third = hue_shifted(colours, 1 / 3)[0, 0].astype(int)
    assert np.abs(third - [[90, 200, 90], [90, 90, 90]]).max() <= 1
    assert np.abs(hue_shifted(colours, 1.0).astype(int) - colours).max() <= 1


def test_every_metric_of_a_draw_is_measured(tiny_extractor):
    config = MetricsBenchmarkConfig(classifier_steps=0)
    plain = measure(tiny_extractor, TRAIN, PICTURES, 40, None, 0, config)
    copied = measure(tiny_extractor, TRAIN, PICTURES, 40, "copies of the 100 training pictures", 0, config)
    assert {"ckid", "cfid", "gaussian_mmd", "recall", "coverage", "nn_ratio", "cfid, extrapolated"} <= set(plain)
    assert "gan_train" not in plain and copied["nn_ratio"] < 0.1 < plain["nn_ratio"]


def test_tables_say_means_spreads_and_changes():
    found = {"digits": {"counts": {"50": {"ckid": [0.01234, 0.00456]}}, "damage": {
        "none": {"ckid": [1.0, 0.5]}, "noise": {"ckid": [31.0, 2.0]}, "blur": {"ckid": [2.0, 2.0]},
    }}}  # fmt: skip
    page = "\n".join(lines(found, 12, 400, classified=False))
    assert "| cKID | 0.0123 ± 0.0046 |" in page and "| cKID | +60 | +2.0 |" in page and "12 draws" in page
    assert spread(None) == change([1.0, 0.5], None) == change([1.0, 0.0], [2.0, 0.0]) == "–"


def test_more_pictures_than_there_are_are_refused():
    with pytest.raises(ConfigError, match="must be at most 848, half of the pictures. Received: .*900"):
        MetricsBenchmarkConfig(counts=(50, 900))
