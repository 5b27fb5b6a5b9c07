"""Files that say something about others, as anybody may have left them: regular ones, of a bounded size."""

import errno
import os
import stat
from pathlib import Path

MAX_FACTS = 2**26  # bytes


def read_regular(path: Path, most: int = MAX_FACTS) -> bytes:
    """The content of a file that says something about others.

    Args:
        path: The file; a pipe would keep whoever opens it, and a device has no end.
        most: Bytes that it may have.

    Raises:
        OSError: If it cannot be read, is no regular file, or has more.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            raise OSError(errno.EFBIG, f"must be a regular file of at most {most} bytes", str(path))
        return file.read(most)
