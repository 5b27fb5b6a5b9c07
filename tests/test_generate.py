"""Generated sets: the same images whoever writes them and when, in files that sources read."""

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_DCGAN
from filelock import FileLock
from PIL import Image

from tfgantl.data import SPLITS, Folder, TFRecords, WebDataset
from tfgantl.errors import ConfigError, RunError
from tfgantl.images import to_uint8
from tfgantl.pipelines import generate as verb
from tfgantl.pipelines.generate import GenerateConfig, generate, sampling, writers
from tfgantl.pipelines.generate.plan import worker_of
from tfgantl.random_streams import latents_of_seeds

SHARDED = {"count": 23, "shard_size": 10, "batch_size": 4}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Directories of a pair with classes and of one without."""
    found = {}
    for name, classes in (("with", 3), ("without", None)):
        found[name] = tmp_path_factory.mktemp(name)
        for network in TINY_DCGAN.build(8, 1, classes):
            network.save(found[name] / f"{network.name}.keras")
    (found["with"] / "metrics.jsonl").touch()
    return found


@pytest.fixture
def config(pair, tmp_path):
    return GenerateConfig(model=str(pair["with"]), out_dir=str(tmp_path / "out"), **SHARDED)


def files_of(directory):
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(Path(directory).rglob("*"))
        if path.is_file() and ".generated" not in path.parts
    }


SOURCES = {"folder": Folder, "webdataset": WebDataset, "tfrecord": TFRecords}


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("classes", ["with", "without"])
def test_what_is_written_is_a_source_with_labels(kind, classes, pair, tmp_path):
    config = GenerateConfig(model=str(pair[classes]), out_dir=str(tmp_path / "out"), format=kind, seed=5, **SHARDED)
    result = generate(config)
    assert (result.written, result.there, result.elsewhere) == (23, 0, 0)
    options = {"label": None} if kind != "folder" and classes == "without" else {}
    source = SOURCES[kind](config.out_dir, image_size=8, channels=1, validation=0.25, test=0.25, **options)
    parts = [source.load(split) for split in SPLITS]
    assert sum(part.size for part in parts) == 23 and parts[0].num_classes == (3 if classes == "with" else None)
    seeds = 5 * 2**31 + np.arange(23)
    generator = tf.keras.models.load_model(pair[classes] / "generator.keras")
    noise, labels = latents_of_seeds(tf.constant(seeds), 4), np.arange(23) % 3
    images = to_uint8(np.asarray(generator([noise, tf.constant(labels)] if classes == "with" else noise)))
    expected = {(tuple(i.ravel()), int(y) if classes == "with" else 0) for i, y in zip(images, labels, strict=True)}
    found = [part.take() for part in parts]
    both = [(i, 0 if y is None else y[n]) for x, y in found for n, i in enumerate(x)]
    near = [min(np.abs(np.array(e[0]) - i.ravel().astype(int)).max() + 255 * (e[1] != y) for e in expected)
            for i, y in both]  # fmt: skip
    assert max(near) <= 1  # of 256, by rounding


@pytest.mark.parametrize("kind", SOURCES)
def test_shards_alone_are_those_of_the_whole_byte_for_byte(kind, config, tmp_path):
    whole, alone = replace(config, format=kind), replace(config, format=kind, out_dir=str(tmp_path / "alone"))
    generate(whole)
    for shard in (2, 0):
        assert generate(replace(alone, shards=(shard,))).elsewhere
    some = files_of(alone.out_dir)
    assert len(some) in (1 + 2, 1 + 13) and some.items() <= files_of(whole.out_dir).items()
    assert generate(alone).written == 10 and files_of(alone.out_dir) == files_of(whole.out_dir)


def test_seeds_and_labels_are_beside_the_images(config):
    generate(replace(config, format="webdataset", seed=1, classes=("2", "0")))
    with tarfile.open(Path(config.out_dir) / "images-00001-of-00003.tar") as archive:
        content = {member.name: archive.extractfile(member).read() for member in archive.getmembers()}
    assert content["0000000013.cls"] == b"0" and json.loads(content["0000000013.json"]) == {"seed": 2**31 + 13}
    assert len(content) == 30


def test_the_seed_is_in_the_file(config):
    generate(config)
    with Image.open(Path(config.out_dir) / "1" / "0000000004.png") as picture:
        assert picture.text == {"seed": "4"}


@pytest.mark.parametrize("kind", SOURCES)
def test_who_is_interrupted_goes_on_where_it_stopped(kind, config, monkeypatch, tmp_path):
    config = replace(config, format=kind)
    whole = replace(config, out_dir=str(tmp_path / "whole"))
    generate(whole)
    encode, calls = writers.WRITERS[kind].write, []

    def failing(writer, drawn):
        calls.append(drawn)
        if len(calls) == 5:  # in the second shard
            raise KeyboardInterrupt
        encode(writer, drawn)

    with monkeypatch.context() as patch:
        patch.setattr(writers.WRITERS[kind], "write", failing)
        with pytest.raises(KeyboardInterrupt):
            generate(config)
    result = generate(config)
    assert (result.written, result.there) == (13, 10) and files_of(config.out_dir) == files_of(whole.out_dir)
    again = generate(config)
    assert (again.written, again.there) == (0, 23) and "23 were there" in again.text()


def test_a_shard_that_is_gone_is_written_again(config):
    config = replace(config, format="tfrecord")
    generate(config)
    shard = Path(config.out_dir) / "images-00001-of-00003.tfrecord"
    before = shard.read_bytes()
    shard.unlink()
    assert generate(config).written == 10 and shard.read_bytes() == before


def test_images_that_are_gone_and_shards_that_are_cut_off_are_written_again(config):
    generate(config)
    before = files_of(config.out_dir)
    next(Path(config.out_dir).rglob("0000000012.png")).unlink()
    assert generate(config).written == 10 and files_of(config.out_dir) == before
    config = replace(config, format="webdataset", out_dir=config.out_dir + "-tar")
    generate(config)
    before = files_of(config.out_dir)
    shard = Path(config.out_dir) / "images-00001-of-00003.tar"
    shard.write_bytes(shard.read_bytes()[:1000])
    assert generate(config).written == 10 and files_of(config.out_dir) == before
    (Path(config.out_dir) / ".generated" / "00001").write_bytes(b"")  # as earlier versions have marked it
    assert generate(config).written == 0


@pytest.mark.parametrize("kind", ["webdataset", "tfrecord"])
def test_a_full_disk_is_told_and_leaves_no_part_of_a_shard(kind, config, monkeypatch, capsys):
    """What is in memory is only written when a shard is closed."""
    target, error = tarfile.TarFile, OSError(28, "No space")
    if kind == "tfrecord":
        target, error = tf.io.TFRecordWriter, tf.errors.ResourceExhaustedError(None, None, "No space")
    close = target.close

    def full(self):
        close(self)
        raise error

    monkeypatch.setattr(target, "close", full)
    assert verb.main(["--model", config.model, "--out_dir", config.out_dir, "--count", "3", "--format", kind]) == 5
    said = capsys.readouterr().err
    assert "No space" in said and "Traceback" not in said
    assert not [name for name in os.listdir(config.out_dir) if "images" in name]


def test_several_processes_share_the_work(config, monkeypatch):
    generate(replace(config, shards=(0,)))
    with FileLock(Path(config.out_dir) / ".generated" / "00001.lock"):
        result = generate(config)
        assert (result.written, result.there, result.elsewhere) == (3, 10, 10) and "10 left to others" in result.text()
    cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    other = replace(config, out_dir=config.out_dir + "-cluster")
    for kind, number, written in (("worker", 1, 3), ("chief", 0, 10), ("worker", 0, 10)):
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": kind, "index": number}}))
        assert generate(other).written == written
    for text in ("{", "[]", '{"cluster": {}, "task": {"type": "worker", "index": 0}}', '{"cluster": 3, "task": {}}'):
        with pytest.raises(ConfigError, match="`TF_CONFIG` must be"):
            worker_of(text)


def test_another_set_in_the_same_directory_is_refused(config, pair, tmp_path):
    generate(config)
    for changes, told in (
        ({"seed": 1}, "whose `seed` is 0 and not 1"), ({"format": "tfrecord"}, "whose `format` is folder"),
        ({"classes": ("1",)}, "whose `labels` is"), ({"model": str(pair["without"])}, "whose `labels` is"),
    ):  # fmt: skip
        with pytest.raises(RunError, match=f"`out_dir` must be new, or hold a set with these settings. .*{told}"):
            generate(replace(config, **changes))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(RunError, match="`out_dir` must be new, or hold a generated set. .*, which has thesis.txt"):
        generate(replace(config, out_dir=str(tmp_path / "mine")))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"count": 0}, "`count` must be at least 1"),
        ({"count": 2**31 + 1}, "`count` must be at most 2147483648"),
        ({"shards": (3,)}, r"`shards` must be numbers in \[0, 2\]. Received: 3"),
        ({"classes": ("7",)}, "`classes` must be out of 0, 1, 2. Received: 7"),
    ],
)
def test_mistakes_are_one_line(config, changes, told):
    with pytest.raises(ConfigError, match=told):
        generate(replace(config, **changes))
    assert not os.path.exists(config.out_dir)


def test_classes_of_a_generator_without_are_refused(config, pair):
    with pytest.raises(ConfigError, match="`classes` must be none for a generator without. Received: 1"):
        generate(replace(config, model=str(pair["without"]), classes=("1",)))


@pytest.mark.parametrize("place", ["a picture", "a class", "the marks"])
def test_a_set_of_somebody_else_is_not_gone_on_with_through_links(place, config, tmp_path):
    """Who is handed a set that has been begun may be handed links, under the names of what is to come."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "only").write_text("my only copy")
    generate(replace(config, shards=(0,)))
    out = Path(config.out_dir)
    if place == "a picture":
        (out / "1" / ".0000000010.png.part").symlink_to(victim / "only")
        assert generate(config).written == 13
    else:
        part = out / ("1" if place == "a class" else ".generated")
        part.rename(tmp_path / "moved")
        part.symlink_to(victim)
        with pytest.raises(RunError, match="must be a folder of .* itself. Received: a link"):
            generate(config)
    assert [path.read_text() for path in victim.iterdir() if path.suffix != ".lock"] == ["my only copy"]


