"""Feature visualisation of classifiers: what optimised images show of each neuron's classes.

The facets of a neuron are the classes on which it fires at least half as often as
on the class where it fires most. An image's label is the class that the network
gives it; a second network, the same setting's next seed, is asked too, since an
adversarial pattern excites one network alone.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from einops import rearrange

from toymono import store
from toymono.analysis import class_responses
from toymono.analysis import clusters as clustering
from toymono.analysis.visualise import baselines, classifier, connections, facets, similarity
from toymono.analysis.visualise import images as imaging
from toymono.classifiers import network
from toymono.classifiers import train as training
from toymono.classifiers.data import Dataset
from toymono.classifiers.train import ClassifierRun
from toymono.frames import classifiers as classifier_frames
from toymono.frames.classifiers import Runs
from toymono.frames.runs import checked
from toymono.frames.visualise import DIVERSE, OWN_WEIGHT, SEVERAL, STRATA
from toymono.store import StoredRun

FIRING = 0.5
"""Of its largest firing fraction: on classes from there on a neuron fires; our choice."""

METHODS = ("restarts", *DIVERSE, "examples", "centroids", "untrained")
"""Ways to find images, as in `frames.visualise.METHODS`; images of `centroids` are optimised from
the mean images of clusters; `untrained` is `hidden 1` for the network before training, labelled
by the trained one."""

SAMPLED = 16
"""Neurons of each layer, at most, with 2 to 8 facets; our choice, for time."""

_KEY = 0  # of starts and transformations: every run gets the same

_COLUMNS = (
    *("method", "layer", "neuron", "facet_count", "facets_found", "facets_invented"),
    *("facet_precision", "facet_recall", "active_share", "activation_quantile", "blend_share"),
)


def per_neuron(runs: Runs) -> pd.DataFrame:
    """One row per run, method, layer and sampled neuron; only runs that learned.

    Columns: `method`, `layer`, `neuron`, `facet_count`, `facets_found`,
    `facets_invented`, `facet_precision` (NaN where no image is active),
    `facet_recall`, `active_share`; `activation_quantile`, the mean fraction of
    training examples that excite the neuron less than its images;
    `blend_share`, of the pairs of active images with different labels the
    fraction whose mean excites the neuron less than either, NaN without a pair;
    `label_agreement`, with the network of the next seed, NaN without one.
    """
    given = list(checked(runs, ClassifierRun))
    frames = []
    for run, responses, identity in classifier_frames.each(given):
        if responses.status != "learned":
            continue
        columns = dict(store.cached(neuron_rows, run))
        found_ubhw, label_ub = columns.pop("images_ubhw"), columns.pop("label_ub")
        columns["label_agreement"] = _agreement(found_ubhw, label_ub, second_network(run, given))
        frames.append(pd.DataFrame({**identity, **columns}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def per_run(runs: Runs) -> pd.DataFrame:
    """One row per run that learned, with the columns of `run_row` but for those of methods."""
    given = list(checked(runs, ClassifierRun))
    rows = []
    for run, responses, identity in classifier_frames.each(given):
        if responses.status == "learned":
            found = run_row(run, second_network(run, given))
            rows.append({**identity, **{name: v for name, v in found.items() if " " not in name}})
    return pd.DataFrame(rows)


def run_row(run: Any, other: Any = None) -> dict[str, float]:
    """The numbers of one run.

    `precision METHOD`, `recall METHOD`, `active METHOD` and `agreement METHOD`,
    means over the sampled neurons of all layers; `blend 1` and `blend deep`,
    `blend_share` with `hidden 1` in the first layer and behind it;
    `facets_found` with `hidden 1`; `connections_*` between hidden layers;
    `input_*`, see `similarity.InputCoherence`.

    Args:
      run: A run that learned, stored or in memory.
      other: The second network, if there is one.
    """
    columns = dict(store.cached(neuron_rows, run))
    found_ubhw, label_ub = columns.pop("images_ubhw"), columns.pop("label_ub")
    neurons = pd.DataFrame(columns)
    neurons["label_agreement"] = _agreement(found_ubhw, label_ub, other)
    row = {}
    for method in METHODS:
        of_method = neurons[neurons["method"] == method]
        for name, column in _NUMBERS.items():
            values = of_method[column].dropna()
            row[f"{name} {method}"] = float(values.mean()) if len(values) else np.nan
    own = neurons[neurons["method"] == f"hidden {OWN_WEIGHT:g}"]
    for name, rows in (("1", own["layer"] == 1), ("deep", own["layer"] > 1)):
        shares = own.loc[rows, "blend_share"].dropna()
        row[f"blend {name}"] = float(shares.mean()) if len(shares) else np.nan
    row["facets_found"] = float(own["facets_found"].mean()) if len(own) else np.nan
    return row | store.cached(structure_row, run)


_NUMBERS = {
    "precision": "facet_precision",
    "recall": "facet_recall",
    "active": "active_share",
    "agreement": "label_agreement",
}


def neuron_rows(run: ClassifierRun) -> dict[str, np.ndarray]:
    """The columns of `per_neuron` for one run, and the images with their labels."""
    dataset = classifier_frames.dataset_of(run)
    fresh = _untrained(run, dataset)
    parts = []
    for layer in range(len(run.config.sizes)):
        for params, methods in ((run.params, METHODS[:-1]), (fresh, METHODS[-1:])):
            parts += _of_layer(run, params, layer, methods, dataset)
    names = (*_COLUMNS, "images_ubhw", "label_ub")
    if not parts:
        return {name: np.array([]) for name in names}
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _of_layer(run, params, layer: int, methods, dataset) -> list[dict[str, np.ndarray]]:
    """The columns for a layer, one entry for each method."""
    settings = imaging.settings_for(_size(dataset))
    active_bk = np.asarray(classifier.activations(run.config, params, dataset.train_bhw)[layer])
    facet_ky = _facets(run, params, layer, dataset)
    low, high = STRATA[SEVERAL]
    count_k = facet_ky.sum(axis=1)
    several_k = np.flatnonzero((count_k >= low) & (count_k <= high))
    rng = np.random.default_rng(run.seed)
    unit_u = np.sort(rng.permutation(several_k)[:SAMPLED])
    if not len(unit_u):
        return []
    padded_u = np.resize(unit_u, SAMPLED)  # one compiled program for all runs
    largest_u = active_bk.max(axis=0)[unit_u]
    parts = []
    for method in methods:
        images_ubhw = _images(method, run, params, layer, padded_u, active_bk, dataset, settings)
        images_ubhw = images_ubhw[: len(unit_u)]
        value_ub, _ = classifier.evaluate(run.config, params, layer, unit_u, images_ubhw)
        # The trained network gives the labels, of an untrained one's images too.
        _, label_ub = classifier.evaluate(run.config, run.params, layer, unit_u, images_ubhw)
        active_ub = value_ub >= facets.THRESHOLD * largest_u[:, None]
        found = facets.score(label_ub, active_ub, facet_ky[unit_u])
        below_ub = (active_bk[:, unit_u, None] < value_ub[None]).mean(axis=0)
        blend_u = _blends(run, params, layer, unit_u, images_ubhw, value_ub, label_ub, active_ub)
        parts.append(
            {
                "method": np.full(len(unit_u), method),
                "layer": np.full(len(unit_u), layer + 1),
                "neuron": unit_u,
                "facet_count": count_k[unit_u],
                "facets_found": found.found_u,
                "facets_invented": found.invented_u,
                "facet_precision": found.precision_u,
                "facet_recall": found.recall_u,
                "active_share": found.active_u,
                "activation_quantile": below_ub.mean(axis=1),
                "blend_share": blend_u,
                "images_ubhw": images_ubhw,
                "label_ub": label_ub,
            }
        )
    return parts


def _images(method, run, params, layer, unit_u, active_bk, dataset, settings) -> np.ndarray:
    """A method's images `[u b h w]`."""
    image_hw = _size(dataset)
    if method == "examples":
        top_ub = baselines.top_examples(active_bk[:, unit_u], settings.images)
        return np.asarray(dataset.train_bhw)[top_ub]
    start_ubhw, weights = None, {}
    if method == "centroids":
        flat_bd = rearrange(np.asarray(dataset.train_bhw), "b h w -> b (h w)")
        means = [
            baselines.centroids(flat_bd, active_bk, active_bk[:, unit], settings.images)
            for unit in unit_u
        ]
        start_ubhw = jnp.asarray(np.stack(means).reshape(len(unit_u), -1, *image_hw))
    elif method == "untrained":
        weights = {"on_hidden": OWN_WEIGHT}
    elif method != "restarts":
        on, weight = method.split()
        weights = {f"on_{on}": float(weight)}
    found = classifier.maximise(
        *(run.config, params, layer, jnp.asarray(unit_u)),
        jnp.asarray(active_bk.max(axis=0)[unit_u]),
        jax.random.key(_KEY),
        image_hw=image_hw,
        settings=settings,
        start_ubhw=start_ubhw,
        **weights,
    )
    return np.asarray(found)


