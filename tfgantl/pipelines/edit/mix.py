"""Mixes two pictures: what lies between their codes, and, where layers read codes of their own, styles of both.

`tfgantl edit mix PICTURE PICTURE [-o DIR]`.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, check_at_least
from tfgantl.pipelines.edit.arguments import named
from tfgantl.pipelines.edit.settings import AnimationFormat, InversionConfig
from tfgantl.pipelines.session import Session

if TYPE_CHECKING:
    import numpy as np

    from tfgantl.pipelines.edit.inverted import Inverted
    from tfgantl.pipelines.edit.model import EditedModel
    from tfgantl.pipelines.edit.results import EditResult


@dataclass(frozen=True, kw_only=True)
class MixConfig(InversionConfig):
    """Settings of a mixture. The first two words of the command line are `pictures` and `other`; `-o` is `run_dir`.

    Args:
        other: Picture that `pictures` is mixed with; both are held-out pictures of the target if neither is given.
        frames: Images on the way from one to the other.
        format: Of the animation, gif or mp4.
    """

    other: str | None = None
    frames: int = 16
    format: AnimationFormat = "gif"

    verb: ClassVar[str] = "mix"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 2, "frames")
        if (self.pictures is None) != (self.other is None):
            given = self.pictures or self.other
            raise ConfigError(f"two pictures must be given, or none. Received: {given} alone")
        for name in ("pictures", "other"):
            if getattr(self, name) is not None and Path(getattr(self, name)).is_dir():
                raise ConfigError(f"`{name}` must be a picture to be mixed. Received: {getattr(self, name)}, a folder")


def mix(config: MixConfig) -> "EditResult":
    """Mixes two pictures.

    Args:
        config: The settings.

    Returns:
        How far each image is from both pictures, and how even the way between them is.

    Raises:
        TfgantlError: If the model, a picture or the run directory cannot be used, or nothing finite is found.
    """
    from tfgantl.pipelines.edit.inverted import inverted
    from tfgantl.pipelines.edit.model import EditedModel
    from tfgantl.pipelines.edit.pictures import inversion_facts, read_pair

    session = Session(config)
    model = EditedModel(config)
    pictures = read_pair(config, model)
    facts = inversion_facts(model, pictures)
    with session.open(config.run_name, facts, f"{' and '.join(pictures.names)} in {model.space.name}") as run:
        found = inverted(config, model, pictures, run)
        return session.by_chief(lambda: _finished(session, run, model, found))


def _finished(session: Session, run: Any, model: "EditedModel", found: "Inverted") -> "EditResult":
    """Makes, measures and writes what lies between both pictures."""
    import numpy as np

    from tfgantl.editing.animation import there_and_back, write_animation
    from tfgantl.editing.walks import crossed, smoothness
    from tfgantl.images import to_uint8
    from tfgantl.metrics.perceptual import perceptual_distance
    from tfgantl.models.inference import in_batches
    from tfgantl.pipelines.edit.results import finish, scale_for, sheet_of

    config: Any = session.config
    shares = np.linspace(0.0, 1.0, config.frames)
    images = on_the_way(model, found, shares)
    pictures = {}
    if model.space.name == "w+":
        codes = found.inversion.codes
        places = range(1, codes.shape[1])
        both = [crossed(model.space, codes[i], codes[1 - i], places) for i in (0, 1)]
        styles = [to_uint8(model.space.images(some)) for some in both]
        caption = "Style mixing: the first 1, 2, … layers of one picture, the others of the other; and the reverse"
        pictures[caption] = sheet_of([*np.stack(styles, axis=1)])
    features = found.reconstruction.features
    if features is None:
        steps = np.abs(np.diff(images, axis=0)).mean((1, 2, 3))
    else:
        steps = in_batches(lambda a, b: perceptual_distance(features, a, b), [images[1:], images[:-1]], 64)
    rows = [
        {"share of the second": float(share), **{
            f"l1 to {name}": float(np.abs(image - picture).mean())
            for name, picture in zip(found.names, found.images, strict=True)
        }}
        for share, image in zip(shares, images, strict=True)
    ]  # fmt: skip
    name = f"mix.{config.format}"
    with run.replacing(name) as temporary:
        write_animation(temporary, there_and_back(to_uint8(images)), scale=scale_for(images))
    strip = [to_uint8(image)[None] for image in (found.pictures[0], *images, found.pictures[1])]
    return finish(
        session, run, model, rows, sheet_of(strip),
        ["The first picture, what lies between the codes of both, and the second picture."],
        means={"smoothness": smoothness(steps)}, pictures=pictures, files=("codes.npz", name),
    )  # fmt: skip


def on_the_way(model: "EditedModel", found: "Inverted", shares: "np.ndarray") -> "np.ndarray":
    """Images between the codes of two pictures; where their classes differ, the label is mixed as well."""
    import numpy as np

    from tfgantl.editing.class_switch import ClassSwitch
    from tfgantl.editing.walks import between

    codes, labels = found.inversion.codes, found.inversion.labels
    way = between(model.space, codes[0], codes[1], list(shares))
    if labels is None or not model.space.reads_labels or labels[0] == labels[1]:
        return model.space.images(way, None if labels is None else np.full(len(way), labels[0]))
    switching = ClassSwitch(model.space)
    shares = shares if switching.mixes else shares.round()  # without tables, the label changes half-way
    first, last = np.full(1, labels[0]), int(labels[1])
    return np.concatenate([switching(code[None], first, last, float(s)) for code, s in zip(way, shares, strict=True)])


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = named(sys.argv[1:] if arguments is None else arguments, "pictures", "other")
    return run_cli(MixConfig, "edit mix", mix, {}, arguments)
