"""Measures style transfer, beside PyTorch: a part of docs/benchmarks.md.

`python -m benchmarks.style`. It needs weights of VGG16, and torch: `pip
install 'tfgantl[bench]'`, or a Python that has it. Finished jobs are read from `work_dir`.
"""

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.results import keep, kept
from benchmarks.style_jobs import STYLE_WEIGHT
from benchmarks.tables import machine, replace_part
from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, RunError, check_at_least
from tfgantl.pipelines.stylize.trained import STYLIZER
from tfgantl.style.pictures import read_picture, resized, save_picture
from tfgantl.training.run_directory import read_result

JOBS = "benchmarks.style_jobs"
TORCH = Path(__file__).with_name("torch_style.py")
ROWS = {
    "tfgantl, precision auto": ("tf", "auto"),
    "tfgantl, float32": ("tf", "float32"),
    "PyTorch, float32": ("torch", "float32"),
    "PyTorch, float32, channels last": ("torch", "channels_last"),
    "PyTorch, bfloat16, channels last": ("torch", "bfloat16"),
}
NEW_STYLE = "retina"


@dataclass(frozen=True)
class StyleBenchmarkConfig:
    """Settings of the benchmark of style transfer.

    Args:
        sizes: Heights and widths in pixels.
        steps: Iterations of each optimisation.
        torch_python: Python with torch and NumPy; the present one if not given.
        network: Trained network of many styles (.keras or run directory); one is trained for the benchmark, which
            takes most of an hour, if not given.
        row_steps: Budgets at which a new style is learnt by its rows alone, and from scratch.
        work_dir: Where the result of each job is kept.
        report: The page to write the tables to.
        json: Print the result as the last line, one JSON object.
    """

    sizes: tuple[int, ...] = (256, 512)
    steps: int = 300
    torch_python: str | None = None
    network: str | None = None
    row_steps: tuple[int, ...] = (50, 200, 800)
    work_dir: str = "runs/benchmark-style"
    report: str = "docs/benchmarks.md"
    json: bool = False

    def __post_init__(self) -> None:
        check_at_least(self, 2, "steps")
        if not self.sizes or min(self.sizes) < 32 or any(steps < 1 for steps in self.row_steps):
            raise ConfigError("`sizes` must be at least 32, and `row_steps` at least 1. Received: others, or none")


def benchmark_style(config: StyleBenchmarkConfig) -> dict:
    """Runs all jobs that are not done yet, and writes the tables.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: all numbers.

    Raises:
        RunError: If a job fails.
    """
    directory = Path(config.work_dir)
    directory.mkdir(parents=True, exist_ok=True)
    optimised = {
        size: {row: _optimised(config, directory, size, *kind) for row, kind in ROWS.items()} for size in config.sizes
    }
    network = config.network or _network(directory)
    pace = _throughput(directory, network)
    rows = {steps: _rows(directory, network, steps) for steps in config.row_steps}
    lines = [*_heading(config), *_optimisation_table(optimised), *_network_table(network, pace, rows)]
    replace_part(Path(config.report), "# Style transfer", [*lines, machine(), ""])
    print(f"tables: {config.report}", file=sys.stderr)
    return {"optimisation": optimised, "images_per_second": pace, "new_style": rows}


def _optimised(config, directory, size, kind, precision) -> dict:
    name = f"{kind}-{precision}-{size}-{config.steps}"
    done = kept(directory / f"{name}.json")
    if done is not None:
        return done
    image, arguments = directory / f"{name}.npz", [str(size), str(config.steps)]
    if kind == "tf":
        found = _run([sys.executable, "-m", JOBS, precision, *arguments, str(image)])
    else:
        task = directory / f"task-{size}.npz"
        _run([sys.executable, "-m", JOBS, "task", *arguments, str(task)])
        found = _run([config.torch_python or sys.executable, str(TORCH), str(task), str(image), precision])
    losses = _run([sys.executable, "-m", JOBS, "judge", *arguments, str(image)])
    return keep(directory / f"{name}.json", {**found, **losses})


def _network(directory) -> str:
    path = directory / "network"
    _trained(path)
    return str(path)


def _trained(path, *options) -> dict:
    """The result of a training in a directory of its own, which goes on if it was interrupted."""
    if not (path / "report.html").is_file():
        resumed = (path / "config.yaml").is_file()
        where = ["--resume", str(path)] if resumed else ["--run_dir", str(path), "--export_dir", f"{path}-exported"]
        return _stylize("train", *where, *(() if resumed else options))
    return read_result(path)


