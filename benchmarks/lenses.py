"""Time of the lenses: all polytope measures of a toy run, visualisation of 64 neurons.

    python benchmarks/lenses.py

Trains nothing: the networks have the shapes of trained ones and random weights,
which cost the same. The targets, on two cores without the compilation, are 10 s
for the measures of one toy run and 20 s for the visualisation.
"""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from toymono import Config, Hyperparams, Run, begin
from toymono.analysis.visualise import classifier, images
from toymono.classifiers import data, network
from toymono.classifiers.config import ClassifierConfig
from toymono.frames import polytopes, spectrum

NEURONS = 64
SMALL, DEFAULT = (256, 32, 256), (512, 64, 512)
"""n, m and k of the small scale, and of the default run."""


def untrained(n: int, m: int, k: int) -> Run:
    """A run without training; about half of its biases are negative."""
    config, hyperparams = Config(n=n, m=m, k=k), Hyperparams(init_bias=0.0).checked()
    key = jax.random.key(0)
    world, state = begin(config, hyperparams, key)
    snapshots = jax.tree.map(lambda leaf: leaf[None], state.model)
    return Run(config, hyperparams, key, world, snapshots, jnp.ones(config.steps))


def visualise() -> jax.Array:
    """A diverse batch of images for each of 64 neurons of a digits classifier, 16 of each layer."""
    key, config, image_hw = jax.random.key(0), ClassifierConfig(data="digits"), (8, 8)
    params = network.init(config, image_hw, key)
    examples_bhw = data.load("digits").train_bhw
    found = []
    for layer in range(len(config.sizes)):
        unit_u = jnp.arange(NEURONS // len(config.sizes))
        active_bk = classifier.activations(config, params, examples_bhw)[layer]
        largest_u = jnp.asarray(np.asarray(active_bk).max(axis=0))[unit_u]
        found.append(
            classifier.maximise(
                *(config, params, layer, unit_u, largest_u, key),
                image_hw=image_hw,
                settings=images.SMALL,
                on_hidden=1.0,
            )
        )
    return jax.block_until_ready(jnp.concatenate(found))


LENSES: dict[str, Callable[[], object]] = {
    "polytopes of a small run": lambda: polytopes.per_run([untrained(*SMALL)]),
    "polytopes of a default run": lambda: polytopes.per_run([untrained(*DEFAULT)]),
    "spectrum of a small run": lambda: spectrum.per_run([untrained(*SMALL)]),
    "spectrum of a default run": lambda: spectrum.per_run([untrained(*DEFAULT)]),
    f"visualisation of {NEURONS} neurons": visualise,
}
"""What is timed, by what it is."""


def main() -> None:
    """Prints wall-clock and processor seconds, with and without compilation."""
    for name, compute in LENSES.items():
        for words in ("with compilation", "compiled"):
            wall, processor = time.perf_counter(), time.process_time()
            compute()
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
            print(f"{name}, {words}: {wall:.1f} s, of processors {processor:.1f} s")


if __name__ == "__main__":
    main()
