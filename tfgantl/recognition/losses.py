"""Losses of recognition methods: pure functions of labels, logits and features."""

from collections.abc import Callable

import tensorflow as tf

EPSILON = 1e-6


def cross_entropy(
    labels: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor | None = None, smoothing: float = 0.0
) -> tf.Tensor:
    """Mean cross-entropy.

    Args:
        labels: int (n,).
        logits: float32 (n, classes).
        weights: float32 (n,), 1 on average, or `None`.
        smoothing: Share of each label that is spread over all classes.
    """
    targets = tf.one_hot(labels, logits.shape[-1], 1.0 - smoothing) + smoothing / logits.shape[-1]
    each = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
    return tf.reduce_mean(each if weights is None else each * weights)


def domain_loss(logits: tf.Tensor, domain: float) -> tf.Tensor:
    """Mean binary cross-entropy of logits (n, 1) for one side, 1 or 0."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(tf.shape(logits), domain), logits))


def entropy(probabilities: tf.Tensor) -> tf.Tensor:
    """Mean entropy of rows (n, classes), in nats."""
    return tf.reduce_mean(-tf.reduce_sum(probabilities * tf.math.log(probabilities + EPSILON), 1))


def information_maximization(logits: tf.Tensor) -> tf.Tensor:
    """Mean entropy minus the entropy of the mean: low if predictions are confident and of all classes.

    Liang et al., 2020, https://arxiv.org/abs/2002.08546.
    """
    probabilities = tf.nn.softmax(logits)
    return entropy(probabilities) - entropy(tf.reduce_mean(probabilities, 0, keepdims=True))


@tf.custom_gradient
def reverse_gradient(
    x: tf.Tensor, strength: float | tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, None]]]:
    """The identity, whose gradient is multiplied by -strength (Ganin et al., 2016, https://arxiv.org/abs/1505.07818)."""
    return tf.identity(x), lambda upstream: (-strength * upstream, None)


def coral(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """‖C_a - C_b‖² / (4 d²) of the covariances of features (n, d) (Sun and Saenko, 2016, arXiv:1607.01719)."""

    def covariance(x: tf.Tensor) -> tf.Tensor:
        centred = x - tf.reduce_mean(x, 0)
        return tf.matmul(centred, centred, transpose_a=True) / (tf.cast(tf.shape(x)[0], tf.float32) - 1.0)

    return tf.reduce_sum(tf.square(covariance(a) - covariance(b))) / (4.0 * float(a.shape[-1]) ** 2)


def squared_distances(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """‖a_i - b_j‖² (n, m) of rows."""
    product = tf.matmul(a, b, transpose_b=True)
    return tf.nn.relu(tf.reduce_sum(a * a, 1)[:, None] + tf.reduce_sum(b * b, 1)[None] - 2.0 * product)


def gaussian_kernel(x: tf.Tensor, widths: tuple[float, ...] = (0.125, 0.25, 0.5, 1.0, 2.0)) -> tf.Tensor:
    """Sum of Gaussian kernels of all pairs of rows (n, n); widths are multiples of the mean squared distance."""
    distances = squared_distances(x, x)
    mean = tf.stop_gradient(tf.reduce_mean(distances)) + EPSILON
    return tf.add_n([tf.exp(-distances / (2.0 * width * mean)) for width in widths])


def mmd(kernel: tf.Tensor, count: int | tf.Tensor) -> tf.Tensor:
    """Squared maximum mean discrepancy of the first `count` rows from the rest, given the kernel of all rows.

    Long et al., 2015, https://arxiv.org/abs/1502.02791.
    """
    aa, bb, ab = kernel[:count, :count], kernel[count:, count:], kernel[:count, count:]
    return tf.reduce_mean(aa) + tf.reduce_mean(bb) - 2.0 * tf.reduce_mean(ab)


def discrepancy(logits: tf.Tensor, other_logits: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference of the probabilities of two heads (Saito et al., 2018, arXiv:1712.02560)."""
    return tf.reduce_mean(tf.abs(tf.nn.softmax(logits) - tf.nn.softmax(other_logits)))


def relational_distance(student: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
    """Huber loss of pairwise distances, each divided by their mean (Park et al., 2019, arXiv:1904.05068).

    Args:
        student: Features (n, d).
        teacher: Features (n, e) of the same images.
    """

    def relative(x: tf.Tensor) -> tf.Tensor:
        squares = squared_distances(x, x)
        distances = tf.where(squares > EPSILON, tf.sqrt(tf.maximum(squares, EPSILON)), 0.0)
        count = tf.reduce_sum(tf.cast(squares > EPSILON, tf.float32))
        return distances / (tf.reduce_sum(distances) / tf.maximum(count, 1.0) + EPSILON)

    return huber(relative(student) - tf.stop_gradient(relative(teacher)))


def relational_angle(student: tf.Tensor, teacher: tf.Tensor) -> tf.Tensor:
    """Huber loss of the cosines of the angles at each corner of all triples; O(n³), so few rows."""

    def cosines(x: tf.Tensor) -> tf.Tensor:
        sides = tf.math.l2_normalize(x[None] - x[:, None], -1, 1e-12)
        return tf.einsum("ijd,ikd->ijk", sides, sides)

    return huber(cosines(student) - tf.stop_gradient(cosines(teacher)))


def huber(x: tf.Tensor) -> tf.Tensor:
    """Mean of x²/2 where |x| < 1, and of |x| - 1/2 elsewhere."""
    size = tf.abs(x)
    return tf.reduce_mean(tf.where(size < 1.0, 0.5 * x * x, size - 0.5))
