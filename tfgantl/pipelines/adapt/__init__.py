"""Adapts a GAN to a small target, judges it against training from scratch, and exports it.

`python -m tfgantl.pipelines.adapt`, or `tfgantl adapt`.
"""

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tfgantl.cli import run as run_cli
from tfgantl.configuration import to_yaml
from tfgantl.data import HandwrittenDigits, Source
from tfgantl.errors import check_at_least, check_seed
from tfgantl.files import check_name
from tfgantl.models import Networks
from tfgantl.training.optimization import ADAPTATION, Optimization, Precision
from tfgantl.training.run_directory import RunDirectory
from tfgantl.transfer import FineTune, Scratch, Transfer

MAX_IMAGES = 10_000  # of a split, for judging
DEFAULTS = {"target": {"class_path": "HandwrittenDigits"}, "transfer": {"class_path": "FineTune"}}


@dataclass(frozen=True)
class AdaptConfig:
    """Settings of an adaptation.

    Args:
        source: Handle of the trained pair: a preset name, a run directory, a .keras, .weights.h5 or .npz file, a
            SavedModel or TF1 hub module, or the address of one (docs/sources.md).
        networks: Architecture that bare weights are adopted into; a SavedModel without it is trained as it is.
        class_map: Where classes start if the target has others than the source: nearest, average, init, or a file.
        allow_ops: Operations of a SavedModel that are trusted, of those that are refused otherwise.
        target: Images to adapt to.
        transfer: How to transfer.
        steps: Training steps.
        batch_size: Images a step.
        seed: Makes the run repeatable.
        precision: auto takes bfloat16 where the processor computes in it.
        name: Name in run and export directories; that of the target if not given.
        run_dir: New directory for everything that the run writes; runs/NAME/NUMBER if not given.
        export_dir: Where SavedModels land, as numbered versions; exported/NAME if not given.
        baseline: Whether the same networks are trained from scratch with the same budget, for the verdict.
        extractor: Features for the metrics: auto, a shipped name, or a directory.
        samples: Generated images that are measured.
        classifier_steps: Training steps of each classifier that judges generated images by their use.
        validate_every: Steps between validations, which choose the best state.
        patience: Validations without a better cKID after which to stop; none to take all steps.
        mirror: Flip half of the training images left to right.
        optimization: Losses and optimizers.
        probe: Only ask whether transfer would help: compare short runs on validation images, and write nothing.
        save_every: Steps between checkpoints; those of the validations if not given.
        resume: Directory of an interrupted run to go on with; it keeps its own settings.
        allow_changes: Go on also if its data or the versions of packages have changed.
        force: Publish also after negative transfer.
        json: Print the result as the last line, one JSON object.
    """

    source: str = "rendered-digits"
    networks: Networks | None = None
    class_map: str = "nearest"
    allow_ops: tuple[str, ...] = ()
    target: Source = field(default_factory=HandwrittenDigits)
    transfer: Transfer = field(default_factory=FineTune)
    steps: int = 600
    batch_size: int = 64
    seed: int = 0
    precision: Precision = "auto"
    name: str | None = None
    run_dir: str | None = None
    export_dir: str | None = None
    baseline: bool = True
    extractor: str = "auto"
    samples: int = 4000
    classifier_steps: int = 500
    validate_every: int = 100
    patience: int | None = None
    mirror: bool = False
    optimization: Optimization = field(default_factory=lambda: ADAPTATION)
    probe: bool = False
    save_every: int | None = None
    resume: str | None = None
    allow_changes: bool = False
    force: bool = False
    json: bool = False

    def __post_init__(self):
        check_at_least(self, 1, "steps", "batch_size", "classifier_steps", "validate_every", "patience", "save_every")
        check_at_least(self, 10, "samples")
        check_seed("seed", self.seed)
        self.optimization.check(self.steps)
        check_name(self.name or self.target.name)


