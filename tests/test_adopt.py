"""Named arrays into our networks: by name, by unique shape, by an explicit map; and from the layout of PyTorch."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.models import DCGAN
from tfgantl.models.variable_names import named_weights
from tfgantl.pretrained import adopt, load_source
from tfgantl.pretrained.sizes import infer_sizes
from tfgantl.pretrained.weights_h5 import read_weights_h5, with_names

TINY = DCGAN(latent_dim=4, filters=(8, 6, 4), strides=(1, 2, 2), kernel_size=3, label_dim=2, dropout=0.0)


@pytest.fixture
def network(make_gan):
    return make_gan().generator


@pytest.fixture
def arrays(make_gan):
    """Other weights for the same network, by path."""
    rng = np.random.default_rng(3)
    variables = make_gan().generator.variables
    return {v.path: rng.random(v.shape, np.float32) + 0.1 for v in variables if v.dtype == "float32"}


def taken(network, arrays):
    return {v.path for v in network.variables if v.path in arrays and np.array_equal(v.numpy(), arrays[v.path])}


def tf1_names(path):
    for new, old in (("kernel", "w"), ("gamma", "scale"), ("beta", "offset"), ("moving_variance", "accu_variance")):
        path = path.replace(f"/{new}", f"/{old}")
    return f"generator/{path}:0"


@pytest.mark.parametrize("rename", [str, lambda path: f"generator/{path}:0", tf1_names])
def test_names_of_other_libraries_are_the_same_names(network, arrays, rename):
    report = adopt({rename(path): array for path, array in arrays.items()}, network)
    assert taken(network, arrays) == set(arrays) and report.share == 1.0


def test_the_only_array_of_a_shape_needs_no_name(network, arrays):
    arrays["old/fc/kernel"] = arrays.pop("block0_dense/kernel")
    report = adopt(arrays, network)
    assert "old/fc/kernel, the only one of its shape" in report.of("copied")["generator/block0_dense/kernel"]


def test_two_candidates_are_an_error_until_told_which(network, arrays):
    spare = {f"old/{name}/gamma": arrays.pop(f"{name}/gamma") for name in ("block0_bn",)}
    spare["other/gamma"] = spare["old/block0_bn/gamma"] + 1
    before = network.get_weights()
    with pytest.raises(ArtifactError, match="must have one candidate.*old/block0_bn/gamma, other/gamma for block0_bn"):
        adopt({**arrays, **spare}, network)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    report = adopt({**arrays, **spare}, network, names={"block0_bn/gamma": "other/gamma"})
    np.testing.assert_array_equal(network.get_layer("block0_bn").gamma, spare["other/gamma"])
    assert list(report.of("skipped")) == ["old/block0_bn/gamma"]


@pytest.mark.parametrize("names", [{"nothing": "block0_dense/kernel"}, {"block0_dense/kernel": "nothing"}])
def test_maps_name_what_is_there(network, arrays, names):
    with pytest.raises(ConfigError, match="`names` must map .* Received: nothing"):
        adopt(arrays, network, names=names)


def test_a_transposed_kernel_is_turned(network, arrays):
    wanted = arrays["block0_dense/kernel"]
    report = adopt({**arrays, "block0_dense/kernel": wanted.T}, network)
    np.testing.assert_array_equal(network.get_layer("block0_dense").kernel, wanted)
    assert "generator/block0_dense/kernel" in report.of("transposed")


def test_too_small_a_share_lists_both_sides(network, arrays):
    arrays["block1_conv/kernel"] = np.zeros((7, 7), np.float32)
    arrays.pop("block0_dense/kernel")
    with pytest.raises(
        ArtifactError, match=r"at least 90 %.*without a source block0_dense/kernel.*not used block1_conv"
    ):
        adopt(arrays, network)
    report = adopt(arrays, network, min_share=0.1)
    assert report.of("initial")["generator/block1_conv/kernel"] == "(3, 3, 6, 8); block1_conv/kernel has (7, 7)"
    assert 0.1 < report.share < 0.9 and "left at the initial value: 2 weights" in str(report)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_errors(network, arrays, value):
    arrays["block1_conv/kernel"][0, 0, 0, 0] = value
    with pytest.raises(ArtifactError, match="weights must be finite. Received: NaN or infinity in block1_conv/kernel"):
        adopt(arrays, network)


def test_averages_are_taken_before_plain_weights_and_counters_are_no_weights(network, arrays):
    stale = {f"{path}/ExponentialMovingAverage": array for path, array in arrays.items()}
    plain = {path: array + 1 for path, array in arrays.items()}
    report = adopt({**plain, **stale, "global_step": np.array(7), "block1_conv/kernel/Adam": plain[
        "block1_conv/kernel"]}, network)  # fmt: skip
    assert taken(network, arrays) == set(arrays) and not report.of("skipped")


# --- PyTorch, against plain loops over its definitions ---


def conv_transpose(x, weight, stride, padding):
    """`torch.nn.ConvTranspose2d`: x (in, h, w), weight (in, out, kh, kw)."""
    _, height, width = x.shape
    _, outputs, kernel, _ = weight.shape
    full = np.zeros((outputs, (height - 1) * stride + kernel, (width - 1) * stride + kernel))
    for i in range(height):
        for j in range(width):
            patch = np.tensordot(x[:, i, j], weight, (0, 0))
            full[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel] += patch
    return full[:, padding : full.shape[1] - padding, padding : full.shape[2] - padding]


def conv(x, weight, stride, padding):
    """`torch.nn.Conv2d`: x (in, h, w), weight (out, in, kh, kw)."""
    x, kernel = np.pad(x, ((0, 0), (padding,) * 2, (padding,) * 2)), weight.shape[-1]
    side = (x.shape[1] - kernel) // stride + 1
    out = np.zeros((len(weight), side, side))
    for i in range(side):
        for j in range(side):
            patch = x[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
            out[:, i, j] = np.tensordot(weight, patch, 3)
    return out


def norm(x, parts):
    shift = (None, None)
    scale = parts["weight"] / np.sqrt(parts["running_var"] + 1e-5)
    return (x - parts["running_mean"][:, *shift]) * scale[:, *shift] + parts["bias"][:, *shift]


def state_dict(kernels, normed, rng):
    """Arrays of `main.N.*`, of the shapes and in the order of the tutorial."""
    state, index = {}, 0
    for kernel, has_norm in zip(kernels, normed, strict=True):
        state[f"main.{index}.weight"] = rng.normal(0, 0.3, kernel).astype("f")
        index += 1
        if has_norm:
            width = kernel[has_norm - 1]
            for role in ("weight", "bias", "running_mean", "running_var"):
                state[f"main.{index}.{role}"] = rng.uniform(0.2, 1, width).astype("f")
            state[f"main.{index}.num_batches_tracked"] = np.array(9)
            index += 1
        index += 1  # the activation
    return state


def parts_of(state, index):
    return {name.rpartition(".")[2]: array for name, array in state.items() if name.startswith(f"main.{index}.")}


@pytest.mark.parametrize("options", [{}, {"norm_per_channel": False}, {"norm_epsilon": None}])
def test_the_dcgan_of_the_pytorch_tutorial_gives_equal_outputs(tmp_path, options):
    """Also with the usual epsilon of this package: what PyTorch adds to variances, its files do not say."""
    rng, w = np.random.default_rng(0), 2
    widths = [8 * w, 4 * w, 2 * w, w]
    g_kernels = [(100, widths[0], 4, 4), *((a, b, 4, 4) for a, b in zip(widths, [*widths[1:], 3], strict=True))]
    g = state_dict(g_kernels, [2, 2, 2, 2, 0], rng)
    d_kernels = [(w, 3, 4, 4), (2 * w, w, 4, 4), (4 * w, 2 * w, 4, 4), (8 * w, 4 * w, 4, 4), (1, 8 * w, 4, 4)]
    d = state_dict(d_kernels, [0, 1, 1, 1, 0], rng)
    np.savez(tmp_path / "dcgan.npz", **{f"netG.{k}": v for k, v in g.items()}, **{f"netD.{k}": v for k, v in d.items()})
    networks = replace(DCGAN.pytorch_tutorial(w), **options)
    source = load_source(str(tmp_path / "dcgan.npz"), networks=networks)

    latents = rng.normal(size=(2, 100)).astype("f")
    images = []
    for z in latents:
        x = z[:, None, None]
        for layer, index in enumerate(range(0, 15, 3)):
            x = conv_transpose(x, g[f"main.{index}.weight"], *((1, 0) if layer == 0 else (2, 1)))
            x = np.tanh(x) if layer == 4 else np.maximum(norm(x, parts_of(g, index + 1)), 0)
        images.append(x.transpose(1, 2, 0))
    images = np.stack(images).astype("f")
    assert images.shape == (2, 64, 64, 3)
    np.testing.assert_allclose(source.generate(latents), images, atol=1e-5)

    logits = []
    for image in images:
        x, index = image.transpose(2, 0, 1), 0
        for layer in range(4):
            x = conv(x, d[f"main.{index}.weight"], 2, 1)
            if layer:
                x = norm(x, parts_of(d, index + 1))
            x, index = np.where(x > 0, x, 0.2 * x), index + (3 if layer else 2)
        logits.append(conv(x, d[f"main.{index}.weight"], 1, 0).ravel())
    np.testing.assert_allclose(source.discriminator.predict(images, verbose=0), logits, rtol=1e-5, atol=1e-5)


def test_linear_layers_of_pytorch_flatten_channels_first():
    """`Linear` to (channels, height, width), and from there back: the order of the values changes with the layout."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    network = DCGAN(latent_dim=3, filters=(4, 2), strides=(1, 2), kernel_size=4, norm_epsilon=1e-5).build(4, 1)[0]
    state = {
        "fc.weight": rng.normal(size=(16, 3)).astype("f"), "fc.bias": rng.normal(size=16).astype("f"),
        **{f"bn.{role}": rng.uniform(0.5, 1, 16).astype("f") for role in ("weight", "bias", "running_mean",
                                                                          "running_var")},
        "a.weight": rng.normal(size=(4, 2, 3, 3)).astype("f"),
    }  # fmt: skip
    wrong = dict(state)
    with pytest.raises(
        ArtifactError, match="must have the 5 layers with weights of the generator.* Received: 3: fc, bn"
    ):
        adopt(wrong, network)
    state["a.weight"] = rng.normal(size=(4, 2, 4, 4)).astype("f")
    state |= {f"an.{role}": np.ones(2, np.float32) for role in ("weight", "running_var")}
    state |= {f"an.{role}": np.zeros(2, np.float32) for role in ("bias", "running_mean")}
    state["b.weight"] = rng.normal(size=(2, 1, 4, 4)).astype("f")
    adopt(state, network)
    z = rng.normal(size=(1, 3)).astype("f")
    flat = z @ state["fc.weight"].T + state["fc.bias"]
    flat = (flat - state["bn.running_mean"]) / np.sqrt(state["bn.running_var"] + 1e-5) * state["bn.weight"]
    x = (flat + state["bn.bias"]).reshape(4, 2, 2)
    mine = keras.Model(network.inputs, network.get_layer("block0_reshape").output).predict(z, verbose=0)[0]
    np.testing.assert_allclose(mine, np.where(x > 0, x, 0.3 * x).transpose(1, 2, 0), atol=1e-5)


