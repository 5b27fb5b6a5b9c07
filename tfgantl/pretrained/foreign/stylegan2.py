"""Checkpoints of StyleGAN2 in the forms of three programs, as networks of ours that compute the same."""

import re
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgantl.errors import ArtifactError
from tfgantl.models.specifications.stylegan2 import LARGEST, SMALLEST
from tfgantl.models.stylegan2.discriminator import StyleGAN2Discriminator
from tfgantl.models.stylegan2.generator import StyleGAN2Generator, widths
from tfgantl.models.variable_names import named_weights
from tfgantl.pretrained.adopt import check_floats
from tfgantl.pretrained.foreign.roles import Opened, check_has_generator, find_pair
from tfgantl.pretrained.foreign.stylegan2_layouts import DISCRIMINATORS, GENERATORS
from tfgantl.pretrained.foreign.stylegan2_rules import Arrays, WeightLayout
from tfgantl.pretrained.load_report import LoadReport
from tfgantl.untrusted.foreign_checkpoints import ForeignCheckpoint, ForeignNetwork
from tfgantl.untrusted.networks import build_for

MAX_NUMBERS = 2**23  # latents times their length, at one time
TAPS = (1.0, 3.0, 3.0, 1.0)
# What else the programs can do, by the names of their settings; the first is their default.
SETTINGS: dict[str, tuple[Any, ...]] = {
    "activation": ("lrelu", "linear"), "nonlinearity": ("lrelu",), "lr_multiplier": (0.01,),
    "mapping_lrmul": (0.01,), "architecture": ("skip", "resnet"), "normalize_latents": (True,),
    "fused_modconv": (True, False), "resample_kernel": ([1, 3, 3, 1],), "resample_filter": ([1, 3, 3, 1],),
    "use_noise": (True,), "randomize_noise": (True, False), "mbstd_num_channels": (1,), "mbstd_num_features": (1,),
}  # fmt: skip
SAMPLES = 10_000  # latents for an average of w that a file does not have; as in the published converter


def recognise(checkpoint: ForeignCheckpoint, where: str) -> Opened | None:
    """Makes our networks of a checkpoint of StyleGAN2, if it is one.

    Size, channels, classes, widths and depth follow from the arrays; bounds of feature maps and the group of the
    minibatch deviation from the arguments, which are said only in pickles of NVIDIA.

    Args:
        checkpoint: Of `read_checkpoint`, from a file of rosinality's or NVIDIA's (PyTorch, or TensorFlow) programs.
        where: Name of the file for messages.

    Returns:
        `(generator, discriminator or None, report)`: the averaged generator if there is one; `None` if the names are
        not those of a StyleGAN2.

    Raises:
        ArtifactError: If weights are missing or do not fit each other, it is a variant that we do not have, or a
            discriminator alone.
    """
    pair = find_pair(checkpoint)
    layout, judged = _layout_of(pair.generator, GENERATORS), _layout_of(pair.discriminator, DISCRIMINATORS)
    if layout is None and judged is None:
        return None
    network = check_has_generator(pair, checkpoint, where)
    if layout is None:
        raise ArtifactError(f"{where}: must hold the generator of its StyleGAN2. Received: another network")
    try:
        return _made(checkpoint, network, layout, pair.discriminator, judged, pair.notes)
    except ArtifactError as error:
        raise ArtifactError(f"{where}: {error}") from error


def _layout_of(network: ForeignNetwork | None, layouts: tuple[WeightLayout, ...]) -> WeightLayout | None:
    return next((layout for layout in layouts if network is not None and layout.needs in network.arrays), None)


