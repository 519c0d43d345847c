"""What joins the task loss of a training step."""

from jaxtyping import Array, Float


def activation_l1(hidden_bk: Float[Array, "b k"]) -> Float[Array, ""]:
    """L1 norm of the hidden activations, summed over neurons and averaged over the batch.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), section 4.1.3.
    """
    return abs(hidden_bk).sum(axis=-1).mean()