@pytest.mark.parametrize("side", [3, 5])
def test_kernels_that_pytorch_pads_otherwise_are_refused(side):
    """Each layer would move the picture by a pixel."""
    images = keras.Input((8, 8, 1))
    network = keras.Model(images, keras.layers.Conv2D(2, side, 2, padding="same", use_bias=False)(images))
    with pytest.raises(ArtifactError, match=f"kernels of {side} px with strides of 2 lie elsewhere in Keras"):
        adopt({"conv.weight": np.ones((2, 1, side, side), np.float32)}, network)
    adopt({"conv.weight": np.ones((2, 1, 4, 4), np.float32)}, keras.Model(
        images, keras.layers.Conv2D(2, 4, 2, padding="same", use_bias=False)(images)
    ))  # fmt: skip


@pytest.mark.parametrize(("size", "channels", "classes"), [(8, 1, None), (8, 3, 3), (32, 3, 20), (28, 1, 2)])
def test_sizes_follow_from_shapes(size, channels, classes):
    shapes = [tuple(v.shape) for v in TINY.build(size, channels, classes)[0].variables]
    assert infer_sizes(TINY, shapes, "x") == (size, channels, classes)


@pytest.mark.parametrize("other", ["{}:0", "{}/ExponentialMovingAverage"])
def test_a_name_in_two_spellings_is_an_error(network, arrays, other):
    name = next(iter(arrays))
    arrays[other.format(name)] = arrays[name] + 1
    if "Average" in other:  # of which there may be one beside the plain weights, and not two
        arrays[f"{other.format(name)}:0"] = arrays[name] + 2
    with pytest.raises(
        ArtifactError, match="names of weights must be unique, with or without :0. Received: the name .*"
    ):
        adopt(arrays, network)


