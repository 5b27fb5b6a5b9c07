"""Handles on the web without a network, and caches that are not what they should be."""

import hashlib
import os
import sys
import time
import types

import numpy as np
import pytest
from modules import tf1_hub_module, tf2_module

from tfgantl.errors import ArtifactError
from tfgantl.pretrained import load_generator, load_source

HANDLE = "https://tfhub.dev/someone/gan/1"


def test_an_address_that_is_not_cached_says_where_the_module_should_be(cached, monkeypatch):
    hub = pytest.importorskip("tensorflow_hub")

    def offline(handle):
        raise OSError("<urlopen error [Errno -2] Name or service not known>")

    monkeypatch.setattr(hub, "resolve", offline)
    with pytest.raises(ArtifactError, match=r"unpack the module into .*cache/[0-9a-f]{40}\. Received: https://tfhub"):
        load_source("https://tfhub.dev/nobody/nothing/1")


def test_a_cache_that_was_half_written_is_named(cached):
    cached(HANDLE, lambda path: tf2_module(path).joinpath("saved_model.pb").unlink())
    with pytest.raises(ArtifactError, match="the cached module must be complete; remove it to load it anew"):
        load_generator(HANDLE)


def lock_of(handle, cache, age):
    lock = cache / f"{hashlib.sha1(handle.encode()).hexdigest()}.lock"
    cache.mkdir(exist_ok=True)
    lock.write_text("host.1234.abcd")
    os.utime(lock, (time.time() - age,) * 2)
    return lock


def test_the_lock_of_a_download_that_died_does_not_make_anybody_wait(cached, tmp_path):
    lock = lock_of(HANDLE, tmp_path / "cache", age=3600)
    with pytest.raises(ArtifactError, match=rf"{lock}: must be the lock of a download that goes on; .* remove it"):
        load_generator(HANDLE)
    cached(HANDLE, tf2_module)  # what is there needs no lock
    assert load_generator(HANDLE).output_shape == (None, 4, 4, 1)


def test_a_download_that_goes_on_is_waited_for(tmp_path, cached, monkeypatch):
    hub = pytest.importorskip("tensorflow_hub")
    lock_of(HANDLE, tmp_path / "cache", age=3600)
    part = tmp_path / "cache" / f"{hashlib.sha1(HANDLE.encode()).hexdigest()}.abcd.tmp"
    part.mkdir()
    (part / "saved_model.pb").write_bytes(b"half")  # just now
    asked = []
    monkeypatch.setattr(hub, "resolve", lambda handle: asked.append(handle) or tf2_module(tmp_path / "module"))
    assert load_generator(HANDLE).output_shape == (None, 4, 4, 1) and asked == [HANDLE]


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow_hub")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(ArtifactError, match="`source` must be cached or can be downloaded; offline, unpack") as error:
        load_generator(HANDLE)
    assert "\n" not in str(error.value)


def test_both_spellings_of_one_model_give_one_generator(cached, tmp_path, monkeypatch):
    cached("https://tfhub.dev/google/progan/1", tf1_hub_module)
    module = tf1_hub_module(tmp_path / "kaggle")
    fake = types.SimpleNamespace(model_download=lambda name: str(module))
    monkeypatch.setitem(sys.modules, "kagglehub", fake)
    one = load_generator("https://tfhub.dev/google/progan/1")
    other = load_generator("kaggle://google/progan/tensorFlow1/128")
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_tensorflow_hub_is_named_if_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_hub", None)
    with pytest.raises(ArtifactError, match=r"tensorflow_hub must be installed: pip install 'tfgantl\[hub\]'"):
        load_generator("https://tfhub.dev/someone/gan/1")


def test_pkg_resources_is_named_if_setuptools_no_longer_has_it(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorflow_hub"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pkg_resources", None)
    with pytest.raises(ArtifactError, match=r"pip install 'tfgantl\[hub\]'. Received: .*pkg_resources"):
        load_generator(HANDLE)
