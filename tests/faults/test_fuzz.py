"""Random damage to every kind of file: an error that names the file, or a result; never a traceback, a hang, or growth.

A bounded number of cases each; for longer: `pytest tests/faults/test_fuzz.py --hypothesis-profile long -n 0`.
"""

import io
import json
import time
import zipfile
from contextlib import contextmanager

import foreign_files as foreign
import h5py
import numpy as np
import pytest
from conftest import TINY_DCGAN as TINY
from conftest import TINY_MLP, growth_below, tiny_images
from foreign_files import TfNetwork, persistent, tensor
from hypothesis import given
from hypothesis import strategies as st
from modules import save_exported
from PIL import Image

from tfgantl.data import Arrays
from tfgantl.data.reading import read_picture
from tfgantl.errors import TfgantlError
from tfgantl.gan import GAN
from tfgantl.models.presets import save_preset
from tfgantl.pretrained import load_generator, load_source
from tfgantl.untrusted.savedmodels import read_graph, read_variables
from tfgantl.untrusted.torch_files import read_checkpoint

GROWTH = 300  # MiB
SECONDS = 5.0


def damaged(original: bytes):
    """A file cut off, with bytes overwritten, taken out or put in; near the start, where headers are, more often."""
    near_start = st.integers(0, min(len(original), 200))
    place = st.one_of(near_start, st.integers(0, len(original)))
    edit = st.tuples(st.sampled_from(["write", "delete", "insert", "cut"]), place, st.binary(min_size=1, max_size=8))
    return st.lists(edit, min_size=1, max_size=6).map(lambda edits: _edited(original, edits))


def _edited(content, edits):
    content = bytearray(content)
    for kind, place, new in edits:
        if kind == "write":
            content[place : place + len(new)] = new
        elif kind == "delete":
            del content[place : place + len(new)]
        elif kind == "insert":
            content[place:place] = new
        else:
            del content[max(place, 1) :]
    return bytes(content)


@contextmanager
def bounds():
    """Lets the errors of this package pass, and fails for what takes too long, or too much memory."""
    start = time.perf_counter()
    with growth_below(GROWTH):
        try:
            yield
        except TfgantlError as error:
            assert "\n" not in str(error)
    assert time.perf_counter() - start < SECONDS


def picture(kind):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 9, 3), dtype=np.uint8))
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_damaged_pictures(tmp_path, kind):
    path = tmp_path / "x.png"

    @given(damaged(picture(kind)))
    def check(content):
        path.write_bytes(content)
        with bounds():
            found = read_picture(path, 8, 3, 10**6)
        assert isinstance(found, str) or found[0].shape == (8, 8, 3)
        assert not isinstance(found, str) or "\n" not in found

    check()


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """A directory with one file of every kind, intact."""
    path = tmp_path_factory.mktemp("originals")
    gan = GAN(*TINY.build(8, 1, 3), seed=0)
    named = {f"{n.name}/{v.path}": v.numpy() for n in (gan.generator, gan.discriminator) for v in n.variables
             if v.dtype == "float32"}  # fmt: skip
    np.savez(path / "weights.npz", **named)
    np.savez_compressed(path / "images.npz", x=tiny_images(30), y=np.arange(30) % 3)
    gan.generator.save_weights(path / "g.weights.h5")
    TINY_MLP.build(8, 1)[0].save(path / "g.keras")
    save_exported(gan, path / "exported")
    save_preset(path / "preset", gan.generator, gan.discriminator, {})
    for name, content in checkpoints().items():
        (path / name).write_bytes(content)
    return path


def checkpoints():
    """Name → content of a checkpoint of another program."""
    ones = np.ones((2, 3), "f")
    state = {"a.weight": tensor(ones), "a.bias": tensor(ones[0].astype("f2")), "step": 3}
    module = persistent("Generator", [("weight", tensor(ones))], size=64)
    network = TfNetwork("G_main", {"a/weight": ones, "lod": np.float32(0)}, resolution=64)
    return {
        "new.pt": foreign.torch_file({"g_ema": state, "epoch": 3}),
        "old.pt": foreign.legacy({"g_ema": state, "epoch": 3}),
        "nvidia.pkl": foreign.nvidia({"G_ema": persistent("Generator", modules=[("a", module)])}),
        "tensorflow.pkl": foreign.tensorflow((network, network, network)),
        "x.safetensors": foreign.safetensors({"a.weight": ones, "b": ones[0]}),
    }


