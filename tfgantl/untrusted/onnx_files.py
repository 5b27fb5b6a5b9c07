"""ONNX files: their weights may lie in other files, which they name.

Read by protobuf itself, as ONNX Runtime does: the same message has many forms of bytes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from tfgantl.errors import ArtifactError
from tfgantl.untrusted.archives import MAX_BYTES

MESSAGE = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
# Those parts of onnx.proto that lead to tensors: message → field → its number, and what it is (text, if nothing).
PARTS: dict[str, dict[str, tuple[int, str | None]]] = {
    "Model": {"graph": (7, "Graph"), "training": (20, "Training"), "functions": (25, "Function")},
    "Training": {"initialization": (1, "Graph"), "algorithm": (2, "Graph")},
    "Function": {"node": (7, "Node"), "attribute": (11, "Attribute")},
    "Graph": {"node": (1, "Node"), "initializer": (5, "Tensor"), "sparse": (15, "Sparse")},
    "Node": {"attribute": (5, "Attribute")},
    "Attribute": {
        "t": (5, "Tensor"), "g": (6, "Graph"), "tensors": (10, "Tensor"), "graphs": (11, "Graph"),
        "sparse": (22, "Sparse"), "sparses": (23, "Sparse"),
    },
    "Sparse": {"values": (1, "Tensor"), "indices": (2, "Tensor")},
    "Tensor": {"external": (13, "Entry")},
    "Entry": {"key": (1, None), "value": (2, None)},
}  # fmt: skip


def locations(path: Path) -> set[bytes]:
    """Names of the files in which an ONNX file says that some of its weights are.

    Raises:
        ArtifactError: If it is too large, or no message of protobuf.
    """
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ArtifactError(f"{path}: must be at most {MAX_BYTES} bytes. Received: {size}")
    model = _messages()["Model"]()
    try:
        model.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise ArtifactError(f"{path}: must be an intact ONNX file. Received: {error}") from error
    return {entry.value for entry in _entries(model) if entry.key == b"location"}


def _entries(message: Any) -> Iterator[Any]:
    """What tensors, however deep in it, say of other files."""
    waiting = [message]
    while waiting:
        message = waiting.pop()
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            if field.message_type.name == "Entry":
                yield from value
            else:
                waiting.extend(value)


def _messages() -> dict[str, Any]:
    """Classes that read these parts; all fields are repeated, as one that is not may still be there twice."""
    file = descriptor_pb2.FileDescriptorProto(name="tfgantl/onnx.proto", package="tfgantl.onnx", syntax="proto2")
    for name, fields in PARTS.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            message.field.add(
                name=field, number=number,
                label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL if kind is None else
                descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED,
                type=MESSAGE if kind else descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
                type_name=f".tfgantl.onnx.{kind}" if kind else None,
            )  # fmt: skip
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tfgantl.onnx.{name}")) for name in PARTS}
