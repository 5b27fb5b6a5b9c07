"""Files that TensorFlow Serving is started with, written once beside the versions for the user to edit."""

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from jinja2 import Environment, PackageLoader

from tfgantl.errors import RunError, TfgantlError
from tfgantl.export.warmup import BATCHES
from tfgantl.files import Replacing
from tfgantl.progress import log
from tfgantl.text_files import read_text

FILES = ("models.config", "batching.config", "monitoring.config", "compose.yaml", "kubernetes.yaml")
LONGEST = 50  # letters
WORDS = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
IMAGE = "tensorflow/serving:2.20.0"


def write_deployment(directory: Path, batches: Sequence[int] = BATCHES) -> Path:
    """Writes `directory/deploy/`; files that are there already stay as they are.

    Args:
        directory: Model directory, whose name is that of the model.
        batches: Sizes of batches that a server may make of requests.
    """
    target, name = directory / "deploy", directory.absolute().name
    target.mkdir(exist_ok=True)
    environment = Environment(loader=PackageLoader("tfgantl", "templates/deploy"), keep_trailing_newline=True)
    for file in FILES:
        if not (target / file).is_file():
            page = environment.get_template(f"{file}.j2").render(
                name=name, batches=batches, image=IMAGE, dns=_dns(name)
            )
            with Replacing(target / file) as temporary:
                temporary.write_text(page)
    most = None
    with suppress(TfgantlError, OSError):  # of a file that somebody has made something else of
        most = re.search(r"max_batch_size\s*\{\s*value:\s*(\d{1,9})\b", read_text(target / "batching.config"))
    if most and int(most[1]) > batches[-1]:
        log(
            f"{target / 'batching.config'} puts up to {most[1]} rows together, and the model answers {batches[-1]}: "
            "the file is yours to change"
        )
    return target


def check_deployment(directory: Path) -> None:
    """Refuses to write through a link.

    Raises:
        RunError: If `directory/deploy` is one.
    """
    if (directory / "deploy").is_symlink():
        raise RunError(f"{directory / 'deploy'}: must be a directory of the model. Received: a link")


def _dns(name: str) -> str:
    """The name as Kubernetes allows it: small letters, digits and hyphens, from a letter on, with room for `-models`.

    One that is changed gets a hash of what it was: another model may be called so. Words of YAML are no names.
    """
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())
    plain = (plain if plain[:1].isalpha() else f"model-{plain}")[:LONGEST].strip("-")
    if plain != name or plain in WORDS:
        mark = hashlib.sha256(name.encode()).hexdigest()[:6]
        plain = f"{plain[: LONGEST - len(mark) - 1].strip('-')}-{mark}"
    return plain
