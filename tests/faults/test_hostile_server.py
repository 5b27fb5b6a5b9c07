"""What strangers do to a development server: pages of other sites, connections that never ask, work without end."""

import asyncio
import base64
import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import httpx2
import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import TINY_DCGAN, growth_below, tiny_images
from starlette.testclient import TestClient
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
from test_hostile_pictures import jpeg, png, with_scans

from tfgantl.errors import ServingError
from tfgantl.export import rest_transport
from tfgantl.export.client import Client
from tfgantl.export.json_tensors import FLOATS, WHOLE, from_json
from tfgantl.export.manifest import write_manifest
from tfgantl.export.publish import publish
from tfgantl.export.rows import rows_are_independent, same_alone
from tfgantl.models import StyleGAN2
from tfgantl.models.classifier import small_cnn
from tfgantl.models.mined import MinedGenerator
from tfgantl.serving import connections, served_model
from tfgantl.serving.app import Metrics, make_app
from tfgantl.serving.connections import MAX_HEAD, BoundedProtocol, Limits, connections_within_descriptors
from tfgantl.serving.origins import is_loopback
from tfgantl.serving.request_error import Closed, InvalidArgument, RequestError
from tfgantl.serving.responses import write_response
from tfgantl.serving.servable import Servable
from tfgantl.serving.served_model import ServedModel
from tfgantl.serving.slots import Slots

uvicorn = pytest.importorskip("uvicorn")
STATUS = "/v1/models/judge"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    path = tmp_path_factory.mktemp("published")
    keras.utils.set_random_seed(0)
    publish(small_cnn(8, 1, 3, width=4, units=6), path / "judge", before_after=png(8, 8))
    return path / "judge"


@pytest.fixture(scope="module")
def model(published):
    model = ServedModel(published, poll=0.05).start()
    yield model
    model.close()


# --- Pages of other sites ---


def client(model, host="127.0.0.1", allow_host=(), asked="127.0.0.1:8501"):
    return TestClient(make_app(model, Metrics(), 10**6, 8, 30.0, host, allow_host), base_url=f"http://{asked}")


ANSWERED = [
    ("127.0.0.1:8501", {}), ("localhost", {}), ("LOCALHOST.:8501", {}), ("[::1]:8501", {}), ("127.8.9.1", {}),
    ("model.localhost:8501", {}), ("127.0.0.1:8501", {"origin": "http://127.0.0.1:8501"}),
    ("127.0.0.1:8501", {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}),
    ("127.0.0.1:8501", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}),  # a link to the page
]  # fmt: skip
REFUSED = [
    ("evil.example", {}), ("127.0.0.1.evil.example:8501", {}), ("localhost.evil.example", {}), ("10.0.0.7:8501", {}),
    ("evil.example@127.0.0.1", {}), ("[::2]", {}), ("127.0.0.1:8501", {"origin": "http://evil.example"}),
    ("127.0.0.1:8501", {"origin": "null"}), ("127.0.0.1:8501", {"origin": "http://[::1"}),
    ("127.0.0.1:8501", {"origin": "http://127.0.0.1:3000"}), ("127.0.0.1:8501", {"origin": "ftp://127.0.0.1:8501"}),
    ("127.0.0.1:8501", {"origin": "//127.0.0.1:8501"}),
    ("127.0.0.1:8501", {"origin": "http://127.0.0.1:8501.evil.example"}),
    ("127.0.0.1:8501", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}),
    ("127.0.0.1:8501", {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"}),
]  # fmt: skip


@pytest.mark.parametrize("path", ["/", STATUS, "/manifest.json", "/healthz", f"{STATUS}:predict"])
def test_on_loopback_only_this_machine_and_this_site_are_answered(model, path):
    asked = client(model)
    for (host, headers), refused in (*((case, False) for case in ANSWERED), *((case, True) for case in REFUSED)):
        answer = asked.get(path, headers={"host": host, **headers})
        assert (answer.status_code == 403) == refused, (host, headers, answer.text)


def test_a_page_elsewhere_can_neither_read_nor_make_it_compute(model, monkeypatch):
    ran = []
    monkeypatch.setattr(Servable, "predict", lambda *arguments: ran.append(arguments))
    body = json.dumps({"instances": np.zeros((1, 8, 8, 1)).tolist()})
    form = {"content-type": "text/plain", "origin": "http://evil.example", "sec-fetch-site": "cross-site"}
    assert client(model).post(f"{STATUS}:predict", content=body, headers=form).status_code == 403
    visit = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}  # a form that is sent by itself
    assert client(model).post(f"{STATUS}:predict", content=body, headers=visit).status_code == 403
    assert not ran
    page = client(model).get("/")
    assert "access-control-allow-origin" not in page.headers
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


