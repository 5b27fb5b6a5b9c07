"""Settings of the benchmark of texts and images."""

from dataclasses import dataclass
from pathlib import Path

from tfgantl.errors import DataError, check_at_least


@dataclass(frozen=True)
class CrossmodalBenchmarkConfig:
    """Settings of the benchmark of texts and images.

    Args:
        digits: Archive of MNIST (`x`, `y`); the handwritten digits of scikit-learn if not given.
        avatars: Archive of Open Peeps with its parts named (`x`, `attribute_…`); left out if not given.
        seeds: Each trains encoders of its own.
        steps: Training steps of a pair of encoders of digits; 0 to leave retrieval out.
        avatar_steps: Of one of avatars, whose steps take four times as long.
        samples: Training pictures of each set, at most.
        draw_steps: Training steps of a text-conditional generator of rendered digits; 0 to leave it out.
        learn_steps: Of one of ten captioned handwritten digits a class, and of its baseline; 0 to leave it out.
        direct_steps: Of an adaptation by two phrases; 0 to leave it out.
        style_model: Network that phrases are painted with; `text/stylize` for the shipped one; left out if not given.
        tables: Write the tables of what is finished, and measure nothing.
        work_dir: Where results are kept.
        report: The page to write the tables to.
        json: Print the result as the last line, one JSON object.
    """

    digits: str | None = None
    avatars: str | None = None
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = 1000
    avatar_steps: int = 400
    samples: int = 8000
    draw_steps: int = 2000
    learn_steps: int = 120
    direct_steps: int = 120
    style_model: str | None = None
    tables: bool = False
    work_dir: str = "runs/benchmark-crossmodal"
    report: str = "docs/benchmarks.md"
    json: bool = False

    def __post_init__(self) -> None:
        check_at_least(self, 0, "steps", "draw_steps", "learn_steps", "direct_steps")
        check_at_least(self, 1, "avatar_steps")
        check_at_least(self, 10, "samples")

    def check_archives(self) -> None:
        """Refuses archives that are not there, before anything takes time."""
        for name in ("digits", "avatars"):
            path = getattr(self, name)
            if path is not None and not Path(path).is_file():
                raise DataError(f"`{name}` must be an .npz archive. Received: {path}, which is not there")
