"""General figures of toy runs, from tiny runs."""

import shlex

import jax
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from toymono import Hyperparams, fit_many, frames, scores, stack, unstack
from toymono.autoencoders.fields import AUTOENCODER
from toymono.classifiers.fields import CLASSIFIER
from toymono.fields import TOY
from toymono.plots import gallery, neurons, registry, style, training
from toymono.plots.figure import LONGEST_TITLE, NothingToDraw
from toymono.plots.registry import FIGURES

LABELS = {
    "training_traces": {
        "Training steps (log)",
        "Task loss",
        "Monosemantic neurons\nper feature",
        "Mean bias",
    },
    "single_feature_activations": {
        "Feature, sorted",
        "Neuron, sorted",
        "Activation on a single feature at full strength",
    },
    "sorted_biases": {"Neuron, sorted", "Bias"},
    "feature_capacities": {"Best neuron's monosemanticity", "Capacity of a feature"},
    "several_features": {
        "Active features",
        "Monosemanticity\n(mean over neurons)",
        "Groups without\nresponse (fraction)",
    },
    "monosemantic_by_field": {
        "Learning rate",
        "Monosemantic fraction\nof neurons",
        "Monosemantic neurons\nper feature",
    },
}

COMMANDS = {
    "toy": "toymono.sweep",
    "classifier": "toymono.classifiers",
    "autoencoder": "toymono.autoencoders",
}


@pytest.fixture(autouse=True, scope="module")
def no_screen():
    mpl.use("Agg")


@pytest.fixture(scope="module")
def grid_runs(config):
    """Three rates by two biases, two seeds of each."""
    points = [
        (Hyperparams(learning_rate=rate, eps=0.25, init_bias=bias), jax.random.key(seed))
        for rate in (0.001, 0.01, 0.03)
        for bias in (-0.5, 0.0)
        for seed in (3, 4)
    ]
    hyperparams, keys = zip(*points, strict=True)
    return unstack(fit_many(config, stack(hyperparams), stack(keys)))


def draw(name, runs, **kwargs):
    entry = FIGURES[name]
    return entry.draw(*(frame(runs) for frame in entry.frames), **kwargs)


def labels(figure):
    texts = {text for axes in figure.axes for text in (axes.get_xlabel(), axes.get_ylabel())}
    return {text.replace("\N{NO-BREAK SPACE}", " ") for text in texts} - {""}


def test_figures_have_their_names_and_a_summary():
    for name, entry in FIGURES.items():
        assert entry.name == name
        assert entry.summary.endswith(".")
        assert 0 < len(entry.title) <= LONGEST_TITLE
        assert entry.kind in COMMANDS
    assert {*LABELS} <= {*FIGURES}
    assert {name for name, entry in FIGURES.items() if entry.compares} == {*LABELS}


def test_two_figures_of_one_name_are_refused():
    figure = FIGURES["sorted_biases"]
    with pytest.raises(ValueError, match="two figures are called 'sorted_biases'"):
        registry.by_name([figure, figure])


@pytest.mark.parametrize("name", FIGURES)
def test_runs_of_a_figure_are_trained_by_a_command(name):
    python, flag, module, *given = shlex.split(FIGURES[name].trained_by)
    named = {word.removeprefix("--") for word in given if word.startswith("--")}
    assert (python, flag) == ("python", "-m")
    kind = FIGURES[name].kind
    assert module == COMMANDS[kind]
    if kind == "toy":
        assert named <= {*TOY} or {"sweep", "scale"} <= named <= {"sweep", "scale", "seeds"}
    elif kind == "classifier":
        assert named <= {*CLASSIFIER, "seeds", "capacity"}
    else:
        assert named <= {*AUTOENCODER, "seeds"}


@pytest.mark.parametrize("name", LABELS)
def test_every_figure_draws_with_its_labels(name, grid_runs, tmp_path):
    figure = draw(name, grid_runs)
    assert labels(figure) == LABELS[name]
    [path] = gallery.save(figure, tmp_path, name, ["png"])
    assert path.stat().st_size < 300_000
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_has_the_title_above_the_figure(grid_runs, tmp_path):
    sizes, legends = [], []
    for words in ("", "A title"):
        figure = draw("several_features", grid_runs)
        if words:
            style.headline(figure, words)
        [path] = gallery.save(figure, tmp_path, f"{words}_", ["png"])
        with Image.open(path) as image:
            sizes.append(image.size)
        [legend] = figure.legends
        legends.append(legend.get_window_extent().y1)
    (width, height), (same, higher) = sizes
    assert same == width
    assert height + 30 < higher < height + 60
    assert legends[0] == pytest.approx(legends[1], abs=1)


@pytest.mark.parametrize("name", sorted(set(LABELS) - {"monosemantic_by_field"}))
def test_one_run_suffices(name, grid_runs, tmp_path):
    figure = draw(name, grid_runs[:1])
    assert labels(figure) == LABELS[name]
    gallery.save(figure, tmp_path, name, ["pdf"])


