"""Regenerates the tables of docs/benchmarks.md.

`python -m tfgantl.pipelines.benchmark` measures the default job, `… benchmark transfer` compares transfer methods,
`… benchmark serving` measures the exported graph and the development server, and `… benchmark style` style transfer.
With `tfgantl benchmark` it is the same.
"""

import sys


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["transfer"]:
        from tfgantl.pipelines.benchmarks.transfer import main as transfer

        return transfer(arguments[1:])
    if arguments[:1] == ["serving"]:
        from tfgantl.pipelines.benchmarks.serving import main as serving

        return serving(arguments[1:])
    if arguments[:1] == ["style"]:
        from tfgantl.pipelines.benchmarks.style import main as style

        return style(arguments[1:])
    from tfgantl.pipelines.benchmarks.adaptation import main as adaptation

    return adaptation(arguments)


if __name__ == "__main__":
    sys.exit(main())
