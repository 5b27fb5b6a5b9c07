"""Two GANs that share what they know of both domains."""

from dataclasses import dataclass
from typing import ClassVar

from tfgantl.recognition.method import Recognizer


@dataclass(frozen=True)
class CoGAN(Recognizer):
    """Two GANs, one a domain, that share all but the layers next to the image; the shared judge classifies.

    Args:
        latent_dim: Length of the noise, from which both generators make one image each.
        task: Weight of the cross-entropy on source images.

    Reference:
        Liu and Tuzel, 2016, https://arxiv.org/abs/1606.07536
    """

    latent_dim: int = 64
    task: float = 1.0

    family: ClassVar[str] = "generated"
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")

    def networks(self, problem, model):
        import keras
        from keras import layers

        from tfgantl.recognition.image_networks import latent_generator

        trunk = latent_generator(self.latent_dim, *problem.shape)
        shared = trunk.layers[-3].output  # all but the transposed convolution that makes the image, and its tanh

        def ending(name):
            x = layers.Conv2DTranspose(problem.shape[1], 5, 2, padding="same", activation="tanh", name=name)(shared)
            return keras.Model(trunk.inputs, x, name=name)

        block, rest = split_features(model.features)
        first = keras.models.clone_model(block)
        first.set_weights(block.get_weights())  # what the sides have in common is then where it is for both
        made = {name: ending(name) for name in ("make_source", "make_target")}
        made["make_target"].set_weights(made["make_source"].get_weights())
        units = model.features.output_shape[-1]
        vector = keras.Input((units,))
        return {
            **made,
            "first": first,
            "rest": rest,
            "real": keras.Model(vector, layers.Dense(1)(vector), name="real"),
        }

    def step(self, model, batch):
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy, domain_loss

        nets = model.auxiliary_networks
        (images, labels), target = batch["source"], batch["unlabelled"][0]
        noise = model.noise((tf.shape(images)[0], self.latent_dim))

        def source_features(x):
            return nets["rest"](nets["first"](x, training=True), training=True)

        sides = ((source_features, images, nets["make_source"]), (model.embed, target, nets["make_target"]))
        fakes = [make(noise, training=True) for _, _, make in sides]
        with tf.GradientTape() as tape:
            told = tf.add_n([
                domain_loss(nets["real"](embed(x)), wanted)
                for (embed, real, _), fake in zip(sides, fakes, strict=True)
                for x, wanted in ((real, 1.0), (fake, 0.0))
            ])  # fmt: skip
            task = cross_entropy(labels, model.head(source_features(images)))
            task += model.on_labelled(batch)
            total = told + self.task * task
        model.update([model.classifier, nets["first"], nets["real"]], total, tape)
        with tf.GradientTape() as tape:
            made = [(embed, make(noise, training=True)) for embed, _, make in sides]
            fooled = tf.add_n([domain_loss(nets["real"](embed(x)), 1.0) for embed, x in made])
        shared = {id(v): v for name in ("make_source", "make_target") for v in nets[name].trainable_variables}
        model.apply(list(shared.values()), fooled, tape)
        return {"loss": total, "judge": told, "task": task, "fooled": fooled}

    def generate(self, model, problem, count):
        """Target images, and what the classifier of the source side takes their twins for."""
        import numpy as np

        from tfgantl.images import to_uint8
        from tfgantl.models.inference import predict

        noise = np.random.default_rng(problem.seed).standard_normal((count, self.latent_dim), np.float32)
        nets = model.auxiliary_networks
        twins, made = (predict(nets[name], noise) for name in ("make_source", "make_target"))
        features = predict(nets["rest"], predict(nets["first"], twins))
        return to_uint8(made), predict(model.head, features).argmax(1)


def split_features(features):
    """A features network as its first block, and the rest, which share its layers."""
    import keras

    last = [layer for layer in features.layers if layer.name.startswith("block1_")][-1]
    return keras.Model(features.inputs[0], last.output), keras.Model(last.output, features.outputs[0])