def test_more_hosts_are_answered_if_they_are_allowed(model):
    behind = client(model, allow_host=("Models.example",), asked="models.example")
    assert behind.get(STATUS).status_code == 200
    assert behind.get(STATUS, headers={"origin": "https://models.example"}).status_code == 200
    assert behind.get(STATUS, headers={"host": "other.example"}).status_code == 403
    everywhere = client(model, host="0.0.0.0", asked="any.example")
    assert everywhere.get(STATUS).status_code == 200
    assert everywhere.get(STATUS, headers={"origin": "http://evil.example"}).status_code == 403
    assert not is_loopback("0.0.0.0") and not is_loopback("127.0.0.1.example")


# --- Pictures that take the place of others ---


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([with_scans(65)], "a picture must take little time to decode. Received: one that has 65 scans, more than 64"),
        ([png(4000, 4000)] * 5, "the pictures of a request must have at most 64000000 pixels"),
        ([png(9000, 9000)], "a picture must have at most 16000000 pixels. Received: 81000000"),
    ],
    ids=["scans", "pixels of a request", "pixels of a picture"],
)
def test_pictures_that_take_long_are_refused_before_they_are_in_the_queue(model, monkeypatch, files, message):
    monkeypatch.setattr(Servable, "predict", None)
    rows = [{"image_bytes": {"b64": base64.b64encode(file).decode()}} for file in files]
    answer = client(model).post(f"{STATUS}:predict", json={"signature_name": "classify", "instances": rows})
    assert answer.status_code == 400 and message in answer.json()["error"]


@pytest.mark.parametrize("instances", [False, True])
def test_a_million_strings_are_refused_before_they_are_looked_at(model, monkeypatch, instances):
    """Forty requests of empty strings kept a picture waiting for 17 seconds."""
    monkeypatch.setattr(served_model, "refusal", None)
    rows = [{"image_bytes": ""} if instances else ""] * (2**14 + 1)
    body = {"signature_name": "classify", "instances" if instances else "inputs": rows}
    answer = client(model).post(f"{STATUS}:predict", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"] == "A request must have at most 16384 strings or files. Received: 16385"


@pytest.mark.parametrize(("pixel", "status"), [(1.0, 200), (-1.005, 200), (200.0, 400), (2.0, 400)])
def test_pixels_that_are_scaled_otherwise_are_refused(model, pixel, status):
    """Of 200.0 everywhere a classifier was sure."""
    answer = client(model).post(f"{STATUS}:predict", json={"instances": np.full((1, 8, 8, 1), pixel).tolist()})
    assert answer.status_code == status and ("images must be in [-1, 1]" in answer.text) == (status == 400)


# --- Connections ---


@pytest.fixture
def served(model):
    """Runs uvicorn in a thread, with limits; gives its port."""
    running = []

    def start(most=8, max_body=10**5, head_seconds=0.6):
        limits = Limits(most, max_body, head_seconds)
        http = partial(BoundedProtocol, limits=limits)
        app = make_app(model, Metrics(), max_body, 64, 5.0)
        app.router.lifespan_context = lambda app: _nothing()
        server = uvicorn.Server(uvicorn.Config(app, port=0, http=http, ws="none", log_level="critical"))
        listener = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        running.append((server, thread))
        while not server.started:
            time.sleep(0.01)
        return listener.getsockname()[1], limits

    yield start
    for server, thread in running:
        server.force_exit = server.should_exit = True
        thread.join(timeout=10)


class _nothing:
    async def __aenter__(self):
        return None

    async def __aexit__(self, *error):
        return None


@pytest.fixture
def connected():
    """Opens connections, which are closed at the end."""
    connections = []

    def connect(port, data=b""):
        connections.append(socket.create_connection(("127.0.0.1", port), timeout=30))
        connections[-1].sendall(data)
        return connections[-1]

    yield connect
    for connection in connections:
        connection.close()


def ended(connection):
    """All that still comes, and seconds until the other side closed."""
    start, content = time.monotonic(), b""
    try:
        while part := connection.recv(2**16):
            content += part
    except ConnectionError:
        pass
    return content, time.monotonic() - start


@pytest.mark.parametrize(
    "head",
    [b"GET /healthz HTTP/1.1\r\n", b"GET /" + b"a" * MAX_HEAD, b"GET / HTTP/1.1\r\nx: " + b"b" * MAX_HEAD],
    ids=["lines", "address", "one line"],
)
def test_headers_have_an_end(served, connected, head):
    port, limits = served()
    connection = connected(port, head)
    try:
        for i in range(20_000):
            connection.sendall(b"x%d: %b\r\n" % (i, b"y" * 100))
    except ConnectionError:
        pass
    content, _ = ended(connection)
    assert content == b"" or content.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400")), content[:100]
    assert httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=30).status_code == 200 and len(limits.waiting) <= 1


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\nGET /he"])
def test_a_request_that_is_never_finished_is_given_up(served, connected, sent):
    port, _ = served()
    content, seconds = ended(connected(port, sent))
    assert seconds < 20 and content.count(b"alive") == sent.count(b"\r\n\r\n")


