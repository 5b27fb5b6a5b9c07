"""Audits as logs keep them, read again: only what this package writes is believed, since anybody can edit a log."""

import sys

LEVELS = ("low", "elevated", "high", "unknown")
_COUNTS = ("copied", "generated", "train", "held_out")


def read_audit(value: object) -> dict | None:
    """The record of an `Audit`, of the types that `Audit.record` gives; `None` if it is anything else.

    Args:
        value: What a log has.
    """
    if not isinstance(value, dict) or value.get("level") not in LEVELS:
        return None
    texts = {name: value.get(name) for name in ("reason", "rule")}
    if not all(isinstance(text, str) for text in texts.values()):
        return None
    copies, attacks = value.get("copies"), value.get("attacks") or {}
    if not isinstance(attacks, dict):
        return None
    found = {
        "level": value["level"],
        **texts,
        "copies": _copies(copies) if isinstance(copies, dict) else None,
        "differential": _differential(value.get("differential")),
        "attacks": {str(name): rates for name, rates in attacks.items() if _is_attack(rates)},
    }
    return None if found["copies"] is None and copies is not None else found


def _copies(copies: dict) -> dict | None:
    shares = copies.get("by_space")
    if not isinstance(shares, dict) or not all(map(_is_number, shares.values())):
        return None
    numbers = {name: copies.get(name) for name in ("share", "chance", *_COUNTS)}
    if not all(map(_is_number, numbers.values())):
        return None
    if _is_number(copies.get("of")):  # of a sample
        numbers["of"] = copies["of"]
    return {**numbers, "by_space": {str(name): share for name, share in shares.items()}}


def _differential(value: object) -> dict | None:
    numbers = (
        {name: value.get(name) for name in ("epsilon", "delta", "noise", "clip")} if isinstance(value, dict) else {}
    )
    return numbers if numbers and all(map(_is_number, numbers.values())) else None


def _is_attack(rates: object) -> bool:
    if not isinstance(rates, dict):
        return False
    pairs = [rates.get(name) for name in ("auc_interval", "tpr_interval")]
    ends = [end for pair in pairs for end in (pair if isinstance(pair, list | tuple) and len(pair) == 2 else [None])]
    numbers = [*ends, *(rates.get(name) for name in ("auc", "tpr", "pictures"))]
    return all(map(_is_number, numbers)) and isinstance(rates.get("published"), bool)


def _is_number(value: object) -> bool:
    """Whether it is a number that a float can hold."""
    return isinstance(value, int | float) and abs(value) < sys.float_info.max