def test_square_kernels_are_turned_if_all_others_are():
    network = keras.Sequential([keras.Input((4,)), *(keras.layers.Dense(n, name=f"d{n}") for n in (4, 6, 7))])
    wanted = {f"{layer.name}/kernel": np.random.default_rng(0).random(layer.kernel.shape, np.float32)
              for layer in network.layers}  # fmt: skip
    report = adopt({name: kernel.T for name, kernel in wanted.items()}, network, min_share=0.5)
    assert len(report.of("transposed")) == 3
    for layer in network.layers:
        np.testing.assert_array_equal(layer.kernel, wanted[f"{layer.name}/kernel"])
    images = keras.Input((4, 4, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(5, 2, name="c")(images))
    mixed = keras.Model(images, keras.layers.Dense(5, name="d", use_bias=False)(x))  # what is square has no others
    rng = np.random.default_rng(1)
    conv, dense = rng.random((2, 2, 3, 5), np.float32), rng.random((5, 5), np.float32)
    adopt({"c/kernel": conv.transpose(3, 2, 0, 1), "d/kernel": dense.T}, mixed, min_share=0.5)
    np.testing.assert_array_equal(mixed.get_layer("d").kernel, dense)
    with pytest.raises(ArtifactError, match="kernels must all be in one layout, .* Received: .*d4/kernel, and others"):
        adopt({**wanted, "d7/kernel": wanted["d7/kernel"].T}, network, min_share=0.5)


@pytest.mark.parametrize("left_out", ["moving_mean", "moving_variance"])
def test_a_normalisation_of_another_kind_is_not_one_of_batches(network, arrays, left_out):
    """It has scales of the same names and shapes; with statistics of 0 and 1 the network made noise of them."""
    fewer = {path: array for path, array in arrays.items() if not path.endswith(left_out)}
    with pytest.raises(ArtifactError, match=f"must have its moving statistics, .*gamma without .*{left_out}"):
        adopt(fewer, network)


@pytest.mark.parametrize("between", ["", "a layer", "an activation", "another reader"])
def test_a_bias_without_a_place_goes_into_the_next_mean_or_is_refused(between):
    """Keras' own layers have biases: without them, the pictures were others, of 100 % of the parameters."""

    def built(use_bias):
        images = x = keras.Input((4, 4, 2))
        activation = "relu" if between == "an activation" else None
        c = x = keras.layers.Conv2D(3, 3, use_bias=use_bias, activation=activation, name="c")(x)
        x = keras.layers.ReLU()(x) if between == "a layer" else x
        x = keras.layers.BatchNormalization(name="n")(x)
        return keras.Model(images, x + c if between == "another reader" else x)

    biased, network, rng = built(True), built(False), np.random.default_rng(0)
    biased.set_weights([rng.random(w.shape) + 0.5 for w in biased.weights])
    arrays = {path: np.array(weight) for path, weight in named_weights(biased).items()}
    adopt({**arrays, "c/bias": 0 * arrays["c/bias"]}, network)  # which does nothing
    if between:
        with pytest.raises(ArtifactError, match="no others. Received: c/bias, which it has no place for"):
            adopt(arrays, network)
        return
    report = adopt(arrays, network)
    images = rng.normal(size=(2, 4, 4, 2)).astype("f")
    np.testing.assert_allclose(network(images), biased(images), rtol=1e-5, atol=1e-5)
    assert "n/moving_mean" in str(report.entries) and "less c/bias" in str(report.entries)


@pytest.mark.parametrize("option", ["scale", "center"])
def test_numbers_of_a_layer_with_fewer_weights_mean_something_else(tmp_path, option):
    """Of a normalisation without scales, shifts were taken for scales, and statistics for each other."""

    def built(**options):
        return keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(name="bn", **options)])

    source = built(**{option: False})
    source.set_weights([np.random.default_rng(0).random(w.shape) + 1 for w in source.weights])
    source.save_weights(tmp_path / "w.weights.h5")
    network = built()
    with pytest.raises(ArtifactError, match="must have its moving statistics"):
        adopt(with_names(read_weights_h5(tmp_path / "w.weights.h5"), network), network, min_share=0.6)


