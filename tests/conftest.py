"""Shared tiny things: everything here takes milliseconds, and is the same on every run."""

import gc
import hashlib
import os
import re
import signal
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
# One thread for each worker of pytest, as they share the cores.
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

# The benchmarks are not installed. Only they are found in the clone: tests are of the package that is installed.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, settings
from tensorflow.python.eager.polymorphic_function import function_context
from tensorflow.python.util import tf_stack

from tfgantl.data import Examples
from tfgantl.data.pipeline import batches
from tfgantl.export import publish
from tfgantl.export.check import check
from tfgantl.gan import GAN
from tfgantl.models import DCGAN, MLP, SNGAN, FastGAN, StyleGAN2
from tfgantl.models.adapters.base import run
from tfgantl.models.layers import Noise
from tfgantl.models.structure import structure_of
from tfgantl.models.vgg import BLOCKS, vgg16
from tfgantl.network_pair import NetworkPair
from tfgantl.optimizers import Adam
from tfgantl.privacy import audit, membership
from tfgantl.training import run as training_run
from tfgantl.training.run_directory import RunDirectory
from tfgantl.training.stages import StageMetrics
from tfgantl.training.validation import Validate

# Every node of a graph keeps where in Python it was made, which takes a tenth of all tracing; here, one place does.
HERE = tf_stack.extract_stack()
tf_stack.extract_stack = lambda stacklevel=1: HERE

# A function is traced once more while it is saved, for options of saving that nothing here sets.
function_context.save_context = SimpleNamespace(in_save_context=lambda: False)

# Steps that two devices share need both before TensorFlow computes anything, in a process that test_replicas.py starts.
TWO_DEVICES = "TESTS_HAVE_TWO_DEVICES"
collect_ignore = []
if TWO_DEVICES in os.environ:
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)
else:
    collect_ignore.append("two_devices")

# Graphs of this size take longer to be made better than to be run; programs that tests start have it as users do.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

gc.set_threshold(200_000, 20, 100)  # graphs are made of many objects, and few of them are garbage

COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
settings.register_profile("short", max_examples=25, derandomize=True, database=None, **COMMON)
settings.register_profile("long", max_examples=2000, **COMMON)
settings.load_profile("short")

TINY_DCGAN = DCGAN(latent_dim=4, filters=(8, 6, 4), strides=(1, 2, 2), kernel_size=3, label_dim=2, dropout=0.0)
TINY_MLP = MLP(latent_dim=4, units=8, label_dim=2)
TINY_STYLEGAN2 = StyleGAN2(
    latent_dim=4, style_dim=5, mapping_layers=2, label_layers=1, base=32, most=6, style_mixing=0.5
)
TINY_SNGAN = SNGAN(latent_dim=4, width=4, most=6, label_dim=2)
TINY_FASTGAN = FastGAN(latent_dim=4, width=4, most=6, label_dim=2)
TINY = {
    "DCGAN": TINY_DCGAN,
    "MLP": TINY_MLP,
    "StyleGAN2": TINY_STYLEGAN2,
    "SNGAN": TINY_SNGAN,
    "FastGAN": TINY_FASTGAN,
}  # one for each of `FAMILIES`, which a test compares


@pytest.fixture(autouse=True, scope="session")
def short_audits():
    """Latents of 20 pictures of either kind are searched for, in two steps: that takes longer than tiny trainings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit, "MOST_MEMBERS", audit.ENOUGH)
        patch.setattr(membership.recovery_scores, "__defaults__", (2,))
        yield


@pytest.fixture(scope="session")
def two():
    """Two devices, once for all tests: strategies of the same ones would take each other's messages for their own."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def tiny_images(count=24, size=8, channels=1, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, channels), dtype=np.uint8)


def conditional_pair(spec=TINY_DCGAN, classes=3, size=8):
    """A pair whose discriminator tells classes apart."""
    keras.utils.set_random_seed(1)
    gan = GAN(*spec.build(size, 1, classes))
    for variable in structure_of(gan.discriminator).label_tables:
        variable.assign(np.random.default_rng(0).normal(size=variable.shape))
    return gan


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Nothing that a test builds is found by another, or by the user."""
    monkeypatch.setenv("TFGANTL_CACHE_DIR", str(tmp_path / "own-cache"))


@pytest.fixture(autouse=True, scope="session")
def checked_in_this_process():
    """What is published is checked here: a process of its own takes seconds. Those that tests start have theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "check_in_fresh_process", check)
        yield


