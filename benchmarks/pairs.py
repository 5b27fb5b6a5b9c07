"""Pairs of a source and a target that transfer methods are compared on, from near to far.

Sources that are not shipped, archives and extractors are made once, in the directory of the benchmark.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

from tfgantl import transfer
from tfgantl.data import Arrays, HandwrittenDigits, Source
from tfgantl.errors import ConfigError
from tfgantl.files import Replacing
from tfgantl.models import DCGAN
from tfgantl.training.optimization import Optimization

if TYPE_CHECKING:
    import numpy as np


# The tables were made before the default was to learn from the same images twice.
FRESH = Optimization(reuse_fakes=False)

# What is compared: name → method, and what differs from the settings of an adaptation. Rates of its own are those that
# training from scratch does best with; chosen, as all settings, on validation images of the first pair. Methods that
# are not named here follow with their defaults.
ROWS: dict[str, tuple[transfer.Transfer, dict[str, Any]]] = {
    "Scratch": (transfer.Scratch(), {}),
    "Scratch, own rates": (transfer.Scratch(), {"g_learning_rate": 4e-4, "d_learning_rate": 1.6e-3}),
    "Scratch, no DiffAugment": (transfer.Scratch(), {"augment": ""}),
    "FineTune": (transfer.FineTune(), {}),
    "FineTune, no DiffAugment": (transfer.FineTune(), {"augment": ""}),
    "FreezeD": (transfer.FreezeD(), {}),
    "FreezeD, no DiffAugment": (transfer.FreezeD(), {"augment": ""}),
    "Alternating": (transfer.Alternating(), {}),
    "ScaleShift": (transfer.ScaleShift(), {}),
    "Perceptual": (transfer.Perceptual(), {}),
    "LoRA": (transfer.LoRA(), {}),
    "SVD": (transfer.SVD(), {}),
    "KernelModulation": (transfer.KernelModulation(), {}),
    "AdAM": (transfer.AdAM(), {}),
    "RICK": (transfer.RICK(), {}),
    "MineGAN": (transfer.MineGAN(), {}),
    "LatentAffine": (transfer.LatentAffine(), {}),
    "EWC": (transfer.EWC(), {}),
    "L2SP": (transfer.L2SP(), {}),
    "CDC": (transfer.CDC(), {}),
    "RSSA": (transfer.RSSA(), {}),
    "FeatureDistillation": (transfer.FeatureDistillation(), {}),
}


def _others() -> list[str]:
    """Methods without a row, but for the base, what chooses one of the others, and what looks at no target."""
    known = {type(method).__name__ for method, _ in ROWS.values()} | {"Transfer", "Auto"}
    return [name for name in transfer.__all__ if name not in known and getattr(transfer, name).needs_target]


ROWS |= {name: (getattr(transfer, name)(), {}) for name in _others()}
SOURCE_STEPS = 3000
HELD_OUT = 9  # the digit that its source has not seen
HALF = 5000  # images of MNIST that sources see; targets are cut from the others


@dataclass(frozen=True)
class Pair:
    """A source, and a target to take it to.

    Args:
        title: Heading of its table.
        target: Full data of the target; its shots are chosen by the benchmark.
        classes: Number of classes that shots are shared among; 1 without labels.
        source: Handle of the source, or a function of the directory that makes it and gives the handle.
        extractor: Name of a shipped extractor; `None` for one trained on the training part of the target, of which
            shots are a part, too.
        needs_mnist: Whether images of MNIST are needed.
        images: Numbers of training images in all.
        rows: Names of what is compared, in `ROWS`.
    """

    title: str
    target: Callable[[Path], Source]
    classes: int
    source: str | Callable[[Path], str] = "rendered-digits"
    extractor: str | None = None
    needs_mnist: bool = True
    images: tuple[int, ...] = (10, 100)
    rows: tuple[str, ...] = ("Scratch", "Scratch, own rates", "FineTune", "FreezeD", "LoRA", "EWC", "CDC")

    def handle(self, directory: Path) -> str:
        """Handle of the source, which is made if it is not there yet."""
        return self.source if isinstance(self.source, str) else self.source(directory)

    def shots(self, directory: Path, images: int | None, seed: int) -> Source:
        """The target with `images` training images in all; all of them for `None`.

        Raises:
            ConfigError: If the classes cannot have equally many.
        """
        if images is not None and images % self.classes:
            raise ConfigError(
                f"`images` must be a multiple of {self.classes}, the number of classes. Received: {images}"
            )
        return replace(self.target(directory), shots=None if images is None else images // self.classes, seed=seed)


def write_archives(directory: Path, mnist: str) -> None:
    """Cuts MNIST into the archives of the pairs, unless they are there: what sources see, and what targets are made of.

    Args:
        directory: Where to write them.
        mnist: Archive with x uint8 (n, 28, 28) and y int (n,).
    """
    import numpy as np

    from tfgantl.data.archives import read_arrays

    if (directory / "mnist-coloured.npz").is_file():  # the last one
        return
    found = read_arrays(Path(mnist), ("x", "y"), 4 * 2**30)
    order = np.random.default_rng(0).permutation(len(found["x"]))  # archives may be in the order of classes
    x, y = found["x"][order], found["y"][order]
    rest = slice(HALF, None)
    held = y == HELD_OUT
    _write(directory / "mnist.npz", x=x[:HALF], y=y[:HALF])
    _write(directory / "mnist-rest.npz", x=x[rest], y=y[rest])
    # Unlabelled: the discriminator cannot lean on classes, as in the protocol of MineGAN.
    _write(directory / "mnist-others.npz", x=x[~held])
    _write(directory / "mnist-held-out.npz", x=x[held])
    _write(directory / "mnist-coloured.npz", x=coloured(x[rest]), y=y[rest])


def _write(path, **arrays):
    import numpy as np

    with Replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)


Shades = tuple[tuple[float, float, float], tuple[float, float, float]]  # least and greatest red, green and blue
BRIGHT: Shades = ((150, 150, 150), (255, 255, 255))
DARK: Shades = ((0, 0, 0), (110, 110, 110))


def coloured(images: "np.ndarray", paper: Shades = BRIGHT, ink: Shades = DARK) -> "np.ndarray":
    """Strokes of one colour on paper of another, at random: uint8 (n, side, side) → (n, side, side, 3)."""
    import numpy as np

    rng = np.random.default_rng(0)
    papers, inks = (rng.uniform(*shades, (len(images), 1, 1, 3)) for shades in (paper, ink))
    share = images[..., None] / 255.0
    return (papers * (1 - share) + inks * share).round().astype(np.uint8)


def write_textures(directory: Path) -> None:
    """Cuts the two photographs of scikit-learn into gray tiles that do not overlap, unless that is done."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_sample_images

    if (directory / "textures.npz").is_file():
        return
    tiles = []
    for picture in load_sample_images().images:
        gray = np.asarray(Image.fromarray(picture).convert("L"))
        rows, columns = (side // 28 for side in gray.shape)
        cut = gray[: rows * 28, : columns * 28].reshape(rows, 28, columns, 28)
        tiles.append(cut.transpose(0, 2, 1, 3).reshape(-1, 28, 28))
    _write(directory / "textures.npz", x=np.concatenate(tiles))


def pretrained(archive: str) -> Callable[[Path], str]:
    """Gives a function that trains a source on an archive, if that is not done yet."""

    def make(directory: Path) -> str:
        from tfgantl.pipelines.pretrain import PretrainConfig, pretrain

        run = directory / "sources" / archive
        if not (run / "report.html").is_file():
            rmtree(run, ignore_errors=True)  # what was begun and not finished
            config = PretrainConfig(
                target=Arrays(str(directory / f"{archive}.npz"), validation=0.1, test=0.1), networks=DCGAN(),
                steps=SOURCE_STEPS, run_dir=str(run), extractor="digits", samples=2000, validate_every=1000,
                optimization=replace(FRESH, g_learning_rate=4e-4, d_learning_rate=8e-4, decay=True),
            )  # fmt: skip
            pretrain(config)
        return str(run)

    return make


def _archive(name: str, channels: int = 1) -> Callable[[Path], Source]:
    return lambda directory: Arrays(str(directory / f"{name}.npz"), image_size=28, channels=channels)


PAIRS = {
    "digits": Pair(
        "rendered → handwritten digits (near)", lambda directory: HandwrittenDigits(), 10, extractor="digits",
        needs_mnist=False, rows=tuple(ROWS),
    ),
    "mnist": Pair(
        "rendered digits → MNIST (near)", _archive("mnist-rest"), 10, extractor="digits", images=(10, 100, 1000)
    ),
    "held-out": Pair(
        f"MNIST without {HELD_OUT} → {HELD_OUT}, unconditional (near; protocol of MineGAN)", _archive("mnist-held-out"),
        1, pretrained("mnist-others"), "digits",
    ),
    "style": Pair(
        "MNIST → coloured ink on coloured paper, 1 → 3 channels (style)", _archive("mnist-coloured", 3), 10,
        pretrained("mnist"),
    ),
    "textures": Pair(
        "rendered digits → tiles of photographs, unconditional (far)", _archive("textures"), 1, needs_mnist=False
    ),
}  # fmt: skip
