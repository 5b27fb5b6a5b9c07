"""What in the graph of a SavedModel can reach what: nodes by their inputs, functions by whatever names them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from tfgantl.errors import ArtifactError

if TYPE_CHECKING:
    from tensorflow.core.framework.function_pb2 import FunctionDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef


MAX_SEARCHED = 5 * 10**10  # bytes, times the names that are looked for in them: half a minute


def tensor_name(name: str) -> str:
    """A name in full: the first output of a node may be called by the name of the node."""
    return name if ":" in name or name.startswith("^") else f"{name}:0"


def roots(graph: MetaGraphDef) -> Iterator[str]:
    """Functions that the loader, Python or differentiation may call, by whatever part of the file names them."""
    objects = graph.object_graph_def
    yield from objects.concrete_functions
    for node in objects.nodes:
        yield node.bare_concrete_function.concrete_function_name
        yield from node.function.concrete_functions
    library = graph.graph_def.library
    yield from (gradient.gradient_func for gradient in library.gradient)
    yield from (gradient.gradient_func for gradient in library.registered_gradients)
    # What Grappler may put in the place of another function.
    yield from (f.signature.name for f in library.function if "api_implements" in f.attr)


def fetched(graph: MetaGraphDef) -> Iterator[str]:
    """Names of nodes that a signature or the loader asks for, those of the saver apart."""
    for signature in graph.signature_def.values():
        for tensor in (*signature.outputs.values(), *signature.inputs.values()):
            yield tensor.name
            for part in tensor.composite_tensor.components:
                yield part.name
            sparse = tensor.coo_sparse
            yield from (sparse.values_tensor_name, sparse.indices_tensor_name, sparse.dense_shape_tensor_name)
    for key, collection in graph.collection_def.items():
        if key != "savers":  # their settings, which nothing here reads; see also `mentioned`
            yield from collection.node_list.value


def mentioned(graph: MetaGraphDef, names: Iterable[str]) -> set[str]:
    """Those of some names that collections mention in formats of their own, such as definitions of variables.

    Raises:
        ArtifactError: If looking for them would take minutes.
    """
    content = b"\0".join(
        entry
        for collection in graph.collection_def.values()
        for entry in (*collection.bytes_list.value, *(entry.value for entry in collection.any_list.value))
    )
    if not content:
        return set()
    names = list(names)
    if len(names) * len(content) > MAX_SEARCHED:
        raise ArtifactError(
            f"a SavedModel must have at most {MAX_SEARCHED // len(names)} bytes of collections for the {len(names)} "
            f"nodes of its saver. Received: {len(content)}"
        )
    return {name for name in names if name.encode() in content}


def node_name(name: str) -> str:
    """Name of a node, from that of one of its outputs or of a dependency on it."""
    return name.split(":")[0].lstrip("^")


def ancestors(nodes: Mapping[str, NodeDef], names: Iterable[str]) -> set[str]:
    """Names of nodes, and of all that they depend on."""
    found, queue = set(), [node_name(name) for name in names if name]
    while queue:
        name = queue.pop()
        if name in nodes and name not in found:
            found.add(name)
            queue += parents(nodes[name])
    return found


def parents(node: NodeDef) -> set[str]:
    """Names of the nodes that a node needs, by its inputs and control inputs."""
    return {node_name(name) for name in node.input}


def called_by(functions: Mapping[str, FunctionDef], nodes: Iterable[NodeDef]) -> set[str]:
    """Names of functions that nodes may call, directly or through others."""
    return closure(functions, {name for node in nodes for name in references(node, functions)})


def references(node: NodeDef, functions: Mapping[str, FunctionDef]) -> Iterator[str]:
    """Functions that a node may call: by an attribute, or because its operation is a function."""
    if node.op in functions:
        yield node.op
    queue = list(node.attr.values())
    while queue:
        value = queue.pop()
        for function in (value.func, *value.list.func):
            queue += function.attr.values()
            if function.name in functions:
                yield function.name


def closure(functions: Mapping[str, FunctionDef], names: Iterable[str]) -> set[str]:
    """Names of functions, and of all that these may call."""
    found, queue = set(), list(names)
    while queue:
        name = queue.pop()
        if name in functions and name not in found:
            found.add(name)
            queue += [r for node in functions[name].node_def for r in references(node, functions)]
    return found
