"""One run or many: the checks of keys and hyperparameters that every kind of run shares."""

from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

Hyper = TypeVar("Hyper", bound=Any)

KEY_IMPL = "threefry2x32"
"""Stored runs use this implementation of keys (JAX's default).

The same seed gives different numbers under another one.
"""


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
