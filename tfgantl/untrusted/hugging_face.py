"""Files of the Hugging Face Hub, by its own library: from its cache, which does without a network, or downloaded.

Only files that a network can be read from are taken, and nothing of them is run: what they hold is checked as that of
any other file.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Any

from tfgantl.errors import ArtifactError, not_installed, reason
from tfgantl.printing import printable

SCHEME = "hf://"
FORM = "hf://owner/repository[@revision][/file]"
# What a network can be read from, the safest and most telling first.
SUFFIXES = (".safetensors", ".keras", ".weights.h5", ".npz", ".pt", ".pth", ".pkl")
OF_SAVED_MODEL = ("saved_model.pb", "variables/", "assets/")
PAIR = ("generator.keras", "discriminator.keras")  # what runs of this package leave,
RECORD = "together.json"  # and what says that both are of one training
HANDLE = re.compile(r"(\w[\w.-]*/\w[\w.-]*)(?:@(\w[\w.-]*))?(?:/(.+))?", re.ASCII)


def resolve(handle: str, argument: str = "source") -> Path:
    """Finds a file of a repository, or the directory of a pair, downloading what is not in the cache.

    Args:
        handle: `hf://owner/repository[@revision][/file]`. Without a file, it is the pair `generator.keras` and
            `discriminator.keras`, a SavedModel, or the only file of the best kind that there is.
        argument: Name of the option that it was given by, for messages.

    Raises:
        ArtifactError: If the library is not installed, there is no such file, several would do, or it is neither cached
            nor can be downloaded.
    """
    repository, revision, name = parsed(handle, argument)
    huggingface_hub = installed(handle)
    try:
        names = [name] if name else _chosen(_names(huggingface_hub, repository, revision), handle, argument)
        found = [Path(huggingface_hub.hf_hub_download(repository, one, revision=revision)) for one in names]
    except ArtifactError:
        raise
    except Exception as error:  # the network has many ways to fail
        raise ArtifactError(
            f"`{argument}` must be in the cache of the Hugging Face Hub (HF_HOME), or can be downloaded. "
            f"Received: {printable(handle)} ({reason(error)})"
        ) from error
    return found[0] if len(found) == 1 else found[0].parent


def parsed(handle: str, argument: str) -> tuple[str, str | None, str | None]:
    """Repository, revision and file of a handle.

    Raises:
        ArtifactError: If it has another form.
    """
    match = HANDLE.fullmatch(handle.removeprefix(SCHEME)) if handle.startswith(SCHEME) else None
    if match is None or (match[3] is not None and not _is_plain(match[3])):
        raise ArtifactError(f"`{argument}` must be {FORM}. Received: {printable(handle)}")
    return match[1], match[2], match[3]


def installed(handle: str) -> Any:
    """The library of the hub.

    Raises:
        ArtifactError: If it is not installed.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise ArtifactError(not_installed(handle, "huggingface_hub", "hub", error)) from error
    return huggingface_hub


def _is_plain(name: str) -> bool:
    """Whether a name leads to a file within the repository."""
    return not {"..", "."} & set(name.split("/")) and "\\" not in name and PurePosixPath(name).name != ""


def _names(library: Any, repository: str, revision: str | None) -> list[str]:
    """Names of all files: of the repository or, without a network, of what is cached of it."""
    try:
        return library.HfApi().list_repo_files(repository, revision=revision)
    except Exception:  # whatever it was, the cache is asked, and says if there is nothing either
        snapshot = Path(library.snapshot_download(repository, revision=revision, local_files_only=True))
        return sorted(path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file())


def _chosen(names: list[str], handle: str, argument: str) -> list[str]:
    """Which files are taken if none is named."""
    if PAIR[0] in names:
        return [name for name in (*PAIR, RECORD) if name in names]
    if OF_SAVED_MODEL[0] in names:
        fitting = [name for name in names if name.startswith(OF_SAVED_MODEL) and _is_plain(name)]
        return sorted(fitting, key=lambda name: name != OF_SAVED_MODEL[0])  # first, as its folder is that of all
    for suffix in SUFFIXES:
        fitting = [name for name in names if name.endswith(suffix) and _is_plain(name)]
        if len(fitting) == 1:
            return fitting
        if fitting:
            some = ", ".join(map(printable, fitting[:8])) + (" …" if len(fitting) > 8 else "")
            raise ArtifactError(
                f"`{argument}` must name a file of the repository: {FORM}. Received: {handle} with {some}"
            )
    raise ArtifactError(
        f"`{argument}` must be a repository with one of {', '.join(SUFFIXES)} or a SavedModel. "
        f"Received: {handle} with {', '.join(map(printable, names[:8])) or 'no files'}"
    )
