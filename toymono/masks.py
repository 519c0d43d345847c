"""Sparse weights: which input and output weights of a model are in use, and how that changes.

A model with masks has weights that are always 0. Masks are drawn before training
and stay (`erdos_renyi`), or change while it trains: every 64 steps the smallest
weights in use are dropped and as many others grown, at random (`set`) or where
the gradient is largest (`rigl`). Or they are read off a trained model by
magnitude (`toymono.pruning`), as lottery tickets are. Biases are dense. A mask saves no
time: products are as large as without it.

The optimiser sees a gradient that is 0 outside the masks and the weights are
multiplied by the masks after its step. Its moments of unused weights are
therefore 0, and LAMB's norms are those of the weights in use. Weights are drawn
as without masks: the bound of their distribution is that of the full fan-in.

Reference:
  Mocanu et al. (2018) for SET; Evci et al. (2020) for RigL, whose program fixes what
  a regrown weight keeps.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, ScalarLike, UInt

from toymono.config import Config, Hyperparams
from toymono.models import Model

EVERY = 64
"""Steps between changes of masks; our choice, RigL's program takes 100 of a longer training."""

LAST = 3, 4
"""Masks change in the first three quarters of training; our choice."""

# Folded into keys of batches, as the constants in `train` are.
_DRAW, _GROWTH = 2**31 - 11, 2**31 - 12


