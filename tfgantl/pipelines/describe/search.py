"""Finds pictures that a text is true of, or captions that are true of a picture.

`tfgantl describe search FOLDER TEXT [-o FOUND.png]`, or `… search CAPTIONS.txt PICTURE`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tfgantl.cli import run as run_cli
from tfgantl.data.decode import Crop
from tfgantl.errors import ConfigError, DataError, check_at_least
from tfgantl.files import expanded
from tfgantl.pipelines.edit.arguments import named
from tfgantl.pipelines.results import Result
from tfgantl.pipelines.settings import VerbConfig, resolve_paths
from tfgantl.printing import printable

if TYPE_CHECKING:
    from tfgantl.crossmodal.encoders import TextImageEncoders


@dataclass(frozen=True)
class SearchByTextConfig(VerbConfig):
    """Settings. The first words of the command line are what is searched, and what for.

    Args:
        among: Folder of pictures; or, to find captions of a picture, a text file with a caption a line, or a CSV or
            .jsonl file of captions.
        query: Text to find pictures by; or a picture, to find captions.
        model: Directory of encoders, or the run directory of a training; those that are shipped if not given.
        top: How many are told.
        crop: How pictures become squares: centre, pad or none.
        output: PNG that shows the pictures that were found.
    """

    among: str
    query: str
    model: str | None = None
    top: int = 10
    crop: Crop = "centre"
    output: str | None = None

    def __post_init__(self) -> None:
        resolve_paths(self)
        check_at_least(self, 1, "top")
        if self.output is not None and Path(self.output).suffix.casefold() != ".png":
            raise ConfigError(f"`output` must be a .png file. Received: {self.output}")


@dataclass(frozen=True, kw_only=True)
class SearchByTextResult(Result):
    """What was found.

    Args:
        model: Hash of the encoders.
        query: Text, or picture, that was searched for.
        searched: Number of pictures or captions.
        found: Names of pictures, or captions, the best first, and their cosines.
        unknown_words: Words of the text that the encoders do not know → known ones that are spelled most alike.
        output: The pictures that were found, if they were asked for.
    """

    model: str
    query: str
    searched: int
    found: list[tuple[str, float]]
    unknown_words: dict[str, list[str]]
    output: Path | None = None

    def text(self) -> str:
        """What the command line prints: a line for each."""
        return "\n".join(f"{score:6.3f}  {printable(name)}" for name, score in self.found)


def search(config: SearchByTextConfig) -> SearchByTextResult:
    """Searches pictures by a text, or captions by a picture.

    Args:
        config: The settings.

    Returns:
        What fits best.

    Raises:
        TfgantlError: If the model, the text, a picture or the captions cannot be used.
    """
    from tfgantl.pipelines.describe.opening import open_encoders

    encoders = open_encoders(config.model)
    among = expanded(config.among)
    if among.is_dir():
        return _pictures_of(config, encoders, among)
    if not among.is_file():
        raise DataError(f"`among` must be a folder of pictures, or a file of captions. Received: {config.among}")
    return _captions_of(config, encoders, among)


def _pictures_of(config: SearchByTextConfig, encoders: "TextImageEncoders", folder: Path) -> SearchByTextResult:
    import numpy as np

    from tfgantl.crossmodal.text_checks import check_text, told_unknown
    from tfgantl.files import Replacing, check_kept
    from tfgantl.images import grid, save_png
    from tfgantl.pipelines.describe.opening import read_images
    from tfgantl.progress import log

    text = check_text(config.query, encoders.text, "query")
    unknown = encoders.text.unknown_words(text)
    log(*told_unknown(unknown))
    if config.output is not None:
        check_kept([Path(config.output)], folder.iterdir())
    names, images, _ = read_images(folder, encoders.image_shape, config.crop)
    scores = encoders.similarity(images, [text])[:, 0]
    best = np.argsort(-scores, kind="stable")[: config.top]
    if config.output is not None:
        with Replacing(Path(config.output)) as temporary:
            save_png(temporary, grid(images[best], 5), max(1, 96 // images.shape[1]))
        log(f"found: {config.output}")
    return SearchByTextResult(
        model=encoders.hash, query=text, searched=len(names), found=[(names[i], float(scores[i])) for i in best],
        unknown_words=unknown, output=None if config.output is None else Path(config.output),
    )  # fmt: skip


def _captions_of(config: SearchByTextConfig, encoders: "TextImageEncoders", file: Path) -> SearchByTextResult:
    import numpy as np

    from tfgantl.crossmodal.caption_lines import phrases_in
    from tfgantl.crossmodal.text_checks import shown
    from tfgantl.crossmodal.text_encoder import words_of
    from tfgantl.pipelines.describe.opening import read_images
    from tfgantl.progress import log

    if config.output is not None:
        raise ConfigError("`output` must be left out where captions are searched. Received: one")
    everything = phrases_in(file)
    known = set(encoders.text.vocabulary)  # of a foreign encoder none is told
    phrases = [text for text in everything if not known or known & set(words_of(text))]
    if not phrases:
        raise DataError(f"`among` must hold a caption with a known word. Received: {shown(everything[0])}")
    if len(phrases) < len(everything):
        log(f"left out {len(everything) - len(phrases)} captions without a known word")
    names, images, _ = read_images(Path(config.query), encoders.image_shape, config.crop)
    if len(names) != 1:
        raise DataError(f"`query` must be one picture where captions are searched. Received: {len(names)}")
    scores = encoders.embed_images(images)[0] @ encoders.embed_texts(phrases, check=False).T
    best = np.argsort(-scores, kind="stable")[: config.top]
    unknown = encoders.text.unknown_words(" ".join(phrases[i] for i in best))
    return SearchByTextResult(
        model=encoders.hash, query=config.query, searched=len(phrases), unknown_words=unknown,
        found=[(phrases[i], float(scores[i])) for i in best],
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    import sys

    arguments = named(sys.argv[1:] if arguments is None else arguments, "among", "query", output="output")
    return run_cli(SearchByTextConfig, "describe search", search, {}, arguments)