def test_connections_that_ask_for_nothing_make_room(served, connected):
    port, limits = served(most=8, head_seconds=60)
    idle = [connected(port, b"GET /") for _ in range(30)]
    deadline = time.monotonic() + 5
    while len(limits.waiting) > 8 and time.monotonic() < deadline:
        time.sleep(0.01)
    for _ in range(3):
        assert httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=30).status_code == 200
    assert len(limits.waiting) <= 8 and len(idle) == 30


def test_bodies_that_never_end_make_room(served, connected):
    """Only connections without headers did; a thousand slow bodies kept all others out for half a minute."""
    port, limits = served(most=8, head_seconds=60)
    head = b"POST %b:predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 9000\r\n\r\n{" % STATUS.encode()
    slow = [connected(port, head) for _ in range(30)]
    for _ in range(3):
        assert httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=30).status_code == 200
    assert len(limits.waiting) <= 8 and len(slow) == 30


def test_requests_that_wait_behind_one_are_few(served, connected):
    """Of a client that read no answers, thousands of requests were kept, in gigabytes."""
    port, _ = served()
    request = b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
    content, _ = ended(connected(port, request * 16 + b"GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n"))
    assert content.count(b"alive") == 17 or content.count(b"HTTP/1.1 4") == 1, content[-300:]
    connection = connected(port)
    connection.settimeout(0.05)
    with growth_below(64), pytest.raises(ConnectionError):
        for _ in range(400):
            try:
                connection.sendall(request * 2000)
            except TimeoutError:
                continue
    assert httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=30).status_code == 200


def test_a_body_nobody_wants_ends_the_connection(served, connected):
    port, _ = served(max_body=1000)
    head = b"POST /nothing HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n"
    connection = connected(port, head)
    with pytest.raises(OSError):
        for _ in range(10_000):
            connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")


def test_what_comes_behind_a_body_is_kept_by_nobody(served, connected):
    port, _ = served()
    head = (
        b"POST %b:predict HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
        % STATUS.encode()
    )
    connection = connected(port, head)
    with growth_below(48):
        try:
            for _ in range(80):
                connection.sendall(b"ab:\r\n" * 2000)
        except OSError:
            pass
        ended(connection)


def test_a_refused_body_is_answered_and_not_cut_off(served):
    port, _ = served(max_body=1000)
    for body in (b"x" * 1001, b"x" * 3_000_000):
        assert httpx2.post(f"http://127.0.0.1:{port}{STATUS}:predict", content=body).status_code == 413


def test_pipelined_requests_with_bodies_in_parts_are_all_answered(served, connected):
    port, _ = served(max_body=10**6)
    images = json.dumps({"instances": np.zeros((1, 8, 8, 1)).tolist()}).encode()
    request = b"POST %b:predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: %d\r\n\r\n" % (STATUS.encode(), 200_000)
    body = images + b" " * (200_000 - len(images))
    connection = connected(port, request + body + request + body[:100_000])
    time.sleep(0.5)
    connection.sendall(body[100_000:])
    content = b""
    while content.count(b"200 OK") < 2:
        part = connection.recv(2**16)
        assert part, content
        content += part


def test_an_answer_that_is_not_read_is_given_up(served, connected, monkeypatch):
    monkeypatch.setattr(connections, "WRITE_SECONDS", 0.3)
    port, limits = served(max_body=10**6)
    body = json.dumps({"instances": tiny_images(200).astype(int).tolist()}).encode()
    monkeypatch.setattr(ServedModel, "predict", _answer_of_64_mebibytes)
    connection = connected(port)
    request = b"POST %b:predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: %d\r\n\r\n%b"
    connection.sendall(request % (STATUS.encode(), len(body), body))
    time.sleep(1.5)
    connection.settimeout(5)
    content, _ = ended(connection)
    assert len(content) < 64 * 2**20


def _answer_of_64_mebibytes(self, name, number, body, deadline):
    future = Future()
    future.set_result(b"x" * 64 * 2**20)
    return future


def test_descriptors_are_left_for_everything_else(monkeypatch):
    soft, hard = 300, 300
    monkeypatch.setattr(connections.resource, "getrlimit", lambda which: (soft, hard))
    monkeypatch.setattr(connections.resource, "setrlimit", lambda which, limits: None)
    most = connections_within_descriptors()
    assert 8 <= most <= soft - len(os.listdir("/proc/self/fd")) - connections.RESERVED + 1 or most == 8
    monkeypatch.setattr(connections.resource, "getrlimit", lambda which: (2**20, 2**20))
    assert connections_within_descriptors() == connections.MAX_CONNECTIONS


# --- Versions ---


def until(condition):
    deadline = time.monotonic() + 50
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_directory_that_is_gone_for_a_moment_serves_on(published, tmp_path, capsys):
    directory = shutil.copytree(published, tmp_path / "judge")
    model = ServedModel(directory, poll=0.02).start()
    os.rename(directory, tmp_path / "away")
    until(lambda: "cannot be looked at" in capsys.readouterr().err)
    assert model.ready
    os.rename(tmp_path / "away", directory)
    time.sleep(0.1)
    assert model.ready and "cannot be looked at" not in capsys.readouterr().err
    shutil.rmtree(directory / "1")  # withdrawn for good
    until(lambda: not model.ready)
    model.close()


