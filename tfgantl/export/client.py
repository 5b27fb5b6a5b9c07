"""Asks a served model for images or about pictures: the same code for TensorFlow Serving and the development server."""

import base64
import io
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from tfgantl.errors import ArtifactError, ServingError, not_installed, reason
from tfgantl.images import encode_png
from tfgantl.printing import printable
from tfgantl.untrusted.chunks import PNG, needed
from tfgantl.untrusted.pictures import refusal

RETRIED = (429, 502, 503, 504)  # may be answered in a moment
WHOLE: dict[str, type[np.integer]] = {"DT_UINT8": np.uint8, "DT_INT32": np.int32}
MAX_BYTES = 256 * 2**20  # of an answer; gRPC would take 4 MB only


class Client:
    """A served model.

    Args:
        url: `http://host:8501` or `https://…` for REST, `grpc://host:8500` or `grpcs://…` for gRPC.
        model: Name of the model.
        version: Number of the version; `None` for the newest.
        timeout: Seconds that one attempt may wait for the server.
        retries: Attempts after the first, for what may be answered in a moment.
        wait: Seconds before the first retry; doubled each time.
        headers: What a proxy wants to see, such as `{"authorization": "Bearer …"}`.

    Raises:
        ServingError: If the package for the protocol is not installed.

    Example:
        >>> client = Client("http://localhost:8501", "handwritten-digits")
        >>> client.generate(seeds=[1, 2, 3], labels=[7, 7, 7]).shape
        (3, 28, 28, 1)
    """

    def __init__(
        self,
        url: str,
        model: str,
        version: int | None = None,
        timeout: float = 10.0,
        retries: int = 3,
        wait: float = 0.2,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.model, self.version, self.timeout, self.retries, self.wait = model, version, timeout, retries, wait
        self.headers = headers or {}
        self._transport = (_Grpc if url.startswith(("grpc://", "grpcs://")) else _Rest)(url, self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()

    def generate(self, seeds: ArrayLike, labels: ArrayLike | None = None) -> np.ndarray:
        """Images of seeds.

        Args:
            seeds: int64 (n,).
            labels: int (n,), for a model with classes.

        Returns:
            uint8 (n, height, width, channels).

        Raises:
            ServingError: If the server cannot be reached, or refuses; the message is its own.
        """
        inputs = {"seed": _whole("seeds", seeds, np.int64)}
        if not len(inputs["seed"]):
            raise ServingError("`seeds` must name an image. Received: none")
        if labels is not None:
            inputs["labels"] = _whole("labels", labels, np.int32)
        (files,) = self._outputs("generate_png", inputs, "png_bytes")
        with _understood("the server"):
            if refused := refusal(list(files)):
                raise ServingError(f"the server's answer cannot be used: {refused}")
            return np.stack([_decoded(file) for file in files])

    def classify(self, pictures: list[bytes] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Classes of pictures.

        Args:
            pictures: PNG or JPEG files of any size, or images uint8 (n, height, width, 1 or 3).

        Returns:
            Labels int32 (n,), and probabilities float32 (n, classes).

        Raises:
            ServingError: If the server cannot be reached, or refuses; the message is its own.
        """
        labels, probabilities = self._outputs("classify", {"image_bytes": _files(pictures)}, "label", "probabilities")
        classes = probabilities.shape[1] if probabilities.ndim == 2 else 0
        if labels.dtype.kind not in "iu" or labels.ndim != 1 or not np.isin(labels, np.arange(classes)).all():
            raise ServingError(
                f"the server must answer labels (n,) from 0 to {classes - 1}, and probabilities (n, classes). "
                f"Received: {labels.dtype} {labels.shape} such as {labels.ravel()[:1]}, and {probabilities.shape}"
            )
        return labels, probabilities

    def features(self, pictures: list[bytes] | np.ndarray) -> np.ndarray:
        """Features of pictures, float32 (n, length); all else as in `classify`."""
        (features,) = self._outputs("features", {"image_bytes": _files(pictures)}, "features")
        return features

    def describe(self, pictures: list[bytes] | np.ndarray) -> tuple[list[list[str]], np.ndarray]:
        """Captions of pictures.

        Args:
            pictures: As for `classify`.

        Returns:
            Captions of each picture, the likeliest first, and their probabilities float32 (n, captions).

        Raises:
            ServingError: If the server cannot be reached, or refuses; the message is its own.
        """
        found, scores = self._outputs("describe", {"image_bytes": _files(pictures)}, "captions", "scores")
        with _understood("the server"):
            return [[caption.decode("utf-8", "replace") for caption in row] for row in found], scores

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of texts, float32 (n, dimension); all else as in `describe`."""
        if isinstance(texts, str):
            raise ServingError(f"`texts` must be a list of texts. Received: {texts!r}, a single one")
        try:
            encoded = np.array([text.encode() for text in texts], object)
        except (UnicodeError, AttributeError) as error:
            raise ServingError(f"`texts` must be texts that UTF-8 can hold. Received: {reason(error)}") from error
        (vectors,) = self._outputs("embed_texts", {"text": encoded}, "vectors")
        return vectors

    def _outputs(self, signature: str, inputs: dict[str, np.ndarray], *names: str) -> list[np.ndarray]:
        """Some outputs of a signature, each with a row for every row of the inputs."""
        answer, count = self.predict(signature, inputs), len(next(iter(inputs.values())))
        with _understood("the server"):
            found = [answer[name] for name in names]
            for name, array in zip(names, found, strict=True):
                if len(array) != count:
                    raise ServingError(f"the server must answer {count} rows of {name}. Received: {len(array)}")
                if np.asarray(array).dtype.kind == "f" and not np.isfinite(array).all():
                    wrong = array[~np.isfinite(array)][0]
                    raise ServingError(f"the server must answer finite numbers for {name}. Received: {wrong}")
        return found

    def predict(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Any signature: name → array, in and out. Files are arrays of `bytes` objects.

        Raises:
            ServingError: If the server cannot be reached, or refuses; the message is its own.
        """
        for attempt in range(self.retries + 1):
            try:
                return self._transport.predict(signature, inputs)
            except _Retry as error:
                if attempt == self.retries:
                    raise ServingError(str(error)) from error
                time.sleep(self.wait * 2**attempt)
        raise AssertionError("unreachable")


def _decoded(file: bytes) -> np.ndarray:
    """Image uint8 (height, width, channels) of a PNG file of the server's; other formats are programs, or bombs."""
    refused = refusal([file]) or ("" if file.startswith(PNG) else "a picture must be a PNG file. Received: another")
    if refused:
        raise ServingError(f"the server's answer cannot be used: {refused}")
    image = np.asarray(Image.open(io.BytesIO(needed(file) or b""), formats=("PNG",)))
    return image[..., None] if image.ndim == 2 else image


def _whole(name: str, values: ArrayLike, kind: type[np.signedinteger]) -> np.ndarray:
    """Whole numbers (n,) of a kind; others would be rounded or wrapped without a word."""
    array, bounds = np.asarray(values), np.iinfo(kind)
    is_whole = array.ndim == 1 and (array.dtype.kind in "iu" or not array.size)
    if not is_whole or (array.size and (int(array.min()) < bounds.min or int(array.max()) > bounds.max)):
        raise ServingError(
            f"`{name}` must be whole numbers (n,) from {bounds.min} to {bounds.max}. Received: {str(values)[:80]}"
        )
    return array.astype(kind)


def _files(pictures: Sequence[bytes] | Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    files = np.empty(len(pictures), object)
    for i, picture in enumerate(pictures):
        if not isinstance(picture, bytes):
            picture = np.asarray(picture)
            if picture.ndim != 3 or picture.shape[-1] not in (1, 3) or picture.dtype != np.uint8:
                raise ServingError(
                    "`pictures` must be files, or images uint8 (n, height, width, 1 or 3). Received: "
                    f"{picture.dtype} {picture.shape} for one of them"
                )
            picture = encode_png(picture)
        files[i] = picture
    return files


@contextmanager
def _understood(where: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ServingError(f"{where}: must answer as TensorFlow Serving. Received: {reason(error)}") from error


class _Retry(Exception):
    """May go better in a moment."""


class _Rest:
    def __init__(self, url: str, client: "Client") -> None:
        try:
            import httpx2
        except ImportError as error:
            raise ServingError(not_installed(url, "httpx2", "serve", error)) from error
        version = "" if client.version is None else f"/versions/{client.version}"
        self._url = f"{url.rstrip('/')}/v1/models/{client.model}{version}"
        self._http, self._errors = httpx2.Client(timeout=client.timeout, headers=client.headers), httpx2.TransportError
        self._invalid, self._timeout = httpx2.InvalidURL, client.timeout
        self._specs: dict[str, dict] | None = None

    def close(self) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        try:
            status, content = self._read(method, path, **options)
        except self._invalid as error:
            raise ServingError(f"`url` must be the address of a server. Received: {self._url}") from error
        except self._errors as error:
            raise _Retry(f"{self._url}: must be reachable. Received: {reason(error)}") from error
        try:
            answer = json.loads(content)
            if status == 200 and isinstance(answer, dict):
                return answer
            message = answer["error"]
        except (ValueError, KeyError, TypeError, RecursionError):
            message = content[:200].decode(errors="replace")
        kind = _Retry if status in RETRIED else ServingError
        raise kind(f"{self._url}: {status}: {printable(message)}")

    def _read(self, method: str, path: str, **options: Any) -> tuple[int, bytes]:
        """Status and content of an answer; what is compressed is unpacked bit by bit, as far as it may go."""
        content, end = bytearray(), time.monotonic() + self._timeout
        with self._http.stream(method, self._url + path, **options) as answer:
            for part in answer.iter_bytes():
                content += part
                if time.monotonic() > end:  # each part of it may come in time
                    raise _Retry(f"{self._url}: must answer within {self._timeout:g} s. Received: a part of an answer")
                if len(content) > MAX_BYTES:
                    raise ServingError(f"{self._url}: an answer must have at most {MAX_BYTES} bytes. Received: more")
        return answer.status_code, bytes(content)

    def predict(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if self._specs is None:
            metadata = self._ask("GET", "/metadata")
            with _understood(self._url):
                definitions = metadata["metadata"]["signature_def"]["signature_def"]
                self._specs = {name: dict(spec["outputs"]) for name, spec in definitions.items()}
        columns = {name: _to_json(array) for name, array in inputs.items()}
        answer = self._ask("POST", ":predict", json={"signature_name": signature, "inputs": columns})
        with _understood(self._url):
            outputs, specs = answer["outputs"], self._specs[signature]
            if len(specs) == 1:
                outputs = {next(iter(specs)): outputs}
            return {name: _from_json(outputs[name], spec["dtype"]) for name, spec in specs.items()}


def _to_json(array: np.ndarray) -> list:
    array = np.asarray(array)
    if array.dtype == object:
        return [{"b64": base64.b64encode(file).decode()} for file in array]
    return array.tolist()


def _from_json(value: list, dtype: str) -> np.ndarray:
    if dtype == "DT_STRING":
        is_nested = bool(value) and isinstance(value[0], list)
        return np.stack([_strings(row) for row in value]) if is_nested else _strings(value)
    numbers, whole = np.array(value), WHOLE.get(dtype)  # a conversion would round, wrap or read what does not fit
    if dtype == "DT_FLOAT":
        if numbers.size and numbers.dtype.kind not in "iuf":
            raise ValueError(f"{dtype} must be numbers")
        with np.errstate(over="ignore"):  # to infinity, which is no answer either
            return numbers.astype(np.float32)
    if whole is None or not numbers.size:
        return numbers if whole is None else numbers.astype(whole)
    bounds = np.iinfo(whole)
    if numbers.dtype.kind not in "iu" or not bounds.min <= numbers.min() <= numbers.max() <= bounds.max:
        raise ValueError(f"{dtype} must be numbers from {bounds.min} to {bounds.max}, and whole")
    return numbers.astype(whole)


def _strings(value: list) -> np.ndarray:
    strings = np.empty(len(value), object)
    strings[:] = [base64.b64decode(one["b64"]) if isinstance(one, dict) else one.encode() for one in value]
    return strings


class _Grpc:
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
        self._channel.close()

    def predict(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
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
            kind = _Retry if error.code() in passing else ServingError
            raise kind(f"{self._client.model}: {error.code().name}: {printable(error.details())}") from error
        for name, tensor in answer.outputs.items():
            try:
                check_size(tensor, answer.ByteSize(), f"{self._client.model}: {name} of the answer")
            except ArtifactError as error:
                raise ServingError(f"the server's answer cannot be used: {error}") from error
        with _understood(self._client.model):
            return {name: tf.make_ndarray(tensor) for name, tensor in answer.outputs.items()}
