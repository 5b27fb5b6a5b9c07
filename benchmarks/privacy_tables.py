"""The page of the benchmark of privacy: copies that are found, and what lowers what a generator gives away."""

from typing import Any

from benchmarks.jobs import SAMPLES
from benchmarks.pairs import PAIRS
from benchmarks.tables import cell, machine

HEADING = "# What a generator gives away"
TITLES = (
    "", "risk", "copies %", "in one space %", "by chance %", "AUC, generator", "TPR, generator", "AUC, discriminator",
    "NN ratio", "cKID × 1000", "coverage",
)  # fmt: skip


def lines(
    copies: dict[str, dict[str, Any]], found: dict[str, dict[str, list[dict]]], steps: int, batch_size: int, images: int
) -> list[str]:
    """The part of the page.

    Args:
        copies: What was made of handwritten digits → share of copies, by space, and by chance.
        found: Pair → row → one result a seed.
        steps: Of most rows.
        batch_size: Of most rows.
        images: Training pictures of most rows.
    """
    page = [
        HEADING, "",
        "Regenerate with `python -m benchmarks.privacy`; what is measured is in [privacy.md](privacy.md).", "",
        "## Copies that are found", "",
        "Among pictures that a generator of 100 handwritten digits might have made, with 719 held-out digits. By "
        "chance: what does not count in a space, which also depends on the number of pictures (100 of those of "
        "training pictures, 359 new ones).", "",
        "| handwritten digits | copies % | in one space, at most | by chance |", "|---|---|---|---|",
        *(
            f"| {name} | {100 * one['share']:.1f} | {100 * max(one['by_space'].values()):.1f} "
            f"| {100 * one['chance']:.1f} |"
            for name, one in copies.items()
        ), "",
    ]  # fmt: skip
    if found:
        page += [
            "## What lowers it", "",
            f"{steps} steps of {batch_size}, {images} training pictures and DiffAugment where nothing else is said; "
            f"the default job has 600 steps of 64; {SAMPLES} generated pictures, as many members as non-members, at "
            "most 100 of each. The state is the one that validated best. By chance: what a generator that never saw "
            "the training pictures does not exceed in any space, in 95 % of all cases. AUC of the best attack on the "
            "generator, with its true positives at 1 % false ones, and of the logits of the discriminator; 0.5 for "
            "guesses, and the best of four guesses is a little above. One seed: with the interval that holds for all "
            "attacks together; several: mean ± sample standard deviation. ε at δ = 1e-5.", "",
        ]  # fmt: skip
    for name, rows in found.items():
        page += [f"### {PAIRS[name].title}: privacy", "", f"| {' | '.join(TITLES)} |", "|---" * len(TITLES) + "|"]
        page += [_row(row, results) for row, results in rows.items()]
        page.append("")
    return [*page, machine(), ""]


def _row(title: str, results: list[dict]) -> str:
    private = results[0].get("differential")
    title += f" (ε = {private['epsilon']:.3g})" if private else ""
    copies = [result["copies"] for result in results]
    generator = [best(result, published=True) for result in results]
    cells = (
        title, ", ".join(result["level"] for result in results),
        cell([one["share"] for one in copies], 100, 2), cell([max(one["by_space"].values()) for one in copies], 100, 2),
        cell([one["chance"] for one in copies], 100, 2), _rates(generator, "auc"), _rates(generator, "tpr"),
        _rates([best(result, published=False) for result in results], "auc"),
        cell([result["nn_ratio"] for result in results], 1, 2), cell([result["ckid"] for result in results], 1000, 2),
        cell([result["coverage"] for result in results], 1, 2),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _rates(attacks: list[dict], name: str) -> str:
    if len(attacks) > 1:
        return cell([attack[name] for attack in attacks], 1, 2)
    low, high = attacks[0][f"{name}_interval"]
    return f"{attacks[0][name]:.2f} [{low:.2f}, {high:.2f}]"


def best(result: dict, published: bool) -> dict:
    """The attack of the largest area, of those that need nothing but the generator, or of the others."""
    attacks = [rates for rates in result["attacks"].values() if rates["published"] == published]
    return max(attacks, key=lambda rates: rates["auc"])
