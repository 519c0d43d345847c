"""What decides a run: `Config`, its shape and its code, and `Hyperparams`, its numbers.

The split is by type. A `Config` is frozen and hashable, part of what JAX
compiles for; `Hyperparams` are leaves of a pytree, so that turning one never
recompiles and a thousand settings train in one program. Flags, table columns
and file headers are made from the fields below, which stand nowhere else. The
defaults are the laptop preset.
"""

import dataclasses
import itertools
import math
import operator
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

CHOICES = {
    "task": ("decoder", "reproject", "abs"),
    "nonlinearity": ("relu", "gelu", "solu"),
    "feature_law": ("equal", "power_law"),
    "penalty": ("none", "soft", "hard", "soft_random_amplitude", "multi_feature"),
    "optimizer": ("lamb", "adam"),
    "schedule": ("cosine", "constant"),
    "matmul_precision": ("float32", "tensorfloat32", "bfloat16"),
}
"""The words that a field of `Config` may hold."""


def check_choices(config: Any, choices: Mapping[str, Sequence[str]]) -> None:
    """Raises a ValueError if a field of the config holds a word that is not one of its choices."""
    for name, words in choices.items():
        value = getattr(config, name)
        if value not in words:
            raise ValueError(f"{name}={value!r} is not one of {', '.join(words)}")


