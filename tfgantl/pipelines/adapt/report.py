"""The report of an adaptation."""

from typing import TYPE_CHECKING

from tfgantl.configuration import to_yaml
from tfgantl.pipelines.adapt.evaluation import AdaptationEvaluation
from tfgantl.pipelines.adapt.preparation import PreparedAdaptation
from tfgantl.pipelines.adapt.training import AdaptationTraining
from tfgantl.report import (
    PRIVACY,
    Report,
    class_rows,
    copies_shown,
    curves,
    data_rows,
    memorisation_sheet,
    sheet,
)

if TYPE_CHECKING:
    from tfgantl.pipelines.adapt import AdaptConfig


def adaptation_report(
    config: "AdaptConfig", prepared: PreparedAdaptation, training: AdaptationTraining, evaluation: AdaptationEvaluation
) -> Report:
    """Puts together the report of an adaptation.

    Args:
        config: The `AdaptConfig`.
        prepared: What the adaptation started with.
        training: What came of it.
        evaluation: What was measured.
    """
    adapted = training.adapted
    captions = {
        "source": f"Before: the source{', one class a row' if adapted.gan.num_classes else ''}",
        "adapted": "After: adapted, the same latents and labels",
        "real": "Real training images",
        "baseline": "Baseline: from scratch, same budget, same latents and labels",
    }
    pictures = {captions[title]: sheet(training.sheets[title]) for title in captions if title in training.sheets}
    nearest = evaluation.train_images[evaluation.adapted.nearest_train]
    pictures["Memorisation: each generated image (left) beside the nearest training image (right)"] = (
        memorisation_sheet(evaluation.adapted.images, nearest)
    )
    pictures |= copies_shown(evaluation.privacy, evaluation.adapted.images, evaluation.train_images)
    histories = {title: result.history for title, result in training.trained.items()}
    pictures["Learning curves"] = curves(histories, {title: r.best_step for title, r in training.trained.items()})
    return Report(
        title=f"{prepared.name}: {config.source} adapted with {type(prepared.transfer).__name__}",
        summary=[
            str(evaluation.verdict or "No baseline was trained, so there is no verdict."),
            f"{adapted.steps} steps of {config.batch_size} in {adapted.seconds:.0f} s "
            f"({adapted.images_per_second:.0f} images/s); the state of step {adapted.best_step} was restored.",
            f"{evaluation.privacy}.",
            str(prepared.transferability),
            "The interval of the verdict covers the choice of images, not that of the training seed.",
        ],
        pictures=pictures,
        columns={title: {**entry.metrics, **entry.diversity} for title, entry in evaluation.generators.items()},
        protocol={**evaluation.adapted.protocol, **evaluation.adapted.diversity_protocol},
        tables={
            "What the text has changed, of the same latents": evaluation.direction.rows()
            if evaluation.direction
            else [],
            "Do generated images help a classifier? Accuracy on held-out images": [
                (f"trained on {what}", f"{value:.4f}") for what, value in evaluation.classifiers.items()
            ],
            PRIVACY: evaluation.privacy.rows(),
            "Schedule": [(title, line) for title, result in training.trained.items() for line in result.stages],
            "Classes": class_rows(prepared.examples["train"]),
            "Data": data_rows(prepared.examples),
            "Weights that were not simply copied from the source": prepared.weights,
        },
        config=to_yaml(config),
    )
