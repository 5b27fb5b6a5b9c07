"""Methods that translate labelled source images into ones like the target, and learn from these."""

from dataclasses import dataclass
from typing import ClassVar

from tfgantl.recognition.method import Recognizer


@dataclass(frozen=True)
class PixelDA(Recognizer):
    """Adds to source images, and noise, what makes them look like the target; the classifier learns from both.

    Args:
        latent_dim: Length of the noise.
        realism: Weight of the adversarial loss of the translator.
        task: Weight of the cross-entropy in the loss of the translator: labels must stay readable.

    Reference:
        Bousmalis et al., 2017, https://arxiv.org/abs/1612.05424
    """

    latent_dim: int = 16
    realism: float = 1.0
    task: float = 1.0

    family: ClassVar[str] = "generated"
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")
    from_source: ClassVar[bool] = True

    def networks(self, problem, model):
        from tfgantl.recognition.image_networks import image_judge, translator

        return {
            "translator": translator(*problem.shape, self.latent_dim),
            "judge": image_judge(*problem.shape, 1),
        }

    def translated(self, model, images):
        import tensorflow as tf

        return model.auxiliary_networks["translator"]([images, model.noise((tf.shape(images)[0], self.latent_dim))])

    def step(self, model, batch):
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy, domain_loss

        judge, translator = model.auxiliary_networks["judge"], model.auxiliary_networks["translator"]
        (images, labels), target = batch["source"], batch["unlabelled"][0]
        fakes = self.translated(model, images)
        with tf.GradientTape() as tape:
            told = domain_loss(judge(target, training=True)[0], 1.0) + domain_loss(judge(fakes, training=True)[0], 0.0)
        model.update([judge], told, tape)
        with tf.GradientTape() as tape:
            made = self.translated(model, images)
            fooled = domain_loss(judge(made, training=False)[0], 1.0)
            kept = cross_entropy(labels, model.classifier(made, training=True))
            total = self.realism * fooled + self.task * kept
        model.update([translator], total, tape)

        def classify():
            terms = {"task": model.supervised(batch), "translated": model.supervised({"fakes": (fakes, labels)})}
            return terms | self.more(model, fakes, target)

        logs = model.minimize(classify, auxiliary=False)
        return {**logs, "judge": told, "fooled": fooled}

    def more(self, model, fakes, target):
        """Terms that a variant adds to the loss of the classifier."""
        return {}

    def generate(self, model, problem, count):
        """Translated images uint8 (count, side, side, channels), and the labels that they should show."""
        import tensorflow as tf

        from tfgantl.images import to_uint8, to_unit

        images, labels = problem.source.subset(count)
        made = [self.translated(model, tf.constant(to_unit(part))).numpy() for part in _parts(images)]
        return to_uint8(_joined(made)), labels


@dataclass(frozen=True)
class CyCADA(Recognizer):
    """Translates both ways, so that nothing is lost (cycle) or changes class (semantics), and aligns features.

    Args:
        cycle: Weight of the mean absolute difference after there and back.
        semantic: Weight of the cross-entropy of translated images with what the frozen classifier of the source says.
        features: Factor of the reversed gradient of a domain discriminator on features; 0 for pixels only.

    Reference:
        Hoffman et al., 2018, https://arxiv.org/abs/1711.03213
    """

    cycle: float = 10.0
    semantic: float = 1.0
    features: float = 0.3

    family: ClassVar[str] = "generated"
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")
    from_source: ClassVar[bool] = True

    def networks(self, problem, model):
        from tfgantl.recognition.image_networks import image_judge, translator
        from tfgantl.recognition.methods.adversarial import copied, domain_discriminator

        return {
            "there": translator(*problem.shape, blocks=2, name="there"),
            "back": translator(*problem.shape, blocks=2, name="back"),
            "judge_target": image_judge(*problem.shape, 1, name="judge_target"),
            "judge_source": image_judge(*problem.shape, 1, name="judge_source"),
            "source": copied(problem.source_model().classifier),
            "domain": domain_discriminator(model.features.output_shape[-1]),
        }

    def step(self, model, batch):
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy, domain_loss, reverse_gradient

        nets = model.auxiliary_networks
        (images, labels), target = batch["source"], batch["unlabelled"][0]
        fakes, reverse = nets["there"](images), nets["back"](target)

        def least_squares(network, x, wanted, training=True):
            return tf.reduce_mean(tf.square(network(x, training=training)[0] - wanted))

        with tf.GradientTape() as tape:
            told = sum(
                least_squares(nets[name], x, wanted)
                for name, real, fake in (("judge_target", target, fakes), ("judge_source", images, reverse))
                for x, wanted in ((real, 1.0), (fake, 0.0))
            )
        model.update([nets["judge_target"], nets["judge_source"]], told, tape)

        with tf.GradientTape() as tape:
            made, unmade = nets["there"](images), nets["back"](target)
            fooled = least_squares(nets["judge_target"], made, 1.0, False)
            fooled += least_squares(nets["judge_source"], unmade, 1.0, False)
            round_trip = tf.reduce_mean(tf.abs(nets["back"](made) - images))
            round_trip += tf.reduce_mean(tf.abs(nets["there"](unmade) - target))
            # What the source's classifier says of a target image must be what it says of its translation.
            seen = tf.argmax(nets["source"](target, training=False), 1)
            meaning = cross_entropy(labels, nets["source"](made, training=False))
            meaning += cross_entropy(seen, nets["source"](unmade, training=False))
            total = fooled + self.cycle * round_trip + self.semantic * meaning
        model.update([nets["there"], nets["back"]], total, tape)

        def classify():
            embedded = model.embed(fakes)
            terms = {"task": cross_entropy(labels, model.head(embedded))}
            terms["target"] = model.on_labelled(batch)
            if self.features:
                sides = ((embedded, 1.0), (model.embed(target), 0.0))
                strength = self.features * model.progress
                told = [domain_loss(nets["domain"](reverse_gradient(x, strength), training=True), y) for x, y in sides]
                terms["domain"] = tf.add_n(told)
            return terms

        with tf.GradientTape() as tape:
            terms = classify()
            loss = tf.add_n(list(terms.values()))
        model.update([model.classifier, nets["domain"]], loss, tape)
        return {"loss": loss, **terms, "fooled": fooled, "round_trip": round_trip, "meaning": meaning}

    def generate(self, model, problem, count):
        """As that of `PixelDA`."""
        from tfgantl.images import to_uint8, to_unit
        from tfgantl.models.inference import predict

        images, labels = problem.source.subset(count)
        return to_uint8(predict(model.auxiliary_networks["there"], to_unit(images))), labels


def _parts(images, size=256):
    return [images[start : start + size] for start in range(0, len(images), size)]


def _joined(parts):
    import numpy as np

    return np.concatenate(parts)