def _made(
    checkpoint: ForeignCheckpoint,
    network: ForeignNetwork,
    layout: WeightLayout,
    judge: ForeignNetwork | None,
    judged: WeightLayout | None,
    notes: list[str],
) -> Opened:
    if any(key.startswith("mapping/LabelConcat") for key in network.arrays):
        raise ArtifactError(
            "a StyleGAN2 of TensorFlow must have no classes, or be of StyleGAN2-ADA. "
            "Received: labels as in the code of 2019"
        )
    for one in (network, judge):
        if one is not None:
            _check_settings(one)
    arrays, origins, left = layout.convert(network.arrays)
    if "styles/average" not in arrays and "latent_avg" in checkpoint.arrays:
        arrays["styles/average"] = np.asarray(checkpoint.arrays["latent_avg"], np.float32).reshape(-1)
        origins["styles/average"] = "latent_avg"
    config = _generator_config(arrays, network)
    (generator,) = build_for(lambda: [StyleGAN2Generator(**config)], [arrays], "a StyleGAN2")
    report = _assign(generator, arrays, origins, optional=("styles/average",))
    if "styles/average" not in arrays:
        _measure_average(generator, report)
    report.notes += [_in_words(layout, config), *notes]
    _add_left(report, network, left)

    discriminator = None
    if judge is not None and judged is not None:
        arrays, origins, left = judged.convert(judge.arrays)
        other = _discriminator_config(arrays, judge)
        (discriminator,) = build_for(lambda: [StyleGAN2Discriminator(**other)], [arrays], "a StyleGAN2")
        report += _assign(discriminator, arrays, origins)
        _add_left(report, judge, left)
        same = ("image_size", "channels", "num_classes")
        if any(getattr(generator, key) != getattr(discriminator, key) for key in same):
            raise ArtifactError(
                "generator and discriminator of a checkpoint must be of the same images and classes. Received: "
                f"{[getattr(generator, key) for key in same]} and {[getattr(discriminator, key) for key in same]}"
            )
    return generator, discriminator, report


def _generator_config(arrays: Arrays, network: ForeignNetwork) -> dict[str, Any]:
    blocks = 1 + _count(arrays, "block{}_conv0/kernel", start=1)
    depth = _count(arrays, "mapping_{}/kernel")
    (inputs, style_dim), label = _shape(arrays, "mapping_0/kernel", 2), arrays.get("mapping_label/embeddings")
    channels = _shape(arrays, "block0_to_rgb/kernel", 4)[3]
    if label is not None and inputs <= style_dim:
        raise ArtifactError(
            f"a StyleGAN2 with classes must have a mapping of more than {style_dim} inputs. Received: {inputs}"
        )
    return {
        **_sizes([_shape(arrays, f"block{block}_conv1/kernel", 4)[3] for block in range(blocks)]),
        "channels": _channels(channels),
        "latent_dim": inputs if label is None else inputs - style_dim,
        "style_dim": style_dim,
        "mapping_layers": depth,
        "num_classes": None if label is None else len(label),
        "clamp": _argument(network, "conv_clamp", None),
    }


def _discriminator_config(arrays: Arrays, network: ForeignNetwork) -> dict[str, Any]:
    blocks, label = _count(arrays, "block{}_conv0/kernel", start=1), arrays.get("label_table/embeddings")
    filters = [_shape(arrays, f"block{block}_conv0/kernel", 4)[3] for block in range(1, blocks + 1)]
    filters.append(_shape(arrays, "last_conv/kernel", 4)[3])
    return {
        **_sizes(filters[::-1]),
        "channels": _channels(_shape(arrays, "block1_from_rgb/kernel", 4)[2]),
        "num_classes": None if label is None else len(label),
        "label_layers": _count(arrays, "label_{}/kernel"),
        # None stands for the whole batch.
        "group": _argument(network, "mbstd_group_size", 4) or 2**20,
        "clamp": _argument(network, "conv_clamp", None),
    }


def _sizes(filters: list[int]) -> dict[str, int]:
    """Image size, `base` and `most` of a network with so many channels, from 4 pixels on."""
    size, most = 2 ** (len(filters) + 1), max(filters)
    base = filters[-1] * size
    if not SMALLEST <= size <= LARGEST or widths(size, base, most) != filters:
        raise ArtifactError(
            f"a StyleGAN2 must make images of {SMALLEST} to {LARGEST} px from maps of min(base / side, most) channels. "
            f"Received: {filters[:12]}"
        )
    return {"image_size": size, "base": base, "most": most}


def _channels(count: int) -> int:
    if count not in (1, 3):
        raise ArtifactError(f"a StyleGAN2 must make images of 1 or 3 channels. Received: {count}")
    return count


def _count(arrays: Arrays, pattern: str, start: int = 0) -> int:
    count = 0
    while pattern.format(start + count) in arrays:
        count += 1
    return count


def _shape(arrays: Arrays, path: str, rank: int) -> tuple[int, ...]:
    if path not in arrays or arrays[path].ndim != rank:
        found = arrays[path].shape if path in arrays else "none"
        raise ArtifactError(f"a StyleGAN2 must have {path} with {rank} axes. Received: {found}")
    return arrays[path].shape


