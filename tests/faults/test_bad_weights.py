"""Every kind of bad weight file: handled, or refused in one line before anything of it is built or run."""

import hashlib
import io
import json
import shutil
import tarfile
import zipfile

import h5py
import keras
import numpy as np
import pytest
from conftest import TINY_DCGAN as TINY
from conftest import growth_below
from modules import save_exported, save_h5, save_npz, save_run

from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.gan import GAN
from tfgantl.models import DCGAN
from tfgantl.models.presets import load_preset, save_preset
from tfgantl.pretrained import load_generator, load_source


def refused(handle, message, networks=None):
    with pytest.raises(ArtifactError, match=message) as error:
        load_generator(str(handle), networks=networks)
    assert "\n" not in str(error.value)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


INDEX, DATA = "m/variables/variables.index", "m/variables/variables.data-00000-of-00001"
TOO_SMALL, DAMAGED = "must hold intact variables.*which are not in the files", "must hold intact variables"
GRAPH = "must be an intact SavedModel"
CASES = [
    *(("pair.npz", TINY, "must be an intact .npz archive", damage) for damage in (truncate, empty, flip)),
    # A flipped bit in HDF5 is told by a hash only.
    *(("pair.weights.h5", TINY, "must be an intact .weights.h5 of Keras", damage) for damage in (truncate, empty)),
    ("m/saved_model.pb", None, GRAPH, truncate), ("m/saved_model.pb", None, "must hold one graph with the tags", empty),
    *((INDEX, TINY, DAMAGED, damage) for damage in (truncate, empty, flip)),
    (DATA, TINY, TOO_SMALL, truncate), (DATA, TINY, TOO_SMALL, empty), (DATA, TINY, DAMAGED, flip),
    *((name, None, GRAPH, damage) for name in (INDEX, DATA) for damage in (truncate, empty, flip)),
]  # fmt: skip


@pytest.fixture(scope="module")
def whole_sources(tmp_path_factory):
    """A pair in every form, before it is damaged; exporting one takes seconds."""
    directory = tmp_path_factory.mktemp("sources")
    keras.utils.set_random_seed(0)
    gan = GAN(*TINY.build(8, 1, 3))
    save_npz(gan, directory / "pair.npz")
    save_h5(gan, directory / "pair.weights.h5")
    save_exported(gan, directory / "m")
    return directory


@pytest.mark.parametrize(
    ("name", "networks", "message", "damage"), CASES,
    ids=[f"{'adopt' if case[1] else 'wrap'}-{case[0]}-{case[3].__name__}" for case in CASES],
)  # fmt: skip
def test_damaged_sources_are_named(whole_sources, tmp_path, damage, name, networks, message):
    shutil.copytree(whole_sources, tmp_path, dirs_exist_ok=True)
    damage(tmp_path / name)
    refused(tmp_path / name.partition("/")[0], message, networks)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("weights.npz", "tiny/weights.npz: must be an intact .npz archive"),
        ("config.json", "tiny: must hold config.json and weights.npz of a preset"),
    ],
)
@pytest.mark.parametrize("keep", [0, 100])
def test_damaged_presets_are_named(make_gan, tmp_path, name, message, keep):
    gan = make_gan()
    save_preset(tmp_path / "tiny", gan.generator, gan.discriminator, {})
    file = tmp_path / "tiny" / name
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ArtifactError, match=message):
        load_preset(tmp_path / "tiny")


def test_a_discriminator_is_no_generator(make_gan, tmp_path):
    save_run(make_gan(), tmp_path)
    with pytest.raises(ArtifactError, match="must map latents, or latents and labels, to images"):
        load_generator(str(tmp_path / "discriminator.keras"))


def test_weights_that_are_not_finite_are_refused(make_gan, tmp_path):
    gan = make_gan()
    gan.generator.weights[0].assign(np.full(gan.generator.weights[0].shape, np.nan))
    save_run(gan, tmp_path)
    with pytest.raises(ArtifactError, match="weights must be finite. Received: NaN or infinity in"):
        load_source(str(tmp_path))


# --- Handles ---


