"""Ranks sources by how helpful they look, before anything is trained on the target."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tfgantl.pipelines.results import Result
from tfgantl.progress import log
from tfgantl.recognition.domains import Domains
from tfgantl.recognition.trainer import Trainer
from tfgantl.recognition.transferability import classifier_transferability

if TYPE_CHECKING:
    from tfgantl.pipelines.recognize import RecognizeConfig


@dataclass(frozen=True, kw_only=True)
class RankResult(Result):
    """Sources and how helpful they look.

    Args:
        ranks: Number and name of a source → its estimates, and a warning.
        order: These names, the most helpful first.
    """

    ranks: dict[str, dict]
    order: list[str]


def rank(config: "RecognizeConfig") -> RankResult:
    """Estimates the transferability of the source and of all candidates.

    Args:
        config: The `RecognizeConfig`.

    Raises:
        TfgantlError: If a source or the target cannot be used.
    """
    ranks = {}
    for number, source in enumerate((config.source, *config.candidates)):
        domains = Domains.load(source, config.target, config.image_size, config.channels, config.renamed_classes)
        labels = max(config.labels) if domains.test()[1] is not None else 0
        estimates = classifier_transferability(Trainer(domains.task(labels, config.seed, **config.task_settings())))
        title = f"{number}: {source.name}"
        ranks[title] = {**asdict(estimates), "warning": estimates.warning}
        log(f"{title}: {', '.join(f'{name} {_text(value)}' for name, value in ranks[title].items())}")
    order = sorted(ranks, key=lambda title: (-(ranks[title]["leep"] or 0.0), ranks[title]["a_distance"]))
    log(f"most helpful first: {'; '.join(order)}")
    return RankResult(ranks=ranks, order=order)


def _text(value: float | str | None) -> str:
    return f"{value:.3f}" if isinstance(value, float) else value or "–"