@pytest.mark.parametrize("names", [["a\nb", "c", "d"], ["", "c", "d"], ["c", "c ", "d"]])
def test_names_that_would_move_to_other_labels_are_not_written(names, config, pair, monkeypatch, tmp_path):
    monkeypatch.setattr(sampling, "class_names_behind", lambda handle: names)
    config = replace(config, format="tfrecord", count=3, out_dir=str(tmp_path / "out"))
    generate(config)
    assert not (Path(config.out_dir) / "classes.txt").exists()


def test_a_kill_between_names_and_manifest_is_gone_on_from(config, monkeypatch):
    monkeypatch.setattr(sampling, "class_names_behind", lambda handle: ["a", "b", "c"])
    config = replace(config, format="tfrecord", count=3)
    generate(replace(config, shards=()))
    out = Path(config.out_dir)
    (out / "generated.json").rename(out / ".generated.tfgantl-1.json")
    assert generate(config).written == 3
    (out / "generated.json").unlink()
    (out / "classes.txt").write_text("mine\n")
    with pytest.raises(RunError, match="`out_dir` must be new"):
        generate(config)


def test_a_graph_with_its_numbers_inside_is_told_from_another(config, tmp_path, monkeypatch):
    """Frozen graphs have no weights that could differ."""
    graph = tmp_path / "model" / "saved_model.pb"
    graph.parent.mkdir()
    other, generator = replace(config, model=str(graph.parent)), sampling.load_generator(config.model)
    monkeypatch.setattr(sampling, "load_generator", lambda *_: generator)
    graph.write_bytes(b"one")
    generate(replace(other, shards=()))
    graph.write_bytes(b"two")
    with pytest.raises(RunError, match="whose `graph` is"):
        generate(other)


