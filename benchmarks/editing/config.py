"""Settings of the benchmark of editing."""

from dataclasses import dataclass

from tfgantl.errors import ConfigError, check_at_least
from tfgantl.transfer import (
    EWC,
    L2SP,
    RICK,
    SVD,
    AdAM,
    FineTune,
    FreezeD,
    KernelModulation,
    LoRA,
    ScaleShift,
    Scratch,
    Transfer,
)

SOURCE = "rendered-digits"
SIDE = 32  # of photographs
METHODS: dict[str, Transfer] = {
    method.__name__: method()
    for method in (FineTune, FreezeD, L2SP, EWC, LoRA, ScaleShift, SVD, KernelModulation, AdAM, RICK, Scratch)
}


@dataclass(frozen=True)
class EditingBenchmarkConfig:
    """Settings of the benchmark of editing.

    Args:
        seeds: Each adapts its own model, and edits with its own seed.
        steps: Steps of each adaptation.
        count: Held-out digits that are inverted and restored.
        carried_seeds: Those of `seeds` that methods are compared for, each of which trains a model a method.
        methods: Transfer methods whose models are compared with the source; none to leave that out.
        photographs: Archive with pictures in colour, `x`, `y` and `class_names`, on which a StyleGAN2 is pretrained
            that is edited, too (VGG16 weights measure it, docs/style.md); empty to leave that out.
        photograph_steps: Steps of that pretraining, of 16 pictures.
        work_dir: Where models and results are kept.
        report: The page to write the tables to.
        json: Print the result as the last line, one JSON object.
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = 600
    count: int = 100
    carried_seeds: tuple[int, ...] = (0,)
    methods: tuple[str, ...] = tuple(METHODS)
    photographs: str = ""
    photograph_steps: int = 3500
    work_dir: str = "runs/benchmark-editing"
    report: str = "docs/benchmarks.md"
    json: bool = False

    def __post_init__(self) -> None:
        check_at_least(self, 1, "steps", "photograph_steps")
        check_at_least(self, 10, "count")
        unknown = set(self.methods) - set(METHODS)
        if unknown:
            raise ConfigError(f"`methods` must be of {', '.join(METHODS)}. Received: {', '.join(sorted(unknown))}")
