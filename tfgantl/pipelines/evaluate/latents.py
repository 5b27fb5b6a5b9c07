"""What is measured along the latents of generators: path lengths, and distances against truncation."""

from functools import cache
from typing import TYPE_CHECKING, Any

from tfgantl.editing.latent_space import LatentSpace
from tfgantl.editing.perceptual_path import path_distance, perceptual_path_length
from tfgantl.editing.truncation import truncated_images
from tfgantl.errors import ConfigError
from tfgantl.metrics.evaluation import Evaluator, labels_like
from tfgantl.models.structure import structure_of
from tfgantl.pipelines.evaluate.subjects import Subject
from tfgantl.progress import bar, log

if TYPE_CHECKING:
    from tfgantl.pipelines.evaluate import EvaluateConfig

NEAR, MEASURED = "ckid", ("ckid", "cfid", "fid", "kid", "precision", "recall", "coverage")


def path_lengths(config: "EvaluateConfig", subjects: list[Subject]) -> dict[str, dict[str, Any]]:
    """Perceptual path lengths of every generator, in each space that it has, anywhere and at the ends of paths.

    Args:
        config: The settings.
        subjects: What is measured; folders have no latents.

    Returns:
        Name → `distance`, `pairs`, and `z full`, `z end`, `w full`, `w end` → value and interval; empty without
        `path_pairs`.
    """
    if not config.path_pairs:
        return {}
    found, distance_of = {}, cache(path_distance)  # which looks for weights, and builds a network
    for subject in subjects:
        spaces = _spaces(subject)
        if not spaces or subject.generator is None:
            log(f"{subject.name}: no path lengths, since its latents are not known")
            continue
        distance, measure = distance_of(spaces[0].image_shape)
        found[subject.name] = {"distance": measure, "pairs": config.path_pairs}
        for space in spaces:
            for at in ("full", "end"):
                title = f"path length: {subject.name}, {space.name} {at}"
                length = perceptual_path_length(space, distance, config.path_pairs, at, seed=config.seed, title=title)
                found[subject.name][f"{space.name} {at}"] = vars(length)
    return found


def truncation_curves(
    config: "EvaluateConfig", subjects: list[Subject], evaluator: Evaluator
) -> dict[str, dict[float, dict[str, float | None]]]:
    """Metrics of images that are drawn towards the average w.

    Args:
        config: The settings.
        subjects: What is measured; what has no w is left out.
        evaluator: What it is measured with.

    Returns:
        Name → ψ → metric → value; empty without `truncation`.
    """
    found: dict[str, dict[float, dict[str, float | None]]] = {}
    for subject in subjects if config.truncation else ():
        space = next((space for space in _spaces(subject) if space.name == "w"), None)
        if space is None:
            log(f"{subject.name}: no truncation, since it has no w")
            continue
        labels = labels_like(evaluator.test_labels, config.samples, config.seed) if subject.conditional else None
        found[subject.name] = {}
        with bar(len(config.truncation), f"truncation: {subject.name}", "psi") as progress:
            for psi in sorted(config.truncation):
                images = truncated_images(space, psi, config.samples, labels, config.seed)
                found[subject.name][psi] = evaluator.some(images, labels, MEASURED)
                progress.update()
    return found


def _spaces(subject: Subject) -> list[LatentSpace]:
    """The spaces of a generator that path lengths are defined in: noise, and w where there is one."""
    if subject.generator is None:
        return []
    try:
        names = ("z",) if structure_of(subject.generator).styles is None else ("z", "w")
        return [LatentSpace(subject.generator, name) for name in names]
    except ConfigError:  # a module whose structure is not known
        return []


def rows_of_paths(found: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
    """Rows of a table: whose, where, the length with its interval, and how it was measured."""
    return [
        (name, place, f"{one['value']:.4g} [{one['low']:.4g}, {one['high']:.4g}]",
         f"{numbers['distance']}, {numbers['pairs']} pairs, ε = 1e-4")
        for name, numbers in found.items() for place, one in numbers.items() if isinstance(one, dict)
    ]  # fmt: skip


def best_truncation(curve: dict[float, dict[str, float | None]]) -> float:
    """The ψ whose images are nearest to the target."""
    distances = {psi: numbers[NEAR] for psi, numbers in curve.items()}
    known = {psi: distance for psi, distance in distances.items() if distance is not None}
    return min(known, key=lambda psi: known[psi])
