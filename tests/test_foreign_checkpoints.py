"""Checkpoints of PyTorch and NVIDIA: every number as it was, and DCGANs known by their shapes."""

import argparse
import importlib.util
import time
from collections import OrderedDict
from dataclasses import replace

import foreign_files as files
import numpy as np
import pytest
from foreign_files import Made, Storage, TfNetwork, parameter, persistent, tensor
from test_adopt import state_dict

from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.models import DCGAN
from tfgantl.pretrained import load_generator, load_source, open_source
from tfgantl.pretrained.foreign.roles import find_pair
from tfgantl.untrusted.foreign_checkpoints import ForeignCheckpoint, ForeignNetwork
from tfgantl.untrusted.torch_files import read_checkpoint

RNG = np.random.default_rng(0)


def numbers(code, shape=(2, 3)):
    if code[1] == "f":
        return RNG.normal(size=shape).astype(code)
    if code[1] == "c":
        return (RNG.normal(size=shape) + 1j * RNG.normal(size=shape)).astype(code)
    return RNG.integers(0, 2 if code == "|b1" else 127, shape).astype(code)


def cases():
    """Name → (tensor of a file, what it must be read as)."""
    found = {}
    for code in (*files.STORAGES, *files.LATER):
        array = numbers(code)
        wanted = array.astype(np.float32) if code[1] == "f" else array
        found[code] = tensor(array), wanted
    upper = (RNG.normal(size=5).astype(np.float32).view(np.uint32) >> 16).astype("<u2")
    found["bfloat16"] = (
        tensor(upper, Storage(upper, "BFloat16")), (upper.astype(np.uint32) << 16).view(np.float32),
    )  # fmt: skip
    base = numbers("<f4", (40,))
    shared = Storage(base)
    found["whole"] = tensor(base, shared), base
    found["part"] = tensor(base, shared, 3, (2, 3), (3, 1)), base[3:9].reshape(2, 3)
    found["strided"] = tensor(base, shared, 1, (4, 3), (1, 10)), np.stack([base[1 + i :: 10][:3] for i in range(4)])
    found["parameter"] = parameter(base, shared), base
    found["scalar"] = tensor(np.float32(3)), np.array(3, "f")
    found["empty"] = tensor(np.zeros((0, 3), "f")), np.zeros((0, 3), "f")
    found["old"] = Made("torch._utils._rebuild_tensor", (shared, 0, (5, 8), (8, 1))), base.reshape(5, 8)
    return found


CASES = cases()


def read(tmp_path, content, name="x.bin"):
    (tmp_path / name).write_bytes(content)
    return read_checkpoint(tmp_path / name)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("container", [files.torch_file, files.legacy, files.nvidia])
def test_every_tensor_is_what_it_was_bit_for_bit(tmp_path, container, protocol):
    found = read(tmp_path, container({name: made for name, (made, _) in CASES.items()}, protocol)).networks[""].arrays
    assert list(found) == list(CASES)
    for name, (_, wanted) in CASES.items():
        assert found[name].dtype == wanted.dtype and found[name].shape == wanted.shape, name
        assert found[name].tobytes() == wanted.tobytes(), name


