"""From settings to jobs, with the stored runs that some of them start from."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toymono import catalog
from toymono.catalog.sweep import Ancestor
from toymono.config import split
from toymono.job import Job


def of_sweeps(
    names: Sequence[str], scale: str, seeds: Sequence[int], **changed: Any
) -> Iterator[Job]:
    """The jobs of sweeps of the catalog; those that others start from come before them.

    Args:
      names: As in `catalog.points`.
      scale: One of `catalog.SCALES`.
      seeds: Of each setting.
      changed: Fields that replace the sweeps' own.

    Raises:
      ValueError: A sweep is unknown, or a value is out of its range.

    Example:
      >>> *_, curve = of_sweeps(["CURVE"], "small", [0])
      >>> curve.config.origin, len(curve.parents)
      ('curve', 2)
    """
    for sweep in catalog.named(names):
        for point in sweep.points(scale, **changed):
            config, hyperparams = split(point)
            for seed in seeds:
                for ancestors in sweep.parents(scale, point, seed):
                    parents = []
                    for ancestor in ancestors:
                        *before, parent = _with_parents(ancestor)
                        yield from (*before, parent)
                        parents.append(parent.name)
                    yield Job(config, hyperparams, seed, parents=tuple(parents))


def _with_parents(ancestor: Ancestor) -> list[Job]:
    """The jobs that an ancestor starts from, then its own."""
    lines = [_with_parents(parent) for parent in ancestor.parents]
    config, hyperparams = split(ancestor.point)
    names = tuple(line[-1].name for line in lines)
    own = Job(config, hyperparams, ancestor.seed, parents=names)
    return [*(job for line in lines for job in line), own]


def from_runs(
    points: Sequence[Mapping[str, Any]], parents: Sequence[Job], seeds: Sequence[int]
) -> Iterator[Job]:
    """The jobs of a grid whose runs start from given ones.

    Args:
      points: What differs from the first parent's settings.
      parents: The runs that each of them starts from.
      seeds: Of each point.

    Raises:
      ValueError: A value is out of its range.
    """
    inherited = {name: value for name, value in parents[0].fields.items() if name != "seed"}
    for point in points:
        config, hyperparams = split({**inherited, **point})
        for seed in seeds:
            yield Job(config, hyperparams, seed, parents=tuple(job.name for job in parents))
