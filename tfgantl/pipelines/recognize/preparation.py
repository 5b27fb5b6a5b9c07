"""What a comparison of recognition methods starts with: both domains, and everything that is to be trained."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfgantl.errors import ConfigError
from tfgantl.recognition.comparison import Trial, trials
from tfgantl.recognition.domains import Domains
from tfgantl.recognition.registry import by_label, row_label

if TYPE_CHECKING:
    from tfgantl.pipelines.recognize import RecognizeConfig


@dataclass(frozen=True)
class PreparedComparison:
    """Everything that a comparison needs, checked.

    Args:
        domains: Source and target.
        trials: All trainings, baselines among them.
    """

    domains: Domains
    trials: list[Trial]

    def facts(self) -> dict[str, str]:
        """What the results depend on, beside settings and packages: hashes of the data, and of networks of methods."""
        sides = (("source", self.domains.source), ("target", self.domains.target))
        data = {f"{side} {split} data": part.fingerprint for side, parts in sides for split, part in parts.items()}
        methods = {row_label(trial.method): trial.method for trial in self.trials}
        found = {row: method.facts() for row, method in methods.items()}
        networks = {f"{of} of {row}": value for row, facts in found.items() for of, value in facts.items()}
        return {**data, "networks of methods": ", ".join(f"{name} {networks[name]}" for name in sorted(networks))}

    def opening(self, config: "RecognizeConfig") -> str:
        """What is about to be done, for the log."""
        return f"{len(self.trials)} trainings, selection by {config.selection}"


def prepare(config: "RecognizeConfig") -> PreparedComparison:
    """Loads both domains, and refuses before the run whatever is wrong with them or with the settings.

    Args:
        config: The `RecognizeConfig`.

    Raises:
        ConfigError: If the target has no labels for the selection or for the number of labels.
        DataError: If the domains do not fit each other.
    """
    domains = Domains.load(config.source, config.target, config.image_size, config.channels, config.renamed_classes)
    if config.selection == "oracle" and domains.target["validation"].num_classes is None:
        raise ConfigError("`selection` must not be oracle for a target without labels. Received: oracle")
    for labels in config.labels:
        domains.task(labels, config.seed, **config.task_settings())
    seeds = list(range(config.seed, config.seed + config.seeds))
    labelled = domains.test()[1] is not None
    return PreparedComparison(domains, trials(by_label(config.method), config.labels, seeds, labelled))
