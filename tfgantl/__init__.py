"""tfgantl: adapt a GAN to your images, know whether the transfer helped, and serve it.

Everything but the specifications of networks is imported when it is first used, so that `import tfgantl` takes a tenth
of a second and no TensorFlow.

    import tfgantl
    result = tfgantl.adapt(target=tfgantl.Folder("my_pictures"), transfer=tfgantl.transfer.FreezeD(), steps=500)
    result.verdict, result.metrics, result.generator, result.report
"""

from importlib import import_module
from typing import TYPE_CHECKING

from tfgantl import keras_objects
from tfgantl.models.families import *  # noqa: F403
from tfgantl.models.families import NAMES as _FAMILIES

if TYPE_CHECKING:
    from tfgantl import recognition, transfer
    from tfgantl.api import (
        adapt,
        describe,
        evaluate,
        generate,
        imagine,
        load_extractor,
        load_generator,
        load_source,
        pretrain,
        publish,
        recognize,
        stylize,
    )
    from tfgantl.data import (
        ArrayRecords,
        Arrays,
        Folder,
        HandwrittenDigits,
        HFDataset,
        Parquet,
        RenderedDigits,
        Tfds,
        TFRecords,
        WebDataset,
    )
    from tfgantl.gan import GAN
    from tfgantl.pipelines.edit.editor import Editor

__version__ = "0.2.0"

__all__ = [
    "GAN", "ArrayRecords", "Arrays", "Editor", "Folder", "HFDataset", "HandwrittenDigits", "Parquet", "RenderedDigits",
    "TFRecords", "Tfds", "WebDataset", "__version__", "adapt", "describe", "evaluate", "generate", "imagine",
    "load_extractor", "load_generator", "load_source", "pretrain", "publish", "recognition", "recognize", "stylize",
    "transfer",
]  # fmt: skip
__all__.extend(_FAMILIES)

_MODULES = {
    "tfgantl.api": (
        "adapt", "describe", "evaluate", "generate", "imagine", "load_extractor", "load_generator", "load_source",
        "pretrain", "publish", "recognize", "stylize",
    ),
    "tfgantl.data": (
        "ArrayRecords", "Arrays", "Folder", "HFDataset", "HandwrittenDigits", "Parquet", "RenderedDigits", "TFRecords",
        "Tfds", "WebDataset",
    ),
    "tfgantl.gan": ("GAN",),
    "tfgantl.pipelines.edit.editor": ("Editor",),
}  # fmt: skip
_NEED_TENSORFLOW = ("Editor", "GAN")
_PACKAGES = ("recognition", "transfer")

keras_objects.register()


def __getattr__(name: str) -> object:
    if name in _PACKAGES:
        return import_module(f"tfgantl.{name}")
    for module, names in _MODULES.items():
        if name in names:
            if name in _NEED_TENSORFLOW:
                import_module("tfgantl.api").start_tensorflow()
            value = globals()[name] = getattr(import_module(module), name)
            return value
    raise AttributeError(f"module 'tfgantl' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
