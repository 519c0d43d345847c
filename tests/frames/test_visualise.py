"""Frames and figures of feature visualisation, on tiny runs."""

import dataclasses
import types

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from planted import monosemantic

from toymono import scores
from toymono.analysis import clusters
from toymono.analysis.visualise import images, similarity
from toymono.classifiers import network
from toymono.classifiers import train as training
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.classifiers.train import ClassifierRun
from toymono.fields import TOY
from toymono.frames import classifiers as classifier_frames
from toymono.frames import visualise, visualise_classifiers
from toymono.job import Job
from toymono.plots import visualise as plots
from toymono.quantities import INDEX_COLUMNS, QUANTITIES
from toymono.quantities.visualise import QUANTITIES as OWN


@pytest.fixture(autouse=True)
def no_screen():
    plt.switch_backend("agg")


@pytest.fixture(scope="module")
def few():
    patch = pytest.MonkeyPatch()
    patch.setattr(visualise, "SAMPLED", 3)
    patch.setattr(visualise, "EXAMPLES", 64)
    patch.setattr(visualise_classifiers, "SAMPLED", 3)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def neurons(run, few):
    return visualise.per_neuron([run])


def described(frame):
    return set(frame) <= {*QUANTITIES, *INDEX_COLUMNS, *TOY, "seed", "run", "diverged"}


def in_range(frame):
    for quantity in OWN:
        values = frame.get(quantity.name, pd.Series(dtype=float)).dropna()
        assert ((values >= quantity.low) & (values <= quantity.high)).all(), quantity.name
    return True


def test_every_method_is_scored_against_the_responses(neurons, run):
    assert described(neurons)
    assert in_range(neurons)
    assert neurons["method"].unique().tolist() == list(visualise.METHODS)
    response_kn = np.asarray(scores.responses(run.final, run.world))
    for _, row in neurons[neurons["method"] == "greedy"].iterrows():
        response_n = response_kn[int(row["neuron"])]
        count = (response_n >= 0.1 * response_n.max()).sum()
        assert row["facet_count"] == count
        # By construction: all facets in the order of the responses, and nothing else.
        assert row["facets_found"] == min(count, 12)
        assert row["facets_invented"] == 0
    ceiling = neurons[neurons["method"] == "greedy"].set_index("neuron")["facets_found"]
    for _, rows in neurons.groupby("method"):
        assert (rows.set_index("neuron")["facets_found"] <= ceiling).all()


def test_means_are_over_neurons_with_several_facets(neurons, run):
    means = visualise.per_method([run]).set_index("method")
    several = neurons[neurons["facet_group"] == "2-8"]
    for method, rows in several.groupby("method"):
        expected = rows["facet_recall"].mean()
        assert means.loc[method, "facet_recall"] == pytest.approx(expected, nan_ok=True)


def test_one_row_per_run(run, diverged_run, few):
    frame = visualise.per_run([run, diverged_run])
    assert described(frame)
    assert in_range(frame)
    assert 0 < frame["facets_found"][0] <= run.config.n
    row = visualise.run_row(run)
    several = visualise.per_neuron([run]).query("facet_group == '2-8'").groupby("method")
    for method, rows in several:
        assert row[f"active {method}"] == pytest.approx(rows["active_share"].mean())
    assert frame.loc[1, ["facets_found", "connections_median"]].isna().all()


@pytest.mark.slow
def test_monosemantic_neurons_have_one_facet_and_one_connection(run, few):
    net = monosemantic()
    snapshots = jax.tree.map(lambda leaf: leaf[None], net.model)
    config = dataclasses.replace(run.config, n=6, m=6, k=6)
    planted = run.replace(config=config, world=net.world, snapshots=snapshots)
    row = visualise.run_row(planted)
    assert row["facets_found"] == 1
    assert row["mono_one_facet"] == 1
    assert row["connections_median"] == 1
    assert row["virtual_diagonal"] == 1
    assert np.isnan(row["recall restarts"])


