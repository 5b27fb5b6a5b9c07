"""What metrics see, and how many pictures they take: bias, spread, and known damage, on real pictures.

`python -m benchmarks.metrics`. The generator is played by real pictures, which the test pictures are not among: as they
are, then damaged in one way at a time. Results of each kind of features are kept in `work_dir`.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.damage import DAMAGE, OF_COLOUR, Pictures
from benchmarks.pairs import coloured
from benchmarks.results import keep, kept, shipped
from benchmarks.tables import machine, replace_part
from tfgantl.cli import run as run_cli
from tfgantl.errors import ArtifactError, ConfigError, check_at_least

HEADING = "# What metrics see"
TRAIN = 100
CLASSIFIED = 3  # draws of what trains a classifier each time
EXTRAPOLATED = 512  # features at most: ten Fréchet distances of more take minutes
LEFT_OUT = ("ckid_sd",)  # it is the spread of another metric over halves, and no metric of its own
KINDS = {
    "digits": "handwritten digits, features of the shipped extractor",
    "vgg16": "the same in coloured ink on coloured paper, features of VGG16",
}


@dataclass(frozen=True)
class MetricsBenchmarkConfig:
    """Settings of the benchmark of metrics.

    Args:
        kinds: Pictures and features: digits, vgg16; the latter is left out where its weights are missing.
        counts: Numbers of test pictures, and of as many generated ones.
        draws: Pairs of random sets of each number.
        damaged: Number of either at which damage is looked for.
        classifier_steps: Steps of the classifiers of the classification accuracy score; 0 to leave it out.
        work_dir: Where results are kept.
        report: The page to write the tables to.
        picture: The plot of metrics against numbers of pictures.
        json: Print the result as the last line, one JSON object.
    """

    kinds: tuple[str, ...] = tuple(KINDS)
    counts: tuple[int, ...] = (50, 100, 200, 400, 800)
    draws: int = 20
    damaged: int = 400
    classifier_steps: int = 100
    work_dir: str = "runs/benchmark-metrics"
    report: str = "docs/benchmarks.md"
    picture: str = "docs/metrics.png"
    json: bool = False

    def __post_init__(self) -> None:
        check_at_least(self, 3, "draws")
        check_at_least(self, 0, "classifier_steps")
        if not set(self.kinds) <= set(KINDS):
            raise ConfigError(f"`kinds` must be of {', '.join(KINDS)}. Received: {', '.join(self.kinds)}")
        if not self.counts or min(*self.counts, self.damaged) < 20:
            raise ConfigError(f"`counts` and `damaged` must be at least 20. Received: {self.counts}, {self.damaged}")


class RememberedFeatures:
    """An extractor that looks at every picture once, in however many sets it is drawn."""

    def __init__(self, extractor):
        self.extractor, self.known = extractor, {}

    def __getattr__(self, name):
        return getattr(self.extractor, name)

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        keys = [image.tobytes() for image in images]
        new = {key: i for i, key in enumerate(keys) if key not in self.known}
        if new:
            features, predicted = self.extractor(images[list(new.values())])
            self.known |= dict(zip(new, zip(features, predicted, strict=True), strict=True))
        features, predicted = zip(*(self.known[key] for key in keys), strict=True)
        return np.stack(features), np.array(predicted)


def benchmark_metrics(config: MetricsBenchmarkConfig) -> dict:
    """Measures what is not measured yet, and writes the tables and the plot.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: kind → `counts` and `damage` → number or damage → metric → mean and standard deviation.
    """
    from tfgantl.progress import log

    found = {}
    for kind in config.kinds:
        name = f"{kind}-{config.draws}-{config.damaged}-{config.classifier_steps}-{max(config.counts)}-{shipped()}.json"
        try:
            path = Path(config.work_dir) / name
            found[kind] = kept(path) or keep(path, measured(kind, config))
        except ArtifactError as error:
            log(f"{kind}: left out: {error}")
            continue
        replace_part(Path(config.report), HEADING, lines(found, config))
    if found:
        draw(found, Path(config.picture))
    return found


def pictures_of(kind: str) -> tuple[Pictures, Pictures]:
    """Training pictures, and all others."""
    from tfgantl.data import HandwrittenDigits

    source = HandwrittenDigits(validation_shots=None)
    parts = [source.load(split).take() for split in ("train", "test", "validation")]
    images, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    if kind == "vgg16":
        images = coloured(images[..., 0])
    return (images[:TRAIN], labels[:TRAIN]), (images[TRAIN:], labels[TRAIN:])


def measured(kind: str, config: MetricsBenchmarkConfig) -> dict:
    """Means and standard deviations of all metrics, by numbers of pictures and by damage."""
    from tfgantl.metrics.extractor_choice import load_extractor
    from tfgantl.progress import bar

    train, others = pictures_of(kind)
    extractor = RememberedFeatures(load_extractor(kind, others[0].shape[1:]))
    extractor(others[0])  # in one go
    kinds = [name for name in DAMAGE if kind == "vgg16" or name != OF_COLOUR]
    result: dict[str, dict] = {"counts": {}, "damage": {}}
    with bar((len(config.counts) + len(kinds) + 1) * config.draws, f"metrics: {kind}", "draw") as progress:

        def drawn(count: int, damage: str | None) -> dict[str, list[float]]:
            values: dict[str, list[float]] = {}
            for draw in range(config.draws):
                one = measure(extractor, train, others, count, damage, draw, config)
                for name, value in one.items():
                    values.setdefault(name, []).append(value)
                progress.update()
            return {name: [float(np.mean(v)), float(np.std(v, ddof=1))] for name, v in values.items()}

        for count in config.counts:
            result["counts"][str(count)] = drawn(count, None)
        for name in ("none", *kinds):
            result["damage"][name] = drawn(config.damaged, None if name == "none" else name)
    return result


def measure(extractor, train, others, count, damage, draw, config) -> dict[str, float]:
    """All metrics of one random set of pictures, damaged or not, against another of the same number."""
    from tfgantl.metrics.evaluation import Evaluator
    from tfgantl.metrics.generator_metrics import METRICS
    from tfgantl.metrics.intervals import distance_curve

    rng = np.random.default_rng((draw, count))
    order = rng.permutation(len(others[0]))[: 2 * count]
    test, made = ((others[0][part], others[1][part]) for part in (order[:count], order[count:]))
    if damage is not None:
        made = DAMAGE[damage](made, train, rng)
    evaluator = Evaluator(extractor, train, test, 10, draw, config.classifier_steps or 1)
    left_out = LEFT_OUT if config.classifier_steps and draw < CLASSIFIED else (*LEFT_OUT, "gan_train")
    names = [metric.name for metric in METRICS if metric.name not in left_out]
    values = {name: value for name, value in evaluator.some(*made, names).items() if value is not None}
    if damage is None and extractor(made[0])[0].shape[1] <= EXTRAPOLATED:
        values["cfid, extrapolated"] = distance_curve(evaluator.reference, extractor(made[0])[0], seed=draw).infinity
    return values


def titles() -> dict[str, str]:
    """Titles of metrics by their names, without arrows."""
    from tfgantl.metrics.generator_metrics import TITLES

    plain: Callable[[str], str] = lambda title: title.rstrip(" ↑↓")  # noqa: E731
    return {name: plain(title) for name, title in TITLES.items()} | {"cfid, extrapolated": "cFID, extrapolated"}


def lines(found: dict[str, dict], config: MetricsBenchmarkConfig) -> list[str]:
    """The part of the page."""
    page = [
        HEADING, "",
        "Regenerate with `python -m benchmarks.metrics`; formulas and papers are in [metrics.md](metrics.md). Real "
        "pictures play the generator, so the true distance is 0, and nothing is better. Inception is left out: on "
        "random weights, which are all that there is without a download, it says nothing. "
        f"{config.draws} draws of every number"
        + (f" ({CLASSIFIED} of the classification accuracy score)." if config.classifier_steps else "."), "",
    ]  # fmt: skip
    known = titles()
    for kind, one in found.items():
        counts, damage = one["counts"], one["damage"]
        names, seen = list(next(iter(counts.values()))), list(damage["none"])
        page += [
            f"## By number of pictures: {kind}", "",
            f"{KINDS[kind][0].upper()}{KINDS[kind][1:]}: mean ± standard deviation, for as many test as generated "
            "pictures.", "", "| | " + " | ".join(counts) + " |", "|---" * (len(counts) + 1) + "|",
            *(f"| {known[name]} | " + " | ".join(spread(row.get(name)) for row in counts.values()) + " |"
              for name in names), "",
            f"## Damage that is seen: {kind}", "",
            f"Change of the mean, in standard deviations of undamaged draws, for {config.damaged} pictures of either "
            "kind. Below 2, a single evaluation would not tell it from chance.", "",
            "| | " + " | ".join(name for name in damage if name != "none") + " |", "|---" * len(damage) + "|",
            *(f"| {known[name]} | " + " | ".join(
                change(damage["none"].get(name), row.get(name)) for key, row in damage.items() if key != "none"
            ) + " |" for name in seen if name != "cfid, extrapolated"), "",
        ]  # fmt: skip
    return [*page, machine(), ""]


def spread(pair: list[float] | None) -> str:
    """Mean ± standard deviation with about two digits of the latter."""
    if pair is None:
        return "–"
    digits = 2 if pair[1] == 0 else int(np.clip(1 - np.floor(np.log10(pair[1])), 1, 5))
    return f"{pair[0]:.{digits}f} ± {pair[1]:.{digits}f}"


def change(plain: list[float] | None, damaged: list[float] | None) -> str:
    """By how many standard deviations a mean has moved."""
    if plain is None or damaged is None or plain[1] == 0:
        return "–"
    moved = (damaged[0] - plain[0]) / plain[1]
    return f"{moved:+.0f}" if abs(moved) >= 10 else f"{moved:+.1f}"


def draw(found: dict[str, dict], path: Path) -> None:
    """Plots metrics against numbers of pictures."""
    from matplotlib.figure import Figure

    from tfgantl.files import Replacing

    shown = ("cfid", "cfid, extrapolated", "ckid", "gaussian_mmd", "recall", "coverage")
    figure, known = Figure(figsize=(10, 3.2 * len(found)), layout="constrained"), titles()
    axes = figure.subplots(len(found), len(shown) // 2, squeeze=False)
    for row, (kind, one) in zip(axes, found.items(), strict=True):
        for i, name in enumerate(shown):
            if name not in next(iter(one["counts"].values())):
                continue
            counts = [int(count) for count in one["counts"]]
            means, deviations = np.array([numbers[name] for numbers in one["counts"].values()]).T
            row[i // 2].errorbar(counts, means, deviations, marker=".", capsize=2, label=known[name])
            row[i // 2].set(xlabel="pictures", xscale="log", title=kind)
            row[i // 2].grid(alpha=0.3)
            row[i // 2].legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with Replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(MetricsBenchmarkConfig, "python -m benchmarks.metrics", benchmark_metrics, {}, arguments)


if __name__ == "__main__":
    sys.exit(main())
