"""The workers of a step of Slurm, as `TF_CONFIG` names them."""

import os
from collections.abc import Mapping
from typing import Any

from tfgantl.errors import ConfigError, reason

PORT = 28_888  # of the first task of a node; the others have those that follow


def config_of_step(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What `TF_CONFIG` must say in a task that `srun` has started.

    TensorFlow's resolver tells the addresses. Which of them is this task follows from its node and its number there,
    as the resolver has nodes in the order of the alphabet, n10 before n9, and Slurm numbers tasks in another.

    Raises:
        ConfigError: If this is no task of Slurm.
    """
    import tensorflow as tf

    try:
        # Slurm itself shows each task its GPUs; the resolver would divide them by what nvidia-smi says, if it is there.
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=PORT, gpus_per_node=1024, gpus_per_task=1, auto_set_gpu=False
        )
        addresses = resolver.cluster_spec().as_dict()["worker"]
        own = f"{environment['SLURMD_NODENAME']}:{PORT + int(environment['SLURM_LOCALID'])}"
        return {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": addresses.index(own)}}
    except (RuntimeError, KeyError, ValueError) as error:
        raise ConfigError(
            f"`slurm` must be given in a task that srun has started. Received: {type(error).__name__}, {reason(error)}"
        ) from error