def _blends(run, params, layer, unit_u, images_ubhw, value_ub, label_ub, active_ub) -> np.ndarray:
    """Of each neuron's pairs of facets, the fraction whose blend excites it less than either."""
    size = images_ubhw.shape[1]
    first_p, second_p = np.triu_indices(size, 1)
    blend_uphw = (images_ubhw[:, first_p] + images_ubhw[:, second_p]) / 2
    blend_up, _ = classifier.evaluate(run.config, params, layer, unit_u, blend_uphw)
    differ_up = label_ub[:, first_p] != label_ub[:, second_p]
    differ_up &= active_ub[:, first_p] & active_ub[:, second_p]
    less_up = blend_up < np.minimum(value_ub[:, first_p], value_ub[:, second_p])
    pairs_u = differ_up.sum(axis=1)
    less_u = (less_up & differ_up).sum(axis=1)
    return np.where(pairs_u > 0, less_u / np.maximum(pairs_u, 1), np.nan)


def structure_row(run: ClassifierRun) -> dict[str, float]:
    """Connections per weight, and coherence of clusters with visualised inputs, of one run."""
    dataset, sizes = classifier_frames.dataset_of(run), run.config.sizes
    image_hw = _size(dataset)
    count_l = [_facets(run, run.params, layer, dataset).sum(axis=1) for layer in range(len(sizes))]
    strengths = network.edges(run.params)
    between = [
        connections.connections(count_l[layer], count_l[layer + 1], strengths[layer + 1])
        for layer in range(len(sizes) - 1)
    ]
    row = {
        f"connections_{name}": float(np.nanmean([getattr(found, name) for found in between]))
        for name in connections.Connections._fields
    }
    [cut] = clustering.clusterabilities([strengths], shuffles=0, seeds=[run.seed], processes=1)
    # Before the neurons come the inputs: pixels, or the one channel of a convolutional network.
    cluster_k = cut.cluster_v[len(strengths[0]) :][: sum(sizes)]
    settings = imaging.settings_for(image_hw)
    one = dataclasses.replace(settings, images=1)
    pictures, layer_k = [], np.repeat(np.arange(len(sizes)), sizes)
    active_l = classifier.activations(run.config, run.params, dataset.train_bhw)
    for layer, size in enumerate(sizes):
        largest_k = np.asarray(active_l[layer]).max(axis=0)
        found = classifier.maximise(
            *(
                run.config,
                run.params,
                layer,
                jnp.arange(size),
                jnp.asarray(largest_k),
                jax.random.key(_KEY),
            ),
            image_hw=image_hw,
            settings=one,
        )
        picture_kd = np.asarray(found).reshape(size, -1)
        pictures.append(picture_kd * (largest_k > 0)[:, None])
    found = similarity.input_coherence(cluster_k, np.concatenate(pictures), layer_k, seed=run.seed)
    return {
        **row,
        "input_coherence": found.labels.score,
        "input_coherence_p": found.labels.right_p,
        "input_similarity": found.within,
        "input_similarity_p": found.right_p,
    }


