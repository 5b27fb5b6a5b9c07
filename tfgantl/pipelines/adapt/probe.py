"""Will transfer help? A short run of the method and of training from scratch, compared on validation images."""

from typing import TYPE_CHECKING

from tfgantl.images import to_uint8
from tfgantl.metrics.verdict import judge_transfer
from tfgantl.pipelines.adapt.preparation import PreparedAdaptation
from tfgantl.pipelines.adapt.results import ProbeResult
from tfgantl.pipelines.adapt.training import train_pair
from tfgantl.pipelines.measurement import probe_inputs
from tfgantl.progress import log
from tfgantl.training.run import MAX_VALIDATION_IMAGES
from tfgantl.transfer import Scratch

if TYPE_CHECKING:
    from tfgantl.pipelines.adapt import AdaptConfig


SHARE = 0.1  # of the steps of the run that is asked about
MIN_STEPS = 50


def probe(config: "AdaptConfig", prepared: PreparedAdaptation) -> ProbeResult:
    """Trains for a tenth of the steps, and compares; writes nothing, and touches no test image.

    Args:
        config: The `AdaptConfig`.
        prepared: What it asks for.
    """
    whole = config.training_settings().steps
    settings = config.training_settings(steps=min(whole, max(MIN_STEPS, round(whole * SHARE))), patience=None)
    images, labels = prepared.examples["validation"].subset(MAX_VALIDATION_IMAGES)
    features, _ = prepared.extractor(images)
    latents, wanted = probe_inputs(prepared.source, labels, config.samples, config.seed)
    generated = []
    for transfer, title in ((prepared.transfer, "probe"), (Scratch(), "probe from scratch")):
        gan = train_pair(prepared, config, transfer, title, settings).gan
        generated.append(prepared.extractor(to_uint8(gan.generate(latents, wanted)))[0])
    real_labels = None if wanted is None else labels
    adapted, scratch = generated
    verdict = judge_transfer(features, adapted, scratch, real_labels, wanted, seed=config.seed)
    log(f"after {settings.steps} steps, on {len(images)} validation images: {verdict}")
    return ProbeResult(
        transferability=prepared.transferability,
        transfer=type(prepared.transfer).__name__,
        steps=settings.steps,
        validation_images=len(images),
        verdict=verdict,
    )
