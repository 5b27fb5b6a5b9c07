"""SavedModels without TensorFlow's Python: through the C API, which is what ModelServer loads and runs them by."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import TINY_DCGAN
from tensorflow.core.protobuf import saved_model_pb2

from tfgantl.export.examples import read_examples
from tfgantl.export.image_signatures import classifier_signatures, feature_signatures
from tfgantl.export.publish import publish
from tfgantl.gan import GAN
from tfgantl.models.classifier import small_cnn

LOADER = Path(__file__).parent / "capi.py"


def kinds():
    keras.utils.set_random_seed(0)
    yield "unconditional", GAN(*TINY_DCGAN.build(8, 1), seed=0).generator, {}
    yield "conditional", GAN(*TINY_DCGAN.build(8, 1, 3), seed=0).generator, {}
    classifier = small_cnn(8, 1, 3, width=4, units=6)
    yield "classifier", classifier, {"signatures": classifier_signatures}
    features = keras.Model(classifier.inputs, classifier.layers[-2].output)
    yield "features", features, {"signatures": feature_signatures}


def tensors(directory):
    """Names of the tensors in the graph, as signatures have them."""
    model = saved_model_pb2.SavedModel.FromString((directory / "saved_model.pb").read_bytes())

    def side(specs):
        return {name: spec.name for name, spec in specs.items()}

    return {
        name: {"inputs": side(signature.inputs), "outputs": side(signature.outputs)}
        for name, signature in model.meta_graphs[0].signature_def.items()
    }


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Runs every signature of every kind in one process that has no TensorFlow in Python."""
    path = tmp_path_factory.mktemp("runtime")
    directories = {}
    for kind, network, options in kinds():
        directories[kind] = publish(network, path / kind, **options)
    asked = json.dumps([(str(path), tensors(path)) for path in directories.values()])
    done = subprocess.run([sys.executable, str(LOADER)], input=asked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return directories, dict(zip(directories, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("kind", ["unconditional", "conditional", "classifier", "features"])
def test_every_signature_gives_the_same_through_the_c_api(ran, kind):
    directories, results = ran
    for signature, (_, outputs) in read_examples(directories[kind]).items():
        for name, expected in outputs.items():
            found = results[kind][signature][name]
            if expected.dtype == object:
                assert [bytes.fromhex(file) for file in found] == list(expected)
            else:
                np.testing.assert_allclose(np.array(found, expected.dtype), expected, atol=1e-5)


def test_saved_model_cli_shows_the_contract(ran):
    directories, _ = ran
    command = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", "show", "--all", "--dir"]
    done = subprocess.run([*command, str(directories["conditional"])], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for shown in ("signature_def['generate_png']", "inputs['labels']", "outputs['png_bytes']", "dtype: DT_STRING"):
        assert shown in done.stdout
