"""Measures the exported graph and the development server, for docs/benchmarks.md.

`python -m tfgantl.pipelines.benchmark serving`. All times are taken in one run, on a machine that does nothing else.
"""

import http.client
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tfgantl.cli import run as run_cli
from tfgantl.errors import RunError, check_at_least
from tfgantl.pipelines.benchmarks.tables import machine, replace_part

HEADING = "# Serving"
CLIENTS = 16
ROWS = 16  # of a request under load
BATCHES = (1, 16, 64, 256)
MANY = 16  # batches of one `predict`, whose beginning costs as much as some batches
# Bodies that are refused, each by another rule.
MALFORMED = (
    "", "{", "[]", "{}", '{"instances": []}', '{"signature_name": 3, "instances": [1]}',
    '{"signature_name": "nothing", "instances": [1]}', '{"instances": [1], "inputs": [1]}', '{"instances": {}}',
    '{"signature_name": "generate_png", "instances": [{"seed": 1}]}',
    '{"signature_name": "generate_png", "instances": [{"seed": 1, "labels": 1, "more": 1}]}',
    '{"signature_name": "generate_png", "instances": [{"seed": 1.0, "labels": 1}]}',
    '{"signature_name": "generate_png", "instances": [{"seed": "1", "labels": 1}]}',
    '{"signature_name": "generate_png", "instances": [{"seed": 9223372036854775808, "labels": 1}]}',
    '{"signature_name": "generate_png", "instances": [{"seed": 1, "labels": 99}]}',
    '{"signature_name": "generate_png", "instances": [{"seed": [1], "labels": 1}]}',
    '{"signature_name": "generate_png", "inputs": {"seed": [1]}}',
    '{"signature_name": "generate_png", "inputs": {"seed": [1, 2], "labels": [1]}}',
    '{"signature_name": "generate_png", "inputs": [1]}', '{"instances": [{"latents": [0.5], "labels": 1}]}',
    '{"instances": [{"latents": null, "labels": 1}]}', "[" * 5000, "\\u0000", '{"instances": ' + "[" * 400,
)  # fmt: skip


@dataclass(frozen=True)
class ServingBenchmarkConfig:
    """Settings of the benchmark of serving.

    Args:
        model: Handle of the generator; it must have classes.
        seconds: Time of each measurement of throughput.
        requests: Good and malformed requests, in random order.
        report: Page whose part on serving is replaced.
        json: Print the result as the last line, one JSON object.
    """

    model: str = "rendered-digits"
    seconds: float = 10.0
    requests: int = 10_000
    report: str = "docs/benchmarks.md"
    json: bool = False

    def __post_init__(self):
        check_at_least(self, 1, "seconds", "requests")


def benchmark_serving(config: ServingBenchmarkConfig, text: str) -> dict:
    """Exports, serves, measures, and writes the tables.

    Args:
        config: The settings.
        text: The same as YAML; not used.

    Returns:
        What `--json` prints.

    Raises:
        RunError: If the server does not start, or answers wrongly.
    """
    from tfgantl.export.publish import publish
    from tfgantl.transfer.weights import load_generator

    generator = load_generator(config.model)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary) / "model"
        publish(generator, directory)
        graph = _graph(generator, directory / "1", config.seconds)
        with _Server(directory) as server:
            load = _load(server, config.seconds)
            mixed = _mixed(server, config.requests, graph.pop("expected"))
            swap = _swap(server, generator, directory)
    result = {"graph": graph, "load": load, "mixed": mixed, "swap": swap}
    result["share"] = load["images_per_second"] / max(graph["generate_png"].values())
    replace_part(Path(config.report), HEADING, _page(config, result))
    return result


def _timed(call, rows, seconds):
    """Rows a second."""
    call()
    start, done = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < seconds:
        call()
        done += rows
    return done / passed


