"""Directories and files that are there already: of another command, another run, or another state of the data."""

import json
import os
import shutil
import socket
import sys
import time
import zipfile
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_MLP
from modules import Swap
from PIL import Image

from tfgantl.cluster import Cluster
from tfgantl.crossmodal.caption_bank import CaptionBank
from tfgantl.crossmodal.encoders import TextImageEncoders
from tfgantl.crossmodal.text_encoder import TextEncoder
from tfgantl.errors import ArtifactError, ConfigError, RunError, WorkerError
from tfgantl.launch import free_ports, launch, main
from tfgantl.models.presets import keep_half
from tfgantl.models.stylizer import Stylizer
from tfgantl.own_modules import find_own_modules
from tfgantl.pipelines.adapt.preparation import PreparedAdaptation
from tfgantl.pipelines.describe.results import keep
from tfgantl.pipelines.generate.plan import worker_of
from tfgantl.pipelines.stylize import phrase_learning
from tfgantl.pipelines.stylize.preparation import hashes_of
from tfgantl.pipelines.stylize.training import PreparedStyles
from tfgantl.recognition.results import load_result
from tfgantl.style.arbitrary import load_module
from tfgantl.style.phrases import StylePhrases
from tfgantl.style.pictures import split_handles
from tfgantl.style.state import check_shapes, load_state, save_state
from tfgantl.style.style_captions import StyleCaptions
from tfgantl.training.run_directory import RunDirectory, read_result
from tfgantl.training.run_facts import read_facts
from tfgantl.transfer import TextDirection


def test_a_restart_does_not_go_on_with_the_run_of_another_command(tmp_path, capfd, monkeypatch):
    """It would end with 0, and the run that was asked for would never have begun."""
    monkeypatch.setattr("tfgantl.launch.PAUSE", 0.1)
    (tmp_path / "config.yaml").write_text("styles: those of another command\n")
    code = "import sys; print(*sys.argv[1:]); sys.exit(0 if '--resume' in sys.argv else 5)"
    command = ["-c", code, "--styles", "mine", "--run_dir", str(tmp_path)]
    with pytest.raises(RunError, match=f"`run_dir` must be new or empty .*Received: {tmp_path}, which holds a run"):
        launch(command, workers=1, restarts=2)
    assert main(["--workers", "1", "--restarts", "2", *command]) == 5
    out, error = capfd.readouterr()
    assert not out and error.count("\n") == 1 and "--resume in its place goes on with it" in error
    # Whoever says so goes on with it; and without restarts, the command itself decides.
    assert launch(["-c", code, "--resume", str(tmp_path)], workers=1, restarts=2) == 0
    assert launch(command, workers=1) == 5


def test_addresses_and_numbers_of_workers_that_nothing_can_have(monkeypatch):
    monkeypatch.setenv("TFGANTL_WORKER_WAIT", "0.2")
    addresses = [f"127.0.0.1:{free_ports(1)[0]}", f"{'a' * 70}.example:1"]  # a part of a name has at most 63 letters
    with pytest.raises(WorkerError, match="no answer from worker 1 at aaaa"):
        Cluster(tuple(addresses), ("worker 0", "worker 1"), 0).meet()
    digits = sys.get_int_max_str_digits() + 1
    task = {"type": "worker", "index": "9" * digits}
    config = json.dumps({"cluster": {"worker": ["a:1", "b:1"]}, "task": task})
    with pytest.raises(ConfigError, match=r"index of the task .*must be a whole number. Received: 9{80}$"):
        Cluster.from_environment({"TF_CONFIG": config})


def goes_on(path, facts):
    """Begins a run, or goes on with it if it has begun."""
    with RunDirectory(path, resume=path.exists()) as run:
        run.begin("steps: 3\n", facts)


def test_each_of_the_pictures_of_one_name_is_compared_when_a_painting_goes_on(tmp_path):
    """Contents and styles of two folders often have the same names; the hash of the last one stood for all."""
    files = [tmp_path / "contents" / "1.png", tmp_path / "styles" / "1.png"]
    for file, colour in zip(files, ("red", "green"), strict=True):
        file.parent.mkdir()
        Image.new("RGB", (8, 8), colour).save(file)
    goes_on(tmp_path / "run", hashes_of(files))
    goes_on(tmp_path / "run", hashes_of(files))
    Image.new("RGB", (8, 8), "blue").save(files[0])
    with pytest.raises(RunError, match="settings, data, .* must be as they were.*Received: picture 1.png"):
        goes_on(tmp_path / "run", hashes_of(files))


def test_captions_of_styles_are_compared_when_a_training_goes_on(tmp_path):
    """The file of captions has the same name, and others in it."""

    def facts_with(*phrases):
        captions = StyleCaptions(("a", "b"), phrases=tuple((phrase,) for phrase in phrases))
        parts = {"materials": SimpleNamespace(facts={}), "loss": SimpleNamespace(network=None)}
        others = dict.fromkeys(("base", "base_discriminator"))
        return PreparedStyles.facts(SimpleNamespace(captions=captions, **parts, **others))

    goes_on(tmp_path / "run", facts_with("dark", "bright"))
    goes_on(tmp_path / "run", facts_with("dark", "bright"))
    with pytest.raises(RunError, match="must be as they were.*Received: captions "):
        goes_on(tmp_path / "run", facts_with("bright", "dark"))