def test_what_is_not_used_of_a_source_is_said_without_a_report(network, arrays):
    report = adopt({**arrays, **{f"more{i}/kernel": np.ones((2, 9 + i), np.float32) for i in range(6)}}, network)
    assert report.losses() == [
        "not used, of the source: more0/kernel, more1/kernel, more2/kernel, more3/kernel and 2 more"
    ]
    assert not adopt(arrays, network).losses()


def test_a_layer_of_another_shape_is_left_to_the_report(network, arrays):
    """Its bias fits, and its kernel has a place: it is not what has none."""
    pixels = keras.Input((8, 8, 1))
    gray = keras.Model(pixels, keras.layers.Conv2D(4, 3, name="c")(pixels))
    colour = {"c/kernel": np.ones((3, 3, 3, 4), np.float32), "c/bias": np.ones(4, np.float32)}
    report = adopt(colour, gray, min_share=0.05)
    assert list(report.of("initial")) == [f"{gray.name}/c/kernel"]


@pytest.mark.parametrize("name", ["u_var", "u"])
def test_kernels_that_are_divided_by_their_norm_are_refused(network, arrays, name):
    """As they are, they are those of another network."""
    with pytest.raises(ArtifactError, match="kernels with a spectral norm must be those of a layer that has one"):
        adopt({**arrays, f"block0_dense/{name}": np.ones((1, 8), np.float32)}, network)
