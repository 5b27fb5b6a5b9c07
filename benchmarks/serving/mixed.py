"""Good requests, whose answers the Keras model gave, among ones that must be refused, in an order that a seed gives."""

import base64
import io
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from PIL import Image

from benchmarks.serving.mistakes import Mistake
from benchmarks.serving.served import Served
from tfgantl.errors import RunError
from tfgantl.export.signatures import latents_of_seeds
from tfgantl.images import encode_png, to_uint8, to_unit
from tfgantl.progress import bar

CLIENTS = 16
KNOWN = 200  # rows whose answers are known
MAX_ROWS = 4  # of a good request


@dataclass(frozen=True)
class Question:
    """One signature, with rows and what the Keras model makes of them.

    Args:
        signature: Name of the signature.
        inputs: Name → rows, as JSON has them.
        outputs: Name → rows: numbers, or uint8 images for files.
    """

    signature: str
    inputs: dict[str, list]
    outputs: dict[str, np.ndarray]

    def ask(self, model: str, rng: random.Random) -> tuple[str, bytes, Callable[[dict], bool]]:
        """Path, body, and what tells whether the answer is right, of some rows in row or column format."""
        rows = [rng.randrange(KNOWN) for _ in range(rng.randint(1, MAX_ROWS))]
        body: dict[str, Any]
        columns = {name: [values[row] for row in rows] for name, values in self.inputs.items()}
        by_row = rng.random() < 0.5
        if by_row:
            each = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
            body = {"instances": [next(iter(row.values())) if len(row) == 1 else row for row in each]}
        else:
            body = {"inputs": columns}
        content = json.dumps({"signature_name": self.signature, **body}).encode()

        def is_right(answer):
            found = answer["predictions" if by_row else "outputs"]
            if len(self.outputs) == 1:
                found = {next(iter(self.outputs)): found}
            elif by_row:
                found = {name: [row[name] for row in found] for name in self.outputs}
            return all(_agree(found[name], known[rows]) for name, known in self.outputs.items())

        return f"/v1/models/{model}:predict", content, is_right


def about_generator(generator: keras.Model) -> list[Question]:
    """What can be asked of a conditional generator."""
    labels = (np.arange(KNOWN) % generator.num_classes).astype(np.int32)
    latents = np.random.default_rng(0).standard_normal((KNOWN, generator.inputs[0].shape[-1]), np.float32)
    seeds = np.arange(KNOWN, dtype=np.int64)
    of_latents = generator.predict([latents, labels], verbose=0)
    of_seeds = to_uint8(generator.predict([latents_of_seeds(seeds, latents.shape[1]).numpy(), labels], verbose=0))
    by_seed = {"seed": seeds.tolist(), "labels": labels.tolist()}
    return [
        Question("serving_default", {"latents": latents.tolist(), "labels": labels.tolist()}, {"images": of_latents}),
        Question("generate", by_seed, {"images": of_seeds}),
        Question("generate_png", by_seed, {"png_bytes": of_seeds}),
    ]


def about_classifier(classifier: keras.Model, features: keras.Model) -> list[Question]:
    """What can be asked of a classifier with features of its own."""
    pixels = np.random.default_rng(0).integers(0, 256, (KNOWN, *classifier.input_shape[1:]), dtype=np.uint8)
    images = to_unit(pixels)
    logits = classifier.predict(images, verbose=0)
    shares = np.exp(logits - logits.max(1, keepdims=True))
    judged = {"probabilities": shares / shares.sum(1, keepdims=True), "label": logits.argmax(1)}
    files = [{"b64": base64.b64encode(encode_png(image)).decode()} for image in pixels]
    return [
        Question("serving_default", {"images": images.tolist()}, judged),
        Question("classify", {"image_bytes": files}, judged),
        Question("features", {"image_bytes": files}, {"features": features.predict(images, verbose=0)}),
    ]


def ask_mixed(
    served: Served, questions: list[Question], mistakes: dict[str, Mistake], requests: int, seed: int
) -> dict:
    """Asks half good questions, three tenths that must be refused, and the rest with one byte changed.

    Args:
        served: The server.
        questions: What is asked, and what must be answered.
        mistakes: What must be refused, and how.
        requests: Number of requests, sixteen at a time.
        seed: Which request comes when.

    Returns:
        Number of answers of each status, of mistakes made, and growth of the server's memory in MiB, in each half.

    Raises:
        RunError: If an answer is not what it must be.
    """
    statuses: Counter[int] = Counter()
    made: set[str] = set()

    def ask(number):
        rng = random.Random(f"{seed}, {number}")
        kind, method = rng.random(), "POST"
        path, body, is_right = rng.choice(questions).ask(served.name, rng)
        if kind < 0.5:
            wanted = "200 and what the Keras model gives"
        elif kind < 0.8:
            name = rng.choice(sorted(mistakes))
            made.add(name)
            mistake = mistakes[name]
            method, path, body = mistake.method, mistake.path, mistake.body
            body = body.encode() if isinstance(body, str) else body
            wanted = f"{mistake.status} and {mistake.message}"
        else:
            body = bytearray(body)
            body[rng.randrange(len(body))] = rng.randrange(256)
            wanted = "200, or 400 with a message"
        connection = served.connect()
        status, answer = connection.ask(method, path, bytes(body))
        connection.close()
        document = json.loads(answer)
        if kind < 0.5:
            right = status == 200 and is_right(document)
        elif kind < 0.8:
            right = status == mistake.status and list(document) == ["error"]
            right = right and re.search(mistake.message, document["error"]) is not None
        else:
            right = status == 200 or (status == 400 and list(document) == ["error"])
        if not right:
            asked = f"{method} {path[:100]} {bytes(body[:200])!r}"
            raise RunError(f"{asked} must be answered with {wanted}. Received: {status} {answer[:300]!r}")
        return status

    def ask_all(numbers):
        with ThreadPoolExecutor(CLIENTS) as pool:
            running = [pool.submit(ask, number) for number in numbers]
            try:
                for one in as_completed(running):
                    statuses[one.result()] += 1
                    progress.update()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    with bar(requests, f"requests to {served.name}", "request") as progress:
        for number in range(-2 * CLIENTS, 0):  # before memory is measured
            ask(number)
        memory = [served.memory()]
        for numbers in (range(requests // 2), range(requests // 2, requests)):
            ask_all(numbers)
            memory.append(served.memory())
    return {
        "statuses": dict(sorted(statuses.items())), "mistakes": len(made),
        "growth_mb": [(later - earlier) / 2**20 for earlier, later in zip(memory, memory[1:], strict=False)],
    }  # fmt: skip


def _agree(found, known):
    if known.dtype != np.uint8:
        return np.allclose(found, known, rtol=1e-4, atol=1e-5)
    if isinstance(found[0], dict):
        found = [np.asarray(Image.open(io.BytesIO(base64.b64decode(file["b64"])))) for file in found]
    return np.abs(np.reshape(found, known.shape).astype(int) - known).max() <= 1  # may be rounded the other way
