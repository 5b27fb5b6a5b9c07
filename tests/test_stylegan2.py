"""StyleGAN2 computes what was published, whichever program a checkpoint is of."""

import argparse

import foreign_files as files
import keras
import numpy as np
import pytest
import stylegan2_reference as reference
import tensorflow as tf

from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.models import StyleGAN2
from tfgantl.models.copies import float32_copy
from tfgantl.models.structure import structure_of
from tfgantl.models.stylegan2.discriminator import StyleGAN2Discriminator
from tfgantl.pretrained import load_generator, open_source
from tfgantl.pretrained.foreign.stylegan2 import recognise
from tfgantl.untrusted.foreign_checkpoints import ForeignCheckpoint, ForeignNetwork


def checkpoint(layout, g, d, arguments=None):
    arguments = arguments or {}
    if layout == "rosinality":
        a, b, average = reference.to_rosinality(g, d)
        return ForeignCheckpoint({"g_ema": ForeignNetwork(a), "d": ForeignNetwork(b)}, {"latent_avg": average})
    if layout == "nvidia":
        names = {"G_ema": g, "D": {**d, "b8.conv1.resample_filter": np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64}}
    else:
        names = dict(zip(("Gs", "D"), reference.to_tensorflow(g, d), strict=True))
    return ForeignCheckpoint({name: ForeignNetwork(arrays, arguments) for name, arrays in names.items()})


def inside(network, name):
    """What a layer of a network takes."""
    return keras.Model(network.input, network.get_layer(name).input)


def close(mine, wanted, share=1e-4):
    np.testing.assert_allclose(mine, wanted, atol=share * np.abs(wanted).max(), rtol=0)


CASES = [("rosinality", None, 3), ("nvidia", None, 1), ("nvidia", 4, 3), ("tensorflow", 4, 1)]


@pytest.mark.parametrize(("layout", "classes", "channels"), CASES)
def test_checkpoints_compute_what_the_papers_say(layout, classes, channels):
    g, d = reference.random_pair(channels=channels, classes=classes, z=6 if layout == "rosinality" else 5)
    generator, discriminator, report = recognise(checkpoint(layout, g, d), "x")
    assert report.share == 1 and not report.of("skipped") and not report.of("initial")
    assert f"16 px, {channels} channels, {classes or 'no'} classes, base 64, most 7" in report.notes[0]
    rng = np.random.default_rng(1)
    z, labels = (
        rng.standard_normal((8, generator.latent_dim)).astype("f"),
        None if classes is None else np.arange(8) % 4,
    )
    inputs = z if classes is None else [z, labels]
    w = reference.mapping(g, z, labels)
    close(inside(generator, "styles")(inputs)[0], w)
    images = reference.synthesis(g, np.repeat(w[:, None], 6, 1))
    close(inside(generator, "images")(inputs), images)
    np.testing.assert_allclose(generator(inputs), np.clip(images, -1, 1), atol=1e-4)
    cut = w.mean(0) * 0 + g["mapping.w_avg"] + 0.5 * (w - g["mapping.w_avg"])
    ws = np.repeat(w[:, None], 6, 1)
    ws[:, :3] = cut[:, None]
    close(inside(generator.truncated(0.5, cutoff=3), "images")(inputs), reference.synthesis(g, ws))
    images = images.astype("f")
    logits = discriminator(images if classes is None else [images, labels]).numpy()[:, 0]
    close(logits, reference.discriminate(d, images, labels))


# Of rosinality's program (of 2021, PyTorch 2.14, CPU), on the arrays of `reference.random_pair`.
GOLDEN = {
    "pixels": [[4.876653671264648, -4.387186050415039, 7.886358261108398],
               [4.358321189880371, 2.958726644515991, 3.006260633468628]],
    "logits": [-1.0443658828735352, -1.0569149255752563, -1.078959584236145],
}  # fmt: skip


def test_the_program_of_rosinality_gives_the_same_numbers():
    g, d = reference.random_pair(z=6)
    generator, discriminator, _ = recognise(checkpoint("rosinality", g, d), "x")
    images = inside(generator, "images")(np.random.default_rng(1).standard_normal((8, 6)).astype("f")).numpy()
    np.testing.assert_allclose([images[0, 3, 5], images[7, 15, 0]], GOLDEN["pixels"], atol=1e-4)
    np.testing.assert_allclose(discriminator(images)[:3, 0], GOLDEN["logits"], atol=1e-5)


