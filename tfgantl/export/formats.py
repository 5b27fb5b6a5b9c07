"""Models for other runtimes: ONNX and LiteRT, each run once and compared with the Keras model."""

import warnings
from pathlib import Path

import keras
import numpy as np

from tfgantl.errors import ArtifactError, RunError, not_installed, reason
from tfgantl.export.examples import ROWS
from tfgantl.files import Replacing, check_name
from tfgantl.models.inference import predict

SUFFIX = {"onnx": ".onnx", "litert": ".tflite"}
TOLERANCE = 1e-3


def write_format(network: keras.Model, directory: Path, kind: str) -> tuple[Path, float]:
    """Writes a network as one file, with its own inputs and outputs.

    Args:
        network: Float32 network: a generator of latents [and labels], or one that takes images.
        directory: Model directory; the file gets its name.
        kind: `onnx` or `litert`.

    Returns:
        The file, and the largest difference of a number from the Keras model.

    Raises:
        ConfigError: If the directory has no name that a file can have.
        ArtifactError: If a package is not installed, the model cannot be converted, or gives something else.
        RunError: If the file cannot be written.
    """
    check_name(directory.absolute().name)
    shapes = [tensor.shape[1:] for tensor in getattr(network, "inputs", None) or ()]
    if len(shapes) not in (1, 2) or (len(shapes) == 2 and getattr(network, "num_classes", None) is None):
        raise ArtifactError(
            f"`format` {kind} must have a generator of noise, or a network of pictures. Received: "
            f"{type(network).__name__}, which takes something else"
        )
    if any(side is None for shape in shapes for side in shape):
        raise ArtifactError(f"`format` {kind} must have a network of pictures of one size. Received: one of any size")
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((ROWS, *shapes[0]), np.float32)]
    if len(shapes) == 2:
        inputs.append((np.arange(ROWS) % network.num_classes).astype(np.int32))
    expected = predict(network, inputs if len(inputs) > 1 else inputs[0])
    path = directory / f"{directory.absolute().name}{SUFFIX[kind]}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with Replacing(path) as temporary:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # converters look at names that NumPy will not have for ever
                network.export(str(temporary), format=kind, verbose=False)
            found = (_run_onnx if kind == "onnx" else _run_litert)(temporary, inputs)
            difference = float(np.abs(found - expected).max())
            if not difference <= TOLERANCE:
                raise ArtifactError(
                    f"{path}: must give what the Keras model does to {TOLERANCE:g}. Received: {difference:g}"
                )
        return path, difference
    except ArtifactError:
        raise
    except ImportError as error:
        raise ArtifactError(not_installed(f"`format` {kind}", "what converts to it", kind, error)) from error
    except OSError as error:
        raise RunError(f"`export_dir` must be a directory that can be written. Received: {path} ({error})") from error
    except Exception as error:  # converters raise whatever they meet first
        raise ArtifactError(f"{path}: must be possible to convert. Received: {reason(error)}") from error


def _run_onnx(path: Path, inputs: list[np.ndarray]) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [spec.name for spec in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))[0]


def _run_litert(path: Path, inputs: list[np.ndarray]) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # The default delegate cannot resize transposed convolutions.
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(str(path), experimental_op_resolver_type=plain)
    given = sorted(interpreter.get_input_details(), key=lambda spec: len(spec["shape"]), reverse=True)  # latents first
    for spec, value in zip(given, inputs, strict=True):
        interpreter.resize_tensor_input(spec["index"], value.shape)
    interpreter.allocate_tensors()
    for spec, value in zip(given, inputs, strict=True):
        interpreter.set_tensor(spec["index"], value.astype(spec["dtype"]))
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
