import dataclasses
import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from tfgantl.data import Examples
from tfgantl.errors import ConfigError, DataError, DivergedError
from tfgantl.images import to_unit
from tfgantl.method_tables import paper, summary
from tfgantl.models.backbones import convolutional_features, dense_features, linear_head
from tfgantl.recognition import DANN, METHODS, SHOT, AdaBN, DeepCORAL, GANImages, Recognizer, SourceOnly
from tfgantl.recognition.comparison import Trial, TrialResult
from tfgantl.recognition.domain_classifier import DomainClassifier
from tfgantl.recognition.domains import Domains, shots
from tfgantl.recognition.methods.boosting import head_of
from tfgantl.recognition.methods.coupled import split_features
from tfgantl.recognition.registry import by_label, row_label
from tfgantl.recognition.results import load_result, save_result
from tfgantl.recognition.selection import information, soft_neighbourhood_density
from tfgantl.recognition.task import Task
from tfgantl.recognition.trainer import Trainer, streams
from tfgantl.training.run_directory import RunDirectory

# What would take long is made short; everything else is as users have it.
SHORT = {
    "GANImages": {"gan_steps": 2, "images": 30, "labeller": AdaBN()},
    "DiscriminatorProbe": {"gan_steps": 2},
    "TrAdaBoost": {"rounds": 3},
    "Reptile": {"tasks": 2, "ways": 2, "shots": 2, "inner_steps": 1},
    "FOMAML": {"tasks": 2, "ways": 2, "shots": 2, "inner_steps": 1},
    "KLIEP": {"centres": 5},
    "VGG16Head": {"side": 32, "units": 8, "weights": "random"},
}


def bars(count, seed, dark=0, light=255, classes=3):
    """Images with one bar, whose place is the class; the target has other colours."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    images = np.full((count, 8, 8, 1), dark, np.int64)
    for image, label in zip(images, labels, strict=True):
        image[:, 1 + 2 * label : 3 + 2 * label] = light
    return np.clip(images + rng.integers(-20, 20, images.shape), 0, 255).astype(np.uint8), labels


def small_features(image_size, channels):
    return convolutional_features(image_size, channels, width=4, units=8)


def trainer(**changes):
    source, validation, target = bars(48, 0), bars(24, 1), bars(36, 2, dark=60, light=190)
    settings = {
        "source": Examples.from_arrays(*source, 3),
        "source_validation": Examples.from_arrays(*validation, 3),
        "unlabelled": Examples.from_arrays(target[0], None),
        "labelled": Examples.from_arrays(target[0][:9], target[1][:9], 3),
        "features": small_features,
        "steps": 4,
        "batch_size": 12,
        "validate_every": 2,
        "weak": "translation",
        "strong": "translation,cutout",
    }
    return Trainer(Task(**settings | changes))


@pytest.fixture(scope="module")
def known():
    """One trainer for all methods, which share the classifier of the source."""
    return trainer()


def made(name):
    return METHODS[name](**SHORT.get(name, {}))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_a_classifier_that_keras_can_save(name, known, tmp_path):
    method = made(name)
    if name == "GANImages":
        method = dataclasses.replace(method, source=str(small_gan(tmp_path)))
    fitted = known.fit(method)
    for record in fitted.history:
        assert all(np.isfinite(value) for value in record.values()), record
    assert fitted.best_step in (0, *(record["step"] for record in fitted.history))
    images = to_unit(bars(6, 3)[0])
    expected = fitted.model.classifier.predict(images, verbose=0)
    assert expected.shape == (6, 3) and np.isfinite(expected).all()
    fitted.model.classifier.save(tmp_path / "classifier.keras")
    again = keras.models.load_model(tmp_path / "classifier.keras")
    np.testing.assert_array_equal(again.predict(images, verbose=0), expected)
    if fitted.generated is not None:
        made_images, labels = fitted.generated
        assert made_images.dtype == np.uint8 and made_images.shape[1:] == (8, 8, 1)
        assert len(labels) == len(made_images) and set(np.unique(labels)) <= {0, 1, 2}


def small_gan(tmp_path):
    """A tiny conditional pair that is on disk, as a run directory leaves one."""
    from tfgantl.models import DCGAN

    networks = DCGAN(latent_dim=4, filters=(8, 8, 4), strides=(1, 2, 2)).build(8, 1, 3)
    for network in networks:
        network.save(tmp_path / f"{network.name}.keras")
    return tmp_path


@pytest.mark.parametrize("name", ["SHOT", "MCD"])
def test_equal_seeds_give_equal_classifiers_and_others_do_not(name):
    outputs = [trainer(seed=seed).fit(made(name)).model.classifier for seed in (1, 1, 2)]
    first, again, other = (c.predict(to_unit(bars(6, 3)[0]), verbose=0) for c in outputs)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4


def test_adaptation_helps_where_only_the_colours_differ():
    dark = bars(60, 2, dark=40, light=100)
    hard = trainer(steps=80, labelled=None, weak="translation", unlabelled=Examples.from_arrays(dark[0], None))
    images, labels = bars(60, 9, dark=40, light=100)

    def accuracy(model):
        return (model.classifier.predict(to_unit(images), verbose=0).argmax(1) == labels).mean()

    assert accuracy(hard.source_model()) < 0.8
    assert accuracy(hard.fit(SHOT()).model) > 0.9


@pytest.mark.parametrize("name", [name for name, m in METHODS.items() if m.needs != ("source",) or name == "GANImages"])
def test_what_a_method_needs_is_asked_for(name):
    with pytest.raises(ConfigError, match=r"there must be .* Received: no.* \(cross-domain setting\)"):
        trainer(labelled=None, unlabelled=None).fit(made(name))


@pytest.mark.parametrize(
    ("labeller", "labelled", "count"), [(None, True, 9), (AdaBN(), True, 9 + 25), (AdaBN(), False, 25)]
)
def test_a_gan_learns_from_given_labels_and_from_confident_ones(known, labeller, labelled, count):
    given = known if labelled else known.replace(labelled=None)
    method = GANImages(labeller=labeller, confident_share=0.7)
    images, labels = method.labelled(given, None, None).take()
    assert abs(len(images) - count) <= 1  # 0.7 of each predicted class of 36 images
    if labelled:
        np.testing.assert_array_equal(images[:9], known.task.labelled.take()[0])
        np.testing.assert_array_equal(labels[:9], known.task.labelled.take()[1])


@pytest.mark.parametrize("labels, classes", [([0, 1], 2), ([1, 3], 4), ([0, 1, 2], 3), ([0, 2, 3], 5)])
def test_a_head_gives_the_odds_of_the_classifier_that_it_was_made_of(labels, classes):
    """Of two classes scikit-learn has one row of weights, and of a class without labels none."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(90, 4)), np.resize(labels, 90)
    x[:, 0] += y
    fitted = LogisticRegression().fit(x, y)
    kernel, bias = head_of(fitted, classes)
    logits = x @ kernel + bias
    odds = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose((odds / odds.sum(1, keepdims=True))[:, labels], fitted.predict_proba(x), atol=1e-6)