def test_bounds_and_groups_are_taken_from_the_arguments():
    g, d = reference.random_pair(channels=1)
    arguments = {"synthesis_kwargs": {"conv_clamp": 2.0}, "epilogue_kwargs": {"mbstd_group_size": None}}
    generator, discriminator, report = recognise(checkpoint("nvidia", g, d, arguments), "x")
    z = np.random.default_rng(1).standard_normal((3, 5)).astype("f")
    images = reference.synthesis(g, np.repeat(reference.mapping(g, z)[:, None], 6, 1), clamp=2.0)
    close(inside(generator, "images")(z), images)
    assert "clamp 2" in report.notes[0] and discriminator.clamp == 2.0
    discriminator = recognise(checkpoint("nvidia", g, d, {"mbstd_group_size": None}), "x")[1]
    images = images.astype("f").repeat(2, 0)
    close(discriminator(images).numpy()[:, 0], reference.discriminate(d, images, group=6))


def test_what_is_no_stylegan2_or_not_whole_is_told():
    g, d = reference.random_pair()
    other = ForeignNetwork({"synthesis.input.weight": g["mapping.fc0.weight"]})
    assert recognise(ForeignCheckpoint({"G_ema": other}), "x") is None
    alone = ForeignCheckpoint({"": ForeignNetwork(reference.to_rosinality(g, d)[0])})
    generator, discriminator, _ = recognise(alone, "x")
    assert discriminator is None and np.abs(generator.get_layer("styles").average.numpy()).max() > 0.1  # was measured
    wrong = {
        "missing .*block1_conv0_noise/map": {k: v for k, v in g.items() if k != "synthesis.b8.conv0.noise_const"},
        "of another shape .*noise_const": {**g, "synthesis.b8.conv0.noise_const": np.zeros((4, 4))},
        r"1 or 3 channels. Received: 2": {**g, "synthesis.b4.torgb.weight": np.zeros((2, 7, 1, 1))},
        "mapping_0/kernel with 2 axes. Received: none": {k: v for k, v in g.items() if "fc0" not in k},
    }
    for message, arrays in wrong.items():
        with pytest.raises(ArtifactError, match=f"must .*{message}") as error:
            recognise(ForeignCheckpoint({"G_ema": ForeignNetwork(arrays)}), "x")
        assert "\n" not in str(error.value)
    with pytest.raises(ArtifactError, match="`conv_clamp` .* must be a number above 0, or none. Received: many"):
        recognise(checkpoint("nvidia", g, d, {"conv_clamp": "many"}), "x")
    with pytest.raises(ArtifactError, match="mapping.fc0.weight of a StyleGAN2 must fit mapping_0/kernel. Received: "):
        recognise(ForeignCheckpoint({"G_ema": ForeignNetwork({**g, "mapping.fc0.weight": np.array(["x", "y"])})}), "x")
    labelled = {**reference.to_tensorflow(g, d)[0], "mapping/LabelConcat/weight": np.zeros((3, 6))}
    with pytest.raises(
        ArtifactError, match="no classes, or be of StyleGAN2-ADA. Received: labels as in the code of 2019"
    ):
        recognise(ForeignCheckpoint({"Gs": ForeignNetwork(labelled)}), "x")


def numeric_gradient(function, x, step=1e-5):
    """Gradient of a function of an array, by central differences in float64."""
    gradient, flat = np.zeros(x.size), x.astype(np.float64).ravel()
    for i in range(x.size):
        ends = []
        for sign in (1, -1):
            moved = flat.copy()
            moved[i] += sign * step
            ends.append(function(moved.reshape(x.shape)))
        gradient[i] = (ends[0] - ends[1]) / (2 * step)
    return gradient.reshape(x.shape)


def test_first_and_second_gradients_of_r1_are_those_of_the_formulas():
    g, d = reference.random_pair(size=8, channels=1, base=32, most=4)
    _, discriminator, _ = recognise(checkpoint("nvidia", g, d), "x")
    images = np.random.default_rng(1).standard_normal((2, 8, 8, 1)).astype("f")

    def penalty(moved):
        gradient = numeric_gradient(lambda x: reference.discriminate(moved, x, group=2).sum(), images)
        return (gradient**2).sum() / 2

    kernel = discriminator.get_layer("block1_conv0").kernel
    with tf.GradientTape() as outer:
        x = tf.constant(images)
        with tf.GradientTape() as inner:
            inner.watch(x)
            total = tf.reduce_sum(discriminator(x, training=True))
        mine = tf.reduce_sum(tf.square(inner.gradient(total, x))) / 2
    wanted = penalty({k: v.astype(np.float64) for k, v in d.items()})
    np.testing.assert_allclose(mine, wanted, rtol=1e-4)
    way = np.random.default_rng(2).standard_normal(d["b8.conv0.weight"].shape)
    ends = [penalty({**d, "b8.conv0.weight": d["b8.conv0.weight"] + sign * 1e-3 * way}) for sign in (1, -1)]
    slope = np.sum(outer.gradient(mine, kernel.value).numpy() * way.transpose(2, 3, 1, 0))
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-3, rtol=2e-3)


