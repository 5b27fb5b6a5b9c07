"""What is written takes the place of a file as a whole, and never goes through a link."""

import configparser
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tfgantl.errors import RunError
from tfgantl.export.directory import remove_leftovers
from tfgantl.files import Replacing
from tfgantl.pipelines.edit.model import EditedModel
from tfgantl.pipelines.stylize.one_pass import places_for
from tfgantl.pipelines.stylize.painters import write_painted
from tfgantl.recognition.results import save_result
from tfgantl.style.pictures import save_picture
from tfgantl.training.run import TrainingData, train
from tfgantl.training.run_directory import RunDirectory
from tfgantl.training.settings import TrainingSettings
from tfgantl.transfer import Scratch


@pytest.mark.parametrize("written", ["a file of a run", "its log", "a picture"])
def test_nothing_is_written_through_a_link(tmp_path, written):
    """A run directory from somebody else may hold links, under the names of what is about to be written."""
    victim = tmp_path / "victim"
    victim.write_text("my only copy")
    with RunDirectory(tmp_path / "run") as run:
        if written == "its log":
            (run.path / "metrics.jsonl").symlink_to(victim)
            with pytest.raises(RunError, match="metrics.jsonl: must be a file of the run itself. Received: a link"):
                run.log({"run": "x"})
        elif written == "a file of a run":
            Replacing(run.path / "notes.txt").temporary.symlink_to(victim)
            assert not run.write("notes.txt", "new").is_symlink()
        else:
            Replacing(run.path / "x.png").temporary.symlink_to(victim)
            (run.path / "x.png").symlink_to(victim)
            save_picture(run.path / "x.png", np.zeros((4, 4, 3), np.uint8))
            assert not (run.path / "x.png").is_symlink()
    assert victim.read_text() == "my only copy"


@pytest.mark.parametrize("place", ["a run", "an export"])
def test_no_lock_is_taken_through_a_link(tmp_path, place):
    """Filelock before 3.20.1 opens what a link leads to, and empties it."""
    victim, directory = tmp_path / "victim", tmp_path / "somebody's"
    victim.write_text("my only copy")
    directory.mkdir()
    if place == "a run":
        (directory / "config.yaml").write_text("steps: 3\n")
        (directory / ".lock").symlink_to(victim)
        with pytest.raises(RunError, match="`run_dir` must be a directory that can be written. Received: "):
            RunDirectory(directory, resume=True)
    else:
        left = directory / f".tmp-{'0' * 32}.lock"
        left.symlink_to(victim)
        remove_leftovers(directory)
    assert victim.read_text() == "my only copy"
    settings = configparser.ConfigParser()
    settings.read(Path(__file__).parents[2] / "setup.cfg")
    (least,) = re.findall(r"^filelock >=([0-9.]+)", settings["options"]["install_requires"], re.MULTILINE)
    assert tuple(map(int, least.split("."))) >= (3, 20, 1)


def checkpoint_of_a_training(run, make_gan, data):
    train(make_gan(), Scratch(), None, data, TrainingSettings(steps=1, batch_size=2, validate_every=1), run, "adapted")


def directions_of_a_model(run, make_gan, _):
    run.write("config.yaml", "steps: 3\n")
    make_gan().generator.save(run.path / "generator.keras")
    EditedModel(SimpleNamespace(model=str(run.path), networks=None, allow_ops=(), space="auto", weights="none"))


FOLDERS = {
    "answers": lambda run, *_: run.write("answers/a-1.png", b"new"),
    "steps": lambda run, *_: write_painted(run, run.path / "steps" / "a-1.png", np.zeros((4, 4, 3), np.uint8)),
    "jobs": lambda run, *_: save_result(run, 1, None),
    "editing": directions_of_a_model,
    "checkpoints": checkpoint_of_a_training,
}


@pytest.mark.parametrize("name", FOLDERS)
def test_nothing_is_written_into_a_folder_that_is_a_link(tmp_path, make_gan, examples, tiny_extractor, name):
    """Files in it have names that another run, or the user, has given to the only copy of something else."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "a-1.png").write_text("my only copy")
    with RunDirectory(tmp_path / "run") as run:
        (run.path / name).symlink_to(victim)
        with pytest.raises(RunError, match=f"{name}: must be a folder of .*run itself. Received: a link"):
            FOLDERS[name](run, make_gan, TrainingData(examples, examples, tiny_extractor))
    assert [(path.name, path.read_text()) for path in victim.iterdir()] == [("a-1.png", "my only copy")]


def test_a_folder_of_a_set_of_painted_pictures_is_no_link_either(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "ihc").symlink_to(tmp_path / "out")
    config = SimpleNamespace(content=str(tmp_path), styles="all", output=str(tmp_path / "out"))
    with pytest.raises(RunError, match="ihc: must be a folder of .*out itself. Received: a link"):
        places_for(config, [tmp_path / "a.png"], ["brick", "ihc"])


def test_a_picture_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / "x.png"
    save_picture(path, np.zeros((4, 4, 3), np.uint8))
    before = path.read_bytes()

    def half(image, file, **options):
        Path(file).write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(Image.Image, "save", half)
    with pytest.raises(OSError, match="no space"):
        save_picture(path, np.ones((4, 4, 3), np.uint8))
    assert path.read_bytes() == before and [*tmp_path.iterdir()] == [path]
