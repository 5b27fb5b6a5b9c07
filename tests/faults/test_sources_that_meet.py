"""Sources that share pictures, or change while they are read, and samples of pictures that stand for all of them."""

import keras
import numpy as np
import pytest
from conftest import tiny_images
from PIL import Image

from tfgantl.data import SPLITS, Arrays, Folder
from tfgantl.data.apart import kept_apart
from tfgantl.data.examples import Examples
from tfgantl.errors import DataError
from tfgantl.export.publish import excess_copies
from tfgantl.metrics.extractors import Extractor
from tfgantl.pipelines import extractor as extractor_pipeline
from tfgantl.pipelines.captioning import caption_pictures
from tfgantl.pipelines.extractor import ExtractorConfig, extractor
from tfgantl.privacy.audit import audit_privacy
from tfgantl.privacy.records import read_audit
from tfgantl.recognition.domains import Domains

SIZES = {"image_size": 8, "channels": 1, "validation": 0.2, "test": 0.2}


def save(path, numbers, suffix=".png"):
    images = tiny_images(60)
    for number in numbers:
        file = path / "ab"[number % 2] / f"{number}{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[number].squeeze()).save(file)
    return Folder(str(path), **SIZES)


def pixels(part):
    return {image.tobytes() for image in part.take()[0]}


@pytest.fixture
def sharing(tmp_path):
    """A source, and one of some of its pictures in other files, which are cut in another way."""
    return save(tmp_path / "all", range(60)), save(tmp_path / "some", range(0, 60, 2), ".bmp"), tmp_path


def test_no_source_trains_on_what_another_one_is_tested_with(sharing, capsys):
    """Test pictures of the target were labelled training pictures of the source."""
    one, other, _ = sharing
    assert pixels(one.load("train")) & pixels(other.load("test"))
    first, second = kept_apart([one.splits(), other.splits()], "ab")
    for here, there in ((first, second), (second, first)):
        for held_out in ("validation", "test"):
            assert not pixels(here["train"]) & pixels(there[held_out])
        assert not pixels(here["validation"]) & pixels(there["test"])
        assert here["test"].size and any("another source holds them out" in note for note in here["train"].notes)
    assert "are left out of `train`: another source holds them out" in capsys.readouterr().err
    same = one.splits()
    assert [part.fingerprint for part in kept_apart([same, same], "ab")[0].values()] == [
        part.fingerprint for part in same.values()
    ]
    with pytest.raises(DataError, match="b: `train` must have a picture that no other source holds out"):
        kept_apart([{**same, "test": same["train"]}, same], "ab")
    images, labels = same["train"].take()
    of_class = Examples.from_arrays(images[labels == 1], None)
    with pytest.raises(DataError, match="b: `train` must have pictures of every class .* Received: none of class b"):
        kept_apart([{**same, "test": of_class}, same], "ab")
    on_disk = Folder(one.path, **SIZES, max_bytes=100)
    stored = kept_apart([on_disk.splits(), other.splits()], "ab")[0]
    assert pixels(stored["train"]) == pixels(first["train"]) and stored["train"].digests is not None


def test_domains_extractors_and_captions_keep_sources_apart(sharing, monkeypatch):
    one, _, path = sharing
    domains = Domains.load(one, save(path / "of both", range(0, 60, 3), ".bmp"), 8, 1)
    assert not pixels(domains.source["train"]) & pixels(domains.target["test"])
    both = [one, save(path / "of two", range(0, 60, 3), ".bmp")]
    splits = caption_pictures(both, "measured", dict.fromkeys(SPLITS), 0).examples
    assert not pixels(splits["train"]) & pixels(splits["test"])
    assert splits["train"].size < one.load("train").size + both[1].load("train").size
    seen = {}
    monkeypatch.setattr(
        extractor_pipeline, "measure", lambda trained, domains, parts: seen.update(test=[pixels(p) for p in parts])
    )
    make = extractor_pipeline.training_images
    monkeypatch.setattr(
        extractor_pipeline, "training_images",
        lambda parts, samples: seen.update(train=[pixels(p) for p in parts]) or make(parts, samples),
    )  # fmt: skip
    extractor(ExtractorConfig(domains=both, image_size=8, channels=1, samples=40, steps=1, out_dir=str(path / "x")))
    assert not set.union(*seen["train"]) & set.union(*seen["test"])


