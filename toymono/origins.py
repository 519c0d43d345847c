"""Runs that start from stored runs: where they begin, and what their loss refers to.

A run's config names its origin. A `fresh` run begins with random weights. The
others begin with the weights of a stored run, their first parent, and read its
world; most of them refer to a second parent, whose neurons are first permuted to
match those of the first, since the order of neurons means nothing. They answer
what readers asked: how strong a pull makes a model go over to another solution,
whether a curve of low loss joins two models, what happens to a model that is
driven away from another one.

Reference:
  Garipov et al. (2018), Loss Surfaces, Mode Connectivity, for curves; Lubana et al.
  (2022), Mechanistic Mode Connectivity, for `connect`. The pull is proposed by the
  authors in the discussion of "Engineering Monosemanticity in Toy Models".
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, ScalarLike

from toymono import optimizers
from toymono.alignment import align, check_alike, interpolate, permute, square_distance
from toymono.config import Config, Hyperparams
from toymono.features import World
from toymono.models import AnyModel, Model


class Parents(NamedTuple):
    """What a run takes from the stored runs that it starts from."""

    world: World
    models: tuple[Model, ...]
    """Their final models; from the second on aligned to the first, see `Config.match_parents`."""


class Moment(NamedTuple):
    """Where a run is in its training."""

    anchors: tuple[Model, ...]
    """The models of its parents; none if it has no parents."""
    step: Int[Array, ""]
    steps: int
    key: PRNGKeyArray
    """Of the step's random draws, for an origin alone."""


def _itself(hyperparams: Hyperparams, model: AnyModel, moment: Moment) -> AnyModel:
    return model


def _unchanged(
    hyperparams: Hyperparams, loss: Float[Array, ""], model: AnyModel, moment: Moment
) -> Float[Array, ""]:
    return loss


@dataclasses.dataclass(frozen=True)
class Origin:
    """How runs of one origin begin, and how their loss differs from that of a fresh run."""

    parents: int = 0
    """How many stored runs they start from."""
    begin: Callable[[tuple[Model, ...]], Model] = lambda models: models[0]
    """From the parents' models to the one that training changes."""
    evaluated: Callable[..., AnyModel] = _itself
    """`(hyperparams, model, moment) -> model`: the network that the batch is fed to."""
    loss: Callable[..., Float[Array, ""]] = _unchanged
    """`(hyperparams, loss, model, moment) -> loss`, from the loss of that network."""
    after: Callable[..., AnyModel] = lambda config, hyperparams, model, moment: model
    """`(config, hyperparams, model, moment) -> model`, after the optimiser's step."""


def bezier(start: Model, middle: Model, end: Model, t: ScalarLike) -> Model:
    """The quadratic Bézier curve `(1 - t)² start + 2 t (1 - t) middle + t² end`; exact at its ends.

    Example:
      >>> eye = jnp.eye(2)
      >>> models = [Model(x * eye, jnp.zeros(2), eye) for x in (0.0, 1.0, 2.0)]
      >>> [bezier(*models, t).w_mk[0, 0].item() for t in (0.0, 0.25, 1.0)]
      [0.0, 0.5, 2.0]
    """
    return interpolate(interpolate(start, middle, t), interpolate(middle, end, t), t)


def _middle(models: tuple[Model, ...]) -> Model:
    return interpolate(models[0], models[1], 0.5)


def _on_curve(hyperparams: Hyperparams, model: Model, moment: Moment) -> Model:
    start, end = moment.anchors
    return bezier(start, model, end, jax.random.uniform(moment.key))


def _away(moment: Moment) -> Array:
    return moment.step % 2 == 0


def _on_line(hyperparams: Hyperparams, model: Model, moment: Moment) -> Model:
    # As published: a normal draw, clipped, so that 62 % are at 1/4 or 3/4.
    t = 0.5 + 0.5 * jnp.clip(jax.random.normal(moment.key), -0.5, 0.5)
    return interpolate(model, moment.anchors[1], jnp.where(_away(moment), t, 0.0))


def _towards_line_loss(hyperparams, loss, model, moment):
    return jnp.where(_away(moment), jnp.abs(hyperparams.line_loss - loss), loss)


def _held(moment: Moment) -> Array:
    """Whether the pull acts: in the first half of training, after which the model is free."""
    return 2 * moment.step < moment.steps


def _pulled(hyperparams, loss, model, moment):
    # Selected, not multiplied by 0: a free model's loss is that of a run without a pull.
    pull = hyperparams.attraction / 2 * square_distance(model, moment.anchors[1])
    return loss + jnp.where(_held(moment), pull, 0)


