"""Generation as a pipeline of Apache Beam, for Dataflow, Flink or Spark; the one module that imports it.

The shards are the elements. They are named by their numbers and written whole, so that an element that a runner repeats
does no harm. Workers must see the model and the directory under the names that they have here.
"""

import os
import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tfgantl.errors import ConfigError, not_installed
from tfgantl.pipelines.generate.plan import Plan
from tfgantl.pipelines.generate.working import Counts, write_shard

try:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.utils.shared import Shared
except ImportError as error:
    raise ConfigError(not_installed("generate", "apache-beam", "beam", error)) from error

if TYPE_CHECKING:
    from tfgantl.pipelines.generate import GenerateConfig


class GenerateShard(beam.DoFn):
    """Writes the shard of a number. The model is loaded once a worker process, whatever its number of threads.

    Args:
        config: The settings, as of `tfgantl generate`.
        plan: The set, which has been begun.
    """

    def __init__(self, config: "GenerateConfig", plan: Plan) -> None:
        self.config, self.plan = config, plan
        self._shared = Shared()

    def setup(self) -> None:
        self._holder = self._shared.acquire(lambda: _Loaded(self.config), tag=repr(self.config))

    def process(self, shard: int) -> Iterator[int]:
        """Gives the number of images that were written; 0 for a shard that was there."""
        if self.plan.is_there(shard):
            return
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            yield sum(write_shard(self.plan, self._holder.sampler, shard, pool))


class _Loaded:
    """A sampler that threads share; Beam keeps weak references, which a frozen dataclass with slots has none of."""

    def __init__(self, config: "GenerateConfig") -> None:
        from tfgantl.pipelines.generate.sampling import Sampler, load_sampled

        self.sampler: Sampler = Sampler.of(config, *load_sampled(config))


def write_with_beam(config: "GenerateConfig", plan: Plan) -> Counts:
    """Writes all shards that are not there by a pipeline, and waits for its end.

    Raises:
        ConfigError: If Beam does not know the options.
    """
    there = sum(len(plan.numbers(shard)) for shard in range(plan.shard_count) if plan.is_there(shard))
    missing = [shard for shard in plan.chosen if not plan.is_there(shard)]
    try:
        options = PipelineOptions(shlex.split(config.beam or ""))
    except SystemExit as error:
        raise ConfigError(f"`beam` must be options of Apache Beam. Received: {config.beam}") from error
    with beam.Pipeline(options=options) as pipeline:
        shards = pipeline | "Shards" >> beam.Create(missing) | "Spread" >> beam.Reshuffle()
        _ = shards | "Generate" >> beam.ParDo(GenerateShard(config, plan))
    return Counts(sum(len(plan.numbers(shard)) for shard in missing if plan.is_there(shard)), there)