def files_of(directory):
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def encoders(*words):
    keras.utils.set_random_seed(len(words))
    image = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4), keras.layers.UnitNormalization()])
    return TextImageEncoders(TextEncoder.of(words, dimension=4, width=2), image, 10.0, CaptionBank(words))


def test_encoders_of_phrases_may_not_be_replaced_in_between(tmp_path):
    """The run went on with others: it had kept their path alone."""
    generator, discriminator = TINY_MLP.build(8, 1)
    prepared = SimpleNamespace(
        source=SimpleNamespace(generator=generator, discriminator=discriminator), examples={},
        extractor=SimpleNamespace(id="x"), transfer=TextDirection(encoders=str(tmp_path / "encoders")),
    )  # fmt: skip
    found = []
    for words in (("dark", "bright"), ("dark", "bright", "gray")):
        shutil.rmtree(tmp_path / "encoders", ignore_errors=True)
        encoders(*words).save(tmp_path / "encoders")
        found.append(PreparedAdaptation.facts(prepared))
    goes_on(tmp_path / "run", found[0])
    goes_on(tmp_path / "run", found[0])
    with pytest.raises(RunError, match="must be as they were.*Received: encoders of phrases "):
        goes_on(tmp_path / "run", found[1])


def test_a_preset_that_is_there_is_that_of_the_run_that_goes_on(tmp_path):
    """Whatever was there was taken for it, and the run ended without its own, and without a word."""
    keras.utils.set_random_seed(0)
    mine, other = (Stylizer(2, width=2, blocks=1, styles=["a", "b"]) for _ in range(2))
    texts = [tmp_path / "mine.json", tmp_path / "other.json"]
    for text in texts:
        text.write_text(text.stem)
    keep_half({"stylizer": mine}, tmp_path / "preset", {}, {"words.json": texts[0]})
    before = files_of(tmp_path / "preset")
    keep_half({"stylizer": mine}, tmp_path / "preset", {}, {"words.json": texts[0]})
    for network, text in ((other, texts[0]), (mine, texts[1])):
        with pytest.raises(RunError, match="`preset_dir` must be new, or hold what this run has written. Received: "):
            keep_half({"stylizer": network}, tmp_path / "preset", {}, {"words.json": text})
    assert files_of(tmp_path / "preset") == before
    (tmp_path / "preset" / "weights.npz").write_bytes(before["weights.npz"][:99])
    with pytest.raises(RunError, match="something else; the run can go on once it is moved away"):
        keep_half({"stylizer": mine}, tmp_path / "preset", {})


def test_encoders_that_are_there_are_those_of_the_run_that_goes_on(tmp_path):
    mine, other = encoders("dark", "bright"), encoders("dark", "bright", "blue")
    keep(other, tmp_path / "own", None)
    keep(mine, tmp_path / "own", str(tmp_path / "out"))  # changes were allowed: what the run has is replaced
    before = files_of(tmp_path / "out")
    keep(mine, tmp_path / "own", str(tmp_path / "out"))
    assert TextImageEncoders.load(tmp_path / "own").hash == TextImageEncoders.load(tmp_path / "out").hash == mine.hash
    with pytest.raises(RunError, match="`out_dir` must not exist"):
        keep(other, tmp_path / "own", str(tmp_path / "out"))
    assert files_of(tmp_path / "out") == before


def test_phrases_are_learnt_anew_from_other_captions(tmp_path, monkeypatch):
    """With --allow_changes; those that the run had learnt before were published with what it is now."""
    learnt = []

    def learn_phrases(captions, *rest):
        learnt.append(captions.phrases)
        return StylePhrases(encoders("dark", "bright"), ("a", "b"), np.eye(2, 4, dtype=np.float32), 32)

    monkeypatch.setattr(phrase_learning, "learn_phrases", learn_phrases)
    for statistics in ("crop_statistics", "whole_statistics"):
        monkeypatch.setattr(phrase_learning, statistics, lambda *_: np.zeros((1, 4), np.float32))
    inputs = keras.Input((2,))
    vgg = keras.Model(inputs, [inputs, keras.layers.Activation("relu")(inputs)])
    config = SimpleNamespace(size=32, phrase_steps=1, seed=0)
    run = SimpleNamespace(path=tmp_path)
    first, other = (("dark",), ("bright",)), (("bright",), ("dark",))
    for phrases in (first, first, other, other):
        captions = StyleCaptions(("a", "b"), phrases=phrases)
        prepared = SimpleNamespace(
            captions=captions, bank=True, facts=lambda captions=captions: {"captions": captions.fingerprint},
            loss=SimpleNamespace(network=vgg), materials=SimpleNamespace(styles=[None, None]),
        )  # fmt: skip
        phrase_learning.learn(config, prepared, SimpleNamespace(styles=["a", "b"]), run)
    assert learnt == [first, other]
    (tmp_path / "phrases" / "encoders.json").write_text("{")  # what a run has learnt itself, it can learn anew
    phrase_learning.learn(config, prepared, SimpleNamespace(styles=["a", "b"]), run)
    assert learnt == [first, other, other]


