"""SavedModels as files: the graph and the named variables, read without loading or running anything."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tfgantl.errors import ArtifactError, intact, reason
from tfgantl.untrusted.checkpoints import Checkpoint

if TYPE_CHECKING:
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

MAX_GRAPH_BYTES = 2**30
OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"  # what TF2 adds to its checkpoints: which variable is whose


def is_saved_model(directory: Path) -> bool:
    """Whether a directory holds a SavedModel, of TF2 or in the TF1 hub format."""
    return (directory / "saved_model.pb").is_file()


def is_hub_v1(directory: Path) -> bool:
    """Whether a SavedModel is a TF1 hub module, which has no tags."""
    return (directory / "tfhub_module.pb").is_file()


def tags_of(directory: Path) -> list[str]:
    """Tags of the graph that is used: none in a TF1 hub module, `serve` in everything else."""
    return [] if is_hub_v1(directory) else ["serve"]


def read_graph(directory: Path, tags: list[str]) -> MetaGraphDef:
    """Reads a graph as a `MetaGraphDef`: the one that is loaded with these tags.

    Raises:
        ArtifactError: If it is missing, damaged, too large, or not the only one with the right tags.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    path = directory / "saved_model.pb"
    if not path.is_file():
        raise ArtifactError(f"{directory}: must hold a saved_model.pb. Received: none")
    if path.stat().st_size > MAX_GRAPH_BYTES:
        raise ArtifactError(f"{path}: must be at most {MAX_GRAPH_BYTES} bytes. Received: {path.stat().st_size}")
    try:
        model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except Exception as error:  # protobuf has an error class of its own in every implementation
        raise ArtifactError(f"{path}: must be an intact SavedModel. Received: {reason(error)}") from error
    graphs = [graph for graph in model.meta_graphs if set(graph.meta_info_def.tags) == set(tags)]
    if len(graphs) != 1:
        found = [sorted(graph.meta_info_def.tags) for graph in model.meta_graphs]
        raise ArtifactError(f"{directory}: must hold one graph with the tags {tags}. Received: {found}")
    return graphs[0]


def read_variables(directory: Path) -> dict[str, np.ndarray]:
    """Reads all variables of numbers, by the names that they have in the graph.

    Raises:
        ArtifactError: If they are missing, damaged, or claim to be larger than their files.
    """
    prefix = directory / "variables" / "variables"
    with intact(f"{directory}: must hold intact variables"), TemporaryDirectory(prefix="tfgantl-") as folder:
        checkpoint = Checkpoint(prefix)
        reader = tf.train.load_checkpoint(str(checkpoint.copy(Path(folder))))
        dtypes = reader.get_variable_to_dtype_map()
        names = _names(checkpoint) if OBJECTS in dtypes else {name: name for name in dtypes}
        arrays: dict[str, np.ndarray] = {}
        for key, name in names.items():
            if key in dtypes and dtypes[key].is_floating:
                value = reader.get_tensor(key).astype(np.float32)
                if name in arrays and not np.array_equal(arrays[name], value):
                    raise ArtifactError(f"{directory}: names of variables must be unique. Received: {name} twice")
                arrays[name] = value
    if not arrays:
        raise ArtifactError(f"{directory}: must hold variables; a frozen graph has none. Received: none")
    return arrays


def _names(checkpoint: Checkpoint) -> dict[str, str]:
    """Key in the checkpoint → name of the variable in the program that wrote it."""
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(checkpoint.read_string(OBJECTS))
    return {a.checkpoint_key: a.full_name or a.checkpoint_key for node in graph.nodes for a in node.attributes}