def test_pictures_behind_links_inside_of_classes_are_read_anew(tmp_path):
    """What had been read before was taken, also in later processes, whatever came to lie behind the link."""
    source, behind = save(tmp_path / "set", range(20)), tmp_path / "elsewhere"
    save(behind, range(20, 30))
    (tmp_path / "set" / "a" / "more").symlink_to(behind / "a")
    first = source.stamp()
    assert sum(part.size for part in source.splits().values()) == 25
    next((behind / "a").iterdir()).unlink()
    assert source.stamp() != first and sum(part.size for part in source.splits().values()) == 24
    second = source.stamp()
    (tmp_path / "set" / "a" / "up").symlink_to(tmp_path)  # which is passed over, as it leads above the set
    (tmp_path / "beside").write_text("x")
    third = source.stamp()
    (tmp_path / "beside").write_text("y")
    assert source.stamp() == third != second


def test_what_a_source_of_ones_own_says_is_a_split_is_one(tmp_path):
    class Dark(Arrays):
        def load(self, split):
            images, labels = super().load(split).take()
            return Examples.from_arrays(images // 2, labels, None)

    np.savez(tmp_path / "a.npz", x=tiny_images(40))
    parts = Dark(str(tmp_path / "a.npz"), labels=None, **SIZES).splits()
    assert max(part.take()[0].max() for part in parts.values()) <= 127


class OfPixels(Extractor):
    """Features that are the pixels, so that copies are found without a training."""

    def __init__(self):
        self.name, self.classes, self.predicts_labels = "pixels", None, False

    def __call__(self, images):
        return images.reshape(len(images), -1) / 255.0, np.zeros(len(images), np.int64)


def test_copies_of_pictures_that_were_not_looked_at_count(monkeypatch):
    """A sample of 4,000 of 200,000 pictures found copies of those alone: a fiftieth, which might be published."""
    monkeypatch.setattr("tfgantl.privacy.audit.remembering", lambda extractor: extractor)
    rng = np.random.default_rng(0)
    train, held_out = (rng.integers(0, 256, (400, 8, 8, 1), dtype=np.uint8) for _ in range(2))
    found = audit_privacy(train, (train[:100], None), (held_out, None), OfPixels(), of=400)
    assert found.level == "high" and found.copies.share == pytest.approx(1.0, abs=0.05) and found.copies.of == 400
    assert "of 100 training pictures, a sample of 400, (by chance" in str(found)
    assert excess_copies({"privacy": found.record()}, 0.3) == found.copies.share
    new = rng.integers(0, 256, (400, 8, 8, 1), dtype=np.uint8)
    assert found.record()["copies"]["of"] == read_audit(found.record())["copies"]["of"] == 400
    levels = {of: audit_privacy(new, (train, None), (held_out, None), OfPixels(), of=of).level for of in (400, 400_000)}
    assert levels == {400: "low", 400_000: "unknown"}


def test_a_generator_of_large_images_is_measured_in_bytes(monkeypatch):
    """4,000 images of 256 px were floats at one time, twice: 10 GB for one of 21 kB."""
    from tfgantl.pipelines import measurement

    monkeypatch.setattr(measurement, "BATCH_SIZE", 4)
    seen, predict = [], measurement.predict
    monkeypatch.setattr(measurement, "predict", lambda *given: seen.append(predict(*given)) or seen[-1])
    latents = keras.Input((2,))
    network = keras.Model(latents, keras.layers.Reshape((2, 1, 1))(latents))
    whole = measurement.generate_with(network, None, 10, 0)
    assert [len(part) for part in seen] == [4, 4, 2] and whole.dtype == np.uint8 and whole.shape == (10, 2, 1, 1)
