"""Whatever README, docs and recipes show as commands is understood, and runs: shortened, on small pictures."""

import importlib
import re
import shlex
import sys
import tarfile
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_DCGAN, interrupted_at, tiny_images
from modules import arbitrary_style_module
from PIL import Image

from tfgantl import cli
from tfgantl.editing import learnt_attributes
from tfgantl.images import encode_png
from tfgantl.metrics import transferability
from tfgantl.models.classifier import small_cnn
from tfgantl.pipelines.export import ExportConfig
from tfgantl.pipelines.recognize import report as recognition_report
from tfgantl.pipelines.settings import VerbConfig

CLONE = Path(__file__).parent.parent
PAGES = [
    CLONE / "README.md", CLONE / "CONTRIBUTING.md", *sorted((CLONE / "docs").glob("*.md")),
    *sorted((CLONE / "pipelines").glob("*.yaml")),
]  # fmt: skip
PROGRAMS = ("tfgantl ", "python -m tfgantl.", "python -m benchmarks.")
VERBS_OF_TWO_WORDS = (["stylize", "train"], ["stylize", "describe"])  # which text may name
PLACEHOLDERS = ("…", "VERB", "NAME", "NETWORK", "python -m benchmarks.X")


def commands():
    """Command lines of all pages in their order: of indented code, and of text where they have options."""
    found = {}
    for page in PAGES:
        text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE).replace("\\\n", " ")
        for block, inline in re.findall(r"^(?:    |#   )(\S.*)$|`([^`]+)`", text, re.MULTILINE):
            line = " ".join((block or inline).split())
            if line.startswith(PROGRAMS) and not any(word in line for word in PLACEHOLDERS):
                words = shlex.split(line, comments=True)
                if block or len(words) > 2 and words[1:] not in VERBS_OF_TWO_WORDS:
                    found.setdefault(shlex.join(words), page.name)
    return found


