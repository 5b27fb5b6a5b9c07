"""Modules for arbitrary styles: the call, the safety, the cache, and what modules can do wrong."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf
from modules import arbitrary_style_module
from PIL import Image

from tfgantl.pipelines import stylize


@pytest.fixture
def run(tmp_path, capsys):
    rows = np.mgrid[:30, :50][0]
    gray = np.repeat((100 + rows)[..., None], 3, -1).astype(np.uint8)
    Image.fromarray(gray).save(tmp_path / "content.png")
    for name, color in (("red", (200, 20, 20)), ("blue", (20, 20, 200))):
        flat = np.full((20, 70, 3), color, np.uint8)
        flat[0, 0] = 0
        Image.fromarray(flat).save(tmp_path / f"{name}.png")

    def run(handle, *styles, options=()):
        words = [str(tmp_path / "content.png"), *(str(tmp_path / style) for style in styles)]
        more = ["--hub", str(handle), "--size", "50", "-o", str(tmp_path / "out.png"), "--json", *options]
        code = stylize.main([*words, *more, "--run_dir", str(tmp_path / f"run{len(list(tmp_path.iterdir()))}")])
        told = capsys.readouterr()
        if code:
            return code, told.err.splitlines()[-1]
        assert json.loads(told.out.splitlines()[-1])["output"] == str(tmp_path / "out.png")
        return np.asarray(Image.open(tmp_path / "out.png")).astype(int), gray.astype(int)

    return run


def test_a_module_paints_at_the_size_that_is_asked_for(run, tmp_path):
    painted, _ = run(arbitrary_style_module(tmp_path / "module"), "red.png")
    assert painted.shape == (30, 50, 3)
    np.testing.assert_allclose(painted.mean((0, 1)), (200, 20, 20), atol=6)


def test_modules_in_the_cache_mix_styles_and_have_a_strength(run, cached):
    handle = cached("https://tfhub.dev/somebody/arbitrary-image-stylization-v1-256/2", arbitrary_style_module)
    mixed, _ = run(handle, "red.png:1", "blue.png:3")
    np.testing.assert_allclose(mixed.mean((0, 1)), (65, 20, 155), atol=6)
    none, content = run(handle, "red.png", options=["--strength", "0"])
    assert np.abs(none - content).max() <= 1
    bright, content = run(handle, "red.png", options=["--preserve_color", "lum"])
    assert np.abs(bright[..., 0] - bright[..., 2]).max() <= 3  # gray as the content


def test_modules_of_bytes_are_mapped_and_that_is_said(tmp_path, run):
    """Every pixel was white."""
    painted, told = run(arbitrary_style_module(tmp_path / "module", given=lambda x: [x * 255]), "red.png")
    np.testing.assert_allclose(painted.mean((0, 1)), (200, 20, 20), atol=6)


WRONG = {
    "from -1 to 1": ({"given": lambda x: [x * 2 - 1]}, r"must give pixels in \[0, 1\]. Received: \[-"),
    "not finite": ({"given": lambda x: [x * float("nan")]}, "must give finite images"),
    "no picture": ({"given": lambda x: [x[..., :2]]}, "must give finite images"),
    "reads files": ({"given": lambda x: [x + tf.cast(tf.strings.length(tf.io.read_file("/etc/passwd")), tf.float32)]},
                    "operations of a SavedModel must only compute; .* ReadFile"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_modules_that_do_something_else_are_refused(kind, run, tmp_path):
    options, message = WRONG[kind]
    code, told = run(arbitrary_style_module(tmp_path / "module", **options), "red.png")
    assert code == 4
    assert re.search(message, told), told


def test_other_things_at_the_handle_are_refused(run, tmp_path):
    module = tf.Module()
    module.f = tf.function(lambda x: x, input_signature=[tf.TensorSpec([])])
    tf.saved_model.save(module, str(tmp_path / "uncallable"))
    code, told = run(tmp_path / "uncallable", "red.png")
    assert code == 4 and "must be a module to call with content and style" in told
    code, told = run("https://tfhub.dev/nobody/nothing/1", "red.png")
    assert code == 4 and "`hub` must be cached or can be downloaded; offline, unpack the module into" in told
