"""Figures of classifiers, drawn from stored runs by the gallery."""

import itertools

import jax
import matplotlib as mpl
import pytest

from toymono import stack, store, unstack
from toymono.classifiers import train as training
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.frames import classifiers as frames
from toymono.frames.classifiers import Structure
from toymono.plots import classifier_tradeoffs, classifiers, gallery
from toymono.plots.registry import CLASSIFIERS, FIGURES, structure_figures

STRUCTURE = Structure(clusters=3, shuffles=2, ablations=2, permutations=9)
FIGURES_OF_STRUCTURE = structure_figures(STRUCTURE)
ALPHAS = (0.0, 0.05, -0.001, -10.0)  # the last collapses


@pytest.fixture(autouse=True, scope="module")
def no_screen():
    mpl.use("Agg")


@pytest.fixture(scope="module")
def stored(digits, tmp_path_factory):
    """Two seeds of each weight, stored."""
    folder = tmp_path_factory.mktemp("runs")
    config = ClassifierConfig(sizes=(16, 12), batch_size=32, epochs=8)
    points = list(itertools.product(ALPHAS, range(2)))
    hyperparams = stack([ClassifierHyperparams(a, learning_rate=0.01).checked() for a, _ in points])
    keys = stack([jax.random.key(seed) for _, seed in points])
    for run in unstack(training.fit_many(config, hyperparams, digits, keys)):
        store.save(folder, run)
    return store.find(folder, kind="classifier")


def test_every_figure_that_the_runs_allow_is_drawn(stored, tmp_path):
    drawn, skipped = gallery.draw_all(
        stored, (*CLASSIFIERS, *FIGURES_OF_STRUCTURE), tmp_path, ["png"]
    )
    names = [figure.name for figure in (*CLASSIFIERS, *FIGURES_OF_STRUCTURE)]
    assert [done.figure.name for done in drawn] == [n for n in names if n != "accuracy_by_width"]
    assert list(skipped) == ["accuracy_by_width"]
    assert (
        "train some with `python -m toymono.classifiers --capacity" in skipped["accuracy_by_width"]
    )
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{done.figure.name}.png" for done in drawn
    }
    assert all(done.runs == 8 for done in drawn)


def test_toy_figures_do_not_show_classifiers(stored, tmp_path):
    drawn, skipped = gallery.draw_all(stored, [FIGURES["training_traces"]], tmp_path)
    assert drawn == []
    assert list(skipped) == ["training_traces"]


def test_networks_that_never_learned_have_no_ablations(stored, tmp_path):
    failed = [run for run in stored if run.fields["alpha"] == -10]
    drawn, skipped = gallery.draw_all(failed, FIGURES_OF_STRUCTURE, tmp_path, ["png"])
    assert {done.figure.name for done in drawn} == {"clusterability", "coherence"}
    assert list(skipped) == ["ablations"]


def test_the_legend_counts_the_runs_that_learned(stored):
    figure = classifiers.learning_curves(frames.per_epoch(stored))
    [legend] = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts[0] == "−10   (0 of 2 learned)"
    assert "0   (2 of 2 learned)" in texts


def test_a_network_that_learned_is_preferred(stored):
    frame = frames.sorted_firing(stored)
    of_alpha = frame[frame["alpha"] == 0].copy()
    of_alpha.loc[of_alpha["seed"] == 0, "status"] = "collapsed"
    assert set(classifiers.first_of_each_alpha(of_alpha)["seed"]) == {1}
    assert set(classifiers.first_of_each_alpha(frame[frame["alpha"] == 0])["seed"]) == {0}
    assert set(classifiers.first_of_each_alpha(frame)["alpha"]) == set(frame["alpha"])


def test_widths_are_ticks(stored):
    runs = frames.per_run(stored)
    wide = runs.assign(width=32, sizes="32x2", error=runs["error"] / 2)
    figure = classifier_tradeoffs.accuracy_by_width(
        runs.assign(sizes="16x2").merge(wide, how="outer")
    )
    [error, _] = figure.axes
    assert [label.get_text() for label in error.get_xticklabels()] == ["16", "32"]
