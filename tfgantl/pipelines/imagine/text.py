"""The text of a user, looked at before anything is drawn."""

from dataclasses import dataclass

from tfgantl.crossmodal.text_encoder import TextEncoder, check_text


@dataclass(frozen=True)
class UnknownWords:
    """Words of a text that an encoder does not know.

    Args:
        words: Word → the known ones that are spelled most alike.
    """

    words: dict[str, list[str]]

    def lines(self) -> list[str]:
        """A line for the log, if there are any."""
        if not self.words:
            return []
        told = [f"{word} (known: {', '.join(near)})" if near else word for word, near in self.words.items()]
        return [f"words that are not known, and change nothing that is meant: {', '.join(told)}"]


def checked_text(text: str, encoder: TextEncoder) -> tuple[str, UnknownWords]:
    """The text without spaces around it, and its unknown words.

    Raises:
        DataError: If it is empty, too long, has control characters, or no word that is known.
    """
    return check_text(text, encoder), UnknownWords(encoder.unknown_words(text))
