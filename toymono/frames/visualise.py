"""Feature visualisation of toy runs: what optimised inputs show of the features of each neuron.

Neurons are sampled by the number of their facets, since most have one facet or
a great many: `STRATA`. Every method gives a batch of inputs for each of them,
scored against the facets by `analysis.visualise.facets`. Classifiers are in
`frames.visualise_classifiers`.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from toymono import features, scores, store
from toymono.analysis import baselines as copies
from toymono.analysis.visualise import baselines, connections, facets, toy
from toymono.features import World
from toymono.frames import toy as toy_frames
from toymono.frames.runs import checked
from toymono.frames.toy import Runs
from toymono.models import Model
from toymono.tasks import TASKS
from toymono.train import Run

WEIGHTS = (0.3, 1.0, 3.0)
"""Weights of the diversity term, relative to the objective's own size; our choice."""

OWN_WEIGHT = 1.0
"""The weight that is the objective's own size: what published weights were to their objectives."""

STRATA: dict[str, tuple[int, int]] = {"1": (1, 1), "2-8": (2, 8), ">8": (9, 10**9)}
"""Groups of neurons by the number of their facets."""

SEVERAL = "2-8"
"""The group in which precision and recall are compared: several facets, fewer than the batch."""

SAMPLED = 16
"""Neurons of each group, at most; our choice, for time."""

EXAMPLES = 8192
"""Samples among which the top examples are searched."""

DIVERSE = tuple(f"{on} {weight:g}" for on in ("hidden", "inputs") for weight in WEIGHTS)
METHODS = ("restarts", *DIVERSE, "grown", "greedy", "examples", "centroids", "untrained")
"""Ways to find inputs: `restarts` has no diversity term; the others are named by where the term
compares the batch, and its weight; `grown` batches end where an input falls below the threshold;
`untrained` is `hidden 1` for the same neuron of the untrained copy with biases around 0, scored
against the facets of the trained neuron: what a picture shows by chance."""

_KEY = 0  # of starts and samples: every run gets the same


def per_neuron(runs: Runs, of: str = "neuron") -> pd.DataFrame:
    """One row per run, method and sampled neuron of the final model.

    Columns: `method`; `neuron`; `facet_group`, a key of `STRATA`; `facet_count`;
    `facets_found`, `facets_invented`, among the labels of the method's inputs;
    `facet_precision`, NaN where no input is active, and `facet_recall`;
    `active_share`, the fraction of inputs on which the neuron is active;
    `ambiguous_share`, the fraction whose second feature is above half of the
    first; `monosemanticity`, eq. 7.

    Args:
      runs: Toy runs; those that diverged are left out.
      of: `neuron`, or `output` to visualise outputs instead, in the column `neuron`.
    """
    frames = []
    for given in checked(runs, Run):
        for run, identity in toy_frames.each([given]):
            if run.diverged is None:
                found = pd.DataFrame(store.cached(neuron_rows, given, of=of))
                frames.append(found.assign(**identity)[[*identity, *found.columns]])
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def per_method(runs: Runs) -> pd.DataFrame:
    """One row per run and method: `facet_precision` and `facet_recall`, means over neurons.

    Over the sampled neurons of the group `SEVERAL`; NaN if there are none.
    """
    neurons = per_neuron(runs)
    if neurons.empty:
        return neurons
    several = neurons.assign(mask=neurons["facet_group"] == SEVERAL)
    columns = ["facet_precision", "facet_recall", "active_share"]
    several[columns] = several[columns].where(several["mask"])
    first = several.drop_duplicates(["run", "method"]).drop(columns=columns)
    means = several.groupby(["run", "method"], sort=False)[columns].mean().reset_index()
    identity = [*first.columns[: list(first.columns).index("method")], "method"]
    return first[identity].merge(means, on=["run", "method"])


