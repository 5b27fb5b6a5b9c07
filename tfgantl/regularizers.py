"""What steadies a discriminator on few images, beside augmentation: LeCam and adaptive pseudo augmentation."""

import keras


class Regularizer(keras.layers.Layer):
    """Base: takes part in every step of the discriminator. The defaults change nothing."""

    def mix(self, images, fakes, seed):
        """Real images (batch, height, width, channels) to show the discriminator, before augmentation."""
        return images

    def penalty(self, real_logits, fake_logits):
        """Scalar added to the loss of the discriminator; called inside the gradient tape."""
        return 0.0

    def update(self, real_logits, fake_logits) -> dict:
        """Learns from the logits of the step; returns scalars to log."""
        return {}
