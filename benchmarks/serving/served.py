"""A development server in a process of its own, and connections to it that cost hardly any time."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from tfgantl.errors import RunError


class Served:
    """A development server; a context manager.

    Args:
        directory: Model directory.
        options: More of the command line.

    Raises:
        RunError: If it does not start.
    """

    def __init__(self, directory: Path, *options: str) -> None:
        self.name, self._told = directory.name, tempfile.TemporaryFile("w+")
        command = [sys.executable, "-m", "tfgantl.pipelines.serve", str(directory), "--port", "0", *options]
        self._process = subprocess.Popen(command, stderr=self._told, stdout=self._told)

    def __enter__(self) -> Self:
        deadline = time.monotonic() + 120
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", self.told())):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RunError(f"the development server must start. Received: {self.told()[-300:]}")
            time.sleep(0.1)
        self.port = int(found[1])
        while True:
            try:
                self.connect().close()
                return self
            except OSError:
                time.sleep(0.1)

    def __exit__(self, *exception: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()
        self._told.close()

    def told(self) -> str:
        """What it has written so far."""
        self._told.seek(0)
        return self._told.read()

    def connect(self) -> "Connection":
        return Connection(self.port)

    def memory(self) -> int:
        """Resident bytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) * 1024

    def processor_seconds(self) -> float:
        """Time that all its threads have taken."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Connection:
    """One connection that is kept open.

    `http.client` would take half a millisecond of Python for each answer, on the cores that the server needs.

    Args:
        port: Port of this machine.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._buffer = bytearray(2**16)

    def close(self) -> None:
        self._socket.close()

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Sends a request, and waits for the answer.

        Returns:
            Status and body.

        Raises:
            ConnectionError: If the server closes the connection before it has answered.
        """
        head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
        try:
            self._socket.sendall(head.encode() + body)
        except ConnectionError:
            pass  # a server that refuses a body does not read all of it; its answer is there nevertheless
        return self._answer()

    def _answer(self):
        got, end, length = 0, -1, 0
        while end < 0 or got < end + length:
            if got == len(self._buffer):
                self._buffer.extend(bytes(len(self._buffer)))
            count = self._socket.recv_into(memoryview(self._buffer)[got:])
            if not count:
                raise ConnectionError("the server has closed the connection")
            got += count
            if end < 0 and (end := self._buffer.find(b"\r\n\r\n", 0, got)) >= 0:
                end += 4
                head = bytes(self._buffer[:end]).lower()
                length = int(re.search(rb"content-length: (\d+)", head)[1])
        return int(head[9:12]), bytes(self._buffer[end : end + length])