def test_a_version_that_is_gone_serves_on_where_no_other_can_and_says_so(published, tmp_path, capsys):
    directory = tmp_path / "judge"
    shutil.copytree(published / "1", directory / "2")
    (directory / "1").mkdir()
    (directory / "1" / "saved_model.pb").write_bytes(b"cut off")
    model = ServedModel(directory, poll=0.02).start()
    os.rename(directory / "2", tmp_path / "away")
    until(lambda: "version 2 is gone, and no other can be loaded; what it was serves on" in capsys.readouterr().err)
    time.sleep(0.1)
    assert model.ready and "is gone" not in capsys.readouterr().err  # said once
    model.close()


def test_a_version_that_is_replaced_in_place_is_loaded_anew_or_kept(published, tmp_path, capsys):
    directory = shutil.copytree(published, tmp_path / "judge")
    keras.utils.set_random_seed(1)
    other = publish(small_cnn(8, 1, 3, width=4, units=6), tmp_path / "other")
    model = ServedModel(directory, poll=0.02).start()

    def answer():
        while True:
            with suppress(Closed):  # the next one has taken over in the meantime
                return (
                    model._serving[1].predict("serving_default", {"images": np.ones((1, 8, 8, 1), np.float32)}).result()
                )

    first = answer()["probabilities"]
    broken = directory / "1" / "variables" / "variables.data-00000-of-00001"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100])
    until(lambda: "what it was serves on" in capsys.readouterr().err)
    np.testing.assert_array_equal(answer()["probabilities"], first)
    assert model.status("judge", 1)["model_version_status"][0]["state"] == "AVAILABLE"
    shutil.rmtree(directory / "1")
    shutil.copytree(other, directory / "1")
    until(lambda: not np.array_equal(answer()["probabilities"], first))
    model.close()


def test_names_of_classes_are_those_of_the_version_that_serves(published, tmp_path):
    """One that was put in its place and could not be loaded gave the page its names, for classes of the other."""
    directory = shutil.copytree(published, tmp_path / "judge")
    model = ServedModel(directory, poll=60)
    model.look()
    before = client(model).get("/manifest.json").json()
    (directory / "1" / "manifest.json").write_text("{}")
    shutil.rmtree(directory / "1" / "assets.extra")
    assert client(model).get("/manifest.json").json() == before
    assert client(model).get("/before_after.png").status_code == 200
    model.close()


def test_a_version_that_is_being_copied_is_taken_up_as_soon_as_it_is_whole(published, tmp_path, capsys):
    model = ServedModel(shutil.copytree(published, tmp_path / "judge"), poll=0.02).start()
    target = tmp_path / "judge" / "2"
    target.mkdir()
    for file in sorted(path for path in (published / "1").rglob("*") if path.is_file()):
        copy = target / file.relative_to(published / "1")
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        time.sleep(0.03)
        copy.write_bytes(file.read_bytes())
    until(lambda: model._serving[0] == 2)  # not after the minute that other failures wait
    model.close()


@pytest.mark.parametrize("name", ["99999999999999999999", "9223372036854775808", "007", "-1", "1_0", "١"])
def test_numbers_that_no_address_reaches_are_no_versions(published, tmp_path, name):
    shutil.copytree(published / "1", tmp_path / "judge" / name)
    assert not ServedModel(tmp_path / "judge").start().ready


# --- Stopping ---

SLOW = """
import sys, time
from tfgantl.serving import servable
from tfgantl.pipelines.serve import main
compute = servable.Servable.compute
def slow(self, signature, inputs, *deadline):
    if self._waiting is not None and signature == "classify":
        time.sleep(600)
    return compute(self, signature, inputs, *deadline)
start = servable.Servable.__init__
def started(self, *arguments):
    self._waiting = None
    start(self, *arguments)
servable.Servable.__init__, servable.Servable.compute = started, slow
sys.exit(main(sys.argv[1:]))
"""