def _check_settings(network: ForeignNetwork) -> None:
    """Refuses settings that our networks do not have; what is in no file is as in the published program."""
    waiting: list[Any] = [network.arguments]
    while waiting:
        for name, value in waiting.pop().items():
            if isinstance(value, dict):
                waiting.append(value)
            elif name in SETTINGS and value not in SETTINGS[name]:
                allowed = " or ".join(str(one) for one in SETTINGS[name])
                raise ArtifactError(f"`{name}` of a StyleGAN2 must be {allowed}. Received: {str(value)[:60]}")
    for name, array in network.arrays.items():
        taps = np.outer(TAPS, TAPS) / np.sum(TAPS) ** 2
        if re.search(r"resample_filter$|(blur|upsample|skip\.0|conv2\.0)\.kernel$", name):
            sums = array.sum() if array.shape == taps.shape else 0.0
            if not sums or np.abs(array / sums - taps).max() > 1e-5:
                raise ArtifactError(f"{name} of a StyleGAN2 must be the filter {list(TAPS)}. Received: another")


def _argument(network: ForeignNetwork, name: str, default: Any) -> Any:
    """A number among the arguments of a network, which come in dicts within dicts."""
    waiting: list[Any] = [network.arguments]
    while waiting:
        some = waiting.pop()
        if name in some:
            value = some[name]
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not value > 0):
                raise ArtifactError(f"`{name}` of a StyleGAN2 must be a number above 0, or none. Received: {value}")
            return value
        waiting += [value for value in some.values() if isinstance(value, dict)]
    return default


def _assign(network: keras.Model, arrays: Arrays, origins: dict[str, str], optional: Iterable[str] = ()) -> LoadReport:
    """All arrays into all weights."""
    wanted, report = named_weights(network), LoadReport()
    missing = set(wanted) - set(arrays) - set(optional)
    surplus = {path: array.shape for path, array in arrays.items() if path not in wanted}
    wrong = {
        path: array.shape
        for path, array in arrays.items()
        if path in wanted and array.shape != tuple(wanted[path].shape)
    }
    if missing or surplus or wrong:
        raise ArtifactError(
            f"the {network.name} of a StyleGAN2 must have all weights of one of {network.image_size} pixels. Received: "
            f"missing {sorted(missing)[:3]}, superfluous {sorted(surplus)[:3]}, of another shape "
            f"{[f'{origins[path]} {shape}' for path, shape in wrong.items()][:3]}"
        )
    for path, variable in wanted.items():
        if path in arrays:
            check_floats(arrays[path], origins[path], network.name)
            variable.assign(arrays[path])
            size = int(np.prod(variable.shape))
            report.add(
                "copied" if arrays[path].ndim < 2 else "transposed",
                f"{network.name}/{path}",
                size,
                f"from {origins[path]}",
            )
    return report


def _measure_average(generator: StyleGAN2Generator, report: LoadReport) -> None:
    mapping = keras.Model(generator.input, generator.get_layer("w").output)
    average = generator.get_layer("styles").average
    rng, classes = np.random.default_rng(0), generator.num_classes
    at_once = max(1, MAX_NUMBERS // max(generator.latent_dim, generator.style_dim))
    total, count = np.zeros(average.shape), max(1, min(SAMPLES, 100 * at_once))
    for start in range(0, count, at_once):
        some = min(at_once, count - start)
        inputs: Any = tf.constant(rng.standard_normal((some, generator.latent_dim), np.float32))
        if classes is not None:
            inputs = [inputs, tf.range(start, start + some) % classes]
        total += mapping(inputs).numpy().sum(0)
    average.assign(total / count)
    report.add(
        "resized", f"{generator.name}/styles/average", int(np.prod(average.shape)), f"the mean over {count} latents"
    )


def _add_left(report: LoadReport, network: ForeignNetwork, left: list[str]) -> None:
    for name in left:
        report.add("skipped", name, network.arrays[name].size, f"shape {network.arrays[name].shape}")


def _in_words(layout: WeightLayout, config: dict[str, Any]) -> str:
    classes = f"{config['num_classes']} classes" if config["num_classes"] else "no classes"
    return (
        f"Recognised as {layout.program}: {config['image_size']} px, {config['channels']} channels, {classes}, "
        f"base {config['base']}, most {config['most']}, latents of {config['latent_dim']}, w of {config['style_dim']}, "
        f"{config['mapping_layers']} mapping layers, "
        f"{'no clamp' if config['clamp'] is None else 'clamp ' + format(config['clamp'], 'g')}."
    )
