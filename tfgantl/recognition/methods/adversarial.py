"""Feature-based methods with an adversary: features, or heads, compete about the domain."""

from dataclasses import dataclass
from typing import ClassVar

from tfgantl.recognition.method import Recognizer


def domain_discriminator(units: int, width: int = 256):
    """Features (batch, units) → logit (batch, 1) of the source; dropout, and no batch normalisation."""
    import keras
    from keras import layers

    features = keras.Input((units,))
    x = features
    for number in (1, 2):
        x = layers.Dense(width, activation="relu")(x)
        x = layers.Dropout(0.3, seed=number)(x)
    return keras.Model(features, layers.Dense(1)(x), name="domain")


@dataclass(frozen=True)
class DANN(Recognizer):
    """Trains features that a domain discriminator cannot tell apart, by a reversed gradient.

    Args:
        strength: What the factor of the reversed gradient grows to, along 2 / (1 + exp(-10 p)) - 1.

    Reference:
        Ganin et al., 2016, https://arxiv.org/abs/1505.07818
    """

    strength: float = 1.0

    family: ClassVar[str] = "feature"
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")

    def networks(self, problem, model):
        return {"domain": domain_discriminator(model.features.output_shape[-1])}

    def losses(self, model, batch):
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy, domain_loss, reverse_gradient

        strength = self.strength * (2.0 / (1.0 + tf.exp(-10.0 * model.progress)) - 1.0)
        images, labels = batch["source"]
        source, target = model.embed(images), model.embed(batch["unlabelled"][0])
        task = cross_entropy(labels, model.head(source))
        task += model.on_labelled(batch)
        told = [
            model.auxiliary_networks["domain"](reverse_gradient(x, strength), training=True) for x in (source, target)
        ]
        return {"task": task, "domain": domain_loss(told[0], 1.0) + domain_loss(told[1], 0.0)}


@dataclass(frozen=True)
class ADDA(Recognizer):
    """Trains a copy of the source features on the target, until a discriminator takes them for those of the source.

    The head and the features of the source are frozen.

    Args:
        rate: Factor on the gradient of the target features; they must not run away from the head.

    Reference:
        Tzeng et al., 2017, https://arxiv.org/abs/1702.05464
    """

    rate: float = 0.1

    family: ClassVar[str] = "feature"
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")
    from_source: ClassVar[bool] = True

    def networks(self, problem, model):
        frozen = problem.source_model().features
        return {"source": copied(frozen), "domain": domain_discriminator(model.features.output_shape[-1])}

    def prepare(self, model, problem):
        model.head.trainable = False

    def step(self, model, batch):
        import tensorflow as tf

        from tfgantl.recognition.losses import domain_loss

        domain = model.auxiliary_networks["domain"]
        source = model.auxiliary_networks["source"](batch["source"][0], training=False)
        with tf.GradientTape() as features:
            target = model.embed(batch["unlabelled"][0])
            with features.stop_recording():
                with tf.GradientTape() as tape:
                    told = domain_loss(domain(source, training=True), 1.0)
                    told += domain_loss(domain(target, training=True), 0.0)
                model.update([domain], told, tape)
            fooled = domain_loss(domain(target, training=False), 1.0)
            total = self.rate * fooled + model.on_labelled(batch)
        model.update([model.features], total, features)
        return {"loss": total, "domain": told, "fooled": fooled}


@dataclass(frozen=True)
class MCD(Recognizer):
    """Two heads that agree on the source look for target images that they disagree about; features avoid these.

    Args:
        repeats: Steps of the features for each step of the heads.

    Reference:
        Saito et al., 2018, https://arxiv.org/abs/1712.02560
    """

    repeats: int = 4

    family: ClassVar[str] = "feature"
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")

    def networks(self, problem, model):
        from tfgantl.models.backbones import linear_head

        return {"second": linear_head(model.features.output_shape[-1], problem.num_classes)}

    def step(self, model, batch):
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy, discrepancy

        heads, target = [model.head, model.auxiliary_networks["second"]], batch["unlabelled"][0]
        known = [batch[name] for name in ("source", "labelled") if name in batch]

        def task():
            embedded = [(model.embed(images), labels) for images, labels in known]
            return tf.add_n([cross_entropy(y, head(x)) for x, y in embedded for head in heads])

        def disagreement():
            x = model.embed(target)
            return discrepancy(*(head(x) for head in heads))

        with tf.GradientTape() as tape:
            agreed = task()
        model.update([model.features, *heads], agreed, tape)
        with tf.GradientTape() as tape:
            found = disagreement()
            total = task() - found
        model.update(heads, total, tape)
        for _ in range(self.repeats):
            with tf.GradientTape() as tape:
                left = disagreement()
            model.update([model.features], left, tape)
        return {"loss": agreed + left, "task": agreed, "found": found, "left": left}


def copied(network):
    """A frozen copy of a functional network."""
    import keras

    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    copy.trainable = False
    return copy
