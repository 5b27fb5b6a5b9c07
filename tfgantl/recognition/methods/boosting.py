"""Boosting: source images that contradict the target lose weight, round by round."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tfgantl.recognition.method import Recognizer

if TYPE_CHECKING:
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    from tfgantl.recognition.fitted import Fitted
    from tfgantl.recognition.trainer import Trainer

MAX_SOURCE_IMAGES = 2000  # source images that are boosted
UNSEEN = -100.0  # logit of a class that is in no label


@dataclass(frozen=True)
class TrAdaBoost(Recognizer):
    """Boosts a linear classifier of source features over source and labelled target images together.

    The vote of the second half of the rounds is distilled into one head, so that the result is one network.
    Errors above 1 - 1/K, which a vote cannot use, end the rounds (as in SAMME; Hastie et al., 2009).

    Args:
        rounds: Number of rounds.

    Reference:
        Dai et al., 2007, https://doi.org/10.1145/1273496.1273521
    """

    rounds: int = 20

    family: ClassVar[str] = "instance"
    uses: ClassVar[tuple[str, ...]] = ("labelled",)
    needs: ClassVar[tuple[str, ...]] = ("source", "labelled")
    from_source: ClassVar[bool] = True

    def fit(self, trainer: "Trainer", title: str | None = None) -> "Fitted":
        import numpy as np

        from tfgantl.models.copies import assign_weights
        from tfgantl.recognition.density import effective_size
        from tfgantl.recognition.fitted import Fitted
        from tfgantl.recognition.selection import unit_features
        from tfgantl.recognition.task import with_labels

        task, model = trainer.task, trainer.copy_of_source_model()
        trainer.recalibrate_batch_norm(model, ("unlabelled", "labelled"))
        images, labels = with_labels(task.labelled, 10**9)
        source_images, source_labels = with_labels(task.source, MAX_SOURCE_IMAGES)
        source, target = (unit_features(model, x) for x in (source_images, images))
        votes, weights = boosted(source, source_labels, target, labels, task.num_classes, self.rounds, task.seed)

        # The vote of linear classifiers, each by its logarithm of 1/β, is a linear classifier of their probabilities;
        # what is nearest to it among heads is the mean of theirs.
        total = sum(vote for vote, _ in votes)
        heads = [(vote, *head_of(fitted, task.num_classes)) for vote, fitted in votes]
        kernel = np.sum([vote * own for vote, own, _ in heads], axis=0) / total
        bias = np.sum([vote * own for vote, _, own in heads], axis=0) / total
        assign_weights(model.head, [kernel.astype(np.float32), bias.astype(np.float32)])
        size = effective_size(weights)
        return Fitted(
            model,
            notes={"effective sample size": f"{size:.0f} of {len(weights)} source images", "rounds": str(len(votes))},
        )


def head_of(fitted: "LogisticRegression", num_classes: int) -> "tuple[np.ndarray, np.ndarray]":
    """Kernel (d, classes) and bias (classes,) of what scikit-learn has fitted, which knows the classes of its labels.

    Of two classes it has one row, the odds of the second; a class that no label names is never predicted.
    """
    import numpy as np

    weights, biases = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:
        weights, biases = np.concatenate([-weights, weights]) / 2, np.concatenate([-biases, biases]) / 2
    kernel, bias = np.zeros((weights.shape[1], num_classes)), np.full(num_classes, UNSEEN)
    kernel[:, fitted.classes_], bias[fitted.classes_] = weights.T, biases
    return kernel, bias


def boosted(
    source: "np.ndarray",
    source_labels: "np.ndarray",
    target: "np.ndarray",
    target_labels: "np.ndarray",
    num_classes: int,
    rounds: int,
    seed: int,
) -> "tuple[list[tuple[float, LogisticRegression]], np.ndarray]":
    """The rounds of TrAdaBoost.

    Args:
        source: Features (n, d).
        source_labels: int (n,).
        target: Features (m, d).
        target_labels: int (m,).
        num_classes: Number of classes.
        rounds: Number of rounds.
        seed: Of the classifiers.

    Returns:
        (vote, fitted classifier) of the second half of the rounds, and the last weights (n,) of source images.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    x, y = np.concatenate([source, target]), np.concatenate([source_labels, target_labels])
    n = len(source)
    weights = np.concatenate([np.full(n, 0.5 / n), np.full(len(target), 0.5 / len(target))])
    shrink = 1.0 / (1.0 + np.sqrt(2.0 * np.log(n) / rounds))
    ensemble: list[tuple[float, LogisticRegression]] = []
    for _ in range(rounds):
        weights /= weights.sum()
        fitted = LogisticRegression(C=10.0, max_iter=100, random_state=seed)
        fitted.fit(x, y, sample_weight=weights * len(x))
        wrong = fitted.predict(x) != y
        error = weights[n:][wrong[n:]].sum() / weights[n:].sum()
        if error >= 1.0 - 1.0 / num_classes and ensemble:
            break
        error = np.clip(error, 1e-3, 0.499)
        beta = error / (1.0 - error)
        ensemble.append((-np.log(beta), fitted))
        weights[:n][wrong[:n]] *= shrink
        weights[n:][wrong[n:]] /= beta
    return ensemble[len(ensemble) // 2 :], weights[:n]
