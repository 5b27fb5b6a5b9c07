"""The page of the development server, in a real browser without a network."""

import base64
import io
import shutil
import threading
import time
from contextlib import contextmanager
from functools import partial

import keras
import numpy as np
import pytest
import uvicorn
from conftest import TINY_DCGAN, TINY_STYLEGAN2, tiny_images
from PIL import Image
from selenium import webdriver

from tfgantl.crossmodal.captions import Captions
from tfgantl.crossmodal.contrastive import train_encoders
from tfgantl.editing.directions import Direction, Directions
from tfgantl.editing.encoder import build_encoder
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.export.describe_signatures import describe_signatures, network_of
from tfgantl.export.edit_signatures import editing_signatures
from tfgantl.export.publish import publish
from tfgantl.gan import GAN
from tfgantl.images import encode_png, to_unit
from tfgantl.serving.app import Metrics, make_app
from tfgantl.serving.served_model import ServedModel

# A browser is no package of Python, so the extra `dev` cannot bring it; `.ci/run` installs it, and runs these tests.
NEEDED = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
pytestmark = pytest.mark.skipif(
    bool(NEEDED), reason=f"a browser is needed: apt-get install chromium chromium-driver. Missing: {', '.join(NEEDED)}"
)

FLAGS = "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-sync".split()


@contextmanager
def served(network, path, **options):
    """The address of a server of this network."""
    publish(network, path, **options)
    metrics = Metrics()
    app = make_app(ServedModel(path, metrics.batch).start(), metrics, 10**6, 64)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module", params=[3, None], ids=["conditional", "unconditional"])
def address(request, tmp_path_factory):
    keras.utils.set_random_seed(0)
    picture = encode_png(np.random.default_rng(0).integers(0, 256, (30, 90, 1), dtype=np.uint8))
    generator = GAN(*TINY_DCGAN.build(8, 1, request.param), seed=0).generator
    path = tmp_path_factory.mktemp("page") / "tiny"
    with served(generator, path, before_after=picture, facts={"verdict": "positive"}) as url:
        yield url, request.param


@pytest.fixture
def browser(tmp_path):
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in FLAGS:
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={tmp_path}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


def until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def test_a_person_chooses_walks_and_downloads(address, browser):
    url, classes = address
    browser.get(url)

    def find(selector):
        return browser.find_elements("css selector", selector)

    def sources():
        found = browser.execute_script("return [...document.querySelectorAll('#pictures img')].map(i => i.src)")
        return found if len(found) == 24 else None

    first = until(sources)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(first[0].partition(",")[2]))))
    assert pixels.shape == (8, 8)
    link = find("#pictures a")[0]
    assert link.get_attribute("download") == ("tiny-0-0.png" if classes else "tiny-0.png")
    assert link.get_attribute("href") == first[0]

    find("#next")[0].click()
    second = until(lambda: (found := sources()) != first and found)
    assert find("#seed")[0].get_attribute("value") == "24"
    assert find("#class")[0].is_displayed() == bool(classes)
    if classes:
        assert len(find("#class option")) == classes
        find("#class option")[2].click()
        until(lambda: (found := sources()) != second and found)

    def drawn():
        return browser.execute_script("return document.getElementById('walk').toDataURL()")

    until(lambda: not browser.execute_script("return walking"))  # the class has just changed
    start = drawn()
    browser.execute_script("t.value = 0.7; t.dispatchEvent(new Event('input'))")
    until(lambda: drawn() != start)
    browser.execute_script("t.value = 0; t.dispatchEvent(new Event('input'))")
    until(lambda: drawn() == start)  # the same place gives the same picture

    assert until(lambda: browser.execute_script("return document.querySelector('#before img').naturalWidth")) == 90
    assert find("#before")[0].is_displayed() and "positive transfer" in find("#facts")[0].text
    browser.execute_script("seed.value = 1e30; seed.dispatchEvent(new Event('change'))")
    until(lambda: "not of expected type: int64" in find("#trouble")[0].text)  # told, not swallowed
    wrong = [entry for entry in browser.get_log("browser") if "400" not in entry["message"]]
    assert not [entry for entry in wrong if "favicon" not in entry["message"]]


