"""Whatever README, docs and docstrings show works: examples and snippets run, commands are understood."""

import doctest
import importlib
import re
import sys
from pathlib import Path
from unittest.mock import create_autospec

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import tiny_images
from modules import tf2_module
from PIL import Image

import tfgantl
from tfgantl.data import Examples, HandwrittenDigits
from tfgantl.data.pipeline import batches
from tfgantl.gan import GAN
from tfgantl.images import encode_png
from tfgantl.models import DCGAN, MLP, StyleGAN2
from tfgantl.models.backbones import dense_features
from tfgantl.recognition.task import Task

CLONE = Path(__file__).parent.parent
PACKAGE = Path(tfgantl.__file__).parent
PAGES = [CLONE / "README.md", CLONE / "CONTRIBUTING.md", *sorted((CLONE / "docs").glob("*.md"))]


# --- examples of docstrings -------------------------------------------------------------------------------------------


def modules_with_examples():
    files = (path for path in PACKAGE.rglob("*.py") if ">>>" in path.read_text())
    return sorted(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in files)


def given(code, make_gan):
    """What examples take as given: modules, small data, and a tiny pair where it is named."""
    images, labels = tiny_images(24), np.arange(24) % 3
    known = {
        "np": np, "tf": tf, "keras": keras, "tfgantl": tfgantl, "Path": Path,
        "DCGAN": DCGAN, "MLP": MLP, "StyleGAN2": StyleGAN2,
        "GAN": GAN, "batches": batches,
        "HandwrittenDigits": HandwrittenDigits, "images": images, "labels": labels,
        "examples": Examples.from_arrays(images, labels, 3),
    }  # fmt: skip
    for name, classes in (("gan", None), ("source", 3)):
        if re.search(rf">>> .*\b{name}\b", code):
            known[name] = make_gan(num_classes=classes)
    if "(task)" in code:
        part = known["examples"]
        known["task"] = Task(part, part, unlabelled=part, features=dense_features, steps=2, batch_size=4)
    return known | {name: keras.optimizers.Adam() for name in ("g_optimizer", "d_optimizer")}


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_of_docstrings_run(name, make_gan, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name.removesuffix(".__init__"))
    if name == "tfgantl.export.client":  # there is no server
        answer = {"png_bytes": np.array([encode_png(np.zeros((28, 28, 1), np.uint8))] * 3, object)}
        monkeypatch.setattr(module.Client, "predict", lambda client, signature, inputs: answer)
    if name == "tfgantl.pretrained.wrap":
        tf2_module(tmp_path / "modules" / "mine")
    names = given(Path(module.__file__).read_text(), make_gan)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for example in doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs=names):
        runner.run(example)
    results = runner.summarize(verbose=False)
    assert results.attempted and not results.failed, capsys.readouterr().out


# --- snippets of Python -----------------------------------------------------------------------------------------------

SNIPPET = r"(<!-- not run: .*? -->\n)?^```python\n(.*?)^```"
# What is shorter here than on the page; each must be there.
SHORTER = {
    "steps=500,": "steps=2, batch_size=4, samples=10, classifier_steps=2, baseline=False, extractor='digits',",
    "steps_per_epoch=100": "steps_per_epoch=1",
    "batch_size=64": "batch_size=2",
    'vgg16(("block5_conv3",), input_shape=(224, 224, 3)': 'vgg16(("block5_conv3",), input_shape=(32, 32, 3)',
}


def snippets():
    for page in PAGES:
        blocks = re.findall(
            r"(<!-- not run: .*? -->\n)?^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE
        )
        for number, (skipped, code) in enumerate(blocks, start=1):
            if not skipped:
                yield pytest.param(code, id=f"{page.name}-{number}")


@pytest.fixture
def workplace(tmp_path, monkeypatch, request):
    """A directory with what snippets take as given: pictures, a finished run and its SavedModel."""
    from tfgantl.export import client, publish
    from tfgantl.export.signatures import generator_signatures
    from tfgantl.models.presets import PRESETS
    from tfgantl.pretrained import load_generator

    code = request.node.callspec.params["code"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    if "my_pictures" in code:
        for number, image in enumerate(tiny_images(60, 28)):
            path = tmp_path / "my_pictures" / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(image[..., 0]).save(path)
    if "runs/handwritten-digits/1" in code:
        (tmp_path / "runs" / "handwritten-digits").mkdir(parents=True)
        (tmp_path / "runs" / "handwritten-digits" / "1").symlink_to(PRESETS / "rendered-digits")
        generator = load_generator("rendered-digits")
        version = tmp_path / "exported" / "handwritten-digits" / "1"
        publish.write_saved_model(generator, generator_signatures(generator), version)
    if "vgg16" in code:
        request.getfixturevalue("narrow")
        monkeypatch.setattr(publish, "publish", create_autospec(publish.publish))
    if "Client" in code:  # calls must fit the real one; what it gives is tested with real servers
        client_class = create_autospec(client.Client)
        served = client_class.return_value
        served.__enter__.return_value = served
        served.classify.return_value = (np.zeros(3, np.int32), np.zeros((3, 10), np.float32))
        monkeypatch.setattr(client, "Client", client_class)
    return tmp_path


@pytest.mark.parametrize("code", list(snippets()))
def test_snippets_run(code, workplace):
    for long, short in SHORTER.items():
        code = code.replace(long, short)
    (workplace / "snippet.py").write_text(code)  # a module, as dataclasses and methods of one's own need
    try:
        importlib.import_module("snippet")
    finally:
        sys.modules.pop("snippet", None)
