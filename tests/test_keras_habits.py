"""What users of Keras expect of a model: arrays, validation, callbacks, saving in the middle of a training."""

import io
import re
import warnings
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_DCGAN, TINY_MLP, tiny_images
from keras import layers

from tfgantl.adaptive import AdaptiveAugment
from tfgantl.augment import DiffAugment
from tfgantl.errors import ArtifactError, ConfigError, DataError
from tfgantl.gan import GAN
from tfgantl.images import to_unit
from tfgantl.models import DCGAN
from tfgantl.pretrained import load_source
from tfgantl.regularizers import AdaptivePseudoAugment, LeCam
from tfgantl.training.optimization import Optimization
from tfgantl.transfer import CDC, LoRA

UNIT, LABELS = to_unit(tiny_images()), np.arange(24) % 3
# The first batch, which is looked at before, is as it should be.
LATER_OTHERWISE = tf.data.Dataset.from_tensor_slices((np.concatenate([UNIT, UNIT * 9]), np.tile(LABELS, 2))).batch(24)
LATER_INTEGERS = LATER_OTHERWISE.map(lambda x, y: (tf.cast(x * 50 + 100, tf.int32), y))
LATER_LABELS = tf.data.Dataset.from_tensor_slices((np.tile(UNIT, (2, 1, 1, 1)), np.append(LABELS, LABELS - 1))).batch(
    24
)
QUIET = {"verbose": 0, "shuffle": False, "batch_size": 8}


def state(gan):
    """All numbers of a training. Names are those of the networks: Keras numbers the rest anew."""
    variables = [*gan.variables, *gan.optimizer.variables, *gan.d_optimizer.variables]
    return [(re.sub(r"_[0-9]+(?=[_/])", "", v.path), v.numpy()) for v in variables]


def assert_same(one, other, atol=0.0):
    for (name, value), (other_name, other_value) in zip(one, other, strict=True):
        assert name == other_name
        np.testing.assert_allclose(value, other_value, rtol=0, atol=atol, err_msg=name)


def own_pair(num_classes=None):
    """A functional pair of a user's own, with labels."""
    z, c = keras.Input((4,)), keras.Input((), dtype="int32")
    x = layers.Dense(64, activation="tanh")(layers.Multiply()([z, layers.Embedding(3, 4)(c)]))
    i, k = keras.Input((8, 8, 1)), keras.Input((), dtype="int32")
    y = layers.Dense(1)(layers.Concatenate()([layers.Flatten()(i), layers.Embedding(3, 4)(k)]))
    generator = keras.Model([z, c], layers.Reshape((8, 8, 1))(x))
    if num_classes:
        generator.num_classes = num_classes
    return generator, keras.Model([i, k], y)


