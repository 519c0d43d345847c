"""Pairs of toy runs of one world: the loss on the straight line between their models.

Only models that read the same embedding can be compared weight by weight. Runs
share a world if they have the same `world_seed`, or the same seed without one.
"""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from toymono import features, scores, store
from toymono.analysis import connectivity
from toymono.config import unstack
from toymono.frames import toy
from toymono.frames.toy import Runs
from toymono.store import StoredRun
from toymono.train import Run

SAMPLES = 8192
"""Common samples for all points of all lines of a world: noise between sets of samples is larger
than small barriers. Our choice."""

MONO, POLY = 0.5, 0.1
"""Monosemantic neurons per feature above which a model counts as monosemantic here, and below
which as polysemantic. Our choice."""

PAIRS = ("monosemantic", "polysemantic", "mixed", "other")
"""Both models are monosemantic, both polysemantic, one of each, or one is in between."""


def paths(runs: Runs, by: str = "weights", points: int = connectivity.POINTS) -> pd.DataFrame:
    """One row per pair of runs of one world, alignment and point of the line between them.

    Columns: those that determine the first run, `other_run`, `pair` (one of
    `PAIRS`), `aligned`, `path_position`, 0 at the first run, `path_loss`, `path_mono`,
    the number of monosemantic neurons there.

    Args:
      runs: Toy runs with a hidden layer. Pairs of different worlds, sizes,
        nonlinearities or feature probabilities are left out, and runs that diverged.
      by: What is compared to align neurons, see `alignment.MATCHINGS`.
      points: Points of a line, with its ends.
    """
    rows = []
    for identity, names, found in _pairs(runs, by, points):
        for aligned, line in (("yes", found["aligned"]), ("no", found["unaligned"])):
            for t, loss, mono in zip(*line, strict=True):
                on_line = {"path_position": t, "path_loss": loss, "path_mono": mono}
                rows.append({**identity, **names, "aligned": aligned, **on_line})
    return pd.DataFrame(rows)


def per_pair(runs: Runs, by: str = "weights", points: int = connectivity.POINTS) -> pd.DataFrame:
    """One row per pair of runs of one world.

    Columns: those that determine the first run, `other_run`, `pair`, `loss` and
    `other_loss` on the common samples, `mono_per_feature` and
    `other_mono_per_feature`; `barrier`, `excess` and `weight_distance` after
    alignment, `barrier_share`, the barrier over the loss of an output of 0;
    `unaligned_barrier`, `unaligned_weight_distance`; `matched_mono` and
    `matched_same_feature`, numbers of matched pairs.

    Args:
      runs: As in `paths`.
      by: As in `paths`.
      points: As in `paths`.
    """
    return pd.DataFrame(
        {**identity, **names, **found["numbers"]}
        for identity, names, found in _pairs(runs, by, points)
    )


def _pairs(
    runs: Runs, by: str, points: int
) -> Iterator[tuple[dict[str, Any], dict[str, str], dict[str, Any]]]:
    """What determines the first run; the other run's name and the kind of pair; what is found."""
    given = unstack(runs) if isinstance(runs, Run) else list(runs)
    loaded = [(of, *next(toy.each([of]))) for of in given]
    loaded = [entry for entry in loaded if entry[1].diverged is None]
    for (of, run, identity), (of_other, other, name) in itertools.combinations(loaded, 2):
        if not comparable(run, other):
            continue
        found = store.cached(_compared, of, other=of_other, by=by, points=points)
        numbers = found["numbers"]
        shares = (numbers["mono_per_feature"], numbers["other_mono_per_feature"])
        yield identity, {"other_run": name["run"], "pair": _kind(*shares)}, found


def comparable(run: Run, other: Run) -> bool:
    """Whether the line between two models means anything: one world, shape and distribution."""
    ours, theirs = (
        (jax.tree.structure(r.final), [leaf.shape for leaf in jax.tree.leaves(r.final)])
        for r in (run, other)
    )
    laws = [(r.config.task, r.config.feature_law, float(r.hyperparams.eps)) for r in (run, other)]
    return (
        ours == theirs
        and laws[0] == laws[1]
        and np.array_equal(run.world.embed_nm, other.world.embed_nm)
    )


def _kind(share: float, other: float) -> str:
    low, high = sorted((share, other))
    if low > MONO:
        return "monosemantic"
    if high < POLY:
        return "polysemantic"
    return "mixed" if low < POLY and high > MONO else "other"


def _compared(run: Run, other: Run | StoredRun, by: str, points: int) -> dict[str, Any]:
    target = (store.load(other) if isinstance(other, StoredRun) else other).final
    config = dataclasses.replace(run.config, batch_size=SAMPLES)
    samples = features.sample(config, run.hyperparams, jax.random.key(0))
    model, world = run.final, run.world
    pair = connectivity.aligned(model, target, by, world.inputs(samples))
    lines = {
        "aligned": connectivity.path(*pair, world, samples, points),
        "unaligned": connectivity.path(model, target, world, samples, points),
    }
    zero = (world.targets(samples) ** 2).sum(axis=1).mean()
    matched = connectivity.matched(*pair, world)
    n = run.config.n
    served, other_served = (_mono(net, world) for net in pair)
    aligned, unaligned = lines["aligned"], lines["unaligned"]
    numbers = {
        "loss": aligned.loss_p[0],
        "other_loss": aligned.loss_p[-1],
        "mono_per_feature": served / n,
        "other_mono_per_feature": other_served / n,
        "barrier": aligned.barrier,
        "excess": aligned.excess,
        "barrier_share": aligned.barrier / zero,
        "unaligned_barrier": unaligned.barrier,
        "weight_distance": _distance(*pair),
        "unaligned_weight_distance": _distance(model, target),
        "matched_mono": matched.both_mono_k.sum(),
        "matched_same_feature": matched.same_feature_k.sum(),
    }
    found = {
        name: [np.asarray(column).tolist() for column in (line.t_p, line.loss_p, line.mono_p)]
        for name, line in lines.items()
    }
    return {**found, "numbers": {name: float(value) for name, value in numbers.items()}}


def _mono(model: Any, world: Any) -> int:
    response_kn = scores.responses(model, world)
    return int(scores.classify_neurons(response_kn).monosemantic_k.sum())


def _distance(model: Any, other: Any) -> float:
    pairs = zip(jax.tree.leaves(model), jax.tree.leaves(other), strict=True)
    return float(np.sqrt(sum(jnp.square(a - b).sum() for a, b in pairs)))
