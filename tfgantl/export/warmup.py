"""Requests that TensorFlow Serving runs before it answers anybody, so that the first user does not wait for tracing.

One bad record keeps the version from loading, so all of them are run before anything is published.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfgantl.errors import ArtifactError
from tfgantl.export.parts import MAX_ROWS, most_rows

# Those of batching.config. A server that puts requests together takes none with more rows than the last.
BATCHES = (1, 4, 16, 64, MAX_ROWS)
MAX_RECORD = 2**28  # bytes
SMALL = 4096  # bytes of a tensor that a single number may stand for
FILE = Path("assets.extra") / "tf_serving_warmup_requests"


def batches_of(endpoints: dict[str, Any]) -> list[int]:
    """Sizes of batches that every endpoint answers, by its name: fewer rows where images are large."""
    outputs = [function.get_concrete_function().structured_outputs for function in endpoints.values()]
    most = most_rows(*(spec.shape for spec in tf.nest.flatten(outputs)))
    return [size for size in BATCHES if size <= most]


def write_warmup(
    directory: Path, name: str, inputs: dict[str, dict[str, np.ndarray]], batches: Sequence[int] = BATCHES
) -> None:
    """Writes one record for each signature and size of batch.

    Args:
        directory: The SavedModel.
        name: Name of the model.
        inputs: Signature → name of an input → rows, which are repeated to fill a batch.
        batches: The sizes.
    """
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    (directory / FILE).parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(directory / FILE)) as writer:
        for signature, rows in inputs.items():
            for count in batches:
                request = predict_pb2.PredictRequest()
                request.model_spec.name, request.model_spec.signature_name = name, signature
                for key, values in rows.items():
                    batch = np.resize(values, (count, *values.shape[1:]))
                    request.inputs[key].CopyFrom(tf.make_tensor_proto(batch, tf.as_dtype(values.dtype)))
                log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
                writer.write(log.SerializeToString())


def read_warmup(directory: Path) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Reads the records back: signature, and name of an input → batch.

    Raises:
        ArtifactError: If a record claims to be larger than the file.
        Exception: If the file is missing or damaged, whatever its reader meets first.
    """
    from tensorflow_serving.apis import prediction_log_pb2

    requests = []
    for record in _records(directory / FILE):
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        for name, tensor in request.inputs.items():
            check_size(tensor, len(record), f"{directory / FILE}: {name}")
        batch = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        requests.append((request.model_spec.signature_name, batch))
    return requests


def _records(path: Path) -> Iterator[bytes]:
    """The records of a file, whose claims are checked: TensorFlow's reader would allocate what a header says."""
    left = path.stat().st_size
    with open(path, "rb") as file:
        while left:
            head = file.read(12)  # length, and its checksum
            length = int.from_bytes(head[:8], "little")
            if len(head) < 12 or length + 16 > left or length > MAX_RECORD:
                raise ArtifactError(f"{path}: records must be in the file. Received: one of {length} bytes")
            yield file.read(length)
            file.read(4)  # checksum of the record; the manifest has a hash of the file
            left -= length + 16


def check_size(tensor: Any, stored: int, where: str) -> None:
    """Refuses a tensor that says much and holds little."""
    sides = [dim.size for dim in tensor.tensor_shape.dim]
    dtype = tf.as_dtype(tensor.dtype)
    size = math.prod(sides) * (dtype.size or 1)
    if min(sides, default=0) < 0 or size > max(stored, SMALL):
        raise ArtifactError(f"{where}: must be in the file. Received: {size} bytes of a record of {stored}")
