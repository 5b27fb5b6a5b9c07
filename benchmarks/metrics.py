"""What metrics see, and how many pictures they take: bias, spread, and known damage, on real pictures.

`python -m benchmarks.metrics`. The generator is played by real pictures, which the test pictures are not among: as they
are, then damaged in one way at a time. Results of each kind of features are kept in `work_dir`.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.damage import DAMAGE, OF_COLOUR, Pictures
from benchmarks.metrics_tables import CLASSIFIED, EXTRAPOLATION, HEADING, KINDS, lines, plot
from benchmarks.pairs import Shades, coloured
from benchmarks.results import keep, kept, shipped
from benchmarks.tables import replace_part
from tfgantl.cli import run as run_cli
from tfgantl.errors import ArtifactError, ConfigError, check_at_least

TRAIN = 100
MOST = 848  # of the 1,697 other digits
EXTRAPOLATED = 512  # features at most: ten Fréchet distances of more take minutes
# Few hues: of colours at random, a shift of the hue would be no damage.
CREAM: Shades = ((215, 195, 150), (255, 235, 190))
BLUE: Shades = ((10, 30, 90), (60, 80, 160))
LEFT_OUT = ("ckid_sd",)  # it is the spread of another metric over halves, and no metric of its own


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
        if max(*self.counts, self.damaged) > MOST:
            raise ConfigError(
                f"`counts` and `damaged` must be at most {MOST}, half of the pictures. "
                f"Received: {self.counts}, {self.damaged}"
            )


class RememberedFeatures:
    """An extractor that looks at every picture once, in however many sets it is drawn."""

    def __init__(self, kind: str):
        from tfgantl.metrics.extractor_choice import load_extractor

        self.extractor, self.known = load_extractor(kind, (28, 28, 3 if kind == "vgg16" else 1)), {}

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

    found: dict[str, dict] = {}
    for kind in config.kinds:
        try:
            extractor = RememberedFeatures(kind)
        except ArtifactError as error:
            log(f"{kind}: left out: {error}")
            continue
        found[kind] = measured(kind, extractor, config)
        replace_part(
            Path(config.report), HEADING, lines(found, config.draws, config.damaged, bool(config.classifier_steps))
        )
    if found:
        plot(found, Path(config.picture))
    return found


def pictures_of(kind: str) -> tuple[Pictures, Pictures]:
    """Training pictures, and all others."""
    from tfgantl.data import HandwrittenDigits

    source = HandwrittenDigits(shots=None, validation_shots=None)
    parts = [source.load(split).take() for split in ("train", "test", "validation")]
    images, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = images[order], labels[order]
    if kind == "vgg16":
        images = coloured(images[..., 0], CREAM, BLUE)
    return (images[:TRAIN], labels[:TRAIN]), (images[TRAIN:], labels[TRAIN:])


def measured(kind: str, extractor: "RememberedFeatures", config: MetricsBenchmarkConfig) -> dict:
    """Means and standard deviations of all metrics, by numbers of pictures and by damage; each row is kept."""
    from tfgantl.progress import bar

    train, others = pictures_of(kind)
    rows = [("counts", str(count), count, None) for count in config.counts]
    rows += [("damage", "none", config.damaged, None)]
    rows += [("damage", name, config.damaged, name) for name in DAMAGE if kind == "vgg16" or name != OF_COLOUR]
    result: dict[str, dict] = {"counts": {}, "damage": {}}
    with bar(len(rows), f"metrics: {kind}", "row") as progress:
        for part, name, count, damage in rows:
            short = f"{kind}-{part}-{name.replace(' ', '-')}-{count}-{config.draws}-{config.classifier_steps}"
            path = Path(config.work_dir) / f"{short}-{shipped()}.json"
            found = kept(path)
            if found is None:
                draws = [measure(extractor, train, others, count, damage, i, config) for i in range(config.draws)]
                names = {key: None for draw in draws for key in draw}
                values = {key: [draw[key] for draw in draws if key in draw] for key in names}
                found = keep(path, {key: [float(np.mean(v)), float(np.std(v, ddof=1))] for key, v in values.items()})
            result[part][name] = found
            progress.update()
    return result


def measure(extractor, train, others, count, damage, draw, config) -> dict[str, float]:
    """All metrics of one random set of pictures, damaged or not, against another of the same number."""
    from tfgantl.metrics.evaluation import Evaluator
    from tfgantl.metrics.generator_metrics import METRICS
    from tfgantl.metrics.intervals import distance_curve

    rng = np.random.default_rng((draw, count))
    order = rng.permutation(len(others[0]))
    test, made = ((others[0][part], others[1][part]) for part in (order[:count], order[count : 2 * count]))
    if damage is not None:
        made = DAMAGE[damage](made, train, rng)
    evaluator = Evaluator(extractor, train, test, 10, draw, config.classifier_steps or 1)
    left_out = LEFT_OUT if config.classifier_steps and draw < CLASSIFIED else (*LEFT_OUT, "gan_train")
    names = [metric.name for metric in METRICS if metric.name not in left_out]
    values = {name: value for name, value in evaluator.some(*made, names).items() if value is not None}
    if damage is None and extractor(made[0])[0].shape[1] <= EXTRAPOLATED:
        values[EXTRAPOLATION] = distance_curve(evaluator.reference, extractor(made[0])[0], seed=draw).infinity
    return values


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(MetricsBenchmarkConfig, "python -m benchmarks.metrics", benchmark_metrics, {}, arguments)


if __name__ == "__main__":
    sys.exit(main())
