"""The development server: requests and answers as TensorFlow Serving's REST API has them, and how it serves."""

import base64
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import httpx2
import keras
import numpy as np
import pytest
from conftest import TINY_DCGAN, tiny_images
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from benchmarks.serving.mistakes import Mistake, of_addresses, of_classifier, of_generator
from benchmarks.serving.mixed import about_generator, ask_mixed
from benchmarks.serving.served import Connection
from tfgantl.errors import RunError, ServingError
from tfgantl.export.client import Client
from tfgantl.export.examples import read_examples
from tfgantl.export.publish import publish
from tfgantl.gan import GAN
from tfgantl.images import encode_png
from tfgantl.models.classifier import small_cnn
from tfgantl.pipelines import serve
from tfgantl.serving.app import Metrics, make_app
from tfgantl.serving.request_error import Closed, InvalidArgument
from tfgantl.serving.requests import read_request
from tfgantl.serving.responses import write_response
from tfgantl.serving.servable import RUNNERS
from tfgantl.serving.served_model import ServedModel

MODEL = "/v1/models/tiny"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Model directories: `tiny`, conditional, and `judge`, a classifier of pictures."""
    path = tmp_path_factory.mktemp("published")
    keras.utils.set_random_seed(0)
    generator = GAN(*TINY_DCGAN.build(8, 1, 3), seed=0).generator
    generator.save(path / "tiny.keras")
    publish(generator, path / "tiny", before_after=encode_png(np.zeros((8, 8, 1), np.uint8)))
    publish(small_cnn(8, 1, 3, width=4, units=6), path / "judge")
    return path


@pytest.fixture(scope="module")
def server(published):
    with serving(published / "tiny") as client:
        yield client


@pytest.fixture(scope="module")
def judge(published):
    with serving(published / "judge", max_body=10**6) as client:
        yield client


def serving(directory, max_body=20_000, max_requests=64, timeout=30.0):
    metrics = Metrics()
    model = ServedModel(directory, metrics.batch, poll=0.05).start()
    client = TestClient(make_app(model, metrics, max_body, max_requests, timeout), base_url="http://127.0.0.1")
    client.model = model
    return client


def ask(server, body, path=f"{MODEL}:predict"):
    answer = server.post(path, content=body if isinstance(body, str | bytes) else json.dumps(body))
    return answer.status_code, answer.json()


def rows(seeds, label=1):
    return {"signature_name": "generate", "instances": [{"seed": seed, "labels": label} for seed in seeds]}


def test_row_and_column_format_give_the_same_images(server):
    code, by_row = ask(server, rows([1, 2]))
    assert code == 200 and np.shape(by_row["predictions"]) == (2, 8, 8, 1)
    code, by_column = ask(server, {"signature_name": "generate", "inputs": {"seed": [1, 2], "labels": [1, 1]}})
    assert code == 200 and by_column["outputs"] == by_row["predictions"]


def test_files_are_base64(server):
    code, answer = ask(server, {**rows([1]), "signature_name": "generate_png"})
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["predictions"][0]["b64"]))))
    np.testing.assert_array_equal(pixels[..., None], ask(server, rows([1]))[1]["predictions"][0])


def test_several_outputs_have_names(judge):
    file = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(file, "PNG")
    instance = {"b64": base64.b64encode(file.getvalue()).decode()}
    path = "/v1/models/judge:predict"
    code, answer = ask(judge, {"signature_name": "classify", "instances": [instance]}, path)
    assert code == 200 and set(answer["predictions"][0]) == {"probabilities", "label"}
    code, answer = ask(judge, {"signature_name": "classify", "inputs": {"image_bytes": [instance] * 2}}, path)
    assert code == 200 and np.shape(answer["outputs"]["probabilities"]) == (2, 3)


MISTAKES = {
    **{f"tiny, {name}": mistake for name, mistake in of_addresses("tiny").items()},
    **{f"tiny, {name}": mistake for name, mistake in of_generator("tiny", 3, 4, max_body=20_000).items()},
    **{f"judge, {name}": mistake for name, mistake in of_classifier("judge").items()},
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_have_the_codes_and_messages_of_the_rules(server, judge, name):
    mistake = MISTAKES[name]
    one = judge if name.startswith("judge") else server
    answer = one.request(mistake.method, mistake.path, content=mistake.body)
    assert answer.status_code == mistake.status and list(answer.json()) == ["error"]
    assert re.search(mistake.message, answer.json()["error"]), answer.text


def test_what_the_rules_let_pass(server):
    for body in (
        json.dumps(rows([1])) + "trailing bytes",
        json.dumps(rows([1])).encode() + b"\xff\xfe",
        " \n" + json.dumps(rows([1])),
        json.dumps({"signature_name": "generate", "inputs": {"seed": [1], "labels": [1], "extra": 5}}),
        json.dumps({**rows([-(2**63)]), "more": None}),
    ):
        assert ask(server, body)[0] == 200
    assert ask(server, rows([1]), f"{MODEL}/versions/1:predict")[0] == 200
    assert ask(server, rows([1]), "/V1/Models/tiny:PREDICT")[0] == 200


def test_status_metadata_health_and_metrics(server):
    assert server.get(MODEL).json() == {"model_version_status": [
        {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}]}  # fmt: skip
    metadata = server.get(f"{MODEL}/metadata").json()
    assert metadata["model_spec"] == {"name": "tiny", "signature_name": "", "version": "1"}
    seed = metadata["metadata"]["signature_def"]["signature_def"]["generate"]["inputs"]["seed"]
    assert seed["dtype"] == "DT_INT64" and seed["tensor_shape"]["dim"] == [{"size": "-1", "name": ""}]
    assert server.get("/healthz").text == "alive\n" and server.get("/readyz").text == "ready\n"
    assert 'tfgantl_requests_total{status="200",verb="predict"}' in server.get("/monitoring/prometheus/metrics").text
    assert server.get("/manifest.json").json()["classes"] == 3 and server.get("/before_after.png").status_code == 200
    assert "default-src 'none'" in server.get("/").headers["content-security-policy"]


def test_requests_at_one_time_are_put_together_and_each_gets_its_own(published):
    with serving(published / "tiny") as server, ThreadPoolExecutor(16) as pool:
        alone = [ask(server, rows([seed]))[1]["predictions"][0] for seed in range(20)]
        together = list(pool.map(lambda seed: ask(server, rows([seed % 20])), range(60)))
        assert [(code, answer["predictions"][0]) for code, answer in together] == [(200, x) for x in alone * 3]
        text = server.get("/monitoring/prometheus/metrics").text
        assert float(re.search(r"^tfgantl_batches_total (\S+)$", text, re.MULTILINE)[1]) < 20 + 60
        mixed = list(pool.map(lambda seed: ask(server, rows([seed % 20], 1 if seed % 2 else 7)), range(60)))
        for seed, (code, answer) in enumerate(mixed):  # a bad request does not spoil those that it is run with
            assert code == (200 if seed % 2 else 400) and (code == 400 or answer["predictions"][0] == alone[seed % 20])


def test_a_request_follows_a_swap_to_other_signatures(published, tmp_path, make_gan):
    """The body is read by the signatures of the version that answers, and not of one that was asked first."""
    model = ServedModel(shutil.copytree(published / "tiny", tmp_path / "tiny"), poll=60).start()
    old = model.version("tiny", None)[1]
    publish(make_gan(num_classes=None).ema_generator, tmp_path / "tiny")
    model.look()
    with pytest.raises(Closed):
        old.predict("generate", {"seed": np.zeros(1, np.int64), "labels": np.zeros(1, np.int32)})
    with pytest.raises(InvalidArgument, match="keys must be equal to: seed"):
        model.predict("tiny", None, json.dumps(rows([1])).encode())
    future = model.predict("tiny", None, b'{"signature_name": "generate", "instances": [1]}')
    assert np.shape(json.loads(future.result())["predictions"]) == (1, 8, 8, 1)
    model.close()


def test_a_request_that_was_given_up_does_not_stop_the_others(published):
    model = ServedModel(published / "tiny", poll=60).start()
    futures = [model.predict("tiny", None, json.dumps(rows([seed])).encode()) for seed in range(40)]
    for future in futures[1::2]:
        future.cancel()
    assert all(future.result(timeout=20).startswith(b'{"predictions"') for future in futures[::2])
    assert model.predict("tiny", None, json.dumps(rows([1])).encode()).result(timeout=20)
    model.close()


def test_too_many_requests_at_one_time_are_told_to_come_again(published):
    with serving(published / "tiny", max_requests=0) as server:
        assert ask(server, rows([1])) == (429, {"error": "The server answers 0 requests at a time"})


def test_a_request_past_its_deadline_is_answered_and_never_run(published, monkeypatch):
    """Both runners are held up by requests of their own; what waits behind them is given up, and all else goes on."""
    with serving(published / "tiny", timeout=0.5) as server, ThreadPoolExecutor(8) as pool:
        servable, go, ran = server.model.version("tiny", None)[1], threading.Event(), []

        def held_up(signature, inputs, deadline):
            ran.append(len(inputs["seed"]))
            go.wait(20)
            return compute(signature, inputs, deadline)

        compute = servable.compute
        monkeypatch.setattr(servable, "compute", held_up)
        start = time.monotonic()
        waiting = []
        for seed in range(RUNNERS + 3):
            waiting.append(pool.submit(ask, server, rows([seed])))
            while len(ran) < min(seed + 1, RUNNERS):
                assert time.monotonic() - start < 20
                time.sleep(0.01)
        start = time.monotonic()
        assert server.get(MODEL).status_code == 200 and time.monotonic() - start < 0.5  # others are not blocked
        for future in waiting:
            assert future.result() == (504, {"error": "Deadline of 0.5 seconds exceeded"})
        assert time.monotonic() - start < 5
        go.set()
        assert ask(server, rows([1]))[0] == 200
        assert ran == [1] * RUNNERS + [1]
        text = server.get("/monitoring/prometheus/metrics").text
        assert 'tfgantl_requests_total{status="504",verb="predict"} 5.0' in text


SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
SPECS = {
    "f": {"x": np.dtype("float32")}, "i": {"x": np.dtype("int32"), "y": np.dtype("int64")},
    "s": {"image_bytes": np.dtype(object)}, "u": {"x": np.dtype("uint8")}, "b": {"x": np.dtype("bool")},
}  # fmt: skip


@given(st.sampled_from(list(SPECS)), VALUES, st.booleans())
def test_any_json_is_arrays_or_an_invalid_argument(signature, value, row):
    body = json.dumps({"signature_name": signature, "instances" if row else "inputs": value}).encode()
    try:
        request = read_request(body, SPECS)
    except InvalidArgument as problem:
        assert str(problem)
        return
    assert set(request.inputs) == set(SPECS[signature])
    assert json.loads(write_response(request.inputs, False))


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        ("float32", [1, 2.5], [1.0, 2.5]),
        ("uint8", [0, 255], [0, 255]),
        ("uint64", [2**63 - 1], [2**63 - 1]),
        ("int64", [-(2**63)], [-(2**63)]),
        ("bool", [True, False], [True, False]),
        ("float32", [1e300], [np.inf]),
    ],
)
def test_numbers_become_what_the_signature_takes(dtype, values, expected):
    request = read_request(
        json.dumps({"signature_name": "x", "instances": values}).encode(), {"x": {"v": np.dtype(dtype)}}
    )
    assert request.inputs["v"].tolist() == expected and request.inputs["v"].dtype == dtype


@pytest.mark.parametrize(("dtype", "value"), [("uint8", 256), ("uint8", -1), ("int8", 128), ("int32", 2**31)])
def test_numbers_beyond_a_type_are_not_wrapped(dtype, value):
    with pytest.raises(InvalidArgument, match=f"JSON Value: {value} Type: Number is not of expected type: {dtype}"):
        read_request(
            json.dumps({"signature_name": "x", "instances": [1, value]}).encode(), {"x": {"v": np.dtype(dtype)}}
        )


@pytest.mark.parametrize("shape", [(3,), (3, 1), (2, 3, 1), (2, 1, 1, 1), (0, 3, 1), (2, 0, 1), (2, 3, 3), (1, 1)])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_arrays_of_any_shape_are_written_as_they_are(shape, dtype):
    array = np.random.default_rng(0).uniform(-5, 300, shape).astype(dtype)
    for row, key in ((False, "outputs"), (True, "predictions")):
        found = json.loads(write_response({"x": array}, row))[key]
        assert np.array_equal(np.array(found, dtype).reshape(shape), array)
        assert found == array.tolist() if dtype == "uint8" else np.shape(found) == shape or 0 in shape


# --- Versions ---


def test_versions_come_fail_and_go_while_it_serves(published, tmp_path, make_gan):
    shutil.copytree(published / "tiny", tmp_path / "tiny")
    failures, stop = [], threading.Event()
    with serving(tmp_path / "tiny") as server:

        def state():
            found = server.get(MODEL).json()["model_version_status"]
            return {entry["version"]: entry["state"] for entry in found}

        def until(wanted):
            deadline = time.monotonic() + 20
            while {k: v for k, v in state().items() if k in wanted} != wanted:
                assert time.monotonic() < deadline, state()
                time.sleep(0.02)

        def load():
            while not stop.is_set():
                code, answer = ask(server, rows([1]))
                if code != 200:
                    failures.append(answer)

        with ThreadPoolExecutor(2) as pool:
            running = [pool.submit(load) for _ in range(2)]
            old = ask(server, rows([1]))[1]
            (tmp_path / "tiny" / ".tmp").mkdir()
            (tmp_path / "tiny" / ".tmp" / "saved_model.pb").write_bytes(b"no model")
            os.rename(tmp_path / "tiny" / ".tmp", tmp_path / "tiny" / "2")
            until({"1": "AVAILABLE", "2": "END"})  # a version that cannot be loaded changes nothing
            assert publish(make_gan(seed=5).ema_generator, tmp_path / "tiny").name == "3"
            until({"1": "END", "3": "AVAILABLE"})
            assert ask(server, rows([1]))[1] != old
            assert ask(server, rows([1]), f"{MODEL}/versions/1:predict")[0] == 404
            os.rename(tmp_path / "tiny" / "3", tmp_path / "tiny" / "withdrawn-3")
            until({"1": "AVAILABLE", "3": "END"})
            assert ask(server, rows([1]))[1] == old
            stop.set()
            for one in running:
                one.result()
        assert not failures


# --- A real process, and the client ---


@pytest.fixture(scope="module")
def process(published, tmp_path_factory):
    """`(address, process)` of a server on a port that was free."""
    told = tmp_path_factory.mktemp("told") / "told"
    command = [sys.executable, "-m", "tfgantl.pipelines.serve", str(published / "tiny"), "--port", "0"]
    with open(told, "w") as file:
        running = subprocess.Popen(command, stderr=file, stdout=file)
    deadline = time.monotonic() + 60
    while not (found := re.search(r"http://127.0.0.1:\d+", told.read_text())):
        assert running.poll() is None and time.monotonic() < deadline, told.read_text()
        time.sleep(0.05)
    while True:
        try:
            httpx2.get(f"{found[0]}/readyz")
            break
        except httpx2.TransportError:
            time.sleep(0.05)
    yield found[0], running
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=20) == 0, told.read_text()


def test_the_benchmark_takes_no_wrong_answer(process, published, make_gan):
    port = int(process[0].rpartition(":")[2])
    served = SimpleNamespace(name="tiny", connect=lambda: Connection(port), memory=lambda: 0)
    questions = about_generator(keras.models.load_model(published / "tiny.keras"))
    mistakes = of_addresses("tiny") | of_generator("tiny", 3, 4, max_body=4 * 2**20)
    found = ask_mixed(served, questions, mistakes, requests=300, seed=0)
    assert sum(found["statuses"].values()) == 300 and 100 < found["statuses"][200] < 250 and found["mistakes"] > 40
    assert found["statuses"] == ask_mixed(served, questions, mistakes, requests=300, seed=0)["statuses"]
    with pytest.raises(RunError, match="must be answered with 200 and what the Keras model gives. Received: 200"):
        ask_mixed(served, about_generator(make_gan(seed=5).generator), mistakes, requests=9, seed=0)
    lenient = {"status": Mistake("/v1/models/tiny", "anything", "", 404, "GET")}
    with pytest.raises(RunError, match="GET /v1/models/tiny b'' must be answered with 404 and anything. Received: 200"):
        ask_mixed(served, questions, lenient, requests=9, seed=0)


def test_small_answers_do_not_wait_for_acknowledgements(process):
    """Nagle's algorithm would hold back each answer for 40 ms, once the kernel delays its acknowledgements."""
    address, _ = process
    with httpx2.Client() as client:
        taken = []
        for _ in range(40):
            start = time.perf_counter()
            client.get(f"{address}{MODEL}")
            taken.append(time.perf_counter() - start)
    assert min(taken[20:]) < 0.03


