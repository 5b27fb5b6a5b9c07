"""Reads a folder with one sub-folder of pictures, pass by pass: `python reading_worker.py KIND FOLDER SIDE`.

Kinds: `own`, `keras`, `torch` (which needs torch and torchvision only). Answers with images a second, in JSON.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BATCH = 16
SECONDS = 3.0  # of the passes that follow the first


def own(folder: Path, side: int, count: int) -> Callable[[], Iterator[Any]]:
    """Batches as trainings of this package see them; decoding counts to the first pass."""
    from tfgantl.data import Folder
    from tfgantl.data.pipeline import batches

    source = Folder(str(folder), side, 3, validation=0.0, test=0.0)
    started = 0

    def one_pass() -> Iterator[Any]:
        nonlocal started
        examples = source.load("train")
        begin, started = started, started + count // BATCH
        return iter(batches(examples, BATCH, 0, begin).take(count // BATCH))

    return one_pass


def keras(folder: Path, side: int, count: int) -> Callable[[], Iterator[Any]]:
    """Keras' reader, as its guides use it."""
    import keras
    import tensorflow as tf

    data = keras.utils.image_dataset_from_directory(
        str(folder), labels=None, image_size=(side, side), batch_size=BATCH, crop_to_aspect_ratio=True, verbose=False
    )
    ready = data.map(lambda x: x / 127.5 - 1.0, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    return lambda: iter(ready)


def torch(folder: Path, side: int, count: int) -> Callable[[], Iterator[Any]]:
    """PyTorch's loader, as its tutorial of DCGAN uses it, with a worker a core."""
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    steps = [transforms.Resize(side), transforms.CenterCrop(side), transforms.ToTensor()]
    data = datasets.ImageFolder(str(folder), transforms.Compose([*steps, transforms.Normalize((0.5,) * 3, (0.5,) * 3)]))
    loader = DataLoader(data, BATCH, shuffle=True, num_workers=os.cpu_count() or 1, persistent_workers=True)
    return lambda: iter(loader)


def main() -> None:
    """Reads, and answers."""
    kind, folder, side = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    count = sum(1 for _ in folder.glob("*/*"))
    start = time.perf_counter()
    one_pass = {"own": own, "keras": keras, "torch": torch}[kind](folder, side, count)
    imported = time.perf_counter() - start
    start, passes = time.perf_counter(), []
    while len(passes) < 2 or sum(passes[1:]) < SECONDS:
        for _ in one_pass():
            pass
        passes.append(time.perf_counter() - start)
        start = time.perf_counter()
    following = count * (len(passes) - 1) / sum(passes[1:])
    print(json.dumps({"first": count / passes[0], "next": following, "start_seconds": imported}))


if __name__ == "__main__":
    main()
