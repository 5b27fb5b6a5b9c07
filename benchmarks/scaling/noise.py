"""How large a batch is of use: the noise scale of gradients.

Reference:
    McCandlish et al., 2018, https://arxiv.org/abs/1812.06162
"""

from collections.abc import Iterable

import keras
import numpy as np
import tensorflow as tf

from tfgantl.data import HandwrittenDigits, RenderedDigits
from tfgantl.data.pipeline import batches
from tfgantl.gan import GAN
from tfgantl.models import DCGAN
from tfgantl.optimizers import Adam
from tfgantl.pretrained.handles import load_source
from tfgantl.random_streams import StepStream

MICRO = 16  # images of each gradient
SOURCE = "rendered-digits"


def noise_scale(gradients: np.ndarray, images: int) -> float:
    """Images from which a larger batch hardly makes a better step: tr Σ / |G|².

    Args:
        gradients: Of batches that were drawn independently, (batches, weights).
        images: In each of them.

    Returns:
        The noise scale; infinite if no mean can be told from noise.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> round(noise_scale(1.0 + rng.normal(0, 2, (4000, 50)), 1))
        4
    """
    count, mean = len(gradients), gradients.mean(0)
    spread = float(((gradients - mean) ** 2).sum() / (count - 1))  # of batches: tr Σ over their images
    signal = float((mean**2).sum()) - spread / count
    return images * spread / signal if signal > 0 else float("inf")


def gradients(gan: GAN, data: Iterable) -> dict[str, np.ndarray]:
    """Gradients of the adversarial losses at the present weights, a row for each batch.

    Args:
        gan: Compiled pair.
        data: Batches of images and labels.

    Returns:
        `generator` and `discriminator` → float32 (batches, weights).
    """

    @tf.function
    def of_batch(reals: tf.Tensor, labels: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape(persistent=True) as tape:
            _, fakes = gan.draw(MICRO, labels, StepStream.D_LATENTS)
            real, fake = (gan.transfer.discriminator_logits(gan, images=x, labels=labels) for x in (reals, fakes))
            totals = [gan.adversarial.generator(fake), gan.adversarial.discriminator(real, fake)]
        flat = []
        for network, total in zip((gan.generator, gan.discriminator), totals, strict=True):
            parts = tape.gradient(total, [weight.value for weight in network.trainable_variables])
            flat.append(tf.concat([tf.reshape(part, [-1]) for part in parts], 0))
        return flat

    rows: tuple[list, list] = [], []
    for reals, labels in data:
        for kept, row in zip(rows, of_batch(reals, labels), strict=True):
            kept.append(row.numpy())
        gan.step.assign_add(1)  # other latents
    return {name: np.stack(kept) for name, kept in zip(("generator", "discriminator"), rows, strict=True)}


def noise_lines(count: int) -> list[str]:
    """The table of noise scales, with what it means.

    Args:
        count: Batches of `MICRO` images for each number.
    """
    trained = load_source(SOURCE)
    keras.utils.set_random_seed(0)
    fresh = GAN(*DCGAN(48, (128, 64, 32), (1, 2, 2), label_dim=16).build(28, 1, 10))
    cases = {
        "a fresh pair, rendered digits": (fresh, RenderedDigits()),
        "the shipped pair, rendered digits, which it has learned": (trained, RenderedDigits()),
        "the shipped pair, handwritten digits, as an adaptation begins": (trained, HandwrittenDigits()),
    }
    lines = [
        "How many images a batch are of use is what the noise scale of gradients estimates (McCandlish et al., 2018): "
        f"beyond it, a larger batch hardly makes a better step. From {count} batches of {MICRO}, at the weights as "
        "they are:", "", "| | generator | discriminator |", "|---|---|---|",
    ]  # fmt: skip
    for title, (gan, source) in cases.items():
        gan.compile(Adam(1e-4), Adam(1e-4))
        data = batches(source.load("train"), MICRO, seed=0, stop=count)
        found = [noise_scale(rows, MICRO) for rows in gradients(gan, data).values()]
        lines.append(f"| {title} | {' | '.join(f'{scale:.0f}' for scale in found)} |")
    return [*lines, ""]
