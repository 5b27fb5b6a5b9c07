"""Names from files can hold whatever steers a terminal: they are shown escaped, everywhere."""

import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from conftest import TINY_MLP
from PIL import Image

from tfgantl import progress
from tfgantl.cli import program
from tfgantl.export.model_card import write_model_card
from tfgantl.files import TEMPORARY, fitted
from tfgantl.models.presets import save_half
from tfgantl.pipelines.edit import main as edit
from tfgantl.pipelines.evaluate import main as evaluate
from tfgantl.pipelines.export import main as export
from tfgantl.printing import printable
from tfgantl.report import Report
from tfgantl.training.run_directory import RunDirectory

EVIL = "x\x1b]0;owned\x07\x1b[2K\x9b31m\u202egnp.exe"
SHOWN = r"x\x1b]0;owned\x07\x1b[2K\x9b31m\u202egnp.exe"


def is_safe(text):
    return not set(text) & set(map(chr, [*range(0x20), *range(0x7F, 0xA0), 0x202E])) - set("\n\t\r")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (EVIL, SHOWN), ("a\nb\rc\td", r"a\x0ab\x0dc\x09d"), ("\u2028\u2066\x7f\x00", r"\u2028\u2066\x7f\x00"),
        (os.fsdecode(b"caf\xe9.png"), r"caf\xe9.png"), ("\ud800", r"\ud800"),
        ("Grüße 猫 👩\u200d🔬 שלום.png", "Grüße 猫 👩\u200d🔬 שלום.png"),
    ],
)  # fmt: skip
def test_what_is_no_text_is_escaped_and_all_writing_stays(text, shown):
    assert printable(text) == shown and printable(shown) == shown
    shown.encode()


def folder_of(path, name):
    path.mkdir()
    for i in range(12):
        pixels = np.random.default_rng(i).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(path / f"{i}.png")
    (path / f"{name}.png").write_bytes(b"no picture")


def test_a_file_name_reaches_neither_terminal_nor_report_as_it_is(tmp_path, capsys):
    folder_of(tmp_path / "pictures", EVIL)
    target = ["--target", "Folder", "--target.path", str(tmp_path / "pictures"), "--target.image_size", "8",
              "--target.channels", "3"]  # fmt: skip
    assert evaluate(["--model", "rendered-digits", *target]) == 3
    told = capsys.readouterr().err
    assert SHOWN in told and is_safe(told)
    page = Report(EVIL, [EVIL], {EVIL: b""}, tables={EVIL: [(EVIL, "<img src=x onerror=alert(1)>")]}).html()
    assert is_safe(page) and "<img src=x" not in page


def test_members_of_archives_operations_and_options_neither(tmp_path, capsys):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr(f"../{EVIL}", b"")
    assert export(["--model", str(tmp_path / "x.npz"), "--networks", "MLP"]) == 4
    with pytest.raises(SystemExit):
        export([f"--{EVIL}"])
    assert export(["--model", EVIL]) != 0
    told = capsys.readouterr().err
    assert told.count(r"\x1b") >= 3 and is_safe(told)
    progress.log(f"one\nline {EVIL}")
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and is_safe(told)


def test_an_unknown_verb_neither():
    done = subprocess.run([sys.executable, "-c", "from tfgantl.cli import main; main()", EVIL.replace("\x00", "")],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 2 and SHOWN in done.stderr and is_safe(done.stderr)


def test_a_model_card_shows_names_as_they_are(tmp_path):
    name = "`x` | <script>alert(1)</script> [a](http://b) # *c*"
    facts = {"name": "tiny", "signatures": {}, "transfer": "FineTune", "source": name, "target": name + EVIL}
    write_model_card(tmp_path, facts)
    page = (tmp_path / "model_card.md").read_text()
    assert is_safe(page) and page.count("<script") == 1 and "`'x' | <script>" in page  # in a code span
    assert page.count("](http") == 1 and "&#60;script&#62;" in page


def test_nothing_else_in_a_model_card_is_markup_either(tmp_path):
    evil = "**\n\n<img src=x> [a](javascript:b) |"
    facts = {
        "name": "tiny", "signatures": {evil: {"inputs": {evil: ("float32", [None, 4])}, "outputs": {}}},
        "metrics": {evil: 0.5}, "baseline": {evil: 1.5}, "verdict": evil, "class_names": [evil], "transfer": "FineTune",
    }  # fmt: skip
    write_model_card(tmp_path, facts)
    page = re.sub("`[^`]*`", "", (tmp_path / "model_card.md").read_text())  # code spans show what they hold
    assert not re.search(r"<img|\]\(|\*\*\\", page) and "0.5 | 1.5 |" in page


def test_a_message_is_one_line_whatever_a_name_holds(make_gan, tmp_path, capsys):
    path = tmp_path / "a\nb.keras"
    make_gan(TINY_MLP).generator.save(tmp_path / "x.keras")
    os.rename(tmp_path / "x.keras", path)
    path.write_bytes(path.read_bytes()[:100])
    assert export(["--model", str(path)]) == 4
    assert capsys.readouterr().err.count("\n") == 1 and program("export") == "tfgantl export"


LONG = ("n" * 251, "é" * 125, "猫" * 83 + "ab")


@pytest.mark.parametrize("stem", LONG, ids=["ASCII", "Latin", "Han"])
def test_results_of_pictures_with_the_longest_names_have_names_that_fit(tmp_path, stem):
    """All pictures of a folder were edited, and then nothing was written, as a temporary name was longer still."""
    with RunDirectory(tmp_path / "run") as run:
        for name in (f"{stem}.png", fitted(stem, "-10.png"), fitted(stem, "-11.png")):
            assert run.write(f"answers/{name}", b"x").read_bytes() == b"x"
        assert len([*(run.path / "answers").iterdir()]) == 3
        with pytest.raises(RuntimeError), run.replacing(f"{stem}.png") as temporary:
            temporary.touch()
            assert TEMPORARY.fullmatch(temporary.name) and temporary.suffix == ".png"
            raise RuntimeError
    assert fitted(stem, "-10.png") != fitted(stem[:-1] + "x", "-10.png")
    save_half({}, tmp_path / stem, {})
    assert (tmp_path / stem / "config.json").is_file()


def test_an_answer_for_a_picture_with_the_longest_name_is_written(tmp_path, eagerly, make_gan):
    make_gan().generator.save(tmp_path / "generator.keras")
    (tmp_path / "pictures").mkdir()
    Image.new("L", (8, 8), 99).save(tmp_path / "pictures" / f"{LONG[0]}.png")
    quick = ["--steps", "0", "--restarts", "1", "--weights", "none", "--answers", "1"]
    place = ["--model", str(tmp_path), "-o", str(tmp_path / "run")]
    assert edit(["fill", str(tmp_path / "pictures"), *place, *quick]) == 0
    assert [path.name[:200] for path in (tmp_path / "run" / "answers").iterdir()] == ["n" * 200]
