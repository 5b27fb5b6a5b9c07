"""Networks whose steps are timed, and those whose costs are only computed."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import tensorflow as tf

from benchmarks.speed.pairs import networks
from tfgantl.models import StyleGAN2

Pair = tuple[keras.Model, keras.Model]

MEASURED: dict[str, Callable[[], Pair]] = {
    "DCGAN, 28 px": lambda: networks("classic28", "float32", batch_norm=False),
    "DCGAN, 64 px": lambda: networks("tutorial64", "float32", batch_norm=False),
    "StyleGAN2 `tiny`, 64 px": lambda: StyleGAN2().build(64, 3, None),
}


@dataclass(frozen=True)
class Case:
    """A pair on GPUs.

    Args:
        build: Builds it.
        images: A GPU, as papers or memory have it.
        like: Key of `MEASURED`: the pair whose sums a step are as many.
    """

    build: Callable[[], Pair]
    images: int
    like: str


ON_GPUS = {
    "DCGAN, 64 px": Case(MEASURED["DCGAN, 64 px"], 64, "DCGAN, 64 px"),
    "StyleGAN2 `auto`, 64 px": Case(lambda: StyleGAN2(size="auto").build(64, 3, None), 32, "StyleGAN2 `tiny`, 64 px"),
    "StyleGAN2 `paper256`, 256 px": Case(
        lambda: StyleGAN2(size="paper256").build(256, 3, None), 8, "StyleGAN2 `tiny`, 64 px"
    ),
    "StyleGAN2 `config_f`, 1024 px": Case(
        lambda: StyleGAN2(size="config_f").build(1024, 3, None), 4, "StyleGAN2 `tiny`, 64 px"
    ),
}


def operations(pair: Pair) -> float:
    """Floating-point operations of a step, an image.

    Of the generator: one pass for both updates, and its gradient, which costs two. Of the discriminator: real and
    generated images with all gradients, and once more generated ones with the gradient by the images.
    """
    generator, discriminator = (_of_pass(network) for network in pair)
    return 3 * generator + (3 + 3 + 2) * discriminator


def _of_pass(network: keras.Model) -> float:
    inputs = [tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype) for tensor in network.inputs]
    graph = tf.function(lambda *x: network(list(x) if len(x) > 1 else x[0])).get_concrete_function(*inputs).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    return float(tf.compat.v1.profiler.profile(graph, options={**options, "output": "none"}).total_float_ops)


def gradient_bytes(pair: Pair) -> float:
    """Bytes of the gradients of a step, float32."""
    return 4.0 * sum(int(weight.shape.num_elements()) for network in pair for weight in network.trainable_variables)
