"""Methods that generate images from noise: a conditional GAN's, those of embeddings, and those of coupled GANs."""

from dataclasses import dataclass, replace
from typing import ClassVar

from tfgantl.recognition.base import Recognizer


@dataclass(frozen=True)
class GANImages(Recognizer):
    """Adapts a class-conditional GAN to the target, and trains the classifier on its images.

    Without labelled target images the GAN gets those labels that another method gives, surely.

    Args:
        source: Handle of the conditional GAN to adapt, as for `tfgantl adapt`.
        gan_steps: Training steps of the adaptation.
        images: Generated images to train on.
        labeller: Name of the method that labels the target where no labels are known.
        sure: Share of the images of each predicted class that are taken, the surest first.

    Reference:
        Antoniou et al., 2017, https://arxiv.org/abs/1711.04340; Besnier et al., 2020, https://arxiv.org/abs/1911.02996
    """

    source: str = "rendered-digits"
    gan_steps: int = 600
    images: int = 6000
    labeller: str = "PseudoLabels"
    sure: float = 0.7

    family: ClassVar[str] = "generated"
    needs: ClassVar[tuple[str, ...]] = ("source",)

    def fit(self, problem, title=None):
        from time import perf_counter

        import numpy as np

        from tfgantl.data import Examples
        from tfgantl.errors import ConfigError
        from tfgantl.images import to_uint8
        from tfgantl.recognition.training import train

        if problem.labelled is None and problem.unlabelled is None:
            raise ConfigError("GANImages: there must be images of the target. Received: none (cross-domain setting)")
        start, began = problem.source_model(), perf_counter()
        known = problem.labelled or self.labelled(problem)
        gan = self.adapted(problem, known, title)
        labels = np.arange(self.images) % problem.num_classes
        fakes = to_uint8(gan.generate(gan.latents(self.images, problem.seed), labels))
        made = Examples.from_arrays(fakes, labels, problem.num_classes)
        fitted = train(OnGenerated(), replace(problem, source=made), title, start)
        fitted.seconds = perf_counter() - began
        fitted.generated = fakes, labels
        return fitted

    def labelled(self, problem):
        """Target images with labels of another method."""
        import numpy as np

        from tfgantl import recognition
        from tfgantl.data import Examples
        from tfgantl.recognition.selection import probabilities

        labeller = getattr(recognition, self.labeller)().fit(problem)
        images = problem.target_pool
        said = probabilities(labeller.model, images)
        labels, chosen = said.argmax(1), []
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            members = members[np.argsort(-said[members, label], kind="stable")]
            chosen.extend(members[: max(1, round(self.sure * len(members)))])
        chosen = np.sort(chosen)
        return Examples.from_arrays(images[chosen], labels[chosen], problem.num_classes)

    def adapted(self, problem, known, title):
        """The GAN, adapted to labelled images, without validation."""
        import keras

        from tfgantl.errors import ConfigError
        from tfgantl.gan import GAN
        from tfgantl.metrics.extractors import train_extractor
        from tfgantl.training.optimization import ADAPTATION, dtype_policy
        from tfgantl.training.run import train as train_gan
        from tfgantl.transfer import FineTune
        from tfgantl.transfer.weights import fit_source, open_source

        source, _ = open_source(self.source, None, (), problem.seed)
        source, _ = fit_source(source, *problem.shape, problem.num_classes, "nearest", known, problem.seed)
        if source.num_classes != problem.num_classes:
            raise ConfigError(f"GANImages: `source` must be a class-conditional GAN. Received: {self.source}")
        extractor = train_extractor(*known.some(2000), problem.num_classes, problem.seed, steps=100)
        method = FineTune()
        keras.utils.set_random_seed(problem.seed)
        networks = method.networks(source, dtype_policy("auto"))
        gan = GAN(*networks, ema_decay=ADAPTATION.ema_decay, seed=problem.seed)
        size = min(problem.batch_size, known.size)
        return train_gan(
            gan, method, source, known, known, extractor, ADAPTATION, self.gan_steps, size, problem.seed,
            self.gan_steps, title=title or "gan",
        ).gan  # fmt: skip


@dataclass(frozen=True)
class OnGenerated(Recognizer):
    """Trains on generated images in place of those of the source, and on the labelled ones."""

    family: ClassVar[str] = "generated"

    def streams(self, problem):
        return {name: part for name, part in super().streams(problem).items() if name != "unlabelled"}


