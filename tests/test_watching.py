"""What validation decides from its measurements: which state to keep, when to stop, and what to warn of."""

from types import SimpleNamespace

import numpy as np
import pytest
from conftest import tiny_images

from tfgantl.training.validation import Validate


@pytest.fixture
def validate(tiny_extractor):
    """A validation whose measurements are scripted: a record for each step, without any training."""

    def make(**options):
        callback = Validate(None, tiny_extractor, (tiny_images(), None), 1, **options)
        part = SimpleNamespace(trainable_variables=[1])
        callback.set_model(SimpleNamespace(generator=part, g_adapters=[], weights=[], stop_training=False))
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
