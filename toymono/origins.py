"""Runs that start from stored runs: where they begin, and what their loss refers to.

A run's config names its origin. A `fresh` run begins with random weights. The
others begin with the weights of a stored run, their first parent, and use its
world; most of them refer to a second parent, whose neurons are first permuted to
match those of the first, since the order of neurons has no meaning. A lottery ticket
begins with early weights of the first parent in masks read off the second. They answer
questions raised in the discussion of the paper: how strong an attraction moves a
model into another solution, whether a curve of low loss joins two models, what happens
when a barrier to another model is enforced, whether pruned models stay monosemantic, and
whether neurons that are divided into parts do.

Reference:
  Garipov et al. (2018), Loss Surfaces, Mode Connectivity, for curves; Lubana et al.
  (2022), Mechanistic Mode Connectivity, for `connect`; Frankle & Carbin
  (2018) for `ticket`; Kong et al. (2025), Fixed Parameter Expansion, for `expand`. The pull is
  proposed by the authors in the discussion of "Engineering Monosemanticity in Toy Models".
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, ScalarLike

from toymono import optimizers, pruning
from toymono.alignment import align, check_alike, interpolate, permute, square_distance
from toymono.config import Config, Hyperparams
from toymono.features import World
from toymono.masks import Masks
from toymono.models import AnyModel, Model


class Parents(NamedTuple):
    """World and models of the stored runs that a run starts from."""

    world: World
    models: tuple[Model, ...]
    """Their final models; from the second on aligned to the first, see `Config.match_parents`. Of
    a ticket: the first model at `Config.rewind_step`, and the model to be pruned."""
    masks: Masks | None = None
    """Of the model that a ticket prunes; None if that is dense."""


class Start(NamedTuple):
    """What a run begins with, and what its steps need of its parents."""

    world: World
    model: Any
    anchors: tuple[Model, ...] = ()
    """The parents' models that the loss refers to."""
    masks: Masks | None = None
    """Which weights are in use; None if all are."""


class StepContext(NamedTuple):
    """What an origin's functions may use in one step: the parents' models, the step and a key."""

    anchors: tuple[Model, ...]
    """The models of its parents; none if it has no parents."""
    step: Int[Array, ""]
    """Number of the step, from 0."""
    steps: int
    """Steps of the whole training."""
    key: PRNGKeyArray
    """Key of the origin's own random draws in this step."""


def _itself(hyperparams: Hyperparams, model: AnyModel, context: StepContext) -> AnyModel:
    return model


def _unchanged(
    hyperparams: Hyperparams, loss: Float[Array, ""], model: AnyModel, context: StepContext
) -> Float[Array, ""]:
    return loss


@dataclasses.dataclass(frozen=True)
class Origin:
    """How runs of one origin begin, and how their loss differs from that of a fresh run."""

    parents: int = 0
    """How many stored runs they start from."""
    begin: Callable[[tuple[Model, ...]], Model] = lambda models: models[0]
    """From the parents' models to the one that training changes, unless it is masked."""
    masked: Callable[..., tuple[Model, Masks]] | None = None
    """`(config, hyperparams, parents, key) -> model, masks`: what training changes and which of
    its weights are in use, made from the parents, whose models mean nothing to the loss then."""
    rewinds: bool = False
    """Whether the first parent gives its weights of an early step, and the second may be pruned."""
    widens: bool = False
    """Whether k is a multiple of the parent's."""
    evaluated: Callable[..., AnyModel] = _itself
    """`(hyperparams, model, context) -> model`: the network that the batch is fed to."""
    loss: Callable[..., Float[Array, ""]] = _unchanged
    """`(hyperparams, loss, model, context) -> loss`, from the loss of that network."""
    after: Callable[..., AnyModel] = lambda config, hyperparams, model, context: model
    """`(config, hyperparams, model, context) -> model`, after the optimiser's step."""


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


def _on_curve(hyperparams: Hyperparams, model: Model, context: StepContext) -> Model:
    start, end = context.anchors
    return bezier(start, model, end, jax.random.uniform(context.key))


