"""What a pretraining starts with: the data, and the features that validate it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfgantl.data import Examples
from tfgantl.data.examples import check_splits
from tfgantl.metrics.extractor_choice import choose_extractor
from tfgantl.metrics.extractors import Extractor
from tfgantl.models import Networks
from tfgantl.models.families import suited_to
from tfgantl.pipelines.open_settings import settled

if TYPE_CHECKING:
    from tfgantl.pipelines.pretrain import PretrainConfig


MAX_IMAGES = 4000  # of a split, for the evaluation
IMAGE_SIZE, COLOUR = 64, 3  # for data that leaves them open; networks that are given have a size of their own


@dataclass(frozen=True)
class PreparedPretraining:
    """Everything that a pretraining needs, checked.

    Args:
        settings: What settings are that were left open: name → value. They include `target` and `networks`.
        examples: Split → `Examples`.
        num_classes: Number of classes of the pair, or `None`.
        extractor: Features for all measurements.
        judged_by: Hash of the features that the discriminator is made of, or `None`.
    """

    settings: dict[str, Any]
    examples: dict[str, Examples]
    num_classes: int | None
    extractor: Extractor
    judged_by: str | None

    @property
    def networks(self) -> Networks:
        """Architecture of the pair."""
        return self.settings["networks"]

    def opening(self) -> str:
        """What the run is about to train on, for its log."""
        return f"{self.examples['train'].size or 'endless'} training images"

    def facts(self) -> dict[str, str]:
        """What the results depend on, beside settings and packages."""
        data = {f"{split} data": part.fingerprint for split, part in self.examples.items()}
        features = {"features of the discriminator": self.judged_by} if self.judged_by else {}
        return {**data, "extractor": self.extractor.id, **features}


def prepare(config: "PretrainConfig") -> PreparedPretraining:
    """Loads and checks what a `PretrainConfig` asks for.

    Raises:
        TfgantlError: If the images cannot be used, or the settings do not fit them.
    """
    target = config.target.sized(config.networks.default_size if config.networks else IMAGE_SIZE, COLOUR)
    examples = target.splits()
    check_splits(examples)
    networks = config.networks or suited_to(examples["train"].image_size, examples["train"].channels)
    num_classes = examples["train"].num_classes if config.conditional else None
    config.optimization.check(config.steps, num_classes)
    networks.build(examples["train"].image_size, examples["train"].channels, num_classes)  # or fails before the run
    chosen = settled(config, config.discriminator or networks, examples["train"])
    # Before features are trained to measure with: weights that are missing are missed at once.
    judged_by = config.discriminator.features_hash() if config.discriminator else None
    extractor = choose_extractor(config.extractor, target.extractor, examples["train"], seed=config.seed)
    settings = {"target": target, "networks": networks, **chosen}
    return PreparedPretraining(settings, examples, num_classes, extractor, judged_by)
