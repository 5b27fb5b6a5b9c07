"""Adapts a classifier to a target with few labels or none, and compares the ways to do so.

`python -m tfgantl.pipelines.recognize`, or `tfgantl recognize`.
"""

import time
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from tfgantl.cli import run as run_cli
from tfgantl.configuration import to_yaml
from tfgantl.data import HandwrittenDigits, RenderedDigits, Source
from tfgantl.errors import ConfigError, InterruptedRun, check_above, check_at_least, check_seed
from tfgantl.files import check_name
from tfgantl.recognition import SHOT, GANImages, Recognizer
from tfgantl.recognition.registry import by_label
from tfgantl.training.run_directory import RunDirectory

DEFAULTS = {
    "source": {"class_path": "RenderedDigits"},
    "target": {"class_path": "HandwrittenDigits", "init_args": {"shots": None, "validation_shots": None}},
    "method": [{"class_path": "SHOT"}, {"class_path": "GANImages"}],
}


@dataclass(frozen=True)
class RecognizeConfig:
    """Settings of a comparison of recognition methods.

    Args:
        source: Labelled images to learn from.
        target: Images to recognise; labels of its training images are used only as far as `labels` allows.
        candidates: Further sources to compare with the first one by --rank.
        method: A method to compare, or the full import path of one; once for each, with its options after it, as in
            --method SHOT --method.consistency 1 --method MCD.
        labels: Labelled target images a class, one comparison for each number; 0 for none.
        seeds: Number of training seeds.
        seed: The first of them.
        backbone: Network of all methods: conv, or dense for one layer on the pixels.
        steps: Training steps of each classifier.
        batch_size: Images a step, of each domain.
        learning_rate: Of Adam, falls along a cosine.
        selection: What selects states, and the best method: source_val, im, snd, last, or oracle, which looks at
            labels of the target's validation images.
        validate_every: Steps between the states to choose from.
        augment: Changes of training images: names out of translation, cutout, color, affine, resolution.
        image_size: Height and width in pixels, for sources that leave it open.
        channels: 1 for gray, 3 for RGB, for sources that leave it open.
        name: Name in run and export directories; that of the target if not given.
        run_dir: New directory for everything that the run writes; runs/NAME-recognize/NUMBER if not given.
        export_dir: Where SavedModels land, as numbered versions; exported/NAME-classifier if not given.
        resume: Directory of an interrupted run to go on with; it keeps its own settings.
        allow_changes: Go on also if its data or the versions of packages have changed.
        rank: Only rank the sources by how helpful they look, before anything is trained on the target.
        force: Publish also after negative transfer.
        json: Print the result as the last line, one JSON object.
    """

    source: Source = field(default_factory=RenderedDigits)
    target: Source = field(default_factory=lambda: HandwrittenDigits(shots=None, validation_shots=None))
    candidates: tuple[Source, ...] = ()
    method: list[Recognizer] = field(default_factory=lambda: [SHOT(), GANImages()])
    labels: tuple[int, ...] = (0, 1, 5, 10)
    seeds: int = 2
    seed: int = 0
    backbone: str = "conv"
    steps: int = 400
    batch_size: int = 64
    learning_rate: float = 1e-3
    selection: str = "im"
    validate_every: int = 100
    augment: str = "affine,resolution"
    image_size: int = 28
    channels: int = 1
    name: str | None = None
    run_dir: str | None = None
    export_dir: str | None = None
    resume: str | None = None
    allow_changes: bool = False
    rank: bool = False
    force: bool = False
    json: bool = False

    def __post_init__(self):
        check_at_least(self, 1, "seeds", "steps", "batch_size", "validate_every")
        check_above(self, 0, "learning_rate")
        check_seed("seed", self.seed)
        if self.backbone not in ("conv", "dense"):
            raise ConfigError(f"`backbone` must be conv or dense. Received: {self.backbone}")
        if not self.labels or min(self.labels) < 0:
            raise ConfigError(f"`labels` must be numbers of at least 0. Received: {list(self.labels)}")
        methods = by_label(self.method)
        idle = [name for name, method in methods.items() if "labelled" in method.needs]
        if idle and not any(self.labels):
            raise ConfigError(f"`labels` must be above 0 for {', '.join(idle)}. Received: {list(self.labels)}")
        if self.selection == "last" and len(methods) > 1:
            raise ConfigError(
                f"`selection` last must have one method, as it tells none apart. Received: {', '.join(methods)}"
            )
        check_name(self.name or self.target.name)

    def settings(self) -> dict:
        """What all tasks of the run have in common."""
        from tfgantl.models.backbones import convolutional_features, dense_features

        return {
            "features": convolutional_features if self.backbone == "conv" else dense_features,
            "steps": self.steps, "batch_size": self.batch_size, "learning_rate": self.learning_rate,
            "selection": self.selection, "validate_every": self.validate_every, "weak": self.augment,
        }  # fmt: skip


