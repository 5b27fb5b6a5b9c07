"""Captions: what people write is read or refused in one line, and what templates say is true."""

import numpy as np
import pytest
from conftest import tiny_images
from PIL import Image

from tfgantl.crossmodal.attribute_words import AttributeWords, fit_words
from tfgantl.crossmodal.caption_bank import CaptionBank
from tfgantl.crossmodal.caption_files import load_captioned, read_captions
from tfgantl.crossmodal.caption_lines import phrases_in
from tfgantl.crossmodal.caption_templates import CaptionTemplates, describe_attributes
from tfgantl.crossmodal.captions import Captions
from tfgantl.crossmodal.part_captions import describe_parts, named_parts, whole_descriptions
from tfgantl.data import Folder
from tfgantl.editing.attributes import MEASURED
from tfgantl.errors import DataError

NAMES = ["a.png", "b.png", "sub/c.png"]
GOOD = {
    "csv": 'file,caption\na.png,a cat\nb.png,two dogs\na.png,it sleeps\nsub/c.png,"a bird, blue"\n',
    "mark": '\ufefffile,caption\r\na.png,a cat\r\nb.png,two dogs\r\na.png,it sleeps\r\nc.png,"a bird, blue"\r\n',
    "semicolons": "File;Caption;by\na.png;a cat;me\nb.png;two dogs;\na.png;it sleeps;\nsub\\c.png;a bird, blue;\n",
    "repeated": 'file,caption\na.png,a cat\na.png,a cat\nb.png,two dogs\na.png,it sleeps\nsub/c.png,"a bird, blue"\n',
}
FOUND = {"a.png": ["a cat", "it sleeps"], "b.png": ["two dogs"], "sub/c.png": ["a bird, blue"]}


@pytest.mark.parametrize("kind", GOOD)
def test_tables_of_spreadsheets_are_read(tmp_path, kind):
    (tmp_path / "captions.csv").write_text(GOOD[kind], newline="")
    found, notes = read_captions(NAMES, tmp_path / "captions.csv")
    assert found == FOUND
    assert notes == (("1 lines of captions.csv repeat others, and count once",) if kind == "repeated" else ())


def test_captions_lie_beside_pictures_or_in_the_file_of_data_sets(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_text("a cat\n\nit sleeps\n")
    (tmp_path / "b.txt").write_text("two dogs")
    (tmp_path / "sub" / "c.txt").write_text("a bird, blue\n")
    assert read_captions(NAMES, tmp_path)[0] == FOUND
    lines = ['{"file_name": "a.png", "text": ["a cat", "it sleeps"]}', '{"file_name": "b.png", "text": "two dogs"}',
             '{"file_name": "sub/c.png", "caption": "a bird, blue", "more": 1}']  # fmt: skip
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "a.txt").write_text("nobody reads this one")
    assert read_captions(NAMES, tmp_path)[0] == FOUND


WHOLE = "".join(f"{name},word\n" for name in NAMES)
BAD = {
    "no column": (b"picture,caption\na.png,x\n", "a column must be called file or file_name. Received: picture, capti"),
    "no heading": (b"", "a column must be called file or file_name. Received: none"),
    "open quote": (b'file,caption\na.png,"a cat\nb.png,x\n', "must have its quotes in pairs"),
    "a comma too many": (b"file,caption\na.png,a cat, asleep\n", "line 2 must have 2 values; .* Received: more"),
    "too few values": (b"file,caption\na.png\n", "line 2 must have 2 values; .* Received: fewer"),
    "code page": ("file,caption\na.png,für\n".encode("cp1252"), "must be text in UTF-8 or UTF-16. .* 0xfc"),
    "unknown picture": (f"file,caption\n{WHOLE}z.png,x\n".encode(), r"1 captions without a picture \(`file`: z.png\)"),
    "no caption": (b"file,caption\na.png,word\n", r"2 pictures without a caption \(.*: b.png, sub/c.png\)"),
    "empty": (f"file,caption\n{WHOLE}a.png, \n".encode(), "line 5: a caption must be words. Received: no text"),
    "control": (f"file,caption\n{WHOLE}a.png,\x1b[2J\n".encode(), "without control characters. Received: .x1b"),
    "long": (f"file,caption\n{WHOLE}a.png,{'x' * 600}\n".encode(), "at most 500 characters. Received: 600"),
    "huge": (b"file,caption\na.png," + b"x" * 200_000, "line 1 must have its quotes in pairs. Received: field larger"),
}


