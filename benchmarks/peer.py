"""Methods that adapt 0.4.5 has, too, on the same networks, data and number of steps; steps are timed in turns."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import keep, kept
from benchmarks.tables import cell
from tfgantl.errors import ConfigError

if TYPE_CHECKING:
    from benchmarks.recognition import RecognitionBenchmarkConfig


METHODS = ("DANN", "ADDA", "DeepCORAL", "MCD")
IMAGES = 2000  # of the source; the peer takes arrays
TIMED = 3  # turns, after one that is not counted


def result_path(config: "RecognitionBenchmarkConfig", name: str, seed: int) -> Path:
    """Where the result of one comparison is kept."""
    return Path(config.work_dir) / "peer" / f"{name}-{seed}-{config.steps}.json"


def peer_lines(config: "RecognitionBenchmarkConfig") -> list[str]:
    """The table, measured where it is missing."""
    rows: dict[str, list[dict]] = {}
    for name in METHODS:
        for seed in config.seeds:
            path = result_path(config, name, seed)
            found = kept(path) or keep(path, measure(name, seed, config.steps))
            rows.setdefault(name, []).append(found)
    lines = [
        "## Beside adapt 0.4.5", "",
        f"rendered → handwritten digits without labels: the same networks, {IMAGES} source images, {config.steps} "
        "steps of 64 + 64, Adam from 1e-3, no augmentation, the last state; for MCD, adapt trains as many steps on the "
        "source before. Time of a step: ours over the peer's, in turns in one process, median of three; an epoch of "
        "the peer's makes its data sets, ours reads a prepared stream. Aimed at: no less accurate, at most 1.", "",
        "| method | ours | adapt | time of a step, ours / adapt |", "|---|---|---|---|",
    ]  # fmt: skip
    for name, results in rows.items():
        ours, theirs, ratio = ([v[key] for v in results] for key in ("ours", "theirs", "ratio"))
        lines.append(f"| {name} | {cell(ours)} | {cell(theirs)} | {cell(ratio, 1.0, 2)} |")
    return [*lines, ""]


def measure(name: str, seed: int, steps: int) -> dict:
    """Accuracies of both, and the ratio of the times of their steps.

    Raises:
        ConfigError: If the peer is not installed.
    """
    try:
        from adapt import feature_based
    except ImportError as error:
        raise ConfigError("`peer` must be false, or adapt be there: `pip install 'tfgantl[bench]'`") from error
    import keras
    import numpy as np
    import tensorflow as tf

    from tfgantl import recognition
    from tfgantl.data import Examples, HandwrittenDigits, RenderedDigits
    from tfgantl.images import to_unit
    from tfgantl.metrics.classification import accuracy
    from tfgantl.recognition.auxiliary_networks import domain_discriminator
    from tfgantl.recognition.domains import MAX_IMAGES, Domains
    from tfgantl.recognition.task import with_labels
    from tfgantl.recognition.trainer import Trainer

    target = HandwrittenDigits(shots=None, validation_shots=None)
    pair = Domains.load(RenderedDigits(), target, 28, 1)
    images, labels = pair.source["train"].take(IMAGES)
    pair.source["train"] = Examples.from_arrays(images, labels, 10)
    settings = {"steps": steps, "weak": "", "selection": "last", "validate_every": steps}
    trainer = Trainer(pair.task(0, seed, **settings))
    method = getattr(recognition, name)()
    x, y = to_unit(images), np.eye(10, dtype=np.float32)[labels]
    unlabelled, test = trainer.target_pool, with_labels(pair.target["test"], MAX_IMAGES)
    if name == "ADDA":
        trainer.source_model()  # both start from a classifier of the source, which is not timed

    ours_model = trainer.fit(method).model
    ours = accuracy(ours_model.classifier, *test)

    keras.utils.set_random_seed(seed)
    fresh = trainer.new_model()
    head = keras.Sequential([fresh.head, keras.layers.Softmax()])
    shared = {
        "encoder": fresh.features, "task": head, "Xt": to_unit(unlabelled), "loss": "categorical_crossentropy",
        "optimizer": keras.optimizers.Adam(1e-3), "random_state": seed, "verbose": 0, "copy": False,
    }  # fmt: skip
    if name in ("DANN", "ADDA"):
        inner = domain_discriminator(fresh.features.output_shape[-1])
        shared["discriminator"] = keras.Sequential([inner, keras.layers.Activation("sigmoid")])
    if name in ("DANN", "DeepCORAL"):
        shared["lambda_"] = method.strength
    if name == "MCD":
        shared["n_steps"] = method.repeats
    epochs = math.ceil(steps / math.ceil(IMAGES / 64))
    if name in ("ADDA", "MCD"):  # its features see source labels only before; ours start so for ADDA
        shared |= {"pretrain__epochs": epochs, "pretrain__callbacks": [_cosine(steps)]}
    peer = getattr(feature_based, name)(**shared)
    peer.fit(x, y, epochs=epochs, batch_size=64, callbacks=[_cosine(steps)])
    logits = peer.predict(to_unit(test[0]))
    theirs = float((np.asarray(logits).argmax(1) == test[1]).mean())

    # One epoch of each in turn; both have been traced.
    data = tf.data.Dataset.zip({"source": _forever(x, labels), "unlabelled": _forever(to_unit(unlabelled))})
    count = math.ceil(IMAGES / 64)
    ratios = []
    for _ in range(TIMED + 1):
        one = _seconds(lambda: ours_model.fit(data, steps_per_epoch=count, verbose=0, shuffle=False))
        other = _seconds(lambda: peer.fit(x, y, epochs=1, batch_size=64))
        ratios.append(one / other)
    return {"ours": ours, "theirs": theirs, "ratio": float(np.median(ratios[1:]))}


def _cosine(steps: int):
    """The falling learning rate of ours; the peer makes its optimizers anew from numbers, and refuses a schedule."""
    import keras

    schedule = keras.optimizers.schedules.CosineDecay(1e-3, steps)
    parts = [before + name for before in ("", "pretrain_") for name in ("optimizer", "optimizer_enc", "optimizer_disc")]

    class Cosine(keras.callbacks.Callback):
        taken = 0

        def on_train_batch_begin(self, batch, logs=None):
            for part in filter(None, (getattr(self.model, name, None) for name in parts)):
                part.learning_rate = float(schedule(self.taken))
            self.taken += 1

    return Cosine()


def _forever(*arrays):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(arrays).repeat().batch(64, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def _seconds(work) -> float:
    from time import perf_counter

    start = perf_counter()
    work()
    return perf_counter() - start
