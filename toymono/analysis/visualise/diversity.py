"""The diversity term: how similar the activations of a batch of inputs are.

Despite its name it rises with similarity, as in lucid's `objectives.diversity`,
and is subtracted from an objective that is maximised.
"""

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def diversity(hidden_bk: Float[Array, "b k"]) -> Float[Array, ""]:
    """Similarity of a batch: the sum over ordered pairs of cos², divided by the batch size.

    `(1/B) sum_a sum_{b != a} cos(h_a, h_b)^2`: 0 if all rows are orthogonal, and
    B - 1 if all are parallel. This is `gram_diversity` for a layer with a single
    position, such as a dense layer. It is invariant under rescaling of a row. A
    row of zeros is similar to nothing, and its gradient is 0.

    Args:
      hidden_bk: Activations of a layer on each input of the batch.

    Raises:
      AssertionError: `hidden_bk` is not a matrix (use `jax.vmap` for stacks).

    Example:
      >>> float(diversity(jnp.array([[1.0, 0.0], [0.0, 1.0]])))
      0.0
      >>> round(float(diversity(jnp.array([[1.0, 0.0], [1.0, 1.0]]))), 6)
      0.5

    Reference:
      lucid, `optvis/objectives.py`; Olah, Mordvintsev & Schubert (2017).
    """
    chex.assert_rank(hidden_bk, 2)
    unit_bk = _unit(hidden_bk)
    return _mean_over_pairs((unit_bk @ unit_bk.T) ** 2)


def gram_diversity(hidden_bpk: Float[Array, "b p k"]) -> Float[Array, ""]:
    """`diversity` for a layer with several positions, such as a map of channels.

    An input is represented by its Gram matrix `G = F^T F`, with F its activations
    `[positions, channels]`. The term is `(1/B) sum_a sum_{b != a}` of the cosine of
    the two matrices' entries. It does not depend on the order of the positions.

    Args:
      hidden_bpk: Activations of each channel at each position.

    Raises:
      AssertionError: There are not three axes.

    Example:
      >>> two_positions = jnp.array([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]])
      >>> round(float(gram_diversity(two_positions)), 4)
      0.7071

    Reference:
      lucid, `optvis/objectives.py`; Olah, Mordvintsev & Schubert (2017).
    """
    chex.assert_rank(hidden_bpk, 3)
    # Rescaled first, so that squares of small activations do not underflow.
    scaled_bpk = hidden_bpk / _largest(hidden_bpk, axis=(1, 2))
    gram_bkl = jnp.einsum("bpk,bpl->bkl", scaled_bpk, scaled_bpk)
    unit_bd = _unit(gram_bkl.reshape(len(gram_bkl), -1))
    return _mean_over_pairs(unit_bd @ unit_bd.T)


def _mean_over_pairs(similarity_ba: Float[Array, "b b"]) -> Float[Array, ""]:
    """The sum over pairs of different rows, over the batch size."""
    size = len(similarity_ba)
    return (similarity_ba * (1 - jnp.eye(size))).sum() / size


def _unit(row_bd: Float[Array, "b d"]) -> Float[Array, "b d"]:
    """The rows with length 1; zeros stay zeros, with a finite gradient."""
    scaled_bd = row_bd / _largest(row_bd, axis=1)
    square_b1 = (scaled_bd**2).sum(axis=1, keepdims=True)
    # The gradient of a root at 0 is infinite even where its value is not used.
    return scaled_bd / jnp.sqrt(jnp.where(square_b1 > 0, square_b1, 1.0))


def _largest(value: Array, axis: int | tuple[int, ...]) -> Array:
    """Each row's largest absolute value, 1 for zeros, as a constant.

    What is computed from the quotient does not change with the row's length, so
    neither does its gradient if the divisor counts as a constant.
    """
    largest = jax.lax.stop_gradient(abs(value).max(axis=axis, keepdims=True))
    return jnp.where(largest > 0, largest, 1.0)
