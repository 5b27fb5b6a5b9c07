"""Real files for tests: modules of TF1 and TF2, of which some are not safe, and a pair saved in every way."""

import logging
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfgantl.export.publish import write_saved_model
from tfgantl.export.signatures import generator_signatures

v1 = tf.compat.v1


def tf1_hub_module(path: Path, trainable=True, signatures=("generator", "discriminator"), fixed_batch=None) -> Path:
    """Noise, one-hot labels and a truncation → 4 x 4 images in [0, 1], as BigGAN and compare_gan do it."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # the builder says that it is old
    rng, graph = np.random.default_rng(0), v1.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        z = v1.placeholder(tf.float32, [fixed_batch, 4])
        y = v1.placeholder(tf.float32, [fixed_batch, 3])
        truncation = v1.placeholder(tf.float32, [])
        with v1.variable_scope("generator"):
            kernel = v1.get_variable("fc/kernel", initializer=rng.normal(size=(4, 48)).astype("f"), trainable=trainable)
            table = v1.get_variable("emb/kernel", initializer=rng.normal(size=(3, 48)).astype("f"), trainable=trainable)
            mean = v1.get_variable("bn/moving_mean", [48], initializer=v1.zeros_initializer(), trainable=False)
            flat = tf.sigmoid(tf.matmul(z * truncation, kernel) + tf.matmul(y, table) - mean)
            images = tf.reshape(flat, [-1, 4, 4, 3])
        with v1.variable_scope("discriminator"):
            judge = v1.get_variable("fc/kernel", initializer=rng.normal(size=(48, 1)).astype("f"))
            logits = tf.matmul(flat, judge)
        session.run(v1.global_variables_initializer())
        known = {
            "generator": ({"z": z, "y": y, "truncation": truncation}, {"samples": images, "flat": flat}),
            "discriminator": ({"images": flat}, {"logits": logits}),
        }
        info = v1.saved_model.utils.build_tensor_info
        definitions = {
            name: v1.saved_model.signature_def_utils.build_signature_def(
                *({key: info(tensor) for key, tensor in side.items()} for side in known[name]), ""
            )
            for name in signatures
        }
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, tags=[], signature_def_map=definitions)
        builder.save()
    (path / "tfhub_module.pb").write_bytes(b"\x08\x03")
    return path


def tf2_module(path: Path, extra=None) -> Path:
    """Noise → 4 x 4 gray images in [-1, 1]; `extra` is called beside it, with the noise."""

    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.kernel = tf.Variable(np.random.default_rng(1).normal(size=(4, 16)).astype("f"), name="kernel")

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32)])
        def __call__(self, z):
            if extra is not None:
                extra(z)
            return {"images": tf.reshape(tf.tanh(z @ self.kernel), [-1, 4, 4, 1])}

    module = Module()
    tf.saved_model.save(module, str(path), signatures={"default": module.__call__})
    return path


def save_npz(gan, path):
    np.savez(path, **{f"{n.name}/{v.path}": v.numpy() for n in (gan.generator, gan.discriminator) for v in n.variables
                      if v.dtype == "float32"})  # fmt: skip


def save_h5(gan, path):
    gan.save_weights(path)


def save_generator_h5(gan, path):
    gan.generator.save_weights(path)


def save_exported(gan, path):
    path.mkdir()
    write_saved_model(gan.generator, generator_signatures(gan.generator), path)


def save_run(gan, path):
    for network in (gan.generator, gan.discriminator):
        network.save(path / f"{network.name}.keras")


class Swap(tf.Module):
    """Content with the mean colour of the style; sides are rounded down to multiples of 4, as networks do it."""

    def __init__(self, given=lambda painted: [painted]):
        super().__init__()
        self.gain = tf.Variable(1.0, name="gain")
        self.given = given

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 3], tf.float32, "placeholder"),
            tf.TensorSpec([None, None, None, 3], tf.float32, "placeholder_1"),
        ]
    )
    def __call__(self, content, style):
        mean = [tf.reduce_mean(x, (1, 2), keepdims=True) for x in (content, style)]
        painted = tf.clip_by_value((content - mean[0]) * self.gain + mean[1], 0.0, 1.0)
        return self.given(painted[:, : tf.shape(painted)[1] // 4 * 4, : tf.shape(painted)[2] // 4 * 4])


def arbitrary_style_module(path, **options):
    """A module that paints one picture in the style of another."""
    tf.saved_model.save(Swap(**options), str(path))
    return path
