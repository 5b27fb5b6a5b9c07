"""The page of the benchmark of metrics: their bias and spread, the damage that they see, and a plot."""

from pathlib import Path

import numpy as np

from benchmarks.tables import machine

HEADING = "# What metrics see"
CLASSIFIED = 3  # draws of what trains a classifier each time
EXTRAPOLATION = "cfid, extrapolated"
KINDS = {
    "digits": "handwritten digits, features of the shipped extractor",
    "vgg16": "the same in blue ink on cream paper, in shades at random, features of VGG16",
}


def titles() -> dict[str, str]:
    """Titles of metrics by their names, without arrows."""
    from tfgantl.metrics.generator_metrics import TITLES

    return {name: title.rstrip(" ↑↓") for name, title in TITLES.items()} | {EXTRAPOLATION: "cFID, extrapolated"}


def lines(found: dict[str, dict], draws: int, damaged: int, classified: bool) -> list[str]:
    """The part of the page.

    Args:
        found: Kind → `counts` and `damage` → number or damage → metric → mean and standard deviation.
        draws: Of every number.
        damaged: Pictures of either kind that damage is looked for among.
        classified: Whether classifiers were trained.
    """
    page = [
        HEADING, "",
        "Regenerate with `python -m benchmarks.metrics`; formulas and papers are in [metrics.md](metrics.md). Real "
        "pictures play the generator, so the true distance is 0, and nothing is better. Inception is left out: on "
        "random weights, which are all that there is without a download, it says nothing. "
        f"{draws} draws of every number"
        + (f" ({CLASSIFIED} of the classification accuracy score)." if classified else "."), "",
    ]  # fmt: skip
    known = titles()
    for kind, one in found.items():
        counts, damage = one["counts"], one["damage"]
        names, seen = list(next(iter(counts.values()))), list(damage["none"])
        page += [
            f"## By number of pictures: {kind}", "",
            f"{KINDS[kind][0].upper()}{KINDS[kind][1:]}: mean ± standard deviation, for as many test as generated "
            "pictures.", "", "| | " + " | ".join(counts) + " |", "|---" * (len(counts) + 1) + "|",
            *(f"| {known[name]} | " + " | ".join(spread(row.get(name)) for row in counts.values()) + " |"
              for name in names), "",
            f"## Damage that is seen: {kind}", "",
            f"Change of the mean, in standard deviations of undamaged draws, for {damaged} pictures of either "
            "kind. Below 2, a single evaluation would not tell it from chance.", "",
            "| | " + " | ".join(name for name in damage if name != "none") + " |", "|---" * len(damage) + "|",
            *(f"| {known[name]} | " + " | ".join(
                change(damage["none"].get(name), row.get(name)) for key, row in damage.items() if key != "none"
            ) + " |" for name in seen if name != EXTRAPOLATION), "",
        ]  # fmt: skip
    return [*page, machine(), ""]


def spread(pair: list[float] | None) -> str:
    """Mean ± standard deviation with about two digits of the latter."""
    if pair is None:
        return "–"
    digits = 2 if pair[1] == 0 else int(np.clip(1 - np.floor(np.log10(pair[1])), 1, 5))
    return f"{pair[0]:.{digits}f} ± {pair[1]:.{digits}f}"


def change(plain: list[float] | None, damaged: list[float] | None) -> str:
    """By how many standard deviations a mean has moved."""
    if plain is None or damaged is None or plain[1] == 0:
        return "–"
    moved = (damaged[0] - plain[0]) / plain[1]
    return f"{moved:+.0f}" if abs(moved) >= 10 else f"{moved:+.1f}"


def plot(found: dict[str, dict], path: Path) -> None:
    """Plots metrics against numbers of pictures."""
    from matplotlib.figure import Figure

    from tfgantl.files import Replacing

    shown = ("cfid", EXTRAPOLATION, "ckid", "gaussian_mmd", "recall", "coverage")
    figure, known = Figure(figsize=(10, 3.2 * len(found)), layout="constrained"), titles()
    axes = figure.subplots(len(found), len(shown) // 2, squeeze=False)
    for row, (kind, one) in zip(axes, found.items(), strict=True):
        for i, name in enumerate(shown):
            if name not in next(iter(one["counts"].values())):
                continue
            counts = [int(count) for count in one["counts"]]
            means, deviations = np.array([numbers[name] for numbers in one["counts"].values()]).T
            row[i // 2].errorbar(counts, means, deviations, marker=".", capsize=2, label=known[name])
            row[i // 2].set(xlabel="pictures", xscale="log", title=kind)
            row[i // 2].set_xticks(counts, map(str, counts))
            row[i // 2].minorticks_off()
            row[i // 2].grid(alpha=0.3)
            row[i // 2].legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with Replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
