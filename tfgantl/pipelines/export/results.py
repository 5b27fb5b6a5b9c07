"""What an export returns, by what was asked for."""

from dataclasses import dataclass
from pathlib import Path

from tfgantl.pipelines.results import Result
from tfgantl.printing import printable


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
            f"{row['version']:>6}  {row['state']:20}  {printable(row['created'] or 'unknown date'):25}  "
            + (f"{printable(row['verdict'])} transfer" if row["verdict"] else "no verdict")
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
            f"{printable(signature)}: largest difference from the Keras model {difference:.2g}"
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
