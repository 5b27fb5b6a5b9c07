"""The same features by torch-fidelity. Needs torch, torch-fidelity and NumPy only, and knows nothing of this package.

`python torch_features.py WEIGHTS SIZE IMAGES FEATURES.npy` answers as `own_features.py` does. WEIGHTS may be an .npz of
the same names.
"""

import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

BATCH = 64  # its default


def network_of(path):
    """The network with the weights of a file."""
    if not path.endswith(".npz"):
        return FeatureExtractorInceptionV3("", ["2048"], feature_extractor_weights_path=path)
    state = {name: torch.from_numpy(array) for name, array in np.load(path).items()}
    state |= {name.replace("running_var", "num_batches_tracked"): torch.tensor(0) for name in state if "var" in name}
    with tempfile.TemporaryDirectory() as directory:
        torch.save(state, saved := str(Path(directory) / "weights.pth"))
        return FeatureExtractorInceptionV3("", ["2048"], feature_extractor_weights_path=saved)


def main():
    """Answers until its standard input ends."""
    weights, size, count, path = sys.argv[1:]
    network = network_of(weights)
    images = np.random.default_rng(0).integers(0, 256, (int(count), int(size), int(size), 3), np.uint8)
    images = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())

    def features():
        with torch.inference_mode():
            return torch.cat([network(part)[0] for part in images.split(BATCH)]).numpy()

    np.save(path, features())
    print(json.dumps({"version": f"torch {torch.__version__}, torch-fidelity {version('torch-fidelity')}"}), flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            features()
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    main()
