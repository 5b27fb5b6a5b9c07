"""What an evaluation returns: the numbers of each, and of each two which is nearer to the target."""

from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfgantl.pipelines.results import Result, python_only

if TYPE_CHECKING:
    import keras

    from tfgantl.metrics.evaluation import Evaluation, Evaluator

WORDS = {
    "positive": "is nearer to the target than",
    "negative": "is farther from the target than",
    "neutral": "is about as near to the target as",
    "inconclusive": "cannot be told (too few test images) to be nearer or farther than",
}


@dataclass(frozen=True)
class Comparison:
    """A paired comparison of two on the same random halves of the test images.

    Args:
        first: Name of the one.
        second: Name of the other.
        outcome: `positive` if the first is nearer to the target, `negative` if it is farther, `neutral` or
            `inconclusive`, as for `judge_transfer`.
        difference: Kernel distance of the first minus that of the second.
        low: Lower end of the 95 % interval of the difference.
        high: Upper end of it.
        images: Number of images of either.
    """

    first: str
    second: str
    outcome: str
    difference: float
    low: float
    high: float
    images: int

    def __str__(self) -> str:
        return (
            f"{self.first} {WORDS[self.outcome]} {self.second}: kernel distance {self.difference:+.4f}, "
            f"95 % interval [{self.low:+.4f}, {self.high:+.4f}], {self.images} images of either"
        )

    @classmethod
    def of_all(cls, evaluations: "dict[str, Evaluation]", evaluator: "Evaluator", seed: int) -> "list[Comparison]":
        """Compares every two of the measured, by the features of as many images of either.

        Args:
            evaluations: Name → what was measured.
            evaluator: What it was measured with.
            seed: Chooses the halves.
        """
        from tfgantl.metrics.verdict import judge_transfer

        found = []
        for (first, one), (second, other) in combinations(evaluations.items(), 2):
            count = min(len(one.features), len(other.features))
            # With labels, halves are drawn by class, which only makes sense if both were asked for the same ones.
            labels = None if one.labels is None or other.labels is None else one.labels[:count]
            verdict = judge_transfer(
                evaluator.test_features, one.features[:count], other.features[:count],
                None if labels is None else evaluator.test_labels, labels, seed=seed,
            )  # fmt: skip
            found.append(cls(first, second, verdict.outcome, verdict.difference, verdict.low, verdict.high, count))
        return found


@dataclass(frozen=True, kw_only=True)
class EvaluateResult(Result):
    """Numbers of a generator, or of several.

    Args:
        model: Handle of the first.
        metrics: Name → value of the first, or `None` where labels would be needed.
        diversity: How its images spread around the training images, name → value.
        protocol: Name of a number → all its parameters, in words.
        compared: Name of each that was measured → all its numbers.
        privacy: What the first gives away of the training part: level, rule, copies, attacks.
        privacy_of_all: Name of each → the same.
        comparisons: Of every two, which is nearer to the target.
        path_lengths: Name of each generator → its perceptual path lengths, if they were asked for.
        truncation: Name of each generator with a w → ψ → metrics, if it was asked for.
        out_dir: Directory with the report, or `None`.
        generator: The first generator, which maps latents, or [latents, labels], to images in [-1, 1]; `None` for a
            folder of pictures.
    """

    model: str
    metrics: dict[str, float | None]
    diversity: dict[str, float | None]
    protocol: dict[str, str]
    privacy: dict[str, Any]
    privacy_of_all: dict[str, dict[str, Any]] = field(default_factory=dict)
    compared: dict[str, dict[str, float | None]] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)
    path_lengths: dict[str, dict[str, Any]] = field(default_factory=dict)
    truncation: dict[str, dict[float, dict[str, float | None]]] = field(default_factory=dict)
    out_dir: Path | None = None
    generator: "keras.Model | None" = python_only()

    def to_json(self) -> dict:
        return {**super().to_json(), "comparisons": [vars(one) for one in self.comparisons]}

    def text(self) -> str:
        """A table of the numbers, and which is nearer."""
        from tfgantl.pipelines.evaluate.latents import rows_of_paths

        columns = self.compared or {self.model: {**self.metrics, **self.diversity}}
        several = len(columns) > 1
        width = max(12, *map(len, columns)) + 1  # whole names: those of two runs may end alike
        lines = [" " * 18 + "".join(f"{name:>{width}}" for name in columns)] if several else []
        for name in self.protocol:
            values = [numbers.get(name) for numbers in columns.values()]
            shown = ["–" if value is None else f"{value:.4f}" for value in values]
            cells = "".join(f"{cell:>{width}}" for cell in shown) if several else f"{shown[0]:>10}"
            lines.append(f"{name:{17 if several else 15}} {cells}   {self.protocol[name]}")
        for name, found in (self.privacy_of_all or {self.model: self.privacy}).items():
            lines.append(f"{f'{name}: ' if several else ''}privacy risk {found['level']}: {found['reason']}")
        lines += [str(comparison) for comparison in self.comparisons]
        lines += [
            f"{name}: perceptual path length, {place}: {length} ({how})"
            for name, place, length, how in rows_of_paths(self.path_lengths)
        ]
        for name, curve in self.truncation.items():
            for psi, numbers in curve.items():
                known = ", ".join(f"{key} {value:.4f}" for key, value in numbers.items() if value is not None)
                lines.append(f"{name}: ψ = {psi:g}: {known}")
        if self.out_dir is not None:
            lines.append(f"report: {self.out_dir / 'report.html'}")
        return "\n".join(lines)
