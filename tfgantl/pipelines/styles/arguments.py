"""CONTENT and STYLE… without names, at the beginning of a command line."""

SHORT = {"-o": "--output"}


def named(arguments: list[str], first: str = "content") -> list[str]:
    """The command line with all options by their names: the first word is `first`, those after it are styles.

    Example:
        >>> named(["a.jpg", "b.jpg:2", "c.jpg", "-o", "d.png"])
        ['--content', 'a.jpg', '--styles', 'b.jpg:2,c.jpg', '--output', 'd.png']
    """
    count = next((i for i, argument in enumerate(arguments) if argument.startswith("-")), len(arguments))
    words, options = arguments[:count], [SHORT.get(argument, argument) for argument in arguments[count:]]
    begun = [f"--{first}", words[0]] if words else []
    return [*begun, *(["--styles", ",".join(words[1:])] if words[1:] else []), *options]
