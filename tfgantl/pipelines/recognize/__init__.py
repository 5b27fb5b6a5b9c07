"""Adapts a classifier to a target with few labels or none, and compares the ways to do so.

`python -m tfgantl.pipelines.recognize`, or `tfgantl recognize`.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tfgantl.cli import run as run_cli
from tfgantl.data import HandwrittenDigits, RenderedDigits, Source
from tfgantl.errors import ConfigError, check_above, check_at_least, check_seed
from tfgantl.pipelines.session import Session
from tfgantl.pipelines.settings import PublishingConfig
from tfgantl.recognition import SHOT, GANImages, Recognizer
from tfgantl.recognition.registry import by_label

if TYPE_CHECKING:
    from tfgantl.pipelines.recognize.ranking import RankResult
    from tfgantl.pipelines.recognize.results import RecognizeResult

DEFAULTS = {
    "source": {"class_path": "RenderedDigits"},
    "target": {"class_path": "HandwrittenDigits", "init_args": {"shots": None, "validation_shots": None}},
    "method": [{"class_path": "SHOT"}, {"class_path": "GANImages"}],
}


@dataclass(frozen=True)
class RecognizeConfig(PublishingConfig):
    """Settings of a comparison of recognition methods.

    Args:
        source: Labelled images to learn from.
        target: Images to recognise; labels of its training images are used only as far as `labels` says.
        candidates: Further sources to compare with the first one by --rank.
        method: A method to compare, or the full import path of one; once for each, with its options after it, as in
            --method SHOT --method.consistency 1 --method MCD.
        labels: Labelled target images a class, one comparison for each number; 0 for none.
        seeds: Number of training seeds.
        seed: The first of them.
        backbone: Network of all methods: conv, or dense for one layer on the pixels.
        steps: Training steps of each classifier.
        batch_size: Images a step, of each domain.
        learning_rate: Of Adam, falls along a cosine.
        selection: What selects states, and the best method: source_val, im, snd, last, or oracle, which looks at
            labels of the target's validation images.
        validate_every: Steps between the states to choose from.
        augment: Changes of training images: names out of translation, cutout, color, affine, resolution.
        image_size: Height and width in pixels, for sources that leave it open.
        channels: 1 for gray, 3 for RGB, for sources that leave it open.
        renamed_classes: Name of a class of the target → its name in the source, for those that are called differently.
        run_dir: New directory for everything that the run writes; runs/NAME-recognize/NUMBER if not given.
        export_dir: Where SavedModels land, as numbered versions; exported/NAME-classifier if not given.
        rank: Only rank the sources by how helpful they look, before anything is trained on the target.
        force: Publish also after negative transfer.
    """

    source: Source = field(default_factory=RenderedDigits)
    target: Source = field(default_factory=lambda: HandwrittenDigits(shots=None, validation_shots=None))
    candidates: tuple[Source, ...] = ()
    method: list[Recognizer] = field(default_factory=lambda: [SHOT(), GANImages()])
    labels: tuple[int, ...] = (0, 1, 5, 10)
    seeds: int = 2
    seed: int = 0
    backbone: str = "conv"
    steps: int = 400
    batch_size: int = 64
    learning_rate: float = 1e-3
    selection: str = "im"
    validate_every: int = 100
    augment: str = "affine,resolution"
    image_size: int = 28
    channels: int = 1
    renamed_classes: dict[str, str] = field(default_factory=dict)
    rank: bool = False
    force: bool = False

    sharing = "parts"
    kind = "-classifier"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 1, "seeds", "steps", "batch_size", "validate_every")
        check_above(self, 0, "learning_rate")
        check_seed("seed", self.seed)
        if self.backbone not in ("conv", "dense"):
            raise ConfigError(f"`backbone` must be conv or dense. Received: {self.backbone}")
        if not self.labels or min(self.labels) < 0:
            raise ConfigError(f"`labels` must be numbers of at least 0. Received: {list(self.labels)}")
        if len(set(self.labels)) < len(self.labels):
            raise ConfigError(f"`labels` must be different numbers. Received: {list(self.labels)}")
        methods = by_label(self.method)
        idle = [name for name, method in methods.items() if "labelled" in method.needs]
        if idle and not any(self.labels):
            raise ConfigError(f"`labels` must be above 0 for {', '.join(idle)}. Received: {list(self.labels)}")
        if self.selection == "last" and len(methods) > 1:
            raise ConfigError(
                f"`selection` last must have one method, as it tells none apart. Received: {', '.join(methods)}"
            )

    def task_settings(self) -> dict:
        """What all tasks of the run have in common."""
        from tfgantl.models.backbones import convolutional_features, dense_features

        return {
            "features": convolutional_features if self.backbone == "conv" else dense_features,
            "steps": self.steps, "batch_size": self.batch_size, "learning_rate": self.learning_rate,
            "selection": self.selection, "validate_every": self.validate_every, "weak": self.augment,
        }  # fmt: skip


def recognize(config: RecognizeConfig) -> "RecognizeResult | RankResult":
    """Runs a comparison, or ranks sources.

    Args:
        config: The settings.

    Returns:
        The rows of all methods, the best of them, its classifier, the verdict and the report; or the ranks. On workers
        other than the chief, `None`.

    Raises:
        TfgantlError: If data, options or the run directory cannot be used, or training diverges.
    """
    from tfgantl.export.publish import check_export_dir
    from tfgantl.pipelines.recognize.preparation import prepare
    from tfgantl.pipelines.recognize.publishing import publish_best
    from tfgantl.pipelines.recognize.ranking import rank
    from tfgantl.pipelines.recognize.report import recognition_report
    from tfgantl.pipelines.recognize.results import RecognizeResult
    from tfgantl.pipelines.recognize.training import summarize, train

    session = Session(config)
    if config.rank:
        return session.by_chief(lambda: rank(config))
    check_export_dir(config.export_path, "classify", config.force)
    prepared = prepare(config)
    folder = f"{config.run_name}-recognize"
    with session.open(config.run_name, prepared.facts(), prepared.opening(config), folder=folder) as run:
        results = train(config, prepared, run)

        def compared_and_published() -> RecognizeResult:
            summary = summarize(results, prepared)
            report = recognition_report(config, prepared.domains, summary)
            export_dir = publish_best(config, summary, run, prepared.domains.source["train"].classes)
            return session.finish(
                RecognizeResult.of(config, run.path, export_dir, session.seconds, summary, report),
                prepared.domains.source["train"].classes,
            )

        return session.by_chief(compared_and_published)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(RecognizeConfig, "recognize", recognize, DEFAULTS, arguments)
