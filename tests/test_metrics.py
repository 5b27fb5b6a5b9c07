import dataclasses
import json
import zipfile

import numpy as np
import pytest
from conftest import tiny_images

from tfgantl.data import Arrays, Examples
from tfgantl.errors import ArtifactError, DataError
from tfgantl.files import cache_directory
from tfgantl.metrics import distances, extractor_choice, remembered
from tfgantl.metrics.classification import SmallClassifier, accuracy
from tfgantl.metrics.distances import (
    frechet_distance,
    gaussian_discrepancy,
    kernel_distance,
    neighbourhoods,
    subset_kernel_distances,
)
from tfgantl.metrics.diversity import intra_cluster_distance
from tfgantl.metrics.evaluation import Evaluator, labels_like
from tfgantl.metrics.extractor_choice import choose_extractor
from tfgantl.metrics.extractors import Extractor
from tfgantl.metrics.generator_metrics import METRICS, TITLES
from tfgantl.metrics.memorisation import neighbour_ratio
from tfgantl.metrics.remembered import remembering
from tfgantl.metrics.sample import Sample
from tfgantl.metrics.verdict import judge_transfer
from tfgantl.pipelines.extractor import same_classes


def gauss(n, shift=0.0, scale=1.0, d=4, seed=0):
    return np.random.default_rng(seed).normal(shift, scale, (n, d))


def test_kernel_distance_is_the_textbook_sum():
    x, y = gauss(5), gauss(7, 1.0, seed=1)

    def k(a, b):
        return (a @ b / 4 + 1) ** 3

    within_x = np.mean([k(x[i], x[j]) for i in range(5) for j in range(5) if i != j])
    within_y = np.mean([k(y[i], y[j]) for i in range(7) for j in range(7) if i != j])
    across = np.mean([k(a, b) for a in x for b in y])
    np.testing.assert_allclose(kernel_distance(x, y), within_x + within_y - 2 * across)


def test_the_gaussian_discrepancy_is_the_textbook_sum():
    x, y = gauss(5), gauss(7, 1.0, seed=1)
    units = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, y)]

    def mean(a, b, own=False):
        values = [np.exp(-np.sum((p - q) ** 2) / 200) for i, p in enumerate(a) for j, q in enumerate(b)
                  if not own or i != j]  # fmt: skip
        return np.mean(values)

    expected = 1000 * (mean(units[0], units[0], True) + mean(units[1], units[1], True) - 2 * mean(*units))
    np.testing.assert_allclose(gaussian_discrepancy(x, y), expected)
    np.testing.assert_allclose(gaussian_discrepancy(3 * x, y / 2), expected)  # lengths do not count


def test_kernel_distance_is_unbiased():
    draws = [kernel_distance(gauss(20, seed=i), gauss(30, seed=1000 + i)) for i in range(400)]
    assert abs(np.mean(draws)) < 3 * np.std(draws) / 20 and np.std(draws) > 0


def test_labels_take_the_bias_of_balanced_sets_away():
    """Sets with exactly so many images a class look too spread to the plain estimate."""

    def balanced(n, seed):
        labels = np.arange(n) % 5
        return gauss(n, 0, 0.1, seed=seed) + 2 * np.eye(5)[labels][:, :4], labels

    plain, weighted = [], []
    for i in range(200):
        (real, real_labels), (fake, fake_labels) = balanced(20, i), balanced(100, 500 + i)
        plain.append(kernel_distance(real, fake))
        weighted.append(kernel_distance(real, fake, real_labels, fake_labels))
    assert np.mean(plain) < -10 * abs(np.mean(weighted))
    assert abs(np.mean(weighted)) < 4 * np.std(weighted) / np.sqrt(200)


def test_labels_make_the_share_of_classes_among_the_fakes_irrelevant():
    real, labels = gauss(40) + np.repeat([0, 3], 20)[:, None], np.repeat([0, 1], 20)
    fake, fake_labels = gauss(4000, seed=1) + np.repeat([0, 3], [3500, 500])[:, None], np.repeat([0, 1], [3500, 500])
    assert kernel_distance(real, fake) > 5 * abs(kernel_distance(real, fake, labels, fake_labels))


