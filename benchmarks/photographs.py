"""Pictures in colour: pretraining with the defaults, and adaptation to few drawings and photographs.

`python -m benchmarks.photographs --data DIRECTORY`. It can be stopped and started again: trainings go on where they
were, and finished ones are read from `work_dir`.
"""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.photograph_features import halved, measured_by_learnt, with_learnt
from benchmarks.photograph_pairs import CREDITS, PAIRS, SOURCES
from benchmarks.results import begun, keep, kept
from benchmarks.tables import cell, machine, replace_part
from tfgantl import transfer
from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, check_at_least
from tfgantl.models.specifications.discriminators import Ensemble, Own, Projected

if TYPE_CHECKING:
    import numpy as np

    from tfgantl.models import Networks

HEADING = "# Pictures in colour"
SAMPLES, VALIDATIONS = 1000, 5
SHEET = 5  # columns and rows of each part of the pictures on the page
COLUMNS = {"KID × 1000": ("ckid", 1000.0, 1), "coverage": ("coverage", 1.0, 3), "recall": ("recall", 1.0, 3)}
LEARNT = {"KID × 1000, learnt": ("learnt_ckid", 1000.0, 1), "coverage, learnt": ("learnt_coverage", 1.0, 3)}
BEFORE_AND_AFTER = "before, after, after with the ensemble where there is one, real, from scratch"
WITH, DISCRIMINATORS = " with ", {"Projected": Projected, "Ensemble": Ensemble}  # that of the source otherwise
METHODS = tuple(name for name in transfer.__all__ if name not in ("Transfer", "Auto", "Scratch", "TextDirection"))


@dataclass(frozen=True)
class PhotographBenchmarkConfig:
    """Settings of the benchmark of pictures in colour.

    Args:
        data: Directory with the archives `avatars_….npz`, `blood_cells64.npz` and `refuse64.npz`.
        pairs: Names of pairs of source and target.
        methods: Transfer methods that are compared with training from scratch, each maybe with another discriminator
            than that of the source, such as `FineTune with Projected`.
        shots: Numbers of training pictures; none for those that each pair names.
        seeds: Each chooses its shots, and trains, with its own seed; sources are trained once.
        source_steps: Steps of each pretraining; as many as each source names if not given.
        steps: Steps of each adaptation, and of training from scratch.
        tables: Write the tables and pictures of what is finished, and train nothing.
        work_dir: Where trainings and results are kept.
        report: The page to write the table to; pictures land beside it.
        json: Print the result as the last line, one JSON object.
    """

    data: str
    pairs: tuple[str, ...] = tuple(PAIRS)
    methods: tuple[str, ...] = ("FineTune", "FreezeD")
    shots: tuple[int, ...] | None = None
    seeds: tuple[int, ...] = (0, 1, 2)
    source_steps: int | None = None
    steps: int = 2000
    tables: bool = False
    work_dir: str = "runs/benchmark-photographs"
    report: str = "docs/benchmarks.md"
    json: bool = False

    def __post_init__(self) -> None:
        check_at_least(self, VALIDATIONS, "steps", *(["source_steps"] if self.source_steps is not None else []))
        parts = [part for method in self.methods for part in method.split(WITH, 1)]
        for name, given, allowed in (
            ("pairs", self.pairs, tuple(PAIRS)),
            ("methods", parts, (*METHODS, *DISCRIMINATORS)),
        ):
            unknown = set(given) - set(allowed)
            if unknown:
                raise ConfigError(f"`{name}` must be of {', '.join(allowed)}. Received: {', '.join(sorted(unknown))}")

    def steps_of(self, source: str) -> int:
        """Steps of the pretraining of a source."""
        return self.source_steps or SOURCES[source].steps

    def jobs(self) -> list[tuple[str, int, str, int]]:
        """Pair, shots, method and seed of every adaptation: all that one seed needs before the next seed."""
        return [
            (pair, shots, method, seed)
            for seed in self.seeds
            for pair in self.pairs
            for shots in self.shots or PAIRS[pair].shots
            for method in self.methods
            if not self.tables or result_of(self, pair, shots, method, seed) is not None
        ]


