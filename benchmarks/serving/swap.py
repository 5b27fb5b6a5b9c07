"""A version that is published and withdrawn while clients ask."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras

from benchmarks.serving.served import Served
from tfgantl.errors import RunError
from tfgantl.export.directory import roll_back
from tfgantl.export.publish import publish

CLIENTS = 8
LONGEST = 120.0  # seconds until a version serves


def swap_under_load(served: Served, generator: keras.Model, directory: Path) -> int:
    """Publishes a version of a conditional generator, waits until it serves, and withdraws it again.

    Returns:
        Number of requests that were answered meanwhile: all.

    Raises:
        RunError: If one was not answered, or a version does not serve.
    """
    stop, answered = threading.Event(), []
    path = f"/v1/models/{served.name}"

    def client(number):
        connection, count = served.connect(), 0
        body = json.dumps({"signature_name": "generate_png", "inputs": {"seed": [number], "labels": [1]}}).encode()
        while not stop.is_set():
            status, answer = connection.ask("POST", f"{path}:predict", body)
            if status != 200:
                raise RunError(f"every request during a swap must be answered. Received: {status} {answer[:200]!r}")
            count += 1
        connection.close()
        answered.append(count)

    def wait_for(version):
        connection, start = served.connect(), time.monotonic()
        while json.loads(connection.ask("GET", f"{path}/metadata")[1])["model_spec"]["version"] != version.name:
            if time.monotonic() - start > LONGEST:
                raise RunError(f"version {version.name} must serve. Received: {served.told()[-300:]}")
            time.sleep(0.1)
        connection.close()

    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(client, number) for number in range(CLIENTS)]
        try:
            wait_for(publish(generator, directory))
            wait_for(directory / str(roll_back(directory)[1]))
        finally:
            stop.set()
        for one in running:
            one.result()
    return sum(answered)
