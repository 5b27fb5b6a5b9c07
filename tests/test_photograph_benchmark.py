"""The benchmark of pictures in colour: what is measured beside features of VGG16."""

import numpy as np
from conftest import tiny_images

from benchmarks.photograph_features import pictures_of, with_learnt
from tfgantl.images import encode_png, grid


def test_pictures_of_a_sheet_are_those_that_were_put_there(tmp_path):
    images = tiny_images(100, 64, 3)
    (tmp_path / "sheet.png").write_bytes(encode_png(grid(images, 10), scale=2))
    np.testing.assert_array_equal(pictures_of(tmp_path / "sheet.png"), images)


def test_results_have_what_learnt_features_measure():
    result = {"adapted": {"ckid": 0.5}, "scratch": {"ckid": 0.9}, "verdict": "positive"}
    learnt = {"adapted": {"ckid": 0.1, "coverage": 0.6}, "scratch": {"ckid": 0.2, "coverage": 0.3}}
    assert with_learnt(result, learnt) == {
        "adapted": {"ckid": 0.5, "learnt_ckid": 0.1, "learnt_coverage": 0.6},
        "scratch": {"ckid": 0.9, "learnt_ckid": 0.2, "learnt_coverage": None},
        "verdict": "positive",
    }
    del result["scratch"], learnt["scratch"]  # of further methods, which share one training from scratch
    assert with_learnt(result, learnt)["adapted"]["learnt_coverage"] == 0.6
