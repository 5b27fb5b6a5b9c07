"""Images a second: of the Keras model, of the exported graph, and of the development server under load."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import keras
import numpy as np

from benchmarks.serving.served import Served
from tfgantl.errors import RunError
from tfgantl.serving.servable import Servable

CLIENTS = 16
ROWS = 16  # of a request
# Callers at one time, and rows a batch. Two callers do what the server does, sixteen what its clients do.
LOADS = ((1, 1), (1, 16), (1, 64), (1, 256), (2, 128), (CLIENTS, ROWS))
MANY = 16  # batches of one `predict`, whose beginning costs as much as some batches
SIGNATURES = ("serving_default", "generate", "generate_png")
WARM_UP = 2.0  # seconds under load before anything is measured


def measure_keras(generator: keras.Model, seconds: float) -> dict[str, float]:
    """Images a second of `predict`, by rows a batch; `seconds` in all."""
    alone = [rows for callers, rows in LOADS if callers == 1]
    found = {}
    for rows in alone:
        inputs = _inputs(generator, "serving_default", rows * MANY)
        predict = [inputs["latents"], inputs["labels"]]
        call = partial(generator.predict, predict, batch_size=rows, verbose=0)
        found[_column(1, rows)] = _rate(call, 1, rows * MANY, seconds / len(alone))
    return found


def measure_graph(generator: keras.Model, version: Path, seconds: float) -> dict[str, dict[str, float]]:
    """Images a second of each signature of a SavedModel, by callers and rows a batch; `seconds` for each signature."""
    servable = Servable(version)
    found: dict[str, dict[str, float]] = {}
    for signature in SIGNATURES:
        for callers, rows in LOADS:
            inputs = _inputs(generator, signature, rows)
            rate = _rate(partial(servable.compute, signature, inputs), callers, rows, seconds / len(LOADS))
            found.setdefault(signature, {})[_column(callers, rows)] = rate
    servable.close()
    return found


def measure_server(served: Served, generator: keras.Model, signature: str, seconds: float) -> dict[str, float]:
    """Throughput and latency under clients that ask again as soon as they are answered.

    Returns:
        `images_per_second`; `p50_ms` and `p99_ms`; and the share of the processor that the clients, and the server,
        took, in cores.

    Raises:
        RunError: If a request is not answered.
    """
    stop, latencies = threading.Event(), []
    path = f"/v1/models/{served.name}:predict"

    def client(number):
        connection, mine = served.connect(), []
        inputs = {name: array.tolist() for name, array in _inputs(generator, signature, ROWS, number).items()}
        body = json.dumps({"signature_name": signature, "inputs": inputs}).encode()
        while not stop.is_set():
            start = time.perf_counter()
            status, answer = connection.ask("POST", path, body)
            if status != 200:
                raise RunError(f"every request under load must be answered. Received: {status} {answer[:200]!r}")
            mine.append((start, time.perf_counter()))
        connection.close()
        latencies.extend(mine)

    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(client, number) for number in range(CLIENTS)]
        time.sleep(WARM_UP)
        before, own, start = served.processor_seconds(), time.process_time(), time.perf_counter()
        time.sleep(seconds)
        end = time.perf_counter()
        cores = [(time.process_time() - own) / (end - start), (served.processor_seconds() - before) / (end - start)]
        stop.set()
        for one in running:
            one.result()
    taken = sorted(last - first for first, last in latencies if start <= last < end)
    return {
        "images_per_second": len(taken) * ROWS / (end - start), "requests": len(taken),
        "p50_ms": 1000 * taken[len(taken) // 2], "p99_ms": 1000 * taken[int(len(taken) * 0.99)],
        "client_cores": cores[0], "server_cores": cores[1],
    }  # fmt: skip


def _inputs(generator, signature, rows, number=0):
    inputs = {"labels": (np.arange(rows) % generator.num_classes).astype(np.int32)}
    if signature == "serving_default":
        latents = (rows, generator.inputs[0].shape[-1])
        return {"latents": np.random.default_rng(number).standard_normal(latents, np.float32), **inputs}
    return {"seed": np.arange(rows, dtype=np.int64) + number * rows, **inputs}


def _rate(call: Callable[[], object], callers: int, rows: int, seconds: float) -> float:
    """Rows a second, of so many callers at one time."""
    call()
    start = time.perf_counter()

    def repeat():
        done = 0
        while time.perf_counter() - start < seconds:
            call()
            done += rows
        return done

    with ThreadPoolExecutor(callers) as pool:
        running = [pool.submit(repeat) for _ in range(callers)]
        done = sum(one.result() for one in running)
    return done / (time.perf_counter() - start)


def _column(callers, rows):
    return str(rows) if callers == 1 else f"{callers} × {rows}"
