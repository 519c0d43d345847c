"""Classifier runs to tidy frames: one row per run, layer, neuron, epoch, shuffle or ablation.

Each function takes runs, stored or in memory. Every frame begins with the
columns that determine a run, `fingerprint` of its data, `run`, its name, and
`status`. Class responses are those on the test examples. Means over seeds belong
to the runs that learned: `learned` picks them. Results that take long are cached
beside stored runs.
"""

import dataclasses
import functools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from toymono import fields, scores, store
from toymono.analysis import ablation, class_responses, coherence
from toymono.analysis import clusters as clustering
from toymono.analysis.ablation import Ablation
from toymono.analysis.class_responses import ClassResponses
from toymono.analysis.clusters import Clusterability
from toymono.classifiers import data, network
from toymono.classifiers import train as training
from toymono.classifiers.data import CLASSES, Dataset
from toymono.classifiers.fields import CLASSIFIER
from toymono.classifiers.train import ClassifierRun
from toymono.frames.runs import checked
from toymono.store import StoredRun

Runs = Iterable[ClassifierRun | StoredRun]

SETTING = [*CLASSIFIER, "fingerprint"]
"""The columns that a classifier run shares with its other seeds."""

# Test examples that ablations are measured on, at most: our choice, for time.
_ABLATION_EXAMPLES = 2000


@dataclasses.dataclass(frozen=True)
class Structure:
    """How clusters, ablations and coherence of a network are analysed."""

    clusters: int = clustering.CLUSTERS
    shuffles: int = clustering.SHUFFLES
    ablations: int = ablation.RANDOM_ABLATIONS
    """Random ablations for each cluster."""
    permutations: int = 999
    """Of the neurons' strongest classes."""


DEFAULT_STRUCTURE = Structure()
"""As published, but for fewer random ablations."""


class Responses(NamedTuple):
    """A network on the test examples of its data."""

    status: str
    """As `classifiers.train.status` has it."""
    layers: tuple[ClassResponses, ...]
    """Of each hidden layer."""


def each(runs: Runs) -> Iterator[tuple[Any, Responses, dict[str, Any]]]:
    """Each run as given, its responses, and the columns that every frame begins with."""
    for run in checked(runs, ClassifierRun):
        responses = store.cached(class_firing, run)
        values = store.fields(run.config, run.hyperparams, run.seed)
        values["sizes"] = fields.widths_text(run.config.sizes)
        name = store.name(run.config, run.hyperparams, run.seed, run.fingerprint)
        identity = {"fingerprint": run.fingerprint, "run": name, "status": responses.status}
        yield run, responses, {**values, **identity}


def per_run(runs: Runs, structure: Structure | None = None) -> pd.DataFrame:
    """One row per run: its last measures, means over its layers, its structure.

    Columns: `accuracy`, `cross_entropy`, `penalty_sum`; `mean_overlap` (over
    layers), `mean_monosemanticity` (over the neurons that fire), `dead_share`,
    `width`, that of the first layer, `error`. With `structure` also `n_cut`,
    `shuffled_n_cut_mean`, `shuffled_n_cut_std`, `n_cut_p`, `coherence`,
    `coherence_p`, and `ablation_p_mean` and `ablation_range_p_mean`, means over
    clusters; NaN for runs that diverged.

    Args:
      runs: Classifier runs.
      structure: What to analyse; None for nothing, since it takes seconds per run.
    """
    rows = []
    for run, responses, identity in each(runs):
        history, layers = _loaded(run).history, _layers(responses)
        mono_k = np.concatenate([scores.monosemanticity(f.response_ky) for f in responses.layers])
        fires_k = np.concatenate([f.count_ky.any(axis=1) for f in responses.layers])
        accuracy = float(history.accuracy[-1])
        rows.append(
            {
                **identity,
                "accuracy": accuracy,
                "error": 1 - accuracy,
                "cross_entropy": float(history.cross_entropy[-1]),
                "penalty_sum": float(history.penalty_l[-1].sum()),
                "width": run.config.sizes[0],
                "mean_overlap": float(np.mean([layer["overlap"] for layer in layers])),
                "mean_monosemanticity": float(mono_k[fires_k].mean()) if fires_k.any() else np.nan,
                "dead_share": float(1 - fires_k.mean()),
                **(_structure(run, responses, structure) if structure else {}),
            }
        )
    return pd.DataFrame(rows)


