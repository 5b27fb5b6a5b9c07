"""Text from anywhere, made fit to be shown: a file name can hold whatever steers a terminal, or reverses a line."""

import re

# Controls (C0, DEL, C1), line and paragraph separators, marks that turn the direction of writing, halves of pairs.
_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\ufeff\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: object, keep: str = "") -> str:
    r"""Text with everything escaped that would not be seen as what it is.

    Args:
        text: Anything; `str` is taken of it.
        keep: Characters that stay, such as line feeds in what has several lines.

    Returns:
        Text that can be written to any UTF-8 stream. Bytes of a file name that are no UTF-8 are shown as `\xff`.

    Example:
        >>> printable("cat\x1b]0;title\x07.png")
        'cat\\x1b]0;title\\x07.png'
    """
    return _UNFIT.sub(lambda found: found[0] if found[0] in keep else _escaped(ord(found[0])), str(text))


def _escaped(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte that could not be decoded
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
