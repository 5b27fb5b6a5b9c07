"""SavedModels are programs: what one would do is listed from its file, before anything of it is loaded.

Refused are operations that TensorFlow does not know (custom ones run native code), that read or write files or the
network, that run Python, and all others that keep a state, unless they are known to be harmless. Loading a SavedModel
restores its variables by file operations. One thing is therefore allowed, and no more: reading the file that the loader
names, in what only the loader runs. Who drew the graph also drew its edges, so it is not granted to anything that
another part can reach. What only saving would run is not loaded at all: see `stripping`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.untrusted.reachability import (
    ancestors,
    called_by,
    closure,
    fetched,
    mentioned,
    references,
    roots,
    tensor_name,
)

if TYPE_CHECKING:
    from tensorflow.core.framework.function_pb2 import FunctionDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

# Operations with a state that are no more than variables, tables made of the graph, random numbers and control flow.
HARMLESS = set(
    """AddManySparseToTensorsMap Assert Assign AssignAdd AssignAddVariableOp AssignSub AssignSubVariableOp
    AssignVariableOp Case CheckNumerics CheckNumericsV2 DeepCopy DestroyResourceOp DisableCopyOnRead Empty
    GuaranteeConst HashTableV2 If InitializeTableV2 IsVariableInitialized LookupTableFindV2 LookupTableImportV2
    LookupTableSizeV2 Multinomial NonDeterministicInts ParameterizedTruncatedNormal
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
    if definition is None or REACHES_OUT.search(op) or (op.startswith("_") and op not in HARMLESS):
        return False
    return not definition.is_stateful or op in HARMLESS


def _operations(graph: MetaGraphDef) -> Iterator[str]:
    """Names of all operations that loading or calling can run, but for reads of the file that the loader names."""
    functions = {f.signature.name: f for f in graph.graph_def.library.function}
    nodes = {node.name: node for node in graph.graph_def.node}
    restored = ancestors(nodes, [graph.saver_def.restore_op_name])
    restored -= ancestors(nodes, [*fetched(graph), *mentioned(graph, restored)])
    others = [node for name, node in nodes.items() if name not in restored]
    yield from _names(functions, others)
    called = called_by(functions, others) | closure(functions, roots(graph))

    restoring = [nodes[name] for name in restored]
    yield from _of_restoring(functions, called, restoring, {tensor_name(graph.saver_def.filename_tensor_name)})
    called_by_restoring = called_by(functions, restoring)
    for name, function in functions.items():
        if name in called or name not in called_by_restoring:
            yield from _names(functions, function.node_def)


def _of_restoring(
    functions: Mapping[str, FunctionDef], called: set[str], nodes: Sequence[NodeDef], file: set[str]
) -> Iterator[str]:
    """Operations of what only the loader runs, but for reads of the file that it names.

    Args:
        functions: Those of the library.
        called: Those that others run, too; they are looked at there.
        nodes: What is run.
        file: Names of the tensors that hold the name of the file.
    """
    held: dict[str, set[str]] = {}  # function → those of its arguments that hold the name, whoever calls it
    waiting: list[tuple[Sequence[NodeDef], set[str]]] = [(nodes, file)]
    while waiting:
        some, names = waiting.pop()
        for node in some:
            for function in set(references(node, functions)) - called:
                given = zip(functions[function].signature.input_arg, node.input, strict=False)
                passes = node.op == function or node.op in CALLS
                found = {tensor_name(a.name) for a, tensor in given if passes and tensor_name(tensor) in names}
                found &= held.get(function, found)
                if found != held.get(function):
                    held[function] = found
                    waiting.append((functions[function].node_def, found))
    for some, names in ((nodes, file), *((functions[name].node_def, names) for name, names in held.items())):
        for node in some:
            if not (node.op in READS and node.input and tensor_name(node.input[0]) in names):
                yield from _names(functions, [node])


def _names(functions: Mapping[str, FunctionDef], nodes: Iterable[NodeDef]) -> Iterator[str]:
    return (node.op for node in nodes if node.op not in functions)