def test_toy_figures_are_drawn(neurons, run, few):
    for draw, frame in (
        (plots.visualised_features, visualise.visualised([run], neurons=2, most=8)),
        (plots.facets_by_method, neurons),
        (plots.facets_by_monosemanticity, neurons),
        (plots.connections_by_bias, visualise.connections_per_run([run])),
    ):
        figure = draw(frame)
        figure.canvas.draw()
        assert figure.axes


@pytest.mark.slow
def test_classifiers(digits, few, monkeypatch, tmp_path):
    monkeypatch.setattr(classifier_frames, "_load_data", lambda name: digits)
    config = ClassifierConfig(sizes=(16, 12), batch_size=32, epochs=8)
    hyperparams = ClassifierHyperparams(0.0, learning_rate=0.01).checked()
    runs = [training.fit(config, hyperparams, digits, jax.random.key(seed)) for seed in (0, 1)]
    neurons = visualise_classifiers.per_neuron(runs)
    assert in_range(neurons)
    assert set(neurons["method"]) == set(visualise_classifiers.METHODS)
    examples = neurons[neurons["method"] == "examples"]
    assert (examples["active_share"] == 1).all()
    restarts = neurons[neurons["method"] == "restarts"]
    assert restarts["activation_quantile"].mean() > 0.9
    frame = visualise_classifiers.per_run(runs)
    assert in_range(frame)
    for draw, shown in (
        (plots.visualised_images, visualise_classifiers.pictures(runs, neurons=2)),
        (plots.image_facets_by_method, neurons),
    ):
        figure = draw(shown)
        figure.canvas.draw()
        assert figure.axes


def test_the_clusters_of_a_convolutional_network_are_those_of_its_channels(
    digits, few, monkeypatch
):
    """Its graph has one input, the image's channel; that of a dense one has every pixel."""
    monkeypatch.setattr(classifier_frames, "_load_data", lambda name: digits)
    seen = {}

    def compared(cluster_k, input_kd, layer_k, seed):
        seen.update(cluster_k=cluster_k, input_kd=input_kd, layer_k=layer_k)
        return similarity.input_coherence(cluster_k, input_kd, layer_k, permutations=9, seed=seed)

    monkeypatch.setattr(
        visualise_classifiers, "similarity", types.SimpleNamespace(input_coherence=compared)
    )
    quick = images.Settings(images=1, steps=2)
    monkeypatch.setattr(images, "settings_for", lambda image_hw: quick)
    for kind, sizes, inputs in (("cnn", (3, 4), 1), ("mlp", (6, 5), 64)):
        config = ClassifierConfig(network=kind, sizes=sizes, batch_size=32, epochs=1)
        hyperparams = ClassifierHyperparams(0.0, learning_rate=0.01).checked()
        state = training.begin(config, hyperparams, digits, jax.random.key(0))
        history = jax.tree.map(jnp.ones_like, state.history)
        run = ClassifierRun(
            config, hyperparams, jax.random.key(0), state.params, history, digits.fingerprint
        )
        row = visualise_classifiers.structure_row(run)
        assert np.isfinite(row["connections_median"])
        neurons = sum(sizes)
        assert len(seen["cluster_k"]) == len(seen["input_kd"]) == len(seen["layer_k"]) == neurons
        strengths = network.edges(run.params)
        assert len(strengths[0]) == inputs
        [cut] = clusters.clusterabilities([strengths], shuffles=0, seeds=[run.seed], processes=1)
        np.testing.assert_array_equal(seen["cluster_k"], cut.cluster_v[inputs : inputs + neurons])


def test_the_second_network_is_that_of_the_next_seed():
    config, hyperparams = ClassifierConfig(sizes=(4,)), ClassifierHyperparams(0.0)
    jobs = [Job(config, hyperparams, seed, fingerprint="0" * 16) for seed in (2, 0, 1)]
    found = [visualise_classifiers.second_network(job, jobs).seed for job in jobs]
    assert found == [0, 1, 2]
    assert visualise_classifiers.second_network(jobs[0], jobs[:1]) is None
