"""Runs over devices and hosts, by placement alone.

Within a process, the runs of a group are dealt over its devices along one mesh
axis; each device trains its share in a loop of its own, with nothing to say to
the others. Across processes, which JAX's distributed runtime joins, each takes
its share of the runs and keeps them. What is kept is the same as on one device.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from toymono import train
from toymono.train import State

Item = TypeVar("Item")

# Our choice, above JAX's 100: a host that compiles on few cores can be silent for long.
_HEARTBEAT_SECONDS = 600

_RUNS, _SHARED = P("runs"), P()
_STATE = State(model=_RUNS, optimizer=_RUNS, loss_t=_RUNS, step=_SHARED, key=_RUNS)


@functools.cache
def _mesh() -> Mesh:
    return Mesh(np.array(jax.local_devices()), ("runs",))


def _dealt(function: Callable, in_specs: Any, out_specs: Any, **jit: Any) -> Callable:
    """`function` of stacked runs, each device taking its share of them."""

    # The sampling loop runs until every run of a device is done; sharding alone,
    # without shard_map, would make all devices agree on that in every step.
    @functools.cache
    def compiled():
        shares = jax.shard_map(
            function, mesh=_mesh(), in_specs=in_specs, out_specs=out_specs, check_vma=False
        )
        return jax.jit(shares, **jit)

    return lambda *args: compiled()(*args)


begin_many = _dealt(train.begin_many, (_SHARED, _RUNS, _RUNS), (_RUNS, _STATE))
"""`train.begin_many` over this process's devices; they share the runs evenly, see `fill`."""

advance_many = _dealt(
    train.advance_many, (_SHARED, _RUNS, _RUNS, _STATE, _SHARED), _STATE, donate_argnums=3
)
"""`train.advance_many` over this process's devices; the state that goes in is used up."""


def fill(items: Sequence[Item]) -> list[Item]:
    """The items, the last one repeated up to a multiple of this process's devices.

    Example:
      >>> fill(["a", "b"])  # on one device
      ['a', 'b']
    """
    return [*items, *[items[-1]] * (-len(items) % jax.local_device_count())]


def join(coordinator: str, hosts: int | None = None, host: int | None = None) -> None:
    """Joins this process to the others of its sweep.

    Args:
      coordinator: Address and port of the first process, or `auto`, which takes
        everything from the cluster's environment (Slurm, Cloud TPU and others
        that `jax.distributed.initialize` knows).
      hosts: Processes in all; known to `auto`.
      host: This one's number, from 0; known to `auto`.

    Raises:
      RuntimeError: The others did not come, or the environment says too little.
    """
    address = None if coordinator == "auto" else coordinator
    jax.distributed.initialize(address, hosts, host, heartbeat_timeout_seconds=_HEARTBEAT_SECONDS)


def share(items: Sequence[Item]) -> Sequence[Item]:
    """Those of the items that are this process's to do; every process calls with the same ones."""
    return items[jax.process_index() :: jax.process_count()]


def is_first() -> bool:
    """Whether this process is the one that speaks for all."""
    return jax.process_index() == 0


def wait_for_all(name: str) -> None:
    """Returns once every process has come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)