def test_a_class_with_one_image_is_no_reason_to_fail():
    real, fake = gauss(9), gauss(12, seed=1)
    labels = np.array([0] * 8 + [1])
    assert kernel_distance(real, fake, labels, np.zeros(12, int)) == kernel_distance(real, fake)
    assert np.isfinite(subset_kernel_distances(real, [fake], 3, 0, labels, np.arange(12) % 2)).all()


def test_labels_to_generate_for_are_mixed_and_have_the_shares_of_the_test_set():
    labels = labels_like(np.repeat([0, 1, 2], [50, 30, 20]), 400, seed=0)
    assert np.bincount(labels).tolist() == [200, 120, 80]
    assert np.abs(np.bincount(labels[:100]) - [50, 30, 20]).max() == 0  # any hundred in turn
    assert len(set(labels[:10])) > 1 and labels_like(None, 9, 0) is None


def test_frechet_distance_of_known_sets():
    x = gauss(50)
    assert abs(frechet_distance(x, x)) < 1e-6
    np.testing.assert_allclose(frechet_distance(x, x + 2.0), 4 * 4.0, rtol=1e-6)  # means only
    covariance = np.cov(x, rowvar=False)
    np.testing.assert_allclose(frechet_distance(x, 3 * x - 2 * x.mean(0)), 4 * np.trace(covariance), rtol=1e-6)


def test_frechet_distance_of_fewer_points_than_dimensions_is_finite():
    assert np.isfinite(frechet_distance(gauss(5, d=20), gauss(6, 1, d=20)))


def test_neighbourhoods_of_equal_far_and_collapsed_sets():
    real = gauss(200)
    same = neighbourhoods(real, gauss(200, seed=1))
    assert min(same.values()) > 0.8
    assert set(neighbourhoods(real, real + 100).values()) == {0.0}
    collapsed = neighbourhoods(real, real[:1] + 1e-3 * gauss(200, seed=2))
    assert collapsed["precision"] > 0.9 and collapsed["recall"] < 0.1 and collapsed["coverage"] < 0.1


def test_density_and_precision_by_hand():
    real = np.array([[0.0], [1.0], [2.0]])
    fake = np.array([[0.5], [5.0], [1.5]])
    found = neighbourhoods(real, fake, k=1)  # balls of radius 1 around 0, 1 and 2
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["density"] == pytest.approx(4 / 3)
    assert found["coverage"] == 1.0


def test_neighbour_ratio_tells_copies_from_new_images():
    train, test = gauss(50), gauss(50, seed=1)
    assert neighbour_ratio(gauss(50, seed=2), train, test) == pytest.approx(1.0, abs=0.3)
    assert neighbour_ratio(train + 1e-4, train, test) < 0.01


def test_intra_cluster_distance_by_hand():
    shots = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    fake = np.array([[0.0, 1.0], [0.0, -1.0], [0.0, 0.0], [10.0, 4.0], [10.0, -4.0], [0.0, 11.0]])
    found = intra_cluster_distance(fake, shots)
    assert found.distance == pytest.approx(((2 + 1 + 1) / 3 + 8) / 2)  # the single image of a shot has no pair
    assert (found.filled, found.shots, found.largest) == (3, 4, 0.5)


def test_copies_of_one_shot_are_one_cluster_and_not_praised():
    shots = gauss(10)
    copies = intra_cluster_distance(np.repeat(shots[:1], 200, axis=0), shots)
    assert copies == type(copies)(0.0, 1, 10, 1.0)
    varied = intra_cluster_distance(shots[0] + 0.1 * gauss(200, seed=1), shots)
    assert varied.distance > 0 and varied.filled < 5 and varied.largest > 0.5
    alone = intra_cluster_distance(shots + 0.01, shots)
    assert alone.distance is None and alone.filled == 10


def test_large_clusters_are_drawn_from_by_the_seed():
    shots, fake = gauss(2), gauss(400, seed=1)
    first, again, other = (intra_cluster_distance(fake, shots, 20, seed) for seed in (0, 0, 1))
    assert first == again and first.distance != other.distance
    assert first.distance == pytest.approx(intra_cluster_distance(fake, shots, 400).distance, rel=0.2)


