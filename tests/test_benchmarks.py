"""The benchmarks' own bookkeeping, and one real job."""

import json

import numpy as np
import pytest
from conftest import tiny_images

from benchmarks import peer, photograph_tiles, recognition
from benchmarks.jobs import result_path, run_job
from benchmarks.pairs import HALF, PAIRS, coloured, write_archives, write_textures
from benchmarks.recognition import RecognitionBenchmarkConfig
from benchmarks.results import keep
from benchmarks.tables import cell, replace_part
from benchmarks.transfer import TransferBenchmarkConfig, benchmark_transfer
from tfgantl.errors import ConfigError
from tfgantl.recognition import FineTuneClassifier


def test_a_part_of_a_page_is_replaced_and_the_others_stay(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One\n\nfirst\n\n# Two\n\nsecond\n")
    replace_part(page, "# One", ["# One", "", "new", ""])
    replace_part(page, "# Three", ["# Three", "", "third", ""])
    assert page.read_text() == "# One\n\nnew\n\n# Two\n\nsecond\n# Three\n\nthird\n"


def test_a_cell_has_the_sample_standard_deviation():
    assert cell([0.001, 0.003], 1000.0, 2) == "2.00 ± 1.41"
    assert cell([0.001], 1000.0, 2) == "1.00"
    assert cell([None, None]) == "–"


def test_targets_of_mnist_hold_nothing_that_their_source_saw(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (HALF + 200, 28, 28), np.uint8)
    np.savez(tmp_path / "all.npz", x=x, y=np.sort(np.arange(len(x)) % 10))
    write_archives(tmp_path, str(tmp_path / "all.npz"))
    found = {name: np.load(tmp_path / f"{name}.npz")["x"] for name in
             ("mnist", "mnist-rest", "mnist-others", "mnist-held-out", "mnist-coloured")}  # fmt: skip
    for source, target in (("mnist", "mnist-rest"), ("mnist-others", "mnist-held-out")):
        both = np.concatenate([found[source], found[target]])
        assert len(both) == len(x) == len({image.tobytes() for image in both})
    assert found["mnist-coloured"].shape == (200, 28, 28, 3)
    for name in ("mnist", "mnist-rest"):  # although the archive is in the order of classes
        assert set(np.load(tmp_path / f"{name}.npz")["y"]) == set(range(10))


def test_coloured_digits_are_dark_on_bright():
    image = np.zeros((1, 4, 4), np.uint8)
    image[0, 1] = 255
    result = coloured(image)[0]
    assert result[1].max() <= 110 and result[[0, 2, 3]].min() >= 150
    assert len(np.unique(result[0].reshape(-1, 3), axis=0)) == 1  # one paper


@pytest.mark.parametrize("name", [name for name, pair in PAIRS.items() if not pair.needs_mnist])
def test_pairs_give_as_many_images_as_asked_for(tmp_path, name):
    write_textures(tmp_path)
    pair = PAIRS[name]
    for images in pair.images:
        assert pair.shots(tmp_path, images, 1).load("train").size == images
    one, other = (pair.shots(tmp_path, 10, seed) for seed in (1, 2))
    assert one.load("test").fingerprint == other.load("test").fingerprint
    assert one.load("train").fingerprint != other.load("train").fingerprint


def test_images_of_a_pair_keep_their_colours_whatever_the_source_makes(tmp_path):
    np.savez(tmp_path / "mnist-coloured.npz", x=tiny_images(300, 28, 3), y=np.arange(300) % 10)
    assert PAIRS["style"].shots(tmp_path, 10, 0).sized(28, 1).load("train").channels == 3


def test_shots_that_classes_cannot_share_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="`images` must be a multiple of 10, the number of classes. Received: 15"):
        PAIRS["digits"].shots(tmp_path, 15, 0)


def test_unknown_rows_are_named():
    with pytest.raises(ConfigError, match="`rows` must be of Scratch; .* Received: Magic"):
        TransferBenchmarkConfig(rows=("Magic", "FineTune"))


def test_finished_jobs_are_read_and_not_run_again(tmp_path):
    """One real job; every other result is there already."""
    work = tmp_path / "work"
    config = TransferBenchmarkConfig(
        pairs=("digits",), rows=("Scratch", "FineTune"), images=(10,), seeds=(0, 1), steps=2, work_dir=str(work),
        report=str(tmp_path / "page.md"),
    )  # fmt: skip
    work.mkdir()
    (work / "costs-2.json").write_text(json.dumps({}))
    real = run_job(work, "digits", 10, "FineTune", 0, 2, 1.0)
    assert real["steps"] == 2 and 0.0 <= real["coverage"] <= 1.0
    for job in config.jobs():
        path = result_path(work, *job, 2)
        if not path.is_file():
            path.write_text(json.dumps({**real, "ckid": 0.004 if job[2] == "Scratch" else real["ckid"]}))
    result = benchmark_transfer(config)
    assert result["digits"][10]["Scratch"]["ckid"] == 0.004
    assert result["digits"][10]["FineTune"]["ckid"] == pytest.approx(real["ckid"])
    assert "| Scratch | 4.00 ± 0.00 |" in (tmp_path / "page.md").read_text()


def test_recognition_reads_what_is_there_and_trains_what_is_missing(tmp_path, monkeypatch):
    """The pair with the fewest trainings is real, two steps each; the accuracies of the others are made up."""
    config = RecognitionBenchmarkConfig(
        method=[FineTuneClassifier()], seeds=(0,), steps=2, work_dir=str(tmp_path), report=str(tmp_path / "page.md")
    )
    known = {"source-only": 0.5, "FineTuneClassifier": 0.9, "FineTuneClassifier, 1 label a class": 0.6}
    pair = ("rendered", "handwritten")
    for trial in recognition.missing(config, *pair, 0):
        made_up = {"accuracy": known.get(trial.row, 1.0), "seconds": 1.0, "score": 1.0}
        keep(recognition.result_path(config, *pair, trial.row, 0), made_up)
    ranks = dict.fromkeys((*recognition.MEASURES, "label_shift"), 0.5)
    keep(recognition.result_path(config, *pair, "rank", 0), ranks)
    for name in photograph_tiles.METHODS:
        keep(photograph_tiles.result_path(config, name, 0), {"accuracy": 0.75, "seconds": 1.0})
    for name in peer.METHODS:
        keep(peer.result_path(config, name, 0), {"ours": 0.7, "theirs": 0.6, "ratio": 0.8})
    recognition.train_pair(config, "rendered, upright", "handwritten", 0)
    monkeypatch.setattr(recognition, "run_pair", None)  # nothing is missing
    result = recognition.benchmark_recognition(config)
    assert result["rendered → handwritten, 1 label a class"]["FineTuneClassifier, 1 label a class"] == [0.6]
    real = result["rendered, upright → handwritten, 10 labels a class"]
    assert set(real) == {
        "source-only", "oracle", "target-only, 10 labels a class", "FineTuneClassifier, 10 labels a class",
    }  # fmt: skip
    assert all(0.0 < value < 1.0 for values in real.values() for value in values)
    page = (tmp_path / "page.md").read_text()
    assert "| FineTuneClassifier | 0.600 | 20 % | 1 |" in page and "| source-only | 0.500 | 0 % | 1 |" in page
    for part in (
        "| rendered, upright → handwritten |",
        "Kendall τ",
        "| VGG16Head | 0.750",
        "| MCD | 0.700 | 0.600 | 0.80 |",
    ):
        assert part in page, part
