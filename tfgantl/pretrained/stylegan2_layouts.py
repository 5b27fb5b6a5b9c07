"""From the names and layouts of three programs to those of our StyleGAN2: arrays in, arrays out, no networks.

PyTorch has kernels (out, in, height, width) and dense weights (out, in); TensorFlow has (height, width, in, out) and
(in, out), as we have. Nothing is flipped but the kernels of up-convolutions in the pickles of TensorFlow. Where a
feature map is flattened, all three put channels first.

Reference:
    Karras et al., 2020, https://arxiv.org/abs/1912.04958; the names are facts about files of
    https://github.com/rosinality/stylegan2-pytorch and https://github.com/NVlabs
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tfgantl.errors import intact

Arrays = dict[str, np.ndarray]
Change = Callable[[np.ndarray], np.ndarray]
LABEL_RATE = 0.1  # of the mapping of labels in discriminators of TensorFlow; ours has 0.01


def _kernel(x: np.ndarray) -> np.ndarray:
    return x.reshape(x.shape[-4:]).transpose(2, 3, 1, 0)  # one program has an axis of length 1 before the four


def _flat(x: np.ndarray) -> np.ndarray:
    return x.reshape(-1)


def _first_dense(x: np.ndarray) -> np.ndarray:
    """(out, channels · 16), channels first → (16 · channels, out), channels last."""
    return x.reshape(x.shape[0], -1, 4, 4).transpose(2, 3, 1, 0).reshape(-1, x.shape[0])


def _same(x: np.ndarray) -> np.ndarray:
    return x


def _transposed(x: np.ndarray) -> np.ndarray:
    return x.T


def _constant(x: np.ndarray) -> np.ndarray:
    return x.reshape(x.shape[-3:]).transpose(1, 2, 0)


def _map(x: np.ndarray) -> np.ndarray:
    return x.reshape(x.shape[-2:])


def _scalar(x: np.ndarray) -> np.ndarray:
    return x.reshape(())


@dataclass(frozen=True)
class Rule:
    """One pattern of names, what it is called here, and how its arrays are laid out here.

    Args:
        pattern: Of the whole name; groups are numbers.
        name: Path in our network, from the numbers and the size of the largest feature map, as log2.
        change: Brings an array into our layout.
    """

    pattern: str
    name: Callable[[list[int], int], str]
    change: Change


@dataclass(frozen=True)
class WeightLayout:
    """How one program names the weights of one network.

    Args:
        program: For reports.
        needs: A name that no other layout has.
        rules: For all that is needed.
        unused: Pattern of the names that are not: filters, which are constants.
    """

    program: str
    needs: str
    rules: tuple[Rule, ...]
    unused: str = r"$^"

    def convert(self, arrays: Arrays) -> tuple[Arrays, dict[str, str], list[str]]:
        """Brings arrays under our names and into our layout.

        Args:
            arrays: By the names of the program.

        Returns:
            `(converted, origins, left)`: path → array, path → name, and names that were not used.

        Raises:
            ArtifactError: If an array cannot be brought into our layout.
        """
        converted: Arrays = {}
        origins, left = {}, []
        largest = max(
            (int(side) for name in arrays for side in re.findall(r"(?:^|[./])b?(\d+)(?:x|\.)", name)), default=4
        )
        top = largest.bit_length() - 1
        for name, array in arrays.items():
            for rule in self.rules:
                matched = re.fullmatch(rule.pattern, name)
                if matched:
                    path = rule.name([int(group) for group in matched.groups()], top)
                    with intact(f"{name} of a StyleGAN2 must fit {path}"):
                        converted[path] = np.asarray(rule.change(array), np.float32)
                    origins[path] = name
                    break
            else:
                if not re.fullmatch(self.unused, name):
                    left.append(name)
        return converted, origins, left


def _fixed(name: str) -> Callable[[list[int], int], str]:
    return lambda numbers, top: name


def _numbered(name: str, offset: int = 0) -> Callable[[list[int], int], str]:
    return lambda numbers, top: name.format(numbers[0] + offset)


def _suffixed(name: Callable[[list[int], int], str], part: str) -> Callable[[list[int], int], str]:
    return lambda numbers, top: name(numbers, top) + part


def _noise(numbers: list[int], top: int) -> str:
    return f"block{(numbers[0] + 1) // 2}_conv{1 if numbers[0] == 0 else (numbers[0] + 1) % 2}_noise/map"


def _in_block(part: str) -> Callable[[list[int], int], str]:
    """Blocks that are named by their side, with the number of the convolution behind it if there is one."""
    return lambda numbers, top: f"block{numbers[0].bit_length() - 3}_" + part.format(*numbers[1:])


def _from_image(part: str) -> Callable[[list[int], int], str]:
    """The same, counted from the image."""
    return lambda numbers, top: f"block{top - numbers[0].bit_length() + 2}_" + part.format(*numbers[1:])


def _rosinality_layer(pattern: str, name: Callable[[list[int]], str]) -> list[Rule]:
    """The parts of one of its modulated convolutions."""
    parts = {
        r"conv\.weight": ("/kernel", _kernel), r"conv\.modulation\.weight": ("_style/kernel", _transposed),
        r"conv\.modulation\.bias": ("_style/bias", _same), r"(?:activate\.)?bias": ("_bias/bias", _flat),
        r"noise\.weight": ("_noise/strength", _scalar),
    }  # fmt: skip
    return [
        Rule(rf"{pattern}\.{end}", _suffixed(lambda numbers, top: name(numbers), part), change)
        for end, (part, change) in parts.items()
    ]


ROSINALITY_GENERATOR = WeightLayout(
    "stylegan2-pytorch of rosinality", "conv1.conv.modulation.weight",
    (
        Rule(r"style\.(\d+)\.weight", _numbered("mapping_{}/kernel", -1), _transposed),
        Rule(r"style\.(\d+)\.bias", _numbered("mapping_{}/bias", -1), _same),
        Rule(r"input\.input", _fixed("block0_constant/constant"), _constant),
        Rule(r"noises\.noise_(\d+)", _noise, _map),
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
        Rule(r"convs\.0\.0\.weight", _fixed("block1_from_rgb/kernel"), _kernel),
        Rule(r"convs\.0\.1\.bias", _fixed("block1_from_rgb/bias"), _same),
        Rule(r"convs\.(\d+)\.conv1\.0\.weight", _numbered("block{}_conv0/kernel"), _kernel),
        Rule(r"convs\.(\d+)\.conv1\.1\.bias", _numbered("block{}_conv0/bias"), _same),
        Rule(r"convs\.(\d+)\.conv2\.1\.weight", _numbered("block{}_conv1/kernel"), _kernel),
        Rule(r"convs\.(\d+)\.conv2\.2\.bias", _numbered("block{}_conv1/bias"), _same),
        Rule(r"convs\.(\d+)\.skip\.1\.weight", _numbered("block{}_skip/kernel"), _kernel),
        Rule(r"final_conv\.0\.weight", _fixed("last_conv/kernel"), _kernel),
        Rule(r"final_conv\.1\.bias", _fixed("last_conv/bias"), _same),
        Rule(r"final_linear\.0\.weight", _fixed("last_dense/kernel"), _first_dense),
        Rule(r"final_linear\.0\.bias", _fixed("last_dense/bias"), _same),
        Rule(r"final_linear\.1\.weight", _fixed("logits/kernel"), _transposed),
        Rule(r"final_linear\.1\.bias", _fixed("logits/bias"), _same),
    ),
    r"convs\.\d+\.(conv2|skip)\.0\.kernel",
)  # fmt: skip

_B = r"synthesis\.b(\d+)\."
NVIDIA_GENERATOR = WeightLayout(
    "StyleGAN2-ADA of NVIDIA, in PyTorch", "synthesis.b4.const",
    (
        Rule(r"mapping\.fc(\d+)\.weight", _numbered("mapping_{}/kernel"), _transposed),
        Rule(r"mapping\.fc(\d+)\.bias", _numbered("mapping_{}/bias"), _same),
        Rule(r"mapping\.embed\.weight", _fixed("mapping_label/embeddings"), _transposed),
        Rule(r"mapping\.embed\.bias", _fixed("mapping_label/bias"), _same),
        Rule(r"mapping\.w_avg", _fixed("styles/average"), _same),
        Rule(r"synthesis\.b4\.const", _fixed("block0_constant/constant"), _constant),
        Rule(_B + r"conv(\d)\.weight", _in_block("conv{}/kernel"), _kernel),
        Rule(_B + r"conv(\d)\.bias", _in_block("conv{}_bias/bias"), _same),
        Rule(_B + r"conv(\d)\.affine\.weight", _in_block("conv{}_style/kernel"), _transposed),
        Rule(_B + r"conv(\d)\.affine\.bias", _in_block("conv{}_style/bias"), _same),
        Rule(_B + r"conv(\d)\.noise_strength", _in_block("conv{}_noise/strength"), _scalar),
        Rule(_B + r"conv(\d)\.noise_const", _in_block("conv{}_noise/map"), _map),
        Rule(_B + r"torgb\.weight", _in_block("to_rgb/kernel"), _kernel),
        Rule(_B + r"torgb\.bias", _in_block("to_rgb_bias/bias"), _same),
        Rule(_B + r"torgb\.affine\.weight", _in_block("to_rgb_style/kernel"), _transposed),
        Rule(_B + r"torgb\.affine\.bias", _in_block("to_rgb_style/bias"), _same),
    ),
    r".*\.resample_filter",
)  # fmt: skip

NVIDIA_DISCRIMINATOR = WeightLayout(
    "StyleGAN2-ADA of NVIDIA, in PyTorch", "b4.fc.weight",
    (
        Rule(r"b(\d+)\.fromrgb\.weight", _from_image("from_rgb/kernel"), _kernel),
        Rule(r"b(\d+)\.fromrgb\.bias", _from_image("from_rgb/bias"), _same),
        Rule(r"b(\d+)\.conv(\d)\.weight", _from_image("conv{}/kernel"), _kernel),
        Rule(r"b(\d+)\.conv(\d)\.bias", _from_image("conv{}/bias"), _same),
        Rule(r"b(\d+)\.skip\.weight", _from_image("skip/kernel"), _kernel),
        Rule(r"b4\.conv\.weight", _fixed("last_conv/kernel"), _kernel),
        Rule(r"b4\.conv\.bias", _fixed("last_conv/bias"), _same),
        Rule(r"b4\.fc\.weight", _fixed("last_dense/kernel"), _first_dense),
        Rule(r"b4\.fc\.bias", _fixed("last_dense/bias"), _same),
        Rule(r"b4\.out\.weight", _fixed("logits/kernel"), _transposed),
        Rule(r"b4\.out\.bias", _fixed("logits/bias"), _same),
        Rule(r"mapping\.embed\.weight", _fixed("label_table/embeddings"), _transposed),
        Rule(r"mapping\.embed\.bias", _fixed("label_table/bias"), _same),
        Rule(r"mapping\.fc(\d+)\.weight", _numbered("label_{}/kernel"), _transposed),
        Rule(r"mapping\.fc(\d+)\.bias", _numbered("label_{}/bias"), _same),
    ),
    r".*\.resample_filter",
)  # fmt: skip


def _tensorflow_layer(pattern: str, name: Callable[[list[int], int], str], kernel: Change) -> list[Rule]:
    parts: dict[str, tuple[str, Change]] = {
        "weight": ("/kernel", kernel), "mod_weight": ("_style/kernel", _same),
        "mod_bias": ("_style/bias", lambda x: x + 1.0), "bias": ("_bias/bias", _same),
        "noise_strength": ("_noise/strength", _scalar),
    }  # fmt: skip
    return [Rule(rf"{pattern}/{end}", _suffixed(name, part), change) for end, (part, change) in parts.items()]


_S = r"synthesis/(\d+)x\d+/"
TENSORFLOW_GENERATOR = WeightLayout(
    "StyleGAN2 of NVIDIA, in TensorFlow", "synthesis/4x4/Const/const",
    (
        Rule(r"mapping/Dense(\d+)/weight", _numbered("mapping_{}/kernel"), _same),
        Rule(r"mapping/Dense(\d+)/bias", _numbered("mapping_{}/bias"), _same),
        Rule(r"mapping/LabelEmbed/weight", _fixed("mapping_label/embeddings"), _same),
        Rule(r"mapping/LabelEmbed/bias", _fixed("mapping_label/bias"), _same),
        Rule(r"dlatent_avg", _fixed("styles/average"), _same),
        Rule(r"synthesis/4x4/Const/const", _fixed("block0_constant/constant"), _constant),
        Rule(r"synthesis/noise(\d+)", _noise, _map),
        *_tensorflow_layer(r"synthesis/4x4/Conv", _fixed("block0_conv1"), _same),
        *_tensorflow_layer(_S + "Conv0_up", _in_block("conv0"), lambda x: x[::-1, ::-1]),
        *_tensorflow_layer(_S + "Conv1", _in_block("conv1"), _same),
        *_tensorflow_layer(_S + "ToRGB", _in_block("to_rgb"), _same),
    ),
    r"(.*/)?lod",
)  # fmt: skip


def _label_rate(x: np.ndarray) -> np.ndarray:
    return x * (LABEL_RATE / 0.01)


TENSORFLOW_DISCRIMINATOR = WeightLayout(
    "StyleGAN2 of NVIDIA, in TensorFlow", "4x4/Dense0/weight",
    (
        Rule(r"(\d+)x\d+/FromRGB/weight", _from_image("from_rgb/kernel"), _same),
        Rule(r"(\d+)x\d+/FromRGB/bias", _from_image("from_rgb/bias"), _same),
        Rule(r"(\d+)x\d+/Conv(\d)(?:_down)?/weight", _from_image("conv{}/kernel"), _same),
        Rule(r"(\d+)x\d+/Conv(\d)(?:_down)?/bias", _from_image("conv{}/bias"), _same),
        Rule(r"(\d+)x\d+/Skip/weight", _from_image("skip/kernel"), _same),
        Rule(r"4x4/Conv/weight", _fixed("last_conv/kernel"), _same),
        Rule(r"4x4/Conv/bias", _fixed("last_conv/bias"), _same),
        Rule(r"4x4/Dense0/weight", _fixed("last_dense/kernel"), lambda x: _first_dense(x.T)),
        Rule(r"4x4/Dense0/bias", _fixed("last_dense/bias"), _same),
        Rule(r"Output/weight", _fixed("logits/kernel"), _same),
        Rule(r"Output/bias", _fixed("logits/bias"), _same),
        Rule(r"LabelEmbed/weight", _fixed("label_table/embeddings"), _same),
        Rule(r"LabelEmbed/bias", _fixed("label_table/bias"), _same),
        Rule(r"Mapping(\d+)/weight", _numbered("label_{}/kernel"), _label_rate),
        Rule(r"Mapping(\d+)/bias", _numbered("label_{}/bias"), _label_rate),
    ),
    r"(.*/)?lod",
)  # fmt: skip

GENERATORS = (ROSINALITY_GENERATOR, NVIDIA_GENERATOR, TENSORFLOW_GENERATOR)
DISCRIMINATORS = (ROSINALITY_DISCRIMINATOR, NVIDIA_DISCRIMINATOR, TENSORFLOW_DISCRIMINATOR)
