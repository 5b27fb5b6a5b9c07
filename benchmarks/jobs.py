"""The work of the benchmark of transfer methods: what each job does, and what methods cost."""

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

from benchmarks.pairs import FRESH, PAIRS, ROWS
from benchmarks.results import keep, kept, shipped
from tfgantl.cli import quiet_tensorflow
from tfgantl.pipelines.adapt import AdaptConfig
from tfgantl.training.optimization import ADAPTATION
from tfgantl.training.precision import dtype_policy

SAMPLES = 2000
CLASSIFIER_STEPS = 200
VALIDATE_EVERY = 100
COST_IMAGES = 100
SHOWN = 50


def start_worker(threads: int) -> None:
    """Prepares a process that is to run jobs with this many threads."""
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = str(threads)
    quiet_tensorflow()
    from tfgantl import progress

    progress.silent = True  # bars of several jobs at a time would not be legible


def extractor_of(directory: Path, name: str) -> str:
    """Handle of the features that all methods of a pair are measured with; they are made if they are not there yet."""
    from tfgantl.metrics.extractor_choice import train_extractor

    pair = PAIRS[name]
    if pair.extractor:
        return pair.extractor
    path = directory / "extractors" / name
    if not path.is_dir():
        examples = pair.shots(directory, None, 0).load("train")
        images, labels = examples.take()
        extractor = train_extractor(images, labels, examples.num_classes, name=name)
        extractor.classes = examples.classes
        extractor.save(path)
    return str(path)


def measured_costs(directory: Path, rows: list[str], steps: int) -> dict[str, float]:
    """Time of a step of each row over that of FineTune, measured once for each method and kept.

    Training from scratch computes the same as fine-tuning, and settings of a row do not count.
    """
    from benchmarks.cost import Stopwatch
    from tfgantl.pretrained import load_source
    from tfgantl.progress import bar
    from tfgantl.transfer import FineTune

    methods = {type(ROWS[row][0]).__name__: ROWS[row][0] for row in rows}
    path = directory / f"costs-{steps}.json"
    known = {"FineTune": 1.0, "Scratch": 1.0} | (kept(path) or {})
    missing = [name for name in methods if name not in known]
    if missing:
        source = load_source("rendered-digits")
        examples = PAIRS["digits"].shots(directory, COST_IMAGES, 0).load("train")
        watch = Stopwatch(FineTune(), source, examples, ADAPTATION, steps, 64, dtype_policy("auto"))
        progress = bar(len(missing), "costs", "method")
        for name in missing:
            known[name] = watch.cost(methods[name])
            progress.update()
        progress.close()
        keep(path, known)
    return {row: known[type(ROWS[row][0]).__name__] for row in rows}


def result_path(directory: Path, name: str, images: int, row: str, seed: int, steps: int) -> Path:
    """Where the result of a job is kept."""
    short = row.replace(", ", "-").replace(" ", "-")
    return directory / "jobs" / f"{name}-{images}-{short}-{seed}-{steps}-{shipped()}.json"


@cache
def prepared_for(directory, name, images, seed):
    """Settings, source, data and judge, which all rows of a cell have in common."""
    from tfgantl.metrics.evaluation import Evaluator
    from tfgantl.pipelines.adapt.preparation import prepare

    pair = PAIRS[name]
    config = AdaptConfig(
        source=pair.handle(directory), target=pair.shots(directory, images, seed), batch_size=min(64, images),
        seed=seed, extractor=extractor_of(directory, name), validate_every=VALIDATE_EVERY, optimization=FRESH,
    )  # fmt: skip
    prepared = prepare(config, name)
    train, test = (prepared.examples[split].take() for split in ("train", "test"))
    judge = Evaluator(
        prepared.extractor, train, test, prepared.source.num_classes, seed, CLASSIFIER_STEPS,
        prepared.examples["train"].classes,
    )  # fmt: skip
    return replace(config, **prepared.settings), prepared, judge


def run_job(directory: Path, name: str, images: int, row: str, seed: int, steps: int, cost: float) -> dict:
    """Trains and judges one cell with one seed, and keeps the result."""
    import keras

    from tfgantl.images import encode_png, grid, side_by_side, to_uint8
    from tfgantl.metrics.evaluation import labels_like
    from tfgantl.pipelines.adapt.training import train_pair

    config, prepared, judge = prepared_for(directory, name, images, seed)
    method, changes = ROWS[row]
    config = replace(config, optimization=replace(config.optimization, **changes))
    settings = config.training_settings(steps=max(2, round(steps / cost)))
    trained = train_pair(prepared, config, method, row, settings)
    gan, transferability = trained.gan, prepared.transferability
    labels = None if gan.num_classes is None else labels_like(judge.test_labels, SAMPLES, seed)
    fakes = to_uint8(gan.generate(gan.latents(SAMPLES, seed + 1000), labels))
    judged = judge(fakes, labels, row)
    result = {
        **judged.metrics,
        **judged.diversity,
        "steps": trained.steps,
        "seconds": trained.seconds,
        "best_step": trained.best_step,
        "history": [(record["step"], record["val_ckid"]) for record in trained.history],
        "transferability": {"ckid": transferability.ckid, "separability": transferability.separability},
    }
    path = result_path(directory, name, images, row, seed, steps)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheets = [grid(images[:SHOWN], 10) for images in (judge.train_images, fakes)]
    path.with_suffix(".png").write_bytes(encode_png(side_by_side(sheets), 2))
    keras.backend.clear_session()
    return keep(path, result)