def test_stopping_is_bounded_whatever_a_batch_does(published, tmp_path):
    command = [sys.executable, "-c", SLOW, str(published), "--port", "0", "--stop_after", "1", "--timeout", "300"]
    copies = tmp_path / "copies"
    copies.mkdir()
    with open(tmp_path / "told", "w") as told:
        process = subprocess.Popen(command, stderr=told, stdout=told, env={**os.environ, "TMPDIR": str(copies)})
    told = tmp_path / "told"
    deadline = time.monotonic() + 100
    while "http://127.0.0.1:" not in told.read_text():
        assert process.poll() is None and time.monotonic() < deadline, told.read_text()
        time.sleep(0.05)
    address = "http://127.0.0.1:" + told.read_text().split("http://127.0.0.1:")[1].split("/")[0]
    row = {"image_bytes": {"b64": base64.b64encode(jpeg()).decode()}}
    body = {"signature_name": "classify", "instances": [row]}

    def ask():
        while True:
            try:
                return httpx2.post(f"{address}{STATUS}:predict", json=body, timeout=60)
            except httpx2.TransportError:
                if process.poll() is not None:
                    return None
                time.sleep(0.1)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    metrics = f"{address}/monitoring/prometheus/metrics"
    until(lambda: "tfgantl_batches_total 1.0" in httpx2.get(metrics).text)
    start = time.monotonic()
    assert list(copies.iterdir())
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0 and time.monotonic() - start < 10
    assert not list(copies.iterdir())  # although it ended with a batch that cannot be stopped


class Unequal(tf.Module):
    """Outputs that have not a row for each row of the inputs, and a program that takes a while."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def serve(self, x):
        work = tf.random.stateless_normal([200, 200], [1, 2])
        for _ in range(12):
            work = tf.tanh(work @ work)
        positive = tf.boolean_mask(x, x > 0)
        return {"y": x * 2 + 0 * tf.reduce_sum(work), "positive": positive, "names": tf.constant(["a", "b", "c"])}


@pytest.mark.parametrize("with_manifest", [False, True])
def test_rows_of_a_foreign_graph_are_not_put_together(tmp_path, with_manifest):
    module = Unequal()
    tf.saved_model.save(module, str(tmp_path / "1"), {"serving_default": module.serve})
    if with_manifest:  # anybody can write one
        write_manifest(tmp_path / "1", {"independent_rows": True})
    servable, asked = Servable(tmp_path / "1"), [[i, i + 1.0] if i % 2 else [-i - 1.0] for i in range(60)]
    futures = [servable.predict("serving_default", {"x": np.array(x, np.float32)}) for x in asked]
    for x, future in zip(asked, futures, strict=True):
        answer = future.result()
        assert answer["y"].tolist() == [2 * v for v in x] and answer["positive"].tolist() == [v for v in x if v > 0]
        assert answer["names"].tolist() == [b"a", b"b", b"c"]
    servable.close()


def test_the_page_shows_files_of_the_version_only(published, tmp_path):
    """Links in a version of somebody else lead anywhere."""
    (tmp_path / "secret").write_text("of the victim")
    version = shutil.copytree(published, tmp_path / "tiny") / "1"
    (version / "manifest.json").unlink()
    for name in ("manifest.json", "assets.extra/before_after.png"):
        (version / name).unlink(missing_ok=True)
        (version / name).symlink_to(tmp_path / "secret")
    model, metrics = ServedModel(tmp_path / "tiny", poll=60), Metrics()
    model._swap((1, Servable(version)))
    client = TestClient(make_app(model, metrics, 10**6, 8), base_url="http://127.0.0.1")
    for path in ("/manifest.json", "/before_after.png"):
        answer = client.get(path)
        assert answer.status_code == 404 and "victim" not in answer.text
    model.close()


class Flood(BaseHTTPRequestHandler):
    """Answers with 4 kB that unpack to 4 MB, or with what is no answer."""

    content, status = gzip.compress(bytes(4 * 2**20)), 200

    def do_GET(self):
        self.send_response(self.status)
        self.send_header("Content-Encoding", "gzip" if self.content[:2] == b"\x1f\x8b" else "identity")
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        with suppress(OSError):  # nobody reads to the end
            self.wfile.write(self.content)


class Trickle(Flood):
    """Answers byte by byte, each in time."""

    content = bytes(100)

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        with suppress(OSError):
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.1)

    def log_message(self, *arguments):
        pass


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (Flood.content, "an answer must have at most 1000000 bytes. Received: more"),
        (b"[1]", "200: \\[1\\]"), (b"{}", "must answer as TensorFlow Serving. Received: 'metadata'"),
        (b"[" * 100_000, "200: \\[\\["),
    ],
    ids=["unpacks", "no object", "no metadata", "depth"],
)  # fmt: skip
def test_a_client_bears_any_answer(content, message, monkeypatch):
    monkeypatch.setattr(rest_transport, "MAX_BYTES", 10**6)
    monkeypatch.setattr(Flood, "content", content)
    with ThreadingHTTPServer(("127.0.0.1", 0), Flood) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with (
            Client(f"http://127.0.0.1:{server.server_port}", "x") as client,
            pytest.raises(ServingError, match=message),
        ):
            client.generate([1])
        server.shutdown()


def test_a_client_waits_no_longer_than_it_says_and_shows_no_controls(monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), Trickle) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        start = time.monotonic()
        with (
            Client(f"http://127.0.0.1:{server.server_port}", "x", timeout=0.5, retries=0) as client,
            pytest.raises(ServingError, match="must answer within 0.5 s. Received: a part of an answer"),
        ):
            client.generate([1])
        assert time.monotonic() - start < 5
        monkeypatch.setattr(server, "RequestHandlerClass", Flood)
        monkeypatch.setattr(Flood, "content", b'{"error": "\\u001b]0;title\\u0007"}')
        monkeypatch.setattr(Flood, "status", 400)
        with (
            Client(f"http://127.0.0.1:{server.server_port}", "x") as client,
            pytest.raises(ServingError, match=r"400: \\x1b\]0;title\\x07"),
        ):
            client.generate([1])
        server.shutdown()


class Lying(BaseHTTPRequestHandler):
    """A classifier whose labels and probabilities are whatever is asked of it."""

    outputs: dict = {}
    specs = {"label": {"dtype": "DT_INT32"}, "probabilities": {"dtype": "DT_FLOAT"}}

    def do_GET(self):
        self.answer({"metadata": {"signature_def": {"signature_def": {"classify": {"outputs": self.specs}}}}})

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.answer({"outputs": self.outputs})

    def answer(self, value):
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.mark.parametrize(
    ("label", "probability", "message"),
    [
        (1, 0.5, None),
        (1.7, 0.5, "must be numbers from -2147483648"),
        (True, 0.5, "must be numbers from"),
        ("1", 0.5, "must be numbers from"),
        (10**12, 0.5, "must be numbers from"),
        (-1, 0.5, "must answer labels .n,. from 0 to 1"),
        (2, 0.5, "must answer labels .n,. from 0 to 1"),
        (1, float("nan"), "must answer finite numbers for probabilities"),
        (1, float("inf"), "must answer finite numbers for probabilities. Received: inf"),
        (1, 1e300, "must answer finite numbers for probabilities. Received: inf"),
        ([[1]], 0.5, "must answer labels .n,. from 0 to 1"),
        (1, "0.5", "DT_FLOAT must be numbers"),
        (1, None, "must answer as TensorFlow Serving"),
    ],
)
def test_a_client_rounds_and_wraps_no_answer(monkeypatch, label, probability, message):
    labels = label if isinstance(label, list) else [label]
    monkeypatch.setattr(Lying, "outputs", {"label": labels, "probabilities": [[probability, 0.5]]})
    with ThreadingHTTPServer(("127.0.0.1", 0), Lying) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Client(f"http://127.0.0.1:{server.server_port}", "x") as client:
            if message is None:
                assert client.classify([b""])[0].tolist() == [1]
            else:
                with pytest.raises(ServingError, match=message):
                    client.classify([b""])
        server.shutdown()


def test_a_client_goes_on_with_the_signatures_of_the_next_version(monkeypatch):
    """It kept those of the version that it had met first: names of outputs came back as if they were texts."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Lying) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Client(f"http://127.0.0.1:{server.server_port}", "x") as client:
            monkeypatch.setattr(Lying, "specs", {"captions": {"dtype": "DT_STRING"}})
            monkeypatch.setattr(Lying, "outputs", ["a"])
            assert client.predict("classify", {})["captions"].tolist() == [b"a"]
            monkeypatch.setattr(Lying, "outputs", {"captions": ["b"], "scores": [0.5]})
            with pytest.raises(ServingError, match="must answer as TensorFlow Serving"):
                client.predict("classify", {})
            monkeypatch.setattr(Lying, "specs", {"captions": {"dtype": "DT_STRING"}, "scores": {"dtype": "DT_FLOAT"}})
            found = client.predict("classify", {})
            assert found["captions"].tolist() == [b"b"] and found["scores"].tolist() == [0.5]
        server.shutdown()


