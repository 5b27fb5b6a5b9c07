"""Layers and optimizers of the package's own compute what those of Keras compute, and files do not tell them apart."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_DCGAN

from tfgantl.errors import ConfigError
from tfgantl.models.layers import (
    BatchNormalization,
    Conv2D,
    Conv2DTranspose,
    DoublingConv2D,
    GatedLinearUnit,
    HalvingSpectralConv2D,
    SpectralConv2D,
    SpectralDense,
    convolution,
)
from tfgantl.models.layers.dropout import Dropout
from tfgantl.optimizers import Adam

RNG = np.random.default_rng(0)
SHAPES = {"images": (6, 5, 4, 3), "features": (16, 7), "one image": (1, 4, 4, 2)}
SETTINGS = {"usual": {}, "no scale": {"scale": False}, "no shift": {"center": False, "momentum": 0.5, "epsilon": 0.1}}


def layer_pair(shape, dtype="float32", **options):
    """Keras' layer and the fast one, with the same random weights."""
    pair = [cls(name="bn", dtype=dtype, **options) for cls in (keras.layers.BatchNormalization, BatchNormalization)]
    for layer in pair:
        layer.build((None, *shape[1:]))
    values = [np.abs(RNG.normal(1, 0.3, w.shape)).astype(np.float32) for w in pair[0].weights]
    for layer in pair:
        layer.set_weights(values)
    return pair


def assert_close(one, other, tolerance=1e-5):
    for x, y in zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True):
        x, y = (np.asarray(tf.cast(v, tf.float32)) for v in (x, y))
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * max(1.0, np.abs(x).max()))