@dataclass(frozen=True)
class GenerateToAdapt(Recognizer):
    """Features must be what a generator can make source-like images of the right class from.

    Args:
        latent_dim: Length of the noise beside features and label.
        alpha: Weight of what the judge says of images made from source features, in the loss of the features.
        beta: Weight of the same for the target, relative to `alpha`.

    Reference:
        Sankaranarayanan et al., 2018, https://arxiv.org/abs/1704.01705
    """

    latent_dim: int = 64
    alpha: float = 0.1
    beta: float = 0.3

    family: ClassVar[str] = "generated"
    needs: ClassVar[tuple[str, ...]] = ("source", "unlabelled")
    from_source: ClassVar[bool] = True

    def networks(self, problem, model):
        from tfgantl.recognition.image_networks import image_judge, latent_generator

        inputs = problem.num_classes + 1 + model.features.output_shape[-1] + self.latent_dim
        return {
            "generator": latent_generator(inputs, *problem.shape),
            "judge": image_judge(*problem.shape, problem.num_classes + 1),
        }

    def made(self, model, features, labels):
        import tensorflow as tf

        noise = model.noise((tf.shape(features)[0], self.latent_dim))
        code = tf.one_hot(labels, model.head.output_shape[-1] + 1)
        return model.others["generator"](tf.concat([code, features, noise], 1), training=True)

    def step(self, model, batch):
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy, domain_loss

        generator, judge = model.others["generator"], model.others["judge"]
        (images, labels), target = batch["source"], batch["unlabelled"][0]
        nobody = tf.fill(tf.shape(target)[:1], model.head.output_shape[-1])  # the code of the unknown class

        def judged(x, training=True):
            said = judge(x, training=training)[0]
            return said[:, :-1], said[:, -1:]  # classes, real

        known, unknown = model.embed(images), model.embed(target)
        fakes, others = self.made(model, known, labels), self.made(model, unknown, nobody)
        with tf.GradientTape() as tape:
            classes, real = judged(images)
            told = cross_entropy(labels, classes) + domain_loss(real, 1.0)
            told += domain_loss(judged(fakes)[1], 0.0) + domain_loss(judged(others)[1], 0.0)
        model.update([judge], told, tape)
        with tf.GradientTape() as tape:
            classes, real = judged(self.made(model, known, labels), False)
            fooled = cross_entropy(labels, classes) + domain_loss(real, 1.0)
        model.update([generator], fooled, tape)
        with tf.GradientTape() as tape:
            features = model.embed(images)
            task = cross_entropy(labels, model.head(features))
            if "labelled" in batch:
                task += model.supervised({"labelled": batch["labelled"]})
            classes = judged(self.made(model, features, labels), False)[0]
            real = judged(self.made(model, model.embed(target), nobody), False)[1]
            alike = cross_entropy(labels, classes) + self.beta * domain_loss(real, 1.0)
            total = task + self.alpha * alike
        model.update([model.classifier], total, tape)
        return {"loss": total, "task": task, "alike": alike, "judge": told, "fooled": fooled}

    def generate(self, model, problem, count):
        """Images made from target features, and what the classifier takes the targets for."""
        import numpy as np

        from tfgantl.images import to_uint8, to_unit

        images = problem.target_pool[:count]
        features = model.features.predict(to_unit(images), batch_size=256, verbose=0)
        classes = problem.num_classes
        code = np.eye(classes + 1, dtype=np.float32)[np.full(len(images), classes)]
        noise = np.random.default_rng(problem.seed).standard_normal((len(images), self.latent_dim), np.float32)
        made = model.others["generator"].predict(np.concatenate([code, features, noise], 1), batch_size=256, verbose=0)
        return to_uint8(made), model.head.predict(features, batch_size=256, verbose=0).argmax(1)


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
        units = model.features.output_shape[-1]
        vector = keras.Input((units,))
        return {
            "make_source": ending("make_source"),
            "make_target": ending("make_target"),
            "first": first,
            "rest": rest,
            "real": keras.Model(vector, layers.Dense(1)(vector), name="real"),
        }

    def step(self, model, batch):
        import tensorflow as tf

        from tfgantl.recognition.losses import cross_entropy, domain_loss

        nets = model.others
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
            if "labelled" in batch:
                task += model.supervised({"labelled": batch["labelled"]})
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

        noise = np.random.default_rng(problem.seed).standard_normal((count, self.latent_dim), np.float32)
        twins, made = (model.others[n].predict(noise, batch_size=256, verbose=0) for n in ("make_source", "make_target"))
        features = model.others["rest"].predict(model.others["first"].predict(twins, verbose=0), verbose=0)
        return to_uint8(made), model.head.predict(features, verbose=0).argmax(1)


def split_features(features):
    """A features network as its first block, and the rest, which share its layers."""
    import keras

    last = [layer for layer in features.layers if layer.name.startswith("block1_")][-1]
    return keras.Model(features.inputs[0], last.output), keras.Model(last.output, features.outputs[0])
