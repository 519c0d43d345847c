"""Time of the lenses on one trained network: visualisation of 64 neurons of a digits classifier.

    python benchmarks/lenses.py

Trains nothing: the network has the shape of the digits classifiers and random
weights, which cost the same. The target is 20 s on two cores without the
compilation, which the first line contains and the second does not.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np

from toymono.analysis.visualise import classifier, images
from toymono.classifiers import data, network
from toymono.classifiers.config import ClassifierConfig

NEURONS = 64


def visualise(key: jax.Array) -> jax.Array:
    """A diverse batch of images for each of 64 neurons, 16 of each layer."""
    config, image_hw = ClassifierConfig(data="digits"), (8, 8)
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


def main() -> None:
    """Prints wall-clock and processor seconds, with and without compilation."""
    for words in ("with compilation", "compiled"):
        wall, processor = time.perf_counter(), time.process_time()
        visualise(jax.random.key(0))
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        print(f"{NEURONS} neurons, {words}: {wall:.1f} s, of processors {processor:.1f} s")


if __name__ == "__main__":
    main()