def test_generators_of_equal_weights_are_told_apart(config, tmp_path):
    """One set was made of two generators, whose layers differ in what has no weights."""
    keras.utils.set_random_seed(0)
    networks = [replace(TINY_DCGAN, generator_slope=slope).build(8, 3)[0] for slope in (0.0, 0.9)]
    networks[1].set_weights(networks[0].get_weights())
    swapped = keras.ops.flip(networks[0].outputs[0], axis=-1)  # red for blue
    networks.append(keras.Model(networks[0].inputs[0], swapped))
    for name, network in zip("abc", networks, strict=True):
        network.save(tmp_path / f"{name}.keras")
    ours = replace(config, model=str(tmp_path / "a.keras"), shards=(0,))
    generate(ours)
    generate(replace(ours, shards=(1,)))
    for other in "bc":
        with pytest.raises(RunError, match="whose `drawn` is"):
            generate(replace(ours, model=str(tmp_path / f"{other}.keras"), shards=(2,)))
    manifest = Path(config.out_dir) / "generated.json"
    found = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**found, "drawn": found["drawn"][:64]}))
    generate(replace(ours, shards=(2,)))  # of a version that kept means alone
    manifest.write_text(json.dumps({k: v for k, v in json.loads(manifest.read_text()).items() if k != "drawn"}))
    generate(replace(ours, shards=(2,)))  # of a version that did not say


