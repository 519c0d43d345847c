"""Small random networks with neurons of every class, and what laws say about them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import plain

from toymono import Config, Model, World, features, models, scores
from toymono.analysis import parts

N, M, K = 12, 4, 10
KEY = jax.random.key(5)
AMPLITUDE_B = jnp.linspace(0, 1, 4)
EVERY_FEATURE_BN = np.outer(np.linspace(0, 0.2, 5), np.ones(N))
X_BM = np.random.default_rng(3).normal(size=(3, M))
NEURONS, FEATURES, VMAP, DEAD, RESCALING = "neurons", "features", "vmap", "dead", "rescaling"
ALL = frozenset({NEURONS, FEATURES, VMAP, DEAD, RESCALING})
NETWORKS = {
    "decoder relu": ("decoder", "relu"),
    "abs relu": ("abs", "relu"),
    "reproject gelu": ("reproject", "gelu"),
}


@functools.cache
def network(name: str, seed: int = 0) -> tuple[Model, World]:
    """A random model with monosemantic, polysemantic and dead neurons, and its world."""
    task, nonlinearity = NETWORKS[name]
    config = Config(task=task, n=N, m=M, k=K, nonlinearity=nonlinearity)
    world_key, model_key = jax.random.split(jax.random.key(seed))
    world = features.build(config, world_key)
    model = models.init(config, 0.0, model_key)
    # Neurons 0 to 2 have a threshold that single features reach only along their own direction;
    # two of them detect feature 3.
    w_mk = (3 * model.w_mk).at[:, :3].set(4 * world.embed_nm[jnp.array([3, 3, 7])].T)
    b_k = model.b_k.at[:4].set(jnp.array([-3.8, -3.9, -3.8, -100]))
    return model.replace(w_mk=w_mk, b_k=b_k), world


# What the functions of the table are given.


def model_and_world(model, world):
    return model, world


def response(model, world):
    return (scores.responses(model, world),)


def mapped(function):
    """The function of a model, a world and a feature, for all features."""
    return lambda model, world: jax.vmap(lambda feature: function(model, world, feature))(
        jnp.arange(N)
    )


def poly_map(model, world):
    return parts.linearise(parts.split(model).poly, world).map_on


def own_outputs(net):
    """Each feature's own output at the amplitudes."""
    output_nbo, *_ = plain.along(net, np.asarray(AMPLITUDE_B))
    return np.einsum("nbo, no -> nb", output_nbo, net.read_no)


def brute_force(function):
    """The function of a `plain.Network`, as one of a model and its world."""
    return lambda model, world: function(plain.Network(model, world))
