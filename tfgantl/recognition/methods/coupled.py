"""Coupled GANs: one for each domain, with shared layers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tfgantl.recognition.method import Recognizer

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from tfgantl.recognition.domain_classifier import DomainClassifier
    from tfgantl.recognition.method import Batch, Scalars
    from tfgantl.recognition.trainer import Trainer


@dataclass(frozen=True)
class CoGAN(Recognizer):
    """Trains one GAN a domain; both share all but the layers next to the image, and the classifier their features.

    Args:
        latent_dim: Length of the noise that both generators map to one image each.
        task: Weight of the cross-entropy on source images.

    Reference:
        Liu and Tuzel, 2016, https://arxiv.org/abs/1606.07536
    """

    latent_dim: int = 64
    task: float = 1.0

    family: ClassVar[str] = "generated"
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")

    def networks(self, model: "DomainClassifier", trainer: "Trainer") -> "dict[str, keras.Model]":
        import keras
        from keras import layers

        from tfgantl.models.copies import assign_weights
        from tfgantl.models.structure import structure_of
        from tfgantl.recognition.auxiliary_networks import latent_generator

        trunk = latent_generator(self.latent_dim, *trainer.task.shape)
        shared = structure_of(trunk).last_features  # all but the convolution that makes the image, and its tanh

        def generator(name: str) -> "keras.Model":
            x = layers.Conv2DTranspose(trainer.task.shape[1], 5, 2, padding="same", activation="tanh", name=name)(
                shared
            )
            return keras.Model(trunk.inputs, x, name=name)

        block, rest = split_features(model.features)
        first = keras.models.clone_model(block)
        assign_weights(first, block.get_weights())  # both sides start alike, as the shared layers expect
        generators = {f"{side}_generator": generator(f"make_{side}") for side in ("source", "target")}
        assign_weights(generators["target_generator"], generators["source_generator"].get_weights())
        units = model.features.output_shape[-1]
        vector = keras.Input((units,))
        return {
            **generators,
            "first": first,
            "rest": rest,
            "real": keras.Model(vector, layers.Dense(1)(vector), name="real"),
        }

    def step(self, model: "DomainClassifier", batch: "Batch") -> "Scalars":
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy, domain_loss

        nets = model.auxiliary_networks
        (images, labels), target = batch["source"], batch["unlabelled"][0]
        noise = model.noise((tf.shape(images)[0], self.latent_dim))

        def source_features(x: "tf.Tensor") -> "tf.Tensor":
            return nets["rest"](nets["first"](x, training=True), training=True)

        sides = ((source_features, images, nets["source_generator"]), (model.embed, target, nets["target_generator"]))
        fakes = [generator(noise, training=True) for _, _, generator in sides]
        with tf.GradientTape() as tape:
            d_loss = tf.add_n([
                domain_loss(nets["real"](embed(x)), label)
                for (embed, real, _), fake in zip(sides, fakes, strict=True)
                for x, label in ((real, 1.0), (fake, 0.0))
            ])  # fmt: skip
            task = cross_entropy(labels, model.head(source_features(images)))
            task += model.on_labelled(batch)
            total = d_loss + self.task * task
        model.update([model.classifier, nets["first"], nets["real"]], total, tape)
        with tf.GradientTape() as tape:
            embedded = [embed(generator(noise, training=True)) for embed, _, generator in sides]
            g_loss = tf.add_n([domain_loss(nets["real"](x), 1.0) for x in embedded])
        shared = {id(v): v for name in ("source_generator", "target_generator") for v in nets[name].trainable_variables}
        model.apply(list(shared.values()), g_loss, tape)
        return {"loss": total, "d_loss": d_loss, "task": task, "g_loss": g_loss}

    def generate(self, model: "DomainClassifier", trainer: "Trainer", count: int) -> "tuple[np.ndarray, np.ndarray]":
        """Target images, labelled by what the source side predicts of their counterparts."""
        import numpy as np

        from tfgantl.images import to_uint8
        from tfgantl.models.inference import predict

        noise = np.random.default_rng(trainer.task.seed).standard_normal((count, self.latent_dim), np.float32)
        networks = model.auxiliary_networks
        source_images, target_images = (
            predict(networks[name], noise) for name in ("source_generator", "target_generator")
        )
        features = predict(networks["rest"], predict(networks["first"], source_images))
        return to_uint8(target_images), predict(model.head, features).argmax(1)


def split_features(features: "keras.Model") -> "tuple[keras.Model, keras.Model]":
    """A features network as its first block and the rest, which share its layers."""
    import keras

    last = [layer for layer in features.layers if layer.name.startswith("block1_")][-1]
    return keras.Model(features.inputs[0], last.output), keras.Model(last.output, features.outputs[0])