def adapt(config: AdaptConfig) -> dict:
    """Runs an adaptation.

    Args:
        config: The settings.

    Returns:
        What `--json` prints.

    Raises:
        TfgantlError: If the source, the target or the run directory cannot be used, or training diverges.
    """
    import numpy as np

    from tfgantl.export.publish import check_export_dir, publish
    from tfgantl.images import grid, side_by_side, to_uint8
    from tfgantl.metrics.evaluation import Evaluator, labels_like
    from tfgantl.metrics.verdict import judge_transfer
    from tfgantl.models.copies import float32_copy
    from tfgantl.pipelines.adapt.preparation import prepare, train_pair
    from tfgantl.pipelines.adapt.probe import probe
    from tfgantl.progress import log
    from tfgantl.random_streams import Stream
    from tfgantl.report import adaptation_report

    start = time.perf_counter()
    name = check_name(config.name or config.target.name)
    if config.probe:
        return probe(config, prepare(config, name))
    check_export_dir(Path(config.export_dir or Path("exported") / name))
    prepared = prepare(config, name)
    source, examples = prepared.source, prepared.examples

    with RunDirectory.open(config, name) as run:
        run.begin(to_yaml(config), prepared.facts(), config.allow_changes)
        notes = examples["train"].notes
        log(f"{name}: {examples['train'].size or 'endless'} training images, run directory {run.path}", *notes)

        # Candidates are compared on the same latents, with the labels of the test images.
        train_images, train_labels = examples["train"].subset(MAX_IMAGES)
        test_images, test_labels = examples["test"].subset(MAX_IMAGES)
        latents = source.latents(config.samples, config.seed, Stream.EVALUATION)
        labels = None if source.num_classes is None else labels_like(test_labels, config.samples, config.seed)
        sheet_latents = source.latents(100, seed=config.seed)
        sheet_labels = None if source.num_classes is None else np.repeat(np.arange(10), 10) % source.num_classes
        sheets = {"real": in_class_order(train_images, train_labels, 100)}
        fakes = {}
        run.write_png("reals.png", grid(sheets["real"], 10))

        def show(gan, title):
            fakes[title] = to_uint8(gan.generate(latents, labels))
            sheets[title] = to_uint8(gan.generate(sheet_latents, sheet_labels))
            run.write_png(f"fakes_{title}.png", grid(sheets[title], 10))

        show(source, "source")
        adapted = train_pair(prepared, config, prepared.transfer, "adapted", config.steps, run, config.patience)
        trained = {"adapted": adapted}
        show(adapted.gan, "adapted")
        for network in (adapted.gan.ema_generator, float32_copy(adapted.gan.discriminator)):
            with run.replacing(f"{network.name}.keras") as temporary:
                network.save(temporary)
        run.write_png(
            "before_after.png", side_by_side([grid(sheets[title], 10) for title in ("source", "adapted", "real")])
        )
        if config.baseline:
            # Patience is for the adaptation; the baseline gets as many steps as that took.
            trained["baseline"] = train_pair(prepared, config, Scratch(), "baseline", adapted.steps, run)
            show(trained["baseline"].gan, "baseline")

        # Evaluator, on images that neither training nor selection saw.
        judge = Evaluator(
            prepared.extractor, (train_images, train_labels), (test_images, test_labels), source.num_classes,
            config.seed, config.classifier_steps,
        )  # fmt: skip
        judged = {title: judge(images, labels, title) for title, images in fakes.items()}
        useful = judge.usefulness(judged["adapted"]) if labels is not None else {}
        verdict = None
        if config.baseline:
            known = None if labels is None else test_labels
            pair = judged["adapted"].features, judged["baseline"].features
            verdict = judge_transfer(judge.test_features, *pair, known, labels, seed=config.seed)

        page = adaptation_report(config, prepared, trained, judged, useful, sheets, train_images, verdict)
        outcome = verdict.outcome if verdict else None
        export_dir = None
        if outcome != "negative" or config.force:
            facts = {
                "source": config.source, "target": name, "transfer": type(prepared.transfer).__name__,
                "shots": examples["train"].size, "metrics": judged["adapted"].metrics, "verdict": outcome,
                "baseline": judged["baseline"].metrics if config.baseline else None,
            }  # fmt: skip
            export_to = Path(config.export_dir or Path("exported") / name)
            picture = (run.path / "before_after.png").read_bytes()
            export_dir = publish(
                adapted.gan.ema_generator, export_to, facts=facts, force=config.force, before_after=picture
            )
        result = {
            "run_dir": str(run.path),
            "export_dir": str(export_dir) if export_dir else None,
            "steps": adapted.steps,
            "seconds": round(time.perf_counter() - start, 1),
            "images_per_second": round(adapted.images_per_second, 1),
            "metrics": judged["adapted"].metrics,
            "baseline": judged["baseline"].metrics if config.baseline else None,
            "diversity": judged["adapted"].diversity,
            "baseline_diversity": judged["baseline"].diversity if config.baseline else None,
            "verdict": outcome,
            "transferability": asdict(prepared.transferability),
            "classifiers": useful,
            "training_seconds": {title: round(entry.seconds, 1) for title, entry in trained.items()},
        }
        run.log({"run": "result", "name": name, **result, "verdict": asdict(verdict) if verdict else None})
        run.write("report.html", page.html())  # last: what a run that has ended can be known by
        log(
            str(verdict or "no baseline, no verdict"),
            f"report: {run.path / 'report.html'}",
            f"SavedModel: {export_dir}"
            if export_dir
            else f"not published, because transfer was negative; `tfgantl export --model {run.path} --force` does it",
        )
    return result


def in_class_order(images, labels, count: int):
    """At most `count` images from all over the array, sorted by class."""
    import numpy as np

    order = np.arange(len(images)) if labels is None else np.argsort(labels, kind="stable")
    return images[order[np.linspace(0, len(order) - 1, min(count, len(order))).astype(int)]]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(AdaptConfig, "adapt", adapt, DEFAULTS, arguments)
