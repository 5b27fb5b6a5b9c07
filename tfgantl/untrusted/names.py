"""Names in a SavedModel that the loader looks up: each must be of something that was looked at.

TensorFlow adds nodes of its own to some graphs while it loads them, and feeds names of files to whatever a graph calls
an asset. A file may name such nodes before they are there, so names that lead nowhere are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from tfgantl.errors import ArtifactError, intact
from tfgantl.untrusted.reachability import ancestors, fetched, node_name

if TYPE_CHECKING:
    from tensorflow.core.protobuf.meta_graph_pb2 import AssetFileDef, MetaGraphDef

VARIABLES = ("variables", "saveable_objects")  # collections for which TensorFlow makes a saver where there is none
ASSETS = "saved_model_assets"


def check_names(graph: MetaGraphDef, where: str) -> None:
    """Refuses names that lead nowhere, savers that TensorFlow would make, and assets outside of the SavedModel.

    Args:
        graph: What is to be loaded.
        where: Name of the source for messages.

    Raises:
        ArtifactError: If there is one.
    """
    nodes = {node.name: node for node in graph.graph_def.node}
    saver = graph.saver_def
    if not saver.restore_op_name and any(
        key.split("/")[-1] in VARIABLES and collection.WhichOneof("kind")
        for key, collection in graph.collection_def.items()
    ):
        raise ArtifactError(f"{where}: a SavedModel with variables must say what restores them. Received: no saver")
    file_name = saver.filename_tensor_name
    if file_name and file_name.removesuffix(":0") not in nodes:
        raise ArtifactError(f"{where}: the saver must take the first output of a node. Received: {file_name}")
    wanted = [*fetched(graph), saver.restore_op_name]
    missing = [name for name in wanted if name and node_name(name) not in nodes]
    if missing:
        raise ArtifactError(f"{where}: names in a SavedModel must be of its nodes. Received: {missing[0]}")
    of_saver = ancestors(nodes, [saver.restore_op_name, file_name])
    for asset in _assets(graph, where):
        path, fed = PurePosixPath(asset.filename), node_name(asset.tensor_info.name)
        if path.is_absolute() or ".." in path.parts or "://" in asset.filename:
            raise ArtifactError(f"{where}: assets must be files of the SavedModel. Received: {asset.filename}")
        if fed and (fed not in nodes or fed in of_saver):
            raise ArtifactError(f"{where}: assets must not be fed to what restores variables. Received: {fed}")


def _assets(graph: MetaGraphDef, where: str) -> Iterator[AssetFileDef]:
    from tensorflow.core.protobuf.meta_graph_pb2 import AssetFileDef

    yield from graph.asset_file_def
    for entry in graph.collection_def[ASSETS].any_list.value if ASSETS in graph.collection_def else ():
        with intact(f"{where}: assets must be readable"):
            yield AssetFileDef.FromString(entry.value)
