"""How many requests are answered at one time, and what the bodies may take that are still on their way."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request

from tfgantl.serving.request_error import RequestError

MAX_DIGITS = 18  # of a length; Python refuses to read thousands


class Slots:
    """Counts requests whose bodies are there; those that send theirs slowly keep no others away.

    Args:
        requests: Most at one time.
        max_body: Most bytes of a body.
    """

    def __init__(self, requests: int, max_body: int) -> None:
        self._requests, self._max_body = requests, max_body
        self._taken = self._held = 0

    def check(self) -> None:
        """Raises `RequestError` if no request is free to be answered."""
        if self._taken >= self._requests:
            raise RequestError(f"The server answers {self._requests} requests at a time", 429)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Context manager around answering one."""
        self.check()
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def body(self, request: Request) -> bytes:
        """The whole body of a request.

        Raises:
            RequestError: If it is too large, or unfinished ones take as much memory as those of all requests may.
        """
        stated = request.headers.get("content-length") or "0"
        if not (stated.isascii() and stated.isdigit()):
            raise RequestError("Content-Length must be a number", 400)
        digits = stated.lstrip("0") or "0"
        if len(digits) > MAX_DIGITS or int(digits) > self._max_body:
            raise self._too_large()
        parts, size = [], 0
        try:
            async for part in request.stream():
                size += len(part)
                self._held += len(part)
                if size > self._max_body:
                    raise self._too_large()
                if self._held > self._requests * self._max_body:
                    raise RequestError("The server receives other bodies", 429)
                parts.append(part)
        finally:
            self._held -= size
        return b"".join(parts)

    def _too_large(self) -> RequestError:
        return RequestError(f"The body must have at most {self._max_body} bytes", 413)
