"""Finds the codes of pictures, and says how well the generator can show them.

`tfgantl edit invert [PICTURE] [-o DIR]`.
"""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tfgantl.cli import run as run_cli
from tfgantl.errors import check_at_least
from tfgantl.pipelines.edit.arguments import named
from tfgantl.pipelines.edit.settings import SHOWN, InversionConfig
from tfgantl.pipelines.session import Session

if TYPE_CHECKING:
    from tfgantl.pipelines.edit.results import EditResult


@dataclass(frozen=True, kw_only=True)
class InvertConfig(InversionConfig):
    """Settings of an inversion. The first word of the command line is `pictures`, and `-o` is `run_dir`.

    Args:
        tune: Steps that the generator itself is tuned for around the codes (pivotal tuning); the tuned generator is
            written beside the codes, and can be named as `model` then.
        count: Held-out pictures, where none are named.
    """

    tune: int = 0
    count: int = SHOWN

    verb: ClassVar[str] = "invert"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, 0, "tune")
        check_at_least(self, 1, "count")


def invert(config: InvertConfig) -> "EditResult":
    """Inverts pictures.

    Args:
        config: The settings.

    Returns:
        PSNR, L1, perceptual distance and class agreement of each picture beside those of two baselines, and where codes
        and pictures are.

    Raises:
        TfgantlError: If the model, a picture or the run directory cannot be used, or nothing finite is found.
    """
    from tfgantl.pipelines.edit.inverted import inverted, report_inversion
    from tfgantl.pipelines.edit.model import EditedModel
    from tfgantl.pipelines.edit.pictures import inversion_facts, read_pictures

    session = Session(config)
    model = EditedModel(config)
    pictures = read_pictures(config, model, config.count)
    facts = inversion_facts(model, pictures)
    with session.open(config.run_name, facts, f"{len(pictures.names)} pictures in {model.space.name}") as run:
        found = inverted(config, model, pictures, run)
        return session.by_chief(
            lambda: report_inversion(session, run, model, pictures, found.tuned(config, run) if config.tune else found)
        )


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = named(sys.argv[1:] if arguments is None else arguments, "pictures")
    return run_cli(InvertConfig, "edit invert", invert, {}, arguments)
