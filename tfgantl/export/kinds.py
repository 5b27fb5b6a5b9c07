"""Which endpoints suit a network, by what it takes and gives."""

from collections.abc import Callable

import keras

from tfgantl.errors import ArtifactError
from tfgantl.export.image_signatures import classifier_signatures
from tfgantl.export.signatures import generator_signatures
from tfgantl.pretrained.handles import check_generator


def signatures_for(network: keras.Model, where: str) -> Callable[[keras.Model], dict]:
    """The endpoints of a generator (latents [, labels] → images) or of a classifier (images → logits).

    Args:
        network: Network to publish.
        where: Where it is from, for messages.

    Raises:
        ArtifactError: If it is neither.
    """
    taken = [spec.shape for spec in getattr(network, "inputs", None) or ()]
    given = getattr(network, "output_shape", None)
    ranks = [len(shape) for shape in taken]
    if ranks == [4] and isinstance(given, tuple) and len(given) == 2:
        return classifier_signatures
    if ranks in ([2], [2, 1]):
        check_generator(network, where)
        return generator_signatures
    raise ArtifactError(
        f"{where}: must map latents, or latents and labels, to images, or images to logits. "
        f"Received: {', '.join(map(str, taken)) or 'unknown inputs'} to {given}"
    )
