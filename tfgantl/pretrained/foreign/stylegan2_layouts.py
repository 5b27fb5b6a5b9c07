"""From the names and layouts of three programs to those of our StyleGAN2: arrays in, arrays out, no networks.

PyTorch has kernels (out, in, height, width) and dense weights (out, in); TensorFlow has (height, width, in, out) and
(in, out), as we have. Nothing is flipped but the kernels of up-convolutions in the pickles of TensorFlow. Where a
feature map is flattened, all three put channels first.

Reference:
    Karras et al., 2020, https://arxiv.org/abs/1912.04958; the names are facts about files of
    https://github.com/rosinality/stylegan2-pytorch and https://github.com/NVlabs
"""

from collections.abc import Callable

import numpy as np

from tfgantl.pretrained.foreign.stylegan2_rules import (
    Change,
    Rule,
    WeightLayout,
    as_constant,
    as_first_dense,
    as_flat,
    as_kernel,
    as_map,
    as_same,
    as_scalar,
    as_transposed,
    fixed,
    from_image,
    in_block,
    noise_name,
    numbered,
    suffixed,
)

LABEL_RATE = 0.1  # of the mapping of labels in discriminators of TensorFlow; ours has 0.01


def _rosinality_layer(pattern: str, name: Callable[[list[int]], str]) -> list[Rule]:
    """The parts of one of its modulated convolutions."""
    parts = {
        r"conv\.weight": ("/kernel", as_kernel), r"conv\.modulation\.weight": ("_style/kernel", as_transposed),
        r"conv\.modulation\.bias": ("_style/bias", as_same), r"(?:activate\.)?bias": ("_bias/bias", as_flat),
        r"noise\.weight": ("_noise/strength", as_scalar),
    }  # fmt: skip
    return [
        Rule(rf"{pattern}\.{end}", suffixed(lambda numbers, top: name(numbers), part), change)
        for end, (part, change) in parts.items()
    ]


ROSINALITY_GENERATOR = WeightLayout(
    "stylegan2-pytorch of rosinality", "conv1.conv.modulation.weight",
    (
        Rule(r"style\.(\d+)\.weight", numbered("mapping_{}/kernel", -1), as_transposed),
        Rule(r"style\.(\d+)\.bias", numbered("mapping_{}/bias", -1), as_same),
        Rule(r"input\.input", fixed("block0_constant/constant"), as_constant),
        Rule(r"noises\.noise_(\d+)", noise_name, as_map),
        *_rosinality_layer("conv1", lambda numbers: "block0_conv1"),
        *_rosinality_layer("to_rgb1", lambda numbers: "block0_to_rgb"),
        *_rosinality_layer(r"convs\.(\d+)", lambda numbers: f"block{numbers[0] // 2 + 1}_conv{numbers[0] % 2}"),
        *_rosinality_layer(r"to_rgbs\.(\d+)", lambda numbers: f"block{numbers[0] + 1}_to_rgb"),
    ),
    r".*\.(blur|upsample)\.kernel",
)  # fmt: skip

ROSINALITY_DISCRIMINATOR = WeightLayout(
    "stylegan2-pytorch of rosinality", "final_linear.0.weight",
    (
        Rule(r"convs\.0\.0\.weight", fixed("block1_from_rgb/kernel"), as_kernel),
        Rule(r"convs\.0\.1\.bias", fixed("block1_from_rgb/bias"), as_same),
        Rule(r"convs\.(\d+)\.conv1\.0\.weight", numbered("block{}_conv0/kernel"), as_kernel),
        Rule(r"convs\.(\d+)\.conv1\.1\.bias", numbered("block{}_conv0/bias"), as_same),
        Rule(r"convs\.(\d+)\.conv2\.1\.weight", numbered("block{}_conv1/kernel"), as_kernel),
        Rule(r"convs\.(\d+)\.conv2\.2\.bias", numbered("block{}_conv1/bias"), as_same),
        Rule(r"convs\.(\d+)\.skip\.1\.weight", numbered("block{}_skip/kernel"), as_kernel),
        Rule(r"final_conv\.0\.weight", fixed("last_conv/kernel"), as_kernel),
        Rule(r"final_conv\.1\.bias", fixed("last_conv/bias"), as_same),
        Rule(r"final_linear\.0\.weight", fixed("last_dense/kernel"), as_first_dense),
        Rule(r"final_linear\.0\.bias", fixed("last_dense/bias"), as_same),
        Rule(r"final_linear\.1\.weight", fixed("logits/kernel"), as_transposed),
        Rule(r"final_linear\.1\.bias", fixed("logits/bias"), as_same),
    ),
    r"convs\.\d+\.(conv2|skip)\.0\.kernel",
)  # fmt: skip

