"""How fast pictures come: from memory, and from folders of photographs, beside Keras' and PyTorch's readers.

Each reader is a process of its own (`reading_worker.py`), which reads a folder, and then reads it again.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.tables import machine, replace_part
from tfgantl.errors import RunError
from tfgantl.progress import bar

HEADING = "# Reading pictures"
CLONE = Path(__file__).parents[2]
WORKER = Path(__file__).with_name("reading_worker.py")
SIZES = {1: (1224, 816), 4: (2448, 1632), 12: (4240, 2832)}  # megapixels → width and height
COUNTS = {1: 1200, 4: 480, 12: 240}  # pictures of each size: some seconds of decoding
SIDE = 64
READERS = {"tfgantl": "own", "image_dataset_from_directory": "keras", "DataLoader": "torch"}


def measure_reading(report: Path, torch_python: str | None) -> dict:
    """Writes photographs, lets all readers read them twice, and writes the table.

    Args:
        report: The page.
        torch_python: Python with torch and torchvision; the present one if not given.

    Returns:
        Megapixels → reader → images a second of the first pass and of the second.

    Raises:
        RunError: If a reader fails.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as directory, bar(len(SIZES) * (len(READERS) + 1), "reading", "reader") as shown:
        for megapixels in SIZES:
            folder = Path(directory) / str(megapixels)
            write_photographs(folder / "photographs", megapixels)
            rows = found[str(megapixels)] = {}
            for title, kind in READERS.items():
                python = torch_python if kind == "torch" and torch_python else sys.executable
                rows[title] = _read(python, kind, folder, Path(directory))
                shown.update(1)
            rows["tfgantl, next process"] = _read(sys.executable, "own", folder, Path(directory))
            shown.update(1)
    replace_part(report, HEADING, [*_lines(found), machine(), ""])
    return found


def write_photographs(folder: Path, megapixels: int) -> None:
    """JPEGs of a size, crops of one photograph that is shipped with a dependency, brought up to it."""
    from PIL import Image
    from skimage import data

    folder.mkdir(parents=True)
    width, height = SIZES[megapixels]
    whole, rng = Image.fromarray(data.astronaut()), np.random.default_rng(0)
    for i in range(COUNTS[megapixels]):
        left, top = (int(x) for x in rng.integers(0, 128, 2))
        crop = whole.crop((left, top, left + 384, top + 256)).resize((width, height), Image.Resampling.BICUBIC)
        grain = rng.normal(0, 6, (height // 4, width // 4)).repeat(4, 0).repeat(4, 1)[..., None]
        noisy = np.clip(np.asarray(crop)[: grain.shape[0], : grain.shape[1]] + grain, 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{i:04}.jpg", quality=90)


def _read(python: str, kind: str, folder: Path, directory: Path) -> dict[str, float]:
    environment = {
        **os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(CLONE),
        "TFGANTL_CACHE_DIR": str(directory / "cache"),
    }  # fmt: skip
    command = [python, str(WORKER), kind, str(folder), str(SIDE)]
    done = subprocess.run(command, cwd=CLONE, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RunError(f"{kind}: a reader must end with exit code 0. Received: {done.returncode}, {done.stderr[-400:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _lines(found: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    lines = [
        HEADING, "",
        "Folders of JPEGs whose sides 8 divides, as those of most cameras, read in batches of 16 at "
        f"{SIDE} px with a centred crop, shuffled: images a second of the "
        "first pass over a folder and of the next ones, in the same process. This package decodes each picture once, "
        "on all cores; *next process* reads the folder anew. Keras' reader is "
        "`keras.utils.image_dataset_from_directory(crop_to_aspect_ratio=True)`; PyTorch's `DataLoader` has "
        f"torchvision's `ImageFolder`, a resize with antialiasing and {os.cpu_count()} workers. Regenerate with "
        "`python -m benchmarks.speed --reading true`.", "",
        "| megapixels | | first pass, images/s | next passes, images/s |", "|---|---|---|---|",
    ]  # fmt: skip
    for megapixels, rows in found.items():
        for title, pace in rows.items():
            lines.append(f"| {megapixels} | {title} | {pace['first']:.1f} | {pace['next']:.0f} |")
    return [*lines, ""]
