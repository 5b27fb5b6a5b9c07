"""A copy of a SavedModel without what only saving would run, which nothing here does.

Every graph that TensorFlow writes holds operations that write files, for a saver to run. Whether another part can run
them cannot be told from the graph alone: what a loader runs depends on collections, initializers and names in formats
of their own. So they are taken out before anything is loaded, and the name of the file that is restored has no value of
its own: the loader must give it.
"""

from __future__ import annotations

import weakref
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tfgantl.untrusted.checkpoints import copy_checkpoint
from tfgantl.untrusted.reachability import (
    ancestors,
    called_by,
    closure,
    fetched,
    mentioned,
    parents,
    references,
    roots,
    tensor_name,
)

if TYPE_CHECKING:
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

VARIABLES, ASSETS = "variables", "assets"  # folders of a SavedModel; the first is also the name of its checkpoint
WRITES = {"SaveV2", "Save", "SaveSlices", "MergeV2Checkpoints", "ShardedFilename"}


def without_saving(graph: MetaGraphDef) -> MetaGraphDef:
    """The graph without the nodes and functions that only its saver needs for saving; it is changed in place."""
    nodes = {node.name: node for node in graph.graph_def.node}
    functions = {f.signature.name: f for f in graph.graph_def.library.function}
    saving = ancestors(nodes, [graph.saver_def.save_tensor_name])
    saving -= ancestors(nodes, [*fetched(graph), graph.saver_def.restore_op_name, *mentioned(graph, saving)])
    kept = [node for name, node in nodes.items() if name not in saving]
    called = called_by(functions, kept) | closure(functions, roots(graph))
    only_saving = called_by(functions, [nodes[name] for name in saving]) - called
    # What it saves, such as reads of variables, others may name in formats of their own; it stays, and is looked at.
    removed = {
        n for n in saving if nodes[n].op in WRITES or not only_saving.isdisjoint(references(nodes[n], functions))
    }
    behind: dict[str, list[str]] = {}
    for name in saving:
        for parent in parents(nodes[name]):
            behind.setdefault(parent, []).append(name)
    waiting = list(removed)
    while waiting:
        new = {*behind.get(waiting.pop(), ())} - removed
        removed |= new
        waiting += new
    _keep(graph.graph_def.node, lambda node: node.name not in removed)
    _keep(graph.graph_def.library.function, lambda function: function.signature.name not in only_saving)
    _must_be_given(graph, graph.saver_def.filename_tensor_name)
    return graph


_directories: weakref.WeakSet[TemporaryDirectory] = weakref.WeakSet()


def remove_copies() -> None:
    """Removes what a process would leave behind that ends at once, without Python's own cleaning up."""
    for directory in list(_directories):
        directory.cleanup()


class StrippedCopy:
    """A directory with a stripped graph, a checkpoint as it was read, and links to the assets of a SavedModel.

    TensorFlow would read more if it was there: a fingerprint, and what is known for finding mistakes.

    Args:
        directory: The SavedModel.
        graph: What is to be loaded of it.

    Raises:
        Exception: What is met first in damaged variables.
    """

    def __init__(self, directory: Path, graph: MetaGraphDef):
        from tensorflow.core.protobuf import saved_model_pb2

        self._directory = TemporaryDirectory(prefix="tfgantl-")
        _directories.add(self._directory)
        self.path = Path(self._directory.name)
        model = saved_model_pb2.SavedModel(saved_model_schema_version=1, meta_graphs=[graph])
        try:
            (self.path / "saved_model.pb").write_bytes(model.SerializeToString())
            for folder in directory.absolute().iterdir():  # it may be gone by now
                for asset in folder.rglob("*") if folder.name == ASSETS else ():
                    if asset.is_file():  # a pipe would keep whoever opens it
                        link = self.path / asset.relative_to(folder.parent)
                        link.parent.mkdir(parents=True, exist_ok=True)
                        link.symlink_to(asset)
            (self.path / VARIABLES).mkdir()
            copy_checkpoint(directory / VARIABLES / VARIABLES, self.path / VARIABLES)
        except BaseException:
            self.remove()
            raise

    def keep_for(self, loaded: Any) -> None:
        """Keeps the directory as long as an object lives, which may read files of it later."""
        weakref.finalize(loaded, self._directory.cleanup)

    def remove(self) -> None:
        """Removes the directory."""
        self._directory.cleanup()


def _keep(entries: Any, wanted: Any) -> None:
    """Leaves only some messages in a repeated field."""
    left = [entry for entry in entries if wanted(entry)]
    if len(left) < len(entries):
        del entries[:]
        entries.extend(left)


def _must_be_given(graph: MetaGraphDef, name: str) -> None:
    """Makes a placeholder of a tensor, so that what needs it cannot run unless a value is fed."""
    import tensorflow as tf

    node = next((n for n in graph.graph_def.node if f"{n.name}:0" == tensor_name(name)), None)
    if node is not None and node.op != "Placeholder":
        node.op = "Placeholder"
        del node.input[:]
        node.attr.clear()
        node.attr["dtype"].type = tf.string.as_datatype_enum
        node.attr["shape"].shape.SetInParent()