def benchmark_photographs(config: PhotographBenchmarkConfig) -> dict:
    """Trains whatever is not trained yet, and writes the tables and pictures.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: sources and adaptations by name, with the results of all seeds.
    """
    jobs = config.jobs()
    names = dict.fromkeys(PAIRS[pair].source for pair, *_ in jobs)
    sources = {name: pretrained(config, name)[1] for name in names}
    found: dict[tuple[str, int, str], list[dict]] = {}
    for pair, shots, method, seed in jobs:
        result, run = adapted(config, pair, shots, method, seed), run_of(config, pair, shots, method, seed)
        target = partial(PAIRS[pair].target.source, Path(config.data), Path(config.work_dir))
        learnt = measured_by_learnt(target, run, SAMPLES, only_kept=config.tables)
        found.setdefault((pair, shots, method), []).append(with_learnt(result, learnt))
    replace_part(Path(config.report), HEADING, [*_heading(config), *_sources(sources), *_pairs(found), machine(), ""])
    draw(config, jobs)
    return {"sources": sources, "pairs": {", ".join(map(str, key)): results for key, results in found.items()}}


def _directory(config: PhotographBenchmarkConfig, *parts: object) -> Path:
    return Path(config.work_dir) / "-".join(str(part).replace(" ", "-") for part in parts)


def pretrained(config: PhotographBenchmarkConfig, name: str, networks: "Networks | None" = None) -> tuple[Path, dict]:
    """Run directory of a source, and its measurements; trained where it is not there, by default or with `networks`."""
    import keras

    from tfgantl.pipelines.pretrain import PretrainConfig, pretrain

    steps = config.steps_of(name)
    run = _directory(config, name, steps)
    result = kept(run.with_suffix(".json"))
    if result is None:
        target = SOURCES[name].pictures.source(Path(config.data), Path(config.work_dir))
        done = pretrain(
            PretrainConfig(
                target=target, networks=networks, steps=steps, validate_every=steps // VALIDATIONS, extractor="vgg16",
                samples=SAMPLES, name=run.name, **begun(run),
            )
        )  # fmt: skip
        result = keep(
            run.with_suffix(".json"), {**done.metrics, **done.diversity, "seconds": done.seconds, "steps": steps}
        )
        keras.backend.clear_session()
    return run, result


def run_of(config: PhotographBenchmarkConfig, pair: str, shots: int, method: str, seed: int) -> Path:
    """Run directory of an adaptation."""
    return _directory(config, pair, shots, method, seed, config.steps)


def result_of(config: PhotographBenchmarkConfig, pair: str, shots: int, method: str, seed: int) -> dict | None:
    """What an adaptation and its baseline measured, if they are finished."""
    return kept(run_of(config, pair, shots, method, seed).with_suffix(".json"))


def adapted(
    config: PhotographBenchmarkConfig,
    pair: str,
    shots: int,
    method: str,
    seed: int,
    networks: "Networks | None" = None,
) -> dict:
    """What one adaptation and its baseline measure; trained where they are not, from a source of these networks."""
    import keras

    from tfgantl.pipelines.adapt import AdaptConfig, adapt

    run = run_of(config, pair, shots, method, seed)
    result = result_of(config, pair, shots, method, seed)
    if result is not None:
        return result
    source, _ = pretrained(config, PAIRS[pair].source, networks)
    target = PAIRS[pair].target.source(Path(config.data), Path(config.work_dir), shots=shots, seed=seed)
    name, other, discriminator = method.partition(WITH)
    done = adapt(
        AdaptConfig(
            source=str(source), target=target, transfer=getattr(transfer, name)(), seed=seed,
            discriminator=DISCRIMINATORS[discriminator]() if other else Own(), steps=config.steps,
            validate_every=config.steps // VALIDATIONS, extractor="vgg16", samples=SAMPLES, name=run.name,
            baseline=bool(other) or method == config.methods[0], export_dir=str(run / "exported"), force=True,
            max_copies=None, **begun(run),
        )
    )  # fmt: skip
    result = {"adapted": {**done.metrics, **done.diversity}, "seconds": done.seconds}
    if done.verdict is not None:
        scratch = {**(done.baseline or {}), **(done.baseline_diversity or {})}
        result |= {"scratch": scratch, "verdict": done.verdict.outcome}
    keras.backend.clear_session()
    return keep(run.with_suffix(".json"), result)