@pytest.mark.parametrize("kind", BAD)
def test_tables_that_cannot_be_used_are_told_in_one_line(tmp_path, kind):
    content, message = BAD[kind]
    (tmp_path / "captions.csv").write_bytes(content)
    with pytest.raises(DataError, match=message) as told:
        read_captions(NAMES, tmp_path / "captions.csv")
    assert "\n" not in str(told.value) and "\x1b" not in str(told.value)


def test_what_is_skipped_is_counted(tmp_path):
    (tmp_path / "captions.csv").write_text("file,caption\na.png,a cat\nz.png,a dog\nb.png, \n")
    found, notes = read_captions(NAMES, tmp_path / "captions.csv", "skip")
    assert found == {"a.png": ["a cat"]}
    assert [note.partition(" (")[0] for note in notes] == [
        "left out line 4: a caption must be words. Received: no text", "left out 1 captions without a picture",
        "left out 2 pictures without a caption",
    ]  # fmt: skip


@pytest.mark.parametrize("line", ["[1]", "{", '{"text": "x"}', '{"file_name": "a.png", "text": 3}', "[" * 100_000])
def test_lines_that_are_no_captions_are_named(tmp_path, line):
    (tmp_path / "metadata.jsonl").write_text(f'{{"file_name": "a.png", "text": "x"}}\n{line}\n')
    with pytest.raises(DataError, match="line 2 must"):
        read_captions(NAMES, tmp_path)


def test_captions_follow_their_pictures_into_splits(tmp_path):
    images = tiny_images(30)
    for number, image in enumerate(images):
        (tmp_path / f"{number}.txt").write_text(f"picture {number}")
        Image.fromarray(image[..., 0]).save(tmp_path / f"{number}.png")
    examples, captions = load_captioned(Folder(str(tmp_path), 8, 1, shots=5), tmp_path)
    assert len(captions["train"]) == 5
    for split, part in examples.items():
        own = captions[split]
        said = [int(own.phrases[ids[0]].split()[1]) for ids in own.of_pictures]
        np.testing.assert_array_equal(part.take()[0], images[said])
    (tmp_path / "captions.csv").write_text("file,caption\n" + "".join(f"{i}.png,x\n" for i in range(30)))
    assert load_captioned(Folder(str(tmp_path), 8, 1, shots=5), tmp_path / "captions.csv")[1]["test"].phrases == ("x",)


def test_captions_of_a_file_are_listed_without_pictures(tmp_path):
    (tmp_path / "some.txt").write_text("a cat\na  cat\n\na dog\n")
    (tmp_path / "some.csv").write_text("file,caption\nx,a cat\ny,a dog\n")
    assert phrases_in(tmp_path / "some.txt") == phrases_in(tmp_path / "some.csv") == ["a cat", "a dog"]
    (tmp_path / "none.txt").write_text("\n")
    with pytest.raises(DataError, match="must hold captions. Received: none"):
        phrases_in(tmp_path / "none.txt")


# --- templates --------------------------------------------------------------------------------------------------------


def digits(count=200):
    rng = np.random.default_rng(0)
    values = {"thickness": rng.uniform(1, 4, count), "slant": rng.uniform(-3, 30, count)}
    return rng.integers(0, 10, count), values