@pytest.fixture(scope="session")
def random_vgg(tmp_path_factory):
    """A file with random weights of the first blocks of VGG16."""
    path = tmp_path_factory.mktemp("vgg") / "random.npz"
    network = vgg16(("block1_conv2", "block2_conv2", "block3_conv3"), None)
    np.savez(path, **{w.path: w.numpy() for w in network.weights})
    return path


@pytest.fixture(scope="session")
def all_of_vgg(tmp_path_factory):
    """Random weights of all of VGG16, as Keras would download them."""
    path = tmp_path_factory.mktemp("vgg") / "all.npz"
    rng = np.random.default_rng(0)
    layers = keras.applications.VGG16(weights=None, include_top=False).weights
    np.savez(path, **{w.path: rng.normal(0, 0.01, w.shape).astype(np.float32) for w in layers})
    return path


def narrow_vgg16(weights=None, include_top=False, width=4):
    """The layers of VGG16 by their names, with few channels."""
    x = images = keras.Input((None, None, 3))
    for block, count in BLOCKS.items():
        for i in range(count):
            x = keras.layers.Conv2D(width, 3, padding="same", activation="relu", name=f"{block}_conv{i + 1}")(x)
        x = keras.layers.MaxPooling2D(2, name=f"{block}_pool")(x)
    return keras.Model(images, x)


@pytest.fixture(scope="session")
def narrow_weights(tmp_path_factory):
    path, rng = tmp_path_factory.mktemp("vgg") / "narrow.npz", np.random.default_rng(0)
    np.savez(path, **{w.path: rng.normal(0, 0.3, w.shape).astype(np.float32) for w in narrow_vgg16().weights})
    return str(path)


@pytest.fixture
def narrow(narrow_weights, monkeypatch):
    """Takes a narrow network for VGG16, which would make for most of the time; gives the file of its weights."""
    monkeypatch.setattr(keras.applications, "VGG16", narrow_vgg16)
    monkeypatch.setenv("TFGANTL_VGG16_WEIGHTS", narrow_weights)
    return narrow_weights