def whole(name: str, value: Any, lowest: int) -> int:
    """The value of the field `name` as an int, also from numpy's whole numbers.

    Raises:
      ValueError: It is not a whole number, or below `lowest`.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < lowest:
        raise ValueError(f"{name}={value!r} is not a whole number of at least {lowest}")
    return number


def field(default: Any, meaning: str) -> Any:
    """A field of a config or of hyperparams, with what it means in a sentence."""
    return dataclasses.field(default=default, metadata={"meaning": meaning})


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Config:
    """What changes an array's shape or the code that runs.

    Raises:
      ValueError: A word is not one of `CHOICES`, a size is not a positive
        whole number, or the embedding has more dimensions than features.
    """

    task: str = field(
        "decoder", "Recover the features, embed them anew, or recover their absolute value."
    )
    n: int = field(512, "Features.")
    m: int = field(64, "Dimensions of the embedding that the network reads.")
    k: int = field(512, "Neurons.")
    nonlinearity: str = field(
        "relu", "The hidden layer's function; solu is x exp(x), as in the paper's program."
    )
    feature_law: str = field("equal", "How frequent each feature is: all alike, or by a power law.")
    penalty: str = field("none", "What joins the task loss to make neurons monosemantic.")
    batch_size: int = field(512, "Samples in a step, drawn anew each time.")
    log2_steps: int = field(13, "Training takes 2**log2_steps steps.")
    optimizer: str = field("lamb", "lamb is that of the paper's program.")
    schedule: str = field("cosine", "The rate over time; the cosine is periodic, as published.")
    matmul_precision: str = field(
        "float32",
        "Least precision of training's matrix products. A CPU knows float32 alone; a GPU takes "
        "TF32 for both others; on a TPU tensorfloat32 is three passes in bfloat16.",
    )

    def __post_init__(self):
        check_choices(self, CHOICES)
        for name, lowest in (("n", 1), ("m", 1), ("k", 1), ("batch_size", 1), ("log2_steps", 0)):
            object.__setattr__(self, name, whole(name, getattr(self, name), lowest))
        if self.m > self.n:
            raise ValueError(f"m={self.m} is more than n={self.n}: an embedding has m <= n")
        if self.log2_steps > 24:  # the schedule's float32 counts no further
            raise ValueError(f"log2_steps={self.log2_steps} is more than 24")

    @property
    def steps(self) -> int:
        """Training steps."""
        return 2**self.log2_steps

    @property
    def o(self) -> int:
        """Outputs: m for the re-projector, n for the other tasks."""
        return self.m if self.task == "reproject" else self.n

    @property
    def snapshot_steps(self) -> tuple[int, ...]:
        """Steps after which the model is kept: 1, 2, 4, …, `steps`."""
        return tuple(2**j for j in range(self.log2_steps + 1))


Scalar = float | Float[Array, "*runs"] | Int[Array, "*runs"]


@flax.struct.dataclass
class Hyperparams:
    """The numbers of a run: scalars, or `[r]` when runs are stacked."""

    learning_rate: Scalar = field(0.01, "Peak of the schedule.")
    eps: Scalar = field(
        1 / 64, "Probability that a feature is present; its mean, under a power law."
    )
    init_bias: Scalar = field(0.0, "Added to every neuron's initial bias.")
    bias_decay: Scalar = field(
        0.1, "Share of a bias lost per step and unit of learning rate, in the first half."
    )
    l1: Scalar = field(0.0, "Weight of the hidden activations' L1 norm in the loss.")
    alpha: Scalar = field(1.0, "Weight of the penalty; below 0 it rewards polysemantic neurons.")
    exponent: Scalar = field(
        1.1, "The power law: feature i has a frequency in proportion to i**-exponent."
    )
    cosine_period: Scalar = field(1024.0, "Steps from one peak of the cosine schedule to the next.")

    def checked(self) -> "Hyperparams":
        """These hyperparams as float32 arrays; those known by now lie in their ranges.

        Under a `jax` transformation a hyperparam has no value yet and passes.

        Raises:
          ValueError: A hyperparam is out of range, or not finite.
        """
        return in_range(self)


# Each hyperparam's lowest value, highest value, and whether the lowest is itself allowed.
_RANGES = {
    "learning_rate": (0.0, math.inf, True),
    "eps": (0.0, 1.0, False),
    "init_bias": (-math.inf, math.inf, True),
    "bias_decay": (0.0, math.inf, True),
    "l1": (0.0, math.inf, True),
    "alpha": (-math.inf, math.inf, True),
    "exponent": (0.0, math.inf, True),
    "cosine_period": (0.0, math.inf, False),
}


def in_range(hyperparams: Any) -> Any:
    """The hyperparams as `Hyperparams.checked` has them, also those of labelled data."""
    checked = {name: jnp.asarray(value, jnp.float32) for name, value in vars(hyperparams).items()}
    for name, value in checked.items():
        if not isinstance(value, jax.core.Tracer):
            _check_range(name, np.asarray(value))
    return hyperparams.replace(**checked)


def _check_range(name: str, value: np.ndarray) -> None:
    low, high, closed = _RANGES[name]
    inside = np.isfinite(value) & (value <= high) & ((value >= low) if closed else (value > low))
    if not inside.all():
        wrong = value[~inside].flat[0]
        bracket = "[" if closed and math.isfinite(low) else "("
        end = "]" if math.isfinite(high) else ")"
        raise ValueError(f"{name}={wrong:g} is not in {bracket}{low:g}, {high:g}{end}")


def field_types(kind: type) -> dict[str, type]:
    """Name and type (str, int or float) of each field of `Config` or `Hyperparams`."""
    hints = typing.get_type_hints(kind)
    return {
        field.name: hints[field.name] if hints[field.name] in (str, int) else float
        for field in dataclasses.fields(kind)
    }


def meanings(kind: type) -> dict[str, str]:
    """What each field of `Config` or `Hyperparams` means, in a sentence."""
    return {field.name: field.metadata["meaning"] for field in dataclasses.fields(kind)}


def split(fields: Mapping[str, Any]) -> tuple[Config, Hyperparams]:
    """The Config and the Hyperparams that `fields`, named in either, describe.

    Raises:
      ValueError: A name is no field, or a value is out of its range.

    Example:
      >>> config, hyperparams = split({"k": 256, "init_bias": -1.0})
      >>> config.k, hyperparams.init_bias
      (256, -1.0)
    """
    of_config, of_hyperparams = field_types(Config), field_types(Hyperparams)
    for name in fields:
        if name not in of_config and name not in of_hyperparams:
            raise ValueError(f"{name!r} is not one of {', '.join([*of_config, *of_hyperparams])}")
    config = Config(**{name: value for name, value in fields.items() if name in of_config})
    hyperparams = Hyperparams(
        **{name: value for name, value in fields.items() if name in of_hyperparams}
    )
    hyperparams.checked()
    return config, hyperparams


def grid(axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of the axes' values, the last axis fastest.

    Example:
      >>> list(grid({"k": [8, 16], "eps": [0.5]}))
      [{'k': 8, 'eps': 0.5}, {'k': 16, 'eps': 0.5}]
    """
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def stack(trees: Sequence[Any]) -> Any:
    """Pytrees of one structure, stacked along a new first axis `[r]`."""
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(x) for x in leaves]), *trees)


def unstack(tree: Any) -> list[Any]:
    """The inverse of `stack`: one pytree for each entry of the first axis."""
    length = jax.tree.leaves(tree)[0].shape[0]
    return [jax.tree.map(lambda x: x[i], tree) for i in range(length)]  # noqa: B023
