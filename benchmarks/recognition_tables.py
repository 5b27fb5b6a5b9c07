"""What the benchmark of recognition methods compares: pairs of domains, numbers of labels, methods."""

from collections.abc import Iterable
from dataclasses import dataclass

from tfgantl.data import Arrays, HandwrittenDigits, RenderedDigits, Source
from tfgantl.recognition import (
    DANN,
    MCD,
    METHODS,
    SHOT,
    AdaBN,
    DeepCORAL,
    FineTuneClassifier,
    GANImages,
    MultiTask,
    PseudoLabels,
    Recognizer,
)

APART = ("SourceOnly", "TargetOnly", "Pooled", "VGG16Head")  # baselines, and what is for photographs
VARIANTS = (SHOT(consistency=1.0), GANImages(labeller=AdaBN()))
BEST = (SHOT(), GANImages())
SHORT = (SHOT(), PseudoLabels(), MCD(), DANN(), DeepCORAL(), AdaBN(), GANImages())
FEW_LABELS = (PseudoLabels(), MCD(), MultiTask(balance="pcgrad"), GANImages(labeller=None))
TUNED = (FineTuneClassifier(),)


@dataclass(frozen=True)
class Table:
    """A source, a target, a number of labels, and what is compared.

    Args:
        source: Name in `domains`.
        target: Name in `domains`.
        labels: Labelled target images a class.
        methods: The methods.
    """

    source: str
    target: str
    labels: int
    methods: tuple[Recognizer, ...]

    @property
    def name(self) -> str:
        from tfgantl.recognition.comparison import row_name

        return row_name(f"{self.source} → {self.target}", self.labels or None) + ("" if self.labels else ", no labels")

    def trials(self, methods: list[Recognizer], seeds: Iterable[int]) -> list:
        """Its trainings; `methods` take the place of its own if there are any."""
        from tfgantl.recognition.comparison import trials
        from tfgantl.recognition.registry import by_label

        return trials(by_label(methods or self.methods), (self.labels,), list(seeds), True)


def domains(mnist: str | None) -> dict[str, Source]:
    """Everything that is a source or a target somewhere."""
    found = {
        "rendered": RenderedDigits(),
        "rendered, upright": RenderedDigits(rotation=0.0, shear=0.0),
        "handwritten": HandwrittenDigits(shots=None, validation_shots=None),
    }
    if mnist:
        found["MNIST"] = Arrays(mnist, image_size=28, channels=1)
    return found


def tables(mnist: str | None, source: str | None = None, target: str | None = None) -> list[Table]:
    """All tables, or those of one pair; those with MNIST need its archive."""
    free = [m() for name, m in METHODS.items() if "labelled" not in m.needs and name not in APART]
    need_labels = [m() for name, m in METHODS.items() if "labelled" in m.needs and name not in APART]
    found = [
        Table("rendered", "handwritten", 0, (*free, *VARIANTS)),
        Table("rendered", "handwritten", 1, BEST),
        Table("rendered", "handwritten", 5, BEST),
        Table("rendered", "handwritten", 10, (*need_labels, *BEST, *FEW_LABELS)),
        Table("rendered, upright", "handwritten", 10, TUNED),
    ]
    if mnist:
        found += [Table("MNIST", "handwritten", 0, SHORT), Table("MNIST", "handwritten", 10, TUNED)]
        found += [Table("handwritten", "MNIST", 0, SHORT), Table("handwritten", "MNIST", 10, TUNED)]
        found += [Table(name, "MNIST", 10, TUNED) for name in ("rendered", "rendered, upright")]
    return [t for t in found if source is None or (t.source, t.target) == (source, target)]
