"""What validation decides from its measurements: which state to keep, when to stop, and what to warn of."""

import dataclasses
import json
import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from conftest import TINY_MLP, tiny_images

from tfgantl.data.pipeline import batches
from tfgantl.losses import LOSSES
from tfgantl.training.balance import NAMES, Balance
from tfgantl.training.optimization import Optimization
from tfgantl.training.validation import Validate


@pytest.fixture
def validate(tiny_extractor):
    """A validation whose measurements are scripted: a record for each step, without any training."""

    def make(**options):
        callback = Validate(None, tiny_extractor, (tiny_images(), None), 1, **options)
        part = SimpleNamespace(trainable_variables=[1])
        callback.set_model(SimpleNamespace(generator=part, g_adapters=[], changing_weights=[], stop_training=False))
        return callback

    return make


def test_patience_stops_after_so_many_measurements_without_a_better_one(validate):
    waiting = validate(patience=2)
    for step, (ckid, stopped) in enumerate([(3.0, False), (4.0, False), (2.0, False), (2.0, False), (9.0, True)]):
        waiting.choose(step, ckid)
        assert waiting.stopped == waiting.model.stop_training == stopped, step
    assert waiting.best_step == 2
    endless = validate()
    for step in range(9):
        endless.choose(step, float(step))
    assert not endless.stopped and endless.best_step == 0


def test_patience_is_not_lost_while_the_generator_rests_or_labels_are_ramped(validate):
    resting = validate(patience=1)
    resting.model.generator.trainable_variables = []
    ramped = validate(patience=1, keep_from=9)
    for callback in (resting, ramped):
        for step in range(9):
            callback.choose(step, float(step))
        assert not callback.stopped
    assert ramped.best_step is None
    ramped.choose(9, 99.0)
    assert ramped.best_step == 9  # better states before use labels by halves


def test_memorisation_and_collapse_are_warned_of_once(validate, capsys):
    callback = validate(title="adapted")
    for step, (coverage, ratio) in enumerate([(0.6, 1.0), (0.4, 0.6), (0.4, 0.4), (0.2, 0.1), (0.1, 0.1)]):
        callback.warn(step, coverage, ratio, 1.0)
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2
    assert (
        lines[0].startswith("adapted, step 2: the generator is memorising its training images")
        and "ratio 0.40" in lines[0]
    )
    assert lines[1].startswith("adapted, step 3: the generator is losing diversity (coverage 0.20, best so far 0.60)")
    callback.warn(9, 0.0, None, 1.0)  # without shots


def watch(callback, intervals, steps=10):
    """Plays validations with so many steps each, whose logs have these means."""
    for number, (real, fake, loss) in enumerate(intervals, 1):
        for step in range(steps):
            off = 0.1 * (-1) ** step  # a batch alone is off by more than what is asked for
            callback._balance.add({"d_real": real + off, "d_fake": fake - off, "g_loss": loss})
        callback._balance.close()
        callback.warn(number, 1.0, None, 1.0)


CHANCE, HEALTHY = (0.52, 0.47, 0.7), (0.62, 0.57, 0.9)


@pytest.mark.parametrize(
    ("intervals", "warned"),
    [
        ([CHANCE] * 2, None), ([CHANCE, CHANCE, HEALTHY, CHANCE, CHANCE], None), ([HEALTHY] * 9, None),
        ([HEALTHY, *[CHANCE] * 6], 4), ([(0.52, 0.44, 0.7)] * 5, None), ([(0.9, 0.1, 0.7)] * 5, None),
        ([(0.99, 1.0, loss) for loss in (2.0, 3.0, 4.0, 5.0)], 3), ([(0.99, 1.0, 3.0)] * 5, None),
        ([(0.99, 1.0, loss) for loss in (4.0, 3.0, 2.0, 1.0)], None), ([(0.97, 1.0, n) for n in range(5)], None),
        ([(0.99, 1.0, loss) for loss in (9.0, 2.0, 3.0, 4.0)], 4),
    ],
)  # fmt: skip
def test_chance_and_victory_of_the_discriminator_are_warned_of_once(validate, capsys, intervals, warned):
    watch(validate(title="adapted"), intervals)
    lines = capsys.readouterr().err.splitlines()
    if warned is None:
        assert not lines
        return
    assert len(lines) == 1 and lines[0].startswith(f"adapted, step {warned}: the discriminator has ")
    what = "at chance for 3 validations (right about 0.52 of real" if intervals[-1] == CHANCE else "won for 3 valid"
    assert what in lines[0] and "--optimization.d_learning_rate" in lines[0] and "--optimization.augment" in lines[0]


def test_options_that_warnings_name_exist():
    texts = []
    for means in (CHANCE, (0.99, 1.0, 1.0)):
        balance = Balance()
        for number in range(3):
            for _ in range(10):
                balance.add(dict(zip(NAMES, (*means[:2], means[2] + number), strict=True)))
            balance.close()
        texts += balance.troubles().values()
    named = set(re.findall(r"--optimization\.(\w+)", " ".join(texts)))
    assert len(texts) == 2 and named and named <= {field.name for field in dataclasses.fields(Optimization)}


def test_a_few_batches_tell_nothing(validate, capsys):
    watch(validate(), [CHANCE] * 9, steps=9)
    assert not capsys.readouterr().err


def test_a_run_that_goes_on_neither_forgets_nor_repeats(validate, capsys):
    """Also from a checkpoint between two validations."""
    first = validate()
    watch(first, [CHANCE] * 2)
    for _ in range(10):
        first._balance.add({"d_real": 0.5, "d_fake": 0.5, "g_loss": 0.7})
    assert not capsys.readouterr().err
    second = validate()
    second.set_state(json.loads(json.dumps(first.state())))
    second._balance.close()
    second.warn(3, 1.0, None, 1.0)
    assert "at chance" in capsys.readouterr().err
    third = validate()
    third.set_state(json.loads(json.dumps(second.state())))
    watch(third, [CHANCE] * 3)
    assert not capsys.readouterr().err
    third.set_state({key: value for key, value in second.state().items() if key != "balance"})  # of version 0.1


@pytest.mark.parametrize("excused", ["wasserstein", "least_squares", "frozen generator", "frozen discriminator", None])
def test_only_a_contest_is_watched(make_gan, examples, tiny_extractor, excused):
    gan = make_gan(TINY_MLP)
    gan.compile(*(keras.optimizers.SGD(0.0) for _ in range(2)), loss=excused if excused in LOSSES else "hinge")
    if excused in ("frozen generator", "frozen discriminator"):
        getattr(gan, excused.split()[1]).trainable = False
    callback = Validate(None, tiny_extractor, examples.take(), 10, count=24)
    gan.fit(batches(examples, 8, 0), steps_per_epoch=10, verbose=0, shuffle=False, callbacks=[callback])
    assert callback._balance.watching == (excused is None)
    assert len(callback._balance.state()["recent"]) == (excused is None)


def test_a_discriminator_that_has_collapsed_is_warned_of(make_gan, tiny_extractor, capsys):
    gan = make_gan()
    callback = Validate(None, tiny_extractor, (tiny_images(), np.arange(24) % 3), 1, title="adapted", count=24)
    callback.set_model(gan)
    callback.measure()
    assert "discriminator" not in capsys.readouterr().err
    for weight in gan.discriminator.trainable_variables:
        weight.assign(np.zeros(weight.shape))
    callback.measure()
    callback.measure()
    assert capsys.readouterr().err.count("the discriminator gives all images the same logit (standard dev") == 1
