"""Publishes generators, classifiers and extractors for TensorFlow Serving, and looks after what is published.

`python -m tfgantl.pipelines.export --model runs/handwritten-digits/1`, or `tfgantl export`.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, check_at_least
from tfgantl.files import check_name
from tfgantl.models import Networks
from tfgantl.pipelines.results import Result
from tfgantl.pipelines.settings import VerbConfig, resolve_paths
from tfgantl.untrusted.hugging_face import parsed

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ExportConfig(VerbConfig):
    """Settings of an export. One of `model`, `list`, `verify` and `rollback` says what to do.

    Args:
        model: What to publish: a generator (a run directory, a preset, a .keras file or any other source), the .keras
            file of a classifier, or the directory or name of an extractor.
        list: Model directory whose versions to list.
        verify: Version to check: hashes of its files, examples of every signature, warmup requests.
        rollback: Model directory whose newest version to withdraw, so that the one before it serves again.
        name: Name of the model; that of the run's target, or of the handle, if not given.
        export_dir: Model directory; `exported/NAME` if not given.
        format: SavedModel for servers, or one file for other runtimes.
        networks: Architecture that bare weights are adopted into.
        allow_ops: Operations of a SavedModel that are trusted, of those that are refused otherwise.
        pixels: What a classifier takes, as `--pixels=0..255`; read from its first layers if not given.
        force: Publish also after negative transfer.
        keep: Versions to keep; older ones are deleted. All if not given.
        to: Repository of the Hugging Face Hub, hf://owner/repository[@revision], that the version is uploaded to, too;
            a new one is private.
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

    @property
    def computes(self) -> bool:
        """Whether TensorFlow is needed in this process."""
        return self.model is not None

    def __post_init__(self) -> None:
        resolve_paths(self)
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
        if self.to is not None:
            if self.model is None or self.format != "savedmodel":
                raise ConfigError("`to` must be given with `model`, for SavedModels. Received: something else")
            if parsed(self.to, "to")[2] is not None:
                raise ConfigError(f"`to` must be hf://owner/repository[@revision]. Received: {self.to}")


@dataclass(frozen=True, kw_only=True)
class VersionsResult(Result):
    """The versions of a model.

    Args:
        model: Its name.
        versions: One row a version: `version, state, created, verdict`, and more.
    """

    model: str
    versions: list[dict]

    def text(self) -> str:
        """A table of the versions."""
        return "\n".join(
            f"{row['version']:>6}  {row['state']:20}  {row['created'] or 'unknown date':25}  "
            + (f"{row['verdict']} transfer" if row["verdict"] else "no verdict")
            for row in self.versions
        )


@dataclass(frozen=True, kw_only=True)
class VerifyResult(Result):
    """A version that is what it was when it was published.

    Args:
        version: Its directory.
        differences: Name of a signature → largest difference from the Keras model.
    """

    version: Path
    differences: dict[str, float]

    def text(self) -> str:
        """A line for each signature."""
        return "\n".join(
            f"{signature}: largest difference from the Keras model {difference:.2g}"
            for signature, difference in self.differences.items()
        )


@dataclass(frozen=True, kw_only=True)
class RollbackResult(Result):
    """A version that was withdrawn.

    Args:
        model: Name of the model.
        withdrawn: The version.
        newest: The version that serves now.
    """

    model: str
    withdrawn: int
    newest: int

    def text(self) -> str:
        """What was done."""
        return f"{self.model}: version {self.withdrawn} is withdrawn, {self.newest} is the newest now"


@dataclass(frozen=True, kw_only=True)
class PublishResult(Result):
    """A version that was published.

    Args:
        version: Its directory.
        deleted: Numbers of older versions that were deleted.
        uploaded: Address that it was uploaded to, if any.
    """

    version: Path
    deleted: list[int]
    uploaded: str | None = None

    def text(self) -> str:
        """What was written, deleted and uploaded."""
        lines = [f"SavedModel: {self.version}"]
        lines += [f"deleted: {', '.join(map(str, self.deleted))}"] if self.deleted else []
        return "\n".join(lines + ([f"uploaded: {self.uploaded}"] if self.uploaded else []))


