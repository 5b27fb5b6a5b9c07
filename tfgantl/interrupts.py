"""Ctrl-C before there is anything to save: one line, however far Python has come with its imports.

Imports nothing that takes time. An interrupt inside of an import leaves TensorFlow and NumPy half made, so until they
are there, the process ends at once.
"""

import os
import signal
import sys
import threading

EXIT_CODE = 130
error_stream = 2  # where the line goes; another descriptor while the usual one is silenced


def exit_at_once() -> None:
    """Ends the process at the next interrupt, with one line; for programs, not for a library."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, _exit)


def raise_again() -> None:
    """Lets interrupts raise `KeyboardInterrupt` again."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is _exit:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _exit(number: int, frame: object) -> None:
    os.write(error_stream, b"tfgantl: error: interrupted\n")
    os._exit(EXIT_CODE)


def is_program() -> bool:
    """Whether Python was started as `python -m`, and is still looking for the module."""
    return sys.argv[:1] == ["-m"]
