"""What determines a run: `Config`, its shape and code, and `Hyperparams`, its numbers.

A `Config` is frozen and hashable, and static under jit: changing it recompiles.
`Hyperparams` are leaves of a pytree, so changing one never recompiles and many
settings share one compiled program. `toymono.fields` describes each field.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import flax.struct
import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from toymono import fields
from toymono.fields import TOY_CONFIG, TOY_HYPERPARAMS, Field

Scalar = float | Float[Array, "*runs"] | Int[Array, "*runs"]
"""A hyperparameter: a number, or `[r]` when runs are stacked."""


def _default(name: str) -> Any:
    return dataclasses.field(default={**TOY_CONFIG, **TOY_HYPERPARAMS}[name].default)


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Config:
    """What changes the shape of an array or the code that runs; see `fields.TOY_CONFIG`.

    Raises:
      ValueError: A word is not one of its choices, a size is not a positive
        whole number, the embedding has more dimensions than features, or two
        settings exclude each other, e.g. model=tied and task=decoder.
    """

    task: str = _default("task")
    n: int = _default("n")
    m: int = _default("m")
    k: int = _default("k")
    nonlinearity: str = _default("nonlinearity")
    feature_law: str = _default("feature_law")
    penalty: str = _default("penalty")
    batch_size: int = _default("batch_size")
    log2_steps: int = _default("log2_steps")
    optimizer: str = _default("optimizer")
    schedule: str = _default("schedule")
    matmul_precision: str = _default("matmul_precision")
    dropout: str = _default("dropout")
    model: str = _default("model")
    noise: str = _default("noise")
    world_seed: int = _default("world_seed")
    bias_start: str = _default("bias_start")
    decay_rule: str = _default("decay_rule")
    bias_pull: str = _default("bias_pull")
    origin: str = _default("origin")
    match_parents: str = _default("match_parents")
    ticket_control: str = _default("ticket_control")
    rewind_step: int = _default("rewind_step")
    fork_seed: int = _default("fork_seed")
    sparsity: str = _default("sparsity")
    density_rule: str = _default("density_rule")
    skip_rank: int = _default("skip_rank")

    def __post_init__(self):
        check(self, TOY_CONFIG)
        if self.m > self.n:
            raise ValueError(f"m={self.m} is more than n={self.n}: an embedding has m <= n")
        if self.model == "tied" and self.task != "identity":
            raise ValueError(f"task={self.task}: model=tied has the task identity alone")
        schemes = (self.bias_start, self.decay_rule, self.bias_pull)
        if self.model == "tied" and schemes != ("shifted", "all", "off"):
            raise ValueError(
                "model=tied has no neurons with biases: it takes bias_start=shifted, "
                "decay_rule=all and bias_pull=off"
            )
        if self.model == "tied" and self.sparsity != "none":
            raise ValueError(f"sparsity={self.sparsity}: model=tied has sparsity=none alone")
        if self.model == "tied" and self.origin not in ("fresh", "continued"):
            raise ValueError(f"origin={self.origin} matches hidden neurons: model=tied has none")
        if (self.sparsity == "pruned") != (self.origin in ("ticket", "expand")):
            if self.sparsity == "pruned":
                raise ValueError("sparsity=pruned requires origin=ticket or origin=expand")
            raise ValueError(f"origin={self.origin} requires sparsity=pruned")
        if self.origin == "expand" and self.density_rule != "uniform":
            raise ValueError(
                f"density_rule={self.density_rule}: origin=expand has density_rule=uniform alone"
            )
        if self.ticket_control == "new_weights" and self.bias_start != "shifted":
            raise ValueError(
                "ticket_control=new_weights draws weights with bias_start=shifted alone"
            )
        if self.density_rule == "global" and self.sparsity not in ("none", "pruned"):
            raise ValueError(f"density_rule=global prunes by size: not sparsity={self.sparsity}")
        if self.rewind_step & (self.rewind_step - 1):
            raise ValueError(f"rewind_step={self.rewind_step} is not a power of two")
        if self.sparsity not in ("none", "pruned") and self.origin != "fresh":
            raise ValueError(
                f"sparsity={self.sparsity}: a run that starts from stored runs has dense weights"
            )

    @property
    def steps(self) -> int:
        """Training steps."""
        return 2**self.log2_steps

    @property
    def first_step(self) -> int:
        """Step at which the schedule of the rate and the decay of biases begin, from 0: a lottery
        ticket goes on where its first parent was.
        """
        return self.rewind_step - 1 if self.origin == "ticket" else 0

    @property
    def snapshot_steps(self) -> tuple[int, ...]:
        """Steps after which the model is saved: 1, 2, 4, …, `steps`."""
        return tuple(2**j for j in range(self.log2_steps + 1))


class Hyperparams(flax.struct.PyTreeNode):
    """The numbers of a run: scalars, or `[r]` when runs are stacked; see `TOY_HYPERPARAMS`."""

    learning_rate: Scalar = _default("learning_rate")
    eps: Scalar = _default("eps")
    init_bias: Scalar = _default("init_bias")
    bias_decay: Scalar = _default("bias_decay")
    l1: Scalar = _default("l1")
    alpha: Scalar = _default("alpha")
    exponent: Scalar = _default("exponent")
    cosine_period: Scalar = _default("cosine_period")
    dropout_rate: Scalar = _default("dropout_rate")
    weight_decay: Scalar = _default("weight_decay")
    init_scale: Scalar = _default("init_scale")
    noise_scale: Scalar = _default("noise_scale")
    start_margin: Scalar = _default("start_margin")
    firing_target: Scalar = _default("firing_target")
    pull_weight: Scalar = _default("pull_weight")
    pull_target: Scalar = _default("pull_target")
    attraction: Scalar = _default("attraction")
    line_loss: Scalar = _default("line_loss")
    fork_step: Scalar = _default("fork_step")
    density: Scalar = _default("density")
    drop_share: Scalar = _default("drop_share")

    def checked(self) -> "Hyperparams":
        """Converts to float32 and checks ranges; tracers are not checked.

        Raises:
          ValueError: A number is out of range, or not finite.
        """
        return in_range(self, TOY_HYPERPARAMS)


def check(config: Any, table: Mapping[str, Field]) -> None:
    """Checks each field of a frozen dataclass and stores its plain value.

    Raises:
      ValueError: A field has a value that it may not hold.
    """
    for name, field in table.items():
        object.__setattr__(config, name, field.check(getattr(config, name)))


def in_range(hyperparams: Any, table: Mapping[str, Field]) -> Any:
    """What `Hyperparams.checked` returns, for the hyperparameters of any kind of run."""
    checked = {}
    for name, field in table.items():
        value = getattr(hyperparams, name)
        try:
            if isinstance(value, str):  # jnp would read it as a number
                raise TypeError
            checked[name] = jnp.asarray(value, jnp.float32)
        except (TypeError, ValueError):
            raise ValueError(f"{name}={value!r} is not a number") from None
        if not isinstance(checked[name], jax.core.Tracer):
            for number in np.unique(np.asarray(checked[name])):
                field.check(number)
    return hyperparams.replace(**checked)


def split(values: Mapping[str, Any]) -> tuple[Config, Hyperparams]:
    """The Config and the Hyperparams with these `values` of their fields.

    Raises:
      ValueError: A name is not a field, or a value is out of its range.

    Example:
      >>> config, hyperparams = split({"k": 256, "init_bias": -1.0})
      >>> config.k, hyperparams.init_bias
      (256, -1.0)
    """
    return split_fields(values, fields.TOY, Config, Hyperparams)


def split_fields(
    values: Mapping[str, Any], table: Mapping[str, Field], config: type, hyperparams: type
) -> tuple[Any, Any]:
    """`split` for any kind of run: its table of fields, and its two types.

    Raises:
      ValueError: A name is not a field, or a value is out of its range.
    """
    for name in values:
        if name not in table:
            raise ValueError(f"{name!r} is not one of {', '.join(table)}")
    names = {field.name for field in dataclasses.fields(config)}
    static = {name: value for name, value in values.items() if name in names}
    traced = {name: value for name, value in values.items() if name not in names}
    made = config(**static), hyperparams(**traced)
    in_range(made[1], {name: table[name] for name in traced})
    return made


def decimal(value: Any) -> float:
    """The shortest decimal of a number's float32 value, as files and names have it."""
    return float(str(np.float32(value))) + 0.0  # -0 is 0


def stack(trees: Sequence[Any]) -> Any:
    """Pytrees of one structure, stacked along a new first axis `[r]`."""
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(x) for x in leaves]), *trees)


def unstack(tree: Any) -> list[Any]:
    """The inverse of `stack`: one pytree for each entry of the first axis."""
    length = jax.tree.leaves(tree)[0].shape[0]
    return [jax.tree.map(lambda x: x[i], tree) for i in range(length)]  # noqa: B023
