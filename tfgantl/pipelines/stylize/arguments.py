"""CONTENT and STYLE… without names, at the beginning of a command line."""

SHORT = {"-o": "--output"}


def named(arguments: list[str], *first: str) -> list[str]:
    """The command line with all options by their names.

    Args:
        arguments: Command line.
        first: Options that the first words stand for; those after them are styles.

    Example:
        >>> named(["a.jpg", "b.jpg:2", "c.jpg", "-o", "d.png"], "content")
        ['--content', 'a.jpg', '--styles', 'b.jpg:2,c.jpg', '--output', 'd.png']
    """
    count = next((i for i, argument in enumerate(arguments) if argument.startswith("-")), len(arguments))
    words, options = arguments[:count], [SHORT.get(argument, argument) for argument in arguments[count:]]
    begun = [part for option, word in zip(first, words, strict=False) for part in (f"--{option}", word)]
    styles = words[len(first) :]
    return [*begun, *(["--styles", ",".join(styles)] if styles else []), *options]
