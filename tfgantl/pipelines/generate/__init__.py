"""Writes images of a generator to disk, as many as are wanted: a folder for each class, or shards.

`python -m tfgantl.pipelines.generate`, or `tfgantl generate`. Image i depends on (seed, i) only. What is there already
is not written again, so whatever ends the command, the same command goes on; several at one time share the work.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, check_at_least, check_seed
from tfgantl.models import Networks
from tfgantl.pipelines.results import Result
from tfgantl.pipelines.settings import VerbConfig, resolve_paths

if TYPE_CHECKING:
    from pathlib import Path

Format = Literal["folder", "webdataset", "tfrecord"]
MOST = 2**31  # images: the number of an image is the lower part of its seed


@dataclass(frozen=True, kw_only=True)
class GenerateConfig(VerbConfig):
    """Settings of generation.

    Args:
        model: Handle of the generator, as for `evaluate`: a run directory, a published version, a preset, and so on.
        networks: Architecture that bare weights are adopted into; a SavedModel without it runs as it is.
        allow_ops: Operations of a SavedModel that are trusted, of those that are refused otherwise.
        out_dir: Directory that is written; a new one, or one that the same command has begun.
        count: Number of images.
        format: folder for PNG files, in a folder for each class; webdataset for .tar shards; tfrecord for TFRecord
            shards.
        seed: Chooses the images. Latents of image i are those that a served model draws for the seed
            `seed` * 2**31 + i.
        classes: Names or numbers of the classes to generate, in turn; all of them if not given.
        shard_size: Images a shard; in a folder, images that are written before they count.
        shards: Numbers of the shards to write; all if not given. On a cluster with TF_CONFIG, each worker takes its
            part of them.
        batch_size: Images that are computed at one time, at most 256, and fewer of large images. Another number moves
            pixels by rounding.
        beam: Options of Apache Beam, as in --beam="--runner=FlinkRunner --flink_master=host:8081", to generate as a
            Beam pipeline.
    """

    model: str = "rendered-digits"
    networks: Networks | None = None
    allow_ops: tuple[str, ...] = ()
    out_dir: str = "generated"
    count: int = 1000
    format: Format = "folder"
    seed: int = 0
    classes: tuple[str, ...] | None = None
    shard_size: int = 10_000
    shards: tuple[int, ...] | None = None
    batch_size: int = 256
    beam: str | None = None

    def __post_init__(self) -> None:
        resolve_paths(self)
        check_at_least(self, 1, "count", "shard_size", "batch_size")
        check_seed("seed", self.seed)
        if self.count > MOST:
            raise ConfigError(f"`count` must be at most {MOST}. Received: {self.count}")
        wrong = [shard for shard in self.shards or () if not 0 <= shard < self.shard_count]
        if wrong:
            raise ConfigError(f"`shards` must be numbers in [0, {self.shard_count - 1}]. Received: {wrong[0]}")

    @property
    def shard_count(self) -> int:
        """Number of shards of all images."""
        return -(-self.count // self.shard_size)


@dataclass(frozen=True, kw_only=True)
class GenerateResult(Result):
    """What was written.

    Args:
        out_dir: The directory.
        count: Images of the whole set.
        written: Images that this process has written.
        there: Images that were there before.
        elsewhere: Images of shards that other processes are writing, or are to write.
        seconds: Time that it took.
        images_per_second: Images that were written, by this time.
    """

    out_dir: "Path"
    count: int
    written: int
    there: int
    elsewhere: int
    seconds: float
    images_per_second: float

    def text(self) -> str:
        """One line."""
        rest = f", {self.elsewhere:,} left to others" if self.elsewhere else ""
        return (
            f"{self.out_dir}: {self.written:,} images written in {self.seconds:.1f} s "
            f"({self.images_per_second:,.0f} a second), {self.there:,} were there{rest}"
        )


def generate(config: GenerateConfig) -> GenerateResult:
    """Writes images of a generator.

    Args:
        config: The settings.

    Returns:
        How many were written, and where.

    Raises:
        TfgantlError: If the model cannot be used, or the directory holds something else.
    """
    import time

    from tfgantl.pipelines.generate.plan import Plan
    from tfgantl.pipelines.generate.sampling import Sampler, load_sampled
    from tfgantl.pipelines.generate.working import write_shards

    generator, names = load_sampled(config)
    sampler = Sampler.of(config, generator, names)
    plan = Plan.opened(config, sampler)
    start = time.perf_counter()
    if config.beam is None:
        counts = write_shards(plan, sampler)
    else:
        from tfgantl.pipelines.generate.beam import write_with_beam

        counts = write_with_beam(config, plan)
    seconds = time.perf_counter() - start
    return GenerateResult(
        out_dir=plan.directory,
        count=config.count,
        written=counts.written,
        there=counts.there,
        elsewhere=config.count - counts.written - counts.there,
        seconds=round(seconds, 3),
        images_per_second=round(counts.written / seconds, 1),
    )


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(GenerateConfig, "generate", generate, {}, arguments)