class Masks(flax.struct.PyTreeNode):
    """Whether each weight is in use; unused ones are 0."""

    w_mk: Bool[Array, "*c m k"]
    """Of the input weights."""
    w_ko: Bool[Array, "*c k o"]
    """Of the output weights."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """How masks change in training."""

    growth: Callable[[Float[Array, "d e"]], Float[Array, "d e"]] | None
    """From the gradient of a tensor, as if it were dense, to a score: unused weights of the
    largest score grow, of equal scores random ones. None if masks stay as they are."""


RULES: Mapping[str, Rule] = {
    "none": Rule(None),
    "erdos_renyi": Rule(None),
    "set": Rule(jnp.zeros_like),
    "rigl": Rule(jnp.abs),
    "pruned": Rule(None),
}
"""By the name in `Config.sparsity`. Without sparsity masks may still be given, and stay."""

Shapes = tuple[tuple[int, ...], tuple[int, ...]]
"""Of the input and of the output weights."""


def _erk(density: ScalarLike, shapes: Shapes) -> tuple[Any, Any]:
    """Densities in proportion to (inputs + outputs) / (inputs · outputs) of a tensor.

    One that would exceed 1 is 1, and the other tensor gets the rest.
    """
    sizes, widths = ([of(shape) for shape in shapes] for of in (math.prod, sum))
    total = jnp.round(density * jnp.float32(sum(sizes)))
    first = jnp.round(total * (widths[0] / sum(widths)))
    first = jnp.clip(first, total - sizes[1], sizes[0])
    return first, total - first


DENSITIES: Mapping[str, Callable[[ScalarLike, Shapes], tuple[Any, Any]]] = {
    "uniform": lambda density, shapes: (
        density * math.prod(shapes[0]),
        density * math.prod(shapes[1]),
    ),
    "erk": _erk,
    "input": lambda density, shapes: (density * math.prod(shapes[0]), math.prod(shapes[1])),
    "output": lambda density, shapes: (math.prod(shapes[0]), density * math.prod(shapes[1])),
}
"""By the name in `Config.density_rule`, except `global`, which `pruning.kept` handles: numbers of
input and of output weights in use, before they are rounded."""


def counts(rule: str, density: ScalarLike, shapes: Shapes) -> tuple[Array, Array]:
    """Numbers of input and of output weights in use.

    Args:
      rule: One of `DENSITIES`.
      density: In (0, 1].
      shapes: Of the two tensors.

    Example:
      >>> [count.item() for count in counts("erk", 0.5, ((32, 512), (512, 256)))]
      [16384, 57344]
    """
    first, second = (jnp.round(jnp.float32(n)) for n in DENSITIES[rule](density, shapes))
    return first.astype(jnp.int32), second.astype(jnp.int32)


def drawn(config: Config, hyperparams: Hyperparams, model: Any, key: PRNGKeyArray) -> Masks | None:
    """Random masks with exactly as many weights in use as the density says; None without sparsity.

    Args:
      config: Names the rules.
      hyperparams: Scalars.
      model: One model, of which the shapes are read.
      key: That of the run's batches.
    """
    if config.sparsity == "none":
        return None
    shapes = (model.w_mk.shape, model.w_ko.shape)
    chosen = [
        largest(jnp.zeros(shape), count, tensor_key)
        for shape, count, tensor_key in zip(
            shapes,
            counts(config.density_rule, hyperparams.density, shapes),
            jax.random.split(jax.random.fold_in(key, _DRAW)),
            strict=True,
        )
    ]
    return Masks(*chosen)


def largest(
    score: Float[Array, "*d"], count: Int[Array, ""] | int, key: PRNGKeyArray | None = None
) -> Bool[Array, "*d"]:
    """The mask of the `count` largest scores.

    Their number is exact whatever is equal, and `count` may be traced. The smallest of
    them is found by bisection of its bits, many times as fast as sorting.

    Args:
      score: Of any shape.
      count: At most the number of scores.
      key: Chooses among equal scores; None takes the first of them.

    Example:
      >>> largest(jnp.array([1.0, 3.0, 1.0, 2.0]), 3).tolist()
      [True, True, False, True]
    """
    flat = score.astype(jnp.float32).ravel()
    bits = jax.lax.bitcast_convert_type(flat, jnp.uint32)
    # Whole numbers in the order of the scores: the bits below 0 fall as the number rises.
    ranks = [jnp.where(flat < 0, ~bits, bits | _TOP)]
    if key is not None:
        ranks.append(jax.random.bits(key, flat.shape, jnp.uint32))
    chosen, equal = jnp.zeros(flat.shape, bool), jnp.ones(flat.shape, bool)
    left = jnp.asarray(count, jnp.int32)
    for rank in ranks:
        lowest = _lowest(rank, equal, left)
        above = equal & (rank > lowest)
        chosen, left, equal = chosen | above, left - above.sum(), equal & (rank == lowest)
    return (chosen | (equal & (equal.cumsum() <= left))).reshape(score.shape)


_TOP = np.uint32(2**31)


def _lowest(
    rank: UInt[Array, " d"], among: Bool[Array, " d"], count: Int[Array, ""]
) -> UInt[Array, ""]:
    """The largest number that at least `count` of the ranks reach."""

    def with_bit(index: Int[Array, ""], found: UInt[Array, ""]) -> UInt[Array, ""]:
        higher = found | (_TOP >> index.astype(jnp.uint32))
        return jnp.where((among & (rank >= higher)).sum() >= count, higher, found)

    return jax.lax.fori_loop(0, 32, with_bit, jnp.uint32(0))


def part(share: ScalarLike, count: Int[Array, ""] | int) -> Int[Array, ""]:
    """A share of a number of weights, rounded down.

    Example:
      >>> part(0.2, 10).item(), part(0.2, 8).item()
      (2, 1)
    """
    # What is a whole number but for the rounding of the share is that number.
    return jnp.floor(share * jnp.float32(count) * (1 + 2**-22)).astype(jnp.int32)


def applied(masks: Masks | None, weights: Any) -> Any:
    """A model, or its gradient, with 0 outside the masks; as it is without masks."""
    if masks is None:
        return weights
    return weights.replace(
        w_mk=jnp.where(masks.w_mk, weights.w_mk, 0), w_ko=jnp.where(masks.w_ko, weights.w_ko, 0)
    )


def changed(
    config: Config, hyperparams: Hyperparams, state: Any, grads: Any, key: PRNGKeyArray
) -> tuple[Any, Any]:
    """The state with its masks changed if that is due, and the gradient with 0 outside them.

    Weights are dropped and grown before the optimiser's step, by their values and
    their gradient on the step's batch. Without masks nothing changes.

    Args:
      config: Names the rule.
      hyperparams: Scalars.
      state: A `train.State`.
      grads: The gradient of the loss in all weights, used or not.
      key: Of the step's batch.
    """
    if state.masks is None:
        return state, grads
    if RULES[config.sparsity].growth is not None:
        step, (numerator, denominator) = state.step, LAST
        due = (step > 0) & (step % EVERY == 0)
        due &= denominator * step < numerator * len(state.loss_t)

        def change(turn: Any, before: tuple[Any, Any, Masks]) -> tuple[Any, Any, Masks]:
            model, optimizer, masks = before
            # A key that did not depend on the turn would be drawn from in every step: compilers
            # move what is the same in all turns out of a loop.
            turn_key = jax.random.fold_in(jax.random.fold_in(key, _GROWTH), turn)
            after = _regrown(config, hyperparams, model, grads, masks, turn_key)
            # Unused weights and their moments are 0, and so are grown ones, but for those just
            # dropped, which keep theirs.
            moments = jax.tree.map(
                lambda leaf: applied(after, leaf) if isinstance(leaf, type(model)) else leaf,
                optimizer,
                is_leaf=lambda leaf: isinstance(leaf, type(model)),
            )
            return applied(after, model), moments, after

        # Unlike a branch, a loop of no turn costs nothing under `vmap` either.
        model, optimizer, masks = jax.lax.fori_loop(
            0, due.astype(jnp.int32), change, (state.model, state.optimizer, state.masks)
        )
        state = state.replace(model=model, optimizer=optimizer, masks=masks)
    return state, applied(state.masks, grads)


def _regrown(
    config: Config, hyperparams: Hyperparams, model: Any, grads: Any, masks: Masks, key: Any
) -> Masks:
    growth = RULES[config.sparsity].growth
    assert growth is not None  # of the types: `changed` calls it for other rules only
    keys = jax.random.split(key)
    tensors = zip(
        (masks.w_mk, masks.w_ko), (model.w_mk, model.w_ko), (grads.w_mk, grads.w_ko), strict=True
    )
    return Masks(
        *(
            regrown(mask, weight, growth(grad), hyperparams.drop_share, tensor_key)
            for (mask, weight, grad), tensor_key in zip(tensors, keys, strict=True)
        )
    )


def regrown(
    mask: Bool[Array, "*d"],
    weight: Float[Array, "*d"],
    score: Float[Array, "*d"],
    drop_share: ScalarLike,
    key: PRNGKeyArray,
) -> Bool[Array, "*d"]:
    """The mask of a tensor after some weights are dropped and as many grown.

    The smallest of the weights in use are dropped, `drop_share` of them, rounded
    down; of all others, those just dropped included, the ones with the largest
    score are grown. Equal ones are chosen at random: at the start of a training in
    which no neuron fires yet, all gradients are 0.

    Args:
      mask: Of one tensor.
      weight: Its weights, 0 outside the mask.
      score: As from `Rule.growth`.
      drop_share: In [0, 1].
      key: Of the draw.

    Example:
      >>> mask = jnp.array([True, True, True, False, False])
      >>> weight, gradient = jnp.array([3.0, -1, 2, 0, 0]), jnp.array([9.0, 0, 0, 0.1, 0.5])
      >>> regrown(mask, weight, gradient, 0.34, jax.random.key(0)).tolist()
      [True, False, True, False, True]
    """
    drop_key, grow_key = jax.random.split(key)
    active = mask.sum()
    dropped = part(drop_share, active)
    kept = largest(jnp.where(mask, abs(weight), -jnp.inf), active - dropped, drop_key)
    return kept | largest(jnp.where(kept, -jnp.inf, score), dropped, grow_key)


def whole(model: Model) -> Masks:
    """Masks with every weight in use."""
    return Masks(jnp.ones(model.w_mk.shape, bool), jnp.ones(model.w_ko.shape, bool))