def test_unknown_handles_list_what_there_is(tmp_path):
    for handle in ("nowhere", tmp_path, tmp_path / "missing.pkl"):  # an empty directory, too
        with pytest.raises(ArtifactError, match=r"must be a preset \(.*rendered-digits.* Received: ") as error:
            load_source(str(handle))
        assert str(handle) in str(error.value)
    with pytest.raises(ArtifactError, match="must be one of .*rendered-digits.* Received: nowhere"):
        GAN.from_preset("nowhere")


@pytest.mark.parametrize("name", ["gone.keras", "gone.npz", "gone.weights.h5"])
def test_files_that_are_not_there(tmp_path, name):
    refused(tmp_path / name, rf"{name}: must be an? \.\w+(\.h5)? (file|archive). Received: no such file", TINY
            if not name.endswith("keras") else None)  # fmt: skip


def test_a_directory_with_the_name_of_a_file(tmp_path):
    (tmp_path / "dir.keras").mkdir()
    refused(tmp_path / "dir.keras", "must be a .keras file. Received: no such file")


# --- .keras ---


def text(path):
    path.write_text("no model")


def flip_a_weight(path):
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("model.weights.h5")
    content = bytearray(path.read_bytes())
    content[member.header_offset + member.file_size // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, empty, text, flip_a_weight])
def test_damaged_keras_files_are_named(make_gan, tmp_path, damage):
    save_run(make_gan(), tmp_path)
    damage(tmp_path / "discriminator.keras")
    with pytest.raises(ArtifactError, match="discriminator.keras: must be an intact .keras file"):
        load_source(str(tmp_path))


def rewritten(path, config=None, weights=None, extra=None):
    """The same `.keras` file with another configuration or other weights."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if config is not None:
        members["config.json"] = json.dumps(config(json.loads(members["config.json"]))).encode()
    if weights is not None:
        members["model.weights.h5"] = weights
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**members, **(extra or {})}.items():
            archive.writestr(name, content)


def replaced(old, new):
    return lambda config: json.loads(json.dumps(config).replace(old, new))


def a_layer(class_name, module="keras.layers", **config):
    """Puts another layer in the place of the last one."""

    def change(found):
        layer = found["config"]["layers"][-1]
        layer |= {"class_name": class_name, "module": module, "registered_name": None}
        layer["config"] = {"name": layer["config"]["name"], **config}
        return found

    return change


CODE = {
    "Lambda": a_layer("Lambda", function={"class_name": "__lambda__", "config": {"code": "4wAAAA=="}}),
    "TFSMLayer": a_layer("TFSMLayer", filepath="/tmp/module", call_endpoint="serve"),
    "StringLookup that reads a file": a_layer("StringLookup", vocabulary="/etc/passwd"),
    "function of Python": a_layer("system", module="os", command="touch /tmp/tfgantl-test-must-not-exist"),
    "function of Keras that loads": a_layer("get_file", module="keras.utils", origin="https://example.com/x"),
    "dotted name": a_layer("layers.TFSMLayer", module="keras", filepath="/tmp/module", call_endpoint="serve"),
    "dotted function": a_layer("function", module="builtins"),
    "base of the lookups": a_layer("IndexLookup", module="keras.src.layers.preprocessing.index_lookup"),
    "helper in the module of a layer": a_layer("KerasTensor", module="keras.src.layers.core.input_layer"),
    "class of Keras that is no layer": a_layer("Model", module="keras.layers"),
    "module that a layer's module has imported": a_layer("ops", module="keras.src.layers.core.dense"),
    "function of the package": a_layer("load_network", module="tfgantl.untrusted.networks", path="/tmp/x"),
    "class of the package": a_layer("RunDirectory", module="tfgantl.training.run_directory", path="/tmp/x"),
    "name that nobody has registered": a_layer("tfgantl>RunDirectory", module=None),
    "loss in the place of an activation": a_layer(
        "Activation",
        activation={
            "module": "builtins",
            "class_name": "function",
            "config": "mean_squared_error",
            "registered_name": "function",
        },
    ),
    "registered name": lambda config: json.loads(
        json.dumps(config).replace('"registered_name": null', '"registered_name": "keras>Lambda"')
    ),
    "compiled inside": lambda config: {
        **config,
        "config": {**config["config"], "x": {"compile_config": {"metrics": ["AUC"]}}},
    },
}


REFUSED = {
    "Lambda": r"keras\.layers\.Lambda", "TFSMLayer": r"keras\.layers\.TFSMLayer",
    "StringLookup that reads a file": r"keras\.layers\.StringLookup", "function of Python": r"os\.system",
    "function of Keras that loads": r"keras\.utils\.get_file", "dotted name": r"keras\.layers\.TFSMLayer",
    "dotted function": r"builtins\.function",
    "base of the lookups": r"keras\.src\.layers\.preprocessing\.index_lookup\.IndexLookup",
    "helper in the module of a layer": r"keras\.src\.layers\.core\.input_layer\.KerasTensor",
    "class of Keras that is no layer": r"keras\.layers\.Model",
    "module that a layer's module has imported": r"keras\.src\.layers\.core\.dense\.ops",
    "function of the package": r"tfgantl\.untrusted\.networks\.load_network",
    "class of the package": r"tfgantl\.training\.run_directory\.RunDirectory",
    "name that nobody has registered": r"None\.tfgantl>RunDirectory",
    "loss in the place of an activation": r"builtins\.function",
    "registered name": r"keras\.layers\.InputLayer",
}  # fmt: skip


@pytest.mark.parametrize("kind", CODE)
def test_models_that_hold_code_are_refused_before_they_are_built(tmp_path, monkeypatch, kind):
    inputs = keras.Input((4,))
    path = tmp_path / "generator.keras"
    keras.Model(inputs, keras.layers.Reshape((2, 2, 1))(inputs)).save(path)
    assert load_generator(str(path)).output_shape == (None, 2, 2, 1)
    rewritten(path, CODE[kind])

    def built(*arguments, **options):
        raise AssertionError("built before it was checked")

    monkeypatch.setattr(keras.saving, "deserialize_keras_object", built)
    monkeypatch.setattr(keras.models, "load_model", built)
    if kind == "compiled inside":
        refused(path, "must not be compiled inside. Received: a compile_config")
    else:
        refused(path, rf"must hold layers that only compute. Received: {REFUSED[kind]}$")


def test_another_suffix_is_not_taken_for_a_keras_file(make_gan, tmp_path):
    """Keras would read a file by its suffix, and a file can be of two formats."""
    from tfgantl.untrusted.networks import load_network

    make_gan().generator.save(tmp_path / "generator.keras")
    (tmp_path / "generator.keras").rename(tmp_path / "generator.h5")
    with pytest.raises(ArtifactError, match="must be a .keras file. Received: another suffix"):
        load_network(tmp_path / "generator.h5")


def test_ordinary_layers_and_operations_pass(tmp_path):
    inputs = keras.Input((8, 6))
    x = keras.layers.Bidirectional(keras.layers.GRU(4, return_sequences=True))(inputs)
    x = keras.layers.TimeDistributed(keras.layers.Dense(4, activation="gelu"))(x)
    x = keras.layers.MultiHeadAttention(2, 4)(x, x) + keras.ops.rsqrt(keras.ops.abs(x) + 1.0)
    x = keras.ops.logsumexp(keras.ops.cast(x, "float32"), axis=-1, keepdims=True) * x[:, :, :1]
    inner = keras.Sequential([keras.Input((8, 1)), keras.layers.Flatten(), keras.layers.Dense(4, "leaky_relu")])
    model = keras.Model(
        inputs, keras.layers.Reshape((2, 2, 1))(keras.layers.Normalization(mean=0.0, variance=1.0)(inner(x)))
    )
    model.save(tmp_path / "model.keras")
    from tfgantl.untrusted.networks import load_network

    given = np.random.default_rng(0).normal(size=(3, 8, 6)).astype("f")
    np.testing.assert_allclose(load_network(tmp_path / "model.keras")(given), model(given), atol=1e-6)


def huge_network(path):
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Reshape((10, 10, 1))(keras.layers.Dense(100)(inputs))).save(path)
    rewritten(path, replaced('"units": 100,', '"units": 20000000000,'))
    rewritten(path, replaced('"target_shape": [10, 10, 1]', '"target_shape": [200000, 100000, 1]'))


def huge_network_with_a_note(path):
    huge_network(path)
    rewritten(path, lambda config: {**config, "note": "tfgantl>WrappedGenerator"})


def bomb_of_a_chunk(path):
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Reshape((2, 2, 1))(inputs)).save(path)
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file.create_dataset("x", (4,), "f4", maxshape=(None,), chunks=(2**29,), compression="gzip")
    rewritten(path, weights=path.with_suffix(".h5").read_bytes())


def huge_own_network(path):
    DCGAN(4, (8, 6, 4), (1, 2, 2), 3, 2, 0.0).build(8, 1, 3)[0].save(path)
    rewritten(path, replaced('"num_classes": 3', '"num_classes": 3000000000'))


def wide_activations(path):
    inputs = keras.Input((4,))
    small = keras.layers.Reshape((2, 2, 1))(inputs)
    keras.Model(inputs, keras.layers.AveragePooling2D(100)(keras.layers.UpSampling2D(100)(small))).save(path)
    rewritten(path, replaced('"size": [100, 100]', '"size": [15000, 15000]'))


def own_network_of_wide_activations(path):
    DCGAN(4, (8, 6, 4), (1, 2, 2), 3, 2, 0.0).build(8, 1, 3)[0].save(path)
    rewritten(path, replaced('"image_size": 8', '"image_size": 65536'))


def wide_activations_in_a_sequence(path):
    keras.Sequential(
        [keras.Input((8,)), keras.layers.RepeatVector(70_000), keras.layers.GlobalAveragePooling1D()]
    ).save(path)
    rewritten(path, replaced('"n": 70000', '"n": 1073741824'))


def wide_attention(path):
    inputs = keras.Input((8,))
    x = keras.layers.RepeatVector(16)(inputs)
    keras.Model(inputs, keras.layers.MultiHeadAttention(8, 2)(x, x)).save(path)
    rewritten(path, replaced('"n": 16', '"n": 65536'))


def long_configuration(path):
    huge_own_network(path)
    rewritten(path, lambda config: {**config, "note": [{}] * 6_000_000})


def bomb_of_members(path):
    make = keras.Input((4,))
    keras.Model(make, keras.layers.Reshape((2, 2, 1))(make)).save(path)
    rewritten(path, extra={"zeros": bytes(300 * 2**20)})


def bomb_of_weights(path):
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Reshape((2, 2, 1))(inputs)).save(path)
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file.create_dataset("layers/dense/vars/0", (2**40,), "f4", chunks=(1024,))
    rewritten(path, weights=path.with_suffix(".h5").read_bytes())


def linked_weights(path):
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Reshape((2, 2, 1))(inputs)).save(path)
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file["layers"] = h5py.ExternalLink("/etc/passwd", "/")
    rewritten(path, weights=path.with_suffix(".h5").read_bytes())


BOMBS = {
    "layer of 80 GB": (huge_network, "weights must be in the file. Received: 2000 of"),
    "layer of 80 GB beside a note": (huge_network_with_a_note, "weights must be in the file. Received: 2000 of"),
    "chunk of 2 GB": (bomb_of_a_chunk, "must unpack to at most"),
    "embedding of 24 GB": (huge_own_network, "`num_classes` of a DCGANGenerator must be at most 6"),
    "activations of 3 GB": (wide_activations, "a layer must need at most 1073741824 bytes of memory for one image"),
    "activations of an own network": (own_network_of_wide_activations, "must have|must need|must be"),
    "activations in a sequence": (wide_activations_in_a_sequence, "a layer must need at most"),
    "table of attention": (wide_attention, "a network must need at most 1073741824 bytes .* Received: 2748"),
    "configuration of 24 MB": (long_configuration, "config.json must have at most 16777216 bytes"),
    "zip of zeros": (bomb_of_members, "must unpack to at most"),
    "HDF5 of 4 TB": (bomb_of_weights, "must unpack to at most"),
    "HDF5 elsewhere": (linked_weights, "must hold its weights itself. Received: a link at layers"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_keras_files_need_no_more_memory_than_their_weights(tmp_path, kind):
    make, message = BOMBS[kind]
    make(tmp_path / "generator.keras")
    with growth_below(64):
        refused(tmp_path / "generator.keras", message)


# --- .weights.h5 and .npz ---


def circle(file):
    file.create_group("layers/a")
    file["layers/a/b"] = file["layers"]


def fan(file):
    """Twenty groups, each twice in the one before: a million paths."""
    group = file
    for _ in range(20):
        group["a"] = inner = file.create_group(None)
        group["b"] = inner
        group = inner


def link(kind):
    return lambda file: file.__setitem__("layers", kind)


def layout(file):
    file.create_virtual_dataset("layers", h5py.VirtualLayout((4,), "f4"))


HDF5 = {
    "external link": (link(h5py.ExternalLink("/etc/passwd", "/")), "a link at layers"),
    "soft link": (link(h5py.SoftLink("/other")), "a link at layers"),
    "virtual dataset": (layout, "another file at layers"),
    "external data": (
        lambda file: file.create_dataset("layers", (4,), "f4", external=[("/etc/passwd", 0, 16)]),
        "another file at layers",
    ),
    "4 TB": (lambda file: file.create_dataset("layers", (2**40,), "f4", chunks=(1024,)), "must unpack to at most"),
    "text": (lambda file: file.create_dataset("layers", data="x"), "must hold numbers"),
    "circle": (circle, "must hold each group once"),
    "million paths": (fan, "must hold each group once"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HDF5)
def test_hdf5_files_that_are_not_just_weights_are_refused(tmp_path, kind):
    make, message = HDF5[kind]
    with h5py.File(tmp_path / "bad.weights.h5", "w") as file:
        make(file)
    refused(tmp_path / "bad.weights.h5", message, TINY)


def archive_with(name, content):
    def make(path):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)

    return make


NPZ = {
    "Python objects": (
        lambda path: np.savez(path, a=np.array([{}], object)), "a.npy must hold numbers. Received: object",
    ),
    "path that leads out": (archive_with("../a.npy", b"x"), "must stay inside it. Received: ../a.npy"),
    "absolute path": (archive_with("/a.npy", b"x"), "must stay inside it. Received: /a.npy"),
    "zip of zeros": (archive_with("a.npy", bytes(300 * 2**20)), "must unpack to at most"),
    "lying header": (
        archive_with("a.npy", b"\x93NUMPY\x01\x00\x46\x00" + b"{'descr': '<f4', 'fortran_order': False, "
                     b"'shape': (99999999, 9999), }".ljust(69) + b"\n" + b"1234"),
        "must hold as much as its shape says",
    ),
    "text": (archive_with("a.npy", b"no array"), "must be an intact .npz archive"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NPZ)
def test_archives_that_are_not_just_numbers_are_refused(tmp_path, kind):
    make, message = NPZ[kind]
    make(tmp_path / "bad.npz")
    with growth_below(64):
        refused(tmp_path / "bad.npz", message, TINY)


@pytest.mark.parametrize("name", ["pair.npz", "pair.weights.h5", "generator.keras"])
def test_a_hash_beside_a_file_is_compared(make_gan, tmp_path, name):
    """Nothing else notices one flipped bit of a weight in `.weights.h5`."""
    path, networks = tmp_path / name, None if name.endswith("keras") else TINY
    gan = make_gan()
    {"npz": save_npz, "h5": save_h5}.get(name.rpartition(".")[2], lambda g, p: g.generator.save(p))(gan, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(name + ".sha256").write_text(f"{digest}  {name}\n")  # as sha256sum writes it
    load_generator(str(path), networks=networks)
    value = gan.generator.get_layer("block0_dense").kernel.numpy().tobytes()
    content = path.read_bytes()
    at = content.find(value[:32]) if not name.endswith("npz") else len(content) // 2
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    refused(path, rf"must have the SHA-256 {digest} of {name}.sha256. Received: ", networks)


# --- What the arrays say ---


def changed(name, change):
    return lambda arrays: {**arrays, f"generator/{name}": change(arrays[f"generator/{name}"])}


MISFITS = {
    "discriminator only": (
        lambda arrays: {name: array for name, array in arrays.items() if name.startswith("discriminator")},
        "`networks` must be the architecture of .*fits 0 ways",
    ),
    "one shape differs": (
        changed("block1_conv/kernel", lambda kernel: kernel[1:]),
        "without a source block1_conv/kernel",
    ),
    "other latents": (changed("block0_dense/kernel", lambda kernel: np.repeat(kernel, 4, 0)), "fits 0 ways"),
    "NaN": (changed("block0_dense/kernel", lambda kernel: kernel * np.nan), "NaN or infinity in block0_dense/kernel"),
}


@pytest.mark.parametrize("kind", MISFITS)
def test_arrays_that_do_not_fit_are_never_half_loaded(make_gan, tmp_path, kind):
    change, message = MISFITS[kind]
    save_npz(make_gan(), tmp_path / "pair.npz")
    np.savez(tmp_path / "bad.npz", **change(dict(np.load(tmp_path / "pair.npz"))))
    with pytest.raises((ArtifactError, ConfigError), match=message):
        load_generator(str(tmp_path / "bad.npz"), networks=TINY)


def test_a_preset_that_would_be_larger_than_its_weights_is_refused(make_gan, tmp_path):
    gan = make_gan()
    save_preset(tmp_path / "tiny", gan.generator, gan.discriminator, {})
    config = tmp_path / "tiny" / "config.json"
    config.write_text(config.read_text().replace('"num_classes": 3', '"num_classes": 3000000000'))
    with growth_below(64), pytest.raises(ArtifactError, match="`num_classes` of a DCGANGenerator must be at most 6"):
        load_preset(tmp_path / "tiny")


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
def test_networks_that_are_no_built_models_are_refused(tmp_path):
    keras.Sequential([keras.layers.Dense(3)]).save(tmp_path / "unbuilt.keras")
    refused(
        tmp_path / "unbuilt.keras", "a generator must map latents, .* Received: output shape None|must be an intact"
    )


def test_images_with_their_channels_first_are_refused(tmp_path):
    """`generate` ended in a traceback."""
    latents = keras.Input((4,))
    pixels = keras.layers.Dense(3 * 8 * 8, activation="tanh")(latents)
    keras.Model(latents, keras.layers.Reshape((3, 8, 8))(pixels)).save(tmp_path / "first.keras")
    message = r"the 1 or 3 channels of images must come last. Received: output shape \(None, 3, 8, 8\)"
    refused(tmp_path / "first.keras", message)
    pair = tmp_path / "pair"
    pair.mkdir()
    (tmp_path / "first.keras").rename(pair / "generator.keras")
    images = keras.Input((3, 8, 8))
    keras.Model(images, keras.layers.Dense(1)(keras.layers.Flatten()(images))).save(pair / "discriminator.keras")
    with pytest.raises(ArtifactError, match=message):
        load_source(str(pair))


def test_a_compiled_network_loads_without_what_it_was_compiled_with(tmp_path):
    inputs = keras.Input((4,))
    network = keras.Model(inputs, keras.layers.Reshape((2, 2, 1))(inputs * 2))
    network.compile("adam", "mse", metrics=["mae"])
    network.save(tmp_path / "generator.keras")
    assert load_generator(str(tmp_path / "generator.keras")).output_shape == (None, 2, 2, 1)


def test_a_tar_is_no_source(tmp_path):
    with tarfile.open(tmp_path / "module.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("../../outside")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    refused(tmp_path / "module.tar.gz", "module.tar.gz: must be a checkpoint .* Received: a gzip archive")


def test_latents_that_are_no_vectors_are_refused(tmp_path):
    """As networks that were ported from PyTorch have them; `generate` ended in a traceback."""
    latents = keras.Input((1, 1, 4))
    keras.Model(latents, keras.layers.Conv2DTranspose(1, 8, activation="tanh")(latents)).save(tmp_path / "g.keras")
    with pytest.raises(ArtifactError, match=r"latents must be vectors .* Received: an input of \(None, 1, 1, 4"):
        load_generator(str(tmp_path / "g.keras"))