def per_run(runs: Runs) -> pd.DataFrame:
    """One row per run, with the columns of `run_row` but for those of methods.

    Runs that diverged have none of them.
    """
    rows = []
    for given in checked(runs, Run):
        for run, identity in toy_frames.each([given]):
            found = store.cached(run_row, given) if run.diverged is None else {}
            rows.append({**identity, **{name: v for name, v in found.items() if " " not in name}})
    return pd.DataFrame(rows)


def connections_per_run(runs: Runs) -> pd.DataFrame:
    """One row per run: `connections_*` and `virtual_diagonal`, as in `run_row`, in little time."""
    rows = []
    for run, identity in toy_frames.each(runs):
        found = _connections(run.final, run.world) if run.diverged is None else {}
        rows.append({**identity, **found})
    return pd.DataFrame(rows)


def run_row(run: Run) -> dict[str, float]:
    """The numbers of one run.

    `facets_found`: facets found per living neuron by growing batches, an
    estimate from the sample, each group by its share; `mono_one_facet`, the
    fraction of the sampled monosemantic neurons whose batch does not grow
    beyond one input; `facet_cosine` and `random_cosine`, mean absolute cosine
    of the embeddings of two facets of a neuron, and of any two features;
    `connections_*`, see `connections.Connections`; `virtual_diagonal`, see
    `connections.diagonal_share`; for every method `precision METHOD`,
    `recall METHOD` and `active METHOD`, the fraction of inputs on which the neuron
    is active, means over neurons with 2 to 8 facets.
    """
    neurons = pd.DataFrame(neuron_rows(run))
    row: dict[str, float] = {}
    grown = neurons[neurons["method"] == "grown"]
    row["facets_found"] = _weighted(run, grown)
    mono = grown[grown["monosemanticity"] > scores.THRESHOLD]
    one = mono["facets_found"] + mono["facets_invented"] == 1
    row["mono_one_facet"] = float(one.mean()) if len(mono) else np.nan
    row |= _cosines(run.final, run.world, neurons)
    row |= _connections(run.final, run.world)
    several = neurons[neurons["facet_group"] == SEVERAL]
    for method in METHODS:
        of_method = several[several["method"] == method]
        for name, column in _NUMBERS.items():
            values = of_method[column].dropna()
            row[f"{name} {method}"] = float(values.mean()) if len(values) else np.nan
    return row


_NUMBERS = {"precision": "facet_precision", "recall": "facet_recall", "active": "active_share"}


def facets_found(run: Run) -> float:
    """`facets_found` of `run_row`, without the other methods."""
    return _weighted(run, pd.DataFrame(neuron_rows(run, methods=("grown",))))


