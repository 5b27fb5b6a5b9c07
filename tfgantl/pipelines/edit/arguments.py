"""PICTURE… without names, at the beginning of a command line, and `-o`."""


def named(arguments: list[str], *first: str, output: str = "run_dir") -> list[str]:
    """The command line with all options by their names.

    Args:
        arguments: Command line.
        first: Options that the first words stand for.
        output: Option that `-o` stands for.

    Example:
        >>> named(["a.png", "-o", "out"], "pictures")
        ['--pictures', 'a.png', '--run_dir', 'out']
    """
    count = next((i for i, argument in enumerate(arguments) if argument.startswith("-")), len(arguments))
    words, options = arguments[:count], [f"--{output}" if one == "-o" else one for one in arguments[count:]]
    pairs = [part for option, word in zip(first, words, strict=False) for part in (f"--{option}", word)]
    return [*pairs, *words[len(first) :], *options]
