"""Whether two models use the same weights: the overlap of their masks.

Neurons have no common order, so the masks of two models are compared as they are
and after the neurons of one are matched with those of the other. A match makes
even unrelated masks overlap more than chance, by how much `null` says; it should
come from dense weights, since masked weights carry the masks themselves.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray, ScalarLike

from toymono.alignment import align
from toymono.masks import Masks, applied
from toymono.models import Model
from toymono.pruning import permuted, prune, shuffled

__all__ = ["Overlap", "chance", "jaccard", "null", "of_largest", "overlap"]


class Overlap(NamedTuple):
    """Of the masks of one tensor in two models."""

    raw: float
    """Jaccard index of the masks as they are."""
    aligned: float
    """After the second model's neurons are matched with the first's."""
    chance: float
    """Of independent masks as dense as these."""


def jaccard(mask: Bool[Array, "*d"], other: Bool[Array, "*d"]) -> Float[Array, ""]:
    """Weights in use in both over weights in use in either; 1 if there are none.

    Example:
      >>> jaccard(jnp.array([True, True, False]), jnp.array([False, True, True])).item()
      0.3333333432674408
    """
    chex.assert_equal_shape([mask, other])
    either = (mask | other).sum()
    return jnp.where(either > 0, (mask & other).sum() / jnp.maximum(either, 1), 1.0)


def chance(density: ScalarLike, other: ScalarLike) -> Float[Array, ""]:
    """The Jaccard index to expect of independent masks of these densities: pq / (p + q - pq).

    Example:
      >>> round(chance(0.1, 0.1).item(), 4)
      0.0526
    """
    both = jnp.asarray(density) * jnp.asarray(other)
    return both / jnp.maximum(density + other - both, 1e-30)


def overlap(masks: Masks, other: Masks, model: Model, other_model: Model) -> dict[str, Overlap]:
    """The overlap of two models' masks, for `w_mk` and `w_ko`.

    Args:
      masks: Of the first model.
      other: Of the second.
      model: The weights by which the first model's neurons are matched; best those that
        it had, or a dense twin has, without masks.
      other_model: The same of the second.

    Raises:
      ValueError: The models differ in shape or nonlinearity.
    """
    turned = permuted(other, jnp.asarray(align(model, other_model)))
    return {
        name: Overlap(
            raw=jaccard(mask, theirs).item(),
            aligned=jaccard(mask, matched).item(),
            chance=chance(mask.mean(), theirs.mean()).item(),
        )
        for name, mask, theirs, matched in (
            ("w_mk", masks.w_mk, other.w_mk, turned.w_mk),
            ("w_ko", masks.w_ko, other.w_ko, turned.w_ko),
        )
    }


def of_largest(model: Model, other: Model, share: ScalarLike = 0.1) -> dict[str, Overlap]:
    """The overlap of the largest weights of two dense models, `share` of each tensor."""
    masks, other_masks = (prune(each, None, 1 - share) for each in (model, other))
    return overlap(masks, other_masks, model, other)


def null(
    masks: Masks, other: Masks, key: PRNGKeyArray, by_magnitude: bool = False
) -> dict[str, Overlap]:
    """The overlap of random models with masks as dense as these: what alignment alone makes.

    Args:
      masks: Of which the shapes and densities are read.
      other: The same of the second model.
      key: Draws Gaussian weights.
      by_magnitude: Whether the masks are those of the largest weights; otherwise
        they are random, and neurons are matched by the weights within them.
    """
    models, drawn = [], []
    for each, own_key in zip((masks, other), jax.random.split(key), strict=True):
        into_key, out_key, mask_key = jax.random.split(own_key, 3)
        model = Model(
            w_mk=jax.random.normal(into_key, each.w_mk.shape),
            b_k=jnp.zeros(each.w_mk.shape[1]),
            w_ko=jax.random.normal(out_key, each.w_ko.shape),
        )
        if by_magnitude:
            into, out = (prune(model, None, 1 - mask.mean()) for mask in (each.w_mk, each.w_ko))
            drawn.append(Masks(into.w_mk, out.w_ko))
        else:
            drawn.append(shuffled(each, mask_key))
            model = applied(drawn[-1], model)
        models.append(model)
    return overlap(drawn[0], drawn[1], models[0], models[1])
