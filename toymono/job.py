"""`Job`: what determines one run, and the name derived from it."""

import dataclasses
import functools
import hashlib
import json
from typing import Any

import jax
from jaxtyping import PRNGKeyArray

from toymono.batching import KEY_IMPL, key_of
from toymono.config import decimal
from toymono.kinds import RunKind, kind_of


@dataclasses.dataclass(frozen=True)
class Job:
    """Everything that determines a run, trained or not."""

    config: Any
    hyperparams: Any
    seed: int
    fingerprint: str = ""
    """Hash of the data set; empty for toy models."""
    parents: tuple[str, ...] = ()
    """Names of the stored runs that it starts from."""

    @property
    def kind(self) -> RunKind:
        """The kind of run."""
        return kind_of(self.config)

    @functools.cached_property
    def fields(self) -> dict[str, Any]:
        """Config, hyperparameters and seed as a flat dictionary; see `fields`."""
        return fields(self.config, self.hyperparams, self.seed)

    @functools.cached_property
    def name(self) -> str:
        """The run's name: 16 hexadecimal digits of a hash of all that determines it.

        Fields that have no effect in the run are omitted. Fields at the value that
        runs had before the field existed are omitted too, so old names stay valid.
        """
        table = self.kind.fields
        identity = {
            name: value
            for name, value in self.fields.items()
            if name == "seed" or (table[name].matters(self.fields) and value != table[name].before)
        }
        if self.kind.name != "toy":
            identity["kind"] = self.kind.name
        if self.fingerprint:
            identity["fingerprint"] = self.fingerprint
        if self.parents:
            identity["parents"] = list(self.parents)
        canonical = json.dumps(identity, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @functools.cached_property
    def setting(self) -> str:
        """Identifies runs that differ only in their seed and in the runs that they start from."""
        return Job(self.config, self.hyperparams, 0, self.fingerprint).name

    @property
    def key(self) -> PRNGKeyArray:
        """The run's PRNG key."""
        return key_of(self.seed)


def fields(config: Any, hyperparams: Any, seed: int) -> dict[str, Any]:
    """Config, hyperparameters and seed as a flat dictionary.

    Floats are the shortest decimals of their float32 values.
    """
    kind = kind_of(config)
    values = {name: getattr(config, name) for name in kind.static}
    numbers = {
        name: decimal(getattr(hyperparams, name)) for name in kind.fields if name not in values
    }
    return {**values, **numbers, "seed": int(seed)}


def name(
    config: Any,
    hyperparams: Any,
    seed: int,
    fingerprint: str = "",
    parents: tuple[str, ...] = (),
) -> str:
    """The name of a run; see `Job.name`."""
    return Job(config, hyperparams, seed, fingerprint, parents).name


def job_of(run: Any) -> Job:
    """The job of a trained run.

    Raises:
      ValueError: The run is stacked, or its key is not of JAX's default implementation.
    """
    implementation = str(jax.random.key_impl(run.key))
    if implementation != KEY_IMPL:
        raise ValueError(
            f"a run from a key of {implementation!r} cannot be stored; use keys of {KEY_IMPL!r}"
        )
    fingerprint, parents = (getattr(run, name, "") for name in ("fingerprint", "parents"))
    return Job(run.config, run.hyperparams, run.seed, fingerprint, tuple(parents))