@pytest.mark.parametrize("num_classes", [None, 3])
def test_every_form_of_the_same_images_trains_the_same(make_gan, compiled, num_classes):
    pixels, runs = tiny_images(), []
    parts = (pixels, LABELS) if num_classes else (pixels,)
    for form in ("float", "uint8", "dataset", "columns"):
        gan = compiled(make_gan(TINY_MLP, num_classes))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if form == "float":
                gan.fit(UNIT, LABELS if num_classes else None, **QUIET)
            elif form == "uint8":
                gan.fit(*parts, **QUIET)
            elif form == "columns":  # labels as Keras' own data sets have them
                gan.fit(parts[0], *(labels[:, None] for labels in parts[1:]), **QUIET)
            else:
                data = tf.data.Dataset.from_tensor_slices(parts if num_classes else pixels).batch(8)
                gan.fit(data, verbose=0)
        messages = [str(w.message) for w in caught if "[-1, 1]" in str(w.message)]
        assert messages == ([] if form == "float" else ["images of uint8 are mapped from [0, 255] to [-1, 1]"])
        runs.append(state(gan))
    assert_same(runs[1], runs[2])
    assert_same(runs[1], runs[3])
    assert_same(runs[0], runs[1], atol=1e-4)  # NumPy and TensorFlow round pixels differently


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (
            lambda g: g.fit(127.5 * (UNIT + 1), LABELS),
            r"must be in \[-1, 1\], or be uint8. Received: \[0, 255\]",
        ),
        (lambda g: g.fit(UNIT * np.nan, LABELS), r"images must be in \[-1, 1\], .* Received: \[nan, nan\]"),
        (lambda g: g.fit(UNIT), "3 classes must have images and labels. Received: images alone"),
        (lambda g: g.fit(UNIT, np.eye(3)[LABELS]), r"labels must be \(24,\), one class an image. Received: \(24, 3\)"),
        (lambda g: g.fit(UNIT > 0, LABELS), "images must be uint8, or floating-point .* Received: bool"),
        (lambda g: g.fit(list(UNIT), LABELS), "images must be one array or data set. Received: a list of 24"),
        (lambda g: g.fit(UNIT[:0], LABELS[:0]), r"at least one image. Received: \(0, 8, 8, 1\)"),
        (lambda g: g.fit(LATER_OTHERWISE, shuffle=False), r"images of every batch must be in \[-1, 1\]"),
        (lambda g: g.fit(LATER_LABELS, shuffle=False), "labels of every batch must be numbers of classes"),
        (lambda g: g.fit(UNIT, LABELS + 0.5), "labels must be whole numbers. Received: 0.5"),
        (lambda g: g.fit(UNIT, LABELS.astype(str)), "labels must be numbers of classes. Received: <U"),
        (lambda g: g.fit(UNIT, LABELS + 1), r"labels must be in \[0, 2\]. Received: \[1, 3\]"),
        (lambda g: g.fit(UNIT[..., 0], LABELS), r"images must be \(n, 8, 8, 1\). Received: \(24, 8, 8\)"),
        (lambda g: g.fit(UNIT, LABELS, validation_data=(UNIT * 9, LABELS)), r"images must be in \[-1, 1\]"),
        (lambda g: g.evaluate(UNIT * 9, LABELS), r"images must be in \[-1, 1\]"),
        (lambda g: g.fit(tf.data.Dataset.from_tensor_slices((UNIT * 9, LABELS)).batch(8)), r"images must be in \[-1"),
        (lambda g: g.fit(tf.data.Dataset.from_tensor_slices(UNIT).batch(8)), "must have images and labels"),
        (lambda g: g.fit(tf.data.Dataset.from_tensor_slices((UNIT, LABELS))), r"images must be \(n, 8, 8, 1\)"),
        (lambda g: g.fit(tf.data.Dataset.from_tensor_slices({"image": UNIT}).batch(8)), "must give images, or"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_in_one_line(compiled, fit, message):
    with pytest.raises(DataError, match=message) as caught:
        fit(compiled())
    assert "\n" not in str(caught.value)


def test_later_batches_of_integers_are_looked_at(compiled):
    with (
        pytest.warns(UserWarning, match="images of int32 are mapped"),
        pytest.raises(DataError, match=r"images of every batch must be in \[-1, 1\], or be uint8"),
    ):
        compiled().fit(LATER_INTEGERS, shuffle=False, verbose=0)


def test_images_that_were_scaled_to_0_1_are_warned_of(make_gan, compiled):
    with pytest.warns(UserWarning, match=r"these are in \[0, 1\]: .* train on 2 \* images - 1"):
        compiled(make_gan(TINY_MLP)).fit((UNIT + 1) / 2, LABELS, **QUIET)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GAN(*own_pair()), "`generator` must have an attribute `num_classes`"),
        (lambda: GAN(*ending("sigmoid", of=0)), r"`generator` must make images in \[-1, 1\].* ends in sigmoid"),
        (lambda: GAN(*ending("relu", of=0)), r"`generator` must make images in \[-1, 1\].* ends in relu"),
        (lambda: GAN(*ending("sigmoid", layers.Reshape((8, 8, 1)), layers.Rescaling(255), of=0)), "ends in sigmoid"),
        (lambda: GAN(*ending("sigmoid", of=1)), "`discriminator` must give logits, .* ends in sigmoid"),
        (lambda: GAN(*ending("tanh", of=1)), "`discriminator` must give logits, .* ends in tanh"),
        (lambda: GAN(*ending("softplus", of=1)), "`discriminator` must give logits, .* ends in softplus"),
        (lambda: GAN(*ending(None, layers.Dense(11), of=1)), r"must give logits \(batch, 1\).* gives \(None, 11\)"),
        (lambda: GAN(TINY_MLP.build(8, 1)[0], TINY_MLP.build(8, 1, 3)[1]), "no labels beside a generator without"),
        (lambda: GAN(*TINY_MLP.build(8, 1)).fit(UNIT), "must be compiled before it is trained"),
        (lambda: same_optimizer_twice(GAN(*TINY_MLP.build(8, 1))), "`g_optimizer` and `d_optimizer` must be two obj"),
    ],
)
def test_mistakes_of_tutorials_are_refused_in_one_line(make, message):
    with pytest.raises(ConfigError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def ending(activation, *more, of):
    pair = list(TINY_MLP.build(8, 1))
    output = layers.Activation(activation)(pair[of].outputs[0])
    for layer in more:
        output = layer(output)
    pair[of] = keras.Model(pair[of].inputs, output)
    return pair


def same_optimizer_twice(gan):
    adam = keras.optimizers.Adam()
    gan.compile(adam, adam)


def test_validation_gives_both_losses_and_changes_nothing(make_gan, compiled):
    gan = compiled(make_gan(DCGAN(4, (8, 6), (2, 2), 3, 2)), augment=DiffAugment())  # with dropout
    history = gan.fit(UNIT, LABELS, epochs=2, validation_data=(UNIT, LABELS), **QUIET).history
    assert {"val_g_loss", "val_d_loss"} <= set(history) and np.isfinite(list(history.values())).all()
    before = state(gan)
    losses = gan.evaluate(UNIT, LABELS, return_dict=True, verbose=0, batch_size=8)
    assert losses == gan.evaluate(UNIT, LABELS, return_dict=True, verbose=0, batch_size=8)
    assert losses["d_loss"] == pytest.approx(history["val_d_loss"][-1])
    assert_same(before, state(gan))
    unseen = compiled(make_gan(DCGAN(4, (8, 6), (2, 2), 3, 2)), augment=DiffAugment())
    unseen.fit(UNIT, LABELS, epochs=2, **QUIET)
    assert_same(before, state(unseen))


def test_calling_and_predicting_give_images_of_the_averaged_generator(make_gan):
    gan = make_gan()
    inputs = [gan.latents(5), np.arange(5) % 3]
    expected = gan.generate(*inputs)
    np.testing.assert_allclose(gan.predict(inputs, verbose=0), expected, atol=1e-6)
    np.testing.assert_allclose(gan(inputs), expected, atol=1e-6)


def test_callbacks_that_set_the_learning_rate_set_both(compiled):
    """Keras' know of one optimizer: that of the discriminator went on as if nothing had been said."""
    gan = compiled(rate=1e-2)
    gan.d_optimizer.learning_rate = 4e-2
    halved = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    gan.fit(UNIT, LABELS, epochs=2, callbacks=[halved], **QUIET)
    np.testing.assert_allclose(rates_of(gan), (2.5e-3, 1e-2), rtol=1e-5)
    plateau = keras.callbacks.ReduceLROnPlateau("g_loss", mode="min", factor=0.1, patience=0, min_delta=1e9)
    saved = []
    after = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: saved.append(rates_of(gan)))  # as those that save
    gan.fit(UNIT, LABELS, epochs=2, callbacks=(plateau, after), **QUIET)
    np.testing.assert_allclose([rate for _, rate in saved], [4 * rate for rate, _ in saved], rtol=1e-5)
    assert rates_of(gan)[0] < 2.5e-3
    warm = keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3 * epoch)
    gan.fit(UNIT, LABELS, epochs=3, callbacks=warm, **QUIET)  # begins at 0
    np.testing.assert_allclose(rates_of(gan), (2e-3, 8e-3), rtol=1e-5)


