"""The devices and workers that train together, by `tf.distribute`, and how workers agree.

Every worker takes the same steps; the first one, the chief, also measures, writes and decides, and tells the others.
"""

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any, TypeVar, cast

import numpy as np
import tensorflow as tf

from tfgantl import errors, interrupts, progress
from tfgantl.cluster import VARIABLE, Cluster, wait_limit
from tfgantl.errors import ConfigError, TfgantlError, WorkerError, reason
from tfgantl.training.settings import Devices

T = TypeVar("T")

GONE = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)


@dataclass(frozen=True)
class Team:
    """Who trains together.

    Args:
        strategy: How a step is shared among devices.
        cluster: The workers, or `None` for one process.
        devices: Names of the devices of one process, if there are several.
    """

    strategy: tf.distribute.Strategy
    cluster: Cluster | None = None
    devices: tuple[str, ...] = ()

    @property
    def is_chief(self) -> bool:
        """Whether this worker writes and decides."""
        return self.rank == 0

    @property
    def workers(self) -> int:
        """How many processes there are."""
        return 1 if self.cluster is None else len(self.cluster.addresses)

    @property
    def rank(self) -> int:
        """Which of them this one is."""
        return 0 if self.cluster is None else self.cluster.rank

    @property
    def replicas(self) -> int:
        """How many devices share a batch."""
        return self.strategy.num_replicas_in_sync

    @property
    def local(self) -> range:
        """Which replicas this worker has."""
        if self.cluster is None:
            return range(self.replicas)
        count = self.replicas // len(self.cluster.addresses)
        return range(self.cluster.rank * count, (self.cluster.rank + 1) * count)

    def check_batch(self, batch_size: int) -> None:
        """Refuses batches that replicas cannot share equally.

        Raises:
            ConfigError: If `batch_size` is no multiple of their number.
        """
        if batch_size % self.replicas:
            raise ConfigError(
                f"a batch must have a multiple of {self.replicas} images, the number of devices. Received: {batch_size}"
            )

    def shared(self, batches_from: Callable[..., tf.data.Dataset]) -> Callable[[int], Any]:
        """The same batches, of which each worker makes its own rows.

        Args:
            batches_from: Gives batches from a number on; takes `shares` and `mine` as `tfgantl.data.pipeline.batches`.
        """
        if self.replicas == 1:
            return batches_from

        def distributed(start: int) -> Any:
            return self.strategy.distribute_datasets_from_function(
                lambda _: batches_from(start, shares=self.replicas, mine=self.local)
            )

        return distributed

    def share_of(self, jobs: Sequence[T]) -> Sequence[T]:
        """The jobs of this worker, of some that each takes by itself: neighbours, which may have much in common.

        Example:
            >>> Team(tf.distribute.get_strategy()).share_of([3, 4, 5])
            [3, 4, 5]
        """
        return jobs[len(jobs) * self.rank // self.workers : len(jobs) * (self.rank + 1) // self.workers]

    def lead(self, work: Callable[[], T]) -> T:
        """What `work` gives on the chief, on every worker; the others wait for it.

        Args:
            work: Gives anything that JSON can hold. What it raises ends all workers.

        Raises:
            WorkerError: On the others, if the chief has ended.
        """
        if self.cluster is None:
            return work()
        if not self.is_chief:
            told = json.loads(self._broadcast(b""))
            if "error" in told:
                raise getattr(errors, told["error"])(f"{self.cluster.names[0]}: {told['text']}")
            return told["value"]
        try:
            value = work()
        except TfgantlError as error:
            self._broadcast(json.dumps({"error": type(error).__name__, "text": str(error)}).encode())
            raise
        message = json.dumps({"value": value}, default=float)  # numbers of NumPy
        self._broadcast(message.encode())
        return json.loads(message)["value"]

    def by_chief(self, work: Callable[[], T]) -> T:
        """What `work` gives on the chief; the others wait until it is done, and get `None`."""
        result: list[T] = []
        self.lead(lambda: result.append(work()))
        return result[0] if result else None  # type: ignore[return-value]

    def meet(self) -> None:
        """Waits until all workers are here."""
        self.lead(lambda: None)

    def compare(self, facts: dict[str, Any]) -> None:
        """Makes sure that all workers are about to do the same.

        Args:
            facts: Name → what must be the same everywhere, as text.

        Raises:
            WorkerError: On all workers, if something differs on one.
        """
        if self.cluster is None:
            return
        chief, *others = (json.loads(message) for message in self._gathered(json.dumps(facts).encode()))
        for name, theirs in zip(self.cluster.names[1:], others, strict=True):
            keys = sorted(key for key in chief | theirs if chief.get(key) != theirs.get(key))
            if keys:
                told = "; ".join(f"{key} {theirs.get(key)}, and {chief.get(key)} of the chief" for key in keys[:4])
                raise WorkerError(
                    f"workers must have the same settings, data, weights and packages. Received: {name} with {told}"
                )

    def exchange(self, arrays: dict[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
        """The arrays of each worker, by name, in the order of the workers."""
        if self.cluster is None:
            return [arrays]
        buffer = BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        return [dict(np.load(BytesIO(message))) for message in self._gathered(buffer.getvalue())]

    def _broadcast(self, message: bytes) -> bytes:
        return self._gathered(message)[0]

    def _gathered(self, message: bytes) -> list[bytes]:
        """What each worker gave, in their order."""
        lengths = self._sum_of_rows([len(message)], 1)[:, 0]
        rows = self._sum_of_rows(list(message), int(max(lengths)))
        return [bytes(row[:length].astype("uint8")) for row, length in zip(rows, lengths, strict=True)]

    def _sum_of_rows(self, numbers: list[int], width: int) -> Any:
        cluster = cast(Cluster, self.cluster)
        table = np.zeros((len(cluster.addresses), width), np.int32)
        table[cluster.rank, : len(numbers)] = numbers
        copies = len(self.local)  # each device of a worker adds the same
        with errors_of_workers():
            return _total_over(self.strategy)(tf.constant(table)).numpy() // copies


@cache
def _total_over(strategy: tf.distribute.Strategy) -> Callable[[tf.Tensor], tf.Tensor]:
    def of_replica(table: tf.Tensor) -> tf.Tensor:
        # What comes from outside is on no device yet, and cannot be reduced.
        return tf.distribute.get_replica_context().all_reduce("SUM", tf.identity(table))

    def total(table: tf.Tensor) -> tf.Tensor:
        return strategy.experimental_local_results(strategy.run(of_replica, args=(table,)))[0]

    return tf.function(total, autograph=False, input_signature=[tf.TensorSpec((None, None), tf.int32)])


@contextmanager
def errors_of_workers() -> Iterator[None]:
    """Context manager around what workers do together: that one has gone becomes one line.

    Raises:
        WorkerError: If one has.
    """
    try:
        yield
    except (*GONE, tf.errors.InternalError, tf.errors.UnknownError) as error:
        if current().cluster is None:
            raise
        raise WorkerError(
            "all workers must stay until the end: start them again, with --resume to go on from the last checkpoint. "
            f"Received: {type(error).__name__}, as when one has gone ({reason(error)[:200]})"
        ) from error


_current: Team | None = None


def current() -> Team:
    """The team of this process; one device without any."""
    return _current or Team(tf.distribute.get_strategy())


def form(devices: Devices = "auto", batch_size: int | None = None) -> Team:
    """Forms the team that `TF_CONFIG` and the machine allow for; once a process with workers, whatever is asked again.

    Args:
        devices: How many devices of this machine to use: auto for as many GPUs as share a batch equally, all for all
            GPUs, or a number. A machine without GPUs has one device, its processor, but for a number.
        batch_size: Images a step, which devices share.

    Raises:
        ConfigError: If `TF_CONFIG` is no configuration, there are not so many devices, or TensorFlow has begun.
        WorkerError: If a worker does not come.
    """
    global _current
    cluster = Cluster.from_environment()
    if cluster is not None and _current is not None and _current.cluster == cluster:
        return _current
    if cluster is not None:
        cluster.meet(waiting=progress.log)
        _current = Team(_of_workers(cluster), cluster)
        if cluster.rank:
            progress.silent = progress.quiet = True  # the chief tells the same
    else:
        names = _devices(devices, batch_size)
        alone = tf.distribute.get_strategy()
        if len(names) < 2:
            _current = Team(alone)
        elif _current is None or _current.devices != names:
            _current = Team(tf.distribute.MirroredStrategy(names), devices=names)
    if batch_size is not None:
        _current.check_batch(batch_size)
    return _current


def _of_workers(cluster: Cluster) -> tf.distribute.Strategy:
    def give_up() -> None:  # TensorFlow would wait without end, and heeds no signal meanwhile
        message = f"all workers of `{VARIABLE}` must begin together. Received: one that has gone while it began"
        os.write(interrupts.error_stream, f"tfgantl: error: {message}\n".encode())
        os._exit(WorkerError.exit_code)

    watchdog = threading.Timer(wait_limit(), give_up)
    watchdog.daemon = True
    watchdog.start()
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise ConfigError(
            f"workers must be formed before TensorFlow has computed anything. Received: {reason(error)}"
        ) from error
    finally:
        watchdog.cancel()


def _devices(devices: Devices, batch_size: int | None) -> tuple[str, ...]:
    """Names of the devices to use; at most one if nothing is to be shared."""
    found = tf.config.list_physical_devices("GPU")
    for gpu in found:
        with suppress(RuntimeError):  # it has computed something: whoever did decided
            tf.config.experimental.set_memory_growth(gpu, True)  # or one process takes all of its memory
    gpus = tuple(f"GPU:{i}" for i in range(len(found)))
    if devices == "all":
        return gpus
    if devices == "auto":
        # A batch that nobody has set will be a power of 2.
        batch_size = batch_size or 2 ** len(gpus)
        count = max((n for n in range(1, len(gpus) + 1) if batch_size % n == 0), default=0)
        return gpus[:count]
    if devices > len(gpus) and gpus:
        raise ConfigError(f"`devices` must be at most {len(gpus)}, the number of GPUs. Received: {devices}")
    return gpus[:devices] if gpus else _processors(devices)


def _processors(count: int) -> tuple[str, ...]:
    """A processor divided into several devices, which share its cores: a rehearsal of several GPUs."""
    processor = tf.config.list_physical_devices("CPU")[0]
    divided = tf.config.get_logical_device_configuration(processor) or ()
    if count > max(1, len(divided)):
        try:
            tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * count)
        except RuntimeError as error:
            raise ConfigError(
                f"`devices` must be set before TensorFlow has computed anything. Received: {count}, after it has"
            ) from error
    return tuple(f"CPU:{i}" for i in range(count))