@pytest.fixture
def eagerly():
    """Steps are run without being traced: of what takes two steps, tracing is most."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def vgg_weights(random_vgg, monkeypatch):
    """Takes the random weights for those of ImageNet, for methods that look at images with VGG16."""
    monkeypatch.setenv("TFGANTL_VGG16_WEIGHTS", str(random_vgg))


@contextmanager
def interrupted_at(step):
    """Within it, this process gets SIGINT when a run logs that step."""
    log = RunDirectory.log

    def interrupt(run, record):
        log(run, record)
        if record.get("step") == step:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunDirectory, "log", interrupt)
        yield


@pytest.fixture
def examples():
    """24 random 8 x 8 images in 3 classes."""
    return Examples.from_arrays(tiny_images(), np.arange(24) % 3, num_classes=3)


@pytest.fixture
def make_gan():
    """Builds a tiny GAN; the same seed gives the same weights."""

    def make(networks=TINY_DCGAN, num_classes=3, seed=0, dtype="float32", channels=1, **options):
        keras.utils.set_random_seed(seed)
        return GAN(*networks.build(8, channels, num_classes, dtype), seed=seed, **options)

    return make


@pytest.fixture
def compiled(make_gan):
    """Builds and compiles a tiny GAN."""

    def make(gan=None, rate=1e-2, **options):
        gan = gan or make_gan()
        gan.compile(Adam(rate), Adam(rate), **options)
        return gan

    return make


@pytest.fixture
def tiny_extractor():
    """An untrained extractor for 8 x 8 gray images in 3 classes."""
    from tfgantl.metrics.extractors import Extractor
    from tfgantl.models.classifier import small_cnn

    keras.utils.set_random_seed(3)
    return Extractor(small_cnn(8, 1, 3, width=4, units=6), "tiny", 1.0, predicts_labels=True)


# Options of methods that look at many images before they train, or at each step.
QUICK = {"CDC": {"anchors": 3, "samples": 3}, "AdAM": {"samples": 2}, "RICK": {"samples": 2}, "EWC": {"samples": 2}}


@pytest.fixture
def short_validation(monkeypatch):
    """Validations look at 40 images in place of 1,000, and batch normalisation is measured anew on 32 of 2,048."""
    monkeypatch.setattr(training_run, "Validate", partial(Validate, count=40))
    monkeypatch.setattr(NetworkPair.recalibrate_batch_norm, "__defaults__", (2, 16))


@pytest.fixture
def short_extractor(monkeypatch):
    """Extractors that are trained on the spot take four steps."""
    from tfgantl.metrics import extractor_choice

    monkeypatch.setattr(extractor_choice, "STEPS", 4)


def small_job(path):
    """Options of `adapt` for a tiny source, target and extractor, which are written into a directory."""
    from tfgantl.metrics.extractors import Extractor
    from tfgantl.models.classifier import small_cnn

    keras.utils.set_random_seed(3)
    Extractor(small_cnn(8, 1, 3, width=4, units=6), "tiny", 1.0, predicts_labels=True).save(path / "extractor")
    (path / "source").mkdir()
    for network in TINY_DCGAN.build(8, 1, 3):
        network.save(path / "source" / f"{network.name}.keras")
    np.savez(path / "target.npz", x=tiny_images(90), y=np.arange(90) % 3)
    return [
        "--source", str(path / "source"), "--extractor", str(path / "extractor"), "--target", "Arrays",
        "--target.path", str(path / "target.npz"), "--batch_size", "8", "--classifier_steps", "4",
    ]  # fmt: skip


def numpy_weights(network):
    return {v.path: v.numpy().copy() for v in network.weights}


def moved(network, before):
    return {v.path for v in network.weights if not np.array_equal(v.numpy(), before[v.path])}


def fixed(network):
    """Paths of weights that no training moves: maps of noise."""
    return {layer.map.path for layer in network._flatten_layers() if isinstance(layer, Noise)}


def directions(network):
    """Paths of directions of spectral norms, which training need not move once they are found."""
    return {layer.direction.path for layer in network._flatten_layers() if hasattr(layer, "direction")}


@pytest.fixture
def source(make_gan):
    return make_gan(seed=9)


def adapted_gan(method, source, seed=0):
    keras.utils.set_random_seed(seed)
    gan = GAN(*method.networks(source, "float32"), seed=seed)
    method.prepare(gan, source)
    return gan


def play(method, gan, examples, steps=40, after=None):
    """Follows the whole schedule at half the steps; `after` is called with each stage."""
    schedule, outcome, taken = method.schedule(steps), None, 0
    while True:
        try:
            stage = schedule.send(outcome)
        except StopIteration:
            break
        stage.begin(gan)
        before = [numpy_weights(network) for network in (gan.generator, gan.discriminator)]
        data = batches(examples, 8, seed=0, start=int(gan.step))
        gan.fit(data, steps_per_epoch=max(1, stage.steps // 2), verbose=0, shuffle=False)
        if after is not None:
            after(stage, before)
        taken += stage.steps
        outcome = StageMetrics(1.0 / taken, 1.0 / taken, 1.0, 1.0) if stage.measured else None
    assert taken == steps


def live_images(gan):
    """What the generator makes with its adapters, outside of training."""
    labels = None if gan.num_classes is None else np.arange(6) % gan.num_classes
    return run(gan.generator, gan.inputs(gan.latents(6), labels), gan.g_adapters, training=False).numpy()


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Fills the cache of tensorflow_hub as its downloader leaves it; gives the function that does it."""
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))

    def fill(handle, make):
        directory = tmp_path / "cache" / hashlib.sha1(handle.encode()).hexdigest()
        directory.parent.mkdir(exist_ok=True)
        make(directory)
        return handle

    return fill


@contextmanager
def growth_below(mebibytes):
    """Fails if the memory of this process rises by more, be it for a moment."""

    def peak():
        return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024

    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = peak()
    yield
    assert peak() - before < mebibytes


@pytest.fixture
def text_encoders(monkeypatch):
    """Encoders of a text and of images of 8 pixels, untrained, in place of those that are shipped."""
    from tfgantl.crossmodal.caption_bank import CaptionBank
    from tfgantl.crossmodal.encoders import TextImageEncoders
    from tfgantl.crossmodal.image_encoder import build_image_encoder
    from tfgantl.crossmodal.text_encoder import TextEncoder

    def load(handle=None):
        state = keras.random.SeedGenerator(0)
        phrases = ("a thin digit", "a thick digit")
        text, image = TextEncoder.of(phrases, dimension=6, width=4), build_image_encoder(8, 1, 6, width=2)
        for variable in (*text.trainable_variables, *image.trainable_variables):
            variable.assign(keras.random.normal(variable.shape, seed=state))
        return TextImageEncoders(text, image, 10.0, CaptionBank(phrases))

    monkeypatch.setattr(TextImageEncoders, "load", load)