def rates_of(gan):
    """Learning rates of both optimizers."""
    return float(gan.optimizer.learning_rate), float(gan.d_optimizer.learning_rate)


def test_callbacks_of_keras(make_gan, compiled, tmp_path):
    pytest.importorskip("tensorboard")
    gan = compiled(make_gan(TINY_MLP))
    stop = keras.callbacks.EarlyStopping("val_g_loss", patience=1, min_delta=1e9, restore_best_weights=True)
    every = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    board = keras.callbacks.TensorBoard(tmp_path / "board")
    history = gan.fit(UNIT, LABELS, epochs=9, validation_data=(UNIT, LABELS), callbacks=[stop, every, board], **QUIET)
    assert len(history.epoch) == 2 and stop.stopped_epoch == 1
    assert sorted(p.name for p in tmp_path.glob("*.keras")) == ["1.keras", "2.keras"]
    assert list((tmp_path / "board").rglob("events*"))


SETTINGS = {
    "plain": {},
    "all": {
        "loss": "hinge", "r1": 0.5, "r1_every": 2, "augment": AdaptiveAugment(horizon=50),
        "regularizers": [LeCam(0.3, start=1), AdaptivePseudoAugment(horizon=50)],
    },
    "DiffAugment": {"augment": DiffAugment("translation"), "loss": "wasserstein", "gradient_penalty": 10.0},
}  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
def test_a_training_goes_on_from_a_file_as_if_it_had_not_been_interrupted(make_gan, tmp_path, name):
    networks = DCGAN(4, (8, 6), (2, 2), 3, 2, dropout=0.3)  # whose state Keras would not save
    gan = make_gan(networks, ema_decay=0.9, seed=4)
    gan.generator.get_layer("block0_dense").trainable = False
    decayed = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-2, 9))
    gan.compile(decayed, keras.optimizers.Adam(1e-3, beta_1=0.5), **SETTINGS[name])
    gan.fit(UNIT, LABELS, **QUIET)
    gan.save(tmp_path / "gan.keras")
    again = keras.models.load_model(tmp_path / "gan.keras")
    assert_same(state(gan), state(again))
    assert again.seed == 4 and again.ema_decay == 0.9 and again.loss_name == gan.loss_name
    for one in (gan, again):
        one.fit(UNIT, LABELS, epochs=2, **QUIET)
    assert_same(state(gan), state(again))
    assert not again.generator.get_layer("block0_dense").trainable


