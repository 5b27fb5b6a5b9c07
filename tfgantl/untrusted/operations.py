"""SavedModels are programs: what one would do is listed from its file, before anything of it is loaded.

Refused are operations that TensorFlow does not know (custom ones run native code), that read or write files or the
network, that run Python, and all others that keep a state, unless they are known to be harmless. Loading a SavedModel
restores its variables by file operations. Two things are therefore allowed, and no more: reading the file that the
loader names, in what only the loader runs; and writing, in what only saving would run, which nothing here does. Who
drew the graph also drew its edges, so neither is granted to anything that another part can reach.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from tfgantl.errors import ArtifactError, ConfigError

if TYPE_CHECKING:
    from tensorflow.core.framework.function_pb2 import FunctionDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

# Operations with a state that are no more than variables, random numbers and control flow.
HARMLESS = set(
    """AddManySparseToTensorsMap Assert Assign AssignAdd AssignAddVariableOp AssignSub AssignSubVariableOp
    AssignVariableOp Case CheckNumerics CheckNumericsV2 DeepCopy DestroyResourceOp DisableCopyOnRead Empty
    GuaranteeConst If IsVariableInitialized Multinomial NonDeterministicInts ParameterizedTruncatedNormal
    RandomCrop RandomGamma
    RandomPoisson RandomPoissonV2 RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt ReadVariableOp
    ResourceGather ResourceGatherNd ResourceScatterAdd ResourceScatterUpdate RngReadAndSkip RngSkip Stack StackCloseV2
    StackPopV2 StackPushV2 StackV2 StatefulPartitionedCall StatefulRandomBinomial StatefulStandardNormal
    StatefulStandardNormalV2 StatefulTruncatedNormal StatefulUniform StatefulUniformFullInt StatefulUniformInt
    StatelessRandomGetAlg TemporaryVariable TensorArray TensorArrayCloseV3 TensorArrayConcatV3 TensorArrayGatherV3
    TensorArrayGrad TensorArrayGradV2 TensorArrayGradV3 TensorArrayGradWithShape TensorArrayReadV3 TensorArrayScatterV3
    TensorArraySizeV3 TensorArraySplitV3 TensorArrayV2 TensorArrayV3 TensorArrayWriteV3 TruncatedNormal VarHandleOp
    VarIsInitializedOp Variable VariableShape VariableV2 While _Arg _Retval""".split()
)
# Operations without a state that still leave the graph: files that are named in attributes, Python, devices, services.
REACHES_OUT = re.compile(
    r"ReadFile|MatchingFiles|PyFunc|Dataset|Reader|TextFile|^Debug|VocabRemapping|ImmutableConst|(En|De)codeProto"
    r"|^Abort$|Host|TPU|Tpu|Summary|^Rpc|^Xla|^_Xla|^BatchFunction|RemoteFused"
)
READS = {"RestoreV2", "Restore", "RestoreSlice"}  # from the file that their first input names
WRITES = {"SaveV2", "Save", "SaveSlices", "MergeV2Checkpoints", "ShardedFilename"}
CALLS = {"PartitionedCall", "StatefulPartitionedCall"}  # what hands its inputs, in their order, to a function


def check_operations(graph: MetaGraphDef, allow_ops: tuple[str, ...], where: str) -> None:
    """Refuses a graph that could do more than compute.

    Args:
        graph: `MetaGraphDef` of the SavedModel.
        allow_ops: Names of operations that are trusted here.
        where: Name of the source for messages.

    Raises:
        ArtifactError: If there are operations that are neither harmless nor allowed; the message lists them.
        ConfigError: If `allow_ops` names an operation that nothing here needs.
    """
    _check_names(graph, where)
    refused = Counter(op for op in _operations(graph) if not _is_harmless(op))
    unused = sorted(set(allow_ops) - set(refused))
    if unused:
        raise ConfigError(
            f"`allow_ops` must name operations of {where} that are refused otherwise "
            f"({', '.join(sorted(refused)) or 'there are none'}). Received: {', '.join(unused)}"
        )
    left = sorted(set(refused) - set(allow_ops))
    if left:
        raise ArtifactError(
            f"{where}: operations of a SavedModel must only compute; if you trust it, name the others in `allow_ops`. "
            f"Received: {', '.join(f'{op} ({refused[op]})' for op in left)}"
        )


def _check_names(graph: MetaGraphDef, where: str) -> None:
    """Refuses two things of one name, of which only one would be looked at, and functions that pass for operations."""
    from tensorflow.python.framework import op_def_registry

    functions = Counter(function.signature.name for function in graph.graph_def.library.function)
    nodes = Counter(node.name for node in graph.graph_def.node)
    wrong = [name for names in (functions, nodes) for name, count in names.items() if count > 1]
    wrong += [name for name in functions if op_def_registry.get(name) is not None]
    if wrong:
        raise ArtifactError(
            f"{where}: names in a SavedModel must be unique, and functions not be named like operations. "
            f"Received: {wrong[0]}"
        )


def _is_harmless(op: str) -> bool:
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(op)
    if definition is None or REACHES_OUT.search(op):
        return False
    return not definition.is_stateful or op in HARMLESS


def _operations(graph: MetaGraphDef) -> Iterator[str]:
    """Names of all operations that loading or calling can run, but for what the saver is there for."""
    functions = {f.signature.name: f for f in graph.graph_def.library.function}
    nodes = {node.name: node for node in graph.graph_def.node}
    fetched = _ancestors(nodes, _fetched(graph))
    restored = _ancestors(nodes, [graph.saver_def.restore_op_name])
    saved = _ancestors(nodes, [graph.saver_def.save_tensor_name]) - fetched - restored
    restored -= fetched
    others = [node for name, node in nodes.items() if name not in saved and name not in restored]
    yield from _names(functions, others)
    called = _called(functions, others) | _closure(functions, _roots(graph))

    restoring = [nodes[name] for name in restored]
    yield from _of_restoring(functions, called, restoring, {_tensor(graph.saver_def.filename_tensor_name)}, set())
    called_by_restoring = _called(functions, restoring)

    saving = [nodes[name] for name in saved]
    only_saving = _called(functions, saving) - called - called_by_restoring
    for node in (*saving, *(node for name in only_saving for node in functions[name].node_def)):
        yield from (op for op in _names(functions, [node]) if op not in WRITES | READS)
    for name, function in functions.items():
        if name in called or name not in only_saving | called_by_restoring:
            yield from _names(functions, function.node_def)


def _of_restoring(
    functions: Mapping[str, FunctionDef],
    called: set[str],
    nodes: Iterable[NodeDef],
    file: set[str],
    seen: set[tuple[str, frozenset[str]]],
) -> Iterator[str]:
    """Operations of what only the loader runs, but for reads of the file that it names.

    Args:
        functions: Those of the library.
        called: Those that others run, too; they are looked at there.
        nodes: What is run.
        file: Names of the tensors that hold the name of the file.
        seen: What has been looked at: functions, with the arguments that hold the name.
    """
    for node in nodes:
        if not (node.op in READS and node.input and _tensor(node.input[0]) in file):
            yield from _names(functions, [node])
        for name in set(_references(node, functions)) - called:
            arguments = functions[name].signature.input_arg
            passes = node.op == name or node.op in CALLS
            held = {
                a.name for a, given in zip(arguments, node.input, strict=False) if _tensor(given) in file and passes
            }
            inner = {_tensor(argument) for argument in held}
            if (name, frozenset(inner)) not in seen:
                seen.add((name, frozenset(inner)))
                yield from _of_restoring(functions, called, functions[name].node_def, inner, seen)


def _names(functions: Mapping[str, FunctionDef], nodes: Iterable[NodeDef]) -> Iterator[str]:
    return (node.op for node in nodes if node.op not in functions)


def _tensor(name: str) -> str:
    """A name in full: the first output of a node may be called by the name of the node."""
    return name if ":" in name or name.startswith("^") else f"{name}:0"


def _roots(graph: MetaGraphDef) -> Iterator[str]:
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


def _fetched(graph: MetaGraphDef) -> Iterator[str]:
    """Names of nodes that a signature or the loader asks for, those of the saver apart."""
    for signature in graph.signature_def.values():
        for tensor in (*signature.outputs.values(), *signature.inputs.values()):
            yield tensor.name
            for part in tensor.composite_tensor.components:
                yield part.name
            yield from (tensor.coo_sparse.values_tensor_name, tensor.coo_sparse.indices_tensor_name)
    for key, collection in graph.collection_def.items():
        if "saver" not in key:
            yield from collection.node_list.value


def _ancestors(nodes: Mapping[str, NodeDef], names: Iterable[str]) -> set[str]:
    found, queue = set(), [name.split(":")[0].lstrip("^") for name in names if name]
    while queue:
        name = queue.pop()
        if name in nodes and name not in found:
            found.add(name)
            queue += [parent.split(":")[0].lstrip("^") for parent in nodes[name].input]
    return found


def _called(functions: Mapping[str, FunctionDef], nodes: Iterable[NodeDef]) -> set[str]:
    return _closure(functions, {name for node in nodes for name in _references(node, functions)})


def _references(node: NodeDef, functions: Mapping[str, FunctionDef]) -> Iterator[str]:
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


def _closure(functions: Mapping[str, FunctionDef], names: Iterable[str]) -> set[str]:
    found, queue = set(), list(names)
    while queue:
        name = queue.pop()
        if name in functions and name not in found:
            found.add(name)
            queue += [r for node in functions[name].node_def for r in _references(node, functions)]
    return found
