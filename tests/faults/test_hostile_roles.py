"""Which network of a file is taken where several could be meant: the average, and never the last by chance."""

from contextlib import nullcontext
from itertools import pairwise

import foreign_files as files
import numpy as np
import pytest
from conftest import TINY_MLP
from modules import save_npz

from tfgantl.errors import ArtifactError
from tfgantl.models import MLP
from tfgantl.pretrained import adopt, load_generator, open_source
from tfgantl.pretrained.foreign.roles import find_pair, pair_of_weights
from tfgantl.pretrained.layouts import check_order
from tfgantl.untrusted.foreign_checkpoints import ForeignCheckpoint, ForeignNetwork
from tfgantl.untrusted.torch_files import read_checkpoint


def filled(network, value):
    for weight in network.weights:
        weight.assign(np.full(weight.shape, value))


def save_npz_with_average(gan, path):
    save_npz(gan, path)
    arrays = dict(np.load(path))
    averages = {f"ema_{name}": array * 0 + 2 for name, array in arrays.items() if name.startswith("generator/")}
    np.savez(path, **arrays, **averages)


@pytest.mark.parametrize(
    ("name", "steps"), [("gan.keras", 3), ("gan.weights.h5", 3), ("gan.weights.h5", 0), ("gan.npz", 0)]
)
def test_the_average_of_a_saved_gan_is_taken_and_said(make_gan, tmp_path, capsys, name, steps):
    gan = make_gan(TINY_MLP)
    gan.step.assign(steps)
    filled(gan.generator, 1)
    filled(gan.ema_generator, 2)
    path = tmp_path / name
    {"keras": gan.save, "h5": gan.save_weights, "npz": lambda path: save_npz_with_average(gan, path)}[
        name.rpartition(".")[2]
    ](path)
    options = {} if name.endswith("keras") else {"networks": TINY_MLP}
    taken = 2 if steps or name.endswith("npz") else 1  # without a step there is nothing that an average could be of
    source, report = open_source(str(path), **options)
    assert source.generator.trainable_weights
    for network in (load_generator(str(path), **options), source.generator):
        assert all((weight.numpy() == taken).all() for weight in network.weights)
    told = "averaged generator"
    assert (told in str(report)) == (told in capsys.readouterr().err) == (taken == 2)


def test_the_average_of_a_foreign_archive_is_taken_whatever_networks_says(make_gan, tmp_path):
    arrays = {f"{w.path}": w.numpy() for w in make_gan(TINY_MLP).generator.weights}
    both = {f"{top}.{name}": array * 0 + value for top, value in (("netG_ema", 2), ("netG", 1))
            for name, array in arrays.items()}  # fmt: skip
    np.savez(tmp_path / "x.npz", **both)
    generator = load_generator(str(tmp_path / "x.npz"), TINY_MLP)
    assert all((weight.numpy() == 2).all() for weight in generator.weights)


@pytest.mark.parametrize("names", [("averaged", "model"), ("model", "averaged"), ("epoch1", "epoch2")])
def test_state_dicts_of_the_same_networks_are_told_apart(names):
    """Each holds both networks: neither takes the place of the other."""
    held = {name: ForeignNetwork({f"{top}.0.weight": np.full(2, number) for top in ("generator", "discriminator")})
            for number, name in enumerate(names)}  # fmt: skip
    pair = find_pair(ForeignCheckpoint(held))
    generator, discriminator = (
        names[int(network.arrays["0.weight"][0])] for network in (pair.generator, pair.discriminator)
    )
    live = [name for name in names if name != "averaged"]
    assert generator == ("averaged" if "averaged" in names else "epoch1") and discriminator == live[0]
    left_out = "epoch2.discriminator, epoch2.generator" if "epoch1" in names else "averaged.discriminator"
    assert f"left out: {left_out}" in pair.notes[0]


def test_layers_that_are_called_like_roles_stay_in_their_network():
    arrays = {"g/kernel": np.ones(1), "d/kernel": np.ones(1), "ema/kernel": np.ones(1)}
    assert pair_of_weights(arrays, "x").generator.arrays == arrays


WORDS = {
    "words": (("first.conv", "second.conv"), True),
    "words behind numbers": (("main.0.up", "main.0.down"), True),
    "numbers": (("main.2.conv", "main.10.conv"), False),
    "numbers behind words": (("up1", "up2"), False),
}


@pytest.mark.parametrize("kind", WORDS)
def test_layers_that_only_their_order_tells_apart_need_an_order(kind):
    names, refused = WORDS[kind]
    arrays = {f"{name}.weight": np.ones((8, 8, 4, 4)) for name in names} | {"last.weight": np.ones((8, 3, 4, 4))}
    check_order(ForeignNetwork(arrays), "x.pt")
    with pytest.raises(ArtifactError, match="must have numbers in their names") if refused else nullcontext():
        check_order(ForeignNetwork(arrays, is_ordered=False), "x.safetensors")


def test_a_safetensors_of_words_is_known_to_have_no_order(tmp_path):
    (tmp_path / "x").write_bytes(files.safetensors({"a.weight": np.ones(2, "f")}))
    assert not read_checkpoint(tmp_path / "x").networks[""].is_ordered


@pytest.mark.parametrize("units", [20, 48])
def test_hidden_layers_as_wide_as_a_picture_keep_their_order(units):
    """Only what is next to an image has channels first there."""
    side, channels, rng = 4, 3, np.random.default_rng(0)
    network = MLP(latent_dim=5, units=units).build(side, channels)[0]
    sizes = [5, units, side * side * channels]
    arrays = {}
    for number, (taken, given) in enumerate(pairwise(sizes)):
        arrays[f"fc{number}.weight"] = rng.normal(size=(given, taken)).astype("f")
        arrays[f"fc{number}.bias"] = rng.normal(size=given).astype("f")
    adopt(arrays, network)
    x = latents = rng.normal(size=(2, 5)).astype("f")
    for number in range(2):
        x = x @ arrays[f"fc{number}.weight"].T + arrays[f"fc{number}.bias"]
        x = np.where(x > 0, x, network.negative_slope * x) if number == 0 else np.tanh(x)
    wanted = x.reshape(2, channels, side, side).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(network(latents), wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["generator_avg", "netG_shadow", "generator_average", "ema", "G_ema"])
def test_an_average_is_one_whatever_it_is_called(name):
    """The raw generator was taken, and nothing said that there was another network."""
    raw, average = ({"main/kernel": np.full(2, value)} for value in (1.0, 2.0))
    files = {**{f"generator/{key}": x for key, x in raw.items()}, **{f"{name}/{key}": x for key, x in average.items()}}
    networks = {"generator": ForeignNetwork(raw), name: ForeignNetwork(average)}
    for pair in (pair_of_weights(files, "x.npz"), find_pair(ForeignCheckpoint(networks))):
        assert pair.generator.arrays["main/kernel"][0] == 2.0
        assert pair.notes == [f"{name}, the averaged generator, was taken, and not generator."]


def test_networks_that_are_left_out_are_told():
    weights = {"generator/main/kernel": np.ones(2), "smooth/main/kernel": np.zeros(2), "scalar": np.zeros(1)}
    pair = pair_of_weights(weights, "x.npz")
    assert pair.generator.arrays["main/kernel"][0] == 1.0
    assert pair.notes == [
        "Networks of no role that is known were left out: smooth.", "Arrays of no network were left out: scalar."
    ]  # fmt: skip
