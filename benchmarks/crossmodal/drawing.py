"""How well a generator draws what a text says: classes, words, transfer, and what two phrases make of a source."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tfgantl.cli import parse
from tfgantl.data import HandwrittenDigits
from tfgantl.pipelines.adapt import AdaptConfig, adapt
from tfgantl.pipelines.imagine.train import DEFAULTS, ImagineTrainConfig, imagine_train
from tfgantl.training.optimization import Optimization
from tfgantl.transfer import TextDirection

RECIPE = Path(__file__).parent.parent.parent / "pipelines" / "imagine_rendered_digits.yaml"
SHOTS = 10  # captioned pictures a class
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
        target=HandwrittenDigits(shots=SHOTS, seed=seed), steps=steps, validate_every=max(1, steps // 5), seed=seed,
        run_dir=str(work_dir / f"learnt-{seed}"), export_dir=str(work_dir / "exported" / f"learnt-{seed}"), force=True,
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
    found = {}
    for number, (source_text, target_text) in enumerate(DIRECTIONS):
        config = AdaptConfig(
            target=HandwrittenDigits(shots=None), transfer=TextDirection(source_text, target_text), steps=steps,
            validate_every=steps, seed=seed, optimization=Optimization(), samples=1000,
            run_dir=str(work_dir / f"directed-{seed}-{number}"),
            export_dir=str(work_dir / "exported" / f"directed-{seed}-{number}"),
        )  # fmt: skip
        result: Any = adapt(config)
        effect = asdict(result.direction)
        shifts = {name: effect["shifts"][name] * sign for name, sign in effect["named"].items()}
        found[f"{source_text} → {target_text}"] = {"shift": min(shifts.values()), "class kept": effect["classes_kept"]}
    return found