def pictures(runs: Runs, layer: int = 2, neurons: int = 4) -> pd.DataFrame:
    """One row per neuron and method with the images, of the first run of each alpha that learned.

    Columns: `layer`, `neuron`, `facet_count`, `method` (`restarts`, `hidden 1`,
    `inputs 1`, `examples` or `untrained`), `images_bhw` and `label_b`, arrays.

    Args:
      runs: Classifier runs.
      layer: Hidden layer, from 1; the last one if there are fewer.
      neurons: The first of the sample.
    """
    rows, alphas = [], set()
    for run, responses, identity in classifier_frames.each(runs):
        if responses.status != "learned" or identity["alpha"] in alphas:
            continue
        alphas.add(identity["alpha"])
        columns = store.cached(neuron_rows, run)
        deepest = min(layer, len(run.config.sizes))
        shown: dict[str, int] = {}
        for at in np.flatnonzero(columns["layer"] == deepest):
            method = columns["method"][at]
            if method in _SHOWN and shown.get(method, 0) < neurons:
                shown[method] = shown.get(method, 0) + 1
                names = ("layer", "neuron", "facet_count", "method")
                arrays = {"images_bhw": columns["images_ubhw"][at]}
                arrays["label_b"] = columns["label_ub"][at]
                rows.append({**identity, **{n: columns[n][at] for n in names}, **arrays})
    return pd.DataFrame(rows)


