"""Ten transfer methods on a StyleGAN2 and ten drawings, as their papers compare them: distance and diversity.

`python -m benchmarks.stylegan2 --data DIRECTORY`. It can be stopped and started again, like `benchmarks.photographs`.
"""

import sys
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.photograph_features import halved, measured_by_learnt, with_learnt
from benchmarks.photograph_pairs import CREDITS, PAIRS
from benchmarks.photographs import (
    COLUMNS,
    LEARNT,
    METHODS,
    SAMPLES,
    VALIDATIONS,
    PhotographBenchmarkConfig,
    adapted,
    pretrained,
    run_of,
)
from benchmarks.tables import cell, machine, replace_part
from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, check_at_least
from tfgantl.models import StyleGAN2

if TYPE_CHECKING:
    import numpy as np

HEADING = "# Ten methods on StyleGAN2"
PICTURE, ACROSS, SHEET = "stylegan2_methods.png", 5, 4  # parts in a row, and pictures on each side of a part
DIVERSITY = {"distance within clusters": ("intra_cluster", 1.0, 3)}


class Ordering(NamedTuple):
    """What a paper says of two methods.

    Attributes:
        better: The method that does better.
        worse: The other one.
        measure: `distance` or `diversity`.
        paper: Who says so, of ten pictures.
    """

    better: str
    worse: str
    measure: str
    paper: str


MEASURES = {"distance": ("ckid", -1), "diversity": ("intra_cluster", 1)}
ORDERINGS = (
    Ordering("FreezeD", "FineTune", "distance", "Ojha et al., 2021"),
    Ordering("FineTune", "ScaleShift", "distance", "Ojha et al., 2021"),
    Ordering("FineTune", "MineGAN", "distance", "Ojha et al., 2021"),
    Ordering("FineTune", "EWC", "distance", "Ojha et al., 2021"),
    Ordering("EWC", "FineTune", "diversity", "Ojha et al., 2021"),
    Ordering("CDC", "FineTune", "distance", "Ojha et al., 2021"),
    Ordering("CDC", "FineTune", "diversity", "Ojha et al., 2021"),
    Ordering("CDC", "EWC", "diversity", "Ojha et al., 2021"),
    Ordering("RSSA", "CDC", "diversity", "Xiao et al., 2022"),
    Ordering("AdAM", "CDC", "distance", "Zhao et al., 2022"),
    Ordering("AdAM", "EWC", "distance", "Zhao et al., 2022"),
    Ordering("RICK", "AdAM", "distance", "Zhao et al., 2023"),
)


@dataclass(frozen=True)
class StyleGAN2BenchmarkConfig:
    """Settings of the benchmark of methods on a StyleGAN2.

    Args:
        data: Directory with the archives of `benchmarks.photographs`.
        pair: Name of the pair of source and target.
        methods: Transfer methods that are compared with training from scratch.
        shots: Number of training pictures.
        seeds: Each chooses its shots, and trains, with its own seed; the source is trained once.
        source_steps: Steps of the pretraining, of 16 pictures.
        steps: Steps of each adaptation, and of training from scratch, of all shots up to 16.
        tables: Write the tables and the picture of what is finished, and train nothing.
        work_dir: Where trainings and results are kept.
        report: The page to write the tables to; the picture lands beside it.
        json: Print the result as the last line, one JSON object.
    """

    data: str
    pair: str = "Lorelei"
    methods: tuple[str, ...] = (
        "FineTune", "FreezeD", "ScaleShift", "MineGAN", "EWC", "CDC", "RSSA", "KernelModulation", "AdAM", "RICK",
    )  # fmt: skip
    shots: int = 10
    seeds: tuple[int, ...] = (0, 1, 2)
    source_steps: int = 6000
    steps: int = 1000
    tables: bool = False
    work_dir: str = "runs/benchmark-stylegan2"
    report: str = "docs/benchmarks.md"
    json: bool = False

    def __post_init__(self) -> None:
        check_at_least(self, VALIDATIONS, "steps", "source_steps")
        check_at_least(self, 1, "shots")
        for name, given, allowed in (("pair", (self.pair,), tuple(PAIRS)), ("methods", self.methods, METHODS)):
            unknown = set(given) - set(allowed)
            if unknown:
                raise ConfigError(f"`{name}` must be of {', '.join(allowed)}. Received: {', '.join(sorted(unknown))}")

    @property
    def trainings(self) -> PhotographBenchmarkConfig:
        """The same trainings, as the benchmark of pictures in colour has them."""
        known = {field.name for field in fields(PhotographBenchmarkConfig)} & vars(self).keys()
        same = {name: getattr(self, name) for name in known - {"shots", "work_dir"}}
        apart = str(Path(self.work_dir) / "StyleGAN2")  # runs there may be of the same names, and of other networks
        return PhotographBenchmarkConfig(**same, pairs=(self.pair,), shots=(self.shots,), work_dir=apart)


