"""The client over gRPC: TensorFlow Serving's own stubs, on a loopback port, before a session over the SavedModel."""

from concurrent import futures

import grpc
import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_DCGAN, tiny_images
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tfgantl.errors import ServingError
from tfgantl.export.client import Client
from tfgantl.export.examples import read_examples
from tfgantl.export.publish import publish
from tfgantl.gan import GAN
from tfgantl.models.classifier import small_cnn
from tfgantl.serving.request_error import NotFound, RequestError
from tfgantl.serving.served_model import ServedModel


class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, with the codes and messages of TensorFlow Serving."""

    def __init__(self, *models):
        self.models, self.refusals = {model.name: model for model in models}, []

    def Predict(self, request, context):
        if self.refusals:
            context.abort(self.refusals.pop(), "later")
        spec = request.model_spec
        number = spec.version.value if spec.HasField("version") else None
        try:
            _, servable = self.models.get(spec.name, next(iter(self.models.values()))).version(spec.name, number)
            if spec.signature_name not in servable.inputs:
                context.abort(
                    grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{spec.signature_name}" not found.'
                )
            inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
            outputs = servable.predict(spec.signature_name, inputs).result()
        except NotFound as problem:
            context.abort(grpc.StatusCode.NOT_FOUND, str(problem))
        except RequestError as problem:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(problem))
        answer = predict_pb2.PredictResponse()
        for name, array in outputs.items():
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(array))
        return answer


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    path = tmp_path_factory.mktemp("grpc")
    keras.utils.set_random_seed(0)
    generator = GAN(*TINY_DCGAN.build(8, 1, 3), seed=0).generator
    publish(generator, path / "tiny")
    publish(small_cnn(8, 1, 3, width=4, units=6), path / "judge")
    service = Service(ServedModel(path / "tiny").start(), ServedModel(path / "judge").start())
    server = grpc.server(futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    service.url = f"grpc://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    service.generator = generator
    server.start()
    yield service
    server.stop(0).wait()
    for model in service.models.values():
        model.close()


def test_images_of_seeds_and_any_signature(service):
    with Client(service.url, "tiny") as client:
        images = client.generate([1, 2, 1], [0, 1, 0])
        assert images.shape == (3, 8, 8, 1) and images.dtype == np.uint8
        np.testing.assert_array_equal(images[0], images[2])
        latents = np.random.default_rng(0).standard_normal((2, 4), np.float32)
        found = client.predict("serving_default", {"latents": latents, "labels": np.array([0, 2], np.int32)})
        expected = service.generator.predict([latents, np.array([0, 2])], verbose=0)
        np.testing.assert_allclose(found["images"], expected, atol=1e-5)


def test_classes_and_features_of_pictures(service):
    inputs, outputs = read_examples(service.models["judge"].directory / "1")["classify"]
    with Client(service.url, "judge") as client:
        labels, probabilities = client.classify(list(inputs["image_bytes"]))
        np.testing.assert_array_equal(labels, outputs["label"])
        np.testing.assert_allclose(probabilities, outputs["probabilities"], atol=1e-5)
        assert client.features(tiny_images(2)).shape == (2, 6)


def test_refusals_are_told_and_what_may_go_better_is_asked_again(service):
    with Client(service.url, "tiny", wait=0.01, retries=2) as client:
        with pytest.raises(ServingError, match="INVALID_ARGUMENT: .*labels must be in"):
            client.generate([1], [3])
        with pytest.raises(ServingError, match='FAILED_PRECONDITION: Serving signature key "x" not found'):
            client.predict("x", {})
        service.refusals = [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED]
        assert len(client.generate([1], [1])) == 1
        service.refusals = [grpc.StatusCode.UNAVAILABLE] * 3
        with pytest.raises(ServingError, match="UNAVAILABLE: later"):
            client.generate([1], [1])
    with Client(service.url, "tiny", version=7) as client, pytest.raises(ServingError, match="NOT_FOUND: .*Specific"):
        client.generate([1], [1])
    with Client("grpc://127.0.0.1:9", "tiny", retries=0) as client, pytest.raises(ServingError, match="UNAVAILABLE"):
        client.generate([1])
