"""Mistakes that the user can mend, told in one line, each kind with its own exit code.

Every message names the thing, what is allowed and what was received. Anything else that is raised is a bug of the
package, and keeps its traceback.
"""


class TfgantlError(Exception):
    """Base of all errors that are reported to the user as one line."""

    exit_code = 1


class ConfigError(TfgantlError, ValueError):
    """An option, a recipe or an argument is not what is allowed."""

    exit_code = 2


def check_seed(name: str, value: int) -> None:
    """Raises `ConfigError` unless `value` is a seed that all generators of random numbers take."""
    if not 0 <= value < 2**32:
        raise ConfigError(f"`{name}` must be in [0, {2**32 - 1}]. Received: {value}")


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
