"""Serves a model directory for development, with the REST API of TensorFlow Serving and one page for people.

`python -m tfgantl.pipelines.serve exported/handwritten-digits`, or `tfgantl serve exported/handwritten-digits`. It is
not TensorFlow Serving, and has no authentication.
"""

import os
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, RunError, check_above, check_at_least, not_installed
from tfgantl.pipelines.settings import resolve_paths

if TYPE_CHECKING:
    import socket

    import uvicorn


@dataclass(frozen=True)
class ServeConfig:
    """Settings of the server.

    Args:
        directory: Model directory; its name is that of the model, its numbered children are versions.
        host: Address to listen on; only this machine can reach the default.
        port: Port; 0 for any that is free.
        max_body: Most bytes of a request.
        max_requests: Most requests at one time; the next ones get 429.
        timeout: Seconds that a prediction may take; then it gets 504.
        stop_after: Seconds that requests have to end after a signal to stop.
        allow_host: Hosts that are answered beside this machine; only if it is reached under another name, as behind a
            proxy.
    """

    directory: str
    host: str = "127.0.0.1"
    port: int = 8501
    max_body: int = 4 * 2**20
    max_requests: int = 256
    timeout: float = 30.0
    stop_after: int = 10
    allow_host: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        resolve_paths(self)
        check_at_least(self, 1, "max_body", "max_requests", "stop_after")
        check_above(self, 0, "timeout")
        if not 0 <= self.port < 2**16:
            raise ConfigError(f"`port` must be in [0, 65535]. Received: {self.port}")


def serve(config: ServeConfig) -> None:
    """Serves until a signal comes.

    Args:
        config: The settings.

    Raises:
        RunError: If there is no version, a package is missing, or the port is taken.
    """
    import signal
    import socket

    try:
        import uvicorn

        from tfgantl.serving.app import Metrics, make_app
        from tfgantl.serving.connections import BACKLOG, BoundedProtocol, Limits, connections_within_descriptors
    except ImportError as error:
        raise RunError(not_installed("serve", "what it runs on", "serve", error)) from error
    from tfgantl.export.directory import versions_in
    from tfgantl.files import check_name
    from tfgantl.serving.served_model import ServedModel
    from tfgantl.untrusted.stripping import remove_copies

    directory = Path(config.directory)
    check_name(directory.absolute().name)
    if not versions_in(directory):
        raise RunError(f"`directory` must hold numbered versions. Received: {directory}")
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    # With the protocol named, asyncio switches Nagle's algorithm off, which would hold answers back for 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
        listener.listen(BACKLOG)  # now: until somebody listens, another server can bind the same port
    except OSError as error:
        listener.close()
        raise RunError(f"`port` must be free. Received: {config.host}:{config.port} ({error.strerror})") from error
    metrics = Metrics()
    model = ServedModel(directory, metrics.batch).start()
    app = make_app(
        model, metrics, config.max_body, config.max_requests, config.timeout, config.host, tuple(config.allow_host)
    )
    host = f"[{config.host}]" if ":" in config.host else config.host
    address = f"http://{host}:{listener.getsockname()[1]}"
    print(f"development server for {model.name}: {address}/ (page), {address}/v1/models/{model.name}", file=sys.stderr)
    settings = uvicorn.Config(
        app, log_level="warning", timeout_graceful_shutdown=config.stop_after, access_log=False, server_header=False,
        backlog=BACKLOG, ws="none",
        http=partial(BoundedProtocol, limits=Limits(connections_within_descriptors(), config.max_body)),  # type: ignore[arg-type]
    )  # fmt: skip
    if not _in_notebook():
        for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn hands them on once it has answered what was asked
            signal.signal(number, lambda *_: None)
    _run(uvicorn.Server(settings), listener)
    if model.busy:  # with a batch that nobody waits for any more, and that would keep the process
        remove_copies()
        sys.stderr.flush()
        os._exit(0)


def _in_notebook() -> bool:
    """Whether somebody else's loop is running in this thread, or this is not the thread that signals come to."""
    import asyncio
    import threading

    if threading.current_thread() is not threading.main_thread():
        return True
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run(server: "uvicorn.Server", listener: "socket.socket") -> None:
    """Serves until it is told to stop; in a notebook, whose own loop is running, in a thread."""
    import threading

    if not _in_notebook():
        server.run(sockets=[listener])
        return
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.2)
    except KeyboardInterrupt:
        server.should_exit = True
        thread.join()


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(ServeConfig, "serve", serve, {}, arguments)


if __name__ == "__main__":
    sys.exit(main())
