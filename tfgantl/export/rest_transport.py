"""Asks by HTTP, with the REST API of TensorFlow Serving."""

import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from tfgantl.errors import ServingError, not_installed, reason
from tfgantl.export.answers import MAX_BYTES, Retry, understood
from tfgantl.export.json_tensors import from_json, to_json
from tfgantl.printing import printable

if TYPE_CHECKING:
    from tfgantl.export.client import Client

RETRIED = (429, 502, 503, 504)  # may be answered in a moment


class RestTransport:
    """Keeps connections to a server.

    Args:
        url: `http://host:8501` or `https://…`.
        client: Whose settings are to be used.

    Raises:
        ServingError: If httpx2 is not installed.
    """

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
        """Closes what is open."""
        self._http.close()

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        try:
            status, content = self._read(method, path, **options)
        except self._invalid as error:
            raise ServingError(f"`url` must be the address of a server. Received: {self._url}") from error
        except self._errors as error:
            raise Retry(f"{self._url}: must be reachable. Received: {reason(error)}") from error
        try:
            answer = json.loads(content)
            if status == 200 and isinstance(answer, dict):
                return answer
            message = answer["error"]
        except (ValueError, KeyError, TypeError, RecursionError):
            message = content[:200].decode(errors="replace")
        kind = Retry if status in RETRIED else ServingError
        raise kind(f"{self._url}: {status}: {printable(message)}")

    def _read(self, method: str, path: str, **options: Any) -> tuple[int, bytes]:
        """Status and content of an answer; what is compressed is unpacked bit by bit, as far as it may go."""
        content, end = bytearray(), time.monotonic() + self._timeout
        with self._http.stream(method, self._url + path, **options) as answer:
            for part in answer.iter_bytes():
                content += part
                if time.monotonic() > end:  # each part of it may come in time
                    raise Retry(f"{self._url}: must answer within {self._timeout:g} s. Received: a part of an answer")
                if len(content) > MAX_BYTES:
                    raise ServingError(f"{self._url}: an answer must have at most {MAX_BYTES} bytes. Received: more")
        return answer.status_code, bytes(content)

    def predict(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Asks once.

        Raises:
            Retry: If the next attempt may be answered.
            ServingError: If it cannot.
        """
        columns = {name: to_json(array) for name, array in inputs.items()}
        known, self._specs = self._specs, self._specs or self._asked_specs()
        answer = self._ask("POST", ":predict", json={"signature_name": signature, "inputs": columns})
        if known is not None:
            try:
                return _outputs(answer, known[signature])
            except (KeyError, ValueError, TypeError, AttributeError):  # another version may serve since they were read
                self._specs = self._asked_specs()
        with understood(self._url):
            return _outputs(answer, self._specs[signature])

    def _asked_specs(self) -> dict[str, dict]:
        metadata = self._ask("GET", "/metadata")
        with understood(self._url):
            definitions = metadata["metadata"]["signature_def"]["signature_def"]
            return {name: dict(spec["outputs"]) for name, spec in definitions.items()}


def _outputs(answer: dict, specs: dict[str, dict]) -> dict[str, np.ndarray]:
    outputs = answer["outputs"]
    if len(specs) == 1:  # which goes without its name
        outputs = {next(iter(specs)): outputs}
    return {name: from_json(outputs[name], spec["dtype"]) for name, spec in specs.items()}
