"""Exports that are killed, and the log that they read: nothing is published twice, nothing stays behind."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY_MLP, growth_below, tiny_images
from filelock import FileLock

from tfgantl.editing.directions import Direction, Directions
from tfgantl.editing.encoder import encoder_name, newest_encoder
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.errors import ArtifactError, RunError
from tfgantl.export import directory as versions
from tfgantl.export import publish as publishing
from tfgantl.export.directory import remove_leftovers, rename_to_next, temporary_version, versions_in
from tfgantl.export.examples import differences, read_examples
from tfgantl.export.manifest import read_manifest, verify_files
from tfgantl.export.publish import publish
from tfgantl.images import encode_png
from tfgantl.pipelines.export import main as export
from tfgantl.pipelines.export.publishing import _edited
from tfgantl.pipelines.export.results import VersionsResult
from tfgantl.training.class_names import class_names_behind
from tfgantl.training.run_directory import RunDirectory, read_log, read_result


@pytest.fixture
def generator(make_gan):
    return make_gan(TINY_MLP, num_classes=None).generator


def test_a_run_that_was_killed_behind_its_export_publishes_nothing_twice(generator, tmp_path):
    facts = {"run": "a" * 32}
    first = publish(generator, tmp_path / "model", facts=facts)
    assert publish(generator, tmp_path / "model", facts=facts) == first
    assert publish(generator, tmp_path / "model", facts={"run": "b" * 32}).name == "2"
    assert publish(generator, tmp_path / "model", facts=facts) == first  # also if another has published meanwhile
    versions.roll_back(tmp_path / "model")
    assert versions_in(tmp_path / "model") == [1] and publish(generator, tmp_path / "model").name == "3"


def test_a_run_that_has_trained_on_publishes_what_it_has_become(make_gan, tmp_path):
    for seed, name in ((0, "1"), (1, "2"), (1, "2")):
        assert publish(make_gan(TINY_MLP, seed=seed).generator, tmp_path / "model", facts={"run": "a"}).name == name


def test_an_encoder_is_published_with_the_generator_that_it_was_trained_on(make_gan, tmp_path, capsys):
    """A run has gone on since it was edited: what was trained for its former generator is the newest file."""
    (former, now) = (LatentSpace(make_gan(TINY_MLP, seed=seed).generator) for seed in (1, 2))
    for age, space in enumerate((former, now)):
        path = tmp_path / encoder_name(space, "0")
        path.write_bytes(b"")
        os.utime(path, (9 - age, 9 - age))
    assert newest_encoder(tmp_path, now).name == encoder_name(now, "0")
    newest_encoder(tmp_path, now).unlink()
    assert newest_encoder(tmp_path, now) is None
    one = Direction("one", "pca", np.ones(now.shape, "f4"), np.ones(now.shape, "f4"), 1.0)
    Directions(now.generator_hash, now.name, (one,)).save(tmp_path / "directions.npz")
    signatures, _ = _edited(now.generator, tmp_path / "directions.npz", {})
    assert signatures.keywords["encoder"] is None
    assert "none of which says that it is of this generator" in capsys.readouterr().err


def test_a_run_is_called_the_same_however_often_it_is_resumed(tmp_path):
    with RunDirectory(tmp_path) as run:
        run.begin("steps: 8", {})
        first = run.id
    with RunDirectory(tmp_path, resume=True) as run:
        run.begin("steps: 9", {}, allow_changes=True)
        assert run.id == first
    with RunDirectory(tmp_path / "other") as run:
        run.begin("steps: 8", {})
        assert run.id != first


def test_a_killed_export_leaves_nothing_behind_the_next_one(generator, tmp_path):
    directory = tmp_path / "model"
    code = (
        "import os, sys; from pathlib import Path; from tfgantl.export.directory import temporary_version\n"
        "with temporary_version(Path(sys.argv[1])) as temporary:\n"
        "    (temporary / 'saved_model.pb').write_text('x'); os.kill(os.getpid(), 9)"
    )
    directory.mkdir()
    assert subprocess.run([sys.executable, "-c", code, str(directory)], check=False).returncode == -9
    assert len(list(directory.glob(".tmp-*"))) == 2
    (directory / ".tmp-0123456789abcdef0123456789abcdef").mkdir()  # of a version that had no locks
    (directory / ".deleted-1-999").mkdir()
    (directory / ".mine").mkdir()
    with temporary_version(directory) as other:  # somebody else is exporting
        publish(generator, directory)
        assert other.is_dir()
        assert {path.name for path in directory.iterdir()} == {
            "1", "deploy", ".mine", other.name, f"{other.name}.lock",
        }  # fmt: skip
    assert not list(directory.glob(".tmp-*"))


def test_an_export_that_fails_leaves_nothing(generator, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publishing, "write_manifest", full)
    with pytest.raises(RunError, match="`export_dir` must be a directory that can be written.*No space left"):
        publish(generator, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_leftovers_that_cannot_be_removed_are_left(tmp_path, monkeypatch):
    name = tmp_path / ".tmp-0123456789abcdef0123456789abcdef"
    name.mkdir()

    def refused(*arguments, **options):
        raise NotImplementedError("no locks on this file system")

    monkeypatch.setattr(FileLock, "acquire", refused)
    remove_leftovers(tmp_path)
    assert name.is_dir()


def test_there_is_a_last_number(tmp_path):
    (tmp_path / str(2**63 - 1)).mkdir()
    (tmp_path / "99999999999999999999").mkdir()
    (tmp_path / ".tmp").mkdir()
    with pytest.raises(RunError, match="there must be a number for the next version"):
        rename_to_next(tmp_path / ".tmp", tmp_path)
    assert versions_in(tmp_path) == [2**63 - 1]


LINES = {
    "half a line": '{"run": "result", "verd',
    "blank line": "\n\n",
    "no run": '{"step": 3}\n',
    "no record": '[1, 2]\n"x"\nnull\n',
    "run that is no name": '{"run": 3}\n',
    "deep": "[" * 100_000 + "\n",
    "no text": "\xff\xfe\n",
}


@pytest.mark.parametrize("line", LINES)
def test_a_log_with_lines_that_are_no_records_is_read(generator, tmp_path, line, capsys):
    """As a kill leaves it, or an editor."""
    run = tmp_path / "run"
    run.mkdir()
    generator.save(run / "generator.keras")
    whole = '{"run": "adapted", "step": 2}\n{"run": "result", "verdict": {"outcome": "negative"}}\n'
    (run / "metrics.jsonl").write_bytes(whole.encode() + LINES[line].encode("latin-1"))
    assert [record["run"] for record in read_log(run)] == ["adapted", "result"]
    assert read_result(run)["verdict"] == {"outcome": "negative"}
    assert export(["--model", str(run), "--export_dir", str(tmp_path / "model")]) == 4
    assert "must not be negative" in capsys.readouterr().err
    with RunDirectory(run / "again") as again:
        shutil.copy(run / "metrics.jsonl", again.path)
        again.rewrite_log("adapted", [{"step": 1}])
        assert [record["run"] for record in read_log(again.path)] == ["adapted"]


def test_a_result_that_somebody_has_edited_is_no_traceback(generator, tmp_path):
    generator.save(tmp_path / "generator.keras")
    result = {
        "run": "result", "name": 3, "verdict": "x", "baseline": [1],
        "metrics": {"ckid": "y", "cfid": 2, "recall": 10**400, "coverage": float("nan")},
    }  # fmt: skip
    (tmp_path / "metrics.jsonl").write_text(json.dumps(result))
    assert export(["--model", str(tmp_path), "--export_dir", str(tmp_path / "model")]) == 0
    assert read_manifest(tmp_path / "model" / "1")["metrics"] == {"cfid": 2}


@pytest.mark.parametrize("edited", [{"created": [1]}, {"verdict": {"a": 1}}, {"signatures": [[1, 2], ["a", 3]]}])
def test_a_manifest_that_somebody_has_edited_is_no_traceback(tmp_path, capsys, edited):
    (tmp_path / "model" / "1").mkdir(parents=True)
    (tmp_path / "model" / "1" / "saved_model.pb").write_bytes(b"")
    (tmp_path / "model" / "1" / "manifest.json").write_text(json.dumps({"files": {}, **edited}))
    assert export(["--list", str(tmp_path / "model")]) == 0
    assert "without a manifest" in capsys.readouterr().out


def test_files_for_serving_are_not_written_through_a_link(generator, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "model" / "deploy").symlink_to(tmp_path / "home")
    with pytest.raises(RunError, match="deploy: must be a directory of the model. Received: a link"):
        publish(generator, tmp_path / "model")
    assert not list((tmp_path / "home").iterdir()) and not versions_in(tmp_path / "model")


def test_two_exports_at_one_time_get_two_numbers(tmp_path):
    """Processes, not threads: locks are of processes."""
    code = (
        "import sys; from pathlib import Path; from tfgantl.export.directory import rename_to_next, temporary_version\n"
        "directory = Path(sys.argv[1])\n"
        "for _ in range(20):\n"
        "    with temporary_version(directory) as temporary:\n"
        "        (temporary / 'x').write_text('x'); rename_to_next(temporary, directory)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0]
    assert versions_in(tmp_path) == list(range(1, 61)) and not list(Path(tmp_path).glob(".*"))


def test_only_versions_are_deleted_and_nothing_is_published_among_other_numbers(generator, tmp_path):
    publish(generator, tmp_path / "model")
    shutil.copytree(tmp_path / "model" / "1", tmp_path / "model" / "2")
    (tmp_path / "model" / "2" / "manifest.json").unlink()  # of another program
    shutil.copytree(tmp_path / "model" / "1", tmp_path / "model" / "3")
    assert versions.keep_newest(tmp_path / "model", 1) == [1] and versions_in(tmp_path / "model") == [2, 3]
    (tmp_path / "photos" / "2019").mkdir(parents=True)
    (tmp_path / "photos" / "2019" / "dog.jpg").write_bytes(b"precious")
    with pytest.raises(RunError, match=r"must hold versions of a model under numbers. Received: .*2019, which has no"):
        publish(generator, tmp_path / "photos")
    assert (tmp_path / "photos" / "2019" / "dog.jpg").read_bytes() == b"precious"


@pytest.mark.parametrize("png", [b"of the victim", encode_png(tiny_images(1)[0])], ids=["text", "picture"])
def test_a_picture_of_a_run_that_is_a_link_is_not_published(generator, tmp_path, png):
    (tmp_path / "run").mkdir()
    generator.save(tmp_path / "run" / "generator.keras")
    (tmp_path / "run" / "before_after.png").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_bytes(png)
    published = ["--model", str(tmp_path / "run"), "--export_dir", str(tmp_path / "model"), "--show_training_pictures"]
    assert export(published) == 0
    assert not (tmp_path / "model" / "1" / "assets.extra" / "before_after.png").exists()


def test_a_version_keeps_the_names_of_its_classes(make_gan, tmp_path):
    names = ["cat", "dog", "emu"]
    version = publish(make_gan(TINY_MLP).generator, tmp_path / "model", facts={"class_names": names})
    assert class_names_behind(str(version)) == names


def test_a_run_that_has_not_ended_is_published_under_its_name_and_it_is_said(generator, tmp_path, capsys, monkeypatch):
    run = tmp_path / "runs" / "my-pictures" / "3"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("{}\n")
    generator.save(run / "generator.keras")
    monkeypatch.chdir(tmp_path)
    assert export(["--model", str(run)]) == 0
    assert versions_in(tmp_path / "exported" / "my-pictures") == [1]
    assert "the run has not ended" in capsys.readouterr().err


def test_a_run_of_others_takes_the_place_of_no_model_unless_it_is_told_to(generator, tmp_path, capsys, monkeypatch):
    run = tmp_path / "downloaded"
    run.mkdir()
    (run / "metrics.jsonl").write_text('{"run": "result", "name": "my-model"}\n')
    generator.save(run / "generator.keras")
    monkeypatch.chdir(tmp_path)
    publish(generator, Path("exported/my-model"))
    assert export(["--model", "downloaded"]) == 2 and versions_in(Path("exported/my-model")) == [1]
    assert "`--name my-model` adds a version to it" in capsys.readouterr().err
    assert export(["--model", "downloaded", "--name", "my-model"]) == 0
    run.rename(tmp_path / "my-model")
    assert export(["--model", "my-model"]) == 0 and versions_in(Path("exported/my-model")) == [1, 2, 3]


def test_an_export_that_is_refused_leaves_no_directory(tmp_path, capsys):
    (tmp_path / "broken.keras").write_bytes(b"no archive")
    assert export(["--model", str(tmp_path / "broken.keras"), "--export_dir", str(tmp_path / "model")]) == 4
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("kind", ["pipe", "device", "large"])
def test_a_manifest_is_a_regular_file_of_some_kilobytes(generator, tmp_path, kind):
    """Of a pipe, whoever reads it waits for ever; a device has no end."""
    version = publish(generator, tmp_path / "model")
    (version / "manifest.json").unlink()
    if kind == "pipe":
        os.mkfifo(version / "manifest.json")
    elif kind == "device":
        (version / "manifest.json").symlink_to("/dev/zero")
    else:
        with open(version / "manifest.json", "wb") as file:
            file.truncate(2**27)
    with pytest.raises(ArtifactError, match="must hold an intact manifest.json. Received: .* must be a regular file"):
        read_manifest(version)
    assert class_names_behind(str(version)) is None


def damaged(version):
    (version / "saved_model.pb").write_bytes((version / "saved_model.pb").read_bytes()[:100])


def test_damaged_versions_are_not_kept_in_place_of_those_that_can_be_served(generator, tmp_path):
    for number in range(1, 6):
        publish(generator, tmp_path)
        if number in (3, 4):
            damaged(tmp_path / str(number))
    assert versions.keep_newest(tmp_path, 3) == [] and versions.keep_newest(tmp_path, 2) == [1]
    assert versions_in(tmp_path) == [2, 3, 4, 5]


def test_a_version_is_not_withdrawn_onto_one_that_was(generator, tmp_path):
    """Somebody had put it back by hand; the message was `Directory not empty`, in which nobody can read what to do."""
    for _ in range(2):
        publish(generator, tmp_path)
    (tmp_path / "withdrawn-2").mkdir()
    with pytest.raises(RunError, match="must not hold withdrawn-2 yet, so that 2 can become it. Received: one"):
        versions.roll_back(tmp_path)
    assert versions_in(tmp_path) == [1, 2]


@pytest.mark.parametrize("fault", ["empty", "damaged"])
def test_nobody_goes_back_to_a_version_that_cannot_be_served(generator, tmp_path, fault):
    for _ in range(2):
        publish(generator, tmp_path)
    if fault == "damaged":
        damaged(tmp_path / "1")
    else:
        shutil.rmtree(tmp_path / "1")
        (tmp_path / "1").mkdir()
    with pytest.raises(RunError, match="must hold a version that can be served to go back. Received: .*1"):
        versions.roll_back(tmp_path)
    assert versions_in(tmp_path) == [1, 2]


def test_a_version_that_is_a_link_is_removed_and_what_it_leads_to_stays(generator, tmp_path):
    for _ in range(2):
        publish(generator, tmp_path / "model")
    (tmp_path / "model" / "1").rename(tmp_path / "elsewhere")
    (tmp_path / "model" / "1").symlink_to(tmp_path / "elsewhere")
    assert versions.keep_newest(tmp_path / "model", 1) == [1] and (tmp_path / "elsewhere" / "saved_model.pb").is_file()
    assert [name for name in os.listdir(tmp_path / "model") if "1" in name] == []


NO_DIRECTORIES = {"/dev/null": "is a device", "x.txt": "is a file", "missing": "does not exist"}


@pytest.mark.parametrize(("path", "told"), NO_DIRECTORIES.items())
@pytest.mark.parametrize("option", ["--list", "--rollback"])
def test_what_is_no_model_directory_is_told(tmp_path, capsys, monkeypatch, option, path, told):
    """A device was said not to exist."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.txt").touch()
    assert export([option, path]) == 5
    assert f"must hold numbered versions. Received: {path}, which {told}\n" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["[]", "5", '"a"', "null"])