def test_phrases_say_what_is_true_and_no_combination_that_is_held_out():
    labels, values = digits()
    captions, templates = describe_attributes(labels, list("0123456789"), values, seed=1, each=8, held_out=20)
    assert len(templates.held_out) == 20
    words = {one.name: one for one in templates.words}
    without = 0
    for picture, phrases in enumerate(captions.of_pictures):
        for phrase in (captions.phrases[i] for i in phrases):
            named = templates.named_by(phrase)
            assert named.pop("class", labels[picture]) == labels[picture], phrase
            without += "digit" in phrase
            for name, level in named.items():
                assert words[name].levels(values[name][picture : picture + 1])[0] == level != 1, phrase
            assert not templates.is_held_out(int(labels[picture]), named), phrase
    assert without > 50
    again, _ = describe_attributes(labels, list("0123456789"), values, seed=1, each=8, held_out=20)
    assert again.fingerprint == captions.fingerprint


def test_a_phrase_is_true_of_all_pictures_that_show_what_it_names():
    labels, values = digits()
    captions, templates = describe_attributes(labels, list("0123456789"), values, seed=1)
    at = np.arange(len(labels))
    true = captions.true_of(at, np.arange(len(captions.phrases)))
    shown = {"class": labels, **{one.name: one.levels(values[one.name]) for one in templates.words}}
    for number, phrase in enumerate(captions.phrases):
        named = templates.named_by(phrase)
        expected = np.ones(len(labels), bool)
        for name, value in named.items():
            shown = (
                labels if name == "class" else next(w for w in templates.words if w.name == name).levels(values[name])
            )
            expected &= shown == value
        if named:
            np.testing.assert_array_equal(true[:, number], expected, phrase)
    some = captions.of_some([3, 5])
    np.testing.assert_array_equal(some.true_of(np.arange(2), np.arange(9)), true[[3, 5], :9])
    drawn = captions.draw(at, np.random.default_rng(0))
    assert true[at, drawn].all()


@pytest.mark.parametrize(
    ("phrase", "named"),
    [
        ("three thin eights", {"class": 8, "thickness": 0}),
        ("Two BOLD sixes!", {"class": 6, "thickness": 2}),
        ("three thin digits", {"thickness": 0}),
        ("this is a seven", {"class": 7}),
        ("a dog", {}),
    ],
)
def test_counts_are_no_classes(phrase, named):
    words = AttributeWords("thickness", 2.0, 3.0, ("thin", "fine"), ("thick", "bold"))
    assert CaptionTemplates(tuple("0123456789"), (words,)).named_by(phrase) == named


ANIMALS = ("cat", "dog", "2", "bold", "fine art", "glass", "glasses", "picture frame")


@pytest.mark.parametrize(
    ("phrase", "named"),
    [
        ("a picture of a thick cat", {"class": 0, "thickness": 2}),
        ("two pictures of dogs", {"class": 1}),
        ("two pictures", {}),
        ("this is a bold picture", {"thickness": 2}),
        ("a thin dog picture", {"class": 1, "thickness": 0}),
        ("two thick twos", {"class": 2, "thickness": 2}),
        ("a thick fine art", {"class": 4, "thickness": 2}),
        ("three glasses", {"class": 6}),
        ("a thin picture frame", {"class": 7, "thickness": 0}),
    ],
)
def test_names_of_classes_are_found_behind_and_within_other_words(phrase, named):
    words = AttributeWords("thickness", 2.0, 3.0, ("thin", "fine"), ("thick", "bold"))
    assert CaptionTemplates(ANIMALS, (words,)).named_by(phrase) == named


@pytest.mark.parametrize("classes", [tuple("0123456789"), ("cat", "dog", "red_cell"), ("glass", "glasses"), ()])
def test_phrases_name_what_they_were_made_of(classes):
    words = AttributeWords("thickness", 2.0, 3.0, ("thin", "fine"), ("thick", "bold"))
    templates, rng = CaptionTemplates(classes, (words,)), np.random.default_rng(0)
    for _ in range(300):
        label, level = int(rng.integers(-1, len(classes))), int(rng.choice([0, 2]))
        phrase = templates.phrase(None if label < 0 else label, {"thickness": level}, rng)
        assert templates.named_by(phrase) == {"thickness": level, **({"class": label} if label >= 0 else {})}, phrase