def _on_line_step(context: StepContext) -> Array:
    """Whether this step trains the loss on the line (even steps) or the model's own (odd steps)."""
    return context.step % 2 == 0


def _on_line(hyperparams: Hyperparams, model: Model, context: StepContext) -> Model:
    # As published: a normal draw, clipped, so that 62 % are at 1/4 or 3/4.
    t = 0.5 + 0.5 * jnp.clip(jax.random.normal(context.key), -0.5, 0.5)
    return interpolate(model, context.anchors[1], jnp.where(_on_line_step(context), t, 0.0))


def _towards_line_loss(hyperparams, loss, model, context):
    return jnp.where(_on_line_step(context), jnp.abs(hyperparams.line_loss - loss), loss)


def _rewound(config, hyperparams, parents, key):
    early, pruned = parents.models
    return pruning.ticket_start(config, hyperparams, early, pruned, parents.masks, key)


def _expanded(config, hyperparams, parents, key):
    [model] = parents.models
    return pruning.expanded(model, None, config.k // model.b_k.size, key)


def _pull_active(context: StepContext) -> Array:
    """Whether the pull acts: in the first half of training only."""
    return 2 * context.step < context.steps


def _pulled(hyperparams, loss, model, context):
    # Selected, not multiplied by 0: a free model's loss is that of a run without a pull.
    pull = hyperparams.attraction / 2 * square_distance(model, context.anchors[1])
    return loss + jnp.where(_pull_active(context), pull, 0)


def _moved(config, hyperparams, model, context):
    rate = optimizers.schedule(config, hyperparams)(context.step)
    share = jnp.where(_pull_active(context), rate * hyperparams.attraction, 0)
    return interpolate(model, context.anchors[1], share)


ORIGINS: Mapping[str, Origin] = {
    "fresh": Origin(),
    "continued": Origin(1),
    "pull": Origin(2, loss=_pulled),
    "decoupled_pull": Origin(2, after=_moved),
    "curve": Origin(2, begin=_middle, evaluated=_on_curve),
    "connect": Origin(2, evaluated=_on_line, loss=_towards_line_loss),
    "ticket": Origin(2, masked=_rewound, rewinds=True),
    "expand": Origin(1, masked=_expanded, widens=True),
}
"""By the name in `Config.origin`.

`continued` trains on with a new optimiser state. `pull` adds `attraction / 2` times the squared
distance to the second parent in the first half of training; `decoupled_pull` instead moves the
weights there by `attraction` times the learning rate of the step. `curve` trains the middle
control point of a Bézier curve whose ends are the two parents, at one random point of it in each
step. `connect` drives the loss on the line to the second parent to `line_loss` in every other
step, and minimises the model's own loss in the others. `ticket` prunes the second parent and trains
what is left from weights that the first had at `rewind_step`: of a chain of tickets the first
parent is always the dense run. `expand` divides each neuron of a dense model into as many as make
k, with as many weights in use in all.
"""


def gather(config: Config, runs: Sequence[Any]) -> Parents:
    """The world and the models of a run's parents, the second model aligned to the first.

    Args:
      config: Config of the run.
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
            raise ValueError(_DIFFERENT_WORLDS)
        check_alike(first.final, run.final)
    if ORIGINS[config.origin].rewinds:
        return _ticket(config, *runs)
    others = [run.final for run in runs[1:]]
    if config.match_parents == "weights":
        others = [permute(model, jnp.asarray(align(first.final, model))) for model in others]
    return Parents(first.world, (first.final, *others))


def _ticket(config: Config, first: Any, pruned: Any) -> Parents:
    if config.rewind_step not in first.snapshot_steps:
        raise ValueError(f"the first parent has no snapshot of rewind_step={config.rewind_step}")
    index = first.snapshot_steps.index(config.rewind_step)
    early = jax.tree.map(lambda leaf: leaf[index], first.snapshots)
    model, masks = pruned.final, pruned.masks
    if config.ticket_control == "matched":
        order_k = jnp.asarray(align(first.final, model))
        model = permute(model, order_k)
        masks = None if masks is None else pruning.permuted(masks, order_k)
    return Parents(first.world, (early, model), masks)


def check_parents(job: Any, parents: Sequence[Any]) -> None:
    """Checks parents before training, from their configs and seeds.

    Args:
      job: A `Job` of a toy run.
      parents: The jobs of its parents, stored or not.

    Raises:
      ValueError: The number of parents is wrong, one diverged, or configs or world seeds
        differ.
    """
    _check_configs(job.config, [parent.config for parent in parents])
    if ORIGINS[job.config.origin].widens:
        k, whole, density = parents[0].config.k, job.config.k, float(job.hyperparams.density)
        if not math.isclose(density, k / whole, rel_tol=1e-6):
            raise ValueError(
                f"density={density:g}, but {whole} neurons made of {k} have {k / whole:g} of their "
                "weights in use"
            )
    for parent in parents:
        _check_finite(getattr(parent, "diverged", None))
    # A parent that has parents itself has their world, which `gather` compares.
    fresh = [parent for parent in parents if parent.config.origin == "fresh"]
    worlds = {
        parent.seed if parent.config.world_seed < 0 else parent.config.world_seed
        for parent in fresh
    }
    if len(worlds) > 1:
        raise ValueError(_DIFFERENT_WORLDS)


_DIFFERENT_WORLDS = (
    "the parents have different embeddings, so their weights are not comparable; train them with "
    "one --world_seed"
)

_INHERITED = ("task", "n", "m", "k", "nonlinearity", "model", "skip_rank")


def _check_configs(config: Config, parents: Sequence[Any]) -> None:
    origin = ORIGINS[config.origin]
    wanted = origin.parents
    if len(parents) != wanted:
        count = "no stored run" if wanted == 0 else f"{wanted} stored run{'s' * (wanted > 1)}"
        raise ValueError(f"origin={config.origin} starts from {count}, not {len(parents)}")
    for index, parent in enumerate(parents):
        if not isinstance(parent, Config):
            raise ValueError(f"origin={config.origin} starts from toy models only")
        for name in _INHERITED:
            ours, theirs = getattr(config, name), getattr(parent, name)
            if origin.widens and name == "k":
                if ours <= theirs or ours % theirs:
                    raise ValueError(f"k={ours} is no multiple of a parent's k={theirs}")
            elif ours != theirs:
                raise ValueError(f"{name}={ours}, but a parent has {name}={theirs}")
        allowed = ("none", "pruned") if origin.rewinds and index > 0 else ("none",)
        if parent.sparsity not in allowed:
            raise ValueError(
                f"a parent has sparsity={parent.sparsity}, where dense weights are needed"
            )
    if origin.rewinds and config.rewind_step not in parents[0].snapshot_steps:
        raise ValueError(
            f"rewind_step={config.rewind_step}, but the first parent has {parents[0].steps} steps"
        )


def _check_finite(diverged: int | None) -> None:
    if diverged is not None:
        raise ValueError(f"a parent diverged at step {diverged}")


def as_fresh(config: Config) -> Config:
    """The config of the same run, started from random weights, which are dense if its own are made
    sparse from its parents.
    """
    sparsity = "none" if config.sparsity == "pruned" else config.sparsity
    return dataclasses.replace(config, origin="fresh", sparsity=sparsity)


def start(
    config: Config, hyperparams: Hyperparams, parents: Parents | None, key: PRNGKeyArray
) -> Start:
    """What training begins with.

    Args:
      config: Names the origin.
      hyperparams: Scalars.
      parents: From `gather`.
      key: Draws the weights or masks of a ticket's controls, and the parts of neurons.

    Raises:
      ValueError: There are no parents.
    """
    if parents is None:
        raise ValueError(
            f"origin={config.origin} needs the parents' models: pass `origins.gather(config, "
            "runs)` to `begin`; fit and fit_many train fresh runs only"
        )
    origin = ORIGINS[config.origin]
    if origin.masked is not None:
        model, masks = origin.masked(config, hyperparams, parents, key)
        return Start(parents.world, model, masks=masks)
    return Start(parents.world, origin.begin(parents.models), anchors=parents.models)
