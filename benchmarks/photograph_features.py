"""Measures adaptations to pictures in colour once more, by features that know nothing of ImageNet."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.photograph_pairs import SIDE
from benchmarks.results import keep, kept

if TYPE_CHECKING:
    import numpy as np

    from tfgantl.data import Source

MANY = 10_000  # pictures: all of them
MEASURES = ("ckid", "coverage")


def measured_by_learnt(
    make: Callable[[], "Source"], run: Path, samples: int, only_kept: bool = False
) -> dict[str, dict]:
    """What is measured by features learnt from all pictures of the target that are not held out.

    Features of VGG16 favour what a discriminator on these features has judged. Of the training from scratch, there are
    the hundred pictures of its sheet.

    Args:
        make: Gives all pictures of the target.
        run: Directory of a finished adaptation; the result is kept beside it.
        samples: Number of generated images.
        only_kept: Measure nothing, and give what is kept, which may be nothing.

    Returns:
        `adapted`, and `scratch` if there is one → `MEASURES` → number.
    """
    from tfgantl.metrics.evaluation import Evaluator
    from tfgantl.metrics.extractor_choice import cached_extractor
    from tfgantl.pipelines.measurement import generate_with
    from tfgantl.pretrained import load_generator

    path = run.with_suffix(".learnt.json")
    result = kept(path)
    if result is not None or only_kept:
        return result or {}
    target = make()
    train, test = (target.load(split) for split in ("train", "test"))
    judge = Evaluator(cached_extractor(train), train.subset(MANY), test.subset(MANY), None)
    images = {"adapted": generate_with(load_generator(str(run)), None, samples, 0)}
    if (run / "fakes_baseline.png").is_file():
        images["scratch"] = pictures_of(run / "fakes_baseline.png")
    found = {title: judge(some, None, title) for title, some in images.items()}
    numbers = {title: {**one.metrics, **one.diversity} for title, one in found.items()}
    return keep(path, {title: {key: one[key] for key in MEASURES} for title, one in numbers.items()})


def with_learnt(result: dict, learnt: dict[str, dict]) -> dict:
    """A result with what was measured by learnt features beside the rest.

    Args:
        result: `adapted` and `scratch` → measurements, and others.
        learnt: What `measured_by_learnt` found; the coverage of a hundred pictures is left out, as it is that of few.
    """
    unknown = dict.fromkeys(MEASURES)
    known = {
        title: {f"learnt_{key}": one[key] for key in MEASURES}
        for title, one in ({"adapted": unknown, "scratch": unknown} | learnt).items()
    }
    known["scratch"]["learnt_coverage"] = None
    return {key: {**value, **known[key]} if key in known else value for key, value in result.items()}


def pictures_of(path: Path) -> "np.ndarray":
    """The hundred pictures of a sheet, uint8 (100, side, side, 3)."""
    import numpy as np

    sheet = halved(path)
    places = [slice(1 + i * (SIDE + 1), (i + 1) * (SIDE + 1)) for i in range(10)]
    return np.stack([sheet[row, column] for row in places for column in places])


def halved(path: Path) -> Any:
    """A sheet in the size of its pictures, which are twice as large in the file."""
    import numpy as np
    from PIL import Image

    with Image.open(path) as sheet:
        return np.asarray(sheet)[::2, ::2]
