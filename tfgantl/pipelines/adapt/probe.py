"""Will transfer help? A short run of the method and of training from scratch, judged on validation images."""

from dataclasses import asdict

from tfgantl.images import to_uint8
from tfgantl.metrics.evaluation import labels_like
from tfgantl.metrics.verdict import judge_transfer
from tfgantl.pipelines.adapt.preparation import Prepared, train_pair
from tfgantl.progress import log
from tfgantl.random_streams import Stream
from tfgantl.training.run import MAX_VALIDATION_IMAGES
from tfgantl.transfer import Scratch

SHARE = 0.1  # of the steps of the run that is asked about
LEAST = 50


def probe(config, prepared: Prepared) -> dict:
    """Trains for a tenth of the steps, and compares; writes nothing.

    Args:
        config: The `AdaptConfig`.
        prepared: What it asks for.

    Returns:
        What `--json` prints: the transferability, and of the probe its steps, outcome and cKID of both on validation
        images. Test images are not touched.
    """
    steps = min(config.steps, max(LEAST, round(config.steps * SHARE)))
    images, labels = prepared.examples["validation"].subset(MAX_VALIDATION_IMAGES)
    features, _ = prepared.extractor(images)
    latents = prepared.source.latents(config.samples, config.seed, Stream.PROBE)
    conditional = prepared.source.num_classes is not None
    asked = labels_like(labels, config.samples, config.seed) if conditional else None
    made = []
    for transfer, title in ((prepared.transfer, "probe"), (Scratch(), "probe from scratch")):
        gan = train_pair(prepared, config, transfer, title, steps).gan
        made.append(prepared.extractor(to_uint8(gan.generate(latents, asked)))[0])
    verdict = judge_transfer(features, *made, labels if conditional else None, asked, seed=config.seed)
    log(f"after {steps} steps, on {len(images)} validation images: {verdict}")
    return {
        "transferability": asdict(prepared.transferability),
        "transfer": type(prepared.transfer).__name__,
        "probe": {"steps": steps, "validation_images": len(images), **asdict(verdict)},
    }
