"""The network under study: one hidden layer between two linear maps.

`h = phi(x W_in + b)`, `y = h W_out`; the second map has no bias (paper,
eqs. 4-6). A `Model` is a pytree of its weights, so that many are stacked,
mapped over and differentiated like any array.
"""

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from toymono.config import Config

NONLINEARITIES = {
    "relu": jax.nn.relu,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    # What the paper's program calls SoLU has neither the softmax nor the norm.
    "solu": lambda x: x * jnp.exp(x),
}


@flax.struct.dataclass
class Model:
    """A network of k neurons from m embedding dimensions to o outputs."""

    w_mk: Float[Array, "*c m k"]
    """Input weights; column k is what neuron k looks for."""
    b_k: Float[Array, "*c k"]
    """Hidden biases."""
    w_ko: Float[Array, "*c k o"]
    """Output weights; row k is what neuron k writes."""
    nonlinearity: str = flax.struct.field(pytree_node=False, default="relu")
    """A key of `NONLINEARITIES`."""

    def neurons(self, x_bm: Float[Array, "*b m"]) -> Float[Array, "*b k"]:
        """Activation of each neuron."""
        return NONLINEARITIES[self.nonlinearity](x_bm @ self.w_mk + self.b_k)

    def __call__(self, x_bm: Float[Array, "*b m"]) -> Float[Array, "*b o"]:
        """Outputs of the network."""
        return self.neurons(x_bm) @ self.w_ko


def init(config: Config, init_bias: Float[Array, ""] | float, key: PRNGKeyArray) -> Model:
    """A model as PyTorch's `nn.Linear` starts it, with `init_bias` added to the biases.

    Weights and biases are uniform in ±1/sqrt(fan in); the biases keep that
    spread around `init_bias`.

    Reference:
      The paper's program, `model3.py`; PyTorch's `nn.Linear`.
    """
    w_in_key, bias_key, w_out_key = jax.random.split(key, 3)

    def uniform(key, shape, fan_in):
        bound = fan_in**-0.5
        return jax.random.uniform(key, shape, jnp.float32, -bound, bound)

    return Model(
        w_mk=uniform(w_in_key, (config.m, config.k), config.m),
        b_k=uniform(bias_key, (config.k,), config.m) + init_bias,
        w_ko=uniform(w_out_key, (config.k, config.o), config.k),
        nonlinearity=config.nonlinearity,
    )
