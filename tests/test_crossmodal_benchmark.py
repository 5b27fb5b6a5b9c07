"""The benchmark of texts and images: its tables, and that only what is not measured yet is measured."""

import json

import pytest

from benchmarks.crossmodal import EXPLAINED, benchmark_crossmodal, jobs
from benchmarks.crossmodal.config import CrossmodalBenchmarkConfig
from tfgantl.errors import ConfigError, DataError

RECALL = {"text → picture": {"pictures": 40, "captions": 9, "@10": 0.5}, "told: class": {"pictures": 40, "right": 0.9}}


def test_tables_are_of_what_is_finished(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Another\n\nstays\n")
    config = CrossmodalBenchmarkConfig(
        seeds=(0, 1),
        steps=5,
        draw_steps=7,
        learn_steps=0,
        direct_steps=60,
        tables=True,
        work_dir=str(tmp_path),
        report=str(page),
    )
    retrieved, drawn = "retrieval-handwritten digits-{}-5-8000", "drawn-{}-7"
    names = [one.format(seed) for seed in (0, 1) for one in (retrieved, drawn, "directed-{}-60")]
    assert [job.name for job in jobs(config)] == names
    for seed, recall in enumerate((0.25, 0.75)):
        rows = {**RECALL, "text → picture": {**RECALL["text → picture"], "@10": recall}}
        (tmp_path / f"{retrieved.format(seed)}.json").write_text(json.dumps(rows))
    (tmp_path / f"{drawn.format(1)}.json").write_text(
        json.dumps({"the recipe": {"class drawn": 0.99, "word shift": None}})
    )
    assert set(benchmark_crossmodal(config)) == {"handwritten digits", "Rendered digits, drawn by text"}
    told = page.read_text()
    assert told.startswith("# Another\n\nstays\n")
    assert "handwritten digits: 5 training steps; seeds 0, 1." in told and "\n7 training steps; seeds 1." in told
    assert "| text → picture | 40 | 9 | 0.500 ± 0.354 | – |" in told
    assert "| the recipe | 0.990 | – |" in told
    assert EXPLAINED["Retrieval"] in told and EXPLAINED["Two phrases, and no picture"] not in told


def test_mistakes_are_told_before_anything_takes_time():
    with pytest.raises(ConfigError, match="`steps` must be at least 0"):
        CrossmodalBenchmarkConfig(steps=-1)
    with pytest.raises(DataError, match="`avatars` must be an .npz archive. Received: none.npz"):
        benchmark_crossmodal(CrossmodalBenchmarkConfig(avatars="none.npz"))
