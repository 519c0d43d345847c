"""Snapshots of a toy run compared with the next ones, to tell whether training converges.

Snapshots are taken after 1, 2, 4, … steps, so that each octave of steps lies
between two of them. Under the published schedule those from step 1024 on are
taken at the highest learning rate, whose noise is part of every distance here.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from toymono import features, scores, store
from toymono.analysis import connectivity, convergence
from toymono.frames import summary, toy
from toymono.frames.connectivity import listed
from toymono.frames.toy import Runs
from toymono.train import Run

SAMPLES, POINTS = 4096, 11
"""Common samples of all models of a run, and points of each line; our choice: half of those for
pairs of runs, as there are two lines per octave."""


def per_octave(runs: Runs) -> pd.DataFrame:
    """One row per run and octave of steps.

    Columns: `step`, its last, and `log2_step`; `mono_per_feature` and `loss_share`, the loss on
    common samples over that of an output of 0, at its end, and their changes since its
    beginning, `octave_mono_change` and `octave_loss_change`; between the models at
    its ends `weight_distance`, `unaligned_weight_distance`, `octave_jaccard` and
    `octave_retained`, see `analysis.convergence`; `barrier_share` and
    `unaligned_barrier_share`, the barrier with and without alignment over the
    zero-output loss; `moved_neurons`, how many the alignment exchanges.

    Args:
      runs: Toy runs with a hidden layer, of at least two steps. Those that diverged have no rows.
    """
    frames = []
    for of in listed(runs):
        [(run, identity)] = toy.each([of])
        if run.diverged is None:
            frames.append(pd.DataFrame({**identity, **store.cached(_octaves, of)}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def per_run(runs: Runs) -> pd.DataFrame:
    """One row per run: what it did at the end of training.

    Columns: `loss_fall`, `mono_rise` and `settled`, as in `frames.summary`;
    `last_jaccard` and `last_distance_ratio`, the `octave_jaccard` of the last
    octave, and its unaligned distance over that of the octave before;
    `convergence`, see `analysis.convergence.verdict`.

    Args:
      runs: As in `per_octave`, of at least four steps.
    """
    rows = []
    for of in listed(runs):
        [(run, identity)] = toy.each([of])
        if run.diverged is not None:
            continue
        octaves = store.cached(_octaves, of)
        jaccard_c, distance_c = octaves["octave_jaccard"], octaves["unaligned_weight_distance"]
        half = summary.second_half(run)
        numbers = {
            "last_jaccard": jaccard_c[-1],
            "last_distance_ratio": distance_c[-1] / distance_c[-2] if distance_c[-2] else np.nan,
            "convergence": convergence.verdict(half["settled"], jaccard_c, distance_c),
        }
        rows.append({**identity, **half, **numbers})
    return pd.DataFrame(rows)


def _octaves(run: Run) -> dict[str, Any]:
    config = dataclasses.replace(run.config, batch_size=SAMPLES)
    samples = features.sample(config, run.hyperparams, jax.random.key(0))
    world, n = run.world, run.config.n
    zero = float((world.targets(samples) ** 2).sum(axis=1).mean())
    steps = run.snapshot_steps
    models = [jax.tree.map(lambda leaf: leaf[c], run.snapshots) for c in range(len(steps))]  # noqa: B023
    response_ckn = [scores.responses(model, world) for model in models]
    rows = []
    for c in range(1, len(steps)):
        before, after = models[c - 1 : c + 1]
        order_k = connectivity.align(before, after)
        aligned = connectivity.permute(after, jnp.asarray(order_k))
        plain = connectivity.path(before, after, world, samples, POINTS)
        moved = connectivity.path(before, aligned, world, samples, POINTS)
        row = {
            "step": steps[c],
            "log2_step": steps[c].bit_length() - 1,
            "mono_per_feature": plain.mono_p[-1] / n,
            "loss_share": plain.loss_p[-1] / zero,
            "octave_mono_change": (plain.mono_p[-1] - plain.mono_p[0]) / n,
            "octave_loss_change": (plain.loss_p[-1] - plain.loss_p[0]) / zero,
            "weight_distance": connectivity.distance(before, aligned),
            "unaligned_weight_distance": connectivity.distance(before, after),
            "octave_jaccard": convergence.jaccard(*response_ckn[c - 1 : c + 1]),
            "octave_retained": convergence.retained(*response_ckn[c - 1 : c + 1]),
            "barrier_share": moved.barrier / zero,
            "unaligned_barrier_share": plain.barrier / zero,
            "moved_neurons": int((order_k != np.arange(len(order_k))).sum()),
        }
        rows.append({name: float(value) for name, value in row.items()})
    return {name: [row[name] for row in rows] for name in rows[0]}