def per_layer(runs: Runs) -> pd.DataFrame:
    """One row per run and hidden layer, counted from 1.

    Columns: `penalty_soft`, the soft penalty's value on the test examples;
    `largest_penalty_share`, the fraction of it that is due to one neuron;
    `overlap`, the class-wise metric; `mean_monosemanticity`, over the neurons
    that fire; `dead`, the number of those that do not.
    """
    return pd.DataFrame(
        [
            {**identity, **layer}
            for _, responses, identity in each(runs)
            for layer in _layers(responses)
        ]
    )


def per_neuron(runs: Runs) -> pd.DataFrame:
    """One row per run, hidden layer and neuron.

    Columns: `strongest_class` (-1: the neuron never fires); `monosemanticity`,
    eq. 7 with classes for features; `class_count`, the number of classes on whose
    examples it fires at all; `firing_share`, the fraction of test examples, with
    equal weight for each class, on which it fires.
    """
    frames = []
    for _, responses, identity in each(runs):
        for layer, f in enumerate(responses.layers, 1):
            columns = {
                "layer": layer,
                "neuron": np.arange(len(f.count_ky)),
                "strongest_class": np.asarray(scores.strongest(f.response_ky)),
                "monosemanticity": np.asarray(scores.monosemanticity(f.response_ky)),
                "class_count": (f.count_ky > 0).sum(axis=1),
                "firing_share": f.share_ky.mean(axis=1),
            }
            frames.append(pd.DataFrame({**identity, **columns}))
    return _joined(frames)


def per_epoch(runs: Runs) -> pd.DataFrame:
    """One row per run and epoch, counted from 1, with what was measured after it."""
    frames = []
    for run, _, identity in each(runs):
        history = _loaded(run).history
        columns = {
            "epoch": np.arange(1, len(history.accuracy) + 1),
            "accuracy": history.accuracy,
            "cross_entropy": history.cross_entropy,
            "penalty_sum": history.penalty_l.sum(axis=1),
            "train_loss": history.train_loss,
        }
        frames.append(pd.DataFrame({**identity, **columns}))
    return _joined(frames)


def sorted_firing(runs: Runs) -> pd.DataFrame:
    """One row per run and hidden layer: `share_ky`, an array, neurons by strongest class.

    Within a class the most monosemantic neuron is first; dead neurons are last.
    """
    rows = []
    for _, responses, identity in each(runs):
        for layer, f in enumerate(responses.layers, 1):
            order_k = np.asarray(class_responses.neuron_order(f.response_ky))
            rows.append({**identity, "layer": layer, "share_ky": np.asarray(f.share_ky)[order_k]})
    return pd.DataFrame(rows)


def per_shuffle(runs: Runs, structure: Structure = DEFAULT_STRUCTURE) -> pd.DataFrame:
    """One row per run and shuffled copy of its network.

    Columns: `cluster_count`, `n_cut` and `n_cut_p` of the network itself,
    `shuffle`, `shuffled_n_cut`.
    """
    frames = []
    for run, responses, identity in each(runs):
        if responses.status != "diverged":
            cut = _cut(run, structure)
            columns = {
                "cluster_count": int(cut.cluster_v.max()) + 1,
                "n_cut": cut.n_cut,
                "n_cut_p": cut.left_p,
                "shuffle": np.arange(len(cut.shuffled_s)),
                "shuffled_n_cut": cut.shuffled_s,
            }
            frames.append(pd.DataFrame({**identity, **columns}))
    return _joined(frames)


