"""Damaged pictures and their answers: what `fill` and `restore` share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tfgantl.editing.inversion import Inversion, InversionSettings
from tfgantl.editing.observations import Observation
from tfgantl.editing.restoration import Restoration, Restorer
from tfgantl.errors import DivergedError
from tfgantl.files import fitted
from tfgantl.images import encode_png, to_uint8
from tfgantl.pipelines.edit.inversion import CODES, search_all
from tfgantl.pipelines.edit.inverted import number
from tfgantl.pipelines.edit.results import EditResult, finish, sheet_of

if TYPE_CHECKING:
    from tfgantl.pipelines.edit.model import EditedModel
    from tfgantl.pipelines.edit.pictures import Pictures
    from tfgantl.pipelines.edit.settings import RestorationConfig
    from tfgantl.pipelines.session import Session
    from tfgantl.training.run_directory import RunDirectory

ANSWERS = "answers"
AT_A_TIME = 8  # pictures between two saves


@dataclass(frozen=True)
class Damaged:
    """Damaged pictures.

    Args:
        pictures: Their names, and those that are refused.
        observed: float32 (n, height, width, channels) in [-1, 1].
        originals: float32 whole pictures, where the damage was done here, else `None`.
        labels: int (n,) classes that answers must be of, or `None` if they are to be found.
    """

    pictures: "Pictures"
    observed: np.ndarray
    originals: np.ndarray | None
    labels: np.ndarray | None


def restored(
    config: "RestorationConfig", model: "EditedModel", observation: Observation, damaged: Damaged, run: "RunDirectory"
) -> Restoration:
    """Searches the answers for all pictures; `codes.npz` has their codes, and an interrupted run goes on with it.

    Raises:
        DivergedError: If nothing finite is found for any picture.
        InterruptedRun: If a signal asks to stop; what was found is saved.
    """
    settings = InversionSettings(config.steps, config.restarts, config.rate, config.seed)
    restorer = Restorer(model.space, observation, settings, config.answers)
    names = [f"{name}-{k + 1}" for name in damaged.pictures.names for k in range(config.answers)]
    observed = damaged.observed

    def search(rows: slice, on_step: Callable[[int], None]) -> Inversion:
        return _flat(restorer(observed[rows], None if damaged.labels is None else damaged.labels[rows], on_step).found)

    flat = search_all(search, restorer.settings, len(observed), names, AT_A_TIME, model.space, run, "answers")
    if not np.isfinite(flat.losses).any():
        raise DivergedError(f"a picture must have a start with a finite loss. Received: none of {', '.join(names[:4])}")
    shape = len(observed), config.answers
    labels = None if flat.labels is None else flat.labels.reshape(shape)
    u, codes = (x.reshape(*shape, *model.space.shape) for x in (flat.u, flat.codes))
    found = Inversion(u, codes, labels, flat.losses.reshape(shape))
    return Restoration(restorer.images(found, observed), found, observation.unknown(model.space.image_shape[:2]))


def report_restoration(
    session: "Session",
    run: "RunDirectory",
    model: "EditedModel",
    damaged: Damaged,
    answers: Restoration,
    baselines: dict[str, np.ndarray],
    shown: np.ndarray,
    sentence: str,
) -> EditResult:
    """Writes all answers as PNG files, the sheet, the table and the report.

    Args:
        session: Of the verb.
        run: Run directory.
        model: The generator.
        damaged: What was restored.
        answers: What was found.
        baselines: Name → images (n, height, width, channels) of what needs no generator.
        shown: What was observed, in the size and channels of the images, uint8.
        sentence: What was done, for the report.
    """
    config: Any = session.config
    names, images = damaged.pictures.names, to_uint8(answers.images)
    for name, some in zip(names, images, strict=True):
        for k, image in enumerate(some):
            run.write(f"{ANSWERS}/{fitted(name, f'-{k + 1}.png')}", encode_png(image, generated=True))
    rows = rows_of_answers(model, damaged, answers, baselines)
    rows += [{"picture": name, "error": reason} for name, reason in damaged.pictures.refused.items()]
    columns = [shown, *(images[:, k] for k in range(config.answers))]
    titles = ["what was seen", f"{config.answers} answers, best first"]
    for name, baseline in baselines.items():
        columns.append(to_uint8(baseline))
        titles.append(name)
    if damaged.originals is not None:
        columns.append(to_uint8(damaged.originals))
        titles.append("the original")
    return finish(
        session, run, model, rows, sheet_of(columns), [sentence, f"Each row: {', '.join(titles)}."],
        files=(CODES, ANSWERS),
    )  # fmt: skip


def rows_of_answers(
    model: "EditedModel",
    damaged: Damaged,
    answers: Restoration,
    baselines: dict[str, np.ndarray],
) -> list[dict[str, Any]]:
    """What was measured of each picture: of the first answer, of all, and of the baselines where there is an original.

    `l1` is over pixels that are not known alone, of a range of 2; PSNR is over all.
    """
    columns: dict[str, Any] = {"loss": answers.found.losses[:, 0], "spread": answers.spread}
    own, originals = answers.found.labels, damaged.originals
    wanted = damaged.pictures.labels if damaged.pictures.labels is not None else None if own is None else own[:, 0]
    judge = None if wanted is None else model.classifier
    images = {"": answers.images[:, 0], **{f" of {name}": some for name, some in baselines.items()}}
    if originals is not None:
        for suffix, some in images.items():
            measured = model.reconstruction.measured(some, originals)
            columns[f"l1{suffix}"] = np.abs(some - originals)[:, answers.unknown].mean(axis=(1, 2))
            columns |= {f"{key}{suffix}": values for key, values in measured.items() if key != "l1"}
        each = np.abs(answers.images - originals[:, None])[:, :, answers.unknown].mean(axis=(2, 3))
        columns["l1 of the nearest answer"] = each.min(axis=1)
    if judge is not None:
        for suffix, some in images.items():
            columns[f"class agrees{suffix}"] = judge(to_uint8(some))[1] == wanted
    rows = []
    for i, name in enumerate(damaged.pictures.names):
        row: dict[str, Any] = {"picture": name}
        if own is not None:
            row["classes"] = ", ".join(model.class_name(int(label)) for label in own[i])
        if np.isfinite(answers.found.losses[i, 0]):
            row |= {key: number(values[i]) for key, values in columns.items()}
        else:
            row["error"] = "no start had a finite loss"
        rows.append(row)
    return rows


def _flat(found: Inversion) -> Inversion:
    """All answers of all pictures in one row, as files have codes."""
    labels = None if found.labels is None else found.labels.reshape(-1)
    u, codes = (x.reshape(-1, *x.shape[2:]) for x in (found.u, found.codes))
    return Inversion(u, codes, labels, found.losses.reshape(-1))
