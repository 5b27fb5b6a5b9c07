"""Requests that nobody waits for any more: they must not keep others from being computed."""

import time

import numpy as np
import pytest
import tensorflow as tf

from tfgantl.serving.servable import RUNNERS, Servable

LONG = 3_000_000  # rounds, which take some twenty seconds


class Rounds(tf.Module):
    """A program that takes as many rounds as it is asked for, as pictures of a request are painted one by one."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name="rounds")])
    def serve(self, rounds):
        many = tf.reduce_max(rounds)
        taken = tf.while_loop(lambda i: i < many, lambda i: [i + 1], [tf.constant(0)])[0]
        return {"taken": taken + 0 * rounds}


@pytest.fixture
def servable(tmp_path):
    module = Rounds()
    tf.saved_model.save(module, str(tmp_path / "1"), {"serving_default": module.serve})
    servable = Servable(tmp_path / "1")
    yield servable
    servable.close()


def asked(servable, rounds, seconds):
    return servable.predict(
        "serving_default", {"rounds": np.array([rounds], np.int32)}, deadline=time.monotonic() + seconds
    )


def test_what_is_being_computed_stops_at_its_deadline(servable):
    """It went on to its end, for minutes, and whoever came next was late before their turn."""
    late = [asked(servable, LONG, 0.5) for _ in range(RUNNERS)]
    assert asked(servable, 3, 10).result()["taken"].tolist() == [3]
    for future in late:
        with pytest.raises(TimeoutError):
            future.result(timeout=0)


@pytest.mark.parametrize("seconds", [1e16, 1e300])
def test_a_deadline_in_millions_of_years_is_none(servable, seconds):
    """It was more milliseconds than a number can hold, and every request failed."""
    assert asked(servable, 3, seconds).result()["taken"].tolist() == [3]


def test_requests_that_were_late_together_are_not_computed_one_by_one(servable, monkeypatch):
    """As those of a batch are that has failed, whose others must not suffer."""
    monkeypatch.setattr(servable, "_joins", True)
    ran, compute = [], servable.compute
    monkeypatch.setattr(servable, "compute", lambda *arguments: ran.append(arguments) or compute(*arguments))
    with servable._changed:  # so that they wait at one time
        late = [asked(servable, LONG, 0.5) for _ in range(2 * RUNNERS)]
    for future in late:
        with pytest.raises(TimeoutError):
            future.result(timeout=10)
    assert len(ran) == RUNNERS