def test_folders_are_named_as_classes_where_that_is_safe():
    assert writers.folder_names(("cat", "dog")) == {0: "cat", 1: "dog"}
    assert writers.folder_names(("cat", "../dog")) == writers.folder_names(("cat", "Cat")) == {}
    assert writers.folder_names(None) == {}


def test_the_command_prints_what_it_wrote(config, capsys):
    arguments = ["--model", config.model, "--out_dir", config.out_dir, "--count", "5", "--batch_size", "5", "--json"]
    assert verb.main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["written"] == 5


def test_as_a_pipeline_of_beam(config, tmp_path):
    """The runner of this machine, in a process of its own, writes what the command writes."""
    pytest.importorskip("apache_beam", reason="needs `pip install 'tfgantl[beam]'`")
    config = replace(config, format="tfrecord")
    generate(config)
    out = tmp_path / "beam"
    command = [
        sys.executable, "-m", "tfgantl.pipelines.generate", "--model", config.model, "--out_dir", str(out),
        "--count", "23", "--shard_size", "10", "--batch_size", "4", "--format", "tfrecord", "--json",
        "--beam=--runner=DirectRunner",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1])["written"] == 23
    assert files_of(out) == files_of(config.out_dir)


def test_without_beam_the_command_says_what_to_install(config, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    sys.modules.pop("tfgantl.pipelines.generate.beam", None)
    with pytest.raises(ConfigError, match=r"apache-beam must be installed: pip install 'tfgantl\[beam\]'"):
        generate(replace(config, beam="--runner=DirectRunner"))


def test_classes_that_differ_in_case_are_apart():
    names = ("A", "a", "red cell", "7")
    assert sampling._labels_of(("a", "A"), names, 4) == (1, 0)
    assert sampling._labels_of(("Red_cell", "3", "7", "7"), names, 4) == (2, 3, 3, 3)
    for wrong in ("B", "4", "-1"):
        with pytest.raises(ConfigError, match=f"`classes` must be out of A, a, red cell, 7. Received: {wrong}"):
            sampling._labels_of((wrong,), names, 4)
