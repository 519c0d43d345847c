"""The shapes that the arrays of a run must have, known before its file is read."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from toymono import train
from toymono.autoencoders.data import Patches
from toymono.classifiers.data import Dataset
from toymono.config import Config, Hyperparams
from toymono.job import Job
from toymono.origins import ORIGINS, Parents, as_fresh


class Shape(NamedTuple):
    """Expected shape and type of one stored array."""

    shape: tuple[int | None, ...]
    """None for a length that depends on the data."""
    dtype: Any


def of_run(job: Job) -> dict[str, Shape] | None:
    """The shapes of a stored run by the names of its arrays; None if the kind is not known here.

    Example:
      >>> from toymono import Config, Hyperparams
      >>> of_run(Job(Config(n=8, m=2, k=4, log2_steps=1), Hyperparams(), 0))["snapshots.b_k"].shape
      (2, 4)
    """
    return _of_config(job.kind, job.config)


@functools.lru_cache(maxsize=1024)
def _of_config(kind: Any, config: Any) -> dict[str, Shape] | None:
    if kind.name not in _SHARED:
        return None
    first, *others = [_traced(kind, config, read) for read in _SHARED[kind.name](config)]
    return {
        name: Shape(_common([leaf.shape, *(other[name].shape for other in others)]), leaf.dtype)
        for name, leaf in first.items()
    }


def _traced(kind: Any, config: Any, read: Callable[[], Any]) -> dict[str, Any]:
    hyperparams = kind.hyperparams().checked()

    def tensors(key: Any) -> dict[str, Any]:
        shared = read()
        world, state = kind.begin(config, hyperparams, shared, key)
        snapshots = jax.tree.map(
            lambda leaf: jnp.stack([leaf] * len(config.snapshot_steps)), kind.snapshot(state)
        )
        return kind.tensors(kind.finish(config, hyperparams, shared, key, world, snapshots, state))

    return jax.eval_shape(tensors, jax.random.key(0))


def _common(shapes: list[tuple[int, ...]]) -> tuple[int | None, ...]:
    """Lengths that all the shapes have, None elsewhere."""
    return tuple(
        lengths[0] if len(set(lengths)) == 1 else None for lengths in zip(*shapes, strict=True)
    )


def _images(side: int) -> Dataset:
    images: Any = np.zeros((2, side, side), np.float32)
    labels: Any = np.zeros(2, np.int32)
    return Dataset(images, labels, images, labels)


def _patches(config: Any) -> Patches:
    patch_bd: Any = np.zeros((2, config.patch**2), np.float32)
    return Patches(patch_bd)


def _parents(config: Config) -> Any:
    """Example parents of a toy run; None if its origin is `fresh`."""
    count = ORIGINS[config.origin].parents
    if not count:
        return None
    world, state = train.begin(as_fresh(config), Hyperparams().checked(), jax.random.key(0))
    return Parents(world, (state.model,) * count)


_SHARED: dict[str, Callable[[Any], tuple[Callable[[], Any], ...]]] = {
    "toy": lambda config: (lambda: _parents(config),),
    "classifier": lambda config: (lambda: _images(8), lambda: _images(28)),
    "autoencoder": lambda config: (lambda: _patches(config),),
}
"""By kind: builds examples of the shared data for a config. Shapes are traced with each example; an
axis whose length differs between examples depends on the data and is not checked."""
