"""Networks that a run depends on and its settings only name: exchanged while it was interrupted."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_MLP
from modules import tf2_module

from tfgantl.crossmodal.caption_bank import CaptionBank
from tfgantl.crossmodal.encoders import TextImageEncoders
from tfgantl.crossmodal.text_encoder import TextEncoder
from tfgantl.crossmodal.wrapped_text import text_encoder_hash
from tfgantl.editing.reconstruction import Reconstruction
from tfgantl.errors import ArtifactError, RunError
from tfgantl.models.copies import layers_hash
from tfgantl.models.stylizer import Stylizer
from tfgantl.pipelines.adapt.preparation import PreparedAdaptation
from tfgantl.pipelines.edit.pictures import Pictures, inversion_facts
from tfgantl.pipelines.recognize.preparation import PreparedComparison
from tfgantl.pipelines.stylize import pass_painters
from tfgantl.pipelines.stylize.pass_painters import PhrasePainter
from tfgantl.pretrained import load_generator
from tfgantl.recognition import GANImages, VGG16Head
from tfgantl.recognition.comparison import Trial
from tfgantl.style.phrases import StylePhrases
from tfgantl.training.run_directory import RunDirectory
from tfgantl.transfer import FineTune, Perceptual, TextDirection


def begins(path, facts):
    """Begins a run, and goes on with it."""
    for resume in (False, True):
        with RunDirectory(path, resume=resume) as run:
            run.begin("steps: 3\n", facts)


def is_refused(path, facts, name):
    with (
        pytest.raises(RunError, match=f"must be as they were.*Received: {name} "),
        RunDirectory(path, resume=True) as run,
    ):
        run.begin("steps: 3\n", facts)


def vgg16_file(path, value):
    """Enough of VGG16 to be told by."""
    np.savez(path, **{"block1_conv1/kernel:0": np.full((3, 3, 3, 2), value, np.float32)})
    return str(path)


def adaptation(transfer, pair=None):
    generator, discriminator = pair or TINY_MLP.build(8, 1)
    source = SimpleNamespace(generator=generator, discriminator=discriminator)
    return SimpleNamespace(source=source, examples={}, extractor=SimpleNamespace(id="x"), transfer=transfer)


def test_vgg16_of_a_method_may_not_be_exchanged(tmp_path):
    prepared = adaptation(Perceptual(weights=vgg16_file(tmp_path / "w.npz", 1.0)))
    begins(tmp_path / "run", PreparedAdaptation.facts(prepared))
    vgg16_file(tmp_path / "w.npz", 2.0)
    is_refused(tmp_path / "run", PreparedAdaptation.facts(prepared), "VGG16")


def test_networks_of_equal_weights_may_not_be_exchanged(tmp_path):
    """A slope, a rate or an epsilon is no weight, and other images come out."""

    def pair(slope):
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Dense(3), keras.layers.LeakyReLU(slope)]
        inner = keras.Sequential([keras.Input((4,)), *layers], name="inner")
        inputs = keras.Input((4,))
        return keras.Model(inputs, keras.layers.Rescaling(0.5)(inner(inputs)), name="generator"), TINY_MLP.build(8, 1)[
            1
        ]

    begins(tmp_path / "run", PreparedAdaptation.facts(adaptation(FineTune(), pair(0.2))))
    first, again = (PreparedAdaptation.facts(adaptation(FineTune(), pair(0.2))) for _ in range(2))
    assert first == again  # whatever Keras has called the layers
    is_refused(
        tmp_path / "run", PreparedAdaptation.facts(adaptation(FineTune(), pair(0.9))), "layers of the source gen.*"
    )
    names = {layers_hash(network) for network in (*TINY_MLP.build(8, 1), *TINY_MLP.build(8, 1))}
    assert len(names) == 2


def test_layers_are_told_apart_by_all_that_they_compute(tmp_path):
    """Operations and joints are no layers; modules, and what wraps a network, have no configuration of their own."""

    def ended(end, skip=False):
        inputs = keras.Input((4,))
        x = keras.layers.Dense(4)(keras.layers.Dense(4)(inputs))
        return keras.Model(inputs, end(x + inputs if skip else x + x))

    found = [layers_hash(ended(end, skip)) for end in (keras.ops.tanh, keras.ops.sigmoid) for skip in (False, True)]
    again = [layers_hash(ended(end, skip)) for end in (keras.ops.tanh, keras.ops.sigmoid) for skip in (False, True)]
    assert found == again and len(set(found)) == 4

    def wrapped():
        inputs = keras.Input((4,))
        inner = keras.Model(inputs, keras.layers.Dense(2)(inputs))
        frames = keras.Input((3, 4))
        return keras.Model(frames, keras.layers.TimeDistributed(inner)(frames))

    assert layers_hash(wrapped()) == layers_hash(wrapped())
    module = load_generator(str(tf2_module(tmp_path / "module")))
    other = load_generator(str(tf2_module(tmp_path / "other", extra=lambda z: tf.tanh(z))))
    assert layers_hash(module) == layers_hash(load_generator(str(tmp_path / "module"))) != layers_hash(other)


def test_networks_of_recognition_methods_may_not_be_exchanged(make_gan, tmp_path):
    """A row of a table would be of two GANs."""
    handle = str(tmp_path / "gan.keras")
    methods = (
        GANImages(source=handle, labeller=VGG16Head(weights=vgg16_file(tmp_path / "w.npz", 1.0))),
        VGG16Head(weights=str(tmp_path / "w.npz"), units=8),
        VGG16Head(weights="random"),
    )
    comparison = SimpleNamespace(
        domains=SimpleNamespace(source={}, target={}), trials=[Trial("x", method, 0, 0) for method in methods]
    )
    make_gan(TINY_MLP, seed=0).save(handle)
    begins(tmp_path / "run", PreparedComparison.facts(comparison))
    make_gan(TINY_MLP, seed=1).save(handle)
    is_refused(tmp_path / "run", PreparedComparison.facts(comparison), "networks of methods")
    make_gan(TINY_MLP, seed=0).save(handle)
    begins(tmp_path / "other", PreparedComparison.facts(comparison))
    vgg16_file(tmp_path / "w.npz", 2.0)
    is_refused(tmp_path / "other", PreparedComparison.facts(comparison), "networks of methods")


def test_what_pictures_are_compared_by_may_not_be_exchanged(tmp_path):
    """Codes of some pictures would be those of another distance."""

    def facts(seed):
        keras.utils.set_random_seed(seed)
        features = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)])
        model = SimpleNamespace(facts=dict, reconstruction=Reconstruction(features, "vgg16"))
        return inversion_facts(model, Pictures(["a"], np.zeros((1, 8, 8, 3), np.uint8), None, {}))

    begins(tmp_path / "run", facts(0))
    is_refused(tmp_path / "run", facts(1), "pictures are compared by")


def test_files_of_text_encoders_are_told_apart_by_all_that_they_hold(tmp_path):
    """Words of a `TextVectorization` are in no weights, but in the graph."""
    words = keras.layers.TextVectorization(vocabulary=["dark"])
    network = keras.Sequential([keras.Input((), dtype="string"), words, keras.layers.Embedding(3, 2)])
    network.export(str(tmp_path / "module"), verbose=False)
    found = [text_encoder_hash(tmp_path / "module")]
    for file in (tmp_path / "module" / "saved_model.pb", max((tmp_path / "module" / "variables").iterdir())):
        file.write_bytes(file.read_bytes() + b" ")
        found += [text_encoder_hash(tmp_path / "module")] * 2
    assert len(set(found)) == len(found[::2])
    with pytest.raises(ArtifactError, match="`text_encoder` must be a .keras file, or the directory of a SavedModel"):
        text_encoder_hash(tmp_path / "missing.keras")


def test_networks_of_styles_are_told_apart_by_the_names_of_these(tmp_path):
    """The rest of a folder would be painted in another style."""
    keras.utils.set_random_seed(0)
    image = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4), keras.layers.UnitNormalization()])
    bank = CaptionBank(("dark", "blue"))
    encoders = TextImageEncoders(TextEncoder.of(["dark", "blue"], dimension=4, width=2), image, 10.0, bank)
    network = Stylizer(2, width=2, blocks=1, styles=["dark", "blue"])
    phrases = StylePhrases(encoders, ("dark", "blue"), np.eye(2, 4, dtype=np.float32), 32)

    def facts(network, phrases):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pass_painters, "load_with_phrases", lambda model: (network, phrases))
            return PhrasePainter(SimpleNamespace(model="x"), None, "dark").facts

    other = Stylizer(2, width=2, blocks=1, styles=["blue", "dark"])
    other.set_weights(network.get_weights())
    begins(tmp_path / "run", facts(network, phrases))
    is_refused(tmp_path / "run", facts(other, phrases), "layers of the stylizer .*; styles of the stylizer")
    encoders.scale = 20.0
    is_refused(tmp_path / "run", facts(network, phrases), "what phrases say")


def test_encoders_of_equal_weights_and_other_layers_may_not_be_exchanged(tmp_path):
    def facts(activation):
        keras.utils.set_random_seed(0)
        ends = keras.layers.Dense(4, activation), keras.layers.UnitNormalization()
        image = keras.Sequential([keras.Input((6,)), *ends])
        text = TextEncoder.of(["dark"], dimension=4, width=2)
        encoders = TextImageEncoders(text, image, 10.0, CaptionBank(("dark",)))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TextImageEncoders, "load", lambda handle: encoders)
            return TextDirection().facts()

    begins(tmp_path / "run", facts("relu"))
    assert facts("relu") == facts("relu")
    is_refused(tmp_path / "run", facts("tanh"), "layers of the encoders of phrases")


def test_what_is_trained_with_are_the_encoders_that_are_told(make_gan, monkeypatch):
    """They were opened twice: what was hashed need not have been what the images were moved by."""
    opened = []

    def load(handle):
        text = TextEncoder.of(["dark", "light"], dimension=4, width=2)
        image = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])
        opened.append(TextImageEncoders(text, image, 10.0, CaptionBank(("dark",))))
        return opened[-1]

    monkeypatch.setattr(TextImageEncoders, "load", load)
    method = TextDirection(source_text="dark", target_text="light")
    told = method.facts()
    method.prepare(make_gan(TINY_MLP), make_gan(TINY_MLP))
    assert len(opened) == 1 and told["encoders of phrases"] == opened[0].hash