_SHOWN = ("restarts", "hidden 1", "inputs 1", "examples", "untrained")


def _facets(run: ClassifierRun, params, layer: int, dataset) -> np.ndarray:
    """The classes on which each neuron fires."""
    found = class_responses.responses(run.config, params, dataset.test_bhw, dataset.test_label_b)
    return facets.facets(np.asarray(found[layer].share_ky), FIRING)


def _size(dataset: Dataset) -> tuple[int, int]:
    _, h, w = dataset.train_bhw.shape
    return h, w


def _untrained(run: ClassifierRun, dataset) -> Any:
    return training.begin(run.config, run.hyperparams, dataset, run.key).params


def _agreement(images_ubhw: np.ndarray, label_ub: np.ndarray, other: Any) -> np.ndarray:
    """Of each neuron's images, the fraction that a second network labels alike."""
    if other is None or not len(images_ubhw):
        return np.full(len(images_ubhw), np.nan)
    other = store.load(other) if isinstance(other, StoredRun) else other
    flat_bhw = rearrange(jnp.asarray(images_ubhw), "u b h w -> (u b) h w")
    logits_by = network.outputs(other.config, other.params, flat_bhw).logits_by
    other_ub = np.asarray(logits_by).argmax(axis=1).reshape(label_ub.shape)
    return (other_ub == label_ub).mean(axis=1)


def second_network(run: Any, runs: Sequence[Any]) -> Any:
    """The run of the same setting with the next seed; None if no other seed was trained.

    Figures ask for the frame of one run at a time. So if no given run has this
    setting, the folder of the run is searched.
    """
    mates = _mates(run, runs)
    if not mates and isinstance(run, StoredRun):
        beside = store.find(run.path.parent, kind="classifier", data=run.config.data)
        mates = _mates(run, beside)
    later = [mate for mate in mates if mate.seed > run.seed]
    return min(later or mates, key=lambda mate: mate.seed) if mates else None


def _mates(run: Any, runs: Sequence[Any]) -> list[Any]:
    return [mate for mate in runs if mate.seed != run.seed and _setting(mate) == _setting(run)]


def _setting(run: Any) -> str:
    return store.name(run.config, run.hyperparams, 0, run.fingerprint)
