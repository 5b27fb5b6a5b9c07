"""What training a recognition method gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from tfgantl.recognition.domain_classifier import DomainClassifier


@dataclass
class Fitted:
    """A trained classifier, and how it got there.

    Args:
        model: In the state that was selected.
        history: For each validation: step, mean losses since the last one, score.
        seconds: Time spent in training, validation and whatever the method does before.
        best_step: Step of the state that was selected.
        notes: Diagnostics of the method, name → text.
        generated: Images that the method has generated, uint8 (n, side, side, channels), and their intended labels.
    """

    model: DomainClassifier
    history: list[dict] = field(default_factory=list)
    seconds: float = 0.0
    best_step: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    generated: tuple[np.ndarray, np.ndarray] | None = None
