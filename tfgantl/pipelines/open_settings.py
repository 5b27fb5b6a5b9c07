"""What settings of a training are that nobody has set: by the networks, and by the number of images."""

from typing import TYPE_CHECKING, Any

from tfgantl.models import Discriminators, Networks
from tfgantl.progress import log
from tfgantl.training.optimization import Optimization

if TYPE_CHECKING:
    from tfgantl.data import Examples
    from tfgantl.training.settings import TrainingSettings

BATCH_SIZE = 64  # for networks of no known family


def settled(
    config: "TrainingSettings",
    trained: Networks | Discriminators | None,
    examples: "Examples",
    kind: Optimization | None = None,
) -> dict[str, Any]:
    """Values for the settings that a configuration leaves open, to be put in their place; the log tells of them.

    Args:
        config: Settings of a verb that trains a GAN.
        trained: The networks, or the discriminator that takes the place of that of the pair; `None` for networks of no
            family.
        examples: Training images.
        kind: What is usual for the kind of training: `ADAPTATION`, or nothing for a pretraining.

    Raises:
        ConfigError: If they do not fit what is given.
    """
    batch_size = config.batch_size or (trained.batch_size if trained else BATCH_SIZE)
    optimization = config.optimization.settled(trained, examples.image_size, batch_size, examples.size, kind)
    config.privacy.check(optimization)
    usual = config.optimization.settled(kind=kind)
    chosen = optimization.differences(usual)
    if config.batch_size != batch_size:
        chosen = ", ".join([f"batches of {batch_size}", *([chosen] if chosen else [])])
    if optimization != usual:
        name = type(trained).__name__ if trained else "the networks"
        log(f"chosen for {name} and {format(examples.size, ',') if examples.size else 'endless'} images: {chosen}")
    return {"batch_size": batch_size, "optimization": optimization}
