"""Distributes groups of runs over devices and processes.

Within a process, a group's runs are distributed over its devices along one mesh
axis. Each device trains its runs one after the other, or `lanes` at a time where
batching is faster, in one compiled program. So the bits of a run do not depend on
the other runs of its group. Processes, joined by JAX's distributed runtime, each
train and store a share of the runs.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from toymono.kinds import RunKind

Item = TypeVar("Item")

# Our choice, above JAX's 100: a process that compiles on few cores can be silent for long.
_HEARTBEAT_SECONDS = 600

_RUNS, _SHARED = P("runs"), P()


@functools.cache
def _mesh() -> Mesh:
    return Mesh(np.array(jax.local_devices()), ("runs",))


def map_runs(function: Callable, runs: Any, lanes: int = 1) -> Any:
    """`function` of each of the stacked `runs`, in one program, `lanes` at a time.

    The last digits of vmapped arithmetic depend on the number of runs. So the number
    of lanes does not depend on the number of runs: `len(runs)` must be a multiple of
    `lanes`. With one lane each run executes the program of a single run.

    Example:
      >>> map_runs(lambda x: x**2, jax.numpy.arange(4.0), lanes=2).tolist()
      [0.0, 1.0, 4.0, 9.0]
    """
    return jax.lax.map(function, runs, batch_size=None if lanes == 1 else lanes)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def begin(kind: RunKind, lanes: int, config: Any, hyperparams: Any, shared: Any, keys: Any):
    """Worlds and untrained states of a group, `[r …]`, distributed over this process's devices.

    Args:
      kind: Kind of all runs of the group.
      lanes: Runs that a device trains at a time.
      config: Config of all runs of the group.
      hyperparams: Each `[r]`; r is a multiple of devices times lanes, see `pad_to_devices`.
      shared: Data that all runs read.
      keys: `[r]`.
    """

    def of_device(hyperparams, shared, keys):
        def one(run):
            hyperparams, key = run
            return kind.begin(config, hyperparams, shared, key)

        return map_runs(one, (hyperparams, keys), lanes)

    return _over_devices(of_device, (_RUNS, _SHARED, _RUNS))(hyperparams, shared, keys)


@functools.partial(jax.jit, static_argnums=(0, 1, 2), static_argnames="limits", donate_argnums=6)
def advance(
    kind: RunKind,
    lanes: int,
    config: Any,
    hyperparams: Any,
    shared: Any,
    world: Any,
    state: Any,
    units: Any,
    limits: Any = None,
):
    """The states of a group after `units` more steps or epochs.

    `state` is donated and must not be used again. `limits` are those of the kind for
    these hyperparameters, or None.
    """

    def of_device(hyperparams, shared, world, state, units):
        def one(run):
            hyperparams, world, state = run
            return kind.advance(config, hyperparams, shared, world, state, units, limits)

        return map_runs(one, (hyperparams, world, state), lanes)

    specs = (_RUNS, _SHARED, _RUNS, _RUNS, _SHARED)
    return _over_devices(of_device, specs)(hyperparams, shared, world, state, units)


def _over_devices(function: Callable, in_specs: Any) -> Callable:
    # The sampling loop runs until a device's runs are done; sharding alone, without
    # shard_map, would make all devices agree on that in every step.
    return jax.shard_map(
        function, mesh=_mesh(), in_specs=in_specs, out_specs=_RUNS, check_vma=False
    )


def pad_to_devices(items: Sequence[Item], lanes: int = 1) -> list[Item]:
    """The items, the last one repeated up to a multiple of this process's devices times lanes.

    Example:
      >>> pad_to_devices(["a", "b"], lanes=4)  # on one device
      ['a', 'b', 'b', 'b']
    """
    return [*items, *[items[-1]] * (-len(items) % (jax.local_device_count() * lanes))]


def join(coordinator: str, hosts: int | None = None, host: int | None = None) -> None:
    """Joins this process to the others of its sweep.

    Args:
      coordinator: Address and port of process 0, or `auto`, which takes
        everything from the cluster's environment (Slurm, Cloud TPU and others
        that `jax.distributed.initialize` knows).
      hosts: Number of processes; not needed with `auto`.
      host: Number of this process, from 0; not needed with `auto`.

    Raises:
      RuntimeError: The others did not connect, or the environment says too little.
    """
    address = None if coordinator == "auto" else coordinator
    jax.distributed.initialize(address, hosts, host, heartbeat_timeout_seconds=_HEARTBEAT_SECONDS)


def shard(items: Sequence[Item]) -> Sequence[Item]:
    """The items that this process handles. Every process must pass the same list."""
    return items[jax.process_index() :: jax.process_count()]


def is_process_0() -> bool:
    """Whether this process prints the summary."""
    return jax.process_index() == 0


def wait_for_all(name: str) -> None:
    """Returns once every process has called it."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)
