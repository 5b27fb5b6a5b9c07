"""Lets Keras find the classes of this package in its files without importing TensorFlow beforehand.

After `import tfgantl`, in whichever order with `import keras`, `keras.models.load_model` reads what the package has
saved. Keras looks its own registry up by the name of a class. There, each name stands for a placeholder that imports
the real class once a file asks for it.
"""

import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PACKAGE = "tfgantl"
# Beside the networks of the families and layers that are theirs alone.
MODULES = {
    "tfgantl.adaptive": ("AdaptiveAugment",),
    "tfgantl.augment": ("DiffAugment",),
    "tfgantl.crossmodal.text_encoder": ("TextEncoder",),
    "tfgantl.crossmodal.wrapped_text": ("WrappedTextEncoder",),
    "tfgantl.gan": ("GAN",),
    "tfgantl.models.ensemble": ("EnsembleDiscriminator",),
    "tfgantl.models.layers.batch_normalization": ("BatchNormalization",),
    "tfgantl.models.layers.caption_vectors": ("CaptionVectors",),
    "tfgantl.models.layers.convolution": ("Conv2D", "Conv2DTranspose"),
    "tfgantl.models.layers.gates": ("GatedLinearUnit",),
    "tfgantl.models.layers.noise": ("Noise",),
    "tfgantl.models.layers.resampling": ("DoublingConv2D", "HalvingSpectralConv2D"),
    "tfgantl.models.layers.dropout": ("Dropout",),
    "tfgantl.models.layers.linear_resizing": ("LinearResizing",),
    "tfgantl.models.layers.spectral": ("SpectralConv2D", "SpectralDense"),
    "tfgantl.models.mined": ("MinedGenerator",),
    "tfgantl.models.projected": ("ProjectedDiscriminator",),
    "tfgantl.models.style_discriminator": ("StyleDiscriminator",),
    "tfgantl.models.stylizer": ("ConditionalInstanceNorm", "ReflectionPadding", "Stylizer"),
    "tfgantl.models.vgg": ("ConstantConv2D", "FusedConv2D", "ImageNetPreprocessing"),
    "tfgantl.optimizers": ("Adam",),
    "tfgantl.path_length": ("PathLength",),
    "tfgantl.pretrained.wrap": ("UniformNoise", "WrappedGenerator"),
    "tfgantl.recognition.domain_classifier": ("DomainClassifier",),
    "tfgantl.regularizers": ("AdaptivePseudoAugment", "LeCam"),
    "tfgantl.training.rates": ("ScaledRate",),
}


def register() -> None:
    """Registers the classes with Keras: now, if it has been imported, and as soon as it is imported otherwise."""
    keras = sys.modules.get("keras")
    if keras is None:
        sys.meta_path.insert(0, _KerasFinder())
    elif hasattr(keras, "saving"):
        _register_with(keras)


def _register_with(keras: ModuleType) -> None:
    registry = keras.saving.get_custom_objects()
    for module, name in classes():
        registry.setdefault(f"{PACKAGE}>{name}", _placeholder(module, name))


def classes() -> list[tuple[str, str]]:
    """Module and name of every class that files can hold: those of all network families, and others."""
    from tfgantl.models.families import FAMILIES

    of_families = [path.partition(":") for family in FAMILIES for path in (*family.classes, *family.own_layers)]
    others = [(module, name) for module, names in MODULES.items() for name in names]
    return [(module, name) for module, _, name in of_families] + others


def _placeholder(module: str, name: str) -> type:
    """A class that does for Keras what it needs of the real one, which replaces it when it is imported."""

    def from_config(cls: type, config: dict[str, Any]) -> Any:
        return getattr(importlib.import_module(module), name).from_config(config)

    return type(name, (), {"from_config": classmethod(from_config)})


class _KerasFinder(importlib.abc.MetaPathFinder):
    """Finds Keras as it would be found without it, and registers the classes once Keras is there."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            loader = spec.loader
            execute = loader.exec_module

            def execute_and_register(module: ModuleType) -> None:
                del loader.exec_module
                execute(module)
                _register_with(module)

            loader.exec_module = execute_and_register  # type: ignore[method-assign]  # for one call
        return spec
