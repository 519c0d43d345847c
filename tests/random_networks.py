"""Small random networks with neurons of every class, and what laws say about them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from toymono import Config, Model, World, features, models

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