def test_a_manifest_that_is_no_list_of_names_is_one_line(tmp_path, content, capsys):
    (tmp_path / "model" / "1").mkdir(parents=True)
    (tmp_path / "model" / "1" / "saved_model.pb").write_bytes(b"x")
    (tmp_path / "model" / "1" / "manifest.json").write_text(content)
    with pytest.raises(ArtifactError, match="must hold an intact manifest.json"):
        read_manifest(tmp_path / "model" / "1")


def test_a_list_of_versions_has_a_line_for_each():
    rows = [{"version": 1, "state": "newest", "created": "2026\n     9  newest", "verdict": "good\x1b[2K"}]
    assert VersionsResult(model="m", versions=rows).text().isprintable()


def edited_manifest(version, **facts):
    manifest = json.loads((version / "manifest.json").read_text())
    (version / "manifest.json").write_text(json.dumps({**manifest, **facts}))
    return manifest


def test_sizes_are_compared_before_anything_is_hashed(generator, tmp_path):
    version = publish(generator, tmp_path / "model")
    files = edited_manifest(version)["files"]
    with open(version / "saved_model.pb", "r+b") as file:
        file.truncate(2**40)
    with pytest.raises(ArtifactError, match="must have at most 68719476736 bytes. Received: 109951"):
        verify_files(version)
    with open(version / "saved_model.pb", "r+b") as file:
        file.truncate(2**35)
    with pytest.raises(ArtifactError, match="saved_model.pb: must be what was written, by its size. Received: 34359"):
        verify_files(version)
    for stamp in (None, 7, [], "x"):
        edited_manifest(version, files={**files, "saved_model.pb": stamp})
        with pytest.raises(ArtifactError, match="by its size"):
            verify_files(version)


