"""Matrix products of the models, at the precision that JAX is set to where they are traced."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def product(x_bd: Float[Array, "*b d"], w_de: Float[Array, "d e"]) -> Float[Array, "*b e"]:
    """`x @ w`, whose gradients have the same precision.

    Under `jax.default_matmul_precision("bfloat16")` the operands are rounded to
    bfloat16 and stored so, also those of the gradients, and products are summed in
    float32, on every kind of device. JAX's own word only allows this: without the
    rounding a CPU computes in float32 and an NVIDIA GPU in TF32.

    Example:
      >>> x_bd = jnp.array([[1.0009765625, 1.0]])
      >>> product(x_bd, jnp.ones((2, 1))).tolist()
      [[2.0009765625]]
      >>> with jax.default_matmul_precision("bfloat16"):
      ...     product(x_bd, jnp.ones((2, 1))).tolist()
      [[2.0]]
    """
    wanted = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    if wanted == "bfloat16":
        return _bfloat16_product(x_bd, w_de)
    return x_bd @ w_de


@jax.custom_vjp
def _bfloat16_product(x_bd, w_de):
    return _rounded_product(x_bd, w_de)[0]


def _rounded_product(x_bd, w_de):
    rounded = x_bd.astype(jnp.bfloat16), w_de.astype(jnp.bfloat16)
    return jnp.matmul(*rounded, preferred_element_type=jnp.float32), rounded


def _gradients(rounded, gradient_be):
    x_bd, w_de = rounded
    gradient_be = gradient_be.astype(jnp.bfloat16)
    gradient_bd = jnp.matmul(gradient_be, w_de.T, preferred_element_type=jnp.float32)
    flat_bd, flat_be = (array.reshape(-1, array.shape[-1]) for array in (x_bd, gradient_be))
    gradient_de = jnp.matmul(flat_bd.T, flat_be, preferred_element_type=jnp.float32)
    return gradient_bd, gradient_de


_bfloat16_product.defvjp(_rounded_product, _gradients)
