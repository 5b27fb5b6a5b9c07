"""SavedModels are programs: what one would do is listed from its file, before anything of it is loaded.

Refused are operations that TensorFlow does not know (custom ones run native code), that read or write files or the
network, that run Python, and all others that keep a state, unless they are known to be harmless. Loading a SavedModel
restores its variables by file operations; these are allowed where they belong to the saver alone, that is, where
nothing else in the graph can reach them.
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
    GuaranteeConst If IsVariableInitialized Multinomial NonDeterministicInts ParameterizedTruncatedNormal Print
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
    r"|Host|TPU|Tpu|Summary|^Rpc|^Xla|^_Xla|^BatchFunction|RemoteFused"
)
SAVER = set("SaveV2 RestoreV2 MergeV2Checkpoints ShardedFilename Save Restore SaveSlices RestoreSlice".split())


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


def _is_harmless(op: str) -> bool:
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(op)
    if definition is None or REACHES_OUT.search(op):
        return False
    return not definition.is_stateful or op in HARMLESS


def _operations(graph: MetaGraphDef) -> Iterator[str]:
    """Names of all operations that loading or calling can run, without those of the saver."""
    functions = {f.signature.name: f for f in graph.graph_def.library.function}
    nodes = {node.name: node for node in graph.graph_def.node}
    saver = _ancestors(nodes, [graph.saver_def.save_tensor_name, graph.saver_def.restore_op_name])
    others = _ancestors(nodes, _fetched(graph))
    for name, node in nodes.items():
        if (name not in saver or name in others or node.op not in SAVER) and node.op not in functions:
            yield node.op
    only_saver = {name for name in saver if name not in others}
    of_saver = _called(functions, [nodes[name] for name in only_saver])
    called = _called(functions, [node for name, node in nodes.items() if name not in only_saver])
    called |= _closure(functions, graph.object_graph_def.concrete_functions)
    for name, function in functions.items():
        exempt = name in of_saver and name not in called
        for node in function.node_def:
            if not (exempt and node.op in SAVER) and node.op not in functions:
                yield node.op


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
    for value in node.attr.values():
        yield from (f.name for f in (value.func, *value.list.func) if f.name in functions)


def _closure(functions: Mapping[str, FunctionDef], names: Iterable[str]) -> set[str]:
    found, queue = set(), list(names)
    while queue:
        name = queue.pop()
        if name in functions and name not in found:
            found.add(name)
            queue += [r for node in functions[name].node_def for r in _references(node, functions)]
    return found