def test_folders_of_a_version_are_its_own(generator, tmp_path):
    """What lies behind a link, or is called like the manifest, was in no hash."""
    version = publish(generator, tmp_path / "model")
    (version / "assets" / "manifest.json").write_text("{}")
    with pytest.raises(ArtifactError, match="files must be those of manifest.json. Received: assets/manifest.json"):
        verify_files(version)
    (version / "assets" / "manifest.json").unlink()
    verify_files(version)
    (version / "variables").rename(tmp_path / "elsewhere")
    (version / "variables").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError, match="variables: must be a folder of the version itself. Received: a link"):
        verify_files(version)


def test_a_manifest_can_be_told(generator, tmp_path):
    version = publish(generator, tmp_path / "model", facts={"metrics": {"ckid": float("nan")}})
    assert "NaN" not in (version / "manifest.json").read_text() and read_manifest(version)["metrics"] == {"ckid": None}
    text = (version / "manifest.json").read_text()
    (version / "manifest.json").write_text(text.replace("null", "NaN", 1))
    assert read_manifest(version)["metrics"] == {"ckid": None}
    for value in (r'"\ud800"', "1e999"):
        (version / "manifest.json").write_text(text.replace("null", value, 1))
        with pytest.raises(ArtifactError, match="must hold an intact manifest.json"):
            read_manifest(version)