@pytest.mark.parametrize("count", [200, 800, 1600])
def test_subsets_spread_as_the_sets_do(monkeypatch, count):
    """Small draws of many images spread more, so that intervals grew with the number of images."""
    monkeypatch.setattr(distances, "MAX_KERNEL", 400)
    rng = np.random.default_rng(0)

    def drawn(seed):
        sets = rng.normal(size=(count, 6)), rng.normal(0.4, 1.0, size=(count, 6))
        return subset_kernel_distances(sets[0], [sets[1]], 40, seed)[0]

    values = np.array([drawn(seed) for seed in range(40)])
    assert values.std(1).mean() == pytest.approx(values.mean(1).std(), rel=0.35)


def test_subsets_are_paired_and_repeatable():
    real, fake = gauss(60), gauss(80, 0.1, seed=1)
    values = subset_kernel_distances(real, [fake, fake], 7, seed=3)
    assert values.shape == (2, 7)
    np.testing.assert_array_equal(values[0], values[1])
    np.testing.assert_array_equal(values, subset_kernel_distances(real, [fake, fake], 7, seed=3))
    assert len(np.unique(values[0])) == 7


@pytest.mark.parametrize(
    ("adapted", "baseline", "outcome"), [(0.1, 1.0, "positive"), (1.0, 0.1, "negative"), (0.5, 0.5, "neutral")]
)
def test_verdicts(adapted, baseline, outcome):
    count = 1500 if outcome == "neutral" else 100  # to know that there is no difference takes more
    fakes = gauss(2 * count, adapted, seed=1), gauss(2 * count, baseline, seed=2)
    verdict = judge_transfer(gauss(count), *fakes, resamples=50)
    assert verdict.outcome == outcome and outcome in str(verdict)
    assert verdict.low <= verdict.difference <= verdict.high and verdict.needed is None


def test_a_verdict_of_too_few_images_says_how_many_would_tell():
    """An interval that holds both no difference and one that would matter is not neutral."""
    adapted, baseline = gauss(200, 0.35, seed=1), gauss(200, 0.45, seed=2)
    few, many = (judge_transfer(gauss(n), adapted, baseline, resamples=50) for n in (24, 1200))
    assert few.outcome == "inconclusive" and many.outcome == "positive"
    assert 24 < few.needed < 4000 and f"(too few test images: 24; about {few.needed} would tell)" in str(few)
    assert judge_transfer(gauss(19), gauss(200, 0.1), gauss(200, 2.0), resamples=20).outcome == "inconclusive"


def test_no_number_of_images_tells_apart_what_is_no_distance():
    same = gauss(100)
    assert judge_transfer(gauss(100, seed=5), same, same, resamples=50).needed is None


