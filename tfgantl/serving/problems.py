"""What can go wrong with a request, as TensorFlow Serving names it: a code, and one message."""


class Problem(Exception):
    """Base class: the answer is `{"error": message}` with this status."""

    status = 500


class InvalidArgument(Problem):
    """The request cannot be answered, whenever it is asked."""

    status = 400


class NotFound(Problem):
    """There is no such model or version."""

    status = 404


class TooLarge(Problem):
    """The body is larger than this server takes."""

    status = 413


class ResourceExhausted(Problem):
    """Too many requests wait already."""

    status = 429


class Unavailable(Problem):
    """The server is stopping."""

    status = 503