@pytest.mark.parametrize("kind", [*FLOATS, *WHOLE, "DT_BOOL"])
def test_a_client_takes_each_type_for_what_it_is(kind):
    wanted = {**FLOATS, **WHOLE, "DT_BOOL": np.bool_}[kind]
    values = [[True, False]] if kind == "DT_BOOL" else [[1, 100]]
    found = from_json(values, kind)
    assert found.dtype == wanted and found.tolist() == values
    assert from_json([], kind).shape == (0,)
    wrong = [["1"], [None], [{"b64": "AA=="}], [True] if kind != "DT_BOOL" else [1]]
    if kind in WHOLE:
        bounds = np.iinfo(wanted)
        assert from_json([int(bounds.min), int(bounds.max)], kind).tolist() == [bounds.min, bounds.max]
        wrong += [[1.5], [bounds.max + 1], [bounds.min - 1]]
    for value in wrong:
        with pytest.raises(ValueError, match=f"{kind} must be|could not convert"):
            from_json(value, kind)


def classifier(change):
    x = keras.Input((4,))
    return keras.Model(x, change(keras.layers.Dense(3, activation="tanh")(x)))


L = keras.layers
ROWS = {
    "dense": (lambda x: x, True),
    "softmax": (L.Softmax(), True),
    "network inside": (keras.Sequential([L.Dense(2), L.BatchNormalization(), L.ReLU()]), True),
    "two branches": (lambda x: L.Add()([L.Dense(2)(x), L.Concatenate()([x, x])[..., :2]]), False),  # an operation
    "joined": (lambda x: L.Concatenate()([L.Dense(2)(x), x]), True),
    "mean over rows": (lambda x: x - keras.ops.mean(x, axis=0, keepdims=True), False),
    "mean over all": (lambda x: x - keras.ops.average(x), False),
    "rows become columns": (lambda x: keras.ops.reshape(keras.ops.reshape(x, (-1,)), (-1, 3)), False),
    "norm over rows": (L.UnitNormalization(axis=0), False),
    "axis from behind": (L.Softmax(axis=-2), False),
    "all axes": (L.Softmax(axis=None), False),
    "statistics of the batch": (lambda x: L.BatchNormalization()(x, training=True), False),
    "one side": (lambda x: L.Reshape((3,))(L.Softmax()(keras.ops.max(x, axis=-1))[:, None] * x), False),
    "state": (lambda x: L.LSTM(2)(L.RepeatVector(2)(x)), False),  # may be kept between batches
    "network inside that mixes": (keras.Sequential([L.UnitNormalization(axis=0)]), False),
    "batch of one": (lambda x: L.Add()([x, keras.ops.max(x, axis=0, keepdims=True)]), False),
}