def recognize(config: RecognizeConfig) -> dict:
    """Runs a comparison, or ranks sources.

    Args:
        config: The settings.

    Returns:
        What `--json` prints.

    Raises:
        TfgantlError: If data, options or the run directory cannot be used, or training diverges.
    """
    import keras

    from tfgantl.export.image_signatures import classifier_signatures
    from tfgantl.export.publish import check_export_dir, publish
    from tfgantl.pipelines.recognize.report import recognition_report
    from tfgantl.progress import log
    from tfgantl.recognition.comparison import trials
    from tfgantl.recognition.domains import Domains
    from tfgantl.recognition.summary import Summary

    start = time.perf_counter()
    name = check_name(config.name or config.target.name)
    if config.rank:
        return rank(config)
    export_to = Path(config.export_dir or Path("exported") / f"{name}-classifier")
    check_export_dir(export_to)
    domains = Domains.load(config.source, config.target, config.image_size, config.channels)
    test_images, test_labels = domains.test()
    if config.selection == "oracle" and domains.target["validation"].num_classes is None:
        raise ConfigError("`selection` must not be oracle for a target without labels. Received: oracle")
    todo = trials(
        by_label(config.method), config.labels, list(range(config.seed, config.seed + config.seeds)),
        test_labels is not None,
    )  # fmt: skip
    for labels in config.labels:  # mistakes in a task are reported before the run
        domains.task(labels, config.seed, **config.settings())

    with RunDirectory.open(config, f"{name}-recognize") as run:
        facts = {
            f"{side} {split} data": part.fingerprint
            for side, parts in (("source", domains.source), ("target", domains.target))
            for split, part in parts.items()
        }
        run.begin(to_yaml(config), facts, config.allow_changes)
        log(f"{name}: {len(todo)} trainings, selection by {config.selection}, run directory {run.path}")
        try:
            results = finished(run, domains, todo, config.settings())
        except KeyboardInterrupt as error:
            raise InterruptedRun(f"interrupted; what has ended is saved, `--resume {run.path}` goes on") from error
        outcome = Summary(results, test_labels)
        page = recognition_report(config, domains, outcome)
        log(*outcome.lines())
        verdict, best = outcome.verdict, outcome.best
        with run.replacing("classifier.keras") as temporary:
            best.classifier.save(temporary)
        export_dir = None
        if verdict is None or verdict.outcome != "negative" or config.force:
            facts = {
                "source": type(config.source).__name__, "target": name, "method": best.trial.row,
                "metrics": outcome.rows[best.trial.row], "verdict": verdict.outcome if verdict else None,
            }  # fmt: skip
            features = keras.Model(best.classifier.inputs[0], best.classifier.layers[-2].output)  # what the head sees
            signatures = partial(classifier_signatures, features=features)
            export_dir = publish(best.classifier, export_to, signatures, facts, config.force)
        result = {
            "methods": {row: entry for row, entry in outcome.rows.items() if row not in outcome.baselines},
            "baselines": {row: outcome.rows[row] for row in outcome.baselines},
            "best": best.trial.row,
            "verdict": verdict.outcome if verdict else None,
            "setting": outcome.settings,
            "selection": config.selection,
            "run_dir": str(run.path),
            "export_dir": str(export_dir) if export_dir else None,
            "seconds": round(time.perf_counter() - start, 1),
        }
        gap = asdict(verdict) if verdict else None
        run.log({"run": "result", "name": name, **result, "gap": gap})
        run.write("report.html", page.html())
        log(
            f"report: {run.path / 'report.html'}",
            f"SavedModel: {export_dir}" if export_dir else "not published, because transfer was negative",
        )
    return result


def finished(run, domains, todo, settings) -> list:
    """Results of all trials; those that the run directory holds are not trained again."""
    from tfgantl.recognition.comparison import run as run_trials
    from tfgantl.recognition.results import load_result, save_result

    results = {number: load_result(run, number, trial) for number, trial in enumerate(todo)}
    missing = [number for number, result in results.items() if result is None]
    for number, result in zip(missing, run_trials(domains, [todo[n] for n in missing], settings), strict=True):
        save_result(run, number, result)
        results[number] = result
        for record in result.history:
            run.log({"run": f"{result.trial.row}, seed {result.trial.seed}", **record})
    return list(results.values())


def rank(config: RecognizeConfig) -> dict:
    """Ranks sources by how helpful they look, before training on the target."""
    from tfgantl.progress import log
    from tfgantl.recognition.domains import Domains
    from tfgantl.recognition.trainer import Trainer
    from tfgantl.recognition.transferability import classifier_transferability

    ranks = {}
    for number, source in enumerate((config.source, *config.candidates)):
        domains = Domains.load(source, config.target, config.image_size, config.channels)
        labels = max(config.labels) if domains.test()[1] is not None else 0
        trainer = Trainer(domains.task(labels, config.seed, **config.settings()))
        measured = classifier_transferability(trainer)
        title = f"{number}: {source.name}"
        ranks[title] = {**asdict(measured), "warning": measured.warning}
        log(f"{title}: " + ", ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v or '–'}" for k, v in
                                      ranks[title].items()))  # fmt: skip
    order = sorted(ranks, key=lambda title: (-(ranks[title]["leep"] or 0.0), ranks[title]["a_distance"]))
    log(f"most helpful first: {'; '.join(order)}")
    return {"ranks": ranks, "order": order}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(RecognizeConfig, "recognize", recognize, DEFAULTS, arguments)