def _throughput(directory, network) -> float:
    """Images a second at 256 pixels, as `stylize apply` does it."""
    from tfgantl.pipelines.stylize.materials import PHOTOGRAPHS

    path = directory / f"pace-{_digest(network)}.json"
    done = kept(path)
    if done is not None:
        return done["images_per_second"]
    folder = directory / "photographs"
    folder.mkdir(exist_ok=True)
    for name in PHOTOGRAPHS:
        picture = read_picture(name, "content")
        side = min(picture.shape[:2])
        save_picture(folder / f"{name}.png", resized(picture[:side, :side], (256, 256)))
    return keep(path, _stylize("apply", network, str(folder), "-o", str(directory / "applied")))["images_per_second"]


def _digest(network) -> str:
    """A part of file names, so that results of another network are not taken over."""
    file = Path(network) / STYLIZER if Path(network).is_dir() else Path(network)
    return hashlib.sha256(file.read_bytes()).hexdigest()[:8]


def _rows(directory, network, steps) -> dict:
    """Losses and seconds of a new style, by its rows alone and from scratch."""
    where = directory / f"rows-{_digest(network)}-{steps}"
    done = kept(where.with_suffix(".json"))
    if done is not None:
        return done
    found = _trained(where, "--base", network, "--baseline", "true", "--styles", NEW_STYLE, "--steps", str(steps))
    losses = {
        title: {name: terms[name][0] for name in ("content", "style", "total")}
        for title, terms in found["losses"].items()
    }
    pace = {title: found["seconds_per_step"][title] for title in losses}
    result = {"losses": losses, "seconds_per_step": pace, "parameters": found["trained_parameters"]}
    return keep(where.with_suffix(".json"), result)


def _stylize(*arguments) -> dict:
    return _run([sys.executable, "-m", "tfgantl.pipelines.stylize", *arguments, "--json"])


def _run(command) -> dict:
    print(" ".join(command[1:]), file=sys.stderr)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise RunError(f"every job must end with exit code 0. Received: {done.returncode} from {' '.join(command)}")
    return json.loads(done.stdout.splitlines()[-1])


def _heading(config) -> list[str]:
    return [
        "# Style transfer",
        "",
        f"Optimisation of a photograph, `astronaut` in the style of `ihc`: {config.steps} iterations of Adam at 0.05,",
        "content `block4_conv2`, five style layers, the same scales and weights for all. Seconds are medians over the",
        "iterations without the first, peak memory is that of the whole process, of which importing the framework",
        "takes a large part, and all final images are judged in float32 by the same losses (1 is the beginning, or",
        "nothing left of the content). Aimed at: 0.6 of the seconds of PyTorch's float32 with automatic precision and",
        "0.95 in float32, no more memory, and losses no worse.",
        "Regenerate with `python -m benchmarks.style`.",
        "",
    ]


def _optimisation_table(optimised) -> list[str]:
    lines = [
        "| size | | seconds an iteration | of PyTorch float32 | peak memory, MiB | without the framework "
        "| content | style | with weights |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for size, rows in optimised.items():
        usual = rows["PyTorch, float32"]["seconds"]
        for name, row in rows.items():
            lines.append(
                f"| {size} | {name} | {row['seconds']:.3f} | {row['seconds'] / usual:.2f} | {row['peak_mib']:.0f} | "
                f"{row['peak_mib'] - row['framework_mib']:.0f} | "
                f"{row['content']:.3f} | {row['style']:.4f} | {row['content'] + STYLE_WEIGHT * row['style']:.4f} |"
            )
    return [*lines, "", f"PyTorch is {rows['PyTorch, float32'].get('version', 'unknown')}.", ""]


def _network_table(network, pace, rows) -> list[str]:
    parameters = next(iter(rows.values()))["parameters"] if rows else 0
    training = read_result(Path(network))
    took = f"; its {training['steps']} steps took {training['seconds'] / 60:.0f} minutes" if training else ""
    lines = [
        f"The network of many styles paints **{pace:.1f} images/s** at 256 px, one at a time, without the reading and",
        f"writing of files{took}.",
        "",
        f"A new style (`{NEW_STYLE}`) for a trained network, by its {parameters} numbers alone, and with a network of",
        "its own from scratch; losses on crops of held-out photographs:",
        "",
        "| steps | | content | style | total | seconds a step |",
        "|---|---|---|---|---|---|",
    ]
    for steps, row in rows.items():
        for title, name in (("styles", "rows alone"), ("scratch", "from scratch")):
            losses = row["losses"][title]
            lines.append(
                f"| {steps} | {name} | {losses['content']:.3f} | {losses['style']:.3f} | {losses['total']:.3f} | "
                f"{row['seconds_per_step'][title]:.3f} |"
            )
    return [*lines, ""]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(StyleBenchmarkConfig, "python -m benchmarks.style", benchmark_style, {}, arguments)


if __name__ == "__main__":
    sys.exit(main())