def test_labels_of_the_unlabelled_stream_never_reach_a_batch():
    known = Examples.from_arrays(*bars(12, 0), 3)
    batch = next(iter(streams({"source": known, "unlabelled": known}, 4, 0)))
    assert len(batch["source"]) == 2 and len(batch["unlabelled"]) == 1


def test_keras_users_compile_fit_and_evaluate(tmp_path):
    model = DomainClassifier(small_features(8, 1), linear_head(8, 3))
    model.compile(keras.optimizers.Adam(1e-2), method=DeepCORAL(), steps=30)
    data = streams({"source": Examples.from_arrays(*bars(48, 0), 3), "unlabelled": trainer().task.unlabelled}, 12, 0)
    history = model.fit(data, steps_per_epoch=15, epochs=2, verbose=0, shuffle=False).history
    assert set(history) == {"loss", "task", "distance"}
    assert history["task"][1] < history["task"][0]
    images, labels = bars(30, 5)
    batched = tf.data.Dataset.from_tensor_slices((to_unit(images), labels)).batch(10)
    loss, accuracy = model.evaluate(batched, verbose=0)
    logits = model.predict(to_unit(images), verbose=0)
    assert accuracy == pytest.approx((logits.argmax(1) == labels).mean())
    expected = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    assert loss == pytest.approx(float(expected), abs=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(to_unit(images), verbose=0), logits)


def test_the_history_holds_the_loss_that_is_minimised():
    # Nothing is learnt at rate 0, so the loss is that of the first weights, which can be computed apart.
    still = trainer(learning_rate=1e-12, weak="", unlabelled=None, labelled=None, selection="last")
    fitted = still.fit(SourceOnly())
    fresh = still.new_model()
    losses = []
    for batch in streams({"source": still.task.source}, 12, still.task.seed).take(2):
        logits = fresh.classifier(batch["source"][0], training=True)
        losses.append(keras.losses.SparseCategoricalCrossentropy(from_logits=True)(batch["source"][1], logits))
    # Dropout differs, so this is close and not equal.
    assert fitted.history[0]["task"] == pytest.approx(float(np.mean(losses)), rel=0.25)


def test_divergence_is_told():
    class Broken(Recognizer):
        def losses(self, model, batch):
            return {"task": model.supervised(batch) * float("nan")}

    with pytest.raises(DivergedError, match="Broken: losses must be finite. Received: loss, task before step 2"):
        trainer().fit(Broken())