def test_a_person_asks_what_is_in_pictures(tiny_extractor, browser, tmp_path):
    images = tiny_images(2)
    paths = [tmp_path / f"{i}.png" for i in range(2)]
    for path, image in zip(paths, images, strict=True):
        path.write_bytes(encode_png(image))
    logits = tiny_extractor.classifier.predict(to_unit(images), verbose=0)
    with served(tiny_extractor.classifier, tmp_path / "judge") as url:
        browser.get(url)
        files = until(lambda: [f for f in browser.find_elements("css selector", "#files") if f.is_displayed()])[0]
        assert not browser.find_element("css selector", "#generator").is_displayed()
        files.send_keys("\n".join(map(str, paths)))
        found = until(lambda: [f.text for f in browser.find_elements("css selector", "#found figure")])
        for text, row in zip(found, np.exp(logits) / np.exp(logits).sum(1, keepdims=True), strict=True):
            likeliest = [f"class {label} {100 * row[label]:.1f} %" for label in np.argsort(-row)]
            assert text.split("\n") == likeliest
        (tmp_path / "text.png").write_text("no picture")
        files.send_keys(str(tmp_path / "text.png"))
        until(lambda: "must be a PNG or JPEG" in browser.find_element("css selector", "#trouble").text)


@pytest.mark.parametrize("networks", [TINY_DCGAN, TINY_STYLEGAN2], ids=["z", "w+"])
def test_a_person_edits(networks, browser, tmp_path):
    keras.utils.set_random_seed(0)
    generator = networks.build(8, 1, 3)[0]
    space = LatentSpace(generator)
    vectors = np.random.default_rng(0).normal(size=(2, *space.shape)).astype("f4")
    found = [Direction(name, "pca", v, v, 1.0) for name, v in zip(("thicker", "2023"), vectors, strict=True)]
    directions = Directions(space.generator_hash, space.name, tuple(found))
    signatures = partial(editing_signatures, directions=directions, encoder=build_encoder(space))
    facts = {"directions": {"thicker": [-2.0, 2.0], "2023": [-1.0, 3.0]}, "direction_names": ["thicker", "2023"]}
    (tmp_path / "photo.png").write_bytes(encode_png(tiny_images(1)[0]))
    with served(generator, tmp_path / "tiny", signatures=signatures, facts=facts) as url:
        browser.get(url)

        def edited():
            return browser.execute_script("return document.querySelector('#edited img').src")

        first = until(edited)
        assert [label.text for label in browser.find_elements("css selector", "#sliders label")] == ["thicker", "2023"]
        second = "document.querySelectorAll('#sliders input')[1]"
        browser.execute_script(f"{second}.value = 3; {second}.dispatchEvent(new Event('input'))")
        until(lambda: edited() != first)
        browser.find_element("css selector", "#reset").click()
        until(lambda: edited() == first)
        browser.find_element("css selector", "#photo").send_keys(str(tmp_path / "photo.png"))
        until(lambda: edited() != first)
        assert not browser.find_element("css selector", "#trouble").text


def test_a_person_describes_pictures_and_asks_which_fits(browser, tmp_path):
    images = np.concatenate([tiny_images(12) // 3, tiny_images(12) // 3 + 150])
    captions = Captions.of([["a dark one"]] * 12 + [["a bright one"]] * 12)
    encoders = train_encoders(images, captions, steps=120, batch_size=12, dimension=8, width=4)
    paths = [tmp_path / "dark.png", tmp_path / "bright.png"]
    for path, image in zip(paths, images[[0, -1]], strict=True):
        path.write_bytes(encode_png(image))
    signatures, texts = partial(describe_signatures, encoders=encoders), {"texts": ["a bright one", "a dark one"]}
    with served(network_of(encoders), tmp_path / "seen", signatures=signatures, facts=texts) as url:
        browser.get(url)
        files = until(lambda: next((e for e in browser.find_elements("css selector", "#shown") if e.is_displayed()), 0))
        files.send_keys("\n".join(map(str, paths)))
        figures = until(lambda: [figure.text for figure in browser.find_elements("css selector", "#told figure")])
        assert [figure.split("\n")[0][:8] for figure in figures] == ["a dark o", "a bright"]
        sought = browser.find_element("css selector", "#sought")
        sought.send_keys("bright\t")
        until(lambda: "fits" in browser.find_element("css selector", "#told").text)
        assert browser.find_elements("css selector", "#told figure")[0].text.startswith("a bright one")
        sought.clear()
        sought.send_keys("qqq\t")
        until(lambda: "must have a known word" in browser.find_element("css selector", "#trouble").text)