@pytest.mark.parametrize("frozen", [False, True], ids=["trained", "frozen"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_batch_normalization_is_that_of_keras(shape, options, training, frozen):
    x, seen = tf.constant(RNG.normal(2, 3, shape).astype(np.float32)), []
    for layer in layer_pair(shape, **options):
        layer.trainable = not frozen
        # Also the moving statistics, which an adapter may change.
        weights = [
            w.value for w in (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance) if w is not None
        ]
        with tf.GradientTape() as outer:
            outer.watch([x, *weights])
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = layer(x, training=training)
                total = tf.reduce_sum(tf.sin(y))
            slope = inner.gradient(total, x)
            penalty = tf.reduce_sum(slope**2)  # as R1 and gradient penalties have it
        second = outer.gradient(penalty, [x, *weights], unconnected_gradients="zero")
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(tf.sin(layer(x, training=training)))
        first = tape.gradient(total, [x, *weights], unconnected_gradients="zero")
        seen.append((y, slope, second, first, layer.get_weights()))
    for one, other in zip(*seen, strict=True):
        assert_close(one, other, 1e-4 if one is seen[0][2] else 1e-5)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_batch_normalization_in_half_precision_is_as_near_as_that_precision_allows(dtype):
    x = tf.constant(RNG.normal(2, 3, (8, 6, 6, 4)).astype(np.float32))
    theirs, ours = (layer(x, training=True) for layer in layer_pair(x.shape, dtype))
    assert ours.dtype == theirs.dtype and ours.dtype != tf.float32
    assert_close(theirs, ours, 2e-2)


@pytest.mark.parametrize("options", [{"axis": 1}, {"axis": 2}, {"renorm": True}], ids=str)
def test_what_the_operation_cannot_do_is_left_to_keras(options):
    x = tf.constant(RNG.normal(2, 3, (6, 5, 4, 3)).astype(np.float32))
    theirs, ours = layer_pair(x.shape, **options)
    assert_close(theirs(x, training=True), ours(x, training=True))
    assert_close(theirs.get_weights(), ours.get_weights())


def test_a_mask_is_left_to_keras():
    x, mask = tf.constant(RNG.normal(2, 3, (6, 5, 3)).astype(np.float32)), tf.constant(RNG.random((6, 5)) > 0.3)
    theirs, ours = layer_pair(x.shape)
    assert_close(theirs(x, training=True, mask=mask), ours(x, training=True, mask=mask))


def test_batch_normalization_under_xla():
    x = tf.constant(RNG.normal(2, 3, (8, 4, 4, 3)).astype(np.float32))
    theirs, ours = layer_pair(x.shape)
    compiled = tf.function(lambda images: ours(images, training=True), jit_compile=True)
    assert_close(theirs(x, training=True), compiled(x))
    assert_close(theirs.get_weights(), ours.get_weights())


@pytest.fixture
def phases(monkeypatch):
    """As on a processor without AVX-512, also for few channels."""
    monkeypatch.setattr(convolution, "MIN_WEIGHTS", 0)
    monkeypatch.setattr(convolution, "_is_plain_processor", lambda: True)


@pytest.fixture
def products(monkeypatch):
    """As in bfloat16 on a processor with AVX-512, also for few channels."""
    monkeypatch.setattr(convolution, "MIN_WEIGHTS", 0)
    monkeypatch.setattr(convolution, "_is_plain_processor", lambda: False)
    monkeypatch.setattr(convolution, "_multiplies", lambda dtype: True)


@pytest.mark.parametrize("way", ["phases", "products"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("side", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", [Conv2D, Conv2DTranspose])
def test_convolutions_are_those_of_keras(kind, side, stride, way, request):
    """Values, gradients, and those of the penalties on gradients, with respect to images and weights."""
    request.getfixturevalue(way)
    theirs = getattr(keras.layers, kind.__name__)
    pair = [cls(5, side, stride, padding="same", activation="relu", name="conv") for cls in (theirs, kind)]
    x = tf.constant(RNG.normal(size=(2, 6, 12, 3)).astype(np.float32))
    for layer in pair:
        layer.build(x.shape)
        layer.set_weights(
            [RNG.normal(size=w.shape) for w in layer.weights] if layer is pair[0] else pair[0].get_weights()
        )
    seen = []
    for layer in pair:
        weights = [w.value for w in layer.weights]
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = layer(x)
                total = tf.reduce_sum(tf.sin(y))
            slopes = inner.gradient(total, [x, *weights])
            penalty = tf.add_n([tf.reduce_sum(slope**2) for slope in slopes])
        seen.append((y, slopes, outer.gradient(penalty, [x, *weights])))
    for one, other in zip(*seen, strict=True):
        assert_close(one, other, 1e-4 if one is seen[0][2] else 1e-5)


@pytest.mark.parametrize("way", ["phases", "products"])
def test_convolutions_in_a_branch_have_second_gradients(way, request):
    """As where a method judges in one way or another, and R1 is due now and then."""
    request.getfixturevalue(way)
    x, seen = tf.constant(RNG.normal(size=(2, 4, 4, 3)).astype(np.float32)), []
    layers = [cls(5, 4, 2, padding="same", name="conv") for cls in (keras.layers.Conv2D, Conv2D)]

    @tf.function
    def penalised(layer, images, is_due):
        kernel = layer.kernel.value
        with tf.GradientTape() as outer:
            outer.watch(kernel)

            def due():
                with tf.GradientTape() as inner:
                    inner.watch(images)
                    total = tf.reduce_sum(tf.cond(is_due, lambda: tf.sin(layer(images)), lambda: layer(images)))
                return tf.reduce_sum(inner.gradient(total, images) ** 2)

            penalty = tf.cond(is_due, due, lambda: 0.0)
        return penalty, outer.gradient(penalty, kernel)

    for layer in layers:
        layer.build(x.shape)
        layer.set_weights(layers[0].get_weights())
        seen.append(penalised(layer, x, tf.constant(True)))
    assert_close(*seen, 1e-4)


@pytest.mark.usefixtures("phases")
def test_convolutions_are_only_made_of_phases_where_they_are_faster(monkeypatch):
    made = []
    monkeypatch.setattr(convolution, "_phases", lambda *arguments: made.append(1) or tf.zeros((1, 32, 32, 2)))
    layer = Conv2DTranspose(2, 4, 2, padding="same")
    layer(tf.zeros((1, 16, 16, 3)))
    assert not made  # 256 places
    monkeypatch.setattr(convolution, "MAX_PLACES", 256)
    layer(tf.zeros((1, 16, 16, 3)))
    assert made
    for options in ({"padding": "valid"}, {"strides": (2, 1)}):
        Conv2DTranspose(2, 4, **{"strides": 2, "padding": "same", **options})(tf.zeros((1, 4, 4, 3)))
    assert len(made) == 1


@pytest.mark.parametrize(
    ("dtype", "plain"), [("mixed_bfloat16", True), ("mixed_bfloat16", False), ("mixed_float16", True)]
)  # in float16, with AVX-512, they are those of Keras
@pytest.mark.parametrize("kind", ["Conv2D", "Conv2DTranspose"])
def test_convolutions_in_half_precision(kind, dtype, plain, monkeypatch):
    monkeypatch.setattr(convolution, "MIN_WEIGHTS", 0)
    monkeypatch.setattr(convolution, "_is_plain_processor", lambda: plain)
    x, seen = tf.constant(RNG.normal(size=(2, 4, 4, 3)).astype(np.float32)), []
    pair = [
        cls(5, 4, 2, padding="same", dtype=dtype) for cls in (getattr(keras.layers, kind), getattr(convolution, kind))
    ]
    for layer in pair:
        layer.build(x.shape)
        layer.set_weights(pair[0].get_weights())
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            total = tf.reduce_sum(tf.cast(y, tf.float32) ** 2)
        seen.append((y, *tape.gradient(total, [x, layer.kernel.value])))
    assert [value.dtype for value in seen[0]] == [value.dtype for value in seen[1]]
    assert_close(*seen, 2e-2)


@pytest.mark.parametrize(("dtype", "made"), [("bfloat16", True), ("float32", False)])
def test_gradients_of_kernels_are_products_where_these_are_faster(dtype, made, monkeypatch):
    seen = []
    monkeypatch.setattr(convolution, "_is_plain_processor", lambda: False)
    monkeypatch.setattr(convolution, "_products", lambda *given: seen.append(1) or tf.zeros(given[2], given[0].dtype))
    layer, x = Conv2D(64, 4, 2, padding="same", dtype=dtype), tf.zeros((1, 8, 8, 64), dtype)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(x))
    tape.gradient(total, layer.kernel.value)
    assert bool(seen) == made


def test_names_of_weights_in_files_are_those_of_keras(tmp_path):
    generator, _ = TINY_DCGAN.build(8, 1, None)
    plain = keras.models.clone_model(
        keras.Model(generator.inputs, generator.outputs),
        clone_function=lambda layer: getattr(keras.layers, type(layer).__name__).from_config(layer.get_config()),
    )
    assert [w.path for w in plain.weights] == [w.path for w in generator.weights]
    plain.set_weights([w + 0.5 for w in plain.get_weights()])
    plain.save_weights(tmp_path / "keras.weights.h5")
    generator.load_weights(tmp_path / "keras.weights.h5")
    for one, other in zip(plain.get_weights(), generator.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("options", [{}, {"beta_1": 0.0, "beta_2": 0.9, "epsilon": 1e-3}, {"amsgrad": True},
                                     {"clipnorm": 0.1}, {"weight_decay": 0.01}], ids=str)  # fmt: skip
def test_adam_is_that_of_keras(options):
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    start, table = RNG.normal(size=(4, 3)).astype(np.float32), RNG.normal(size=(5, 2)).astype(np.float32)

    def trained(optimizer):
        weights = [keras.Variable(start, name="w"), keras.Variable(table, name="t")]
        optimizer.build(weights)

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                rows = tf.gather(weights[1].value, [0, 3, 3])  # whose gradient is sparse
                loss = tf.reduce_sum(tf.sin(weights[0].value)) + tf.reduce_sum(rows**2)
            optimizer.apply(tape.gradient(loss, [w.value for w in weights]), weights)

        for _ in range(6):
            step()
        return {v.path: v.numpy() for v in [*weights, *optimizer.variables]}

    theirs, ours = (trained(cls(schedule, name="adam", **options)) for cls in (keras.optimizers.Adam, Adam))
    assert list(theirs) == list(ours)
    assert_close(list(theirs.values()), list(ours.values()))


def test_adam_goes_on_from_the_state_of_keras_adam():
    weights = [keras.Variable(np.ones(3, np.float32))]
    gradients = [tf.constant([0.1, -0.2, 0.3])]
    theirs, ours = keras.optimizers.Adam(0.1), Adam(0.1)
    for optimizer in (theirs, ours):
        optimizer.build(weights)
    theirs.apply(gradients, weights)
    for new, old in zip(ours.variables, theirs.variables, strict=True):
        new.assign(old)
    before = weights[0].numpy()
    theirs.apply(gradients, weights)
    expected = weights[0].numpy()
    weights[0].assign(before)
    ours.apply(gradients, weights)
    np.testing.assert_allclose(weights[0].numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize(
    ("make", "shape"),
    [(partial(SpectralConv2D, 6, 3, padding="same"), (4, 8, 8, 3)), (partial(SpectralDense, 6), (4, 5))],
    ids=["convolution", "dense"],
)
def test_spectral_layers_divide_by_the_largest_singular_value(make, shape, use_bias, tmp_path):
    x = RNG.normal(size=shape).astype(np.float32)
    inputs = keras.Input(shape[1:])
    network = keras.Model(inputs, make(use_bias=use_bias, name="spectral")(inputs))
    layer = network.get_layer("spectral")
    kernel = layer.kernel.numpy()
    for _ in range(50):  # the estimate comes closer with each training call, and only with these
        network(x, training=True)
    direction = layer.direction.numpy()
    largest = np.linalg.svd(kernel.reshape(-1, 6), compute_uv=False)[0]
    plain = keras.ops.conv(x, kernel, padding="same") if len(shape) == 4 else x @ kernel
    np.testing.assert_allclose(network(x), np.asarray(plain) / largest, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(layer.kernel, kernel)
    np.testing.assert_array_equal(layer.direction, direction)
    assert len(network.trainable_variables) == 1 + use_bias
    with tf.GradientTape() as tape:  # the norm is constant along the kernel, so scaling it changes nothing
        total = tf.reduce_sum(network(x) ** 2)
    assert abs(np.sum(tape.gradient(total, layer.kernel.value) * kernel)) < 1e-3 * float(total)
    layer.kernel.assign(RNG.normal(size=kernel.shape))
    network.trainable = False  # as batch normalisation, a frozen layer keeps what it has measured
    network(x, training=True)
    np.testing.assert_array_equal(layer.direction, direction)
    network.save(tmp_path / "n.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "n.keras")(x), network(x))
    with pytest.raises(ConfigError, match="must have no activation of its own. Received: relu"):
        make(activation="relu")


@pytest.mark.parametrize("side", [1, 3, 5])
def test_convolutions_joined_with_a_change_of_the_side_are_those_two_in_turn(side):
    x = tf.constant(RNG.normal(size=(2, 6, 4, 3)).astype(np.float32))
    larger, smaller = keras.layers.UpSampling2D(), keras.layers.AveragePooling2D(2)
    plain = keras.layers.Conv2D(5, side, padding="same", activation="tanh")
    spectral = SpectralConv2D(5, side, padding="same")
    for joined, parts in (
        (DoublingConv2D(5, side, activation="tanh"), (larger, plain)),
        (HalvingSpectralConv2D(5, side), (spectral, smaller)),
    ):
        shape = joined.compute_output_shape(x.shape)
        joined = type(joined).from_config(joined.get_config())
        joined.build(x.shape)
        for layer in parts:
            layer.build((None, None, None, 3))
        layer = next(layer for layer in parts if layer.weights)
        weights = [RNG.normal(size=w.shape) for w in joined.weights]
        joined.set_weights(weights)
        layer.set_weights(weights)
        seen = []
        for make in (joined, lambda x, parts=parts: parts[1](parts[0](x))):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = make(x)
                total = tf.reduce_sum(tf.sin(y))
            kernel = joined.kernel if make is joined else layer.kernel
            seen.append((y, *tape.gradient(total, [x, kernel.value])))
        assert seen[0][0].shape == shape
        assert_close(*seen, 1e-5)
    with pytest.raises(ConfigError, match="`kernel_size` must be odd. Received: .4, 4."):
        DoublingConv2D(2, 4)


def test_half_of_the_channels_gate_the_others():
    x = RNG.normal(size=(2, 3, 3, 4)).astype(np.float32)
    expected = x[..., :2] / (1 + np.exp(-x[..., 2:]))
    np.testing.assert_allclose(GatedLinearUnit()(x), expected, rtol=1e-5)


@pytest.mark.parametrize("rate", [0.3, 0.001, 0.0, 1.0])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_dropout_drops_a_share_and_makes_up_for_it(rate, dtype):
    layer, again = (Dropout(rate, seed=5, dtype=dtype) for _ in range(2))
    images = tf.constant(RNG.normal(2.0, 0.1, (50, 11, 11, 7)), dtype)  # an odd number of values
    with tf.GradientTape() as tape:
        tape.watch(images)
        found = layer(images, training=True)
    slope = tape.gradient(found, images, unconnected_gradients="zero")
    slope = np.array(tf.cast(slope, tf.float32))
    stays = np.array(found != 0)
    assert abs(1 - stays.mean() - rate) <= 4 * np.sqrt(rate * (1 - rate) / stays.size)
    for image in stays.reshape(50, -1) if rate == 0.3 else ():  # each on its own
        assert 0.55 < image.mean() < 0.85
    np.testing.assert_allclose(slope, stays / max(1 - rate, 1e-9), rtol=1e-2 if dtype == "bfloat16" else 1e-3)
    assert found.dtype == dtype and np.array_equal(found, images * slope.astype(images.dtype.as_numpy_dtype))
    assert np.array_equal(again(images, training=True), found)
    assert np.array_equal(again(images, training=True), found) == (rate in (0, 1))  # each time anew
    assert again(images, training=False) is images


def test_dropout_of_whole_maps_is_that_of_keras():
    """Hostile and other files may ask for any shape of it, and leave sides open."""
    images = tf.ones((2, 3, 3, 4))
    for options in ({"noise_shape": (None, 1, 1, 4)}, {}):
        ours, theirs = (cls(0.5, seed=3, **options) for cls in (Dropout, keras.layers.Dropout))
        if not options:
            ours = tf.function(partial(ours, training=True), input_signature=[tf.TensorSpec((None, None, None, 4))])
        found = ours(images, training=True) if options else ours(images)
        np.testing.assert_array_equal(found, theirs(images, training=True))