@pytest.mark.parametrize(
    ("selection", "looks_at"),
    [("source_val", "source_validation"), ("oracle", "target_validation"), ("im", "unlabelled")],
)
def test_selection_prefers_a_good_classifier_and_looks_only_where_it_may(selection, looks_at):
    images, labels = bars(30, 1)
    looked = Examples.from_arrays(images, *((None,) if looks_at == "unlabelled" else (labels, 3)))
    others = {"source_validation": None, "target_validation": None, "unlabelled": None} | {looks_at: looked}
    chosen = trainer(selection=selection, steps=80, weak="", **others)
    good = chosen.replace(selection="last").fit(SourceOnly()).model
    assert chosen.score(good) > chosen.score(chosen.new_model())


def test_dense_groups_of_predictions_score_above_scattered_ones():
    rng = np.random.default_rng(0)
    scattered = rng.dirichlet(np.ones(3), 60)
    grouped = np.repeat(np.eye(3), 20, axis=0) * 0.97 + 0.01
    assert soft_neighbourhood_density(grouped) > soft_neighbourhood_density(scattered)
    assert information(grouped) > information(scattered) > information(np.full((60, 3), 1 / 3))


def test_rows_of_a_table_are_called_by_what_differs_from_the_default():
    methods = [SHOT(), SHOT(consistency=1.0), GANImages(labeller=AdaBN()), GANImages(labeller=None), made("MCD")]
    assert list(by_label(methods)) == [
        "SHOT", "SHOT:consistency=1.0", "GANImages:labeller=AdaBN", "GANImages:labeller=none", "MCD",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="`method` must name each method once. Received: SHOT twice"):
        by_label([SHOT(), SHOT()])
    with pytest.raises(ConfigError, match="`method` must name at least one of .*SHOT, .* Received: none"):
        by_label([])


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_what_tables_need(name):
    method = METHODS[name]
    assert method.family and summary(method).endswith(".")
    assert method.family == "baseline" or re.search(r"\d{4}, ", paper(method)), paper(method)
    assert row_label(method()) == name


def parts(images, labels, classes=3):
    part = Examples.from_arrays(images, labels, classes if labels is not None else None)
    return dict.fromkeys(("train", "validation", "test"), part)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (parts(bars(9, 0)[0], None), parts(*bars(9, 0)), "the source must have labels. Received: none"),
        (parts(*bars(9, 0)), parts(*bars(8, 0, classes=2), 2), "the same classes. Received: 3 and 2"),
        (parts(*bars(9, 0)), parts(bars(9, 0)[0], np.zeros(9, int)), "more than one class. Received: class 0 only"),
        (parts(*bars(9, 0)), parts(*bars(8, 0, classes=2)), r"images of every class. Received: none of \[2\]"),
        (parts(*bars(9, 0)), parts(bars(9, 0)[0] // 32, None), "same range of pixels. Received: up to 255 and 7"),
        (parts(*bars(9, 0)), parts(bars(9, 0)[0][:, :4, :4], None), "images of one shape. Received: .8, 8, 1. and .4"),
    ],
)
def test_domains_that_do_not_fit_are_refused_in_one_line(source, target, message):
    with pytest.raises(DataError, match=message) as caught:
        Domains(source, target).check()
    assert "\n" not in str(caught.value)


def test_shots_are_of_every_class_and_follow_the_seed():
    images, labels = bars(30, 0)
    first, again, other = (shots(images, labels, 2, seed) for seed in (0, 0, 1))
    assert np.bincount(first[1]).tolist() == [2, 2, 2]
    np.testing.assert_array_equal(first[0], again[0])
    assert (first[0] != other[0]).any()
    with pytest.raises(ConfigError, match="`labels` must be at most 10, the images of class 0. Received: 11"):
        shots(images, labels, 11, 0)


