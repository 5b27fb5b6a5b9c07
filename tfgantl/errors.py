"""Mistakes that the user can mend, told in one line, each kind with its own exit code.

Every message names the thing, what is allowed and what was received. Anything else that is raised is a bug of the
package, and keeps its traceback.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

LARGEST = 2**63  # what no number of a setting may be


class TfgantlError(Exception):
    """Base of all errors that are reported to the user as one line."""

    exit_code = 1


class ConfigError(TfgantlError, ValueError):
    """An option, a recipe or an argument is not what is allowed."""

    exit_code = 2


class DataError(TfgantlError, ValueError):
    """The images or labels cannot be used."""

    exit_code = 3


class ArtifactError(TfgantlError, ValueError):
    """A model, preset or weight file is missing, damaged or does not fit."""

    exit_code = 4


class RunError(TfgantlError, RuntimeError):
    """The run directory, or the disk under it, cannot be used."""

    exit_code = 5


class DivergedError(TfgantlError, RuntimeError):
    """Training produced a value that is not finite."""

    exit_code = 6


class InterruptedRun(TfgantlError, RuntimeError):
    """A signal ended the run, which can go on."""

    exit_code = 7


class ServingError(TfgantlError, RuntimeError):
    """A served model cannot be reached, or refuses."""

    exit_code = 8


class WorkerError(TfgantlError, RuntimeError):
    """Another worker of the same training is missing, has gone, or does something else."""

    exit_code = 9


@contextmanager
def intact(message: str) -> Iterator[None]:
    """Context manager around reading a file: whatever its parser meets first becomes `ArtifactError`, in one line.

    Args:
        message: Which file must be what.

    Raises:
        ArtifactError: For any error but those of this package, which pass.
    """
    try:
        yield
    except TfgantlError:
        raise
    except Exception as error:  # parsers of damaged files raise dozens of classes
        raise ArtifactError(f"{message}. Received: {reason(error)}") from error


def check_seed(name: str, value: int) -> None:
    """Raises `ConfigError` unless `value` is a seed that all generators of random numbers take."""
    if not 0 <= value < 2**32:
        raise ConfigError(f"`{name}` must be in [0, {2**32 - 1}]. Received: {value}")


def check_at_least(config: object, least: float, *names: str) -> None:
    """Raises `ConfigError` unless each attribute named is at least `least`, or `None`."""
    _require(config, names, f"at least {least}", lambda value: value >= least)


def check_above(config: object, bound: float, *names: str) -> None:
    """Raises `ConfigError` unless each attribute named is above `bound`, or `None`."""
    _require(config, names, f"above {bound}", lambda value: value > bound)


def check_within(config: object, interval: str, *names: str) -> None:
    """Raises `ConfigError` unless each attribute named is in an interval such as `(0, 1]`, or `None`."""
    low, high = (float(end) for end in interval[1:-1].split(","))

    def within(value: float) -> bool:
        above = value >= low if interval[0] == "[" else value > low
        return above and (value <= high if interval[-1] == "]" else value < high)

    _require(config, names, f"in {interval}", within)


def _require(config: Any, names: tuple[str, ...], allowed: str, holds: Callable[[float], bool]) -> None:
    """`config` is a dataclass; a field that is `None` is not set."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not (holds(value) and value < LARGEST):
            optional = ", or none" if type(config).__dataclass_fields__[name].default is None else ""
            below = " and below 2**63" if holds(value) else ""
            raise ConfigError(f"`{name}` must be {allowed}{below}{optional}. Received: {str(value)[:40]}")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was not enough, by Python's error or TensorFlow's; the latter also has it for full disks."""
    return isinstance(error, MemoryError) or (
        type(error).__name__ == "ResourceExhaustedError" and ("OOM" in str(error) or "allocat" in str(error))
    )


def not_installed(who: str, package: str, extra: str, error: ImportError) -> str:
    """What to say where a package of an extra is not there."""
    return f"{who}: {package} must be installed: pip install 'tfgantl[{extra}]'. Received: {reason(error)}"


def reason(error: Exception) -> str:
    """First line of an error, or its type."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
