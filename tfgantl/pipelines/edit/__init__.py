"""Edits pictures with any generator: what it makes of a code is moved, switched, filled, mixed or restored.

`python -m tfgantl.pipelines.edit VERB [PICTURE …] [-o DIR]`, or `tfgantl edit VERB`.
"""

import sys
from importlib import import_module

from tfgantl.cli import PIPELINES
from tfgantl.printing import printable

VERBS = {name.removeprefix("edit "): purpose for name, purpose in PIPELINES.items() if name.startswith("edit ")}


def main(arguments: list[str] | None = None) -> int:
    """Runs a verb, or says which ones there are, and returns the exit code."""
    verb, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if verb in ("-h", "--help"):
        print("usage: tfgantl edit VERB [PICTURE …] [-o DIR] [options]\n\nverbs:")
        for name, purpose in VERBS.items():
            print(f"  {name:8} {purpose}")
        print("\ntfgantl edit VERB --help shows the options of one.")
        return 0
    if verb not in VERBS:
        known = ", ".join(VERBS)
        print(f"tfgantl edit: error: VERB must be one of {known}. Received: {printable(verb)}", file=sys.stderr)
        return 2
    return import_module(f"tfgantl.pipelines.edit.{verb}").main(rest)
