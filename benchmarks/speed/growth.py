"""How time and memory grow with the batch, the size and width of networks, the number of images, and with methods.

Each case is a process of its own (`growth_worker.py`), so that its peak of memory is its own.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pairs import ROWS
from benchmarks.results import keep, kept
from benchmarks.tables import machine, replace_part
from tfgantl.errors import RunError
from tfgantl.progress import bar, log

HEADING = "# Growth"
CLONE = Path(__file__).parents[2]
KINDS = 10_000  # pictures that differ, of a million
MEMORY = 20_000_000  # bytes of images that are held in memory, beyond which they are on disk


@dataclass(frozen=True)
class Case:
    """One training that is measured.

    Args:
        batch: Images a step.
        side: Height and width in pixels.
        width: What the numbers of filters are multiplied by.
        images: Training images.
        method: Transfer method; `None` for training from scratch as `pretrain` does.
        steps: Steps that are timed.
    """

    batch: int = 64
    side: int = 28
    width: int = 1
    images: int = 1000
    method: str | None = None
    steps: int = 12


SWEEPS: dict[str, dict[int, Case]] = {
    "batch": {n: Case(batch=n) for n in (16, 32, 64, 128, 256, 512)},
    "side": {n: Case(side=n, batch=16, steps=6) for n in (32, 64, 128)},
    "width": {n: Case(width=n) for n in (1, 2, 4)},
    "images": {n: Case(images=n, steps=100) for n in (100, 1000, 10_000, 100_000, 1_000_000)},
}
AXES = {
    "batch": "images a step", "side": "side in pixels", "width": "filters, times", "images": "training images",
}  # fmt: skip
METHODS = tuple(dict.fromkeys(type(method).__name__ for method, _ in ROWS.values()))
LONG = Case(batch=8, steps=10_000)  # whose memory must not grow
PIPELINES: dict[str, list[str]] = {
    "pretrain": ["--steps", "20", "--run_dir", "{}/pretrained"],
    "adapt": ["--steps", "20", "--run_dir", "{}/adapted", "--export_dir", "{}/exported"],
    "evaluate": ["--model", "rendered-digits"],
    "recognize": [
        "--steps",
        "20",
        "--method",
        "MCD",
        "--labels",
        "[0]",
        "--seeds",
        "1",
        "--run_dir",
        "{}/recognized",
        "--export_dir",
        "{}/classifier",
    ],
    "generate": ["--model", "rendered-digits", "--count", "1000", "--out_dir", "{}/generated"],
    "export": ["--model", "rendered-digits", "--export_dir", "{}/shipped"],
    "imagine": ["a thick slanted seven", "-o", "{}/imagined"],
    "stylize": ["chelsea", "dark, grainy, blue", "-o", "{}/painted.png"],
}


def measure_growth(work_dir: Path, report: Path) -> dict:
    """Measures all cases that are not measured yet, and writes curves and tables.

    Args:
        work_dir: Where results are kept; those that are there are not measured again.
        report: The page; the picture lands beside it.

    Returns:
        Sweep → value → what was measured.

    Raises:
        RunError: If a case fails.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        found = _measured(work_dir, Path(directory))
    exponents = {name: fitted(found[name]) for name in SWEEPS}
    _draw(found, exponents, report.parent / "growth.png")
    replace_part(report, HEADING, [*_lines(found, exponents), machine(), ""])
    return found


def fitted(measured: dict[str, dict[str, float]]) -> dict[str, float]:
    """Exponents of seconds a step and of memory: slopes of a line through the logarithms."""
    x = np.log([float(value) for value in measured])
    return {
        key: float(np.polyfit(x, np.log([case[key] for case in measured.values()]), 1)[0])
        for key in ("seconds", "peak_mib")
    }


def _measured(work_dir: Path, directory: Path) -> dict[str, dict[str, Any]]:
    jobs: list[tuple[str, str, Case]] = [
        (sweep, str(value), case) for sweep, cases in SWEEPS.items() for value, case in cases.items()
    ]
    jobs += [("method", name, Case(method=name)) for name in METHODS]
    jobs += [("steps", str(LONG.steps), LONG)]
    found: dict[str, dict[str, Any]] = {}
    with bar(len(jobs) + len(PIPELINES), "growth", "case") as progress:
        for sweep, value, case in jobs:
            path = work_dir / f"{sweep}-{value}.json"
            found.setdefault(sweep, {})[value] = kept(path) or keep(path, _case(case, sweep == "images", directory))
            progress.update(1)
        for verb, options in PIPELINES.items():
            path = work_dir / f"pipeline-{verb}.json"
            found.setdefault("pipeline", {})[verb] = kept(path) or keep(path, _pipeline(verb, options, directory))
            progress.update(1)
    return found


