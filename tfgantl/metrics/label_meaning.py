"""What labels of a target are called by an extractor, whose classes may be others, or stand in another order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from tfgantl.data.classes import same_names
from tfgantl.metrics.extractors import RUN, Extractor


@dataclass(frozen=True)
class LabelMeaning:
    """Labels of a target, as an extractor predicts them.

    Args:
        labels: int (classes,), the label of the extractor by that of the target; `None` if its classes are others.
        remark: What should be known of it, for tables; empty if there is nothing to say.
    """

    labels: np.ndarray | None
    remark: str = ""

    @classmethod
    def of(cls, extractor: Extractor, num_classes: int | None, classes: Sequence[str] | None) -> Self:
        """Matches classes by name, and by number where there are as many and names are not known on both sides.

        Args:
            extractor: What predicts labels.
            num_classes: Number of classes of the target, or `None`.
            classes: Their names by their labels, or `None`.
        """
        if num_classes is None or not extractor.predicts_labels:
            return cls(None)
        if classes is not None and extractor.classes is not None:
            known = [label for label in same_names(classes, extractor.classes) if label is not None]
            if len(set(known)) == len(classes):
                return cls(np.array(known))
            return cls(None, f"left out: its classes are {_some(extractor.classes)}, and not {_some(classes)}")
        count = extractor.classifier.output_shape[-1]
        if count != num_classes:
            return cls(None, f"left out: it knows {count} classes, and there are {num_classes}")
        told = "" if extractor.name == RUN else "labels are compared by number: names are not known on both sides"
        return cls(np.arange(num_classes), told)


def _some(names: Sequence[str], limit: int = 6) -> str:
    return ", ".join(names[:limit]) + (" …" if len(names) > limit else "")
