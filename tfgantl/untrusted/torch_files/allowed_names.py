"""What pickles of checkpoints may name: an exact list, of which nothing is ever imported, called or changed.

Reference:
    What PyTorch and NVIDIA's networks write, see `torch.save` of https://github.com/pytorch/pytorch and
    `torch_utils/persistence.py` of https://github.com/NVlabs/stylegan2-ada-pytorch
"""

import re

from tfgantl.errors import ArtifactError
from tfgantl.printing import printable
from tfgantl.untrusted.torch_files.element_types import STORAGES, TORCH_TYPES

# What is called, or made anew, in the file: here, no more than noted.
DICTS = frozenset({"collections.OrderedDict", "dnnlib.util.EasyDict"})
SETS = frozenset({"builtins.set", "__builtin__.set"})  # the second as Python 3 writes it in protocol 2
BYTES = frozenset({"builtins.bytes", "__builtin__.bytes"})
ENCODED = "_codecs.encode"
NAMESPACE = "argparse.Namespace"
TENSORS = frozenset(f"torch._utils._rebuild_tensor{version}" for version in ("", "_v2", "_v3"))
PARAMETERS = frozenset({"torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"})
NESTED = "torch.storage._load_from_bytes"
PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
TF_NETWORK = "dnnlib.tflib.network.Network"
NUMPY_TYPE = "numpy.dtype"
NUMPY_ARRAYS = frozenset({"numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"})
NUMPY_SCALARS = frozenset({"numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"})
SIZE, DEVICE = "torch.Size", "torch.device"

CALLED = (
    DICTS | SETS | BYTES | TENSORS | PARAMETERS | NUMPY_ARRAYS | NUMPY_SCALARS
    | {ENCODED, NAMESPACE, NESTED, PERSISTENT, TF_NETWORK, NUMPY_TYPE, SIZE, DEVICE}
)  # fmt: skip
GIVEN_STATE = NUMPY_ARRAYS | {NAMESPACE, TF_NETWORK, NUMPY_TYPE}  # what BUILD may give a state, once
UNTYPED = "torch.storage.UntypedStorage"
OF_STORAGES = frozenset(STORAGES) | {UNTYPED}
ALLOWED = CALLED | OF_STORAGES | frozenset(TORCH_TYPES) | {"numpy.ndarray"}

# What is known, and is something else than tensors.
REFUSED = (
    (r"torch\._utils\._rebuild_sparse_.*", "a sparse tensor"),
    (r"torch\._utils\._rebuild_qtensor|torch\.(Q|per_).*", "a quantised tensor"),
    (r"torch\._utils\._rebuild_nested_tensor", "a nested tensor"),
    (r"torch\._utils\._rebuild_meta_tensor_no_storage", "a tensor without its numbers"),
    (r"torch\._(utils|tensor)\._rebuild_(from_type|wrapper).*", "a subclass of tensors"),
    (r"torch\.(float8|float4).*|torch\.Float8.*", "a tensor of 8-bit floats"),
    (r"torch\.(complex32|bits|u?int[1-7]\b).*", "a tensor of a rare type"),
    (r"torch\.jit\..*|__torch__\..*", "TorchScript"),
    (r"(torch|torchvision)\.(nn|models)\..*", "a whole module"),
    (r"torch\.optim\..*", "a whole optimizer"),
)


def check_name(name: str, allowed: frozenset[str], where: str) -> str:
    """Returns a name of a class or function if a pickle may have it.

    Args:
        name: Module and name, as `torch.FloatStorage`.
        allowed: All names that may be there.
        where: Name of the file for messages.

    Raises:
        ArtifactError: If it is another; the message says what it stands for.
    """
    if name in allowed:
        return name
    kind = next((kind for pattern, kind in REFUSED if re.fullmatch(pattern, name)), "code of its own")
    raise ArtifactError(
        f"{where}: must hold dense tensors and plain values, as the `state_dict()` of a network does. "
        f"Received: {kind}, {printable(name)[:200]}"
    )
