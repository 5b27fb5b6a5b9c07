"""The classes and functions that the configuration of a network may name: exported parts of networks, and no others.

Keras looks names up as attributes of modules, and would call whatever it finds there.
"""

import inspect
import re
import sys
from typing import Any

import keras
from keras.src.ops.operation import Operation

# Public module of Keras → what its parts are.
KINDS = {
    "keras": (keras.Model, keras.dtype_policies.DTypePolicy),
    "keras.constraints": (keras.constraints.Constraint,),
    "keras.dtype_policies": (keras.dtype_policies.DTypePolicy,),
    "keras.initializers": (keras.initializers.Initializer,),
    "keras.layers": (keras.layers.Layer,),
    "keras.models": (keras.Model,),
    "keras.regularizers": (keras.regularizers.Regularizer,),
}
FUNCTIONS = {
    name
    for name, function in vars(keras.activations).items()
    if inspect.isfunction(function) and name not in ("deserialize", "get", "serialize")
}
# Without a public name as classes. Those of `core` include some that call what they are given.
OPERATIONS = tuple(f"keras.src.ops.{name}" for name in ("core", "image", "linalg", "math", "nn", "numpy"))
CALLING = {
    "AssociativeScan",
    "Cond",
    "CustomGradient",
    "DynamicLoop",
    "ForiLoop",
    "Map",
    "Scan",
    "Switch",
    "VectorizedMap",
    "WhileLoop",
}
FUNCTIONAL = ("keras.src.models.functional", "Functional")
VALUES = {"__keras_tensor__", "__tensor__", "__numpy__", "__tuple__", "__ellipsis__", "__slice__"}
ARRAYS, NUMBERS = ("__numpy__", "__tensor__"), re.compile(r"bool|u?int(8|16|32|64)|b?float(16|32|64)")
# Layers that run code of their own, or read files; and maps of types, whose names are patterns without an end.
CODE = {
    "DTypePolicyMap", "FlaxLayer", "Hashing", "IntegerLookup", "JaxLayer", "Lambda", "StringLookup", "TFSMLayer",
    "TextVectorization", "TorchModuleWrapper",
}  # fmt: skip


def _is_value(config: dict[str, Any]) -> bool:
    """Whether it is a value that takes no more room than it is written in: a type of text says how long texts are."""
    if config["class_name"] not in ARRAYS:
        return True
    told = config.get("config")
    dtype = told.get("dtype") if isinstance(told, dict) else None
    return isinstance(dtype, str) and NUMBERS.fullmatch(dtype) is not None


def is_part(config: dict[str, Any]) -> bool:
    """Whether what a configuration names may be built; `config` has a `class_name`."""
    name, module, registered = (config.get(key) for key in ("class_name", "module", "registered_name"))
    if not isinstance(name, str) or not isinstance(registered, str | None) or not isinstance(module, str | None):
        return False
    if name == "function":
        return module == "builtins" and registered in (None, name, config.get("config")) and _is_function(config)
    if registered is not None and registered.startswith("tfgantl>"):  # goes before name and module
        return registered in keras.saving.get_custom_objects()
    if registered not in (None, name) or name in CODE:
        return False
    if module is None:
        return (name in VALUES and _is_value(config)) or _is_exported("keras", name)
    if module in KINDS:
        return _is_exported(module, name)
    return (module, name) == FUNCTIONAL or _is_operation(module, name) or _is_layer(module, name)


def _is_function(config: dict[str, Any]) -> bool:
    return isinstance(config.get("config"), str) and config["config"] in FUNCTIONS


def _is_exported(module: str, name: str) -> bool:
    found = vars(sys.modules[module]).get(name)
    return inspect.isclass(found) and issubclass(found, KINDS[module])


def _is_operation(module: str, name: str) -> bool:
    found = vars(sys.modules[module]).get(name) if module in OPERATIONS and name not in CALLING else None
    return inspect.isclass(found) and issubclass(found, Operation) and found.__module__ == module


def _is_layer(module: str, name: str) -> bool:
    """Whether it is an exported layer by the name of the module that it is written in."""
    found = vars(keras.layers).get(name)
    return inspect.isclass(found) and issubclass(found, keras.layers.Layer) and found.__module__ == module
