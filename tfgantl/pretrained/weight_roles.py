"""What a weight is, by the names that Keras, TF1 layers, PyTorch and older GAN code have for it."""

import re

ROLES = {
    "kernel": "kernel", "weights": "kernel", "weight": "kernel", "w": "kernel", "embeddings": "kernel",
    "bias": "bias", "biases": "bias", "b": "bias",
    "beta": "beta", "offset": "beta",
    "gamma": "gamma", "scale": "gamma",
    "moving_mean": "mean", "running_mean": "mean", "accu_mean": "mean", "mean": "mean",
    "moving_variance": "variance", "running_var": "variance", "accu_variance": "variance", "variance": "variance",
}  # fmt: skip
NO_WEIGHTS = re.compile(
    r"(^|/)(global_step|seed_generator_state|num_batches_tracked|beta[12]_power|ema_step|step)$"
    r"|/(Adam|Adam_1|Momentum|RMSProp|RMSProp_1)$|(^|/)(seed_generator\w*|optimizer)/"
)

SPECTRAL = ("u_var", "u")  # of compare_gan and of others: a kernel beside it is divided by its norm


def plain(path: str, prefix: str) -> str:
    """A path without the name of its network, and the output number of TensorFlow."""
    path = path.removesuffix(":0")
    return path.removeprefix(f"{prefix}/")


def with_role(path: str) -> str:
    """A path in small letters, with the role of the weight at its end: `BN/running_mean` → `bn/mean`."""
    head, _, tail = path.lower().rpartition("/")
    return f"{head}/{ROLES.get(tail, tail)}"


def role_of(path: str) -> str | None:
    """The role of the weight at a path, if its name is known."""
    return ROLES.get(path.removesuffix(":0").lower().rpartition("/")[2])