def _graph(generator, version, seconds):
    import numpy as np

    from tfgantl.serving.servable import Servable

    servable = Servable(version)
    found: dict = {"predict": {}, "serving_default": {}, "generate_png": {}}
    part = seconds / len(BATCHES)
    for count in BATCHES:
        rng = np.random.default_rng(count)
        latents = rng.standard_normal((count, generator.inputs[0].shape[-1]), np.float32)
        labels = (np.arange(count) % generator.num_classes).astype(np.int32)
        seeds = np.arange(count, dtype=np.int64)

        many = [np.tile(latents, (MANY, 1)), np.tile(labels, MANY)]

        def served(signature, **inputs):
            servable.predict(signature, inputs).result()

        calls = {
            "serving_default": partial(served, "serving_default", latents=latents, labels=labels),
            "generate_png": partial(served, "generate_png", seed=seeds, labels=labels),
        }
        predict = partial(generator.predict, many, batch_size=count, verbose=0)
        found["predict"][count] = _timed(predict, count * MANY, part)
        for name, call in calls.items():
            found[name][count] = _timed(call, count, part)
    known = np.arange(200, dtype=np.int64), (np.arange(200) % generator.num_classes).astype(np.int32)
    files = servable.predict("generate_png", {"seed": known[0], "labels": known[1]}).result()["png_bytes"]
    found["expected"] = {(int(s), int(c)): file for s, c, file in zip(*known, files, strict=True)}
    servable.close()
    return found