def own_method():
    """The method that the documentation shows."""
    page = (CLONE / "docs" / "methods.md").read_text()
    return re.search(r"^```python\n# my_methods.py\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[1]


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """The working directory of somebody who has a clone, and a method in a file."""
    (tmp_path / "my_methods.py").write_text(own_method())
    (tmp_path / "pipelines").symlink_to(CLONE / "pipelines")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("my_methods", None)


# --- understood -------------------------------------------------------------------------------------------------------


class Parsed(Exception):
    """The command line is read, and the work would begin."""


@pytest.mark.parametrize("line", [pytest.param(line, id=f"{page}: {line}"[:100]) for line, page in commands().items()])
def test_commands_are_understood(line, monkeypatch, workplace, capsys):
    def begin(*_):
        raise Parsed

    monkeypatch.setattr(cli, "quiet_tensorflow", begin)
    monkeypatch.setattr(VerbConfig, "check_files", lambda config: None)  # folders of the reader
    monkeypatch.setattr(ExportConfig, "computes", True)  # also what does without TensorFlow ends there
    for place in re.findall(r"--resume (\S+)", line):
        Path(place).mkdir(parents=True)
        (Path(place) / "config.yaml").write_text("{}\n")
    words = shlex.split(line)
    if words[0] == "python":
        module = importlib.import_module(words[2])
        if hasattr(module, "__path__") and not hasattr(module, "main"):
            module = importlib.import_module(f"{words[2]}.__main__")
        monkeypatch.setattr(sys, "argv", words[2:])
        main = module.main
    else:
        monkeypatch.setattr(sys, "argv", words)
        main = cli.main
    try:
        main()
    except Parsed:
        return
    except SystemExit as end:
        assert end.code == 0, capsys.readouterr().err


# --- run --------------------------------------------------------------------------------------------------------------

GAN = "--steps 3 --validate_every 2 --samples 20 --classifier_steps 2 --batch_size 8"
SEARCH = "--steps 1 --restarts 1 --weights none"
CLASSIFIER = "--steps 2 --validate_every 2 --labels [0] --seeds 1 --batch_size 8 --backbone dense"
# What is added to a command of a verb, so that it takes seconds. Everything else is as on the page.
SHORTER = {
    "adapt": f"{GAN} --baseline false",
    "adapt --budget": f"{GAN} --budget null --baseline false",
    "pretrain": f"{GAN} --target.image_size 16",
    "pretrain --budget": f"{GAN} --budget null --target.image_size 16",
    "pretrain Projected": f"{GAN} --discriminator.width 4 --discriminator.resolution 32 --target.image_size 16",
    "pretrain pipelines/pretrain_projected.yaml": (
        f"{GAN} --discriminator.width 4 --discriminator.resolution 32 --networks.filters [8,6,4,4]"
    ),
    "pretrain StyleGAN2": f"{GAN} --networks.base 64 --networks.latent_dim 4 --target.image_size 16",
    "pretrain FastGAN": f"{GAN} --networks.width 2 --networks.most 4 --target.image_size 16",
    "evaluate": "--samples 20 --classifier_steps 2",
    "extractor": "--steps 2",
    "recognize": f"{CLASSIFIER} --method GANImages --method.gan_steps 2 --method.images 30",
    "recognize --method": CLASSIFIER,
    "recognize --rank": CLASSIFIER,
    "recognize --config": f"{CLASSIFIER} --method MCD",
    "generate": "--count 300 --shard_size 100 --batch_size 64",
    "imagine": "--count 2",
    "imagine train": f"{GAN} --baseline false --encoder_steps 2 --target.shots 4",
    "imagine train --config": f"{GAN} --baseline false --encoder_steps 2 --pictures 100",
    "adapt TextDirection": f"{GAN}",
    "edit invert": f"{SEARCH} --encoder_steps 1",
    "edit switch": f"{SEARCH} --encoder_steps 1 --frames 2",
    "edit mix": f"{SEARCH} --encoder_steps 1 --frames 2",
    "edit walk": "--frames 4",
    "edit find": "--samples 200 --count 10",
    "edit move": f"{SEARCH} --encoder_steps 1",
    "edit fill": f"{SEARCH} --answers 1",
    "edit restore": f"{SEARCH} --answers 1",
    "edit --list": "",
    "describe": "",
    "describe train": "--steps 2 --batch_size 4 --width 2 --dimension 4 --samples 40",
    "stylize": "--steps 1 --size 32",
    "stylize train": "--steps 1 --size 32 --width 2 --blocks 1 --batch_size 2 --phrase_steps 2",
    "stylize apply": "--size 32",
    "stylize describe": "",
    "stylize --hub": "--size 32",
}
AS_IT_IS = {"--resume", "export", "cache"}
INTERRUPTED = {"tfgantl adapt"}
ELSEWHERE = {
    "python": "tests/test_benchmark_commands.py starts every benchmark, and each has tests of its parts",
    "serve": "tests/test_real_server.py",
    "--privacy.noise": "tests/test_private_training.py, where the accountant is installed",
    "--to": "tests/test_hugging_face.py, with an endpoint on loopback",
    "export --format": "tests/test_export.py, where the packages of the format are installed",
}
PARTS = {
    "adapt": ("pretrain", "adapt", "evaluate", "extractor", "export", "cache"),
    "recognize": ("generate", "recognize"),
    "stylize": ("stylize",),
    "edit": ("edit",),
    "describe": ("describe",),
    "imagine": ("imagine",),
}


def runs_elsewhere(words):
    return any(set(kind.split()) <= set(words) for kind in ELSEWHERE)


def verb_of(words):
    return words[2].rpartition(".")[2] if words[0] == "python" else words[1]


def shortened(words):
    """The words of a command, and what makes it short."""
    if AS_IT_IS & set(words):
        return words
    kinds = [kind for kind in SHORTER if set(kind.split()) <= set(words)]
    return [*words, *SHORTER[max(kinds, key=len)].split()]


def test_every_command_is_run_somewhere():
    verbs = {verb for part in PARTS.values() for verb in part}
    lost = [line for line in commands() if verb_of(line.split()) not in verbs and not runs_elsewhere(line.split())]
    assert not lost


def shards_of_pages(path):
    """Shards that commands of `docs/scale.md` take as given."""
    (path / "shards").mkdir()
    (path / "records").mkdir()
    for shard in range(3):
        with tarfile.open(path / "shards" / f"train-{shard:02}.tar", "w") as archive:
            for number, image in enumerate(tiny_images(20, 32, 3, seed=shard)):
                member = tarfile.TarInfo(f"{shard}-{number}.png")
                member.size = len(png := encode_png(image))
                archive.addfile(member, BytesIO(png))
        with tf.io.TFRecordWriter(str(path / "records" / f"{shard}.tfrecord")) as records:
            for number, image in enumerate(tiny_images(20, 32, 3, seed=shard)):
                features = {
                    "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[encode_png(image)])),
                    "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[number % 2])),
                }
                example = tf.train.Example(features=tf.train.Features(feature=features))
                records.write(example.SerializeToString())


@pytest.fixture
def given(request, workplace, monkeypatch, cached):
    """What pages take as given: pictures, a classifier, weights of VGG16, a module in the cache."""
    part = request.node.callspec.params["part"]
    monkeypatch.setattr(recognition_report, "MAX_EMBEDDED", 20)
    if part != "stylize":
        request.getfixturevalue("eagerly")
    folders = {"many_pictures": 60, "my_pictures": 60, "pictures": 60, "styled": 60, "my_photographs": 3, "FOLDER": 1}
    for folder, count in folders.items():
        (workplace / folder).mkdir()
        for number, image in enumerate(tiny_images(count, 32, 3, seed=len(folder))):
            Image.fromarray(image).save(workplace / folder / f"{number}.png")
    for number, name in enumerate("photo.jpg painting.jpg style.jpg STYLE a.jpg b.jpg c.jpg new.jpg".split()):
        Image.fromarray(tiny_images(1, 40, 3, seed=number)[0]).save(workplace / name, "JPEG")
    if part in ("adapt", "imagine"):  # thousands of images of 28 pixels would make for most of the time
        request.getfixturevalue("short_validation")
        request.getfixturevalue("short_extractor")
    if part == "adapt":
        monkeypatch.setattr(transferability, "SAMPLES", 40)
        small_cnn(28, 1, 3, width=2, units=4).save(workplace / "my_classifier.keras")
    for folder in ("runs/faces/1", "faces") if part in ("adapt", "edit") else ():
        (workplace / folder).mkdir(parents=True)
        TINY_DCGAN.build(8, 3, None)[0].save(workplace / folder / "generator.keras")
    if part == "edit":
        keras.utils.set_random_seed(0)  # with which it takes some of the images for each of two classes
        small_cnn(28, 1, 3, width=2, units=4).save(workplace / "my_classifier.keras")
        for name, side in {"photo": 40, "a": 40, "b": 40, "small": 7, "noisy": 28, "gray": 30, "mask": 28}.items():
            Image.fromarray(tiny_images(1, side, 1, seed=side)[0, ..., 0]).save(workplace / f"{name}.png")
        Image.fromarray(np.pad(np.full((9, 9), 255, np.uint8), 10)[:28, :28]).save(workplace / "mask.png")
        rows = [f"my_pictures/{i}.png,{i}" for i in range(60)]
        (workplace / "pictures.csv").write_text("\n".join(["picture,age", *rows]))
        monkeypatch.setattr(learnt_attributes.table_attribute, "__defaults__", (0, 2))
    if part == "adapt":
        shards_of_pages(workplace)
    if part in ("describe", "imagine"):
        Image.fromarray(tiny_images(1, 40, 1)[0, ..., 0]).save(workplace / "photo.png")
        rows = [f"{i}.png,{'a noisy' if i % 2 else 'another'} pattern" for i in range(60)]
        (workplace / "captions.csv").write_text("\n".join(["file,caption", *rows]))
        (workplace / "captions.txt").write_text("a thin seven\na bold eight\n")
    if part in ("adapt", "stylize"):
        request.getfixturevalue("narrow")
    if part == "stylize":
        rows = ["file,caption", "a.jpg,a stormy sea", "b.jpg,quiet fields"]
        (workplace / "captions.csv").write_text("\n".join(rows))
        cached("https://tfhub.dev/google/magenta/arbitrary-image-stylization-v1-256/2", arbitrary_style_module)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.usefixtures("given")
def test_commands_run(part, monkeypatch, capsys):
    """In the order of the pages, in one directory: what a command leaves behind, later ones work with."""
    failed = {}
    for line in commands():
        words = shlex.split(line)
        if verb_of(words) not in PARTS[part] or runs_elsewhere(words):
            continue
        monkeypatch.setattr(sys, "argv", shortened(words))
        keras.backend.clear_session(free_memory=False)
        # A run that is to be resumed has been interrupted.
        with pytest.raises(SystemExit) as end, interrupted_at(2) if line in INTERRUPTED else nullcontext():
            cli.main()
        told = capsys.readouterr().err
        if end.value.code != (7 if line in INTERRUPTED else 0) or "Traceback" in told:
            failed[line] = (end.value.code, told[-2000:])
    assert not failed, "\n".join(f"{line} → {code}\n{told}" for line, (code, told) in failed.items())
