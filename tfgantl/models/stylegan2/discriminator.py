"""The discriminator of StyleGAN2, configurations E and F: residual blocks, and the deviation within a batch."""

from typing import Any

import keras
from keras import layers

from tfgantl.models.kernels import Kernel
from tfgantl.models.structure import Block, Structure
from tfgantl.models.stylegan2.batch_layers import MinibatchDeviation
from tfgantl.models.stylegan2.dense_layers import LabelProjection, LabelTable, ScaledDense, UnitRMS
from tfgantl.models.stylegan2.generator import MAPPING_RATE, check_depth, widths
from tfgantl.models.stylegan2.image_layers import ScaledConv2D


@keras.saving.register_keras_serializable(package="tfgantl")
class StyleGAN2Discriminator(keras.Model):
    """Images [and labels] → logits.

    Blocks are named `block1` (next to the image) to `blockN`, each a `conv0`, a `conv1` that halves the side and a
    `skip`; then come `last_conv`, `last_dense` and `logits`. With classes, labels pass a mapping of their own
    (`label_…`), and the logit is the product of features and label.

    Args:
        image_size: Height and width in pixels, a power of 2 of at least 8.
        channels: 1 or 3.
        base: Feature maps of side r have base / r channels,
        most: and at most this many.
        num_classes: Number of classes, or `None` for an unconditional discriminator.
        label_layers: Dense layers of the mapping of labels.
        group: Largest number of images whose deviation is taken, see `MinibatchDeviation`.
        clamp: Bound of feature maps, for networks that were trained with one; `None` for none.
        dtype: Keras dtype policy of the residual blocks.

    Example:
        >>> discriminator = StyleGAN2Discriminator(32, 3, base=512, most=32)
        >>> discriminator(keras.random.normal((4, 32, 32, 3))).shape
        TensorShape([4, 1])

    Reference:
        Karras et al., 2020, https://arxiv.org/abs/1912.04958; with classes: 2020, https://arxiv.org/abs/2006.06676
    """

    def __init__(
        self,
        image_size: int,
        channels: int,
        base: int = 32768,
        most: int = 512,
        num_classes: int | None = None,
        label_layers: int = 8,
        group: int = 4,
        clamp: float | None = None,
        dtype: str = "float32",
        name: str = "discriminator",
        **kwargs: Any,
    ):
        # === Functional Model ===
        check_depth(label_layers, "label_layers", least=0)
        images = keras.Input((image_size, image_size, channels), name="images")
        filters = widths(image_size, base, most)[::-1]
        x = ScaledConv2D(filters[0], 1, clamp=clamp, name="block1_from_rgb", dtype=dtype)(images)
        for block, (width, following) in enumerate(zip(filters[:-1], filters[1:], strict=True), start=1):
            name_ = f"block{block}"
            skip = ScaledConv2D(following, 1, down=True, linear=True, name=f"{name_}_skip", dtype=dtype)(x)
            x = ScaledConv2D(width, clamp=clamp, name=f"{name_}_conv0", dtype=dtype)(x)
            x = ScaledConv2D(following, down=True, clamp=clamp, name=f"{name_}_conv1", dtype=dtype)(x)
            x = layers.Add(name=f"{name_}_sum", dtype=dtype)([x, skip])
            x = layers.Rescaling(0.5**0.5, name=f"{name_}_scaled", dtype=dtype)(x)
        float32: Any = {"dtype": "float32"}
        x = MinibatchDeviation(group, name="last_deviation", **float32)(x)
        x = ScaledConv2D(filters[-1], clamp=clamp, name="last_conv", **float32)(x)
        x = layers.Flatten(name="last_flatten", **float32)(x)
        features = ScaledDense(filters[-1], name="last_dense", **float32)(x)
        inputs: Any = images
        if num_classes is None:
            logits = ScaledDense(1, linear=True, name="logits", **float32)(features)
        else:
            projected = ScaledDense(filters[-1], linear=True, name="logits", **float32)(features)
            labels = keras.Input((), dtype="int32", name="labels")
            inputs = [images, labels]
            label = LabelTable(num_classes, filters[-1], name="label_table", **float32)(labels)
            label = UnitRMS(name="label_norm", **float32)(label)
            for i in range(label_layers):
                label = ScaledDense(filters[-1], MAPPING_RATE, name=f"label_{i}", **float32)(label)
            logits = LabelProjection(name="label_projection", **float32)([projected, label])
        super().__init__(inputs=inputs, outputs=logits, name=name, **kwargs)

        # === Config ===
        self.image_size = image_size
        self.channels = channels
        self.base = base
        self.most = most
        self.num_classes = num_classes
        self.label_layers = label_layers
        self.group = group
        self.clamp = clamp
        self.hidden_dtype = dtype

    def structure(self) -> Structure:
        """Blocks are the residual ones, from the image on, and the last; labels belong to the outputs."""
        groups: dict[str, list[keras.layers.Layer]] = {}
        for layer in self.layers:
            groups.setdefault(layer.name.partition("_")[0], []).append(layer)
        groups.pop("images")
        labels = [layer for layer in [*groups.pop("labels", []), *groups.pop("label", [])] if layer.weights]
        outputs = (*groups.pop("logits"), *labels)
        blocks = [Block(tuple(group), group[-1].output) for group in groups.values()]
        # Places of the last maps see the whole image; those of 16 pixels are what CDC's authors judge patches by.
        features = [group[-1].output for group in groups.values()]
        maps = [x for x in features[:-1] if x.shape[1] >= min(16, self.image_size // 2)]
        return Structure(
            network=self,
            blocks=tuple(blocks),
            norms=(),
            outputs=outputs,
            kernels=tuple(
                Kernel(x.kernel, len(x.kernel.shape) - 1, x.gain) for x in self.layers if hasattr(x, "kernel")
            ),
            label_tables=tuple(x.embeddings for x in labels if isinstance(x, LabelTable)),
            patches=maps[-1],
            core=self,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "image_size": self.image_size,
            "channels": self.channels,
            "base": self.base,
            "most": self.most,
            "num_classes": self.num_classes,
            "label_layers": self.label_layers,
            "group": self.group,
            "clamp": self.clamp,
            "dtype": self.hidden_dtype,
            "name": self.name,
        }
