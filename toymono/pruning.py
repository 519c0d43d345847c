"""Masks made from trained models and from other masks: pruning, lottery tickets, expansion.

Weights are pruned by magnitude. A ticket is the mask that repeated pruning of
trained models leaves, and its weights are those of an early step. Its controls
are random masks of the same density and the ticket's own in another order of neurons.

Reference:
  Frankle & Carbin (2018) for tickets.
"""

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, ScalarLike

from toymono.masks import Masks, applied, largest, part, whole
from toymono.models import Model, permute

SCOPES = ("tensor", "global")
"""Weights are compared within each tensor, or over both."""


def prune(model: Model, masks: Masks | None, share: ScalarLike, scope: str = "tensor") -> Masks:
    """Masks without the smallest of the weights in use.

    `share` of them are dropped, rounded down; of equal ones the later go first.

    Args:
      model: One model.
      masks: Its masks; None if every weight is in use.
      share: In [0, 1], of the weights in use, not of all.
      scope: One of `SCOPES`.

    Raises:
      ValueError: `scope` is not one of them.

    Example:
      >>> model = Model(jnp.array([[0.1, -0.2]]), jnp.zeros(2), jnp.array([[0.3], [-0.4]]))
      >>> [mask.ravel().tolist() for mask in jax.tree.leaves(prune(model, None, 0.5, "global"))]
      [[False, False], [True, True]]
      >>> [mask.ravel().tolist() for mask in jax.tree.leaves(prune(model, None, 0.5, "tensor"))]
      [[False, True], [False, True]]
    """
    if scope not in SCOPES:
        raise ValueError(f"scope={scope!r} is not one of {', '.join(SCOPES)}")
    model.assert_single()
    masks = whole(model) if masks is None else masks
    size = {
        name: jnp.where(getattr(masks, name), abs(getattr(model, name)), -1.0)
        for name in ("w_mk", "w_ko")
    }
    if scope == "tensor":
        return Masks(**{name: _without(score, share) for name, score in size.items()})
    flat = _without(jnp.concatenate([score.ravel() for score in size.values()]), share)
    into, out = jnp.split(flat, [masks.w_mk.size])
    return Masks(into.reshape(masks.w_mk.shape), out.reshape(masks.w_ko.shape))


def _without(score: Float[Array, "*d"], share: ScalarLike) -> Bool[Array, "*d"]:
    """Without the smallest of the scores that are not negative."""
    active = (score >= 0).sum()
    return largest(score, active - part(share, active))


def ticket(parent_model: Model, parent_masks: Masks | None, share: ScalarLike = 0.2) -> Masks:
    """The next masks of iterative magnitude pruning: less the globally smallest weights in use.

    Reference:
      Frankle & Carbin (2018); the share of a fifth is that of `open_lth`.
    """
    return prune(parent_model, parent_masks, share, "global")


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
    goes to one of them. They have its bias, and of its output weights, which each
    would have, the largest in the whole tensor stay, as many as before. Neuron
    `k * i + j` is child i of neuron j. Parts are random, since the inputs of a toy
    model are a random projection of its features; it is not the same function.

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
    own = [masks.w_mk & (child_mk == child) for child in range(children)]
    score_ko = jnp.where(masks_of.w_ko, abs(wide.w_ko), -1.0)
    parts = Masks(jnp.concatenate(own, axis=1), largest(score_ko, masks.w_ko.sum()))
    return applied(parts, wide), parts
