"""One run or many: the checks of keys and hyperparameters that every kind of run shares."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from toymono import fields
from toymono.config import Hyperparams
from toymono.fields import SEED, TOY_CONFIG, TOY_HYPERPARAMS

Hyper = TypeVar("Hyper", bound=Any)

KEY_IMPL = "threefry2x32"
"""Stored runs use this implementation of keys (JAX's default).

The same seed gives different numbers under another one.
"""


class Stack(NamedTuple):
    """Many settings at once, as `fit_many` takes them: `fit_many(config, *stack)`."""

    hyperparams: Hyperparams
    """Each `[r]`."""
    keys: PRNGKeyArray
    """One for each run, `[r]`."""


def grid(*, seeds: int | Sequence[int] = 1, **values: Any) -> Stack:
    """Every combination of hyperparameters with every seed; the seed varies fastest.

    Args:
      seeds: How many seeds, from 0, or the seeds themselves.
      **values: Hyperparameters, each a number or a sequence of numbers.

    Raises:
      ValueError: A name is not a hyperparameter, a value is out of its range, or there
        is no run.

    Example:
      >>> stack = grid(init_bias=[0, -1], seeds=2)
      >>> stack.hyperparams.init_bias.tolist(), [seed_of(key) for key in stack.keys]
      ([0.0, 0.0, -1.0, -1.0], [0, 1, 0, 1])
    """
    for name in values:
        if name in TOY_CONFIG:
            raise ValueError(f"{name} belongs to Config, which all runs of a stack share")
        if name not in TOY_HYPERPARAMS:
            raise ValueError(f"{name!r} is not one of {', '.join(TOY_HYPERPARAMS)}")
    axes = {name: np.atleast_1d(value).tolist() for name, value in values.items()}
    axes["seed"] = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    points = list(fields.grid(axes))
    if not points:
        raise ValueError("the grid has no runs: a list of values or seeds is empty")
    keys = jnp.stack([key_of(SEED.check(point["seed"])) for point in points])
    stacked = {name: jnp.array([point[name] for point in points]) for name in values}
    return Stack(*broadcast(Hyperparams(**stacked), keys))


def broadcast(hyperparams: Hyper, keys: Any) -> tuple[Hyper, PRNGKeyArray]:
    """Checked hyperparameters, each `[r]`, and typed keys `[r]`, of any kind of run.

    Raises:
      ValueError: A hyperparameter is out of range, or its length is not that of the keys.
      TypeError: The keys are not PRNG keys.
    """
    keys, hyperparams = typed_key(keys), hyperparams.checked()
    if keys.ndim != 1:
        raise ValueError(f"keys have shape {keys.shape}, not [r]: fit_many takes one for each run")
    for name, value in vars(hyperparams).items():
        if value.shape not in ((), keys.shape):
            raise ValueError(f"{name} has shape {value.shape}, but there are {len(keys)} keys")
    return jax.tree.map(lambda value: jnp.broadcast_to(value, keys.shape), hyperparams), keys


def refuse_others(config: Any, hyperparams: Any, types: tuple[type, type]) -> Any:
    """The hyperparameters, if they and the config are what a kind of run takes, in this order.

    Raises:
      TypeError: One is something else.
    """
    for name, value, expected in zip(
        ("config", "hyperparams"), (config, hyperparams), types, strict=True
    ):
        if not isinstance(value, expected):
            raise TypeError(
                f"{name} is a {type(value).__name__}, not a {expected.__name__}: "
                "the order is (config, hyperparams, …)"
            )
    return hyperparams


def refuse_stacked(hyperparams: Any) -> None:
    """Raises if a hyperparameter is an array: it would broadcast silently.

    Raises:
      ValueError: A hyperparameter is an array.
    """
    for name, value in vars(hyperparams).items():
        if shape := jnp.shape(value):
            raise ValueError(
                f"{name} has shape {shape}: one run takes scalars; fit_many takes stacks"
            )


def one_key(key: Any) -> PRNGKeyArray:
    """`typed_key` of a single key.

    Raises:
      TypeError: It is not a PRNG key.
      ValueError: It is a stack of keys.
    """
    key = typed_key(key)
    if key.ndim:
        raise ValueError(f"key has shape {key.shape}: one run takes one key; fit_many takes stacks")
    return key


def typed_key(key: Any) -> PRNGKeyArray:
    """A typed key or a stack of them, also from the raw words that `jax.random.PRNGKey` makes.

    Raises:
      TypeError: It is neither.
    """
    dtype = getattr(key, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return key
    if dtype != np.uint32:
        raise TypeError("key is not a PRNG key; jax.random.key(seed) makes one")
    return jax.random.wrap_key_data(key)


def seed_of(key: PRNGKeyArray) -> int:
    """The number that identifies a key: s for `jax.random.key(s)`.

    Example:
      >>> seed_of(jax.random.key(5))
      5
    """
    words = np.asarray(jax.random.key_data(key)).tolist()
    return sum(word << 32 * index for index, word in enumerate(reversed(words)))


def key_of(seed: int) -> PRNGKeyArray:
    """The inverse of `seed_of`, for keys of `KEY_IMPL`.

    Example:
      >>> one, _ = jax.random.split(jax.random.key(5))
      >>> bool(key_of(seed_of(one)) == one)
      True
    """
    words = jnp.array([seed >> 32, seed & 0xFFFFFFFF], jnp.uint32)
    return jax.random.wrap_key_data(words, impl=KEY_IMPL)


class OneRun:
    """What trained runs of every kind have in common; a stack of them is refused."""

    key: Any

    @property
    def seed(self) -> int:
        """The seed: s for `jax.random.key(s)`.

        For other keys, both key words as one 64-bit number.

        Raises:
          ValueError: The run is stacked.
        """
        self.refuse_stacked("seed")
        return seed_of(self.key)

    def refuse_stacked(self, name: str) -> None:
        """Raises if `name` is asked of several runs.

        Raises:
          ValueError: The run is stacked.
        """
        if np.ndim(self.key):
            raise ValueError(
                f"{name} is defined for a single run; separate stacked runs with toymono.unstack"
            )


def first_not_finite(history: Any, final: Any) -> int | None:
    """The first step at which a run is not finite; None if it never is.

    Args:
      history: Arrays with an axis of steps first.
      final: What is left after the last step, which counts as the step behind all others.

    Example:
      >>> first_not_finite(np.array([1.0, np.nan]), [np.ones(2)]), first_not_finite(
      ...     np.ones(2), [np.array(np.inf)]
      ... )
      (1, 2)
    """
    finite_t: Any = np.logical_and.reduce(
        [
            np.isfinite(np.asarray(leaf)).reshape(len(leaf), -1).all(axis=1)
            for leaf in jax.tree.leaves(history)
        ]
    )
    if not finite_t.all():
        return int(finite_t.argmin())
    ends_finite = all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(final))
    return None if ends_finite else len(finite_t)
