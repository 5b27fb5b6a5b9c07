"""What a connection may take before it has asked for anything: bytes, time, and descriptors of the process."""

import asyncio
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 2**16  # bytes of a request line and its headers
HEAD_SECONDS = 10.0  # that these may take, from the connection or the first byte on
WRITE_SECONDS = 30.0  # that a client may leave an answer unread
DRAIN_SECONDS = 1.0  # that the rest of a refused body is read
MAX_PIPELINED = 16  # requests of a connection that wait behind one; whoever sends more reads no answers
OVERHEAD = 8  # how much longer than its content a body may be that comes in chunks
BACKLOG = 64  # connections that the kernel holds; all of them may be accepted at one time
RESERVED = BACKLOG + 64  # descriptors for these, and for files and versions that are loaded
MAX_CONNECTIONS = 1024


@dataclass
class Limits:
    """What all connections share.

    Args:
        connections: Most connections at one time.
        max_body: Most bytes of a body.
        head_seconds: Seconds that a request has until its headers are complete.
    """

    connections: int
    max_body: int
    head_seconds: float = HEAD_SECONDS
    waiting: dict["BoundedProtocol", None] = field(default_factory=dict)  # those that ask for nothing, oldest first


def connections_within_descriptors() -> int:
    """How many connections leave descriptors for everything else; the soft limit of the process is raised for it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + 2 * RESERVED
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    used = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 64
    left = MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else soft - used - RESERVED
    return max(8, min(MAX_CONNECTIONS, left))


class BoundedProtocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, within limits.

    If there are too many connections, the one that has waited longest without a complete request makes room.

    Args:
        limits: What all connections share.
        **kwargs: As uvicorn gives them.
    """

    def __init__(self, *, limits: Limits, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._limits = limits
        self._received, self._in_head, self._in_message = 0, True, False
        self._pipelined_too_many = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            oldest = next(iter(self._limits.waiting), None)
            if oldest is None:
                self._refuse(503)
                return
            oldest.transport.abort()
            oldest.forget()
        self._limits.waiting[self] = None
        self._expect(self._limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self.forget()
        super().connection_lost(exc)

    def forget(self) -> None:
        """Stops all clocks of a connection that is over."""
        self._limits.waiting.pop(self, None)
        self.connections.discard(self)
        self._expect(None)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._received += len(data)
        super().data_received(data)
        if self.parser is None or self.transport.is_closing():
            return
        if self._in_message and self._in_head and self._deadline is None:
            self._expect(self._limits.head_seconds)
        if self._in_head and self._received > MAX_HEAD:
            self._refuse(431)
        elif self._received > MAX_HEAD + OVERHEAD * self._limits.max_body:
            self._refuse(413)

    def on_message_begin(self) -> None:
        self._in_head = self._in_message = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # what comes behind a body in chunks is kept by nobody
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        if (
            self._pipelined_too_many or len(self.pipeline) >= MAX_PIPELINED
        ):  # the rest of what was read is parsed all the same
            self._pipelined_too_many = True
            self.transport.abort()
            return
        self._expect(None)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._pipelined_too_many:  # or it would become that of another request
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._received, self._in_head, self._in_message = 0, True, False
        self._limits.waiting.pop(self, None)
        if not self._pipelined_too_many:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._in_message and not self._in_head and self.cycle.response_complete:
            self._drain()  # the rest of a body that nobody wants
        elif self.cycle.response_complete and not self.transport.is_closing():
            self._limits.waiting[self] = None

    def _drain(self) -> None:
        """Reads on for a moment before it closes: a client that is still sending would not see the answer."""
        self.flow.resume_reading()
        self._expect(DRAIN_SECONDS, self.transport.close)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect(WRITE_SECONDS)

    def resume_writing(self) -> None:
        self._expect(None)
        super().resume_writing()

    def _expect(self, seconds: float | None, end: Callable[[], None] | None = None) -> None:
        """Aborts the connection after that time, or ends it otherwise, unless it is called again before."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, end or self.transport.abort)

    def _refuse(self, status: int) -> None:
        phrase = {413: "Content Too Large", 431: "Request Header Fields Too Large", 503: "Service Unavailable"}[status]
        self.transport.write(f"HTTP/1.1 {status} {phrase}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".encode())
        self.transport.close()
