"""What a network has to output: one `Task` record for each task, in `TASKS`.

Everything that is particular to a task is in its record. Other modules read the
name of a task only to look it up here.
"""

import dataclasses
from collections.abc import Callable

import chex
import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from toymono.config import Config, Hyperparams
from toymono.feature_laws import frequencies
from toymono.fields import TOY_CONFIG
from toymono.precision import product
from toymono.records import Records

Draw = Callable[[Hyperparams, PRNGKeyArray], Float[Array, "b n"]]
"""Draws a batch of features in [0, 1)."""


class World(flax.struct.PyTreeNode):
    """The fixed random part of a task: how features are embedded."""

    embed_nm: Float[Array, "*r n m"]
    """Row n is the direction, of length 1, of feature n in the network's input; the identity
    of size n for a task without embedding."""
    reproject_nm: Float[Array, "*r n m"] | None = None
    """The embedding that the re-projector has to output; None for the other tasks."""
    task: str = flax.struct.field(pytree_node=False, default="decoder")
    """A key of `TASKS`."""

    def inputs(self, features_bn: Float[Array, "*b n"]) -> Float[Array, "*b m"]:
        """The input of the network."""
        embedded = TASKS[self.task].embedded
        return product(features_bn, self.embed_nm) if embedded else features_bn

    def targets(self, features_bn: Float[Array, "*b n"]) -> Float[Array, "*b o"]:
        """The output that the network is trained towards."""
        return TASKS[self.task].targets(self, features_bn)


@dataclasses.dataclass(frozen=True)
class Task:
    """All that is particular to a task."""

    signed: bool
    """Whether features take both signs; otherwise they are in [0, 1)."""
    reads_features: bool
    """Whether output i is a function of feature i: then there are n outputs."""
    embedded: bool
    """Whether the network reads an embedding of the features; otherwise the features."""
    second_embedding: bool
    """Whether `World.reproject_nm` is drawn."""
    dense: bool
    """Whether frequent features are drawn by a mask, which is faster; other tasks keep the
    draws of the runs that are stored."""
    outputs: Callable[[Config], int]
    """Number of outputs."""
    targets: Callable[[World, Float[Array, "*b n"]], Float[Array, "*b o"]]
    """Wanted outputs, from the world and the features (paper, eqs. 1-3)."""
    readouts: Callable[[World], Float[Array, "n o"]]
    """For each feature the direction, of length 1, that represents it in the output."""
    sample: Callable[[Draw, Hyperparams, PRNGKeyArray], Float[Array, "b n"]]
    """A batch of features, from a function that draws unsigned ones."""
    zero_loss: Callable[[Config, Hyperparams, World], Float[Array, ""]]
    """Expected loss of a network whose output is always 0."""

    def inputs(self, config: Config) -> int:
        """Number of inputs of the network."""
        return config.m if self.embedded else config.n

    def sum_over_signs(
        self, function: Callable[[Float[Array, "b d"]], Float[Array, "b k"]], x_bd: Array
    ) -> Float[Array, "b k"]:
        """`function(x)`, plus `function(-x)` if features are signed: a feature's total response.

        Example:
          >>> x_bd = jnp.array([[1.0, -2.0]])
          >>> TASKS["decoder"].sum_over_signs(jax.nn.relu, x_bd).tolist()
          [[1.0, 0.0]]
          >>> TASKS["abs"].sum_over_signs(jax.nn.relu, x_bd).tolist()
          [[1.0, 2.0]]
        """
        chex.assert_rank(x_bd, 2)
        return function(x_bd) + function(-x_bd) if self.signed else function(x_bd)


def _identity(world: World) -> Float[Array, "n n"]:
    return jnp.eye(world.embed_nm.shape[-2])


def _sample_unsigned(
    draw: Draw, hyperparams: Hyperparams, key: PRNGKeyArray
) -> Float[Array, "b n"]:
    return draw(hyperparams, key)


def _half(hyperparams: Hyperparams) -> Hyperparams:
    """With half the eps: halved before a power law is clipped at 1, as in the paper's program."""
    return hyperparams.replace(eps=hyperparams.eps / 2)


def _sample_signed(draw: Draw, hyperparams: Hyperparams, key: PRNGKeyArray) -> Float[Array, "b n"]:
    """The difference of two draws at half the eps (the paper's program, not its text)."""
    plus_key, minus_key = jax.random.split(key)
    hyperparams = _half(hyperparams)
    return draw(hyperparams, plus_key) - draw(hyperparams, minus_key)


def _zero_loss_decoder(config: Config, hyperparams: Hyperparams, world: World) -> Float[Array, ""]:
    """The sum of E x² = p/3: with probability p a feature is present, and then uniform."""
    return frequencies(config, hyperparams).sum() / 3


def _zero_loss_abs(config: Config, hyperparams: Hyperparams, world: World) -> Float[Array, ""]:
    """The sum of E (u - v)² = 2 q/3 - 2 (q/2)², for two draws u and v with probability q each."""
    half_n = frequencies(config, _half(hyperparams))
    return (2 * half_n / 3 - half_n**2 / 2).sum()


def _zero_loss_reproject(
    config: Config, hyperparams: Hyperparams, world: World
) -> Float[Array, ""]:
    """E |sum x r|² = sum Var(x) |r|² + |sum E(x) r|², with r the features' output directions."""
    frequency_n, direction_nm = frequencies(config, hyperparams), _reproject(world)
    mean_n = frequency_n / 2
    variance_n = frequency_n / 3 - mean_n**2
    mean_m = (mean_n[:, None] * direction_nm).sum(axis=0)
    return (variance_n * (direction_nm**2).sum(axis=1)).sum() + (mean_m**2).sum()


def _reproject(world: World) -> Float[Array, "n m"]:
    if world.reproject_nm is None:
        raise ValueError(f"task={world.task!r} needs World.reproject_nm, a second embedding")
    return jnp.asarray(world.reproject_nm)


TASKS: Records[Task] = Records(
    "task",
    {
        "decoder": Task(
            signed=False,
            reads_features=True,
            embedded=True,
            second_embedding=False,
            dense=False,
            outputs=lambda config: config.n,
            targets=lambda world, features_bn: features_bn,
            readouts=_identity,
            sample=_sample_unsigned,
            zero_loss=_zero_loss_decoder,
        ),
        "reproject": Task(
            signed=False,
            reads_features=False,
            embedded=True,
            second_embedding=True,
            dense=False,
            outputs=lambda config: config.m,
            targets=lambda world, features_bn: product(features_bn, _reproject(world)),
            readouts=_reproject,
            sample=_sample_unsigned,
            zero_loss=_zero_loss_reproject,
        ),
        "abs": Task(
            signed=True,
            reads_features=True,
            embedded=True,
            second_embedding=False,
            dense=False,
            outputs=lambda config: config.n,
            targets=lambda world, features_bn: abs(features_bn),
            readouts=_identity,
            sample=_sample_signed,
            zero_loss=_zero_loss_abs,
        ),
        "identity": Task(
            signed=False,
            reads_features=True,
            embedded=False,
            second_embedding=False,
            dense=True,
            outputs=lambda config: config.n,
            targets=lambda world, features_bn: features_bn,
            readouts=_identity,
            sample=_sample_unsigned,
            zero_loss=_zero_loss_decoder,
        ),
    },
    TOY_CONFIG["task"],
)
"""By the name in `Config.task`."""