def _case(case: Case, from_shards: bool, directory: Path) -> dict:
    settings: dict[str, Any] = asdict(case)
    if from_shards:
        settings["shards"], settings["memory"] = str(_shards(case, directory)), MEMORY
    command = [sys.executable, "-m", "benchmarks.speed.growth_worker", json.dumps(settings)]
    done = subprocess.run(command, cwd=CLONE, env=_environment(directory), capture_output=True, text=True)
    if done.returncode:
        raise RunError(f"{case}: it must end with exit code 0. Received: {done.returncode}, {done.stderr[-400:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _pipeline(verb: str, options: list[str], directory: Path) -> dict:
    """Peak memory of a verb and its helpers, which is that of the largest process."""
    command = [sys.executable, "-m", "tfgantl", verb, *(option.format(directory) for option in options)]
    log(" ".join(command[1:]))
    start = time.perf_counter()
    process = subprocess.Popen(command, env=_environment(directory), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with process:
        told = process.stderr.read().decode(errors="replace") if process.stderr else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RunError(f"{verb}: it must end with exit code 0. Received: {process.returncode}, {told[-400:]}")
    return {"seconds": time.perf_counter() - start, "peak_mib": usage.ru_maxrss / 1024}


def _environment(directory: Path) -> dict[str, str]:
    return {
        **os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(CLONE),
        "TFGANTL_CACHE_DIR": str(directory / "cache"),
    }  # fmt: skip


def _shards(case: Case, directory: Path) -> Path:
    """A `.tar` of small pictures of `KINDS` kinds, noise as it is hardest to compress."""
    from PIL import Image

    path = directory / f"{case.images}.tar"
    rng, encoded = np.random.default_rng(0), []
    for _ in range(min(KINDS, case.images)):
        file = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (case.side, case.side), dtype=np.uint8)).save(file, "png")
        encoded.append(file.getvalue())
    with tarfile.open(path, "w") as tar:
        for i in range(case.images):
            data = encoded[i % KINDS]
            member = tarfile.TarInfo(f"{i:07}.png")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def _lines(found: dict[str, dict[str, Any]], exponents: dict[str, dict[str, float]]) -> list[str]:
    lines = [
        HEADING, "",
        "What a step and a process take as one thing grows: DCGANs of 28 px, 64 images a step, trained as `pretrain` "
        "does, unless the row says otherwise (sides with 16 images a step). Each case is a process of its own; memory "
        f"is its peak. Images come from a `.tar` of PNG files; more than {MEMORY / 1e6:.0f} MB of them are kept on "
        "disk (`--target.max_bytes`). Regenerate with `python -m benchmarks.speed --growth true`.", "",
        "![growth](growth.png)", "",
        "| | time of a step grows with the power | memory |", "|---|---|---|",
    ]  # fmt: skip
    lines += [f"| {AXES[name]} | {one['seconds']:.2f} | {one['peak_mib']:.2f} |" for name, one in exponents.items()]
    for name in SWEEPS:
        lines += ["", f"| {AXES[name]} | ms a step | peak memory, MiB |", "|---|---|---|"]
        lines += [f"| {v} | {1000 * c['seconds']:.1f} | {c['peak_mib']:.0f} |" for v, c in found[name].items()]
    lines += ["", "Methods, adapting the same pair:", "", "| | ms a step | peak memory, MiB |", "|---|---|---|"]
    lines += [f"| {v} | {1000 * c['seconds']:.1f} | {c['peak_mib']:.0f} |" for v, c in found["method"].items()]
    (long,) = found["steps"].values()
    taken = ", ".join(f"{mib:.0f} after {step}" for step, mib in long["resident_mib"].items())
    lines += ["", f"Resident memory of a long training of an MLP, MiB: {taken} steps."]
    lines += ["", "Whole commands, with their own defaults but few steps:", "", "| | s | peak memory, MiB |"]
    lines += ["|---|---|---|"]
    lines += [f"| {verb} | {c['seconds']:.0f} | {c['peak_mib']:.0f} |" for verb, c in found["pipeline"].items()]
    return [*lines, ""]


def _draw(found: dict[str, dict[str, Any]], exponents: dict[str, dict[str, float]], path: Path) -> None:
    from matplotlib.figure import Figure

    from tfgantl.files import Replacing

    figure = Figure(figsize=(10, 6), layout="constrained")
    for axes, name in zip(figure.subplots(2, 2).flat, SWEEPS, strict=True):
        x = [float(value) for value in found[name]]
        memory = axes.twinx()
        for side, key, scale, colour in ((axes, "seconds", 1000.0, "C0"), (memory, "peak_mib", 1.0, "C1")):
            label = {"seconds": "ms a step", "peak_mib": "peak memory, MiB"}[key]
            y = [scale * case[key] for case in found[name].values()]
            side.plot(x, y, ".-", color=colour)
            side.set(xscale="log", yscale="log", xlabel=AXES[name])
            side.set_ylabel(f"{label} (power {exponents[name][key]:.2f})", color=colour)
        for side, ticks in ((axes, (20, 50, 100, 200, 500, 1000)), (memory, (200, 500, 1000, 2000, 5000))):
            side.set_yticks(ticks, map(str, ticks))
            side.set_ylim(ticks[0] / 1.2, ticks[-1] * 1.2)
            side.set_xticks(x, [f"{value:g}" for value in x])
            side.minorticks_off()
        axes.grid(alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    with Replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)
