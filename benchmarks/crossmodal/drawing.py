"""How well a generator draws what a text says: classes, words, transfer, and what two phrases make of a source."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pairs import FRESH
from tfgantl.cli import parse
from tfgantl.data import HandwrittenDigits
from tfgantl.pipelines.adapt import AdaptConfig
from tfgantl.pipelines.imagine.train import DEFAULTS, ImagineTrainConfig, imagine_train
from tfgantl.transfer import TextDirection

RECIPE = Path(__file__).parent.parent.parent / "pipelines" / "imagine_rendered_digits.yaml"
SHOTS = 10  # captioned pictures a class
DRAWN = 500  # pictures that two phrases are measured on
DIRECTIONS = (
    ("a thin digit", "a thick digit"),
    ("a thick digit", "a thin digit"),
    ("an upright digit", "a slanted digit"),
)


def drawn(seed: int, steps: int, work_dir: Path) -> dict[str, dict[str, Any]]:
    """The recipe of the shipped model with another seed: shares of pictures that show what was asked for."""
    config = parse(ImagineTrainConfig, "imagine train", DEFAULTS, ["--config", str(RECIPE)])
    config = replace(
        config, seed=seed, steps=steps, validate_every=max(1, steps // 4), run_dir=str(work_dir / f"drawn-{seed}"),
        export_dir=str(work_dir / "exported" / f"drawn-{seed}"),
    )  # fmt: skip
    return {"the recipe of `imagine-digits`": imagine_train(config).fidelity}


def learnt(seed: int, steps: int, work_dir: Path) -> dict[str, dict[str, Any]]:
    """Handwritten digits with captions, ten pictures a class: from the source, and from scratch."""
    config = ImagineTrainConfig(
        target=HandwrittenDigits(shots=SHOTS, seed=seed), steps=steps, validate_every=max(1, steps // 2), seed=seed,
        batch_size=32, encoder_steps=400, classifier_steps=2, force=True, run_dir=str(work_dir / f"learnt-{seed}"),
        export_dir=str(work_dir / "exported" / f"learnt-{seed}"), optimization=FRESH,
    )  # fmt: skip
    result = imagine_train(config)
    positive = result.verdict is not None and result.verdict.outcome == "positive"
    return {
        "from `rendered-digits`": {
            "cKID": result.metrics["ckid"],
            "verdict positive": float(positive),
            **result.fidelity,
        },
        "from scratch": {"cKID": (result.baseline or {}).get("ckid")},
    }


def directed(seed: int, steps: int, work_dir: Path) -> dict[str, dict[str, Any]]:
    """What two phrases make of `rendered-digits`: the change of the named attribute, and whether classes are kept.

    No picture of the target takes part in either.
    """
    from tfgantl.images import encode_png, grid, side_by_side, to_uint8
    from tfgantl.pipelines.adapt.preparation import prepare
    from tfgantl.pipelines.adapt.text_direction import direction_effect
    from tfgantl.pipelines.adapt.training import train_pair

    config = AdaptConfig(
        target=HandwrittenDigits(shots=None), steps=steps, validate_every=steps, batch_size=32, seed=seed,
        optimization=FRESH,
    )  # fmt: skip
    prepared = prepare(config, "directed")
    config = replace(config, **prepared.settings)
    source, labels = prepared.source, np.arange(DRAWN) % 10
    latents = source.latents(DRAWN, seed + 1000)
    before, found = to_uint8(source.generate(latents, labels)), {}
    for number, (source_text, target_text) in enumerate(DIRECTIONS):
        transfer = TextDirection(source_text, target_text)
        gan = train_pair(prepared, config, transfer, target_text, config.training_settings()).gan
        after = to_uint8(gan.generate(latents, labels))
        effect = direction_effect(before, after, target_text, labels, lambda images: prepared.extractor(images)[1])
        shifts = [effect.shifts[name] * sign for name, sign in effect.named.items()]
        found[f"{source_text} → {target_text}"] = {"shift": min(shifts), "class kept": effect.classes_kept}
        sheet = side_by_side([grid(images[:50], 10) for images in (before, after)])
        work_dir.mkdir(parents=True, exist_ok=True)
        (work_dir / f"directed-{seed}-{number}.png").write_bytes(encode_png(sheet, 2))
    return found
