"""Membership inference: can a stranger tell training pictures from held-out ones by what is published?

References:
    Hayes et al., 2019, https://arxiv.org/abs/1705.07663 (the discriminator's logits); Chen et al., 2020,
    https://arxiv.org/abs/1909.03935 (the nearest generated picture, and the nearest that the generator can make)
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from tfgantl.editing.inversion import InversionSettings, Inverter
from tfgantl.editing.latent_space import LatentSpace
from tfgantl.editing.reconstruction import Reconstruction
from tfgantl.errors import ConfigError
from tfgantl.images import to_unit
from tfgantl.privacy.rates import AttackRates, attack_rates
from tfgantl.privacy.spaces import Space, nearest_in
from tfgantl.random_streams import Stream

STEPS = 20  # of the search for the code of a picture: the cheapest that finds what more steps find
RISK = 0.05  # of any interval to be wrong, over all attacks
Pictures = tuple[np.ndarray, np.ndarray | None]  # uint8 (n, side, side, channels), and labels (n,) if there are any


def alike(train: Pictures, held_out: Pictures, most: int, seed: int) -> tuple[Pictures, Pictures]:
    """As many training as held-out pictures, and as many of each class, so that nothing but training tells them apart.

    Args:
        train: Pictures that training saw.
        held_out: Pictures of the same kind that it did not see.
        most: Pictures of either kind at most.
        seed: Chooses them.

    Returns:
        Members and non-members; as many as there can be, maybe none.
    """
    rng = Stream.MEMBERS.generator(seed)
    drawn = [rng.permutation(len(part[0])) for part in (train, held_out)]
    if train[1] is None or held_out[1] is None:
        count = min(most, *(len(order) for order in drawn))
        chosen = [order[:count] for order in drawn]
    else:
        labels = [part[1][order] for part, order in zip((train, held_out), drawn, strict=True)]  # type: ignore[index]
        classes = np.intersect1d(labels[0], labels[1])
        room = [min(int((x == c).sum()) for x in labels) for c in classes]
        while sum(room) > most:  # from the largest classes first
            room[int(np.argmax(room))] -= 1
        chosen = [
            np.concatenate([order[own == c][:n] for c, n in zip(classes, room, strict=True)]).astype(int)
            if len(classes) else order[:0]
            for order, own in zip(drawn, labels, strict=True)
        ]  # fmt: skip
    members, others = (
        (images[order], None if own is None else own[order])
        for (images, own), order in zip((train, held_out), chosen, strict=True)
    )
    return members, others


def attacks_on(
    members: Pictures,
    others: Pictures,
    generated: np.ndarray,
    spaces: Sequence[Space],
    generator: keras.Model | None = None,
    discriminator: Callable[[np.ndarray, np.ndarray | None], np.ndarray] | None = None,
    seed: int = 0,
) -> dict[str, AttackRates]:
    """Runs all attacks that what is given allows for.

    Args:
        members: Training pictures.
        others: As many held-out pictures.
        generated: uint8 (n, side, side, channels): the more, the better the attack.
        spaces: In which the nearest generated picture is looked for.
        generator: Latents, or [latents, labels] → images, for the recovery of latents; `None` to leave it out.
        discriminator: Images in [-1, 1] and labels → logits (n,); `None` to leave it out.
        seed: Of starts and resamples.

    Returns:
        Name of the attack → what it achieves. Intervals hold for all of them together with 95 %.
    """
    count, both = len(members[0]), np.concatenate([members[0], others[0]])
    labels = None if members[1] is None or others[1] is None else np.concatenate([members[1], others[1]])
    scores = {f"nearest generated, {space.name}": -nearest_in(space, both, generated)[0] for space in spaces}
    recovered = None if generator is None else recovery_scores(generator, both, labels, seed)
    if recovered is not None:
        scores["recovered latents"] = recovered
    if discriminator is not None:
        scores[DISCRIMINATOR] = discriminator(to_unit(both), labels)
    confidence = 1.0 - RISK / len(scores)
    return {
        name: attack_rates(values[:count], values[count:], seed, confidence, published=name != DISCRIMINATOR)
        for name, values in scores.items()
    }


DISCRIMINATOR = "logits of the discriminator"


def recovery_scores(
    generator: keras.Model, images: np.ndarray, labels: np.ndarray | None, seed: int, steps: int = STEPS
) -> np.ndarray | None:
    """How near a generator comes to each picture, (n,), higher for nearer; `None` if its latents cannot be searched.

    Args:
        generator: Latents, or [latents, labels] → images.
        images: uint8 (n, side, side, channels).
        labels: int (n,), or `None`.
        seed: Of the random starts.
        steps: Of the search.
    """
    try:
        space = LatentSpace(generator, "z")
    except ConfigError:  # a module whose structure is not known
        return None
    inverter = Inverter(space, Reconstruction(None, "pixels"), InversionSettings(steps, restarts=1, seed=seed))
    losses = inverter(to_unit(images), labels if space.num_classes is not None else None).losses
    return -np.nan_to_num(losses, nan=np.inf)
