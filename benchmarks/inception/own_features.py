"""Features of Inception by this package, in a process of its own.

`python -m benchmarks.inception.own_features WEIGHTS SIZE IMAGES FEATURES.npy` looks at images once and writes their
features; then, for each number on its standard input, looks at them so often, and says how long it took.
"""

import json
import sys
import time

import numpy as np
import tensorflow as tf

from tfgantl.metrics.inception.extractor import InceptionExtractor


def main() -> None:
    """Answers until its standard input ends."""
    weights, size, count, path = sys.argv[1:]
    extractor = InceptionExtractor(f"inception:{weights}")
    images = np.random.default_rng(0).integers(0, 256, (int(count), int(size), int(size), 3), np.uint8)
    np.save(path, extractor(images)[0])
    print(json.dumps({"version": f"tensorflow {tf.__version__}"}), flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            extractor(images)
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    main()