def test_the_client_gets_images(process, server):
    address, _ = process
    with Client(address, "tiny") as client:
        images = client.generate([1, 2], [1, 1])
        assert images.dtype == np.uint8
        np.testing.assert_array_equal(images, ask(server, rows([1, 2]))[1]["predictions"])
        latents = np.random.default_rng(0).standard_normal((3, 4), np.float32)
        found = client.predict("serving_default", {"latents": latents, "labels": np.zeros(3, np.int32)})
        assert found["images"].dtype == np.float32 and found["images"].shape == (3, 8, 8, 1)
        with pytest.raises(ServingError, match=r"400: .*labels must be in \[0, 2\]"):
            client.generate([1], [9])
    with Client(address, "other", retries=0) as client, pytest.raises(ServingError, match="404: Servable not found"):
        client.generate([1])


def test_the_client_classifies_pictures(judge, published):
    """Arrays and files of the same picture are told to be the same."""
    pixels = tiny_images(2)
    inputs, outputs = read_examples(published / "judge" / "1")["classify"]
    with Client("http://127.0.0.1", "judge") as client:
        client._transport._http = judge
        labels, probabilities = client.classify(list(inputs["image_bytes"]))
        np.testing.assert_array_equal(labels, outputs["label"])
        np.testing.assert_allclose(probabilities, outputs["probabilities"], atol=1e-5)
        _, by_array = client.classify(pixels)
        np.testing.assert_array_equal(by_array, client.classify([encode_png(image) for image in pixels])[1])
        assert client.features(pixels).shape == (2, 6) and client.features(pixels).dtype == np.float32
        with pytest.raises(ServingError, match="400: .*must be a PNG or JPEG"):
            client.classify([b"GIF89a"])