def test_what_pipelines_compile_can_be_saved_too(make_gan, tmp_path):
    gan = make_gan()
    Optimization(decay=True, augment="translation").compile(gan, steps=9)
    gan.fit(UNIT, LABELS, **QUIET)
    gan.save(tmp_path / "gan.keras")
    again = keras.models.load_model(tmp_path / "gan.keras")
    for one in (gan, again):
        one.rate_factor.assign(0.5)  # as after a divergence
        one.fit(UNIT, LABELS, **QUIET)
    assert_same(state(gan), state(again))


def test_a_pair_of_ones_own_is_saved_with_its_number_of_classes(tmp_path):
    gan = GAN(*own_pair(3))
    gan.compile("adam", "rmsprop")
    gan.fit(UNIT, LABELS, **QUIET)
    gan.save(tmp_path / "gan.keras")
    again = keras.models.load_model(tmp_path / "gan.keras")
    assert again.num_classes == 3 and type(again.d_optimizer) is keras.optimizers.RMSprop
    assert_same(state(gan), state(again))


def test_what_a_file_cannot_hold_is_refused_in_one_line(make_gan, compiled, tmp_path):
    source = make_gan(seed=9)
    cases = {LoRA(rank=1): "compiled again, once its adapters are merged", CDC(anchors=3): "steps .* Received: CDC"}
    for method, after in cases.items():
        gan = GAN(*method.networks(source, "float32"))
        method.prepare(gan, source)
        compiled(gan, transfer=method)
        with pytest.raises(ConfigError, match="without adapters: call `finish"):
            gan.save(tmp_path / "gan.keras")
        method.finish(gan)
        with pytest.raises(ConfigError, match=after):
            gan.save(tmp_path / "gan.keras")
        compiled(gan)
        gan.save(tmp_path / "gan.keras")
        np.testing.assert_array_equal(
            keras.models.load_model(tmp_path / "gan.keras").generate(gan.latents(3), [0, 1, 2]),
            gan.generate(gan.latents(3), [0, 1, 2]),
        )


def test_float16_trains_as_far_as_float32(make_gan):
    moved = {}
    for dtype in ("float32", "mixed_float16"):
        gan = make_gan(TINY_DCGAN, dtype=dtype)
        gan.compile(keras.optimizers.SGD(1e-3), keras.optimizers.SGD(1e-3))
        before = [w.copy() for w in gan.generator.get_weights()]
        gan.fit(UNIT, LABELS, epochs=3, **QUIET)
        moved[dtype] = np.abs(gan.generator.get_weights()[0] - before[0]).mean()
    assert moved["mixed_float16"] == pytest.approx(moved["float32"], rel=0.2)


def test_a_file_without_the_step_of_its_training_is_told(compiled, tmp_path):
    """What was trained was taken for what never was, and so the raw generator for its average."""
    gan = compiled()
    gan.fit(UNIT, LABELS, **QUIET)
    gan.save(tmp_path / "gan.keras")
    with zipfile.ZipFile(tmp_path / "gan.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with h5py.File(weights := io.BytesIO(members["model.weights.h5"]), "r+") as file:
        del file["vars"]
    with zipfile.ZipFile(tmp_path / "bare.keras", "w") as archive:
        for name, content in (members | {"model.weights.h5": weights.getvalue()}).items():
            archive.writestr(name, content)
    with pytest.raises(ArtifactError, match="must be an intact .keras file of this package. Received: .*GAN name=gan"):
        load_source(str(tmp_path / "bare.keras"))


def test_classes_of_a_file_are_those_of_its_tables(compiled, tmp_path):
    gan = GAN(*own_pair(3))
    config = gan.get_config()
    assert GAN.from_config({**gan.get_config(), "num_classes": 3}).num_classes == 3
    with pytest.raises(ConfigError, match="`num_classes` must be that of tables of labels, 3. Received: 20"):
        GAN.from_config({**config, "num_classes": 20})
