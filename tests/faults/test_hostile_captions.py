"""Files of captions that come from anywhere."""

import json
import time

import pytest
import tensorflow as tf

from tfgantl.crossmodal import caption_files
from tfgantl.crossmodal.caption_bank import CaptionBank
from tfgantl.crossmodal.caption_files import read_captions
from tfgantl.crossmodal.text_checks import check_text
from tfgantl.crossmodal.text_encoder import TextEncoder
from tfgantl.errors import DataError
from tfgantl.export.text_inputs import checked_texts


def test_a_caption_of_another_folder_is_not_that_of_a_picture_of_the_same_name(tmp_path):
    path = tmp_path / "captions.csv"
    path.write_text("file,caption\ncats/1.png,a cat\nme/pets/dogs/2.png,a dog\n3.png,an owl\n")
    names = ["dogs/1.png", "dogs/2.png", "owls/3.png"]
    found, notes = read_captions(names, path, "skip")
    assert found == {"dogs/2.png": ["a dog"], "owls/3.png": ["an owl"]}
    assert any("cats/1.png" in note for note in notes)


@pytest.mark.parametrize(("values", "says"), [(2, [[0], [2]]), (2, [[0], [-1]]), (50_000, [[0], [1]])])
def test_encoders_say_of_pictures_what_they_have_words_for(values, says):
    """One number would be another word, or none; of 50,000 words, a few hundred kilobytes, 20 GB would be made."""
    words = [f"word {i}" for i in range(values)]
    with pytest.raises(DataError, match="captions must say of kind one of at most 4096 words. Received: numbers from"):
        CaptionBank.from_json({"phrases": ["a", "b"], "names": ["kind"], "values": [words], "says": says})


def test_thousands_of_captions_of_one_picture_are_compared_in_one_pass(tmp_path, monkeypatch):
    monkeypatch.setattr(caption_files, "fault_of", lambda caption: None)
    path = tmp_path / "metadata.jsonl"
    texts = ([f"word {n}" for n in range(m, m + 10_000)] for m in range(0, 60_000, 9_999))
    path.write_text("\n".join(json.dumps({"file_name": "1.png", "text": some}) for some in texts))
    start = time.process_time()
    found, notes = read_captions(["1.png"], path)
    assert len(found["1.png"]) == 69_994 and notes == ("6 lines of metadata.jsonl repeat others, and count once",)
    assert time.process_time() - start < 10


@pytest.mark.parametrize("text", [b"dark \xed\xa0\x80", b"\xed\xbf\xbf", b"dark \xc1\xbf", b"dark \xf4\x90\x80\x80"])
def test_no_text_is_half_a_character(text):
    """Halves of a surrogate pair, which no UTF-8 has, were taken for letters in the graph, and refused out of it."""
    reader = TextEncoder.of(["dark"], dimension=4, width=2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="text must have UTF-8, and no control characters"):
        checked_texts(tf.constant([b"dark", text]), reader)
    with pytest.raises(DataError, match="without control characters"):
        check_text(text.decode("utf-8", "surrogatepass" if text.find(b"\xed") >= 0 else "surrogateescape"), reader)


def test_a_table_of_a_million_columns_is_told_at_once(tmp_path):
    path = tmp_path / "captions.csv"
    path.write_text("file,caption" + "," * 10**6 + "\n" + "1.png,a cat\n" * 10_000)
    start = time.process_time()
    with pytest.raises(DataError, match="must have at most 1000 columns. Received: 1000002"):
        read_captions(["1.png"], path)
    assert time.process_time() - start < 10


def test_a_message_does_not_repeat_a_file(tmp_path):
    path = tmp_path / "metadata.jsonl"
    path.write_text(json.dumps({f"\x1b[2J{n}" * 20: n for n in range(1000)}))
    with pytest.raises(DataError, match="line 1 must have texts `file_name` and `text`. Received: ") as error:
        read_captions(["1.png"], path)
    assert len(str(error.value)) < 1000 and "\x1b" not in str(error.value)


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85"])
def test_lines_of_json_end_at_line_feeds_only(tmp_path, mark):
    """Texts of JSON may hold whatever else separates lines, and a spreadsheet leaves it there."""
    path = tmp_path / "metadata.jsonl"
    entries = [{"file_name": "1.png", "text": "a cat"}, {"file_name": "2.png", "text": "a dog", "by": f"me{mark}you"}]
    path.write_text("\r\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries), encoding="utf-8")
    assert read_captions(["1.png", "2.png"], path)[0] == {"1.png": ["a cat"], "2.png": ["a dog"]}


@pytest.mark.parametrize("mark", ["\u2028", "\x85", "\x0b", "\x0c", "\x1d"])
def test_one_caption_is_not_made_two_by_what_some_call_the_end_of_a_line(tmp_path, mark):
    (tmp_path / "1.png").touch()
    (tmp_path / "1.txt").write_bytes(b"a cat\r\na cat\ron a mat\n")
    assert read_captions(["1.png"], tmp_path)[0] == {"1.png": ["a cat", "on a mat"]}
    (tmp_path / "1.txt").write_bytes(f"a cat{mark}on a mat\n".encode())
    if mark in "\x0b\x0c":  # blanks
        assert len(read_captions(["1.png"], tmp_path)[0]["1.png"]) == 1
        return
    with pytest.raises(DataError, match="text without control characters. Received: "):
        read_captions(["1.png"], tmp_path)


def test_texts_that_lie_elsewhere_are_no_captions(tmp_path):
    """A link beside a picture made captions of any text of the user; in caches of hubs, both are links."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    (tmp_path / "private.txt").write_text("a secret")
    (folder / "a.png").touch()
    (folder / "a.txt").symlink_to(tmp_path / "private.txt")
    with pytest.raises(DataError, match="a.txt: must lie in the folder of captions. Received: a link to .*private.txt"):
        read_captions(["a.png"], folder)
    (folder / "a.png").unlink()
    (tmp_path / "blob").touch()
    (folder / "a.png").symlink_to(tmp_path / "blob")
    assert read_captions(["a.png"], folder)[0] == {"a.png": ["a secret"]}


def test_one_file_of_captions_for_all_splits_is_not_that_of_one_split_alone(tmp_path):
    """Pictures of all splits have the same names, and each got the captions of all of them."""
    path, names = tmp_path / "metadata.jsonl", ["1.png", "2.png"]
    entries = [(f"{split}/{name}", f"of {split}") for split in ("train", "test") for name in names]
    path.write_text("\n".join(json.dumps({"file_name": name, "text": text}) for name, text in entries))
    with pytest.raises(DataError, match=r"4 names for one picture, from several folders \(`file`: train/1.png, "):
        read_captions(names, path)
    wanted = {"1.png": ["of train"], "2.png": ["of train"]}
    with pytest.raises(DataError, match=r"2 captions without a picture \(`file`: test/1.png, test/2.png\)"):
        read_captions(names, path, folder="flowers/train")
    found, notes = read_captions(names, path, "skip", folder="flowers/train")
    assert found == wanted and len(notes) == 1
    for split in ("train", "test", "renamed"):
        (tmp_path / split).mkdir()
        for name in names:
            (tmp_path / split / name).touch()
    path.write_text("\n".join(json.dumps({"file_name": name, "text": text}) for name, text in entries[2:]))
    assert read_captions(names, path, folder="elsewhere/renamed")[0]  # where the pictures of the captions may be now
    with pytest.raises(DataError, match="2 captions without a picture"):
        read_captions(names, path, "skip", folder=tmp_path / "renamed")  # they are there, and others
