"""The evaluation of an adaptation, on images that neither training nor selection saw."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tfgantl.metrics.evaluation import Evaluation
from tfgantl.metrics.verdict import Verdict, judge_transfer
from tfgantl.pipelines.adapt.preparation import PreparedAdaptation
from tfgantl.pipelines.adapt.text_direction import DirectionEffect, direction_effect
from tfgantl.pipelines.adapt.training import AdaptationTraining
from tfgantl.pipelines.measurement import EvaluationSet
from tfgantl.privacy.audit import Audit
from tfgantl.progress import log
from tfgantl.transfer import TextDirection

if TYPE_CHECKING:
    from tfgantl.pipelines.adapt import AdaptConfig


@dataclass(frozen=True)
class AdaptationEvaluation:
    """All measurements of an adaptation.

    Args:
        generators: `source`, `adapted`, and `baseline` if there is one → `Evaluation`.
        classifiers: What a classifier was trained on → its accuracy on test images; empty without labels.
        verdict: Whether transfer helped, or `None` without a baseline.
        train_images: uint8 images that training saw.
        privacy: What the adapted generator gives away of them.
        differential: Differential privacy of its training, if there was any.
        direction: What has become of the images of the source, after an adaptation by two phrases.
    """

    generators: dict[str, Evaluation]
    classifiers: dict[str, float]
    verdict: Verdict | None
    train_images: np.ndarray
    privacy: Audit
    differential: dict[str, float] | None
    direction: DirectionEffect | None = None

    @property
    def privacy_record(self) -> dict[str, Any]:
        """What JSON, logs and model cards keep of both."""
        return {**self.privacy.record(), "differential": self.differential}

    @property
    def adapted(self) -> Evaluation:
        """Of the adapted generator."""
        return self.generators["adapted"]

    @property
    def baseline(self) -> Evaluation | None:
        """Of the baseline, if there is one."""
        return self.generators.get("baseline")


def evaluate(
    config: "AdaptConfig",
    prepared: PreparedAdaptation,
    evaluation_set: EvaluationSet,
    training: AdaptationTraining,
) -> AdaptationEvaluation:
    """Measures the images of all generators, and what the adapted one gives away.

    Args:
        config: The `AdaptConfig`.
        prepared: What the adaptation started with.
        evaluation_set: What to measure on.
        training: The pairs, and their images for the latents and labels of the set.
    """
    images, labels = training.images, evaluation_set.labels
    evaluator = evaluation_set.evaluator(prepared.extractor, config.seed, config.classifier_steps)
    generators = {title: evaluator(generated, labels, title) for title, generated in images.items()}
    classifiers = evaluator.usefulness(generators["adapted"]) if labels is not None else {}
    verdict = None
    if "baseline" in generators:
        real_labels = None if labels is None else evaluation_set.test[1]
        adapted, baseline = generators["adapted"].features, generators["baseline"].features
        verdict = judge_transfer(evaluator.test_features, adapted, baseline, real_labels, labels, seed=config.seed)
    privacy = evaluation_set.audit(training.adapted.gan, images["adapted"], evaluator.extractor, config.seed)
    images_seen, steps = prepared.examples["train"].size, training.adapted.steps
    differential = config.privacy.record(images_seen, cast(int, config.batch_size), steps)
    direction = None
    if isinstance(prepared.transfer, TextDirection):
        known = evaluator.meaning.labels
        direction = direction_effect(
            images["source"], images["adapted"], prepared.transfer.target_text,
            None if labels is None or known is None else known[labels], lambda some: prepared.extractor(some)[1],
        )  # fmt: skip
        log(f"from `{prepared.transfer.source_text}` to `{prepared.transfer.target_text}`: {direction.line()}")
    train = evaluation_set.train[0]
    return AdaptationEvaluation(generators, classifiers, verdict, train, privacy, differential, direction)