def test_a_figure_by_a_field_needs_runs_that_differ_in_it(grid_runs):
    with pytest.raises(ValueError, match="do not differ"):
        draw("monosemantic_by_field", grid_runs[:2])
    with pytest.raises(ValueError, match="do not differ in k, but in learning_rate, init_bias"):
        draw("training_traces", grid_runs, by="k")


@pytest.mark.parametrize(("by", "lines", "columns"), [(None, 3, 2), ("init_bias", 2, 3)])
def test_traces_have_a_line_per_value_and_a_column_per_value_of_the_other(
    by, lines, columns, grid_runs
):
    figure = draw("training_traces", grid_runs, by=by)
    assert len(figure.axes) == 3 * columns
    loss = figure.axes[0]
    assert sum(len(line.get_xdata()) > 2 for line in loss.lines) == lines
    [legend] = figure.legends
    assert len(legend.get_texts()) == lines


def test_a_trace_is_the_mean_of_its_seeds(grid_runs):
    pair = grid_runs[:2]
    figure = draw("training_traces", pair)
    line = figure.axes[1].lines[0]
    mono = [
        frame["mono_per_feature"].to_numpy()
        for frame in map(frames.per_snapshot, map(list, zip(pair)))
    ]
    np.testing.assert_allclose(line.get_ydata(), np.mean(mono, axis=0))


def test_images_show_sorted_responses(grid_runs):
    run = grid_runs[0]
    figure = draw("single_feature_activations", [run])
    [image] = figure.axes[0].images
    response_kn = np.asarray(scores.responses(run.final, run.world))
    rows, columns = scores.neuron_order(response_kn), scores.feature_order(response_kn)
    np.testing.assert_array_equal(image.get_array(), response_kn[rows][:, columns])
    assert image.get_clim() == (0, 1.02)


def test_downsampled_images_show_maxima():
    response_kn = np.random.default_rng(0).normal(size=(13, 6))
    thin = neurons.largest(response_kn, 5)
    expected = [
        [response_kn[row : row + 3, column : column + 2].max() for column in range(0, 6, 2)]
        for row in range(0, 13, 3)
    ]
    np.testing.assert_array_equal(thin, expected)


def test_biases_are_all_visible_or_marked(grid_runs):
    frame = frames.per_neuron(grid_runs[:1])
    frame["bias"] = np.linspace(-0.5, 0.2, len(frame))
    frame["neuron_kind"] = "polysemantic"
    frame.loc[frame.index[-3:], "neuron_kind"] = "dead"
    frame.loc[frame.index[-3:], "bias"] = [-0.6, -0.75, -60.0]
    figure = neurons.sorted_biases(frame)
    [axes] = figure.axes
    low, high = axes.get_ylim()
    assert -1 < low < -0.6
    assert 0.1 < high < 1
    marked = [line.get_xydata() for line in axes.lines if line.get_marker() == "v"]
    marked = np.concatenate(marked)
    np.testing.assert_array_equal(marked[:, 0], frame["rank"].iloc[-2:])
    assert (marked[:, 1] > low).all()
    dots = np.concatenate([line.get_ydata() for line in axes.lines if line.get_marker() == "o"])
    assert len(dots) == len(frame) - 2  # one whose dot the axis would cut is a triangle too
    note = " ".join(figure.get_suptitle().split())
    assert "Triangles: dead neurons with a lower bias, down to −60." in note


def test_every_row_of_a_grid_with_a_gap_is_labelled(grid_runs):
    figure = draw("sorted_biases", grid_runs[2:])
    rows = {}
    for axes in figure.axes:
        rows.setdefault(axes.get_subplotspec().rowspan.start, []).append(axes.get_ylabel())
    assert sorted(map(len, rows.values())) == [2, 3]
    assert all(labels == ["Bias"] + [""] * (len(labels) - 1) for labels in rows.values())


def test_nan_scores_do_not_drop_a_run(grid_runs):
    frame = frames.per_neuron(grid_runs[:1])
    frame.loc[0, "monosemanticity"] = np.nan
    assert len(neurons.sorted_biases(frame).axes) == 1


def test_diverged_runs_are_skipped_with_a_warning(grid_runs, diverged_run):
    alone = draw("training_traces", grid_runs[:2])
    with pytest.warns(UserWarning, match="skipping diverged runs: "):
        beside = draw("training_traces", [*grid_runs[:2], diverged_run])
    for one, other in zip(alone.axes, beside.axes, strict=True):
        np.testing.assert_array_equal(other.lines[0].get_ydata(), one.lines[0].get_ydata())
    with pytest.raises(NothingToDraw, match="nothing to draw"):
        training.training_traces(pd.DataFrame(), pd.DataFrame())
    with (
        pytest.warns(UserWarning, match="diverged"),
        pytest.raises(NothingToDraw, match="nothing to draw"),
    ):
        draw("single_feature_activations", [diverged_run])


@pytest.mark.parametrize("kind", gallery.FORMATS)
def test_the_same_runs_give_the_same_file(kind, grid_runs, tmp_path):
    files = [
        gallery.save(draw("monosemantic_by_field", grid_runs), tmp_path, str(i), [kind])[0]
        for i in range(2)
    ]
    assert files[0].read_bytes() == files[1].read_bytes()
