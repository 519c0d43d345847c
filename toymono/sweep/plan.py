"""From jobs to groups: what is stored already, what is left to train, and in which order."""

import dataclasses
import functools
import itertools
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from toymono import store
from toymono.job import Job
from toymono.kinds import Cost
from toymono.store import StoredRun
from toymono.sweep import cost, devices


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs of one config, and of the same parents, that train in one program."""

    jobs: tuple[Job, ...]
    shared: Any
    """What they read: nothing, a data set, or what they take from the runs that they start from,
    which the trainer loads."""

    @functools.cached_property
    def cost(self) -> Cost:
        """Of one of its runs."""
        return self.jobs[0].kind.cost(self.jobs[0].config, self.shared)

    @property
    def lanes(self) -> int:
        """Runs that a device trains at a time."""
        return cost.lanes(self.cost)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a sweep asks for, and how the rest of it will be trained."""

    jobs: tuple[Job, ...]
    """Every run requested, each once."""
    groups: tuple[Group, ...]
    """Those not on disk that this process trains."""
    stored: dict[str, StoredRun]
    """Those on disk, by name."""
    blocked: tuple[Job, ...] = ()
    """Those that have an unreadable file in their place, which is not overwritten."""

    @property
    def to_train(self) -> int:
        """Runs that this process trains."""
        return sum(len(group.jobs) for group in self.groups)


def make(
    jobs: Iterable[Job],
    runs_dir: str | Path,
    group_size: int | None = None,
    data_dir: str | None = None,
) -> Plan:
    """Skips what is on disk and groups the rest by config.

    Args:
      jobs: What is requested; the same run twice counts once.
      runs_dir: Where runs are stored; it need not exist.
      group_size: Runs of one program; None chooses by the config and the kind of device.
      data_dir: Folder of data sets, for runs that read one from files.

    Raises:
      ValueError: A run that another starts from is neither on disk nor requested, or not of
        its kind, world or shape.
    """
    by_name = {job.name: job for job in jobs}
    exists = Path(runs_dir).is_dir()
    on_disk = store.every(runs_dir) if exists else []
    stored = {run.name: run for run in on_disk if run.name in by_name}
    _check_parents(by_name, {run.name: run for run in on_disk})
    # All are shared out, stored or not: another process may be storing some right now.
    mine = devices.shard(list(by_name.values()))
    blocked = {
        name: job
        for name, job in by_name.items()
        if exists and name not in stored and os.path.lexists(store.path(runs_dir, job))
    }
    by_origin: dict[Any, list[Job]] = {}
    for job in mine:
        if job.name not in stored and job.name not in blocked:
            by_origin.setdefault((job.config, job.parents), []).append(job)
    groups = []
    for (config, _), members in by_origin.items():
        shared = members[0].kind.shared(config, data_dir)
        size = group_size or cost.group_size(Group(tuple(members), shared).cost)
        # Groups as equal as possible, so that at most two programs are compiled.
        for part in _parts(members, math.ceil(len(members) / size)):
            groups.append(Group(tuple(part), shared))
    return Plan(tuple(by_name.values()), tuple(groups), stored, tuple(blocked.values()))


def _check_parents(by_name: dict[str, Job], on_disk: dict[str, StoredRun]) -> None:
    for job in by_name.values():
        found = [on_disk.get(name) or by_name.get(name) for name in job.parents]
        for name, parent in zip(job.parents, found, strict=True):
            if parent is None:
                raise ValueError(f"a run is to start from {name}, which is not among the runs")
        job.kind.check_parents(job, found)


def _parts(members: Sequence[Job], count: int) -> list[Sequence[Job]]:
    bounds = [len(members) * part // count for part in range(count + 1)]
    return [members[start:end] for start, end in itertools.pairwise(bounds)]