def test_the_client_tries_again_and_gives_up():
    with Client("http://127.0.0.1:9", "tiny", retries=2, wait=0.01) as client:
        with pytest.raises(ServingError, match="must be reachable"):
            client.generate([1])
    attempts = []

    def answer(request):
        attempts.append(request.url.path)
        if len(attempts) < 3:
            return httpx2.Response(503, json={"error": "loading"})
        outputs = {"generate": {"outputs": {"images": {"dtype": "DT_UINT8"}}}}
        metadata = {"metadata": {"signature_def": {"signature_def": outputs}}}
        return httpx2.Response(200, json=metadata if request.method == "GET" else {"outputs": [[1]]})

    with Client("http://server", "tiny", retries=2, wait=0.01) as client:
        client._transport._http = httpx2.Client(transport=httpx2.MockTransport(answer))
        assert client.predict("generate", {"seed": np.array([1])})["images"].tolist() == [[1]]
    assert len(attempts) == 4


def test_a_port_that_is_taken_is_one_line(process, published, capsys):
    address, _ = process
    assert serve.main([str(published / "tiny"), "--port", address.rpartition(":")[2]]) == 5
    told = capsys.readouterr().err
    assert re.search("`port` must be free. Received: 127.0.0.1", told) and "Traceback" not in told
