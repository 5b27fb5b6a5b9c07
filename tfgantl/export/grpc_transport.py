"""Asks by gRPC, with the prediction service of TensorFlow Serving."""

from typing import TYPE_CHECKING

import numpy as np

from tfgantl.errors import ArtifactError, ServingError, reason
from tfgantl.export.answers import MAX_BYTES, Retry, understood
from tfgantl.printing import printable

if TYPE_CHECKING:
    from tfgantl.export.client import Client


class GrpcTransport:
    """Keeps a channel to a server.

    Args:
        url: `grpc://host:8500` or `grpcs://…`.
        client: Whose settings are to be used.

    Raises:
        ServingError: If tensorflow-serving-api is not installed.
    """

    def __init__(self, url: str, client: "Client") -> None:
        try:
            import grpc
            from tensorflow_serving.apis import prediction_service_pb2_grpc
        except ImportError as error:
            raise ServingError(
                f"{url} must have the package tensorflow-serving-api: pip install tensorflow-serving-api. "
                f"Received: {reason(error)}"
            ) from error

        self._grpc, self._client = grpc, client
        scheme, _, address = url.partition("://")
        options = [("grpc.max_receive_message_length", MAX_BYTES)]
        if scheme == "grpcs":
            self._channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(), options)
        else:
            self._channel = grpc.insecure_channel(address, options)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def close(self) -> None:
        """Closes what is open."""
        self._channel.close()

    def predict(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Asks once.

        Raises:
            Retry: If the next attempt may be answered.
            ServingError: If it cannot.
        """
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        from tfgantl.export.warmup import check_size

        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = self._client.model, signature
        if self._client.version is not None:
            request.model_spec.version.value = self._client.version
        for name, array in inputs.items():
            array = np.asarray(array)
            request.inputs[name].CopyFrom(tf.make_tensor_proto(list(array) if array.dtype == object else array))
        try:
            headers = [(name.lower(), value) for name, value in self._client.headers.items()]
            answer = self._stub.Predict(request, timeout=self._client.timeout, metadata=headers)
        except self._grpc.RpcError as error:
            codes = self._grpc.StatusCode
            passing = (codes.UNAVAILABLE, codes.RESOURCE_EXHAUSTED, codes.DEADLINE_EXCEEDED)
            kind = Retry if error.code() in passing else ServingError
            raise kind(f"{self._client.model}: {error.code().name}: {printable(error.details())}") from error
        for name, tensor in answer.outputs.items():
            try:
                check_size(tensor, answer.ByteSize(), f"{self._client.model}: {name} of the answer")
            except (ArtifactError, TypeError) as error:  # of a type that TensorFlow does not know
                raise ServingError(f"the server's answer cannot be used: {name}: {reason(error)}") from error
        with understood(self._client.model):
            return {name: tf.make_ndarray(tensor) for name, tensor in answer.outputs.items()}
