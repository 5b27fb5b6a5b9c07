"""Means and covariances of features: the Fréchet distance between two of them, and the files that keep them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy import linalg

from tfgantl.errors import ArtifactError
from tfgantl.files import Replacing
from tfgantl.printing import printable
from tfgantl.untrusted.archives import read_npz

SYMMETRIC = 1e-6  # of the largest entry: what rounding leaves between a covariance and its transpose
MAX_FEATURES = 8192  # their eigenvalues take a minute, and grow with the cube; those of large networks are half of it
MAX_NAME = 1000  # bytes of that of an extractor
NEGATIVE = 1e-3  # of the largest eigenvalue: what rounding makes of those that are 0


@dataclass(frozen=True)
class FeatureGaussian:
    """The Gaussian with the mean and the covariance of a set of features.

    The covariance is kept as a factor, whose product with itself it is. The cross term of the Fréchet distance is then
    a sum of singular values, and no root is taken of eigenvalues that are 0 but for rounding: of 2,048 of them, these
    roots would add up.

    Args:
        mean: float64 (d,).
        factor: float64 (r, d), with the covariance `factor.T @ factor`.
        images: Number of images it was made from, or `None` if that is not known.
        extractor: What has given the features, or `None` if that is not known.
    """

    mean: np.ndarray
    factor: np.ndarray
    images: int | None = None
    extractor: str | None = None

    @classmethod
    def of(cls, features: np.ndarray, extractor: str | None = None) -> Self:
        """From features, float (n, d), n at least 2, of an extractor; the covariance is the unbiased one.

        Example:
            >>> FeatureGaussian.of(np.array([[0.0, 1.0], [2.0, 1.0]])).covariance.tolist()
            [[2.0, 0.0], [0.0, 0.0]]
        """
        features = np.asarray(features, np.float64)
        centred = (features - features.mean(0)) / np.sqrt(len(features) - 1)
        if len(centred) > centred.shape[1]:
            centred = linalg.qr(centred, mode="r", check_finite=False, overwrite_a=True)[0][: centred.shape[1]]
        return cls(features.mean(0), centred, len(features), extractor)

    @classmethod
    def of_moments(cls, mean: np.ndarray, covariance: np.ndarray, images: int | None = None) -> Self:
        """From a mean (d,) and a covariance (d, d).

        Raises:
            ArtifactError: If they are none: not finite, not symmetric, or with eigenvalues well below 0.
        """
        mean, covariance = np.asarray(mean, np.float64), np.asarray(covariance, np.float64)
        if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)) or not len(mean):
            raise ArtifactError(
                "statistics must have a mean (d,) and a covariance (d, d). Received: shapes "
                f"{mean.shape} and {covariance.shape}"
            )
        if len(mean) > MAX_FEATURES:
            raise ArtifactError(f"statistics must be of at most {MAX_FEATURES} features. Received: {len(mean)}")
        if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
            raise ArtifactError("statistics must be finite. Received: NaN or infinity")
        with np.errstate(over="ignore"):
            sizes = mean @ mean, np.sum(np.square(covariance))
        if not np.isfinite(sizes).all():
            raise ArtifactError("statistics must have finite squares. Received: numbers beyond 1e+150")
        if np.abs(covariance - covariance.T).max() > SYMMETRIC * np.abs(covariance).max():
            raise ArtifactError("statistics must have a symmetric covariance. Received: one that is not")
        values, vectors = linalg.eigh(covariance, check_finite=False)
        if values[0] < -NEGATIVE * max(values[-1], 0.0) or values[-1] < 0:
            raise ArtifactError(
                f"statistics must have a covariance without negative eigenvalues. Received: one with {values[0]:.3g}"
            )
        kept = values > len(values) * np.finfo(np.float64).eps * values[-1]
        return cls(mean, np.sqrt(values[kept])[:, None] * vectors[:, kept].T, images)

    @property
    def covariance(self) -> np.ndarray:
        """float64 (d, d)."""
        return self.factor.T @ self.factor

    def distance(self, other: "FeatureGaussian") -> float:
        """Fréchet distance: squared difference of means, and what the covariances differ by.

        Raises:
            ArtifactError: If the features have another number of dimensions.
        """
        if self.mean.shape != other.mean.shape:
            raise ArtifactError(
                f"statistics must have as many features as the extractor gives, {len(self.mean)}. "
                f"Received: {len(other.mean)}"
            )
        offset = self.mean - other.mean
        spread = np.sum(self.factor**2) + np.sum(other.factor**2)
        cross = linalg.svdvals(self.factor @ other.factor.T, check_finite=False).sum() if len(other.factor) else 0.0
        return float(offset @ offset + spread - 2.0 * cross)

    def check_of(self, extractor: str, where: str) -> None:
        """Refuses statistics of other features, to which there is no distance.

        Args:
            extractor: What gives the features that are compared with them.
            where: What holds the statistics.

        Raises:
            ArtifactError: If they are known to be of another extractor.
        """
        if self.extractor not in (None, extractor):
            raise ArtifactError(
                f"{where}: must hold statistics of features by {extractor}. Received: of those by "
                f"{printable(self.extractor)[:200]}"
            )

    def save(self, path: str | Path) -> None:
        """Writes `.npz` with `mu` and `sigma`, as `pytorch-fid --save-stats` does, and what they are of.

        `images` is their number, and `extractor` the name of what gave the features, as bytes of UTF-8.

        Raises:
            ArtifactError: If there is a file of something else.
        """
        self.check_place(path)
        arrays: dict[str, Any] = {"mu": self.mean, "sigma": self.covariance}
        if self.images is not None:
            arrays["images"] = np.int64(self.images)
        if self.extractor is not None:
            arrays["extractor"] = np.frombuffer(self.extractor.encode(), np.uint8)
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with Replacing(path) as temporary, open(temporary, "wb") as file:  # whatever its suffix
            np.savez_compressed(file, **arrays)

    @classmethod
    def check_place(cls, path: str | Path) -> None:
        """Raises `ArtifactError` if statistics would replace something that is none, such as the data set."""
        if not Path(path).exists():
            return
        try:
            cls.load(path)
        except ArtifactError as error:
            raise ArtifactError(
                f"statistics must be saved to a new file, or one of statistics. Received: {error}"
            ) from error

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads what `save` or pytorch-fid has written.

        Raises:
            ArtifactError: If the file is missing, damaged, or holds no mean and covariance.
        """
        arrays = read_npz(Path(path), np.float64)
        missing = [name for name in ("mu", "sigma") if name not in arrays]
        if missing:
            raise ArtifactError(
                f"{path}: must hold mu and sigma, as pytorch-fid writes them. Received: "
                f"{', '.join(map(printable, arrays)) or 'nothing'}"
            )
        images = arrays["images"] if arrays.get("images", np.zeros(1)).shape == () else None
        if images is not None and not 1 <= images <= 2**53:  # also for NaN
            raise ArtifactError(f"{path}: `images` must be a number from 1 on. Received: {images:g}")
        name = arrays.get("extractor")
        told = None if name is None else name.astype(np.uint8).tobytes()[:MAX_NAME].decode("utf-8", "replace")
        try:
            found = cls.of_moments(arrays["mu"], arrays["sigma"], None if images is None else int(images))
        except ArtifactError as error:
            raise ArtifactError(f"{path}: {error}") from error
        return replace(found, extractor=told)