def _heading(config: PhotographBenchmarkConfig) -> list[str]:
    return [
        HEADING, "",
        "64 px, networks and settings as `tfgantl pretrain` and `tfgantl adapt` choose them, with the discriminator of "
        "the source where the method names no other (`--discriminator Own`). Adaptations, and training "
        f"from scratch with the same settings, take {config.steps:,} steps. {SAMPLES} generated pictures against "
        "held-out ones, by features of VGG16, and, *learnt*, by features that a small network learns from all pictures "
        "of the target that are not held out, by how far each was turned (of training from scratch, of a hundred "
        "pictures only; cells and surfaces look alike however they lie, so these features tell little of them); "
        f"the state is the best of {VALIDATIONS} validations. "
        f"Seeds {', '.join(map(str, config.seeds))}; each draws its own shots. "
        "Regenerate with `python -m benchmarks.photographs --data DIRECTORY`, with VGG16 weights (style.md).", "",
        CREDITS, "",
    ]  # fmt: skip


def _cells(results: list[dict], columns: dict[str, tuple[str, float, int]] = COLUMNS) -> str:
    return " | ".join(cell([one[key] for one in results], scale, digits) for key, scale, digits in columns.values())


def _sources(found: dict[str, dict]) -> list[str]:
    lines = ["## Sources", "", "| source | steps | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    lines += [f"| {name} | {result['steps']:,} | {_cells([result])} |" for name, result in found.items()]
    return [*lines, "", *_shown(list(found), "generated and real")]


def _pairs(found: dict[tuple[str, int, str], list[dict]]) -> list[str]:
    columns = {**COLUMNS, **LEARNT}
    lines = ["## Adaptations", "", "| target | shots | method | " + " | ".join(columns) + " | verdicts |"]
    lines.append("|---" * (len(columns) + 4) + "|")
    for (pair, shots, method), results in found.items():
        verdicts = ", ".join(one["verdict"] for one in results if "verdict" in one)
        lines.append(
            f"| {pair} | {shots} | {method} | {_cells([one['adapted'] for one in results], columns)} | {verdicts} |"
        )
        if all("scratch" in one for one in results):
            scratch = f"from scratch{''.join(method.partition(WITH)[1:])}"
            lines.append(f"| {pair} | {shots} | {scratch} | {_cells([one['scratch'] for one in results], columns)} | |")
    return [*lines, "", *_shown(list(dict.fromkeys(pair for pair, *_ in found)), BEFORE_AND_AFTER)]


def _picture(name: str) -> str:
    return f"pictures_{name.replace(' ', '_').lower()}.png"


def _shown(names: list[str], parts: str) -> list[str]:
    return [line for name in names for line in (f"![{name}: {parts}]({_picture(name)})", "")]


def draw(config: PhotographBenchmarkConfig, jobs: list[tuple[str, int, str, int]]) -> None:
    """The pictures beside the page: each source, generated and real, and each pair for its first method and seed.

    A pair is shown before, after, after with the ensemble if that is there, real and from scratch, with its largest
    number of shots.
    """
    from tfgantl.images import encode_png, side_by_side

    shown = {}
    together = f"{config.methods[0]}{WITH}Ensemble"
    for pair, shots, method, seed in sorted(jobs, key=lambda job: (job[1], -job[3])):  # the last one is drawn
        if method == config.methods[0]:
            run = run_of(config, pair, shots, method, seed)
            shown[pair] = [run / f"{name}.png" for name in ("fakes_source", "fakes_adapted", "reals", "fakes_baseline")]
            if result_of(config, pair, shots, together, seed) is not None:
                shown[pair].insert(2, run_of(config, pair, shots, together, seed) / "fakes_adapted.png")
        source = _directory(config, PAIRS[pair].source, config.steps_of(PAIRS[pair].source))
        shown[PAIRS[pair].source] = [source / f"{name}.png" for name in ("fakes_pretrain", "reals")]
    for name, paths in shown.items():
        path = Path(config.report).with_name(_picture(name))
        path.write_bytes(encode_png(side_by_side([_part(path) for path in paths]), generated=True))


def _part(path: Path) -> "np.ndarray":
    """The upper left corner of a sheet of ten pictures a row."""
    found = halved(path)
    side = found.shape[0] * SHEET // 10
    return found[:side, :side]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(PhotographBenchmarkConfig, "python -m benchmarks.photographs", benchmark_photographs, {}, arguments)


if __name__ == "__main__":
    sys.exit(main())
