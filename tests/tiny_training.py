"""A training without an evaluation, which tests start in one process or in several."""

import hashlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tfgantl import cli
from tfgantl.data import HandwrittenDigits
from tfgantl.pipelines.session import Session
from tfgantl.pipelines.settings import GANTrainingConfig

OPTIONS = ("--batch_size", "8", "--save_every", "2", "--precision", "float32")
# One graph, and a small one: tracing it takes most of the time.
OPTIONS += tuple(f"--optimization.{x}" for x in ("augment=translation", "reuse_fakes=true", "r1_every=1"))


def other_trainings(directory: Path) -> int:
    """What is no pair, and shared in other ways: steps of an extractor, trainings of a comparison, pictures."""
    from tfgantl.pipelines.edit import inversion
    from tfgantl.pipelines.edit import main as edit
    from tfgantl.pipelines.extractor import main as extractor
    from tfgantl.pipelines.recognize import main as recognize

    digits = '{"class_path": "HandwrittenDigits", "init_args": {"image_size": 8}}'
    small = ("--steps", "2", "--batch_size", "8")
    code = extractor([f"--domains=[{digits}]", "--out_dir", str(directory / "extractor"), "--samples", "16", *small])
    options = ("--method", "AdaBN", "--labels", "[0]", "--seeds", "1", "--backbone", "dense", "--augment", "color")
    where = ("--run_dir", str(directory / "compared"), "--export_dir", str(directory / "classifier"))
    code = code or recognize([*options, *small, "--validate_every", "2", *where, "--image_size", "8"])
    inversion.AT_A_TIME = 2  # so that both have something to do
    search = ("--steps", "2", "--restarts", "1", "--encoder_steps", "2", "--count", "3")
    return code or edit(["invert", "--model", "rendered-digits", *search, "--run_dir", str(directory / "inverted")])


@dataclass(frozen=True)
class TinyConfig(GANTrainingConfig):
    """Settings. `TINY_KILLED_AT` and `TINY_STOPPED_AT` are steps after which the last worker gets a signal."""

    default_steps: ClassVar[int] = 8
    default_validate_every: ClassVar[int] = 4

    @property
    def run_name(self) -> str:
        return "tiny"


def train(*arguments: str) -> int:
    """Begins a training, or goes on with one; gives the exit code."""
    options = list(arguments) if "--resume" in arguments else [*OPTIONS, *arguments]
    return cli.run(TinyConfig, "tiny_training", work, {}, options)


def work(config: TinyConfig) -> dict:
    """Trains, and tells the hash of all that has come of it."""
    import keras
    import numpy as np

    from tfgantl.gan import GAN
    from tfgantl.metrics.extractors import Extractor
    from tfgantl.models import MLP
    from tfgantl.models.classifier import small_cnn
    from tfgantl.training import callbacks
    from tfgantl.training.run import TrainingData, train
    from tfgantl.training.team import current
    from tfgantl.transfer import Scratch

    session, team = Session(config), current()
    is_last = team.cluster is None or team.cluster.rank == 1
    killed_at, stopped_at = (int(os.environ.get(f"TINY_{what}_AT", "0")) for what in ("KILLED", "STOPPED"))
    marker = Path(config.run_dir or config.resume) / "killed"
    end_of_step = callbacks.StopOnNonFinite.on_train_batch_end

    def fail(callback, batch, logs=None):
        end_of_step(callback, batch, logs)
        step = callback.model.steps_taken
        if is_last and step == killed_at and not marker.exists():  # once
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if is_last and step == stopped_at:
            os.kill(os.getpid(), signal.SIGTERM)

    callbacks.StopOnNonFinite.on_train_batch_end = fail
    examples = HandwrittenDigits(image_size=8).load("train")
    keras.utils.set_random_seed(3)
    extractor = Extractor(small_cnn(8, 1, 10, width=4, units=6), "tiny", 1.0, predicts_labels=True)
    keras.utils.set_random_seed(config.seed)
    facts = {"data": "digits", "rank": team.cluster.rank if "TINY_DIFFERENT" in os.environ and team.cluster else 0}
    with team.strategy.scope():
        gan = GAN(*MLP(latent_dim=4, units=8, label_dim=2).build(8, 1, 10), seed=config.seed)
    try:
        with session.open("tiny", facts, "training") as run:
            train(gan, Scratch(), None, TrainingData(examples, examples, extractor), config.training_settings(), run)
            layers = [gan, gan.optimizer, gan.d_optimizer]
            arrays = {f"{i}": v.numpy() for i, v in enumerate(v for layer in layers for v in layer.variables)}
            digest = hashlib.sha256(b"".join(value.tobytes() for value in arrays.values())).hexdigest()
            print(f"weights {digest}", flush=True)
            session.by_chief(lambda: np.savez(run.path / "weights.npz", **arrays))
        return {"weights": digest}
    finally:
        callbacks.StopOnNonFinite.on_train_batch_end = end_of_step
