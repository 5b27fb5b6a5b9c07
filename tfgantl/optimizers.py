"""Adam by TensorFlow's fused operation: one for each weight, where Keras composes it of about fifteen."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="tfgantl")
class Adam(keras.optimizers.Adam):
    """Keras' Adam with the same arguments, variables and updates, to rounding; only faster to trace and to run.

    What the operation cannot do (`amsgrad`, weights in half precision), or does otherwise (rows of embeddings that
    occur several times in a batch), is left to Keras.

    Example:
        >>> weight = keras.Variable([1.0, 2.0])
        >>> Adam(0.5).apply([tf.constant([1.0, 0.0])], [weight])
        >>> weight.numpy().round(4).tolist()
        [0.5, 2.0]

    Reference:
        Kingma and Ba, 2015, https://arxiv.org/abs/1412.6980
    """

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        if self.amsgrad or variable.dtype != tf.float32 or isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle, m=self._momentums[index].value.handle, v=self._velocities[index].value.handle,
            beta1_power=tf.pow(self.beta_1, step), beta2_power=tf.pow(self.beta_2, step), lr=learning_rate,
            beta1=self.beta_1, beta2=self.beta_2, epsilon=self.epsilon, grad=gradient,
        )  # fmt: skip
