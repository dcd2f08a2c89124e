"""What was seen of a cluster at one moment. Plain values; times of jobs are in milliseconds."""

from dataclasses import dataclass, field
from typing import Mapping, Optional, Sequence, Tuple

# States of a job that it does not leave.
ENDED = frozenset({"FINISHED", "FAILED", "CANCELED", "SUSPENDED"})


@dataclass(frozen=True)
class Spread:
    """A metric over the subtasks of an operator."""

    total: float
    least: float
    most: float
    mean: float


@dataclass(frozen=True)
class Progress:
    """How far an operator is, of all the rows that it gets."""

    done: float
    rows: float


@dataclass(frozen=True)
class Operator:
    """
    One async-batch operator.

    :param name: as Flink's metrics call it: some characters are replaced, and it may be cut.
    :param batch_api: whether it sends rows through a Batch API.
    :param metrics: by their names in docs/metrics.md; histograms with Flink's suffixes.
    :param breakers: the state of each subtask's circuit breaker, if they have one.
    :param state_bytes: what its vertex had in the last completed checkpoint.
    """

    name: str
    vertex: str
    parallelism: int
    batch_api: bool
    metrics: Mapping[str, Spread]
    breakers: Sequence[str] = ()
    state_bytes: Optional[float] = None
    progress: Optional[Progress] = None

    @property
    def key(self) -> Tuple[str, str]:
        """What tells it from the other operators of its job."""
        return self.vertex, self.name


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of a job; sizes in bytes, of the last completed one."""

    completed: int
    failed: int
    state_bytes: Optional[float] = None
    duration_ms: Optional[float] = None


@dataclass(frozen=True)
class Job:
    """
    One job.

    :param at: when it was looked at, in seconds of a monotonic clock.
    :param warming: whether it runs and Flink has not collected its metrics yet.
    """

    id: str
    name: str
    state: str
    duration_ms: float
    at: float
    finished_tasks: int
    tasks: int
    restarts: Optional[int]
    checkpoints: Checkpoints
    operators: Sequence[Operator] = ()
    warming: bool = False

    @property
    def ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True)
class Cluster:
    """The jobs of a cluster that have not ended."""

    flink_version: str
    jobs: Sequence[Job] = field(default=())
