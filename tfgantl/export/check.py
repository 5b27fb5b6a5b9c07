"""Checks a SavedModel as a server would meet it: a process that knows nothing of the Keras model.

`python -m tfgantl.export.check DIR` verifies hashes, runs every example and every warmup request, and prints the
largest difference of each signature.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tfgantl.errors import ArtifactError, reason
from tfgantl.printing import printable


def check(directory: Path) -> dict[str, float]:
    """Verifies a version.

    Args:
        directory: The SavedModel, with its manifest, examples and warmup requests.

    Returns:
        Signature → largest difference from what the Keras model gave.

    Raises:
        ArtifactError: If a file is not what was written, or a signature not what it was.
    """
    from tfgantl.export.manifest import verify_files

    verify_files(directory)  # what is damaged is told before TensorFlow is imported

    import tensorflow as tf

    from tfgantl.export.examples import differences, read_examples
    from tfgantl.export.warmup import read_warmup
    from tfgantl.untrusted.loading import load_saved_model

    signatures = load_saved_model(directory).signatures  # inspected: the hashes may be a stranger's, too
    try:
        examples, requests = read_examples(directory), read_warmup(directory)
    except Exception as error:  # TensorFlow raises whatever its reader meets first
        raise ArtifactError(f"{directory}: must be an intact SavedModel. Received: {reason(error)}") from error
    if set(signatures) != set(examples):
        raise ArtifactError(f"{directory}: signatures must be {sorted(examples)}. Received: {sorted(signatures)}")

    def run(signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        try:
            values = {name: tf.constant(list(v) if v.dtype == object else v) for name, v in inputs.items()}
            return {name: value.numpy() for name, value in signatures[signature](**values).items()}
        except (tf.errors.OpError, ValueError, TypeError) as error:
            raise ArtifactError(f"{directory}: {signature} must run. Received: {reason(error)}") from error

    largest = {
        signature: differences(run(signature, inputs), outputs, f"{directory}, {signature}")
        for signature, (inputs, outputs) in examples.items()
    }
    for signature, inputs in requests:
        run(signature, inputs)
    return largest


def check_in_fresh_process(directory: Path) -> dict[str, float]:
    """Like `check`, in a process of its own.

    Raises:
        ArtifactError: If it fails there.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tfgantl.export.check", str(directory)], capture_output=True, text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
    )  # fmt: skip
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
        raise ArtifactError(lines[-1].removeprefix("error: "))
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    """Runs the command line, and returns the exit code."""
    try:
        print(json.dumps(check(Path(sys.argv[1]))))
    except ArtifactError as error:
        print(f"error: {printable(error)}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
