"""Pairs of toy runs of one world: the loss on the straight line between their models.

Only models that read the same embedding can be compared weight by weight. Runs
share a world if they have the same `world_seed`, or the same seed without one.
"""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pandas as pd

from toymono import features, scores, store
from toymono.analysis import connectivity
from toymono.config import unstack
from toymono.frames import toy
from toymono.frames.runs import checked
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

    Columns: those that determine the first run, `other_run`, `other_seed`, `pair` (one of
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

    Columns: those that determine the first run, `other_run`, `other_seed`, `pair`, `task_loss` and
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


PER_RUN = (
    *("task_loss", "mono_per_feature", "kind_barrier", "kind_reduction"),
    *("mixed_barrier", "mixed_excess", "mixed_ratio"),
)
"""The columns of `per_run`."""


def per_run(runs: Runs, by: str = "weights", points: int = connectivity.POINTS) -> pd.DataFrame:
    """One row per run: its mean over pairs with runs of other seeds.

    Runs of one seed start from the same weights, which keeps them closer.
    Columns: those that determine the run, `task_loss` on the common samples,
    `mono_per_feature`; `kind_barrier`, the mean barrier share to runs of its own
    kind, and `kind_reduction`, the share of the unaligned barrier that alignment
    removes there; `mixed_barrier` and `mixed_excess`, in shares of the zero-output
    loss, to runs of the other kind, and `mixed_ratio`, that barrier over
    `kind_barrier`. NaN without such pairs.

    Args:
      runs: As in `paths`.
      by: As in `paths`.
      points: As in `paths`.
    """
    pairs = per_pair(runs, by, points)
    if len(pairs):
        pairs = pairs[pairs["seed"] != pairs["other_seed"]]
    if pairs.empty:
        return pd.DataFrame()
    zero = pairs["barrier"] / pairs["barrier_share"].where(pairs["barrier_share"] > 0)
    pairs = pairs.assign(
        excess_share=(pairs["excess"] / zero).fillna(0.0),
        reduction=1 - pairs["barrier"] / pairs["unaligned_barrier"],
    )
    turned = pairs.assign(
        run=pairs["other_run"], task_loss=pairs["other_loss"],
        mono_per_feature=pairs["other_mono_per_feature"],
    )  # fmt: skip
    both = pd.concat([pairs, turned])
    identities = {identity["run"]: identity for _, identity in toy.each(listed(runs))}
    rows = []
    for name, of_run in both.groupby("run", sort=False):
        same = of_run[of_run["pair"].isin(PAIRS[:2])]
        mixed = of_run[of_run["pair"] == "mixed"]
        numbers = {
            "task_loss": of_run["task_loss"].iloc[0],
            "mono_per_feature": of_run["mono_per_feature"].iloc[0],
            "kind_barrier": same["barrier_share"].mean(),
            "kind_reduction": same["reduction"].mean(),
            "mixed_barrier": mixed["barrier_share"].mean(),
            "mixed_excess": mixed["excess_share"].mean(),
        }
        numbers["mixed_ratio"] = numbers["mixed_barrier"] / numbers["kind_barrier"]
        rows.append({**identities[str(name)], **numbers})
    return pd.DataFrame(rows)


def listed(runs: Runs) -> list[Run | StoredRun]:
    """The runs in a list; stacked ones are separated."""
    return list(unstack(runs)) if isinstance(runs, Run) else list(checked(runs, Run))


def _pairs(
    runs: Runs, by: str, points: int
) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """What determines the first run; the other run and the kind of pair; what is found."""
    loaded = [(of, *next(toy.each([of]))) for of in listed(runs)]
    loaded = [entry for entry in loaded if entry[1].diverged is None]
    # One order, so that a pair is computed and cached once.
    loaded.sort(key=lambda entry: entry[2]["run"])
    for (of, run, identity), (of_other, other, name) in itertools.combinations(loaded, 2):
        if not comparable(run, other):
            continue
        found = store.cached(_compared, of, other=of_other, by=by, points=points)
        numbers = found["numbers"]
        shares = (numbers["mono_per_feature"], numbers["other_mono_per_feature"])
        names = {
            "other_run": name["run"],
            "other_seed": name["seed"],
            "pair": kinds_of_pair(*map(kind, shares)),
        }
        yield identity, names, found


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


def kind(mono_per_feature: float) -> str:
    """What a model counts as here: monosemantic, polysemantic, or other, in between.

    Example:
      >>> kind(0.8), kind(0.05), kind(0.3)
      ('monosemantic', 'polysemantic', 'other')
    """
    if mono_per_feature > MONO:
        return "monosemantic"
    return "polysemantic" if mono_per_feature < POLY else "other"


def kinds_of_pair(one: str, other: str) -> str:
    """What two models of these kinds are together: one of `PAIRS`.

    Example:
      >>> kinds_of_pair("monosemantic", "polysemantic")
      'mixed'
    """
    if "other" in (one, other):
        return "other"
    return one if one == other else "mixed"


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
    served, other_served = (monosemantic(net, world) for net in pair)
    aligned, unaligned = lines["aligned"], lines["unaligned"]
    numbers = {
        "task_loss": aligned.loss_p[0],
        "other_loss": aligned.loss_p[-1],
        "mono_per_feature": served / n,
        "other_mono_per_feature": other_served / n,
        "barrier": aligned.barrier,
        "excess": aligned.excess,
        "barrier_share": aligned.barrier / zero,
        "unaligned_barrier": unaligned.barrier,
        "weight_distance": connectivity.distance(*pair),
        "unaligned_weight_distance": connectivity.distance(model, target),
        "matched_mono": matched.both_mono_k.sum(),
        "matched_same_feature": matched.same_feature_k.sum(),
    }
    found = {
        name: [np.asarray(column).tolist() for column in (line.t_p, line.loss_p, line.mono_p)]
        for name, line in lines.items()
    }
    return {**found, "numbers": {name: float(value) for name, value in numbers.items()}}


def monosemantic(model: Any, world: Any) -> int:
    """How many of a model's neurons are monosemantic."""
    response_kn = scores.responses(model, world)
    return int(scores.classify_neurons(response_kn).monosemantic_k.sum())