def cluster_classes(runs: Runs, structure: Structure = DEFAULT_STRUCTURE) -> pd.DataFrame:
    """One row per run: `coherence`, `coherence_p` and `share_cy`, an array.

    `share_cy` has the fraction of each cluster's firing hidden neurons with each
    strongest class, clusters by their most frequent class; NaN, and last, for
    clusters without such neurons.
    """
    rows = []
    for run, responses, identity in each(runs):
        if responses.status != "diverged":
            cluster_v = _cut(run, structure).cluster_v
            found = _coherence(run, cluster_v, structure)
            share_cy = _class_shares(cluster_v, responses)
            numbers = {"coherence": found.score, "coherence_p": found.right_p}
            rows.append({**identity, **numbers, "share_cy": share_cy})
    return pd.DataFrame(rows)


def per_ablation(runs: Runs, structure: Structure = DEFAULT_STRUCTURE) -> pd.DataFrame:
    """One row per run, hidden layer and cluster with a part in it; only runs that learned.

    Columns: `layer`, `cluster`, `cluster_size`; `damage` and `damage_range`, mean
    and range over classes of the loss of accuracy; `random_damage` and
    `random_damage_range`, their means over random ablations of the same size;
    `ablation_p` and `ablation_range_p`, the fraction of those with as much.
    """
    rows = [
        {
            **identity,
            "layer": found.layer + 1,
            "cluster": found.cluster,
            "cluster_size": found.size,
            "damage": float(found.damage_y.mean()),
            "damage_range": float(np.ptp(found.damage_y)),
            "random_damage": float(found.random_sy.mean()),
            "random_damage_range": float(np.ptp(found.random_sy, axis=1).mean()),
            "ablation_p": found.right_p_mean,
            "ablation_range_p": found.right_p_range,
        }
        for run, responses, identity in each(runs)
        if responses.status == "learned"
        for found in _ablations(run, _cut(run, structure).cluster_v, structure)
    ]
    return pd.DataFrame(rows)