@pytest.mark.parametrize("kind", ROWS)
def test_only_rows_that_are_known_to_be_apart_are_put_together(kind):
    """Otherwise an answer would depend on what a stranger asks at the same moment, and tell of it."""
    change, apart = ROWS[kind]
    assert rows_are_independent(classifier(change)) is apart


def test_rows_are_compared_with_what_they_are_alone():
    together = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert same_alone(together[:1] + 1e-5, together) and not same_alone(together[:1] + 0.1, together)
    assert not same_alone(together, together)  # as many rows as in the batch


def test_networks_of_this_package_have_rows_apart_but_for_deviations_of_a_batch():
    generator, discriminator = StyleGAN2(base=64, most=4, latent_dim=4, style_dim=4).build(8, 1)
    assert rows_are_independent(generator) and not rows_are_independent(discriminator)
    assert rows_are_independent(small_cnn(8, 1, 3, width=2, units=4))
    assert all(map(rows_are_independent, TINY_DCGAN.build(8, 1, 3)))
    assert not rows_are_independent(MinedGenerator(classifier_of_images(), 2))


def classifier_of_images():
    x = keras.Input((4,))
    y = L.Reshape((2, 2, 1))(L.Dense(4)(x))
    return keras.Model(x, y - keras.ops.mean(y, axis=0, keepdims=True))


class Answered:
    """A stub of TensorFlow Serving whose tensor says much and holds little."""

    dtype = 1

    def __init__(self, channel):
        pass

    def Predict(self, request, **options):
        answer = predict_pb2.PredictResponse()
        answer.outputs["png_bytes"].CopyFrom(tf.make_tensor_proto(np.zeros(1, np.float32)))
        answer.outputs["png_bytes"].tensor_shape.dim[0].size = 2**30
        answer.outputs["png_bytes"].dtype = self.dtype
        return answer


def test_an_answer_holds_what_it_says(monkeypatch):
    monkeypatch.setattr(prediction_service_pb2_grpc, "PredictionServiceStub", Answered)
    with Client("grpc://127.0.0.1:9", "x") as client, growth_below(200):
        with pytest.raises(ServingError, match="the server's answer cannot be used: .* must be in the file"):
            client.generate([1])


def test_answers_of_types_that_nobody_knows_are_one_line(monkeypatch):
    monkeypatch.setattr(prediction_service_pb2_grpc, "PredictionServiceStub", Answered)
    monkeypatch.setattr(Answered, "dtype", 200)
    with Client("grpc://127.0.0.1:9", "x") as client:
        with pytest.raises(ServingError, match="the server's answer cannot be used: png_bytes: "):
            client.generate([1])


def test_a_client_gets_as_many_pictures_as_it_asked_for(monkeypatch):
    client = Client("http://127.0.0.1:1", "x")
    files = np.array([png(4, 4)] * 3, object)
    monkeypatch.setattr(client, "predict", lambda signature, inputs: {"png_bytes": files})
    assert client.generate([1, 2, 3]).shape == (3, 4, 4, 1)
    with pytest.raises(ServingError, match="the server must answer 2 rows of png_bytes. Received: 3"):
        client.generate([1, 2])
    for mode in ("P", "1", "I;16", "RGBA"):  # numbers of a palette came back as if they were pixels
        files = np.array([png(4, 4, mode)], object)
        with pytest.raises(ServingError, match="must answer pictures of 8 bits, gray or RGB. Received: "):
            client.generate([1])
    client.close()


@pytest.mark.parametrize("row", [True, False])
def test_answers_that_are_not_finite_are_told(row):
    """As of latents of 1e38: JSON has no word for them, and pixels would be null."""
    for value in (np.nan, np.inf):
        with pytest.raises(InvalidArgument, match="such that images is finite"):
            write_response({"images": np.array([[1, value]], "f"), "label": np.array([1])}, row)


