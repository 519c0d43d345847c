"""Masks made from trained models and from other masks: pruning, lottery tickets, expansion.

Weights are pruned by magnitude. A ticket is the mask that repeated pruning of
trained models leaves, and its weights are those of an early step. Its controls
are random masks of the same density and the ticket's own in another order of neurons.

Reference:
  Frankle & Carbin (2018) for tickets.
"""

from typing import Any

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, ScalarLike

from toymono.config import Config, Hyperparams
from toymono.masks import Masks, applied, counts, largest, part, whole
from toymono.models import MODELS, Model, permute


def prune(model: Model, masks: Masks | None, share: ScalarLike) -> Masks:
    """Masks without the smallest of the weights in use of each tensor.

    `share` of them are dropped, rounded down; ties drop the weight with the larger index.

    Args:
      model: One model.
      masks: Its masks; None if every weight is in use.
      share: In [0, 1], of the weights in use, not of all.

    Example:
      >>> model = Model(jnp.array([[0.1, -0.2]]), jnp.zeros(2), jnp.array([[0.3], [-0.4]]))
      >>> [mask.ravel().tolist() for mask in jax.tree.leaves(prune(model, None, 0.5))]
      [[False, True], [False, True]]
    """
    score = _sizes(model, masks)
    counted = [(each >= 0).sum() for each in score]
    left = (count - part(share, count) for count in counted)
    return Masks(*map(largest, score, left))


def _sizes(model: Model, masks: Masks | None) -> tuple[Float[Array, "m k"], Float[Array, "k o"]]:
    """The sizes of the input and of the output weights; -1 where they are not in use."""
    model.assert_single()
    masks = whole(model) if masks is None else masks
    return (
        jnp.where(masks.w_mk, abs(model.w_mk), -1.0),
        jnp.where(masks.w_ko, abs(model.w_ko), -1.0),
    )


def kept(model: Model, masks: Masks | None, rule: str, density: ScalarLike) -> Masks:
    """Masks of the largest of the weights in use, as many as the density says.

    Args:
      model: One model.
      masks: Its masks; None if every weight is in use.
      rule: One of `masks.DENSITIES`, or `global`: weights of both tensors compete, as in
        iterative magnitude pruning.
      density: In (0, 1], of all weights. No more are kept than were in use.

    Example:
      >>> model = Model(jnp.array([[0.1, -0.2]]), jnp.zeros(2), jnp.array([[0.3], [-0.4]]))
      >>> [mask.ravel().tolist() for mask in jax.tree.leaves(kept(model, None, "global", 0.5))]
      [[False, False], [True, True]]
      >>> [mask.ravel().tolist() for mask in jax.tree.leaves(kept(model, None, "uniform", 0.5))]
      [[False, True], [False, True]]
    """
    into, out = _sizes(model, masks)
    if rule != "global":
        counted = counts(rule, density, (into.shape, out.shape))
        return Masks(_most(into, counted[0]), _most(out, counted[1]))
    both = jnp.concatenate([into.ravel(), out.ravel()])
    first, second = jnp.split(_most(both, jnp.round(density * both.size)), [into.size])
    return Masks(first.reshape(into.shape), second.reshape(out.shape))


def _most(score: Float[Array, "*d"], count: ScalarLike) -> Bool[Array, "*d"]:
    """The `count` largest scores, or all that are not negative if these are fewer."""
    return largest(score, jnp.minimum(count, (score >= 0).sum()).astype(jnp.int32))


def ticket_start(
    config: Config,
    hyperparams: Hyperparams,
    early: Model,
    pruned: Model,
    masks: Masks | None,
    key: PRNGKeyArray,
) -> tuple[Model, Masks]:
    """What a lottery ticket, or its control, trains from: see `Config.ticket_control`.

    Args:
      config: Names the control, and how the density is divided.
      hyperparams: Has the density.
      early: Whose weights the ticket has, a model early in training.
      pruned: Whose largest weights are in use, a trained model.
      masks: Of `pruned`; None if it is dense.
      key: Draws random masks or new weights.
    """
    used = kept(pruned, masks, config.density_rule, hyperparams.density)
    if config.ticket_control == "random_masks":
        used = shuffled(used, key)
    start: Any = early
    if config.ticket_control == "new_weights":
        start = MODELS[config.model].init(config, hyperparams, key)
    return rewound(used, start), used


def rewound(masks: Masks, model: Model) -> Model:
    """What a ticket trains from: `model`, as it was early in training, with 0 outside the masks."""
    chex.assert_equal_shape([masks.w_mk, model.w_mk])
    chex.assert_equal_shape([masks.w_ko, model.w_ko])
    return applied(masks, model)


def shuffled(masks: Masks, key: PRNGKeyArray) -> Masks:
    """Random masks with as many weights in use in each tensor: the control of a ticket."""
    return Masks(
        *(
            largest(jnp.zeros(mask.shape), mask.sum(), tensor_key)
            for mask, tensor_key in zip(
                (masks.w_mk, masks.w_ko), jax.random.split(key), strict=True
            )
        )
    )


def permuted(masks: Masks, order_k: Int[Array, " k"]) -> Masks:
    """The masks of the model whose neuron i is `order_k[i]`, as `models.permute`.

    Example:
      >>> masks = Masks(jnp.array([[True, False]]), jnp.array([[False], [True]]))
      >>> permuted(masks, jnp.array([1, 0])).w_mk.tolist()
      [[False, True]]
    """
    chex.assert_rank([masks.w_mk, masks.w_ko, order_k], [2, 2, 1])
    return masks.replace(w_mk=masks.w_mk[:, order_k], w_ko=masks.w_ko[order_k])


def expanded(
    model: Model, masks: Masks | None, children: int, key: PRNGKeyArray
) -> tuple[Model, Masks]:
    """A wider model with as many weights in use, each neuron in `children` parts.

    The children of a neuron share its inputs at random: each input weight in use
    goes to one of them. Each has an equal part of its bias, so that their pre-activations
    add up to its own. Of its output weights, which each would have, the largest in the
    whole tensor stay, as many as before. Neuron `k * i + j` is child i of neuron j.
    Parts are random, since the inputs of a toy model are a random projection of its features.
    The function changes.

    Args:
      model: One model.
      masks: Its masks; None if every weight is in use.
      children: At least 1.
      key: Divides the inputs.

    Raises:
      ValueError: `children` is less than 1.

    Reference:
      Kong et al. (2025), Fixed Parameter Expansion. Their parts may follow clauses, and
      random ones come near them; that output weights compete within their tensor is
      our choice.
    """
    if children < 1:
        raise ValueError(f"children={children} is less than 1")
    model.assert_single()
    masks = whole(model) if masks is None else masks
    child_mk = jax.random.randint(key, model.w_mk.shape, 0, children)
    copies = jnp.tile(jnp.arange(model.w_mk.shape[1]), children)
    wide, masks_of = permute(model, copies), permuted(masks, copies)
    wide = wide.replace(b_k=wide.b_k / children)
    own = [masks.w_mk & (child_mk == child) for child in range(children)]
    score_ko = jnp.where(masks_of.w_ko, abs(wide.w_ko), -1.0)
    parts = Masks(jnp.concatenate(own, axis=1), largest(score_ko, masks.w_ko.sum()))
    return applied(parts, wide), parts