LOADERS = {
    "weights.npz": lambda path: load_generator(str(path), networks=TINY),
    "images.npz": lambda path: Arrays(str(path)).load("train"),
    "g.weights.h5": lambda path: load_generator(str(path), networks=TINY),
    "g.keras": lambda path: load_generator(str(path)),
    "exported/saved_model.pb": lambda path: read_graph(path.parent, ["serve"]),
    "exported/variables/variables.index": lambda path: read_variables(path.parent.parent),
    "exported/variables/variables.data-00000-of-00001": lambda path: read_variables(path.parent.parent),
    "preset/config.json": lambda path: load_source(str(path.parent)),
    "preset/weights.npz": lambda path: load_source(str(path.parent)),
    **{name: read_checkpoint for name in ("new.pt", "old.pt", "nvidia.pkl", "tensorflow.pkl", "x.safetensors")},
}


@pytest.mark.parametrize("name", LOADERS)
def test_damaged_files(originals, name):
    path = originals / name
    original = path.read_bytes()

    @given(damaged(original))
    def check(content):
        path.write_bytes(content)
        with bounds():
            LOADERS[name](path)

    try:
        check()
    finally:
        path.write_bytes(original)


@pytest.mark.parametrize("part", ["config.json", "model.weights.h5"])
def test_damage_inside_of_a_keras_file_whose_checksums_are_right(originals, tmp_path, part):
    with zipfile.ZipFile(originals / "g.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}

    @given(damaged(members[part]))
    def check(content):
        with zipfile.ZipFile(tmp_path / "x.keras", "w") as archive:
            for name, member in {**members, part: content}.items():
                archive.writestr(name, member)
        with bounds():
            load_generator(str(tmp_path / "x.keras"))

    check()


def test_damage_inside_of_a_file_of_pytorch_whose_checksums_are_right(tmp_path):
    members = foreign.members({"g_ema": {"a.weight": tensor(np.ones((2, 3), "f"))}, "epoch": 3})

    @given(damaged(members["archive/data.pkl"]))
    def check(content):
        (tmp_path / "x.pt").write_bytes(foreign.zipped({**members, "archive/data.pkl": content}))
        with bounds():
            read_checkpoint(tmp_path / "x.pt")

    check()


PIECES = [
    b"]", b"}", b")", b"(", b"N", b"K\x01", b"X\x01\x00\x00\x00a", b"C\x04abcd", b"\x85", b"\x86", b"\x87", b"t", b"a",
    b"e", b"s", b"u", b"\x8f", b"\x90", b"q\x00", b"h\x00", b"\x94", b"Q", b"R", b"\x81", b"b", b"\x93", b"F",
    *(b"c" + f"{module}\n{name}\n".encode() for module, name in (
        ("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_parameter"), ("torch", "FloatStorage"),
        ("torch.storage", "_load_from_bytes"), ("argparse", "Namespace"), ("collections", "OrderedDict"),
        ("dnnlib.tflib.network", "Network"), ("torch_utils.persistence", "_reconstruct_persistent_obj"),
        ("numpy.core.multiarray", "_reconstruct"), ("numpy", "dtype"), ("builtins", "set"), ("os", "system"),
    )),
]  # fmt: skip


def test_instructions_of_a_pickle_in_any_order(tmp_path):
    @given(st.lists(st.sampled_from(PIECES), max_size=30))
    def check(pieces):
        (tmp_path / "x.pkl").write_bytes(b"\x80\x02" + b"".join(pieces) + b".")
        with bounds():
            read_checkpoint(tmp_path / "x.pkl")

    check()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(config, prefix=()):
    """Paths of all values in a configuration."""
    items = config.items() if isinstance(config, dict) else enumerate(config) if isinstance(config, list) else ()
    for key, value in items:
        yield (*prefix, key)
        yield from places(value, (*prefix, key))


def test_any_value_in_the_configuration_of_a_network(originals, tmp_path):
    with zipfile.ZipFile(originals / "g.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])

    @given(st.sampled_from(list(places(config))), JSON)
    def check(place, value):
        changed = json.loads(members["config.json"])
        at = changed
        for key in place[:-1]:
            at = at[key]
        at[place[-1]] = value
        with zipfile.ZipFile(tmp_path / "x.keras", "w") as archive:
            for name, member in {**members, "config.json": json.dumps(changed)}.items():
                archive.writestr(name, member)
        with bounds():
            load_generator(str(tmp_path / "x.keras"))

    check()


@given(st.integers(2, 40), st.integers(0, 5))
def test_datasets_of_any_rank_and_name_in_hdf5(tmp_path, count, rank):
    rng = np.random.default_rng(count)
    with h5py.File(tmp_path / "x.weights.h5", "w") as file:
        for i in range(count):
            parent = "/".join(str(k) for k in rng.integers(0, 3, rng.integers(1, 4)))
            name = f"{parent}/n{i}" if i % 2 else f"{parent}/vars{i}/0"
            file[name] = rng.normal(size=rng.integers(0, 4, rng.integers(0, rank + 1)))
    with bounds():
        load_generator(str(tmp_path / "x.weights.h5"), networks=TINY)
