"""Text files of people: UTF-8 with or without its mark, UTF-16, and any ends of lines."""

import codecs
from pathlib import Path

from tfgantl.errors import ArtifactError

MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read_text(path: Path) -> str:
    """Text in UTF-8 or, with its mark, UTF-16, as PowerShell writes it.

    Raises:
        ArtifactError: If it is in another code page.
    """
    content = path.read_bytes()
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ArtifactError(
            f"{path}: must be text in UTF-8 or UTF-16. Received: byte {error.start} is "
            f"0x{content[error.start]:02x}, of another code page"
        ) from error
