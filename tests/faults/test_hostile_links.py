"""What is written takes the place of a file as a whole, and never goes through a link."""

import configparser
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfgantl.errors import RunError
from tfgantl.export.directory import remove_leftovers
from tfgantl.files import Replacing
from tfgantl.style.pictures import save_picture
from tfgantl.training.run_directory import RunDirectory


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
