"""What networks end in is read from what makes their output, and measured where that does not tell."""

import keras
import numpy as np
import pytest
from keras import layers

from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.export.image_signatures import classifier_signatures
from tfgantl.gan import GAN
from tfgantl.models.outputs import check_generator, last_activation
from tfgantl.pretrained import load_generator

WIDE = keras.initializers.RandomNormal(0, 1, seed=1)
IMAGES = np.random.default_rng(0).uniform(-1, 1, (5, 8, 8, 1)).astype(np.float32)
LATENTS = np.random.default_rng(1).standard_normal((50, 4), np.float32)


def inner(units, activation, inputs):
    """A network that is the last layer of another."""
    x = keras.Input((inputs,))
    return keras.Model(x, layers.Dense(units, activation, kernel_initializer=WIDE)(x))


def hands_through(x):
    """The second output of a network that hands an input through to it."""
    one, other = keras.Input((3,)), keras.Input((3,))
    return keras.Model([one, other], [layers.Dense(3)(one), layers.Reshape((3,))(other)])([x, keras.ops.softmax(x)])[1]


ENDINGS = {
    "logits": (lambda x: x, "linear"),
    "a layer": (layers.Softmax(), "softmax"),
    "an operation": (keras.ops.softmax, "softmax"),
    "a layer as activation": (lambda x: layers.Activation(layers.Softmax())(x), "softmax"),
    "another type": (
        lambda x: layers.Activation("linear", dtype="float32")(keras.ops.cast(keras.ops.softmax(x), "float16")),
        "softmax",
    ),
    "moved": (lambda x: layers.Flatten()(layers.Reshape((1, 3))(layers.Dropout(0.5)(keras.ops.softmax(x)))), "softmax"),
    "inside": (lambda x: inner(3, "softmax", 3)(x), "softmax"),
    "handed through": (hands_through, "softmax"),
    "written out": (lambda x: keras.ops.exp(x) / keras.ops.sum(keras.ops.exp(x), -1, keepdims=True), None),
    "a mean of two": (lambda x: layers.Average()([keras.ops.softmax(x), keras.ops.softmax(-x)]), None),
    "sharpened logits": (lambda x: keras.ops.tanh(x) * 4.0, None),
}
SEEN_BY_DENSE = {"logits", "a layer", "an operation", "a layer as activation", "another type", "moved"}


@pytest.mark.parametrize("kind", ENDINGS)
def test_a_softmax_is_served_once_whatever_makes_it(kind):
    ending, activation = ENDINGS[kind]
    images = keras.Input((8, 8, 1))
    vectors = layers.Flatten()(images)
    classifier = keras.Model(images, ending(layers.Dense(3, kernel_initializer=WIDE)(vectors)))
    assert last_activation(classifier) == activation
    made = classifier(IMAGES, training=False)
    is_softmax = "logits" not in kind
    endpoints = classifier_signatures(classifier)
    served = endpoints["serving_default"](IMAGES)["probabilities"]
    np.testing.assert_allclose(served, made if is_softmax else keras.ops.softmax(made), atol=1e-3)
    assert ("features" in endpoints) == (kind in SEEN_BY_DENSE)


@pytest.mark.parametrize(
    ("ending", "received"),
    [
        (keras.ops.sigmoid, "4 outputs with sigmoid activation"),
        (lambda x: layers.Flatten()(layers.Softmax()(layers.Reshape((2, 2))(x))),
         "4 outputs with softmax activation, which do not sum to 1"),
    ],
)  # fmt: skip
def test_what_is_neither_logits_nor_a_softmax_is_not_served(ending, received):
    images = keras.Input((8, 8, 1))
    classifier = keras.Model(images, ending(layers.Dense(4)(layers.Flatten()(images))))
    with pytest.raises(ArtifactError, match=f"or their softmax. Received: {received}"):
        classifier_signatures(classifier)


def generator(ending, activation=None):
    latents = keras.Input((4,))
    x = layers.Reshape((8, 8, 1))(layers.Dense(64, kernel_initializer=WIDE)(latents))
    return keras.Model(latents, ending(layers.Activation(activation)(x) if activation else x))


@pytest.mark.parametrize(
    ("activation", "ending", "low", "high"),
    [
        ("tanh", lambda x: (x + 1.0) * 127.5, 0, 255),
        ("tanh", lambda x: x * 0.5 + 0.5, 0, 1),
        ("sigmoid", lambda x: x * 2.0 - 1.0, -1, 1),
        (None, keras.ops.sigmoid, 0, 1),
        (None, keras.ops.tanh, -1, 1),
    ],
)
def test_pixels_behind_operations_are_brought_to_our_range(tmp_path, activation, ending, low, high):
    network = generator(ending, activation)
    network.save(tmp_path / "faces.keras")
    expected = (network(LATENTS).numpy() - low) / (high - low) * 2 - 1
    np.testing.assert_allclose(load_generator(str(tmp_path / "faces.keras"))(LATENTS), expected, atol=1e-4)


def test_pairs_are_refused_for_operations_as_for_layers():
    images = keras.Input((8, 8, 1))
    logits = layers.Dense(1)(layers.Flatten()(images))
    for ending in (keras.ops.sigmoid, inner(1, "sigmoid", 1)):
        with pytest.raises(ConfigError, match="`discriminator` must give logits, .* ends in sigmoid"):
            GAN(generator(keras.ops.tanh), keras.Model(images, ending(logits)))
    with pytest.raises(ConfigError, match="`generator` must make images .* ends in sigmoid"):
        check_generator(generator(lambda x: 255.0 * keras.ops.sigmoid(x)))
    check_generator(generator(lambda x: keras.ops.sigmoid(x) * 2.0 - 1.0))
    check_generator(generator(lambda x: layers.Rescaling(-1.0)(keras.ops.sigmoid(x))))
    check_generator(generator(layers.ReLU(negative_slope=0.2)))
