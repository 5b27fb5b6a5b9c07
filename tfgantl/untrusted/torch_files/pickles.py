"""Pickles as data: a small machine that follows the instructions of a pickle, and runs nothing of what they name.

Python's own reader imports what a pickle names, and calls it. A list of names in its way leaves the rest: BUILD sets
attributes of whatever is on the stack, memos have any size, and nested keys take years to hash. So the instructions are
followed here: names are compared with an exact list, calls are noted and not made, and nothing is on the stack but
numbers, strings, lists, dicts and these notes.
"""

import pickletools
from collections.abc import Callable
from typing import IO, Any, cast

from tfgantl.errors import ArtifactError
from tfgantl.printing import printable
from tfgantl.untrusted.torch_files.allowed_names import ALLOWED, CALLED, DICTS, GIVEN_STATE, SETS, check_name
from tfgantl.untrusted.torch_files.limits import Bounded, Budget
from tfgantl.untrusted.torch_files.notes import Call, Name, Persistent

MAX_OPERATIONS = 500_000  # of all pickles of a file; those of large networks have some 100,000
MAX_KEY = 2**10  # characters; names of tensors are put together from keys
MAX_BITS = 128  # of an integer


def read_pickle(
    stream: Bounded,
    where: str,
    budget: Budget,
    allowed: frozenset[str] = ALLOWED,
    storages: list[Persistent] | None = None,
) -> Any:
    """Reads one pickle, up to its end.

    Args:
        stream: At the beginning of the pickle; at its end afterwards.
        where: Name of the file for messages.
        budget: Instructions that may be followed.
        allowed: Names of classes and functions that may be there.
        storages: Takes everything that stands in the place of a storage; there must be none if it is not given.

    Returns:
        Numbers, strings, bytes, tuples, lists, dicts with keys that are strings or integers, and `Name`, `Call` and
        `Persistent`. Sets are lists.

    Raises:
        ArtifactError: If it names anything that is not allowed, or uses an instruction that no checkpoint needs.
        ValueError: If it is damaged, or too large; other exceptions for damage that is met first elsewhere.

    Example:
        >>> import io, pickle
        >>> content = pickle.dumps({"step": 3}, protocol=2)
        >>> read_pickle(Bounded(io.BytesIO(content), len(content)), "x.pt", Budget("instructions", 100))
        {'step': 3}

    Reference:
        The instructions: module `pickletools` of Python
    """
    machine = _Machine(where, allowed, budget, storages)
    try:
        for instruction, argument, _ in pickletools.genops(cast(IO[bytes], stream)):
            budget.spend()
            machine.follow(instruction.name, argument)
        return machine.result()
    except (IndexError, KeyError) as error:
        raise ValueError("an instruction for what is not on the stack, or not in the memo") from error