def benchmark_stylegan2(config: StyleGAN2BenchmarkConfig) -> dict:
    """Trains whatever is not trained yet, and writes the tables and the picture.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: the source, and for each method the results of all seeds.

    Raises:
        ConfigError: If nothing is to be trained, and the source is not finished.
    """
    trainings, networks, pair = config.trainings, StyleGAN2(), PAIRS[config.pair]
    if config.tables and not trainings.jobs():
        raise ConfigError(f"`tables` must be of adaptations that are finished. Received: none in {config.work_dir}")
    before = pretrained(trainings, pair.source, networks)[1]
    target = partial(pair.target.source, Path(config.data), Path(config.work_dir))
    found: dict[str, dict[int, dict]] = {}
    for job in trainings.jobs():
        result = adapted(trainings, *job, networks)
        learnt = measured_by_learnt(target, run_of(trainings, *job), SAMPLES, only_kept=config.tables)
        *_, method, seed = job
        found.setdefault(method, {})[seed] = with_learnt(result, learnt)
    lines = [*_heading(config, before), *_methods(config, found), *_orderings(found), machine(), ""]
    replace_part(Path(config.report), HEADING, lines)
    draw(config, trainings)
    return {"source": before, "methods": {name: [*results.values()] for name, results in found.items()}}


def _heading(config: StyleGAN2BenchmarkConfig, source: dict) -> list[str]:
    return [
        HEADING, "",
        f"{PAIRS[config.pair].source} → {config.pair}, 64 px, {config.shots} pictures, {config.steps:,} steps, the "
        f"best of {VALIDATIONS} validations. The source is the small StyleGAN2 after {config.source_steps:,} steps of "
        f"16 pictures (KID × 1000 {1000 * source['ckid']:.1f}, coverage {source['coverage']:.3f}). {SAMPLES} generated "
        "pictures against all held-out ones, by features of VGG16, and, *learnt*, by features that a small network "
        "learns from all pictures of the target that are not held out. *Distance within clusters* is what papers "
        "measure by LPIPS: each generated picture goes to the nearest of the drawings, and those of one drawing are "
        f"compared. Seeds {', '.join(map(str, config.seeds))}; each draws its own. Regenerate with "
        "`python -m benchmarks.stylegan2 --data DIRECTORY`, with VGG16 weights (style.md).", "",
        CREDITS, "",
    ]  # fmt: skip


def _methods(config: StyleGAN2BenchmarkConfig, found: dict[str, dict[int, dict]]) -> list[str]:
    columns = {**COLUMNS, **DIVERSITY, **LEARNT}
    lines = ["| method | " + " | ".join(columns) + " | verdicts |", "|---" * (len(columns) + 2) + "|"]

    def row(name: str, results: list[dict], verdicts: str) -> str:
        numbers = " | ".join(cell([one[key] for one in results], *how) for key, *how in columns.values())
        return f"| {name} | {numbers} | {verdicts} |"

    for method, by_seed in found.items():
        results = [*by_seed.values()]
        verdicts = ", ".join(one["verdict"] for one in results if "verdict" in one)
        lines.append(row(method, [one["adapted"] for one in results], verdicts))
        if all("scratch" in one for one in results):
            lines.append(row("from scratch", [one["scratch"] for one in results], ""))
    names = ", ".join(found)
    return [*lines, "", f"![before, real, from scratch, {names}]({PICTURE})", "",
            f"*Seed {config.seeds[0]}, row by row: before, real, from scratch, {names}.*", ""]  # fmt: skip


def _orderings(found: dict[str, dict[int, dict]]) -> list[str]:
    """What papers say of two methods, and in how many of the seeds that both have it is so."""
    lines = ["| is said to do better | than | in | by | here, seeds | by how much |", "|---|---|---|---|---|---|"]
    for better, worse, measure, paper in ORDERINGS:
        key, sign = MEASURES[measure]
        seeds = found.get(better, {}).keys() & found.get(worse, {}).keys()
        gaps = [sign * (found[better][s]["adapted"][key] - found[worse][s]["adapted"][key]) for s in sorted(seeds)]
        if gaps:
            scale = 1000.0 if measure == "distance" else 1.0
            much = cell(gaps, scale, 1 if measure == "distance" else 3)
            held = f"{sum(gap > 0 for gap in gaps)} of {len(gaps)}"
            lines.append(f"| {better} | {worse} | {measure} | {paper} | {held} | {much} |")
    return [*lines, ""]


def draw(config: StyleGAN2BenchmarkConfig, trainings: PhotographBenchmarkConfig) -> None:
    """The picture beside the page: parts of the sheets of the first seed."""
    import numpy as np

    from tfgantl.images import encode_png, grid

    runs = [run_of(trainings, config.pair, config.shots, method, config.seeds[0]) for method in config.methods]
    shown = [runs[0] / f"{name}.png" for name in ("fakes_source", "reals", "fakes_baseline")]
    shown += [run / "fakes_adapted.png" for run in runs]
    parts = [_part(path) for path in shown if path.is_file()]
    if parts:
        path = Path(config.report).with_name(PICTURE)
        path.write_bytes(encode_png(grid(np.stack(parts), ACROSS), generated=True))


def _part(path: Path) -> "np.ndarray":
    """The upper left corner of a sheet of ten pictures a row; white below where it has fewer rows."""
    import numpy as np

    found = halved(path)
    side = found.shape[1] * SHEET // 10
    part = found[:side, :side]
    return np.pad(part, ((0, side - len(part)), (0, 0), (0, 0)), constant_values=255)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(StyleGAN2BenchmarkConfig, "python -m benchmarks.stylegan2", benchmark_stylegan2, {}, arguments)


if __name__ == "__main__":
    sys.exit(main())