def test_networks_arrays_beside_them_and_settings_are_told_apart(tmp_path):
    ones = np.ones(2, "f")
    state = OrderedDict({"module.a.weight": tensor(ones), "module.a.bias": tensor(ones)})
    state._metadata = OrderedDict({"": {"version": 1}})  # as state dicts have it; pickled as a state
    adam = {"state": {0: {"exp_avg": tensor(ones)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    value = {
        "g": state, "g_ema": {"a.weight": tensor(ones)}, "g_optim": adam, "optimizer_D": {"x": tensor(ones)},
        "model": {"D": state}, "latent_avg": tensor(ones), "args": argparse.Namespace(size=64, betas=(0.0, 0.99)),
        "ada_aug_p": np.float64(0.5), "size": Made("torch.Size", ((2, 3),)), "list": [tensor(ones)],
    }  # fmt: skip
    for container in (files.torch_file, files.legacy):
        found = read(tmp_path, container(value))
        assert {name: list(network.arrays) for name, network in found.networks.items()} == {
            "g": ["a.weight", "a.bias"], "g_ema": ["a.weight"], "model.D": ["a.weight", "a.bias"], "list": ["0"],
        }  # fmt: skip
        assert list(found.arrays) == ["latent_avg"]
        assert found.arguments == {"size": [2, 3], "betas": [0.0, 0.99], "ada_aug_p": 0.5}


def test_settings_of_thousands_of_namespaces_are_read_in_one_pass(tmp_path):
    spaces = {f"args{i}": argparse.Namespace(**{f"n{i}": i, "size": i}) for i in range(20_000)}
    content = files.torch_file({"a": tensor(np.ones(2, "f")), **spaces})
    start = time.process_time()
    found = read(tmp_path, content)
    assert time.process_time() - start < 10  # a minute, if those read so far were copied for each
    assert len(found.arguments) == 20_001 and found.arguments["size"] == 0


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_pickles_of_nvidia_are_names_arrays_and_arguments(tmp_path, protocol):
    kernel, average = numbers("<f4"), numbers("<f2")
    fc = persistent("FullyConnectedLayer", [("weight", parameter(kernel)), ("bias", None)])
    mapping = persistent("MappingNetwork", [], [("w_avg", tensor(average))], [("fc0", fc)])
    kwargs = Made("dnnlib.util.EasyDict", ())
    network = persistent("Generator", modules=[("mapping", mapping)], z_dim=16, mapping_kwargs={"num_layers": 2})
    value = {"G": None, "G_ema": network, "D": network, "training_set_kwargs": kwargs, "n": np.int64(4)}
    found = read(tmp_path, files.nvidia(value, protocol))
    assert set(found.networks) == {"G_ema", "D"} and found.networks["G_ema"].kind == "Generator"
    assert found.networks["D"].arguments == {"z_dim": 16, "mapping_kwargs": {"num_layers": 2}}
    arrays = found.networks["G_ema"].arrays
    assert set(arrays) == {"mapping.fc0.weight", "mapping.w_avg"} and found.arguments["n"] == 4
    np.testing.assert_array_equal(arrays["mapping.fc0.weight"], kernel)
    np.testing.assert_array_equal(arrays["mapping.w_avg"], average.astype("f"))


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_pickles_of_tensorflow_networks_are_three_networks(tmp_path, protocol):
    kernel = numbers("<f4", (3, 3, 2, 4))
    mapping = TfNetwork("G_mapping", {"Dense0/weight": kernel[0, 0].T, "lod": np.float32(0)})
    network = TfNetwork("G_main", {"dlatent_avg": kernel[0, 0, 0]}, {"mapping": mapping}, resolution=64, label_size=0)
    found = read(tmp_path, files.tensorflow((network, TfNetwork("D_stylegan2", {"x": kernel}), network), protocol))
    assert list(found.networks) == ["G", "D", "Gs"] and found.networks["Gs"].kind == "G_main"
    assert found.networks["G"].arguments == {"resolution": 64, "label_size": 0}
    arrays = found.networks["Gs"].arrays
    assert set(arrays) == {"dlatent_avg", "mapping/Dense0/weight", "mapping/lod"}
    np.testing.assert_array_equal(arrays["mapping/Dense0/weight"], kernel[0, 0].T)
    np.testing.assert_array_equal(found.networks["D"].arrays["x"], kernel)


def test_safetensors_are_read_in_every_type(tmp_path):
    arrays = {
        code: numbers(code) for code in ("<f8", "<f4", "<f2", "<i8", "|i1", "|u1", "<u2", "<u4", "<u8", "|b1", "<c8")
    }
    arrays |= {"bfloat16": np.array([0x3F80, 0xC000], "<u2"), "empty": np.zeros((0, 2), "f"), "scalar": np.float32(2)}
    found = read(tmp_path, files.safetensors(arrays, {"format": "pt"}, {"bfloat16": "BF16"}))
    assert found.arguments == {"format": "pt"}
    for name, array in found.networks[""].arrays.items():
        given = np.array([1, -2], "f") if name == "bfloat16" else arrays[name]
        np.testing.assert_array_equal(array, given.astype("f") if given.dtype.kind == "f" else given)
        assert array.shape == given.shape


@pytest.mark.skipif(importlib.util.find_spec("safetensors") is None, reason="pip install safetensors")
def test_files_of_the_safetensors_package_are_read(tmp_path):
    from safetensors.numpy import save_file

    g, _ = pair()
    arrays = g | {"b": numbers("<i8"), "c": numbers("<f2", (1, 0))}
    save_file(arrays, tmp_path / "x.safetensors", {"by": "its package"})
    found = read_checkpoint(tmp_path / "x.safetensors").networks[""].arrays
    assert all(np.array_equal(found[name], array) for name, array in arrays.items()) and set(found) == set(arrays)
    save_file(g, tmp_path / "g.safetensors")
    assert load_generator(str(tmp_path / "g.safetensors")).output_shape == (None, 64, 64, 3)


def test_layers_of_safetensors_are_in_the_order_of_their_numbers(tmp_path):
    g, _ = pair()
    (tmp_path / "g.safetensors").write_bytes(files.safetensors(dict(sorted(g.items()))))
    np.savez(tmp_path / "g.npz", **g)
    one, other = (load_generator(str(tmp_path / name)) for name in ("g.safetensors", "g.npz"))
    for old, new in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(new, old)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="pip install 'tfgantl[bench]'")
@pytest.mark.parametrize("old", [False, True])
def test_files_of_pytorch_itself_are_read(tmp_path, old):
    import torch

    base = torch.randn(40)
    value = {str(kind): torch.ones(2, 3).to(kind) for kind in (torch.float16, torch.bfloat16, torch.int64, torch.bool)}
    value |= {"base": base, "part": base[3:9].view(2, 3).t(), "one": torch.nn.Parameter(torch.ones(1))}
    torch.save(value, tmp_path / "x.pt", _use_new_zipfile_serialization=not old)
    found = read_checkpoint(tmp_path / "x.pt").networks[""].arrays
    for name, made in value.items():
        plain = made.detach().float().numpy() if made.is_floating_point() else made.detach().numpy()
        np.testing.assert_array_equal(found[name], plain)


# --- DCGANs ---


def pair(width=2, channels=3, latent=7, first=4, depth=4, labels=0):
    """State dicts of a generator and a discriminator as in the tutorial."""
    widths = [width * 2**i for i in range(depth)][::-1]
    kernels = [(latent + labels, widths[0], first, first)]
    kernels += [(a, b, 4, 4) for a, b in zip(widths, [*widths[1:], channels], strict=True)]
    g = state_dict(kernels, [2] * depth + [0], RNG)
    sides = [channels, *widths[::-1]]
    d = [*((b, a, 4, 4) for a, b in zip(sides[:-1], sides[1:], strict=True)), (1, widths[0], first, first)]
    return g, state_dict(d, [0, *[1] * (depth - 1), 0], RNG)


def tensors(arrays, prefix=""):
    return OrderedDict((f"{prefix}{name}", tensor(array)) for name, array in arrays.items())


def spellings(g, d, average):
    """Ways to say the same: a file, and whether it holds the average, and a discriminator."""
    yield {"netG": tensors(g), "netD": tensors(d), "epoch": 3}, False, True
    yield {"g": tensors(g), "d": tensors(d), "g_ema": tensors(average)}, True, True
    yield {"G_ema": tensors(average), "G": tensors(g), "D": tensors(d)}, True, True
    yield (
        {"generator_state_dict": tensors(g, "module."), "discriminator_state_dict": tensors(d, "module.")},
        False,
        True,
    )
    yield {"model": {"generator": tensors(g), "discriminator": tensors(d)}}, False, True
    yield {**tensors(g, "netG."), **tensors(d, "netD.")}, False, True
    yield tensors(g), False, False
    yield tensors(average, "g_ema.") | tensors(g, "g."), True, False
    yield {"state_dict": tensors(g, "generator.") | tensors(d, "discriminator.") | tensors(d, "loss.")}, False, True


@pytest.mark.parametrize("number", range(9))
def test_a_dcgan_is_known_by_its_shapes_however_its_parts_are_called(tmp_path, number):
    (g, d), (average, _) = pair(depth=2), pair(depth=2)
    value, averaged, with_discriminator = list(spellings(g, d, average))[number]
    (tmp_path / "x.pth").write_bytes(files.torch_file(value))
    chosen = average if averaged else g
    wanted = {f"netG.{name}": array for name, array in chosen.items()} | {f"netD.{n}": a for n, a in d.items()}
    np.savez(tmp_path / "x.npz", **wanted)
    networks = replace(
        DCGAN.pytorch_tutorial(), latent_dim=7, filters=(4, 2), strides=(2, 2), discriminator_filters=(2, 4)
    )
    expected = load_source(str(tmp_path / "x.npz"), networks=networks)
    generator = load_generator(str(tmp_path / "x.pth"))
    assert generator.output_shape == (None, 16, 16, 3) and generator.get_config() == expected.generator.get_config()
    for old, new in zip(expected.generator.weights, generator.weights, strict=True):
        np.testing.assert_array_equal(new, old)
    if with_discriminator:
        gan, report = open_source(str(tmp_path / "x.pth"))
        for old, new in zip(expected.discriminator.weights, gan.discriminator.weights, strict=True):
            np.testing.assert_array_equal(new, old)
        assert any("the DCGAN of PyTorch's tutorial: 16 px, 3 channels, 7 latents" in note for note in report.notes)
        assert averaged == any("the averaged generator, was taken" in note for note in report.notes)


@pytest.mark.parametrize(
    ("options", "shape"),
    [({}, (64, 64, 3)), ({"first": 7, "depth": 2, "channels": 1}, (28, 28, 1)), ({"depth": 3, "width": 3}, (32, 32, 3)),
     ({"depth": 5, "width": 1}, (128, 128, 3))],
)  # fmt: skip
def test_size_channels_and_widths_follow_from_the_shapes(tmp_path, options, shape):
    g, d = pair(**options)
    (tmp_path / "x.safetensors").write_bytes(files.safetensors({f"G.{k}": v for k, v in g.items()} | {
        f"D.{k}": v for k, v in d.items()}))  # fmt: skip
    source = load_source(str(tmp_path / "x.safetensors"))
    assert source.generator.output_shape[1:] == source.discriminator.input_shape[1:] == shape
    np.savez(tmp_path / "bare.npz", **{f"netG.{name}": array for name, array in g.items()})
    again = load_generator(str(tmp_path / "bare.npz"))  # needs no `networks`
    for old, new in zip(source.generator.weights, again.weights, strict=True):
        np.testing.assert_array_equal(new, old)


def test_classes_follow_from_the_embedding_of_labels(tmp_path):
    g, _ = pair(latent=5, labels=3)
    table = numbers("<f4", (6, 3))
    (tmp_path / "x.pt").write_bytes(files.torch_file({"netG": tensors(g) | {"label_emb.weight": tensor(table)}}))
    generator = load_generator(str(tmp_path / "x.pt"))
    assert [x.shape[1:] for x in generator.inputs] == [(5,), ()] and generator.num_classes == 6
    np.testing.assert_array_equal(generator.get_layer("label_embedding").embeddings, table)


def test_a_discriminator_of_another_architecture_is_left_out_and_said(tmp_path, monkeypatch):
    from tfgantl.pretrained import handles

    monkeypatch.setattr(handles, "cached_discriminator", lambda generator, networks, seed: networks.build(64, 3)[1])
    g, _ = pair()
    _, other = pair(depth=3)
    (tmp_path / "x.pt").write_bytes(files.torch_file({"G": tensors(g), "D": tensors(other)}))
    notes = open_source(str(tmp_path / "x.pt"))[1].notes
    assert any("is of another architecture, and was not taken" in note for note in notes)
    assert any("was rebuilt" in note for note in notes)


def test_networks_may_say_another_architecture(tmp_path):
    g, d = pair(depth=2, first=2)
    (tmp_path / "x.pt").write_bytes(files.torch_file({"G": tensors(g), "D": tensors(d)}))
    networks = DCGAN(
        latent_dim=7, filters=(4, 2), strides=(2, 2), kernel_size=4, discriminator_filters=(2, 4), negative_slope=0.5,
        discriminator_norm=True, norm_per_channel=True,
    )  # fmt: skip
    source, report = open_source(str(tmp_path / "x.pt"), networks)
    assert source.generator.negative_slope == 0.5 and source.generator.output_shape == (None, 8, 8, 3)
    assert not any("Recognised" in note for note in report.notes)


FOREIGN = {
    "lucidrains' stylegan2-pytorch, which is another network": {"GAN": {"S.net.0.weight": 1, "G.blocks.0.x": 1}},
    "lightweight-gan, which is another network": {"GAN": {"G.initial_conv.0.weight": 1, "D.x.weight": 1}},
    "StyleGAN3, which is no StyleGAN2": {"G_ema": {"synthesis.input.freqs": 1}},
    "FastGAN": {"g": {"init.init.0.weight_orig": 1}, "d": {"down_4.x": 1}},
    "a discriminator without its generator": {"d": {"convs.0.weight": 1}},
}  # fmt: skip


@pytest.mark.parametrize("what", FOREIGN)
def test_networks_that_are_not_read_are_refused_by_name(tmp_path, what):
    value = {key: {name: tensor(np.ones(size, "f")) for name, size in arrays.items()}
             for key, arrays in FOREIGN[what].items()}  # fmt: skip
    (tmp_path / "x.pt").write_bytes(files.torch_file(value))
    with pytest.raises(ArtifactError, match=f"x.pt: must hold .* Received: {what}") as error:
        load_source(str(tmp_path / "x.pt"))
    assert "\n" not in str(error.value)


def test_a_discriminator_alone_and_networks_that_nobody_knows_are_told(tmp_path):
    _, d = pair()
    for value in (tensors(d), {"netD": tensors(d)}):
        (tmp_path / "x.pt").write_bytes(files.torch_file(value))
        with pytest.raises(ArtifactError, match="must hold a generator. Received: the discriminator of a DCGAN alone"):
            load_source(str(tmp_path / "x.pt"))
    (tmp_path / "x.pt").write_bytes(files.torch_file({"a.weight": tensor(np.ones((2, 2), "f"))}))
    with pytest.raises(
        ConfigError, match=r"`networks` must say .* Received: none, and a generator with a.weight \(2, 2\)"
    ):
        load_source(str(tmp_path / "x.pt"))


def test_numbers_that_are_not_finite_are_named(tmp_path):
    g, d = pair()
    g["main.3.weight"] = g["main.3.weight"].astype(np.float16)
    g["main.3.weight"][0, 0, 0, 0] = np.inf
    (tmp_path / "x.pt").write_bytes(files.torch_file({"G": tensors(g), "D": tensors(d)}))
    with pytest.raises(ArtifactError, match="weights must be finite. Received: NaN or infinity in main.3.weight"):
        load_source(str(tmp_path / "x.pt"))


@pytest.mark.parametrize("kind", ["i1", "u1", "?", "i8"])
def test_whole_numbers_are_no_weights(tmp_path, kind):
    """They are quantised, and whoever reads them without their scale gets saturated pictures."""
    g, _ = pair()
    g["main.3.weight"] = (20 * g["main.3.weight"]).astype(kind)
    (tmp_path / "x.safetensors").write_bytes(files.safetensors(g))
    with pytest.raises(ArtifactError, match="kernel must hold floating point numbers. Received: "):
        load_generator(str(tmp_path / "x.safetensors"))


def test_a_table_of_no_labels_is_no_generator(tmp_path):
    g, _ = pair(labels=5)
    g = {"embedding.weight": np.zeros((0, 5), "f"), **g}
    (tmp_path / "x.safetensors").write_bytes(files.safetensors(g))
    with pytest.raises((ArtifactError, ConfigError)):
        load_generator(str(tmp_path / "x.safetensors"))


def test_what_was_read_cannot_be_written_to(tmp_path):
    found = read(tmp_path, files.torch_file({"a": tensor(np.ones(2, "f"))}))
    assert not found.networks[""].arrays["a"].flags.writeable


PATHS = [("model.generator", "ema.generator"), ("netG", "EMA.netG"), ("generator", "ema.shadow"), ("G", "G_avg.net")]


@pytest.mark.parametrize("names", PATHS)
def test_an_average_is_known_by_any_part_of_its_path(names):
    live, averaged = (ForeignNetwork({"main.0.weight": np.full(2, value, "f")}) for value in (1, 2))
    pair = find_pair(ForeignCheckpoint(dict(zip(names, (live, averaged), strict=True))))
    assert pair.generator is averaged and "the averaged generator, was taken" in pair.notes[0]