@pytest.mark.parametrize("row", [True, False])
def test_answers_of_any_kind_of_number_are_written_or_refused(row):
    """The graph of a stranger may give any; they were a 500."""
    half = np.array([[1.5, -2.0]], tf.bfloat16.as_numpy_dtype)
    assert next(iter(json.loads(write_response({"x": half}, row)).values())) == [[1.5, -2.0]]
    with pytest.raises(InvalidArgument, match="such that x is finite"):
        write_response({"x": half * np.inf}, row)
    with pytest.raises(InvalidArgument, match="Tensor x is of complex64, which is not written as JSON"):
        write_response({"x": half.astype(np.complex64)}, row)


@pytest.mark.parametrize(("stated", "status"), [("9" * 5000, 413), ("0" * 5000, None), ("-1", 400), ("1e3", 400)])
def test_lengths_of_bodies_are_read_whatever_they_are(stated, status):
    async def nothing():
        return
        yield

    asked = SimpleNamespace(headers={"content-length": stated}, stream=nothing)
    if status is None:
        assert asyncio.run(Slots(1, 10).body(asked)) == b""
        return
    with pytest.raises(RequestError) as error:
        asyncio.run(Slots(1, 10).body(asked))
    assert error.value.status == status


def test_bodies_that_are_sent_slowly_keep_no_others_away():
    """But for what they hold in memory."""

    async def all_at_once():
        slots, sent = Slots(2, 10), asyncio.Event()

        async def slowly():
            yield b"x" * 9
            await sent.wait()

        slow = SimpleNamespace(headers={}, stream=slowly)
        waiting = [asyncio.create_task(slots.body(slow)) for _ in range(2)]
        await asyncio.sleep(0)
        with slots.taken(), slots.taken(), pytest.raises(RequestError, match="answers 2 requests at a time"):
            slots.check()
        with pytest.raises(RequestError, match="receives other bodies") as error:
            await slots.body(slow)
        assert error.value.status == 429
        sent.set()
        assert [len(body) for body in await asyncio.gather(*waiting)] == [9, 9]
        assert await slots.body(slow) == b"x" * 9

    asyncio.run(all_at_once())


QUESTIONS = {
    "a broken seed": (lambda client: client.generate([1.9]), "`seeds` must be whole numbers"),
    "a seed beyond 64 bits": (lambda client: client.generate([2**64]), "`seeds` must be whole numbers"),
    "a label beyond 32 bits": (lambda client: client.generate([1], [2**32 + 3]), "`labels` must be whole numbers"),
    "a label that is none": (lambda client: client.generate([1], [float("nan")]), "`labels` must be whole numbers"),
    "one seed": (lambda client: client.generate(3), "`seeds` must be whole numbers"),
    "no seed": (lambda client: client.generate([]), "`seeds` must name an image. Received: none"),
    "one picture": (
        lambda client: client.classify(np.zeros((8, 8, 1), np.uint8)),
        "`pictures` must be files, or images",
    ),
    "floats": (lambda client: client.features(np.zeros((2, 8, 8, 1))), "`pictures` must be .* Received: float64"),
    "one text": (lambda client: client.embed_texts("seven"), "`texts` must be a list of texts. Received: 'seven'"),
    "half a character": (lambda client: client.embed_texts(["\ud800"]), "`texts` must be texts that UTF-8 can hold"),
    "a broken address": (lambda client: Client("http://[::1", "x", retries=0).embed_texts(["a"]), "`url` must be"),
}


@pytest.mark.parametrize(("ask", "told"), QUESTIONS.values(), ids=QUESTIONS)
def test_the_client_asks_for_nothing_but_what_was_meant(ask, told):
    """1.9 was seed 1, label 2³² + 3 was 3, one picture was a row of pictures, and a word its letters."""
    with pytest.raises(ServingError, match=told) as error:
        ask(Client("http://127.0.0.1:9", "x", retries=0))
    assert str(error.value).count("\n") == 0


REPLIES = {
    "fewer rows": {"label": np.zeros(1, "i4"), "probabilities": np.ones((1, 2), "f4")},
    "one output": {"label": np.zeros(2, "i4")},
    "a scalar": {"label": np.int32(3), "probabilities": np.ones((2, 2), "f4")},
}


@pytest.mark.parametrize("answer", REPLIES.values(), ids=REPLIES)
def test_answers_have_a_row_for_each_question(monkeypatch, answer):
    """Whatever the door: those of gRPC were handed on, or ended in a KeyError."""
    client = Client("http://127.0.0.1:9", "x")
    monkeypatch.setattr(client, "predict", lambda signature, inputs: answer)
    with pytest.raises(ServingError, match="the server.? must answer"):
        client.classify(np.zeros((2, 8, 8, 1), np.uint8))
