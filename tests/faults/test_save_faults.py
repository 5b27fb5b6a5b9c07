"""A save that ends in the middle, at whichever file operation, leaves a state to go on from."""

import errno
import hashlib
import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_MLP

from tfgantl.errors import ArtifactError, RunError
from tfgantl.pipelines.saving import save_networks
from tfgantl.pretrained import handles
from tfgantl.pretrained.together import RECORD, check_together, record_of
from tfgantl.training.checkpoint import MAX_TO_KEEP, Checkpoints
from tfgantl.training.run_directory import RunDirectory

OPERATIONS = [
    (tf.train.Checkpoint, "write"), (Path, "mkdir"), (Path, "write_text"), (os, "fsync"), (os, "replace"),
    (Path, "unlink"),
]  # fmt: skip


class Killed(BaseException):
    """Nothing may catch it, as nothing catches SIGKILL."""


def fail(patch, number, error, after):
    """Makes the file operation with this number fail, before or after it is done; gives the list of those made."""
    made = []

    def wrap(owner, name):
        real = getattr(owner, name)

        def operation(*arguments, **options):
            made.append(name)
            if len(made) > number and isinstance(error, Killed):
                raise error  # what is dead cleans nothing up
            if len(made) != number:
                return real(*arguments, **options)
            if after:
                real(*arguments, **options)
            raise error

        patch.setattr(owner, name, operation)

    for owner, name in OPERATIONS:
        wrap(owner, name)
    return made


def filled(gan, value):
    for weight in gan.weights:
        weight.assign(np.full(weight.shape, value))
    return gan