_B = r"synthesis\.b(\d+)\."
NVIDIA_GENERATOR = WeightLayout(
    "StyleGAN2-ADA of NVIDIA, in PyTorch", "synthesis.b4.const",
    (
        Rule(r"mapping\.fc(\d+)\.weight", numbered("mapping_{}/kernel"), as_transposed),
        Rule(r"mapping\.fc(\d+)\.bias", numbered("mapping_{}/bias"), as_same),
        Rule(r"mapping\.embed\.weight", fixed("mapping_label/embeddings"), as_transposed),
        Rule(r"mapping\.embed\.bias", fixed("mapping_label/bias"), as_same),
        Rule(r"mapping\.w_avg", fixed("styles/average"), as_same),
        Rule(r"synthesis\.b4\.const", fixed("block0_constant/constant"), as_constant),
        Rule(_B + r"conv(\d)\.weight", in_block("conv{}/kernel"), as_kernel),
        Rule(_B + r"conv(\d)\.bias", in_block("conv{}_bias/bias"), as_same),
        Rule(_B + r"conv(\d)\.affine\.weight", in_block("conv{}_style/kernel"), as_transposed),
        Rule(_B + r"conv(\d)\.affine\.bias", in_block("conv{}_style/bias"), as_same),
        Rule(_B + r"conv(\d)\.noise_strength", in_block("conv{}_noise/strength"), as_scalar),
        Rule(_B + r"conv(\d)\.noise_const", in_block("conv{}_noise/map"), as_map),
        Rule(_B + r"torgb\.weight", in_block("to_rgb/kernel"), as_kernel),
        Rule(_B + r"torgb\.bias", in_block("to_rgb_bias/bias"), as_same),
        Rule(_B + r"torgb\.affine\.weight", in_block("to_rgb_style/kernel"), as_transposed),
        Rule(_B + r"torgb\.affine\.bias", in_block("to_rgb_style/bias"), as_same),
    ),
    r".*\.resample_filter",
)  # fmt: skip

NVIDIA_DISCRIMINATOR = WeightLayout(
    "StyleGAN2-ADA of NVIDIA, in PyTorch", "b4.fc.weight",
    (
        Rule(r"b(\d+)\.fromrgb\.weight", from_image("from_rgb/kernel"), as_kernel),
        Rule(r"b(\d+)\.fromrgb\.bias", from_image("from_rgb/bias"), as_same),
        Rule(r"b(\d+)\.conv(\d)\.weight", from_image("conv{}/kernel"), as_kernel),
        Rule(r"b(\d+)\.conv(\d)\.bias", from_image("conv{}/bias"), as_same),
        Rule(r"b(\d+)\.skip\.weight", from_image("skip/kernel"), as_kernel),
        Rule(r"b4\.conv\.weight", fixed("last_conv/kernel"), as_kernel),
        Rule(r"b4\.conv\.bias", fixed("last_conv/bias"), as_same),
        Rule(r"b4\.fc\.weight", fixed("last_dense/kernel"), as_first_dense),
        Rule(r"b4\.fc\.bias", fixed("last_dense/bias"), as_same),
        Rule(r"b4\.out\.weight", fixed("logits/kernel"), as_transposed),
        Rule(r"b4\.out\.bias", fixed("logits/bias"), as_same),
        Rule(r"mapping\.embed\.weight", fixed("label_table/embeddings"), as_transposed),
        Rule(r"mapping\.embed\.bias", fixed("label_table/bias"), as_same),
        Rule(r"mapping\.fc(\d+)\.weight", numbered("label_{}/kernel"), as_transposed),
        Rule(r"mapping\.fc(\d+)\.bias", numbered("label_{}/bias"), as_same),
    ),
    r".*\.resample_filter",
)  # fmt: skip


