"""What can go wrong with a request, as TensorFlow Serving names it: a status, and one message."""


class RequestError(Exception):
    """The answer is `{"error": message}` with this status."""

    def __init__(self, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.status = status


class InvalidArgument(RequestError):
    """The request cannot be answered, whenever it is asked."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 400)


class NotFound(RequestError):
    """There is no such model or version."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 404)


class Closed(Exception):
    """The version is being unloaded: ask the one that serves now."""