def test_gradients_with_respect_to_w_are_those_of_the_formulas():
    g, d = reference.random_pair(size=8, channels=1, base=32, most=4)
    generator = recognise(checkpoint("nvidia", g, d), "x")[0]
    z = np.random.default_rng(1).standard_normal((1, 5)).astype("f")
    noise = np.random.default_rng(2).standard_normal((1, 8, 8, 1))
    cut = keras.Model(generator.input, [structure_of(generator).styles, generator.get_layer("images").input])
    kernel = generator.get_layer("block1_conv0").kernel

    def length(moved):
        ws = np.repeat(reference.mapping(moved, z.astype(np.float64))[:, None], 4, 1)
        gradient = numeric_gradient(lambda x: (reference.synthesis(moved, x) * noise).sum(), ws)
        return np.sqrt((gradient**2).sum(2).mean())

    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            ws, images = cut(z)
            total = tf.reduce_sum(images * tf.constant(noise, tf.float32))
        mine = tf.sqrt(tf.reduce_mean(tf.reduce_sum(tf.square(inner.gradient(total, ws)), 2)))
    np.testing.assert_allclose(mine, length(g), rtol=1e-4)
    way = np.random.default_rng(3).standard_normal(g["synthesis.b8.conv0.weight"].shape)
    ends = [
        length({**g, "synthesis.b8.conv0.weight": g["synthesis.b8.conv0.weight"] + s * 1e-3 * way}) for s in (1, -1)
    ]
    slope = np.sum(outer.gradient(mine, kernel.value).numpy() * way.transpose(2, 3, 1, 0))
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-3, rtol=2e-3)


def test_an_odd_batch_has_logits_and_groups_are_the_largest_that_fit():
    g, d = reference.random_pair(size=8, channels=1)
    discriminator = recognise(checkpoint("nvidia", g, d), "x")[1]
    images = np.random.default_rng(1).standard_normal((9, 8, 8, 1)).astype("f")
    for count, group in ((1, 1), (6, 3), (7, 1), (8, 4), (9, 3)):
        wanted = reference.discriminate(d, images[:count], group=group)
        close(discriminator(images[:count]).numpy()[:, 0], wanted)


@pytest.mark.parametrize("size", [4, 28, 2048])
def test_sizes_that_cannot_be_made_are_refused(size):
    with pytest.raises(ConfigError, match=f"must be a power of 2 from 8 to 1024 for StyleGAN2. Received: {size}"):
        StyleGAN2().build(size, 3)


def test_sizes_are_those_of_the_published_code_and_may_be_changed():
    assert StyleGAN2(size="config_f").base == 32768 and StyleGAN2(size="auto").mapping_layers == 2
    changed = StyleGAN2(size="paper256", latent_dim=256)
    assert (changed.size, changed.latent_dim, changed.style_dim) == ("custom", 256, 512)
    generator = StyleGAN2(size="paper256", base=512, most=16).build(16, 3)[0]
    assert StyleGAN2.from_generator(generator).mapping_layers == 8
    with pytest.raises(ConfigError, match="`size` must be one of tiny, .* Received: large"):
        StyleGAN2(size="large")


def test_half_precision_is_near_float32():
    keras.utils.set_random_seed(0)
    spec = StyleGAN2(latent_dim=8, style_dim=8, base=256, most=16)
    for half, labels in zip(spec.build(16, 3, 4, "mixed_bfloat16"), (np.arange(4), np.arange(4)), strict=True):
        full = float32_copy(half)
        first = np.random.default_rng(0).standard_normal((4, *half.inputs[0].shape[1:])).astype("f")
        if hasattr(half, "style_dim"):
            half, full = inside(half, "images"), inside(full, "images")
        close(half([first, labels]), full([first, labels]), share=0.03)


def test_a_file_that_asks_for_a_billion_layers_is_refused():
    with pytest.raises(ConfigError, match=r"`mapping_layers` of a StyleGAN2 must be in .1, 64.. Received: 1000000000"):
        StyleGAN2(mapping_layers=10**9).build(8, 1)
    with pytest.raises(ConfigError, match=r"`label_layers` of a StyleGAN2 must be in .0, 64.. Received: -1"):
        StyleGAN2Discriminator(8, 1, label_layers=-1)


def module_of(kind, arrays, **arguments):
    """The module of NVIDIA's PyTorch program that holds these arrays, by the dots in their names."""
    children = {}
    for name, array in arrays.items():
        first, _, rest = name.partition(".")
        children.setdefault(first, {})[rest] = array
    modules = [(name, module_of("Layer", inner)) for name, inner in children.items() if "" not in inner]
    leaves = {name: inner[""] for name, inner in children.items() if "" in inner}
    buffers = {"w_avg", "noise_const", "resample_filter"}
    parameters = [(name, files.parameter(x.astype("<f4"))) for name, x in leaves.items() if name not in buffers]
    others = [(name, files.tensor(x.astype("<f4"))) for name, x in leaves.items() if name in buffers]
    return files.persistent(kind, parameters, others, modules, **arguments)