def test_versions_are_not_deleted_for_one_that_is_being_copied(generator, tmp_path):
    for _ in range(2):
        publish(generator, tmp_path)
    for number in (3, 4):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "saved_model.pb").touch()
    assert versions.keep_newest(tmp_path, 1) == [1] and versions_in(tmp_path) == [2, 3, 4]


def test_versions_that_another_process_deletes_are_no_error(generator, tmp_path, monkeypatch):
    for _ in range(3):
        publish(generator, tmp_path)

    def gone(source, target):
        shutil.rmtree(source)
        raise FileNotFoundError(source)

    monkeypatch.setattr(versions.os, "rename", gone)
    assert versions.keep_newest(tmp_path, 1) == [] and versions_in(tmp_path) == [3]


@pytest.mark.parametrize("place", ["400000000", "3/400000000"])
def test_names_of_examples_make_room_for_nothing(generator, tmp_path, place):
    version = publish(generator, tmp_path / "model")
    path = version / "assets.extra" / "examples.npz"
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays, **{f"classify/in/extra/{place}": np.zeros(1, np.uint8)})
    with growth_below(32), pytest.raises(ValueError, match="1 texts for [0-9]+ places"):
        read_examples(version)


def test_what_is_published_names_no_places_of_this_machine(generator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    facts = {"source": str(tmp_path / "runs" / "mine"), "origin": {"source": "/home/me/secret/faces.keras"}}
    version = publish(generator, tmp_path / "model", facts=facts)
    manifest = read_manifest(version)
    assert manifest["source"] == "runs/mine" and manifest["origin"]["source"] == "faces.keras"
    assert facts["origin"]["source"].startswith("/")
    for file in ("manifest.json", "model_card.md"):
        found = next(version.parent.rglob(file)).read_text()
        assert str(tmp_path) not in found and "/home/me" not in found


@pytest.mark.parametrize("name", ["more", "assets.extra/tf_serving_warmup_requests"])
def test_what_is_no_file_of_a_version_is_not_waited_for(generator, tmp_path, name):
    """A pipe was in no list of files, and whoever read what it was called waited for ever."""
    version = publish(generator, tmp_path / "model")
    (version / name).unlink(missing_ok=True)
    os.mkfifo(version / name)
    with pytest.raises(ArtifactError, match=f"{name}: must be a file or a folder. Received: neither"):
        verify_files(version)


def test_outputs_of_a_stranger_are_compared_or_refused_whatever_their_type():
    told = {"x": np.array([True, False])}
    assert differences(told, told, "here") == 0.0
    with pytest.raises(ArtifactError, match="here: x must be that of the Keras model"):
        differences({"x": ~told["x"]}, told, "here")
    with pytest.raises(ArtifactError, match="here: x must be numbers, texts or pictures. Received: complex64"):
        differences({"x": np.zeros(1, np.complex64)}, {"x": np.zeros(1, np.complex64)}, "here")
