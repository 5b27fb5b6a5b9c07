"""What the ways to ask a server share: what of its answers may go better in a moment, and what no server answers."""

from collections.abc import Iterator
from contextlib import contextmanager

from tfgantl.errors import ServingError, reason

MAX_BYTES = 256 * 2**20  # of an answer; gRPC would take 4 MB only


class Retry(Exception):
    """May go better in a moment."""


@contextmanager
def understood(where: str) -> Iterator[None]:
    """Makes one line of whatever an answer of another form leads to.

    Args:
        where: What has answered.

    Raises:
        ServingError: If it is of another form.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ServingError(f"{where}: must answer as TensorFlow Serving. Received: {reason(error)}") from error
