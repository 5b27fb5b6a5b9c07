"""The one way into TensorFlow for a SavedModel: no graph is loaded before its operations have been looked at.

What is loaded is a copy: of the bytes that were looked at, without what only saving would run, and with the index of
the variables written anew.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfgantl.errors import ArtifactError, intact
from tfgantl.untrusted.names import check_names
from tfgantl.untrusted.operations import check_operations
from tfgantl.untrusted.savedmodels import read_graph, tags_of
from tfgantl.untrusted.stripping import StrippedCopy, without_saving

if TYPE_CHECKING:
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

INTACT = "must be an intact SavedModel"
SERVED = ["serve"]


def load_saved_model(directory: Path, allow_ops: tuple[str, ...] = (), where: str | None = None) -> Any:
    """Loads a SavedModel, or a TF1 hub module, for use in Python.

    Args:
        directory: The SavedModel.
        allow_ops: Names of operations that are trusted here.
        where: Name of the source for messages; the directory if not given.

    Raises:
        ArtifactError: If it is missing, damaged, or could do more than compute.
        ConfigError: If `allow_ops` names an operation that nothing here needs.
    """
    where = where or str(directory)
    tags = tags_of(directory)
    graph = _looked_at(directory, tags, allow_ops, where)
    with intact(f"{where}: {INTACT}"), _copy(directory, graph) as copy:  # TensorFlow raises what its reader meets first
        loaded = tf.saved_model.load(str(copy.path), tags=tags)
        copy.keep_for(loaded)
        return loaded


def load_into_session(directory: Path) -> tuple[Any, MetaGraphDef]:
    """Loads a SavedModel into a session of its own, as TensorFlow Serving does.

    Args:
        directory: The SavedModel.

    Returns:
        The session, and the `MetaGraphDef`.

    Raises:
        ArtifactError: If it is missing, damaged, or could do more than compute.
    """
    found = _looked_at(directory, SERVED, (), str(directory))
    v1 = tf.compat.v1
    session = v1.Session(graph=v1.Graph())
    logging.getLogger("tensorflow").addFilter(_is_not_of_sessions)
    try:
        with intact(f"{directory}: {INTACT}"), _copy(directory, found) as copy, session.graph.as_default():
            graph = v1.saved_model.load(session, SERVED, str(copy.path))
            copy.keep_for(session)
            return session, graph
    except ArtifactError:
        session.close()
        raise


def _looked_at(directory: Path, tags: list[str], allow_ops: tuple[str, ...], where: str) -> MetaGraphDef:
    """What is to be loaded: it only computes, and names nothing that is not in it."""
    graph = without_saving(read_graph(directory, tags))
    check_operations(graph, allow_ops, where)
    check_names(graph, where)
    return graph


@contextmanager
def _copy(directory: Path, graph: MetaGraphDef) -> Iterator[StrippedCopy]:
    copy = StrippedCopy(directory, graph)
    try:
        yield copy
    except BaseException:
        copy.remove()
        raise


def _is_not_of_sessions(record: logging.LogRecord) -> bool:
    """False for TensorFlow's note, at the first session, that loading into one is deprecated."""
    return "saved_model.loader" not in record.getMessage()
