"""The benchmark of editing: its tables, and that what is measured is kept."""

from benchmarks.editing import lines, measured
from benchmarks.editing.config import METHODS, EditingBenchmarkConfig

INVERSION = {
    "l1 of nearest": 0.5,
    "perceptual of nearest": 0.4,
    "l1 of mean": 0.3,
    "psnr": 21.0,
    "class": 0.9,
    "seconds": 3,
}
SWITCH = {"reached": 0.98, "change": 0.3, "elsewhere": 0.1}
DIRECTION = {"monotone": 0.95, "class stays": None, "low": -2, "high": 3, "side effect": 0.01, "before": 0.3}
ANSWER = {"l1": 0.2, "class": 0.9, "spread": 0.1}
CARRIED = {"effects": 0.9, "images": 0.5, "effects back": 0.8, "same": 0.6}


def test_tables_have_all_rows_and_say_what_is_not_known():
    config = EditingBenchmarkConfig(seeds=(0, 1), photographs="cells.npz")
    seeds = [0.25, 0.75]
    page = "\n".join(lines(config, {
        "inversion": [{"hybrid": {**INVERSION, "l1 of nearest": share}} for share in seeds],
        "switch": [{"held-out pictures": SWITCH}] * 2, "directions": [{"slant": DIRECTION}] * 2,
        "restoration": [{"centre hole": {"GAN": ANSWER, "mean": {"l1": 1, "class": 0}}}] * 2,
        "carried": [{"LoRA": CARRIED}] * 2, "switch of photographs": [{"generated images": SWITCH}],
    }))  # fmt: skip
    assert "generated photographs switched" in page and "`cells.npz`" in page and "--photographs FILE.npz" in page
    assert "| hybrid | 0.50 ± 0.35 |" in page and "| held-out pictures | 0.980 ± 0.000 |" in page
    assert "| slant | 0.950 ± 0.000 | – |" in page and "| LoRA | 0.900 ± 0.000 |" in page
    assert "| centre hole, mean | 1.000 ± 0.000 | 0.00 ± 0.00 | – |" in page


def test_what_is_measured_is_kept_with_its_settings(tmp_path):
    made = []

    def measure():
        made.append(1)
        return {"reached": 1.0}

    config = EditingBenchmarkConfig(work_dir=str(tmp_path))
    assert [measured(config, "switch-0", measure) for _ in range(2)] == [{"reached": 1.0}] * 2 and len(made) == 1
    measured(EditingBenchmarkConfig(work_dir=str(tmp_path), steps=7), "switch-0", measure)
    assert len(made) == 2 and set(EditingBenchmarkConfig().methods) == set(METHODS)
