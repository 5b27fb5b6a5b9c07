"""How far verdicts can be trusted, and how many test images they take: simulated with real features.

`python -m benchmarks.verdict` plays generators whose distance from handwritten digits is known: each makes handwritten
digits, which the test images are not among, in some cases, and printed ones in the others. A kernel distance is the
square of a distance of means, so a share s of printed digits gives s² times the distance of all.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.tables import machine, replace_part
from tfgantl.cli import run as run_cli
from tfgantl.errors import check_at_least

COUNTS = (20, 30, 40, 60, 80, 120, 160, 240, 320)
FAKES = 400  # of each generator
# Shares of the adapted generator and of the baseline.
PRINTED = {"equal": (0.2, 0.2), "halved": (0.2 / 2**0.5, 0.2), "halved, from far": (0.5 / 2**0.5, 0.5)}


@dataclass(frozen=True)
class VerdictBenchmarkConfig:
    """Settings of the simulation.

    Args:
        trials: Simulated evaluations of each number of test images.
        resamples: Paired resamples of each, as in `adapt`.
        report: The page to write the table to.
        json: Print the result as the last line, one JSON object.
    """

    trials: int = 40
    resamples: int = 100
    report: str = "docs/benchmarks.md"
    json: bool = False

    def __post_init__(self) -> None:
        check_at_least(self, 2, "trials", "resamples")


def benchmark_verdict(config: VerdictBenchmarkConfig) -> dict:
    """Simulates evaluations, and writes how often each verdict comes.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: case → number of test images → verdict → share of the trials.
    """
    from tfgantl.metrics.verdict import judge_transfer
    from tfgantl.progress import bar

    handwritten, printed = features()
    found: dict[str, dict[int, dict[str, float]]] = {}
    progress = bar(len(PRINTED) * len(COUNTS) * config.trials, "verdicts", "trial")
    for case, shares in PRINTED.items():
        found[case] = {}
        for count in COUNTS:
            outcomes = []
            for trial in range(config.trials):
                rng = np.random.default_rng((trial, count))
                order = rng.permutation(len(handwritten))
                test, rest = handwritten[order[:count]], handwritten[order[count:]]
                generated = [mixed(rng, rest, printed, share) for share in shares]
                outcomes.append(judge_transfer(test, *generated, resamples=config.resamples, seed=trial).outcome)
                progress.update()
            found[case][count] = {name: outcomes.count(name) / config.trials for name in sorted(set(outcomes))}
    progress.close()
    replace_part(Path(config.report), "# How many images a verdict takes", lines(found, config))
    return found


def features() -> tuple[np.ndarray, np.ndarray]:
    """Features of handwritten and of printed digits, by the shipped extractor."""
    from tfgantl.data import HandwrittenDigits, RenderedDigits
    from tfgantl.metrics.extractors import Extractor

    extractor = Extractor.load("digits")
    images = [HandwrittenDigits(shots=None, validation_shots=None).load(split).take()[0] for split in ("train", "test")]
    printed = RenderedDigits().load("test").subset(1500)[0]
    return extractor(np.concatenate(images))[0], extractor(printed)[0]


def mixed(rng: np.random.Generator, near: np.ndarray, far: np.ndarray, share: float) -> np.ndarray:
    """Features of a generator that makes so large a share of printed digits."""
    count = round(FAKES * share)
    near, far = (rng.permutation(part)[:n] for part, n in ((near, FAKES - count), (far, count)))
    return rng.permutation(np.concatenate([near, far]))


def lines(found: dict[str, dict[int, dict[str, float]]], config: VerdictBenchmarkConfig) -> list[str]:
    """The part of the page."""
    enough = next((n for n in COUNTS if found["halved"][n].get("positive", 0) >= 0.9), None)
    wrong = max(found["equal"][n].get(side, 0) for n in COUNTS for side in ("positive", "negative"))
    wrong = max(wrong, *(found[case][n].get("negative", 0) for case in ("halved", "halved, from far") for n in COUNTS))
    table = ["| test images | " + " | ".join(f"{case}: verdicts" for case in PRINTED) + " |", "|---" * 4 + "|"]
    for count in COUNTS:
        cells = [", ".join(f"{name} {share:.2f}" for name, share in found[case][count].items()) for case in PRINTED]
        table.append(f"| {count} | {' | '.join(cells)} |")
    return [
        "# How many images a verdict takes", "",
        f"Two generators of {FAKES} images each, mixtures of handwritten digits, which the test images are not among, "
        "and of printed ones, so that the ratio of their distances from handwritten digits is known: `equal`, or "
        "`halved` by the adaptation; the baseline makes one printed digit in five, or, `from far`, every second one. "
        f"{config.trials} trials of {config.resamples} resamples each; "
        "features of the shipped extractor, without labels. Regenerate with `python -m benchmarks.verdict`.", "",
        *table, "",
        "Largest share of false verdicts in a cell (a side where there is no difference, or the wrong side): "
        f"{wrong:.2f}. "
        + (f"A halved distance is seen in 9 of 10 cases from {enough} test images on." if enough else
           f"A halved distance is not seen in 9 of 10 cases with {COUNTS[-1]} test images."), "", machine(), "",
    ]  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(VerdictBenchmarkConfig, "python -m benchmarks.verdict", benchmark_verdict, {}, arguments)


if __name__ == "__main__":
    sys.exit(main())