class _Server:
    """A development server in a process of its own."""

    def __init__(self, directory):
        self.name, self._errors = directory.name, tempfile.TemporaryFile("w+")
        command = [sys.executable, "-m", "tfgantl.pipelines.serve", str(directory), "--port", "0"]
        self.process = subprocess.Popen(command, stderr=self._errors, stdout=self._errors)

    def __enter__(self):
        deadline = time.monotonic() + 120
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", self._told())):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RunError(f"the development server must start. Received: {self._told()[-300:]}")
            time.sleep(0.1)
        self.port = int(found[1])
        while True:
            try:
                self.connect().close()
                return self
            except OSError:
                time.sleep(0.1)

    def __exit__(self, *exception):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self._errors.close()

    def _told(self):
        self._errors.seek(0)
        return self._errors.read()

    def connect(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.connect()
        return connection

    def ask(self, connection, body):
        connection.request("POST", f"/v1/models/{self.name}:predict", body)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def memory(self):
        """Resident bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024


def _body(seeds, label):
    return json.dumps({
        "signature_name": "generate_png", "inputs": {"seed": list(seeds), "labels": [label] * len(seeds)},
    })  # fmt: skip


def _load(server, seconds):
    """Sixteen clients that ask again as soon as they are answered."""
    stop, latencies = threading.Event(), []

    def client(number):
        connection, mine = server.connect(), []
        body = _body(range(number * ROWS, (number + 1) * ROWS), number % 10)
        while not stop.is_set():
            start = time.perf_counter()
            status, _ = server.ask(connection, body)
            if status != 200:
                raise RunError(f"every request under load must be answered. Received: status {status}")
            mine.append(time.perf_counter() - start)
        latencies.extend(mine)

    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(client, number) for number in range(CLIENTS)]
        time.sleep(2)
        start = time.perf_counter()
        time.sleep(seconds)
        stop.set()
        for one in running:
            one.result()
        passed = time.perf_counter() - start + 2
    latencies.sort()
    return {
        "images_per_second": len(latencies) * ROWS / passed, "requests": len(latencies),
        "p50_ms": 1000 * latencies[len(latencies) // 2], "p99_ms": 1000 * latencies[int(len(latencies) * 0.99)],
    }  # fmt: skip


def _mixed(server, requests, expected):
    """Good requests, whose answers are compared, among malformed ones and good ones with bytes changed."""
    import base64

    rng = random.Random(0)
    known = list(expected)
    statuses: dict[int, int] = {}
    wrong, lock = [], threading.Lock()
    server.ask(server.connect(), _body([1], 1))
    before = server.memory()

    def one(number):
        with lock:
            kind, (seed, label) = rng.random(), rng.choice(known)
            good = _body([seed], label)
            place, byte, bad = rng.randrange(len(good)), chr(rng.randrange(32, 127)), rng.choice(MALFORMED)
        body = good if kind < 0.5 else bad if kind < 0.8 else good[:place] + byte + good[place + 1 :]
        connection = server.connect()
        status, answer = server.ask(connection, body)
        connection.close()
        with lock:
            statuses[status] = statuses.get(status, 0) + 1
        if kind < 0.5:
            file = base64.b64decode(json.loads(answer)["outputs"][0]["b64"]) if status == 200 else b""
            if file != expected[seed, label]:
                wrong.append((status, body[:100]))
        elif status != 200 and list(json.loads(answer)) != ["error"]:
            wrong.append((status, body[:100]))

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(one, range(requests // 2)))
        half = server.memory()
        list(pool.map(one, range(requests - requests // 2)))
    after = server.memory()
    return {
        "requests": requests, "statuses": {str(k): v for k, v in sorted(statuses.items())}, "wrong": len(wrong),
        "growth_first_half_mb": (half - before) / 2**20, "growth_second_half_mb": (after - half) / 2**20,
    }  # fmt: skip


def _swap(server, generator, directory):
    """Publishes and withdraws a version while eight clients ask."""
    from tfgantl.export.directory import roll_back
    from tfgantl.export.publish import publish

    stop, answers = threading.Event(), []

    def client(number):
        connection, body, mine = server.connect(), _body([number], 1), []
        while not stop.is_set():
            mine.append(server.ask(connection, body)[0])
        answers.extend(mine)

    def until(version):
        connection = server.connect()
        while True:
            connection.request("GET", f"/v1/models/{server.name}/metadata")
            if json.loads(connection.getresponse().read())["model_spec"]["version"] == str(version):
                return
            time.sleep(0.1)

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(client, number) for number in range(8)]
        publish(generator, directory)
        until(2)
        roll_back(directory)
        until(1)
        stop.set()
        for one in running:
            one.result()
    return {"requests": len(answers), "failed": sum(status != 200 for status in answers)}


def _page(config, result):
    graph, load, mixed, swap = (result[name] for name in ("graph", "load", "mixed", "swap"))
    lines = [
        HEADING, "", "Regenerate with `python -m tfgantl.pipelines.benchmark serving`.", "",
        f"`{config.model}`; {machine()} All in one run; the clients run on the same cores as the server.", "",
        "| images/s, rows a batch | " + " | ".join(map(str, BATCHES)) + " |", "|---|" + "---|" * len(BATCHES),
    ]  # fmt: skip
    titles = {
        "predict": f"`keras_model.predict`, {MANY} batches a call", "serving_default": "exported `serving_default`",
        "generate_png": "exported `generate_png`",
    }  # fmt: skip
    for name, title in titles.items():
        lines.append(f"| {title} | " + " | ".join(f"{graph[name][count]:,.0f}" for count in BATCHES) + " |")
    ratios = [graph["serving_default"][count] / graph["predict"][count] for count in BATCHES]
    lines += [
        "| exported / Keras | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + " |", "",
        f"The development server, {CLIENTS} clients that each ask for {ROWS} PNG files at a time: "
        f"{load['images_per_second']:,.0f} images/s, {result['share']:.0%} of the best of the graph alone; half of the "
        f"answers within {load['p50_ms']:.0f} ms, 99 % within {load['p99_ms']:.0f} ms.", "",
        f"{mixed['requests']:,} good and malformed requests in random order, {CLIENTS} at a time: "
        + ", ".join(f"{count:,} × {status}" for status, count in mixed["statuses"].items())
        + f"; {mixed['wrong']} wrong answers; the server's memory grew by {mixed['growth_first_half_mb']:.1f} MiB in "
        f"the first half and {mixed['growth_second_half_mb']:.1f} MiB in the second.", "",
        f"A version published and withdrawn under load of eight clients: {swap['requests']:,} requests, "
        f"{swap['failed']} failed.", "",
    ]  # fmt: skip
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(ServingBenchmarkConfig, "benchmark serving", benchmark_serving, {}, arguments)
