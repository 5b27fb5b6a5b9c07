"""What is measured of editing: of one model and pictures that it has not seen, or of two models."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from benchmarks.editing.config import SOURCE, EditingBenchmarkConfig
from benchmarks.editing.subjects import Subject, adapted

if TYPE_CHECKING:
    import numpy as np

NOISE = (0.5, 1.0)  # standard deviations, where white is 1 and black -1
TUNE = 100  # steps of pivotal tuning


def inversion(subject: Subject) -> dict:
    """Errors of an encoder, a search, both and a tuned generator, over those of the nearest training picture."""
    from tfgantl.editing.inversion import InversionSettings, Inverter
    from tfgantl.editing.latent_space import LatentSpace
    from tfgantl.editing.tuning import tuned_around
    from tfgantl.pipelines.edit.invert import InvertConfig
    from tfgantl.pipelines.edit.inverted import baselines_of

    model, pictures, seed = subject.model, subject.pictures, subject.seed
    defaults, reconstruction = InvertConfig(), model.reconstruction
    encoder = model.encoder(defaults.encoder_steps, seed)
    mean, nearest = (reconstruction.measured(images, pictures) for images in baselines_of(model, pictures).values())

    compared = [key for key in ("l1", "perceptual") if key in mean]  # gray pictures have no perceptual distance

    def row(images: "np.ndarray", seconds: float) -> dict:
        found = reconstruction.measured(images, pictures)
        return {
            **{f"{key} of nearest": float(found[key].mean() / nearest[key].mean()) for key in compared},
            **{f"{key} of mean": float(found[key].mean() / mean[key].mean()) for key in compared},
            "psnr": float(found["psnr"].mean()),
            "class": subject.agreement(images),
            "seconds": seconds,
        }

    results = {}
    for name, settings, start in (
        ("encoder alone", InversionSettings(0, 1, seed=seed), encoder),
        ("search alone", InversionSettings(defaults.steps, defaults.restarts, defaults.rate, seed), None),
        ("hybrid", InversionSettings(defaults.steps, defaults.restarts, defaults.rate, seed), encoder),
    ):
        begun = time.perf_counter()
        found = Inverter(model.space, reconstruction, settings, start)(pictures)
        results[name] = row(model.space.images(found.codes, found.labels), time.perf_counter() - begun)
    begun = time.perf_counter()
    tuned = tuned_around(model.space, reconstruction, found.codes, found.labels, pictures, TUNE, seed)
    images = LatentSpace(tuned, model.space.name).images(found.codes, found.labels)
    results["hybrid, tuned"] = row(images, results["hybrid"]["seconds"] + time.perf_counter() - begun)
    return results


def switches(subject: Subject) -> dict:
    """How often held-out pictures, and generated ones, become every other class.

    Where one vector for each layer fits pictures, they are also switched as one vector for all shows them, which is
    less like them, and nearer to what the generator has learnt.
    """
    import numpy as np

    from tfgantl.editing.class_switch import ClassSwitch, change
    from tfgantl.images import to_uint8
    from tfgantl.pipelines.edit.editor import Editor

    model, seed, count = subject.model, subject.seed, len(subject.pictures)
    own, results = np.asarray(model.space.labels(count)), {}
    cases = [("generated images", model.space, model.space.sample(count, own, seed + 1), own)]
    for place in ("w+", "w") if model.space.name == "w+" else (model.space.name,):
        editor = Editor(model.handle, seed=seed, weights=subject.weights, space=place)
        found = editor.invert(to_uint8(subject.pictures))
        name = "held-out pictures" if place == model.space.name else f"held-out pictures, in {place}"
        cases.append((name, editor.space, found.codes, np.asarray(found.labels)))
    for name, space, some, of in cases:
        switch = ClassSwitch(space)
        outside = switch.unchanged(seed)
        before, reached, rest, everywhere = space.images(some, of), [], [], []
        for to in range(switch.classes):
            images = switch(some, of, to)
            others = of != to
            reached += list(subject.classifier(to_uint8(images))[1][others] == to)
            rest += list(change(images, before, outside)[others])
            everywhere += list(change(images, before, outside | ~outside)[others])
        results[name] = {
            "reached": float(np.mean(reached)), "change": float(np.mean(everywhere)), "elsewhere": float(np.mean(rest)),
        }  # fmt: skip
    return results


def directions(subject: Subject) -> dict:
    """What directions of measured attributes do to samples that they were not found on."""
    from tfgantl.pipelines.edit.directions import found_by_attributes, measured_for, with_measured_effects
    from tfgantl.pipelines.edit.find import FindConfig

    model, seed, defaults = subject.model, subject.seed, FindConfig()
    attributes = measured_for(model)
    found = found_by_attributes(model, attributes, defaults.samples, seed)
    found = with_measured_effects(model, found, attributes, defaults.count, seed)
    results = {}
    for one in found:
        effect = one.effect
        if effect is not None:
            results[one.name] = {
                "monotone": effect.monotone, "class stays": effect.class_stays, "low": effect.low, "high": effect.high,
                "side effect": found.side_effect(one.name), "before": found.side_effect(one.name, before=True),
            }  # fmt: skip
    return results


def restoration(subject: Subject) -> dict:
    """Errors and class agreement of what the generator makes of damaged digits, beside what needs no generator."""
    import numpy as np

    from tfgantl.editing import plain_restoration as plain
    from tfgantl.editing.holes import named_hole
    from tfgantl.editing.inversion import InversionSettings
    from tfgantl.editing.observations import Noisy, Observation, Reduced, WithHole
    from tfgantl.editing.restoration import Restorer
    from tfgantl.pipelines.edit.fill import FillConfig

    model, pictures, seed, defaults = subject.model, subject.pictures, subject.seed, FillConfig()
    settings = InversionSettings(defaults.steps, defaults.restarts, defaults.rate, seed)
    side = model.space.image_shape[0]
    hole = named_hole("centre", (side, side))
    tasks: dict[str, tuple[Observation, dict[str, Callable]]] = {
        "centre hole": (
            WithHole(hole),
            {"mean": lambda x: plain.filled_with_mean(x, hole), "biharmonic": lambda x: plain.filled_smoothly(x, hole),
             "Telea": lambda x: telea(x, hole)},
        ),
        "4 times smaller": (Reduced(side, 4), {"bicubic": lambda x: plain.enlarged(x, side)}),
    }  # fmt: skip
    for level in NOISE:
        levels = np.full(len(pictures), level)
        tasks[f"noise of {level}"] = (
            Noisy(level), {"non-local means": lambda x, levels=levels: plain.denoised_by_patches(x, levels)},
        )  # fmt: skip
    results: dict[str, dict[str, dict]] = {}
    for name, (observation, baselines) in tasks.items():
        observed = observation.damaged(pictures, seed)
        where = observation.unknown((side, side))
        answers = Restorer(model.space, observation, settings, defaults.answers)(observed)
        images = {"GAN": answers.images[:, 0], **{key: baseline(observed) for key, baseline in baselines.items()}}
        results[name] = {
            key: {
                "l1": float(np.abs(some - pictures)[:, where].mean()),
                "class": subject.agreement(some),
            }
            for key, some in images.items()
        }
        results[name]["GAN"]["spread"] = float(answers.spread.mean())
    return results


def telea(observed: "np.ndarray", hole: "np.ndarray") -> "np.ndarray":
    """Pictures float32 (n, height, width, 1) whose hole is filled by OpenCV's fast marching (Telea, 2004)."""
    import cv2
    import numpy as np

    from tfgantl.images import to_uint8, to_unit

    mask = hole.astype(np.uint8)
    return to_unit(
        np.stack([cv2.inpaint(picture, mask, 3, cv2.INPAINT_TELEA) for picture in to_uint8(observed)])[..., None]
    )


def carried(config: EditingBenchmarkConfig, method: str, seed: int) -> dict:
    """Whether directions of the source do the same on a model that a method has made of it, and the other way."""
    import numpy as np

    from tfgantl.editing.carrying_over import carries_over
    from tfgantl.pipelines.edit.directions import found_by_attributes, measured_for
    from tfgantl.pipelines.edit.find import FindConfig
    from tfgantl.pipelines.edit.model import EditedModel

    source, model = EditedModel(FindConfig(model=SOURCE, seed=seed)), adapted(config, method, seed)
    attributes, samples = measured_for(source), FindConfig().samples
    there, back = (
        carries_over(found_by_attributes(one, attributes, samples, seed), one.space, other.space, attributes, seed=seed)
        for one, other in ((source, model), (model, source))
    )
    return {
        "effects": there.effects, "images": there.images, "effects back": back.effects,
        "same": float(np.mean(list(there.same.values()))),
    }  # fmt: skip
