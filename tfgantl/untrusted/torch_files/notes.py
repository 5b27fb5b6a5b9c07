"""What a pickle names and calls, noted: neither imported nor called, and nothing that a pickle could change."""


class Name(str):
    """A class or function that a pickle names: no more than its name, of the list in `allowed_names`."""

    __slots__ = ()


class Persistent(tuple):
    """What PyTorch writes in the place of a storage: `("storage", type, key, device, count)`."""

    __slots__ = ()


class Call:
    """A call that was noted and not made: what is called, with what, and the state that it was to get.

    Attributes:
        name: Of the list in `allowed_names`.
        arguments: As the file has them.
        state: What BUILD was to set; `None` if it was not there.
    """

    __slots__ = ("arguments", "name", "state")

    def __init__(self, name: str, arguments: tuple):
        self.name, self.arguments, self.state = name, arguments, None