ERRORS = {
    "killed": Killed(),
    "input/output error": OSError(errno.EIO, "Input/output error"),
    "disk full": OSError(errno.ENOSPC, "No space left on device"),
    "read-only": OSError(errno.EROFS, "Read-only file system"),
    "disk full in TensorFlow": tf.errors.ResourceExhaustedError(None, None, "No space left on device"),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", ERRORS)
def test_a_save_that_fails_anywhere_leaves_a_whole_checkpoint(make_gan, compiled, tmp_path, monkeypatch, kind, after):
    gan, reached = compiled(make_gan(TINY_MLP)), []
    for step in (0, 1, 2, 3):  # so that the fifth has an old one to delete
        Checkpoints(filled(gan, step), tmp_path / "before").save(step)
    for number in range(1, 20):
        directory = shutil.copytree(tmp_path / "before", tmp_path / str(number))
        checkpoints = Checkpoints(filled(gan, 4), directory)
        with monkeypatch.context() as patch:
            made = fail(patch, number, ERRORS[kind], after)
            try:
                checkpoints.save(4)
            except (Killed, OSError, RunError):
                reached.append(made[number - 1])
        step = Checkpoints(filled(gan, 9), directory).restore_last()
        assert step in (3, 4), made
        for weight in gan.weights:
            np.testing.assert_array_equal(weight, np.full(weight.shape, step, weight.numpy().dtype))
        if len(made) < number:  # this save went through
            assert step == 4
            break
    assert set(reached) == {name for _, name in OPERATIONS}


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def deleted(path):
    path.unlink()


@pytest.mark.parametrize("damage", [truncated, flipped, deleted])
@pytest.mark.parametrize("part", ["step-2.index", "step-2.data-00000-of-00001", "step-2.json"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(compiled, tmp_path, capsys, damage, part):
    gan = compiled()
    checkpoints = Checkpoints(gan, tmp_path)
    for step in (1, 2):
        filled(gan, step)
        checkpoints.save(step)
    damage(tmp_path / part)
    checkpoints = Checkpoints(filled(gan, 9), tmp_path)
    assert checkpoints.restore_last() == 1
    for weight in gan.weights:
        np.testing.assert_array_equal(weight, np.full(weight.shape, 1, weight.numpy().dtype))
    told = capsys.readouterr().err
    assert ("step-2.json: checkpoint left out" in told) == ((damage, part) != (deleted, "step-2.json"))
    checkpoints.save(3)
    assert Checkpoints(filled(gan, 9), tmp_path).restore_last() == 3


def test_data_without_an_index_is_no_checkpoint(compiled, tmp_path):
    gan = compiled()
    Checkpoints(filled(gan, 1), tmp_path).save(1)
    (tmp_path / "step-2.data-00000-of-00001").write_bytes(b"half")
    assert Checkpoints(filled(gan, 9), tmp_path).restore_last() == 1


def test_a_clock_that_was_set_back_does_not_matter(compiled, tmp_path, monkeypatch):
    gan, now = compiled(), time.time()
    checkpoints = Checkpoints(gan, tmp_path)
    for step in range(1, 7):
        monkeypatch.setattr(time, "time", lambda step=step: now - 1000 * step)
        checkpoints.save(step) if step % 2 else Checkpoints(gan, tmp_path).save(step)
    assert Checkpoints(gan, tmp_path).restore_last() == 6
    assert len(list(tmp_path.glob("step-*.json"))) <= 2 * MAX_TO_KEEP


def test_tensorflows_list_of_checkpoints_is_not_believed(make_gan, compiled, tmp_path):
    """It may name files anywhere, which would be deleted when more checkpoints come."""
    gan, victim, directory = compiled(make_gan(TINY_MLP)), tmp_path / "victim", tmp_path / "run"
    victim.mkdir()
    tf.train.Checkpoint(w=tf.Variable(1.0)).write(str(victim / "precious"))
    files = sorted(victim.iterdir())
    Checkpoints(gan, directory).save(1)
    paths = "".join(f'all_model_checkpoint_paths: "{path}"\n' for path in (victim / "precious", "step-1"))
    times = "all_model_checkpoint_timestamps: 1.0\nall_model_checkpoint_timestamps: 2.0\n"
    (directory / "checkpoint").write_text(f'model_checkpoint_path: "step-1"\n{paths}{times}')
    checkpoints = Checkpoints(gan, directory)
    assert checkpoints.restore_last() == 1
    for step in range(2, 7):
        checkpoints.save(step)
    assert sorted(victim.iterdir()) == files
    kept = sorted(path.stem for path in directory.glob("step-*.index"))
    assert kept == [f"step-{step}" for step in range(7 - MAX_TO_KEEP, 7)]


def test_a_damaged_checkpoint_is_not_kept_in_the_place_of_a_whole_one(compiled, tmp_path):
    gan = compiled()
    checkpoints = Checkpoints(gan, tmp_path)
    for step in (200, 300):
        checkpoints.save(step)
    truncated(tmp_path / "step-300.data-00000-of-00001")
    checkpoints = Checkpoints(gan, tmp_path)
    assert checkpoints.restore_last() == 200
    checkpoints.save(250)
    assert sorted(path.stem for path in tmp_path.glob("*.json")) == ["step-200", "step-250"]
    truncated(tmp_path / "step-250.data-00000-of-00001")
    assert Checkpoints(gan, tmp_path).restore_last() == 200


def test_files_of_others_among_checkpoints_stay(tmp_path, compiled):
    saved = Checkpoints(compiled(), tmp_path)
    saved.save(1)
    (tmp_path / "step-1.notes.txt").write_text("mine")
    for step in range(2, 6):
        saved.save(step)
    assert (tmp_path / "step-1.notes.txt").is_file() and not (tmp_path / "step-1.index").exists()


def test_a_manifest_that_names_no_weights_is_not_believed(tmp_path, compiled, capsys):
    saved = Checkpoints(compiled(), tmp_path)
    saved.save(1)
    content = json.dumps(json.loads((tmp_path / "step-1.json").read_text().split("\n")[0]) | {"files": {}, "step": 2})
    digest = hashlib.sha256(content.encode()).hexdigest()
    (tmp_path / "step-2.json").write_text(f"{content}\n{digest}\n")
    assert Checkpoints(compiled(), tmp_path).restore_last() == 1
    assert "step-2.json names no weights" in capsys.readouterr().err


def test_a_kill_between_two_networks_leaves_no_pair_of_two_trainings(make_gan, tmp_path, monkeypatch):
    """Whichever file is the last that a run writes when it trains on."""
    accepted = []
    for number in range(4):
        with RunDirectory(tmp_path / str(number)) as run, monkeypatch.context() as patch:
            save_networks(filled(make_gan(TINY_MLP), 1), run)
            done, replace = [], os.replace

            def kill(*paths, done=done, number=number, replace=replace):
                if len(done) == number:
                    raise Killed
                done.append(replace(*paths))

            patch.setattr(os, "replace", kill)
            with suppress(Killed):
                save_networks(filled(make_gan(TINY_MLP), 2), run)
        try:
            networks = handles._open(str(run.path), None, ())[:2]
        except ArtifactError as error:
            assert "must be of one training, as together.json says" in str(error)
            accepted.append(None)
        else:
            accepted.append({float(weight.numpy().flat[0]) for network in networks for weight in network.weights})
    assert accepted == [{1.0}, {1.0}, None, {2.0}]
    (tmp_path / "2" / "together.json").unlink()  # as of runs of before
    assert handles._open(str(tmp_path / "2"), None, ())[1] is not None


@pytest.mark.parametrize("content", ["", "{", "[1, {}]", "[" * 10_000])
def test_a_damaged_record_of_a_pair_is_no_record(make_gan, tmp_path, content):
    network = make_gan(TINY_MLP).generator
    (tmp_path / RECORD).write_text(content)
    if content != "[1, {}]":
        assert record_of(tmp_path, {"a": network}) == record_of(tmp_path / "nothing", {"a": network})
    with pytest.raises(ArtifactError, match="must be of one training"):
        check_together(tmp_path, {"a": network})


@pytest.mark.parametrize("name", ["/dev/zero", "../outside", "step-1.index"])
def test_files_of_a_checkpoint_are_its_own(compiled, tmp_path, capsys, name):
    """A checkpoint of a stranger had files anywhere hashed, without end where they had none."""
    gan = compiled()
    checkpoints = Checkpoints(gan, tmp_path / "run")
    for step in (1, 2):
        checkpoints.save(step)
    path = tmp_path / "run" / "step-2.json"
    manifest = json.loads(path.read_text().split("\n")[0])
    manifest["files"][name] = [0, "x"]
    content = json.dumps(manifest)
    path.write_text(f"{content}\n{hashlib.sha256(content.encode()).hexdigest()}\n")
    assert Checkpoints(gan, tmp_path / "run").restore_last() == 1
    assert "step-2.json names a file that is none of its own" in capsys.readouterr().err