@pytest.mark.parametrize("workers", ["localhost:1", ["a:1", "a:1"], ["a:1", 2], {"a:1": 1, "b:1": 2}])
def test_shares_of_workers_that_are_not_there_are_not_left_out(workers):
    """A text counted for as many workers as it has letters, and the others would never have written their shards."""
    with pytest.raises(ConfigError, match="`TF_CONFIG`"):
        worker_of(json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": 0}}))
    assert worker_of(None) == worker_of('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker"}}') == (0, 1)


def test_thousands_of_commas_are_looked_at_in_one_pass(tmp_path):
    """Each part was tried with all behind it: 2,000 took 75 seconds, as styles of a recipe, or a text for a phrase."""
    began = time.monotonic()
    assert len(split_handles("a," * 3000)) == 3001
    assert time.monotonic() - began < 10
    name = tmp_path / "red, green, blue.png"
    name.touch()
    assert split_handles(f"x.png,{name}:0.5,y") == ["x.png", f"{name}:0.5", "y"]


def test_a_state_of_another_run_or_form_is_not_taken_up(tmp_path):
    """Directories of two runs may have been copied into one; a checkpoint of a GAN says whose it is, too."""
    for name in ("one", "other"):
        with RunDirectory(tmp_path / name) as run:
            run.begin(f"name: {name}\n", {})
            save_state(run, {"v0": np.ones(3, np.float32)}, "styles", step=5)
            state = load_state(run, "styles")
            assert state.keys() == {"v0", "step"} and state["step"] == 5
    shutil.copy(tmp_path / "one" / "state_styles.npz", tmp_path / "other")
    with RunDirectory(tmp_path / "other", resume=True) as run:
        run.begin("name: other\n", {})
        with pytest.raises(RunError, match="state_styles.npz: must be of this run. Received: that of another"):
            load_state(run, "styles")
    for wanted in ({"v0": (4,)}, {"v1": (3,)}):
        with pytest.raises(RunError, match="a painting must go on with the form that it had, v[01] of"):
            check_shapes(state, wanted, "a painting")


def test_a_launch_says_that_its_ports_are_open_to_others(monkeypatch, capfd):
    """TensorFlow listens on all addresses, whatever a worker is called, and runs any graph that it is sent."""
    for interfaces, told in (["lo"], 0), (["lo", "eth0"], 1):
        monkeypatch.setattr(socket, "if_nameindex", lambda names=interfaces: list(enumerate(names, 1)))
        assert launch(["-c", ""], workers=2) == launch(["-c", ""], workers=1) == 0
        assert capfd.readouterr().err.count("whoever reaches the ports of its workers can run anything as you") == told


@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_a_log_that_is_no_log_is_told(tmp_path, monkeypatch, kind):
    """A pipe kept whoever asked what a run had found, and a file of many gigabytes was read as a whole."""
    monkeypatch.setattr("tfgantl.training.run_directory.MAX_LOG", 100)
    path = tmp_path / "metrics.jsonl"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_text('{"run": "result"}\n' * 10)
    with pytest.raises(RunError, match="metrics.jsonl: must be a log that can be read. Received: .*regular file"):
        read_result(tmp_path)


@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_recipes_and_facts_of_a_run_are_regular_files(tmp_path, kind):
    """A pipe kept `--resume` for ever, and all of a file was read before its first megabyte was looked at."""
    for name in ("config.yaml", "run.json"):
        if kind == "pipe":
            os.mkfifo(tmp_path / name)
        else:
            with open(tmp_path / name, "wb") as file:
                file.truncate(2**40)
    find_own_modules(["--resume", str(tmp_path)])
    with pytest.raises(RunError, match="run.json: must be what the run has written. Received: .*regular file"):
        read_facts(tmp_path / "run.json")


def test_a_result_of_a_run_does_not_unpack_to_gigabytes(tmp_path):
    (tmp_path / "jobs").mkdir()
    with zipfile.ZipFile(tmp_path / "jobs" / "0.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("record.npy", bytes(2**28))
    with pytest.raises(ArtifactError, match="must unpack to at most"):
        load_result(SimpleNamespace(path=tmp_path), 0, SimpleNamespace())


def test_a_module_that_was_trained_anew_is_another(tmp_path):
    """Its graph was compared, and its variables were not."""
    module = Swap()
    for name, gain in (("a", 1.0), ("b", 0.5)):
        module.gain.assign(gain)
        tf.saved_model.save(module, str(tmp_path / name))
    shutil.copy(tmp_path / "a" / "saved_model.pb", tmp_path / "b")
    first, second = (load_module(str(tmp_path / name))[1] for name in ("a", "b"))
    assert first["module"] == second["module"] and first["module variables"] != second["module variables"]
