import numpy as np
import pytest

from tfgantl.metrics.verdict import judge_accuracy
from tfgantl.recognition import transferability
from tfgantl.recognition.density import discriminator_ratio, effective_size, kliep, kmm
from tfgantl.recognition.transferability import (
    ClassifierTransferability,
    a_distance,
    class_ratios,
    h_score,
    leep,
    log_me,
    mmd,
)


def clouds(separation, count=200, classes=3, seed=0):
    """Features of classes that lie `separation` apart, and labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    return rng.normal(size=(count, 5)) + separation * np.eye(5)[labels], labels


@pytest.mark.parametrize("measure", [log_me, h_score])
def test_features_that_tell_classes_apart_rank_above_those_that_do_not(measure):
    values = [measure(*clouds(separation)) for separation in (0.0, 2.0, 6.0)]
    assert values == sorted(values) and values[2] - values[0] > 0.1


def test_h_score_without_shrinkage_is_the_known_formula():
    # Many images of few features hardly shrink, so the regularised score is near tr(cov(f)⁻¹ cov(E[f|y])).
    features, labels = clouds(2.0, 30_000)
    means = np.stack([features[labels == c].mean(0) for c in range(3)])[labels]
    expected = np.trace(np.linalg.inv(np.cov(features.T)) @ np.cov(means.T))
    assert h_score(features, labels) == pytest.approx(expected, rel=0.02)


def test_log_me_is_the_best_evidence_of_a_linear_model():
    features, labels = clouds(1.0, 60, 2)
    n, d = features.shape

    def evidence(alpha, beta, y):
        a = alpha * np.eye(d) + beta * features.T @ features
        mean = beta * np.linalg.solve(a, features.T @ y)
        return 0.5 * (
            d * np.log(alpha) + n * np.log(beta) - beta * np.square(y - features @ mean).sum()
            - alpha * mean @ mean - np.linalg.slogdet(a)[1] - n * np.log(2 * np.pi)
        )  # fmt: skip

    grid = np.exp(np.linspace(-4, 6, 60))
    best = [max(evidence(a, b, (labels == c).astype(float)) for a in grid for b in grid) / n for c in (0, 1)]
    assert log_me(features, labels) == pytest.approx(np.mean(best), abs=2e-3)


def test_leep_is_zero_for_perfect_predictions_and_survives_classes_that_are_never_predicted():
    labels = np.arange(30) % 3
    assert leep(np.eye(5)[labels], labels) == pytest.approx(0.0, abs=1e-6)
    assert leep(np.full((30, 5), 0.2), labels) == pytest.approx(-np.log(3), abs=1e-6)


def test_distances_of_domains_grow_with_the_shift():
    here = clouds(1.0)[0]
    for distance in (a_distance, mmd):
        values = [distance(here, clouds(1.0, seed=1)[0] + shift) for shift in (0.0, 1.0, 4.0)]
        assert values == sorted(values)
    assert abs(mmd(here, clouds(1.0, seed=1)[0])) < 0.02  # no bias
    assert a_distance(here, here + 10.0) == 2.0


def test_class_ratios_find_how_classes_shift():
    labels = np.arange(3000) % 3
    # Right four times out of five, in both domains.
    confused = 0.7 * np.eye(3) + 0.1
    rng = np.random.default_rng(0)
    source = np.eye(3)[[rng.choice(3, p=confused[y]) for y in labels]]
    shifted = np.repeat([0, 1, 2], [6000, 3000, 1000])
    target = np.eye(3)[[rng.choice(3, p=confused[y]) for y in shifted]]
    np.testing.assert_allclose(class_ratios(source, labels, target), [1.8, 0.9, 0.3], atol=0.15)


@pytest.mark.parametrize(
    ("a", "leep_value", "shift", "text"),
    [
        (1.9, -2.0, 1.0, "transfer may be negative"),
        (1.9, -0.1, 1.0, ""),
        (1.0, None, 5.0, "class frequencies"),
        (1.0, None, 1.0, ""),
    ],
)
def test_warnings_name_what_speaks_against_transfer(a, leep_value, shift, text):
    warning = ClassifierTransferability(leep_value, None, None, a, 0.1, shift).warning
    assert (text in warning) if text else not warning


@pytest.mark.parametrize(
    "weigh",
    [
        lambda source, target: discriminator_ratio(source, target, 20.0, 0),
        lambda source, target: kliep(source, target, 50, 0),
        lambda source, target: kmm(source, target, 100.0, 0),
    ],
    ids=["discriminator", "kliep", "kmm"],
)
def test_weights_turn_the_mean_of_the_source_into_that_of_the_target(weigh):
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(400, 2)), rng.normal(loc=(0.8, 0.0), size=(300, 2))
    weights = weigh(source, target)
    assert weights.mean() == pytest.approx(1.0) and (weights >= 0).all()
    moved = (weights[:, None] * source).mean(0)
    assert abs(moved[0] - 0.8) < 0.35 and abs(moved[1]) < 0.25
    assert effective_size(weights) < 400


def test_effective_size_counts_what_weighs():
    assert effective_size(np.ones(10)) == pytest.approx(10.0)
    assert effective_size(np.eye(10)[0]) == pytest.approx(1.0)


def test_verdict_on_accuracies_is_paired():
    rng = np.random.default_rng(0)
    base = rng.random((3, 400)) < 0.7
    better = base | (rng.random((3, 400)) < 0.3)
    assert judge_accuracy(better, base).outcome == "positive"
    assert judge_accuracy(base, better).outcome == "negative"
    same = judge_accuracy(base, base)
    assert same.outcome == "neutral" and same.low == same.high == 0.0
    # Errors shared by both do not widen the interval: one image of 400 is all that differs.
    base[:, 0] = False
    one = base.copy()
    one[:, 0] = ~one[:, 0]
    gap = judge_accuracy(one, base)
    assert abs(gap.difference) == pytest.approx(1 / 400) and gap.high - gap.low < 0.01


def test_images_of_all_classes_are_compared(monkeypatch):
    """The first thousand of a folder are those of its first classes."""
    monkeypatch.setattr(transferability, "MAX_IMAGES", 10)
    assert transferability.spread(np.arange(95)).tolist() == [0, 10, 20, 31, 41, 52, 62, 73, 83, 94]
    assert transferability.spread(np.arange(7)).tolist() == list(range(7))