def _tensorflow_layer(pattern: str, name: Callable[[list[int], int], str], kernel: Change) -> list[Rule]:
    parts: dict[str, tuple[str, Change]] = {
        "weight": ("/kernel", kernel), "mod_weight": ("_style/kernel", as_same),
        "mod_bias": ("_style/bias", lambda x: x + 1.0), "bias": ("_bias/bias", as_same),
        "noise_strength": ("_noise/strength", as_scalar),
    }  # fmt: skip
    return [Rule(rf"{pattern}/{end}", suffixed(name, part), change) for end, (part, change) in parts.items()]


_S = r"synthesis/(\d+)x\d+/"
TENSORFLOW_GENERATOR = WeightLayout(
    "StyleGAN2 of NVIDIA, in TensorFlow", "synthesis/4x4/Const/const",
    (
        Rule(r"mapping/Dense(\d+)/weight", numbered("mapping_{}/kernel"), as_same),
        Rule(r"mapping/Dense(\d+)/bias", numbered("mapping_{}/bias"), as_same),
        Rule(r"mapping/LabelEmbed/weight", fixed("mapping_label/embeddings"), as_same),
        Rule(r"mapping/LabelEmbed/bias", fixed("mapping_label/bias"), as_same),
        Rule(r"dlatent_avg", fixed("styles/average"), as_same),
        Rule(r"synthesis/4x4/Const/const", fixed("block0_constant/constant"), as_constant),
        Rule(r"synthesis/noise(\d+)", noise_name, as_map),
        *_tensorflow_layer(r"synthesis/4x4/Conv", fixed("block0_conv1"), as_same),
        *_tensorflow_layer(_S + "Conv0_up", in_block("conv0"), lambda x: x[::-1, ::-1]),
        *_tensorflow_layer(_S + "Conv1", in_block("conv1"), as_same),
        *_tensorflow_layer(_S + "ToRGB", in_block("to_rgb"), as_same),
    ),
    r"(.*/)?lod",
)  # fmt: skip


def _label_rate(x: np.ndarray) -> np.ndarray:
    return x * (LABEL_RATE / 0.01)


TENSORFLOW_DISCRIMINATOR = WeightLayout(
    "StyleGAN2 of NVIDIA, in TensorFlow", "4x4/Dense0/weight",
    (
        Rule(r"(\d+)x\d+/FromRGB/weight", from_image("from_rgb/kernel"), as_same),
        Rule(r"(\d+)x\d+/FromRGB/bias", from_image("from_rgb/bias"), as_same),
        Rule(r"(\d+)x\d+/Conv(\d)(?:_down)?/weight", from_image("conv{}/kernel"), as_same),
        Rule(r"(\d+)x\d+/Conv(\d)(?:_down)?/bias", from_image("conv{}/bias"), as_same),
        Rule(r"(\d+)x\d+/Skip/weight", from_image("skip/kernel"), as_same),
        Rule(r"4x4/Conv/weight", fixed("last_conv/kernel"), as_same),
        Rule(r"4x4/Conv/bias", fixed("last_conv/bias"), as_same),
        Rule(r"4x4/Dense0/weight", fixed("last_dense/kernel"), lambda x: as_first_dense(x.T)),
        Rule(r"4x4/Dense0/bias", fixed("last_dense/bias"), as_same),
        Rule(r"Output/weight", fixed("logits/kernel"), as_same),
        Rule(r"Output/bias", fixed("logits/bias"), as_same),
        Rule(r"LabelEmbed/weight", fixed("label_table/embeddings"), as_same),
        Rule(r"LabelEmbed/bias", fixed("label_table/bias"), as_same),
        Rule(r"Mapping(\d+)/weight", numbered("label_{}/kernel"), _label_rate),
        Rule(r"Mapping(\d+)/bias", numbered("label_{}/bias"), _label_rate),
    ),
    r"(.*/)?lod",
)  # fmt: skip

GENERATORS = (ROSINALITY_GENERATOR, NVIDIA_GENERATOR, TENSORFLOW_GENERATOR)
DISCRIMINATORS = (ROSINALITY_DISCRIMINATOR, NVIDIA_DISCRIMINATOR, TENSORFLOW_DISCRIMINATOR)
