"""Asks a served model for images or about pictures: the same code for TensorFlow Serving and the development server."""

import io
import time
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from tfgantl.errors import ServingError, reason
from tfgantl.export.answers import Retry, understood
from tfgantl.export.grpc_transport import GrpcTransport
from tfgantl.export.rest_transport import RestTransport
from tfgantl.images import encode_png
from tfgantl.untrusted.chunks import PNG, needed
from tfgantl.untrusted.pictures import refusal


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
        self._transport = (GrpcTransport if url.startswith(("grpc://", "grpcs://")) else RestTransport)(url, self)

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
        with understood("the server"):
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
        with understood("the server"):
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
        with understood("the server"):
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
            except Retry as error:
                if attempt == self.retries:
                    raise ServingError(str(error)) from error
                time.sleep(self.wait * 2**attempt)
        raise AssertionError("unreachable")


def _decoded(file: bytes) -> np.ndarray:
    """Image uint8 (height, width, channels) of a PNG file of the server's; other formats are programs, or bombs."""
    refused = refusal([file]) or ("" if file.startswith(PNG) else "a picture must be a PNG file. Received: another")
    if refused:
        raise ServingError(f"the server's answer cannot be used: {refused}")
    picture = Image.open(io.BytesIO(needed(file) or b""), formats=("PNG",))
    if picture.mode not in ("L", "RGB"):  # numbers of a palette are no pixels
        raise ServingError(f"the server must answer pictures of 8 bits, gray or RGB. Received: {picture.mode}")
    image = np.asarray(picture)
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
