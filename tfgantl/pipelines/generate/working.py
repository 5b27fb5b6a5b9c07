"""The work of one process at a generated set: shard by shard, what is neither there nor taken."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tfgantl.pipelines.generate.plan import Plan
from tfgantl.pipelines.generate.sampling import Sampler
from tfgantl.pipelines.generate.writers import WRITERS
from tfgantl.progress import bar


class Counts(NamedTuple):
    """Images that a process has written, and that were there before."""

    written: int
    there: int


def write_shards(plan: Plan, sampler: Sampler) -> Counts:
    """Writes the shards of this process that are not there and that no other process is writing."""
    written = there = 0
    total = sum(len(plan.numbers(shard)) for shard in plan.chosen)
    with bar(total, f"{plan.directory}: generating", "image") as shown, ThreadPoolExecutor(os.cpu_count()) as pool:
        for shard in plan.chosen:
            numbers = plan.numbers(shard)
            with plan.claimed(shard) as is_ours:
                if plan.is_there(shard):
                    there += len(numbers)
                    shown.update(len(numbers))
                elif is_ours:
                    for count in write_shard(plan, sampler, shard, pool):
                        shown.update(count)
                    written += len(numbers)
    there += sum(len(plan.numbers(s)) for s in set(range(plan.shard_count)) - set(plan.chosen) if plan.is_there(s))
    return Counts(written, there)


def write_shard(plan: Plan, sampler: Sampler, shard: int, pool: ThreadPoolExecutor) -> Iterator[int]:
    """Writes one shard, and gives the number of images after each batch.

    While a batch is encoded and written, the next one is computed.
    """
    numbers = plan.numbers(shard)
    with WRITERS[plan.format](plan, shard, pool) as writer, ThreadPoolExecutor(1) as behind:
        before = None
        for start in range(numbers.start, numbers.stop, sampler.batch_size):
            drawn = sampler.draw(start, min(start + sampler.batch_size, numbers.stop))
            if before is not None:
                before.result()
            before = behind.submit(writer.write, drawn)
            yield len(drawn.numbers)
        if before is not None:
            before.result()
