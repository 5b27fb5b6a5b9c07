"""Handles on the web, resolved by tensorflow_hub, kagglehub and huggingface_hub to a place in their caches."""

import hashlib
import os
import tempfile
import time
import warnings
from pathlib import Path

from tfgantl.errors import ArtifactError, not_installed, reason
from tfgantl.untrusted import hugging_face

KAGGLE = "kaggle://"
QUIET = 60  # seconds without a byte, after which a download has died


def is_remote(handle: str) -> bool:
    """Whether a handle is a web address, or one of kagglehub or the Hugging Face Hub."""
    return handle.startswith(("https://", "http://", KAGGLE, hugging_face.SCHEME))


def resolve(handle: str, argument: str = "source") -> Path:
    """Finds the directory of a module, or a file, downloading it only if it is not cached.

    Args:
        handle: `https://tfhub.dev/…`, `https://www.kaggle.com/models/…`, `kaggle://owner/model/framework/variation`
            and optionally `/version`, or `hf://owner/repository[@revision][/file]`.
        argument: Name of the option that it was given by, for messages.

    Raises:
        ArtifactError: If the package that resolves it is not installed, or it is neither cached nor can be downloaded.
    """
    if handle.startswith(hugging_face.SCHEME):
        return hugging_face.resolve(handle, argument)
    return (_kaggle if handle.startswith(KAGGLE) else _tensorflow_hub)(handle, argument)


def _tensorflow_hub(handle: str, argument: str) -> Path:
    cache = Path(os.environ.get("TFHUB_CACHE_DIR") or Path(tempfile.gettempdir()) / "tfhub_modules")
    directory = cache / hashlib.sha1(handle.encode()).hexdigest()  # how tensorflow_hub names it
    _check_lock(directory, handle)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*pkg_resources")  # its last release still imports it
            import tensorflow_hub
    except ImportError as error:  # missing, or pkg_resources is
        raise ArtifactError(not_installed(handle, "tensorflow_hub", "hub", error)) from error
    try:
        found = Path(tensorflow_hub.resolve(handle))
    except Exception as error:  # the network has many ways to fail
        raise ArtifactError(
            f"`{argument}` must be cached or can be downloaded; offline, unpack the module into {directory}. "
            f"Received: {handle} ({reason(error)})"
        ) from error
    if not (found / "saved_model.pb").is_file():
        raise ArtifactError(
            f"{found}: the cached module must be complete; remove it to load it anew. Received: {handle}"
        )
    return found


def _check_lock(directory: Path, handle: str) -> None:
    """Refuses a download that has died, for whose end tensorflow_hub would wait ten minutes without a word."""
    lock = directory.with_name(directory.name + ".lock")
    if (directory.is_dir() and any(directory.iterdir())) or not lock.is_file():
        return
    try:
        newest = max(part.stat().st_mtime for part in (lock, *lock.parent.glob(f"{directory.name}.*.tmp/**/*")))
    except OSError:  # it has just come to its end
        return
    if newest < time.time() - QUIET:
        raise ArtifactError(
            f"{lock}: must be the lock of a download that goes on; if none does, remove it. Received: {handle}"
        )


def _kaggle(handle: str, argument: str) -> Path:
    name = handle.removeprefix(KAGGLE).strip("/")
    if len(name.split("/")) not in (4, 5):
        raise ArtifactError(
            f"`{argument}` must be kaggle://owner/model/framework/variation[/version]. Received: {handle}"
        )
    try:
        import kagglehub
    except ImportError as error:
        raise ArtifactError(not_installed(handle, "kagglehub", "hub", error)) from error
    try:
        found = Path(kagglehub.model_download(name))
    except Exception as error:
        raise ArtifactError(
            f"`{argument}` must be in the cache of kagglehub (KAGGLEHUB_CACHE) or can be downloaded. "
            f"Received: {handle} ({reason(error)})"
        ) from error
    return found