def learned(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of runs that learned."""
    return frame[frame["status"] == "learned"]


# Analyses of one trained network, cached for stored runs.


def class_firing(run: ClassifierRun) -> Responses:
    """Status and class responses on the test examples."""
    dataset = dataset_of(run)
    layers = class_responses.responses(
        run.config, run.params, dataset.test_bhw, dataset.test_label_b
    )
    status = training.status(run, np.asarray(dataset.test_label_b))
    return Responses(status, jax.device_get(layers))


def clusterability(run: ClassifierRun, clusters: int, shuffles: int) -> Clusterability:
    """The network's clusters, its n-cut and those of its shuffles."""
    [found] = clustering.clusterabilities(
        [network.edges(run.params)], clusters, shuffles, [run.seed]
    )
    return found


def cluster_coherence(
    run: ClassifierRun, cluster_v: Int[np.ndarray, " v"], permutations: int
) -> coherence.Coherence:
    """Whether the clusters of hidden neurons follow their strongest classes."""
    layers = class_firing(run).layers
    sizes = run.config.sizes
    strongest_k = np.concatenate([scores.strongest(f.response_ky) for f in layers])
    layer_k = np.repeat(np.arange(len(sizes)), sizes)
    hidden_k = _hidden(cluster_v, sum(sizes))
    return coherence.coherence(hidden_k, strongest_k, layer_k, permutations, run.seed)


def cluster_ablations(
    run: ClassifierRun, cluster_v: Int[np.ndarray, " v"], ablations: int
) -> list[Ablation]:
    """Damage of ablating each cluster beside that of random ablations."""
    dataset, sizes = dataset_of(run), run.config.sizes
    cluster_l = np.split(_hidden(cluster_v, sum(sizes)), np.cumsum(sizes)[:-1])
    images_bhw = dataset.test_bhw[:_ABLATION_EXAMPLES]
    label_b = dataset.test_label_b[:_ABLATION_EXAMPLES]
    return ablation.ablate_clusters(
        run.config, run.params, images_bhw, label_b, cluster_l, ablations, run.seed
    )


def _cut(run: Any, structure: Structure) -> Clusterability:
    return store.cached(
        clusterability, run, clusters=structure.clusters, shuffles=structure.shuffles
    )


def _coherence(run: Any, cluster_v: np.ndarray, structure: Structure) -> coherence.Coherence:
    return store.cached(
        cluster_coherence, run, cluster_v=cluster_v, permutations=structure.permutations
    )


def _ablations(run: Any, cluster_v: np.ndarray, structure: Structure) -> list[Ablation]:
    return store.cached(cluster_ablations, run, cluster_v=cluster_v, ablations=structure.ablations)


def _loaded(run: ClassifierRun | StoredRun) -> ClassifierRun:
    return store.load(run) if isinstance(run, StoredRun) else run


@functools.cache
def _load_data(name: str) -> Dataset:
    return data.load(name)


def dataset_of(run: ClassifierRun) -> Dataset:
    """The data of a run.

    Raises:
      ValueError: The data of that name are not those that the run was trained on.
    """
    dataset = _load_data(run.config.data)
    if run.fingerprint and run.fingerprint != dataset.fingerprint:
        raise ValueError(
            f"a run was trained on {run.config.data} data with fingerprint {run.fingerprint!r}, "
            f"not {dataset.fingerprint!r}"
        )
    return dataset


def _hidden(cluster_v: np.ndarray, neurons: int) -> np.ndarray:
    """The clusters of the hidden neurons: the graph's nodes before the classes' logits."""
    last = len(cluster_v) - CLASSES
    return cluster_v[last - neurons : last]


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _layers(responses: Responses) -> list[dict[str, Any]]:
    rows = []
    for layer, f in enumerate(responses.layers, 1):
        fires_k = f.count_ky.any(axis=1)
        mono_k = np.asarray(scores.monosemanticity(f.response_ky))
        total = float(f.penalty_k.sum())
        rows.append(
            {
                "layer": layer,
                "penalty_soft": total,
                "largest_penalty_share": float(f.penalty_k.max()) / total if total > 0 else np.nan,
                "overlap": float(class_responses.overlap(f.count_ky)),
                "mean_monosemanticity": float(mono_k[fires_k].mean()) if fires_k.any() else np.nan,
                "dead": int((~fires_k).sum()),
            }
        )
    return rows


def _structure(run: Any, responses: Responses, structure: Structure) -> dict[str, float]:
    names = ("n_cut", "shuffled_n_cut_mean", "shuffled_n_cut_std", "n_cut_p", "coherence")
    names += ("coherence_p", "ablation_p_mean", "ablation_range_p_mean")
    if responses.status == "diverged":
        return dict.fromkeys(names, np.nan)
    cut = _cut(run, structure)
    found = _coherence(run, cut.cluster_v, structure)
    ablations = []
    if responses.status == "learned":  # other runs have no accuracy to lose
        ablations = _ablations(run, cut.cluster_v, structure)
    shuffled_s = cut.shuffled_s if cut.shuffled_s.size else np.array([np.nan])
    p_mean = [found.right_p_mean for found in ablations] or [np.nan]
    p_range = [found.right_p_range for found in ablations] or [np.nan]
    values = (cut.n_cut, shuffled_s.mean(), shuffled_s.std(), cut.left_p)
    values += (found.score, found.right_p, np.mean(p_mean), np.mean(p_range))
    return dict(zip(names, map(float, values), strict=True))


def _class_shares(cluster_v: np.ndarray, responses: Responses) -> Float[np.ndarray, "c y"]:
    strongest_k = np.concatenate([scores.strongest(f.response_ky) for f in responses.layers])
    cluster_k = _hidden(cluster_v, len(strongest_k))
    count_cy = np.zeros((cluster_v.max() + 1, CLASSES))
    used_k = (strongest_k >= 0) & (cluster_k >= 0)
    np.add.at(count_cy, (cluster_k[used_k], strongest_k[used_k]), 1)
    total_c = count_cy.sum(axis=1, keepdims=True)
    most_c = (count_cy / np.maximum(total_c, 1)).max(axis=1)
    order_c = np.lexsort((-most_c, count_cy.argmax(axis=1), total_c[:, 0] == 0))
    share_cy = np.divide(count_cy, total_c, out=np.full_like(count_cy, np.nan), where=total_c > 0)
    return share_cy[order_c]
