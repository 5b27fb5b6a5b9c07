"""What the benchmark of pictures in colour is made of: archives, rows and pictures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny_images
from PIL import Image

from benchmarks import photographs, stylegan2
from benchmarks.photograph_features import pictures_of, with_learnt
from benchmarks.photograph_pairs import PAIRS, SOURCES, Archive
from benchmarks.photographs import PhotographBenchmarkConfig
from benchmarks.results import begun, keep
from tfgantl.errors import ConfigError
from tfgantl.images import encode_png, grid, save_png

PAIR = "white-cells-100-FineTune-0-2000"


def test_archives_are_cut_by_class_once(tmp_path):
    x, y = tiny_images(30, 8, 3), np.arange(30) % 3
    np.savez(tmp_path / "cells.npz", x=x, y=y)
    archive = Archive("cells", (1,))
    for _ in range(2):
        source = archive.source(tmp_path, tmp_path / "work", shots=2)
    found = np.load(source.path)["x"]
    np.testing.assert_array_equal(found, x[y == 1])
    assert source.shots == 2 and source.labels is None
    with pytest.raises(ConfigError, match="`data` must be a directory with no.npz. Received"):
        Archive("no").source(tmp_path, tmp_path)


def test_what_is_there_is_not_trained_again_and_makes_the_page(tmp_path, monkeypatch):
    """Also after a session that has ended between two trainings."""
    config = PhotographBenchmarkConfig(
        data="nowhere", pairs=("white cells",), methods=("FineTune", "FreezeD", "FineTune with Projected"),
        seeds=(0, 1), work_dir=str(tmp_path / "work"), report=str(tmp_path / "page.md"),
    )  # fmt: skip
    numbers = {"ckid": 0.5, "coverage": 0.25, "recall": 0.1}
    keep(tmp_path / "work" / "red-cells-4000.json", {**numbers, "steps": 4000})
    for seed in (0, 1):
        for method in config.methods:
            result = {"adapted": numbers}
            if method != "FreezeD":
                result |= {"scratch": {**numbers, "ckid": 1.5 + seed}, "verdict": "positive"}
            run = tmp_path / "work" / f"white-cells-100-{method.replace(' ', '-')}-{seed}-2000"
            keep(run.with_suffix(".json"), result)
            learnt = {"ckid": 0.01, "coverage": 0.75}
            keep(run.with_suffix(".learnt.json"), dict.fromkeys(["adapted", "scratch"], learnt))
    sheet = np.zeros((1302, 1302, 3), np.uint8)
    shown = "fakes_source", "fakes_adapted", "reals", "fakes_baseline"
    for name in ("red-cells-4000/fakes_pretrain", "red-cells-4000/reals", *(f"{PAIR}/{part}" for part in shown)):
        path = tmp_path / "work" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_png(path, sheet)
    photographs.benchmark_photographs(config)
    page = Path(config.report).read_text()
    assert "| red cells | 4,000 | 500.0 | 0.250 | 0.100 |" in page
    adapted = "| white cells | 100 | FineTune | 500.0 ± 0.0 | 0.250 ± 0.000 | 0.100 ± 0.000 |"
    assert f"{adapted} 10.0 ± 0.0 | 0.750 ± 0.000 | positive, positive |" in page
    for row in ("from scratch", "from scratch with Projected"):
        assert f"| white cells | 100 | {row} | 2000.0 ± 707.1 |" in page
    with Image.open(tmp_path / "pictures_white_cells.png") as picture:
        assert picture.size == (4 * 325 + 3 * 12, 325)
    assert (tmp_path / "pictures_red_cells.png").is_file()
    # A pair that is not finished is left out of the tables, and is not begun.
    photographs.benchmark_photographs(replace(config, pairs=("Lorelei", "white cells"), tables=True))
    assert Path(config.report).read_text() == page
    # What learnt features have not measured is not measured for the tables.
    (tmp_path / "work" / f"{PAIR}.learnt.json").unlink()
    photographs.benchmark_photographs(replace(config, tables=True))
    assert f"{adapted} – | – | positive, positive |" in Path(config.report).read_text()


def test_orderings_of_papers_are_counted_over_seeds_that_both_methods_have(tmp_path):
    work = tmp_path / "work"
    config = stylegan2.StyleGAN2BenchmarkConfig(
        data="nowhere", methods=("FineTune", "EWC", "CDC"), seeds=(0, 1), work_dir=str(work), tables=True,
        report=str(tmp_path / "page.md"),
    )  # fmt: skip
    with pytest.raises(ConfigError, match="`tables` must be of adaptations that are finished. Received: none in"):
        stylegan2.benchmark_stylegan2(config)
    runs = work / "StyleGAN2"
    keep(runs / "Open-Peeps-6000.json", {"ckid": 0.25, "coverage": 0.5, "steps": 6000})
    distances = {"FineTune": (0.1, 0.3), "EWC": (0.2, 0.2), "CDC": (0.4,)}
    for method, some in distances.items():
        for seed, distance in enumerate(some):
            numbers = {"ckid": distance, "coverage": 0.25, "recall": 0.1, "intra_cluster": distance / 2}
            result = {"adapted": numbers} | ({"scratch": numbers, "verdict": "neutral"} if method == "FineTune" else {})
            run = runs / f"Lorelei-10-{method}-{seed}-1000"
            keep(run.with_suffix(".json"), result)
            if seed == 0:
                run.mkdir()
                save_png(run / "fakes_adapted.png", np.zeros((1302, 1302, 3), np.uint8))
                save_png(run / "reals.png", np.zeros((132, 1302, 3), np.uint8))  # ten pictures are one row
    found = stylegan2.benchmark_stylegan2(config)
    assert [len(results) for results in found["methods"].values()] == [2, 2, 1]
    page = Path(config.report).read_text()
    assert "(KID × 1000 250.0, coverage 0.500)" in page and "| CDC | 400.0 | 0.250 | 0.100 | 0.200 | – | – |  |" in page
    assert (
        "| FineTune | 200.0 ± 141.4 | 0.250 ± 0.000 | 0.100 ± 0.000 | 0.100 ± 0.071 | – | – | neutral, neutral |"
        in page
    )
    assert "| FineTune | EWC | distance | Ojha et al., 2021 | 1 of 2 | 0.0 ± 141.4 |" in page
    assert "| EWC | FineTune | diversity | Ojha et al., 2021 | 1 of 2 | 0.000 ± 0.071 |" in page
    assert "| CDC | FineTune | distance | Ojha et al., 2021 | 0 of 1 | -300.0 |" in page  # of the seed that both have
    assert "AdAM" not in page and (tmp_path / stylegan2.PICTURE).is_file()
    with pytest.raises(ConfigError, match="`pair` must be of Lorelei, .* Received: Peeps"):
        replace(config, pair="Peeps")


def test_a_training_that_has_begun_goes_on_where_it_was(tmp_path):
    run = tmp_path / "run"
    assert begun(run) == {"run_dir": str(run)}
    run.mkdir()
    (run / "config.yaml").write_text("{}")
    assert begun(run) == {"run_dir": str(run), "resume": str(run)}


def test_every_pair_has_a_source():
    assert {pair.source for pair in PAIRS.values()} == set(SOURCES)
    for wrong in ("Scratch", "FineTune with Own"):
        with pytest.raises(ConfigError, match=f"`methods` must be of .* Received: {wrong.rpartition(' ')[2]}"):
            PhotographBenchmarkConfig(data="x", methods=(wrong,))


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
