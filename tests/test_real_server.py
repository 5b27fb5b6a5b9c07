"""A real TensorFlow Serving, if `TFGANTL_SERVING_URL` names one that serves the directory `TFGANTL_SERVING_MODEL`."""

import os
from pathlib import Path

import pytest

from tfgantl.errors import ServingError
from tfgantl.export.client import Client
from tfgantl.export.directory import versions_in
from tfgantl.export.examples import differences, read_examples

URL, MODEL = os.environ.get("TFGANTL_SERVING_URL"), os.environ.get("TFGANTL_SERVING_MODEL")
pytestmark = pytest.mark.skipif(not (URL and MODEL), reason="TFGANTL_SERVING_URL and TFGANTL_SERVING_MODEL are not set")


@pytest.fixture
def client():
    with Client(URL, Path(MODEL).name) as client:
        yield client


def test_every_example_is_answered_as_keras_answered_it(client):
    version = Path(MODEL) / str(versions_in(Path(MODEL))[-1])
    for signature, (inputs, outputs) in read_examples(version).items():
        differences(client.predict(signature, inputs), outputs, signature)


def test_mistakes_are_refused(client):
    with pytest.raises(ServingError, match="not found in signature def|not found"):
        client.predict("nothing", {})
    version = Path(MODEL) / str(versions_in(Path(MODEL))[-1])
    for signature, (inputs, _) in read_examples(version).items():
        name = next(iter(inputs))
        with pytest.raises(ServingError):
            client.predict(signature, {name: inputs[name][:, None]})