@dataclass(frozen=True, kw_only=True)
class FileResult(Result):
    """A file for another runtime.

    Args:
        path: The file.
        difference: Largest difference from the Keras model.
    """

    path: Path
    difference: float

    def text(self) -> str:
        """Where it is."""
        return f"{self.path}: largest difference from the Keras model {self.difference:.2g}"


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


def open_model(config: ExportConfig, model: str) -> "tuple[keras.Model, Callable[[keras.Model], dict], dict[str, Any]]":
    """What `model` names: the network, the function that gives its signatures, and what is known of it."""
    from tfgantl.export.image_signatures import classifier_signatures, feature_signatures
    from tfgantl.export.kinds import signatures_for
    from tfgantl.metrics.extractors import Extractor, is_extractor
    from tfgantl.pretrained import load_model

    if not is_extractor(model):
        network = load_model(model, config.networks, config.allow_ops, config.pixels)
        taken = getattr(network, "pixels", None)
        return network, signatures_for(network, model), {"pixels": taken} if taken else {}
    if config.networks is not None or config.allow_ops or config.pixels is not None:
        raise ConfigError(
            f"`networks`, `allow_ops` and `pixels` must not be given for an extractor. Received: one, for {model}"
        )
    extractor = Extractor.load(model)
    facts: dict[str, Any] = {"extractor": extractor.id}
    if not extractor.predicts_labels:  # its classes are turns of an image, which nobody asks for
        return extractor.features, feature_signatures, facts
    if extractor.accuracy:
        facts["metrics"] = {f"accuracy on {name}": share for name, share in extractor.accuracy.items()}
    return extractor.classifier, partial(classifier_signatures, features=extractor.features), facts


def publish_model(config: ExportConfig, model: str) -> PublishResult | FileResult:
    """Publishes a model, or writes it for another runtime."""
    from tfgantl.export.directory import keep_newest
    from tfgantl.export.formats import write_format
    from tfgantl.export.hub_upload import upload
    from tfgantl.export.publish import publish
    from tfgantl.training.run_directory import read_result
    from tfgantl.untrusted.pictures import png_in

    network, signatures, facts = open_model(config, model)
    result = read_result(Path(model))
    name = check_name(config.name or str(result.get("name") or _name_of(Path(model))))
    directory = Path(config.export_dir or Path("exported") / name)
    if config.format != "savedmodel":
        path, difference = write_format(network, directory, config.format)
        return FileResult(path=path, difference=difference)
    facts |= _measured(result)
    version = publish(
        network, directory, signatures, {"source": model, **facts}, config.force,
        before_after=png_in(Path(model) / "before_after.png"),
    )  # fmt: skip
    return PublishResult(
        version=version,
        deleted=keep_newest(directory, config.keep) if config.keep else [],
        uploaded=upload(version, Path(model), config.to) if config.to else None,
    )


def _name_of(model: Path) -> str:
    """The name of a file; of a run that has not ended, that of the folder of its runs, `runs/NAME/NUMBER`."""
    from tfgantl.progress import log

    if not (model / "config.yaml").is_file():
        return model.stem
    log(f"{model}: the run has not ended, and what it last wrote is published")
    return model.parent.name if model.name.isdecimal() else model.name


def _measured(result: dict) -> dict:
    """What the log of a run says of its result, as far as it is what this package writes: anybody can edit it."""
    from tfgantl.metrics.verdict import OUTCOMES
    from tfgantl.training.class_names import class_names_of

    facts: dict = {"class_names": class_names_of(result)}
    for key in ("metrics", "baseline"):
        if isinstance(result.get(key), dict):
            facts[key] = {name: value for name, value in result[key].items() if value is None or _is_number(value)}
    verdict = result.get("verdict")
    if isinstance(verdict, dict) and verdict.get("outcome") in OUTCOMES:
        facts["verdict"] = verdict["outcome"]
    return facts


def _is_number(value: object) -> bool:
    """Whether it is a number that a float can hold."""
    return isinstance(value, int | float) and abs(value) < sys.float_info.max


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(ExportConfig, "export", export, {}, arguments)


if __name__ == "__main__":
    sys.exit(main())
