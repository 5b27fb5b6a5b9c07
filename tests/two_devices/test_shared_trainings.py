"""Trainings of other networks than a pair, on one device and on two."""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import tiny_images

from tfgantl.crossmodal.captions import Captions
from tfgantl.crossmodal.contrastive import train_encoders
from tfgantl.metrics.extractor_choice import train_extractor
from tfgantl.models.style_discriminator import StyleDiscriminator
from tfgantl.models.stylizer import Stylizer
from tfgantl.style.adversary import Adversary
from tfgantl.style.feedforward import StylizerTraining
from tfgantl.style.painting import PaintingLoss

STEPS = int(os.environ.get("TESTS_OF_EVERY_PAIR", "2"))
PHRASES = ("a red one", "a blue one", "a green thing")
SHIFT = "residual0b_norm/beta"  # the next normalisation takes it away, so its gradients are rounding errors


def extractor():
    return train_extractor(tiny_images(24), np.arange(24) % 3, 3, steps=STEPS, batch_size=8).classifier


def encoders():
    captions = Captions(PHRASES, tuple((i % 3,) for i in range(24)))
    both = train_encoders(tiny_images(24), captions, STEPS, batch_size=8, dimension=8, width=2)
    return [both.text, both.image]


def stylizer():
    keras.utils.set_random_seed(1)
    # Adam makes of rounding errors what other numbers of threads make of it, too: few steps are alike.
    steps, pictures = 2, list(tiny_images(3, 40, 3))
    network = Stylizer(2, 4, 1, ["a", "b"])
    loss = PaintingLoss(pictures[:2], np.float32(tiny_images(2, 32, 3) / 127.5 - 1))
    adversary = Adversary(StyleDiscriminator(2), 0.5, 1e-3, steps)
    training = StylizerTraining(network, loss, steps, adversary=adversary)
    training.run(pictures, pictures[:2], 32, 4, 0, lambda terms, one_asks: False)
    return [network, adversary.discriminator]


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("train", [extractor, encoders, stylizer])
def test_two_devices_come_to_what_one_comes_to(two, train, request):
    if train is not stylizer:  # which has many layers, and is faster traced
        request.getfixturevalue("eagerly")
    alone = train()
    with two.scope():
        shared = train()
    furthest = 0.0
    for one, both in zip(tf.nest.flatten(alone), tf.nest.flatten(shared), strict=True):
        for weight, other in zip(one.weights, both.weights, strict=True):
            first, second = (x.numpy() for x in two.experimental_local_results(other.value))
            np.testing.assert_array_equal(first, second, err_msg=weight.path)
            if weight.path != SHIFT:
                np.testing.assert_allclose(first, weight.numpy(), atol=1e-5, rtol=1e-5, err_msg=weight.path)
                distance = np.abs(np.float64(first) - weight.numpy())
                furthest = max(furthest, float(np.max(distance, initial=0.0)))
    print(f"{STEPS} steps: at most {furthest:.1e} apart")