def test_the_pipeline_compares_reports_publishes_and_goes_on(tmp_path, monkeypatch, capsys):
    from tfgantl.pipelines.recognize import main

    monkeypatch.chdir(tmp_path)
    for name, (images, labels) in {"a": bars(90, 0), "b": bars(90, 1, dark=60, light=190)}.items():
        np.savez(tmp_path / f"{name}.npz", x=images, y=labels)
    command = [
        "--source=Arrays", "--source.path=a.npz", "--target=Arrays", "--target.path=b.npz", "--image_size=8",
        "--method=SHOT", "--method", "FineTuneClassifier", "--labels=[0,2]", "--seeds=2", "--steps=4", "--batch_size=8",
        "--augment=translation", "--backbone=dense", "--json",
    ]  # fmt: skip
    assert main(command) == 0
    out = capsys.readouterr()
    result = json.loads(out.out.splitlines()[-1])
    assert set(result["methods"]) == {"SHOT", "SHOT, 2 labels a class", "FineTuneClassifier, 2 labels a class"}
    assert set(result["baselines"]) == {"source-only", "oracle", "target-only, 2 labels a class"}
    for entry in (*result["methods"].values(), *result["baselines"].values()):
        assert 0 <= entry["accuracy"] <= 1 and entry["sd"] >= 0 and entry["seconds"] >= 0
    assert result["best"] in result["methods"] and result["verdict"] in ("positive", "neutral", "negative")
    assert result["setting"] == "transductive and inductive" and "selection by im" in out.err
    run = tmp_path / result["run_dir"]
    page = (run / "report.html").read_text()
    assert "Confusion" in page and "Embeddings" in page and page.count("data:image/png") == 4

    # Interrupted before its last two trainings, it goes on to the same result.
    (run / "report.html").unlink()
    for path in sorted((run / "jobs").glob("*.npz"), key=lambda path: int(path.stem))[-2:]:
        path.unlink()
    assert main(["--resume", str(run), "--json"]) == 0
    again = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {k: v["accuracy"] for k, v in again["methods"].items()} == {
        k: v["accuracy"] for k, v in result["methods"].items()
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--method=SHOT", "--method=FineTuneClassifier", "--labels=[0]"],
            r"`labels` must be above 0 for FineTuneClassifier. Received: \[0\]",
        ),
        (["--labels=[3,0,3]"], r"`labels` must be different numbers. Received: \[3, 0, 3\]"),
        (["--method=SHOT", "--method=MCD", "--selection=last"], "`selection` last must have one method"),
    ],
)
def test_what_could_not_be_compared_is_told_before_anything_is_trained(options, message, capsys):
    from tfgantl.pipelines.recognize import main

    with pytest.raises(SystemExit):
        main(options)
    assert re.search(message, capsys.readouterr().err)


def test_both_sides_of_coupled_gans_begin_alike():
    given = trainer()
    model = given.new_model()
    networks = made("CoGAN").networks(model, given)
    pairs = [
        (networks["source_generator"], networks["target_generator"]),
        (networks["first"], split_features(model.features)[0]),
    ]
    for one, other in pairs:
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_target_without_labels_gets_a_classifier_and_no_verdict(tmp_path, monkeypatch, capsys):
    from tfgantl.pipelines.recognize import main

    monkeypatch.chdir(tmp_path)
    images, labels = bars(60, 0)
    np.savez(tmp_path / "labelled.npz", x=images, y=labels)
    np.savez(tmp_path / "bare.npz", x=bars(60, 1, dark=60, light=190)[0])
    command = [
        "--source=Arrays", "--source.path=labelled.npz", "--target=Arrays", "--target.path=bare.npz", "--image_size=8",
        "--method=AdaBN", "--seeds=1", "--steps=2", "--batch_size=8", "--augment=translation", "--backbone=dense",
    ]  # fmt: skip
    assert main([*command, "--labels=[1]"]) == 2
    assert "`labels` must be 0 for a target without labels. Received: 1" in capsys.readouterr().err
    assert main([*command, "--labels=[0]", "--selection=oracle"]) == 2
    assert "`selection` must not be oracle for a target without labels" in capsys.readouterr().err
    assert main([*command, "--labels=[0]", "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["verdict"] is None and result["methods"]["AdaBN"]["accuracy"] is None
    assert (tmp_path / result["export_dir"] / "saved_model.pb").is_file()
    assert main([*command, "--labels=[0]", "--rank", "--json"]) == 0
    ranks = json.loads(capsys.readouterr().out.splitlines()[-1])["ranks"]["0: labelled"]
    assert ranks["leep"] is None and 0 <= ranks["a_distance"] <= 2 and ranks["label_shift"] >= 0


def test_dense_backbone_moves_between_domains():
    fitted = trainer(features=lambda size, channels: dense_features(size, channels, 8)).fit(made("FineTuneClassifier"))
    assert fitted.model.features.get_layer("block1_dense").trainable is False


def test_a_finished_trial_is_that_of_its_recipe(tiny_extractor, tmp_path, capsys):
    trial = Trial("SHOT", SHOT(), 0, 1)
    result = TrialResult(trial, np.arange(3), 0.5, 1.0, tiny_extractor.classifier)
    with RunDirectory(tmp_path / "run") as run:
        save_result(run, 0, result)
        assert load_result(run, 0, trial).score == 0.5
        for other in (
            Trial("DANN", DANN(), 0, 1), Trial("SHOT", SHOT(), 0, 2), Trial("SHOT", SHOT(), 1, 1),
            Trial("SHOT", SHOT(consistency=0.5), 0, 1),
        ):  # fmt: skip
            assert load_result(run, 0, other) is None
            assert "holds another trial, SHOT, and is trained anew" in capsys.readouterr().err
