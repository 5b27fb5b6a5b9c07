"""Publishes generators, classifiers and extractors for TensorFlow Serving, and looks after what is published.

`python -m tfgantl.pipelines.export --model runs/handwritten-digits/1`, or `tfgantl export`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, check_at_least
from tfgantl.models import Networks
from tfgantl.pipelines.export.results import RollbackResult, VerifyResult, VersionsResult
from tfgantl.pipelines.results import Result
from tfgantl.pipelines.settings import ReleaseConfig, resolve_paths
from tfgantl.untrusted.hugging_face import parsed


@dataclass(frozen=True)
class ExportConfig(ReleaseConfig):
    """Settings of an export. One of `model`, `list`, `verify` and `rollback` says what to do.

    Args:
        model: What to publish: a generator (a run directory, a preset, a .keras file or any other source), the .keras
            file of a classifier, the directory or name of an extractor, encoders of text and images, or a run that
            trained styles.
        list: Model directory whose versions to list.
        verify: Version to check: hashes of its files, examples of every signature, warmup requests.
        rollback: Model directory whose newest version to withdraw, so that the one before it serves again.
        name: Name of the model; that of the run's target, or of the handle, if not given.
        export_dir: Model directory; `exported/NAME` if not given.
        format: SavedModel for servers, or one file for other runtimes.
        networks: Architecture that bare weights are adopted into.
        allow_ops: Operations of a SavedModel that are trusted, of those that are refused otherwise.
        pixels: What a classifier takes, as `--pixels=0..255`; read from its first layers if not given.
        force: Publish also after negative transfer, and more copies than `max_copies`.
        keep: Versions to keep; older ones are deleted. All if not given.
        to: Repository of the Hugging Face Hub, hf://owner/repository[@revision], that the version is uploaded to, too;
            a new one is private.
        with_discriminator: Upload the discriminator of the run, too, so that others can go on from the pair; whoever
            has it can tell training pictures from others more easily than `privacy` says.
    """

    model: str | None = None
    list: str | None = None
    verify: str | None = None
    rollback: str | None = None
    name: str | None = None
    export_dir: str | None = None
    format: Literal["savedmodel", "onnx", "litert"] = "savedmodel"
    networks: Networks | None = None
    allow_ops: tuple[str, ...] = ()
    pixels: Literal["0..255", "0..1", "-1..1"] | None = None
    force: bool = False
    keep: int | None = None
    to: str | None = None
    with_discriminator: bool = False

    @property
    def computes(self) -> bool:
        """Whether TensorFlow is needed in this process."""
        return self.model is not None

    def __post_init__(self) -> None:
        resolve_paths(self)
        super().__post_init__()
        check_at_least(self, 1, "keep")
        given = [name for name in ("model", "list", "verify", "rollback") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ConfigError(
                f"one of `model`, `list`, `verify` and `rollback` must be given. Received: {', '.join(given) or 'none'}"
            )
        if self.name is not None and self.export_dir is not None:
            raise ConfigError("`name` must not be given with `export_dir`, which has one. Received: both")
        if self.pixels is not None and self.model is None:
            raise ConfigError("`pixels` must be given with `model`. Received: it alone")
        if self.keep is not None and (self.model is None or self.format != "savedmodel"):
            raise ConfigError("`keep` must be given with `model`, for SavedModels. Received: something else")
        if self.with_discriminator and self.to is None:
            raise ConfigError("`with_discriminator` must be given with `to`. Received: it alone")
        if self.to is not None:
            if self.model is None or self.format != "savedmodel":
                raise ConfigError("`to` must be given with `model`, for SavedModels. Received: something else")
            if parsed(self.to, "to")[2] is not None:
                raise ConfigError(f"`to` must be hf://owner/repository[@revision]. Received: {self.to}")


def export(config: ExportConfig) -> Result:
    """Does what was asked for.

    Args:
        config: The settings.

    Returns:
        `VersionsResult`, `VerifyResult`, `RollbackResult`, `PublishResult` or `FileResult`.

    Raises:
        TfgantlError: If the model cannot be used, is not what it was, or may not be published.
    """
    if config.list is not None:
        return list_versions(Path(config.list))
    if config.verify is not None:
        return verify(Path(config.verify))
    if config.rollback is not None:
        return roll_back(Path(config.rollback))
    from tfgantl.pipelines.export.publishing import publish_model

    return publish_model(config, cast(str, config.model))  # one of the four is given


def list_versions(directory: Path) -> VersionsResult:
    """Lists the versions of a model."""
    from tfgantl.export.directory import describe

    return VersionsResult(model=directory.name, versions=describe(directory))


def verify(version: Path) -> VerifyResult:
    """Checks a version as a server would load it."""
    from tfgantl.export.check import check_in_fresh_process

    return VerifyResult(version=version, differences=check_in_fresh_process(version))


def roll_back(directory: Path) -> RollbackResult:
    """Withdraws the newest version."""
    from tfgantl.export.directory import roll_back as withdraw

    withdrawn, newest = withdraw(directory)
    return RollbackResult(model=directory.name, withdrawn=withdrawn, newest=newest)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(ExportConfig, "export", export, {}, arguments)