def test_what_leans_to_the_left_is_not_called_upright_and_what_does_not_differ_has_no_word():
    (both,) = fit_words({"slant": np.linspace(-30, 30, 90), "size": np.full(90, 50.0), "unknown": np.arange(90.0)})
    assert both.low[0] == "backward" and fit_words({"slant": np.linspace(0, 30, 90)})[0].low[0] == "upright"
    with pytest.raises(DataError, match="`slant` must be measured as finite numbers"):
        fit_words({"slant": np.array([1.0, np.nan])})
    with pytest.raises(DataError, match="pictures must differ in a class or an attribute"):
        describe_attributes(None, None, {"size": np.full(9, 5.0)}, seed=0)
    with pytest.raises(DataError, match="classes must have names"):
        describe_attributes(np.zeros(3, int), None, {}, seed=0)


def test_every_attribute_has_words():
    values = np.linspace(1, 90, 90)
    assert {one.name for one in fit_words({one.name: values for one in MEASURED})} == {one.name for one in MEASURED}


def test_beliefs_are_those_of_the_captions_that_say_so():
    words = AttributeWords("thickness", 2.0, 3.0, ("thin",), ("thick",))
    bank = CaptionBank.of_templates(CaptionTemplates(("cat", "dog"), (words,)))
    assert bank.phrases == ("a thin cat", "a cat", "a thick cat", "a thin dog", "a dog", "a thick dog")
    (belief,) = bank.beliefs(np.log([[0.5, 0.1, 0.1, 0.2, 0.05, 0.05]]))
    assert belief == {"class": {"cat": 0.7, "dog": 0.3}, "thickness": {"thin": 0.824, "thick": 0.176}}
    again = CaptionBank.from_json(bank.to_json())
    np.testing.assert_array_equal(again.says, bank.says)
    unclassed = CaptionBank.of_templates(CaptionTemplates((), (words,)))
    assert unclassed.names == ("thickness",) and unclassed.phrases[0] == "a thin picture"


# --- named parts ------------------------------------------------------------------------------------------------------


def test_named_parts_become_words():
    values = {
        "attribute_facialHair": np.array(["", "moustache3", "moustache4", ""]),
        "attribute_clothingColor": np.array(["#e78276", "#8fa7df", "#8fa7df", "#78e185"]),
        "attribute_freckles": np.array(["variant01", "", "", "variant01"]), "attribute_same": np.array(["x"] * 4),
    }  # fmt: skip
    parts = named_parts(values)
    assert [part.name for part in parts] == ["facialHair", "clothingColor", "freckles"]
    whole = whole_descriptions(parts)
    assert whole[0] == "a person with no beard, red clothes and freckles" and whole[1] == whole[2]
    captions = describe_parts(parts, seed=0, each=6)
    true = captions.true_of(np.arange(4), np.arange(len(captions.phrases)))
    assert (true[1] == true[2]).all() and not true[0].all()
    assert all("no freckles" not in captions.phrases[i] for i in captions.of_pictures[0])
    with pytest.raises(DataError, match="parts must have values with names that differ"):
        named_parts({"same": np.array(["x", "x"])})


def test_captions_without_claims_are_true_of_their_own_pictures():
    captions = Captions.of([["a cat"], ["a  cat", "a dog"], ["a dog"]])
    assert captions.phrases == ("a cat", "a dog")
    np.testing.assert_array_equal(captions.true_of(np.arange(3), np.arange(2)), [[1, 0], [1, 1], [0, 1]])
    with pytest.raises(DataError, match="every picture must have a caption. Received: 1 of 2 without"):
        Captions.of([["a cat"], []])