class _Machine:
    """Stack, marks and memo of a pickle."""

    def __init__(self, where: str, allowed: frozenset[str], budget: Budget, storages: list[Persistent] | None):
        self.where, self.allowed, self.budget, self.storages = where, allowed, budget, storages
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # what is under each mark
        self.memo: dict[int, Any] = {}

    def follow(self, instruction: str, argument: Any) -> None:
        if instruction in CONSTANTS:
            self.stack.append(CONSTANTS[instruction])
        elif instruction in LITERALS:
            self.stack.append(_checked(argument))
        elif instruction in TUPLES:
            self.tuple_of(TUPLES[instruction])
        elif instruction in STEPS:
            STEPS[instruction](self, argument)
        elif instruction not in NOTHING:
            raise ArtifactError(
                f"{self.where}: must be a pickle of tensors and plain values. Received: the instruction {instruction}"
            )

    def result(self) -> Any:
        if len(self.stack) != 1 or self.below:
            raise ValueError("a pickle that does not end with one object")
        return self.stack[0]

    # --- Stack and memo ---

    def mark(self, _: None) -> None:
        self.below.append(self.stack)
        self.stack = []

    def above_mark(self) -> list[Any]:
        found, self.stack = self.stack, self.below.pop()
        return found

    def put(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def memoize(self, _: None) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def get(self, place: int) -> None:
        self.stack.append(self.memo[place])

    # --- Containers ---

    def tuple_of(self, count: int) -> None:
        found = tuple(self.stack[-count:])
        if len(found) < count:
            raise ValueError("a tuple of what is not there")
        self.stack[-count:] = [found]

    def tuple_above_mark(self, _: None) -> None:
        found = tuple(self.above_mark())
        self.stack.append(found)

    def empty_list(self, _: None) -> None:
        self.stack.append([])

    def empty_dict(self, _: None) -> None:
        self.stack.append({})

    def append(self, _: None) -> None:
        value = self.stack.pop()
        self._top(list).append(value)

    def extend(self, _: None) -> None:
        values = self.above_mark()
        self._top(list).extend(values)

    def set_item(self, _: None) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set(key, value)

    def set_items(self, _: None) -> None:
        values = self.above_mark()
        if len(values) % 2:
            raise ValueError("a key without a value")
        for key, value in zip(values[::2], values[1::2], strict=True):
            self._set(key, value)

    def _set(self, key: Any, value: Any) -> None:
        self._top(dict)[_checked_key(key)] = value

    def _top(self, kind: type) -> Any:
        if type(self.stack[-1]) is not kind:
            raise ValueError(f"items for {type(self.stack[-1]).__name__} in place of {kind.__name__}")
        return self.stack[-1]

    # --- Names, which are compared, and calls, which are noted ---

    def name(self, argument: str) -> None:
        self.stack.append(Name(check_name(argument.replace(" ", "."), self.allowed, self.where)))

    def name_on_stack(self, _: None) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise ValueError("a name that is no string")
        self.name(f"{module}.{name}")

    def call(self, _: None) -> None:
        arguments, name = self.stack.pop(), self.stack.pop()
        if type(name) is not Name or type(arguments) is not tuple:
            raise ValueError(f"a call of {type(name).__name__} with {type(arguments).__name__}")
        if name not in CALLED:
            raise ValueError(f"a call of {name}")
        if name in SETS | DICTS:
            self.stack.append(self._container(name, arguments))
        else:
            self.stack.append(Call(str(name), arguments))

    def build(self, _: None) -> None:
        state, top = self.stack.pop(), self.stack[-1]
        if type(top) is dict and (state is None or type(state) is dict):
            return  # attributes of an OrderedDict, such as the versions of modules
        if type(top) is not Call or top.name not in GIVEN_STATE:
            received = top if isinstance(top, Name) else top.name if type(top) is Call else type(top).__name__
            raise ArtifactError(
                f"{self.where}: only arrays and settings may be given a state. Received: a state for "
                f"{printable(received)}"
            )
        if top.state is not None or state is None:
            raise ValueError(f"a second state, or none, for {top.name}")
        top.state = state

    def _container(self, name: str, arguments: tuple) -> list | dict:
        """A set as a list, and an ordered dict as a dict, from the list that it is made of."""
        values = arguments[0] if arguments else []
        if len(arguments) > 1 or type(values) is not list:
            raise ValueError(f"{name} of something else than a list")
        self.budget.spend(len(values))  # one list can be in many calls
        if name in SETS:
            return list(values)
        found = {}
        for pair in values:
            if type(pair) not in (list, tuple) or len(pair) != 2:
                raise ValueError(f"{name} of something else than keys and values")
            found[_checked_key(pair[0])] = pair[1]
        return found

    def persistent(self, _: None) -> None:
        found = self.stack.pop()
        if self.storages is None or type(found) is not tuple:
            raise ValueError(f"a persistent id, {type(found).__name__}, where no storage can be")
        self.storages.append(Persistent(found))
        self.stack.append(self.storages[-1])


def _checked_key(key: Any) -> str | int:
    """A key that is hashed in no time: nested tuples take without end, and many large integers have one hash."""
    if type(key) is str and len(key) <= MAX_KEY or type(key) is int and -(2**63) <= key < 2**63:
        return key
    raise ValueError(f"a dict with a key of {type(key).__name__} that is no short string or integer")


def _checked(literal: Any) -> Any:
    if isinstance(literal, int) and literal.bit_length() > MAX_BITS:
        raise ValueError(f"an integer of {literal.bit_length()} bits")
    return literal


# Instructions of protocols 2 to 4. None of protocols 0 and 1, of EXT, of buffers and of deleting is needed.
NOTHING = ("PROTO", "FRAME", "STOP")
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
LITERALS = (
    "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT",
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
)  # fmt: skip
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark, "BINPUT": _Machine.put, "LONG_BINPUT": _Machine.put, "MEMOIZE": _Machine.memoize,
    "BINGET": _Machine.get, "LONG_BINGET": _Machine.get,
    "TUPLE": _Machine.tuple_above_mark,
    "EMPTY_LIST": _Machine.empty_list, "EMPTY_SET": _Machine.empty_list, "EMPTY_DICT": _Machine.empty_dict,
    "APPEND": _Machine.append, "APPENDS": _Machine.extend, "ADDITEMS": _Machine.extend,
    "SETITEM": _Machine.set_item, "SETITEMS": _Machine.set_items,
    "GLOBAL": _Machine.name, "STACK_GLOBAL": _Machine.name_on_stack,
    "REDUCE": _Machine.call, "NEWOBJ": _Machine.call, "BUILD": _Machine.build, "BINPERSID": _Machine.persistent,
}  # fmt: skip
