"""Time of the lenses: all measures of a toy run, visualisation of 64 neurons.

    python benchmarks/lenses.py

Trains nothing: the networks have the shapes of trained ones and random weights,
which cost the same. The targets, on two cores without the compilation, are 10 s
for the measures of one toy run and 20 s for the visualisation. Writes
`benchmarks/lenses.md`, which `benchmarks/step.py` appends to its results.
"""

import datetime
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

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


LENSES: dict[str, tuple[float, Callable[[], object]]] = {
    "polytopes of a small run": (10, lambda: polytopes.per_run([untrained(*SMALL)])),
    "polytopes of a default run": (10, lambda: polytopes.per_run([untrained(*DEFAULT)])),
    "spectrum of a small run": (10, lambda: spectrum.per_run([untrained(*SMALL)])),
    "spectrum of a default run": (10, lambda: spectrum.per_run([untrained(*DEFAULT)])),
    f"visualisation of {NEURONS} neurons": (20, visualise),
}
"""What is timed: the most seconds that it should take when compiled, and what it computes."""

_OUT = Path(__file__).parent / "lenses.md"


def seconds(compute: Callable[[], object]) -> tuple[float, float]:
    """On the wall clock and of processors."""
    wall, processor = time.perf_counter(), time.process_time()
    compute()
    return time.perf_counter() - wall, time.process_time() - processor


def section(rows: dict[str, tuple[float, tuple[float, float], tuple[float, float]]]) -> str:
    """The text that is written.

    Args:
      rows: By lens, the target and the `seconds` with compilation and without.
    """
    lines = [
        f"| {name} | {first[0]:.1f} | {again[0]:.1f} | {again[1]:.1f} | ≤ {most:g} "
        f"| {'met' if again[0] <= most else 'not met'} |"
        for name, (most, first, again) in rows.items()
    ]
    return "\n".join(
        [
            "## Lenses",
            "",
            f"`python benchmarks/lenses.py`, {datetime.date.today()}, {platform.machine()}, "
            f"{len(os.sched_getaffinity(0))} CPU cores; small is n, m, k = {SMALL}, default "
            f"{DEFAULT}. Seconds; targets are for the wall clock of compiled programs.",
            "",
            "| lens | with compilation | compiled | of processors | target | |",
            "| --- | --- | --- | --- | --- | --- |",
            *lines,
            "",
        ]
    )


def main() -> None:
    """Measures every lens, prints the section and writes it."""
    rows = {
        name: (most, seconds(compute), seconds(compute)) for name, (most, compute) in LENSES.items()
    }
    text = section(rows)
    print(text)
    _OUT.write_text(text)


if __name__ == "__main__":
    main()
