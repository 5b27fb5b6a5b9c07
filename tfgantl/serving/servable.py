"""One loaded version: a session over the SavedModel, as TensorFlow Serving has it, which puts requests together."""

import logging
import queue
import threading
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

from tfgantl.export.signatures import MOST_IMAGES
from tfgantl.serving.problems import InvalidArgument, ResourceExhausted, Unavailable

MOST_WAITING = 256  # requests


class Servable:
    """A version that answers.

    Args:
        directory: The SavedModel.
        observe: Called with the number of requests and rows of each batch.
    """

    def __init__(self, directory: Path, observe=lambda requests, rows: None):
        v1 = tf.compat.v1
        self.directory, self._observe = directory, observe
        self._session = v1.Session(graph=v1.Graph())
        logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it says that sessions are old
        with self._session.graph.as_default():
            graph = v1.saved_model.load(self._session, ["serve"], str(directory))
        self.definitions = {k: v for k, v in graph.signature_def.items() if not k.startswith("__")}
        self.inputs = {
            name: {key: _dtype(spec) for key, spec in signature.inputs.items()}
            for name, signature in self.definitions.items()
        }
        self._calls = {name: self._callable(signature) for name, signature in self.definitions.items()}
        self._waiting: queue.Queue = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._work, name=f"version {directory.name}", daemon=True)
        self._thread.start()

    def _callable(self, signature):
        fetches = {name: spec.name for name, spec in signature.outputs.items()}
        return self._session.make_callable(fetches, [spec.name for spec in signature.inputs.values()])

    def metadata(self) -> dict:
        """Signatures, in the form of the REST API."""
        signatures = {}
        for name, definition in self.definitions.items():
            found = json_format.MessageToDict(
                definition, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
            )
            signatures[name] = {key: found[key] for key in ("inputs", "outputs", "method_name")}
        return {"signature_def": {"signature_def": signatures}}

    def predict(self, signature: str, inputs: dict[str, np.ndarray]) -> Future:
        """Puts a request into the queue; the future gives its outputs.

        Raises:
            InvalidArgument: If shapes are not those of the signature.
            ResourceExhausted: If too many requests wait.
        """
        rows = self._check(signature, inputs)
        future: Future = Future()
        try:
            self._waiting.put_nowait((signature, inputs, rows, future))
        except queue.Full as error:
            raise ResourceExhausted(f"The batch scheduling queue is full: {MOST_WAITING} requests wait") from error
        return future

    def close(self):
        """Answers what waits, and frees the version."""
        self._waiting.put(None)
        self._thread.join()
        self._session.close()

    def _check(self, signature, inputs):
        """Number of rows."""
        counts = set()
        for name, spec in self.definitions[signature].inputs.items():
            wanted = [dim.size for dim in spec.tensor_shape.dim]
            shape = inputs[name].shape
            if len(shape) != len(wanted) or any(w not in (-1, n) for w, n in zip(wanted, shape, strict=True)):
                raise InvalidArgument(f"input {name} must have the shape {wanted}. Received: {list(shape)}")
            counts.add(shape[0])
        if len(counts) != 1:
            raise InvalidArgument(f"inputs must have equal 0th-dimension size. Received: {sorted(counts)}")
        return counts.pop()

    def _work(self):
        held = None
        while True:
            first = held if held is not None else self._waiting.get()
            held = None
            if first is None:
                break
            batch, rows = [first], first[2]
            while rows < MOST_IMAGES:  # whatever waits already, and nothing that would have to be waited for
                try:
                    item = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if item is None or item[0] != first[0] or rows + item[2] > MOST_IMAGES:
                    held = item
                    if item is None:
                        self._waiting.put(None)
                    break
                batch.append(item)
                rows += item[2]
            self._answer(batch, rows)
        while not self._waiting.empty():
            item = self._waiting.get_nowait()
            if item is not None:
                item[3].set_exception(Unavailable("this version is being unloaded"))

    def _answer(self, batch, rows):
        self._observe(len(batch), rows)
        signature = batch[0][0]
        names = list(self.definitions[signature].inputs)
        columns = [[inputs[name] for _, inputs, _, _ in batch] for name in names]
        try:
            outputs = self._calls[signature](*[column[0] if len(batch) == 1 else np.concatenate(column)
                                               for column in columns])  # fmt: skip
        except tf.errors.OpError as error:
            if len(batch) > 1:  # one bad request must not spoil the others
                for item in batch:
                    self._answer([item], item[2])
            else:
                batch[0][3].set_exception(_problem(error))
            return
        except Exception as error:  # whoever waits must hear of it
            for item in batch:
                item[3].set_exception(error)
            return
        start = 0
        for _, _, count, future in batch:
            future.set_result({name: value[start : start + count] for name, value in outputs.items()})
            start += count


def _dtype(spec):
    dtype = tf.as_dtype(spec.dtype)
    return np.dtype(object) if dtype == tf.string else np.dtype(dtype.as_numpy_dtype)


def _problem(error):
    lines = [line.strip() for line in error.message.splitlines()]
    failed = [line for line in lines if line.startswith("assertion failed")]
    message = (failed or [line for line in lines if line and line != "Graph execution error:"] or ["unknown"])[0]
    kind = {tf.errors.ResourceExhaustedError: ResourceExhausted}.get(type(error), InvalidArgument)
    return kind(message)