def _moved(config, hyperparams, model, moment):
    rate = optimizers.schedule(config, hyperparams)(moment.step)
    share = jnp.where(_held(moment), rate * hyperparams.attraction, 0)
    return interpolate(model, moment.anchors[1], share)


ORIGINS: Mapping[str, Origin] = {
    "fresh": Origin(),
    "continued": Origin(1),
    "pull": Origin(2, loss=_pulled),
    "decoupled_pull": Origin(2, after=_moved),
    "curve": Origin(
        2, begin=lambda models: interpolate(models[0], models[1], 0.5), evaluated=_on_curve
    ),
    "connect": Origin(2, evaluated=_on_line, loss=_towards_line_loss),
}
"""By the name in `Config.origin`.

`continued` trains on with a new optimiser state. `pull` adds `attraction / 2` times the squared
distance to the second parent in the first half of training; `decoupled_pull` instead moves the
weights there by `attraction` times the learning rate of the step. `curve` trains the middle
control point of a Bézier curve whose ends are the two parents, at one random point of it in each
step. `connect` drives the loss on the line to the second parent to `line_loss` in every other
step, and lowers the model's own loss in the others.
"""


def gather(config: Config, runs: Sequence[Any]) -> Parents:
    """What a run takes from its parents.

    Args:
      config: The run's.
      runs: The parents: trained toy runs, not stacked.

    Raises:
      ValueError: There are not as many as the origin needs, one diverged, or they
        differ from the run or from each other in world, sizes or nonlinearity.
    """
    _check_configs(config, [run.config for run in runs])
    first = runs[0]
    for run in runs:
        _check_finite(run.diverged)
        if not np.array_equal(run.world.embed_nm, first.world.embed_nm):
            raise ValueError("the parents have different worlds: their weights mean other things")
        check_alike(first.final, run.final)
    others = [run.final for run in runs[1:]]
    if config.match_parents == "weights":
        others = [permute(model, jnp.asarray(align(first.final, model))) for model in others]
    return Parents(first.world, (first.final, *others))


def check_parents(job: Any, parents: Sequence[Any]) -> None:
    """Refuses parents that a run cannot start from, as far as their jobs tell.

    Args:
      job: A `Job` of a toy run.
      parents: Those of the runs that it names, stored or not.

    Raises:
      ValueError: As `gather`.
    """
    _check_configs(job.config, [parent.config for parent in parents])
    for parent in parents:
        _check_finite(getattr(parent, "diverged", None))
    # A parent that has parents itself has their world, which `gather` compares.
    fresh = [parent for parent in parents if parent.config.origin == "fresh"]
    worlds = {
        parent.seed if parent.config.world_seed < 0 else parent.config.world_seed
        for parent in fresh
    }
    if len(worlds) > 1:
        raise ValueError(
            "the parents have different worlds: their weights mean other things; train some with "
            "one --world_seed"
        )


_INHERITED = ("task", "n", "m", "k", "nonlinearity", "model", "skip_rank", "sparsity")


def _check_configs(config: Config, parents: Sequence[Any]) -> None:
    wanted = ORIGINS[config.origin].parents
    if len(parents) != wanted:
        count = "no stored run" if wanted == 0 else f"{wanted} stored run{'s' * (wanted > 1)}"
        raise ValueError(f"origin={config.origin} starts from {count}, not {len(parents)}")
    for parent in parents:
        if not isinstance(parent, Config):
            raise ValueError(f"origin={config.origin} starts from toy models, not from others")
        for name in _INHERITED:
            ours, theirs = getattr(config, name), getattr(parent, name)
            if ours != theirs:
                raise ValueError(f"{name}={ours}, but a parent has {name}={theirs}")


def _check_finite(diverged: int | None) -> None:
    if diverged is not None:
        raise ValueError(f"a parent diverged at step {diverged}")


def as_fresh(config: Config) -> Config:
    """The config of the same run, started from random weights."""
    return dataclasses.replace(config, origin="fresh")


def start(config: Config, parents: Parents | None) -> tuple[World, Model]:
    """The world and the model that training begins with.

    Raises:
      ValueError: There are no parents.
    """
    if parents is None:
        raise ValueError(
            f"origin={config.origin} starts from stored runs: begin takes what origins.gather "
            "returns for them"
        )
    return parents.world, ORIGINS[config.origin].begin(parents.models)