def neuron_rows(
    run: Run, of: str = "neuron", methods: Sequence[str] = METHODS
) -> dict[str, np.ndarray]:
    """The columns of `per_neuron` for one run."""
    net = toy.of_features(run.final, run.world)
    response_un = np.asarray(toy.responses(net, of))
    facet_un = facets.facets(response_un)
    unit_u = _sample(facet_un.sum(axis=1), run.seed)
    if not len(unit_u):
        return {name: np.array([]) for name in _COLUMNS}
    # Padded, so that all runs of a shape share a compiled program.
    padded_u = jnp.asarray(np.resize(unit_u, len(STRATA) * SAMPLED))
    count_u = facet_un.sum(axis=1)[unit_u]
    mono_u = np.asarray(scores.monosemanticity(jnp.asarray(response_un)))[unit_u]
    parts = []
    for method in methods:
        if of == "output" and method in ("examples", "centroids"):
            continue  # these read hidden activations
        features_ubn, active_ub = _inputs(method, run, net, padded_u, of)
        features_ubn, active_ub = features_ubn[: len(unit_u)], active_ub[: len(unit_u)]
        found = facets.score(features_ubn.argmax(axis=2), active_ub, facet_un[unit_u])
        unclear_u = (facets.ambiguous(features_ubn) & active_ub).sum(axis=1)
        parts.append(
            {
                "method": np.full(len(unit_u), method),
                "neuron": unit_u,
                "facet_group": np.array([_group(count) for count in count_u.tolist()]),
                "facet_count": count_u,
                "facets_found": found.found_u,
                "facets_invented": found.invented_u,
                "facet_precision": found.precision_u,
                "facet_recall": found.recall_u,
                "active_share": found.active_u,
                "ambiguous_share": np.where(
                    active_ub.any(axis=1),
                    unclear_u / np.maximum(active_ub.sum(axis=1), 1),
                    np.nan,
                ),
                "monosemanticity": mono_u,
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in _COLUMNS}


_COLUMNS = (
    *("method", "neuron", "facet_group", "facet_count", "facets_found", "facets_invented"),
    *("facet_precision", "facet_recall", "active_share", "ambiguous_share", "monosemanticity"),
)


def visualised(runs: Runs, neurons: int = 4, most: int = 32) -> pd.DataFrame:
    """One row per run, neuron and method, with the inputs themselves.

    Columns: `neuron`, `facet_count`, `method` (`restarts`, `hidden 1`, `inputs 1`
    or `grown`), `features_bn`, an array: the strength of the neuron's `most`
    strongest features in each input, and the last column the sum of all
    others, and `response_n`, the neuron's response to each of these features
    over its largest.

    Args:
      runs: Toy runs.
      neurons: Those with several facets are shown, the most facets first.
      most: Features shown.
    """
    rows = []
    for run, identity in toy_frames.each(runs):
        net = toy.of_features(run.final, run.world)
        response_un = np.asarray(toy.responses(net))
        count_u = facets.facets(response_un).sum(axis=1)
        low, high = STRATA[SEVERAL]
        several_u = np.flatnonzero((count_u >= low) & (count_u <= high))
        unit_u = several_u[np.argsort(-count_u[several_u], kind="stable")][:neurons]
        for method in ("restarts", "hidden 1", "inputs 1", "grown") if len(unit_u) else ():
            features_ubn, active_ub = _inputs(method, run, net, jnp.asarray(unit_u), "neuron")
            for unit, features_bn, active_b in zip(unit_u, features_ubn, active_ub, strict=True):
                order_n = np.argsort(-response_un[unit], kind="stable")
                shown_bn = features_bn[:, order_n]
                rest_b1 = shown_bn[:, most:].sum(axis=1, keepdims=True)
                rows.append(
                    {
                        **identity,
                        "neuron": unit,
                        "facet_count": count_u[unit],
                        "method": method,
                        "features_bn": np.concatenate([shown_bn[:, :most], rest_b1], axis=1),
                        "active_b": active_b,
                        "response_n": (response_un[unit] / response_un[unit].max())[order_n][:most],
                    }
                )
    return pd.DataFrame(rows)


def _connections(model: Model, world: World) -> dict[str, float]:
    found = connections.through_neurons(model, world)
    virtual_nn = connections.virtual_weights(model, world)
    return {
        **{f"connections_{name}": float(value) for name, value in found._asdict().items()},
        "virtual_diagonal": connections.diagonal_share(virtual_nn),
    }


def _inputs(method: str, run: Run, net: Model, unit_u, of: str) -> tuple[np.ndarray, np.ndarray]:
    """A method's inputs `[u b n]`, and on which of them each unit is active `[u b]`."""
    key = jax.random.key(_KEY)
    if method in ("examples", "centroids"):
        features_ubn, value_ub = _from_samples(method, run, net, np.asarray(unit_u))
    else:
        if method == "greedy":
            found = toy.greedy(net, unit_u, key, of=of)
        elif method == "grown":
            found, _ = toy.grow(net, unit_u, key, weight=OWN_WEIGHT, of=of)
        elif method == "restarts":
            found = toy.maximise(net, unit_u, key, of=of)
        elif method == "untrained":
            fresh = toy.of_features(_untrained(run), run.world)
            found = toy.maximise(fresh, unit_u, key, weight=OWN_WEIGHT, on="hidden", of=of)
        else:
            on, weight = method.split()
            found = toy.maximise(net, unit_u, key, weight=float(weight), on=on, of=of)
        features_ubn, value_ub = map(np.asarray, found)
    return features_ubn, value_ub >= facets.THRESHOLD


def _untrained(run: Run) -> Model:
    """The run's untrained copy with biases around 0."""
    return copies.copies(run.config, run.hyperparams, run.key, run.final)["untrained_spread"]


def _from_samples(
    method: str, run: Run, net: Model, unit_u: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Top examples, or centroids of them, and each unit's activation over its largest response."""
    config = dataclasses.replace(run.config, batch_size=EXAMPLES)
    drawn_bn = np.asarray(features.sample(config, run.hyperparams, jax.random.key(_KEY + 1)))
    if TASKS[run.config.task].signed:
        drawn_bn = np.concatenate([np.maximum(drawn_bn, 0), np.maximum(-drawn_bn, 0)], axis=1)
    hidden_bk = np.asarray(net.neurons(jnp.asarray(drawn_bn)))
    active_bu = hidden_bk[:, unit_u]
    if method == "examples":
        features_ubn = drawn_bn[baselines.top_examples(active_bu, toy.IMAGES)]
    else:
        features_ubn = np.stack(
            [
                baselines.centroids(drawn_bn, hidden_bk, active_b, toy.IMAGES)
                for active_b in active_bu.T
            ]
        )
    largest_u = np.asarray(toy.responses(net)).max(axis=1)[unit_u]
    value_ubk = np.asarray(net.neurons(jnp.asarray(features_ubn)))
    value_ub = np.take_along_axis(value_ubk, unit_u[:, None, None], axis=2)[..., 0]
    return features_ubn, value_ub / np.where(largest_u > 0, largest_u, 1)[:, None]


def _sample(count_u: np.ndarray, seed: int) -> np.ndarray:
    """Units of each group, at random."""
    rng = np.random.default_rng(seed)
    chosen = []
    for low, high in STRATA.values():
        of_group = np.flatnonzero((count_u >= low) & (count_u <= high))
        chosen.append(np.sort(rng.permutation(of_group)[:SAMPLED]))
    return np.concatenate(chosen)


def _group(count: int) -> str:
    return next(name for name, (low, high) in STRATA.items() if low <= count <= high)


def _weighted(run: Run, neurons: pd.DataFrame) -> float:
    """The mean of `facets_found` over living neurons, each group by its share."""
    response_kn = toy.responses(toy.of_features(run.final, run.world))
    count_k = facets.facets(np.asarray(response_kn)).sum(axis=1)
    groups = pd.Series([_group(count) for count in count_k[count_k > 0].tolist()], dtype=object)
    means = neurons.groupby("facet_group")["facets_found"].mean()
    shares = groups.value_counts(normalize=True)
    return float((means * shares).sum()) if len(groups) else np.nan


def _cosines(model: Model, world: World, neurons: pd.DataFrame) -> dict[str, float]:
    """Absolute cosines of the embeddings of facets of one neuron, and of any two features."""
    embed_nm = np.asarray(world.embed_nm, np.float64)
    embed_nm = embed_nm / np.linalg.norm(embed_nm, axis=1, keepdims=True)
    cosine_nn = abs(embed_nm @ embed_nm.T)
    above = np.triu_indices(len(cosine_nn), 1)
    facet_kn = facets.facets(np.asarray(scores.responses(model, world)))
    several = neurons.loc[neurons["facet_group"] == SEVERAL, "neuron"].unique()
    pairs = []
    for unit in several.astype(int):
        own = np.flatnonzero(facet_kn[unit])
        pairs.append(cosine_nn[np.ix_(own, own)][np.triu_indices(len(own), 1)])
    facet = np.concatenate(pairs) if pairs else np.array([])
    return {
        "facet_cosine": float(facet.mean()) if facet.size else np.nan,
        "random_cosine": float(cosine_nn[above].mean()),
    }