def file_of(layout, g, d):
    """What each program writes of a pair in training."""
    if layout == "rosinality":
        a, b, average = reference.to_rosinality(g, d)
        live, averaged, judge = (
            {name: files.tensor(np.asarray(x, "<f4")) for name, x in arrays.items()}
            for arrays in ({name: 0 * x for name, x in a.items()}, a, b)
        )
        adam = {"state": {0: {"exp_avg": files.tensor(np.ones(2, "<f4"))}}, "param_groups": [{"lr": 0.1}]}
        return files.torch_file({
            "g": live, "d": judge, "g_ema": averaged, "g_optim": adam, "d_optim": adam,
            "args": argparse.Namespace(size=16), "latent_avg": files.tensor(average.astype("<f4")),
        })  # fmt: skip
    if layout == "nvidia":
        live = module_of("Generator", {name: 0 * x for name, x in g.items()}, z_dim=5)
        generator = module_of("Generator", g, z_dim=5, synthesis_kwargs={"conv_clamp": 256})
        judge = module_of("Discriminator", d, img_resolution=16, epilogue_kwargs={"mbstd_group_size": 2})
        return files.nvidia({"G": live, "D": judge, "G_ema": generator, "augment_pipe": None})
    a, b = reference.to_tensorflow(g, d)
    networks = [
        files.TfNetwork(kind, {name: np.asarray(x, "<f4") for name, x in arrays.items()}, resolution=16)
        for kind, arrays in (("G_main", {name: 0 * x for name, x in a.items()}), ("D_stylegan2", b), ("G_main", a))
    ]
    return files.tensorflow(tuple(networks))


@pytest.mark.parametrize("layout", ["rosinality", "nvidia", "tensorflow"])
def test_files_of_the_three_programs_are_sources(layout, tmp_path):
    """As they lie on a disk, with the average beside the live generator, optimizers and settings."""
    g, d = reference.random_pair(z=6 if layout == "rosinality" else 5)
    (tmp_path / "network.bin").write_bytes(file_of(layout, g, d))
    gan, report = open_source(str(tmp_path / "network.bin"))
    z = np.random.default_rng(1).standard_normal((4, gan.latent_dim)).astype("f")
    wanted = reference.synthesis(g, np.repeat(reference.mapping(g, z)[:, None], 6, 1))
    close(inside(gan.generator, "images")(z), wanted)
    images = np.random.default_rng(2).uniform(-1, 1, (4, 16, 16, 3)).astype("f")
    group = 2 if layout == "nvidia" else 4
    close(gan.discriminator(images)[:, 0], reference.discriminate(d, images, group=group))
    assert report.share == 1 and any("Recognised as" in note for note in report.notes)
    assert any("the averaged generator, was taken" in note for note in report.notes)
    assert gan.generator.get_config()["clamp"] == (256 if layout == "nvidia" else None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mapping_kwargs": {"lr_multiplier": 1}}, "`lr_multiplier` of a StyleGAN2 must be 0.01. Received: 1"),
        ({"synthesis_kwargs": {"activation": "relu"}}, "`activation` .* must be lrelu or linear. Received: relu"),
        ({"mapping_kwargs": {"normalize_latents": False}}, "`normalize_latents` .* must be True. Received: False"),
        ({"resample_filter": [1, 2, 1]}, "`resample_filter` of a StyleGAN2 must be"),
    ],
)
def test_settings_that_we_do_not_have_are_refused(change, message):
    g, d = reference.random_pair()
    with pytest.raises(ArtifactError, match=message):
        recognise(checkpoint("nvidia", g, d, change), "x")


def test_another_filter_is_refused_and_a_clamp_of_a_class_is_heeded(tmp_path):
    g, d = reference.random_pair()
    with pytest.raises(ArtifactError, match="resample_filter of a StyleGAN2 must be the filter"):
        recognise(checkpoint("nvidia", {**g, "synthesis.b8.conv0.resample_filter": np.ones((3, 3))}, d), "x")
    generator = module_of("Generator", g)
    state = generator.parts[1][0]["state"]
    dict(state["_modules"])["synthesis"].parts[1][0]["state"]["conv_clamp"] = 256
    (tmp_path / "x.pkl").write_bytes(files.nvidia({"G_ema": generator}))
    assert load_generator(str(tmp_path / "x.pkl")).get_config()["clamp"] == 256