def test_extractor_round_trip_and_its_hash(tiny_extractor, tmp_path):
    tiny_extractor.scale = 2.5
    tiny_extractor.save(tmp_path / "mine")
    again = Extractor.load(str(tmp_path / "mine"))
    assert again.hash == tiny_extractor.hash and again.name == "mine" and again.predicts_labels
    for ours, theirs in zip(again(tiny_images()), tiny_extractor(tiny_images()), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    metadata = tmp_path / "mine" / "metadata.json"
    metadata.write_text(metadata.read_text().replace(again.hash, "0" * 12))
    with pytest.raises(ArtifactError, match=f"must have the hash 000000000000. Received: {again.hash}"):
        Extractor.load(str(tmp_path / "mine"))
    (tmp_path / "mine" / "classifier.keras").write_bytes(b"")
    with pytest.raises(ArtifactError, match="classifier.keras: must be an intact .keras file"):
        Extractor.load(str(tmp_path / "mine"))


def test_extractor_refuses_other_sizes_and_names(tiny_extractor):
    with pytest.raises(ArtifactError, match=r"takes images of \(8, 8, 1\). Received: \(12, 12, 1\)"):
        tiny_extractor(tiny_images(2, 12))
    with pytest.raises(ArtifactError, match="must be auto, inception, vgg16, digits, a directory .* Received: nope"):
        Extractor.load("nope")


def test_the_shipped_extractor_knows_handwriting():
    from tfgantl.data import HandwrittenDigits

    extractor = choose_extractor("auto", "digits", HandwrittenDigits().load("train"))
    images, labels = HandwrittenDigits().load("test").take()
    features, predicted = extractor(images)
    assert (predicted == labels).mean() > 0.97
    assert features.shape == (len(images), 96) and 0.3 < np.sqrt(np.mean(features**2)) < 3


@pytest.mark.parametrize("labelled", [True, False])
def test_without_a_suitable_extractor_one_is_trained(examples, labelled, monkeypatch):
    monkeypatch.setattr(extractor_choice, "STEPS", 3)
    part = (
        examples
        if labelled
        else dataclasses.replace(examples, num_classes=None, read=lambda i: (examples.read(i)[0], None))
    )
    made = choose_extractor("auto", "digits", part)  # `digits` is for 28 pixels
    assert made.predicts_labels == labelled and made.input_shape == (8, 8, 1)
    assert made(tiny_images())[0].shape == (24, 32)


def separable(count=60):
    """Images whose class shows as the row that is bright."""
    labels = np.arange(count) % 3
    images = tiny_images(count, seed=2) // 4
    images[np.arange(count), labels * 2] = 255
    return images, labels


def test_classifier_learns_and_repeats():
    images, labels = separable()
    used, fresh = (SmallClassifier(8, 1, 3, steps=40) for _ in range(2))
    used.train(images[:7], labels[:7], seed=5, batch_size=4)  # leaves nothing behind
    models = [one.train(images, labels, seed=1, batch_size=16) for one in (used, fresh)]
    assert accuracy(models[0], images, labels) > 0.95
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


def test_names_of_metrics_are_those_of_files_that_exist():
    """Reports, manifests and benchmarks of earlier versions have them."""
    names = "ckid ckid_sd cfid precision recall density coverage gan_train gan_test nn_ratio".split()
    names += ["intra_cluster", "clusters", "largest_cluster"]
    assert [name for name in TITLES if name in names] == names  # in this order, whatever has been added
    assert len(set(TITLES.values())) == len(METRICS)


def test_an_evaluation_has_every_metric_with_its_protocol(tiny_extractor):
    images, labels = separable()
    evaluator = Evaluator(tiny_extractor, (images[:20], labels[:20]), (images[20:], labels[20:]), 3, classifier_steps=3)
    evaluation = evaluator(images, labels)
    suited = [m for m in METRICS if m.suits(tiny_extractor)]
    names, diversity = ([m.name for m in suited if m.diversity == kind] for kind in (False, True))
    assert "fid" not in names and "cfid" in names
    assert list(evaluation.metrics) == names and list(evaluation.protocol) == names
    assert all(np.isfinite(value) for value in evaluation.metrics.values())
    assert tiny_extractor.hash in evaluation.protocol["ckid"] and "40 test images" in evaluation.protocol["cfid"]
    assert list(evaluation.diversity) == list(evaluation.diversity_protocol) == diversity
    assert (
        0 < evaluation.diversity["clusters"] <= 1
        and tiny_extractor.hash in evaluation.diversity_protocol["intra_cluster"]
    )
    without = evaluator(images, None).metrics
    assert without["gan_train"] is None and without["gan_test"] is None and without["ckid"] is not None
    useful = evaluator.usefulness(evaluation)
    assert list(useful) == ["real", "real + generated", "real augmented", "real + generated augmented"]


def test_an_extractor_is_trained_once_for_the_same_images(monkeypatch):
    trained, train = [], extractor_choice.train_extractor

    def short(images, labels, num_classes, seed, steps):
        trained.append(seed)
        return train(images, labels, num_classes, seed, steps=2)

    monkeypatch.setattr(extractor_choice, "train_extractor", short)
    part, other = (Examples.from_arrays(tiny_images(24, side)[..., :1], None) for side in (8, 12))
    first = choose_extractor("auto", None, part)
    following = np.random.rand()
    again = choose_extractor("auto", None, part)
    assert trained == [0] and again.id == first.id and first.id.startswith("run@")
    assert np.random.rand() == following  # what is drawn next does not depend on it
    np.testing.assert_array_equal(first(tiny_images(6))[0], again(tiny_images(6))[0])
    assert again.predicts_labels == first.predicts_labels is False
    choose_extractor("auto", None, part, seed=1), choose_extractor("auto", None, other)
    assert trained == [0, 1, 0]
    for path in (cache_directory() / "extractors").glob("*/classifier.keras"):
        path.write_bytes(b"damaged")
    assert choose_extractor("auto", None, part).id == first.id and trained == [0, 1, 0, 0]
    assert choose_extractor("auto", None, part).id == first.id and trained == [0, 1, 0, 0]


# --- Classes by name ---

WORDS = ("nought", "one", "two")


@pytest.mark.parametrize(
    ("known", "classes", "expected", "remark"),
    [
        (WORDS, WORDS, [0, 1, 2], ""),
        (WORDS, ("One", "nought", "two"), [1, 0, 2], ""),
        (WORDS, ("two", "one"), [2, 1], ""),  # some of them
        (WORDS, ("0", "1", "2"), None, "left out: its classes are nought, one, two, and not 0, 1, 2"),
        (None, WORDS, [0, 1, 2], "compared by number"),
        (WORDS, None, [0, 1, 2], "compared by number"),
        (None, ("a", "b"), None, "left out: it knows 3 classes, and there are 2"),
    ],
)
def test_gan_test_compares_classes_by_name(tiny_extractor, known, classes, expected, remark):
    images, _ = separable(24)
    predicted = tiny_extractor(images)[1]
    tiny_extractor.classes = known
    labels = np.arange(24) % len(classes or WORDS)
    evaluator = Evaluator(
        tiny_extractor, (images, labels), (images, labels), len(classes or WORDS), classifier_steps=1, classes=classes
    )
    metric = next(metric for metric in METRICS if metric.name == "gan_test")
    sample = Sample(evaluator, images, labels, "x")
    share = None if expected is None else np.mean(predicted == np.array(expected)[labels])
    assert metric.value(sample) == share and remark in metric.protocol(sample)
    assert bool(remark) == ("number" in metric.protocol(sample) or "left out" in metric.protocol(sample))


def test_an_extractor_trained_on_several_domains_matches_classes_by_name(tmp_path, capsys):
    images, labels = separable(90)
    turned = (labels + 1) % 3  # the class called "two" has label 0 there
    np.savez(tmp_path / "one.npz", x=images, y=labels, names=np.array(WORDS))
    np.savez(tmp_path / "other.npz", x=images, y=turned, names=np.array(["TWO", "nought", "one"]))
    np.savez(tmp_path / "bare.npz", x=images, y=labels)
    one, other, bare = (Arrays(str(tmp_path / f"{n}.npz"), image_size=8, channels=1) for n in ("one", "other", "bare"))
    parts = same_classes([one, other], [source.load("train") for source in (one, other)], {})
    first, second = (part.take() for part in parts)
    label_of = {image.tobytes(): label for image, label in zip(*first, strict=True)}
    both = [(label_of[x.tobytes()], y) for x, y in zip(*second, strict=True) if x.tobytes() in label_of]
    assert both and all(a == b for a, b in both) and parts[1].classes == WORDS
    assert not capsys.readouterr().err
    same_classes([one, bare], [source.load("train") for source in (one, bare)], {})
    assert "bare: classes are matched by number" in capsys.readouterr().err
    np.savez(tmp_path / "zero.npz", x=images, y=labels, names=np.array(["zero", "one", "two"]))
    zero = Arrays(str(tmp_path / "zero.npz"), image_size=8, channels=1)
    with pytest.raises(
        DataError, match="zero must have the same classes, by name; `renamed_classes` .*: zero, one, two"
    ):
        same_classes([one, zero], [source.load("train") for source in (one, zero)], {})
    assert (
        same_classes([one, zero], [source.load("test") for source in (one, zero)], {"zero": "nought"})[1].classes
        == WORDS
    )


# --- What verdicts rest on ---


def test_an_extractor_keeps_its_classes_and_what_belongs_to_its_weights(tiny_extractor, tmp_path):
    tiny_extractor.classes = WORDS
    tiny_extractor.save(tmp_path / "mine")
    again, file = Extractor.load(str(tmp_path / "mine")), tmp_path / "mine" / "metadata.json"
    assert again.classes == WORDS and again.id == f"mine@{tiny_extractor.hash}"
    saved = json.loads(file.read_text())
    for change in ({"scale": 2.0}, {"classes": ["a", "b", "c"]}, {"judges": False}, {"accuracy": {"x": 1.0}}):
        file.write_text(json.dumps({**saved, **change}))
        with pytest.raises(ArtifactError, match="metadata.json must be as it was saved, with the digest"):
            Extractor.load(str(tmp_path / "mine"))
    old = {key: value for key, value in saved.items() if key not in ("digest", "classes")}  # of an earlier version
    file.write_text(json.dumps(old))
    assert Extractor.load(str(tmp_path / "mine")).classes is None


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_scale_that_no_feature_can_be_divided_by_is_refused(tiny_extractor, tmp_path, scale):
    tiny_extractor.scale = scale
    tiny_extractor.save(tmp_path / "mine")
    with pytest.raises(ArtifactError, match="`scale` must be a finite number above 0. Received: "):
        Extractor.load(str(tmp_path / "mine"))


def test_an_extractor_whose_weights_are_not_finite_is_refused(tiny_extractor, tmp_path):
    tiny_extractor.classifier.trainable_weights[0].assign(tiny_extractor.classifier.trainable_weights[0] * np.nan)
    tiny_extractor.save(tmp_path / "mine")
    with pytest.raises(ArtifactError, match="mine.classifier.keras: weights must be finite"):
        Extractor.load(str(tmp_path / "mine"))


def test_nothing_follows_from_features_that_are_not_finite():
    features = np.random.default_rng(0).normal(size=(3, 40, 4))
    for place, name in enumerate(("real", "adapted", "baseline")):
        broken = features.copy()
        broken[place, 5, 1] = np.nan
        with pytest.raises(ArtifactError, match=f"features to compare must be finite. Received: .* `{name}`"):
            judge_transfer(*broken, resamples=3)
    with pytest.raises(ArtifactError, match="distances between features must be finite"):
        judge_transfer(*features * 1e120, resamples=3)


def test_pictures_are_looked_at_once(tiny_extractor, monkeypatch):
    """And each keeps its own features, whatever it is asked about with."""
    looked, plain, look = [], tiny_extractor(tiny_images(30))[0], Extractor.__call__
    monkeypatch.setattr(Extractor, "__call__", lambda self, images: (looked.append(len(images)), look(self, images))[1])
    again = remembering(remembering(tiny_extractor))
    images = tiny_images(30)
    first, second = again(images[:20])[0], again(images[10:])
    np.testing.assert_allclose(np.concatenate([first[:10], second[0]]), plain, atol=1e-6)
    assert looked == [20, 10] and second[1].dtype.kind == "i"
    assert again.id == tiny_extractor.id and len(again(images[:0])[0]) == 0
    twice = again(np.concatenate([images[:1], images[:1]]))[0]
    np.testing.assert_array_equal(twice[0], twice[1])


def test_a_full_memory_forgets_what_is_not_asked_for(tiny_extractor, monkeypatch):
    monkeypatch.setattr(remembered, "MOST", 5)
    again, images = remembering(tiny_extractor), tiny_images(12)
    for part in (images[:4], images[2:8], images[:12]):
        np.testing.assert_allclose(again(part)[0], tiny_extractor(part)[0], atol=1e-6)


def test_an_extractor_of_equal_weights_and_other_layers_is_another(tiny_extractor, tmp_path):
    tiny_extractor.save(tmp_path / "mine")
    path = tmp_path / "mine" / "classifier.keras"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = members["config.json"].replace(b'"negative_slope": 0.0', b'"negative_slope": 0.9')
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ArtifactError, match=f"must have the hash {tiny_extractor.hash}. Received: "):
        Extractor.load(str(tmp_path / "mine"))
