"""Regenerates the tables of docs/benchmarks.md.

`python -m tfgantl.pipelines.benchmark` measures the default job; a name after it chooses another benchmark: `transfer`
compares transfer methods, `recognition` recognition methods, `serving` measures the exported graph and the development
server, `style` style transfer. With `tfgantl benchmark` it is the same.
"""

import sys
from importlib import import_module

BENCHMARKS = ("transfer", "recognition", "serving", "style")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = [name for name in arguments[:1] if name in BENCHMARKS]
    name = chosen[0] if chosen else "adaptation"
    return import_module(f"tfgantl.pipelines.benchmarks.{name}").main(arguments[len(chosen) :])


if __name__ == "__main__":
    sys.exit(main())
