"""Figures from tiny runs, and the command."""

import shlex
import subprocess
import sys

import jax
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from absl import app
from absl.testing import flagsaver

from toymono import Hyperparams, cli, fit_many, frames, plots, scores, stack, store, unstack
from toymono import config as settings
from toymono.plots import FIGURES, gallery, neurons
from toymono.plots import __main__ as program

LABELS = {
    "training_traces": {
        "log$_2$ of training steps",
        "Loss",
        "Monosemantic neurons\nper feature",
        "Mean bias",
    },
    "single_feature_activations": {
        "Feature, sorted",
        "Neuron, sorted",
        "Activation on one feature at full strength",
    },
    "sorted_biases": {"Neuron, sorted", "Bias"},
    "feature_capacities": {"Best neuron's score", "Capacity of a feature"},
    "several_features": {
        "Features that come together",
        "Monosemanticity\n(mean over neurons)",
        "Groups that leave\na neuron silent",
    },
    "monosemantic_by_field": {
        "Learning rate",
        "Monosemantic share\nof neurons",
        "Monosemantic neurons\nper feature",
    },
}

OF_PENALTIES = {"multi_feature_by_penalty", "penalty_frontier", "responses_by_penalty"}
"""Those that want the runs of a sweep of the catalog; see test_plots_penalties.py."""


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


@pytest.fixture(scope="module")
def runs_dir(grid_runs, diverged_run, tmp_path_factory):
    """The runs of the grid, and one that diverged, on disk."""
    folder = tmp_path_factory.mktemp("runs")
    for run in [*grid_runs, diverged_run]:
        store.save(folder, run)
    return folder


def draw(name, runs, **kwargs):
    entry = FIGURES[name]
    return entry(*(table(runs) for table in entry.frames), **kwargs)


def labels(figure):
    return {text for axes in figure.axes for text in (axes.get_xlabel(), axes.get_ylabel())} - {""}


def test_figures_stand_under_their_own_names():
    assert set(FIGURES) == {*LABELS, *OF_PENALTIES}
    for name, entry in FIGURES.items():
        assert entry.name == name
        assert entry.draw is getattr(plots, name)
        assert entry.summary.endswith(".")


@pytest.mark.parametrize("name", FIGURES)
def test_what_trains_a_figures_runs_is_a_sweep(name):
    python, flag, module, *given = shlex.split(FIGURES[name].trained_by)
    assert (python, flag, module) == ("python", "-m", "toymono.sweep")
    named = {word.removeprefix("--") for word in given[::2]}
    fields = {*settings.field_types(settings.Config), *settings.field_types(settings.Hyperparams)}
    assert named <= fields or named == {"sweep", "scale", "seeds"}


@pytest.mark.parametrize("name", LABELS)
def test_every_figure_draws_with_its_labels(name, grid_runs, tmp_path):
    figure = draw(name, grid_runs)
    assert labels(figure) == LABELS[name]
    [path] = gallery.save(figure, tmp_path, name, ["png"])
    assert path.stat().st_size < 300_000
    assert list(tmp_path.iterdir()) == [path]


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


def test_images_are_the_responses_in_order(grid_runs):
    run = grid_runs[0]
    figure = draw("single_feature_activations", [run])
    [image] = figure.axes[0].images
    response_kn = np.asarray(scores.responses(run.final, run.world))
    rows, columns = scores.neuron_order(response_kn), scores.feature_order(response_kn)
    np.testing.assert_array_equal(image.get_array(), response_kn[rows][:, columns])
    assert image.get_clim() == (0, 1.02)


def test_a_thinned_image_shows_the_largest_that_share_a_dot():
    response_kn = np.random.default_rng(0).normal(size=(13, 6))
    thin = neurons._largest(response_kn, 5)
    expected = [
        [response_kn[row : row + 3, column : column + 2].max() for column in range(0, 6, 2)]
        for row in range(0, 13, 3)
    ]
    np.testing.assert_array_equal(thin, expected)


def test_biases_are_all_in_sight_or_marked(grid_runs):
    frame = frames.per_neuron(grid_runs[:1])
    frame["bias"] = np.linspace(-0.5, 0.2, len(frame))
    frame["kind"] = "polysemantic"
    frame.loc[frame.index[-3:], "kind"] = "dead"
    frame.loc[frame.index[-3:], "bias"] = [-0.6, -0.75, -60.0]
    figure = plots.sorted_biases(frame)
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
    assert "Triangles: dead neurons with a lower bias, down to −60." in figure.get_suptitle()


def test_every_row_of_a_grid_with_a_hole_is_labelled(grid_runs):
    figure = draw("sorted_biases", grid_runs[2:])
    rows = {}
    for axes in figure.axes:
        rows.setdefault(axes.get_subplotspec().rowspan.start, []).append(axes.get_ylabel())
    assert sorted(map(len, rows.values())) == [2, 3]
    assert all(labels == ["Bias"] + [""] * (len(labels) - 1) for labels in rows.values())


def test_diverged_runs_are_left_out_and_said_to_be(grid_runs, diverged_run):
    alone = draw("training_traces", grid_runs[:2])
    with pytest.warns(UserWarning, match="diverged"):
        beside = draw("training_traces", [*grid_runs[:2], diverged_run])
    for kept, drawn in zip(alone.axes, beside.axes, strict=True):
        np.testing.assert_array_equal(drawn.lines[0].get_ydata(), kept.lines[0].get_ydata())
    with pytest.raises(ValueError, match="no run to draw"):
        plots.training_traces(pd.DataFrame(), pd.DataFrame())
    with (
        pytest.warns(UserWarning, match="diverged"),
        pytest.raises(ValueError, match="no run to draw"),
    ):
        draw("single_feature_activations", [diverged_run])


# The command


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Runs the command in this process: its exit code and what it prints."""
    app.define_help_flags()  # or flagsaver takes them away again

    def run(*flags):
        argv = ["toymono/plots", *flags, f"--figures_dir={tmp_path / 'figures'}"]
        monkeypatch.setattr(sys, "argv", argv)
        with flagsaver.flagsaver(), pytest.raises(SystemExit) as exit_:
            cli.run(program.main)
        return exit_.value.code, *capsys.readouterr()

    return run


def test_the_command_draws_all_that_the_runs_feed(run, runs_dir, tmp_path):
    code, out, err = run(f"--runs_dir={runs_dir}")
    assert code == 0
    made = {path.name for path in (tmp_path / "figures").iterdir()}
    figures = {f"{name}.{kind}" for name in LABELS for kind in ("pdf", "png")}
    assert made == figures | {"README.md", "table1.md"}
    page = (tmp_path / "figures" / "README.md").read_text()
    for name in LABELS:
        assert f"({name}.png)" in page
        command_lines = f"{FIGURES[name].trained_by}\npython -m toymono.plots --figure {name}\n"
        assert (
            f"Trains runs that suit it, if not these; then draws it:\n\n```\n{command_lines}"
            in page
        )
    given = f"--runs_dir={runs_dir} --figures_dir={tmp_path / 'figures'}"
    assert f"Made by `python -m toymono.plots {given}`" in page
    assert all(f"Not made, {name}:" in page for name in OF_PENALTIES)
    assert all(name in out for name in made)
    lost, *skipped, papers = err.splitlines()
    assert len(skipped) == len(OF_PENALTIES)
    assert "diverged" in lost
    assert "26 of the paper's 26 figures lack runs" in papers


def test_the_command_draws_what_is_asked_for(run, runs_dir, tmp_path):
    where = "init_bias=0,learning_rate=0.01,learning_rate=0.03"
    code, out, _ = run(
        f"--runs_dir={runs_dir}", "--figure=training_traces", f"--where={where}", "--format=svg"
    )
    assert code == 0
    assert "4 of 4 runs" in out
    [path] = (tmp_path / "figures").iterdir()
    assert path.name == "training_traces.svg"
    assert "Learning rate" in path.read_text()


def test_a_page_of_another_is_left_alone(run, runs_dir, tmp_path):
    page = tmp_path / "figures" / "README.md"
    page.parent.mkdir()
    page.write_text("# Our project\n")
    flags = [f"--runs_dir={runs_dir}", "--format=pdf"]
    code, out, err = run(*flags)
    assert (code, page.read_text()) == (0, "# Our project\n")
    assert f"{page} is not written" in err
    assert str(page) not in out

    page.unlink()
    for _ in range(2):  # its own page it does replace
        assert run(*flags)[0] == 0
        assert "\n[sorted_biases.pdf](sorted_biases.pdf)\n" in page.read_text()
        assert "![" not in page.read_text()


def test_figures_of_chosen_runs_have_no_page(run, runs_dir, tmp_path):
    code, _, _ = run(f"--runs_dir={runs_dir}", "--where=init_bias=0", "--format=png")
    assert code == 0
    assert {path.suffix for path in (tmp_path / "figures").iterdir()} == {".png"}


def test_the_command_lists_the_figures(run):
    code, out, _ = run("--list", "--runs_dir=/nowhere")
    assert code == 0
    assert all(name in out and entry.trained_by in out for name, entry in FIGURES.items())


def test_a_figure_that_lacks_runs_names_the_command_that_trains_them(run, runs_dir, tmp_path):
    one = [f"--runs_dir={runs_dir}", "--where=init_bias=0,learning_rate=0.01", "--format=png"]
    code, out, err = run(*one)
    assert code == 0
    assert "monosemantic_by_field" not in out
    assert FIGURES["monosemantic_by_field"].trained_by in err
    code, out, err = run(*one, "--figure=training_traces,monosemantic_by_field")
    assert (code, out) == (2, "")
    assert FIGURES["monosemantic_by_field"].trained_by in err


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--figure=pie", "'pie' is not one of"),
        ("--figure=", "lists nothing"),
        ("--figure=sorted_biases,,", "'' is not one of"),
        ("--format=gif", "'gif' is not one of pdf, png, svg"),
        ("--by=colour", "'colour' is not one of task, n, m"),
        ("--by=k", "no runs to compare by k; `python -m toymono.sweep --k"),
        ("--where=k", "field=value"),
        ("--where=colour=3", "'colour' is not one of task"),
        ("--where=k=many", "'many' is not a whole number"),
        ("--where=task=decode", "'decode' is not one of decoder, reproject, abs"),
        ("--where=k=99", "no runs with k=99"),
        ("--runs_dir=/nowhere", "python -m toymono.sweep"),
        ("--figurs=pie", "unknown flag --figurs"),
        ("pie", "stray"),
    ],
)
def test_a_wrong_command_ends_with_code_2_and_says_why(flag, message, run, runs_dir, tmp_path):
    code, out, err = run(f"--runs_dir={runs_dir}", flag)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "figures").exists()


def test_a_file_that_is_no_run_ends_with_code_1(run, tmp_path):
    (tmp_path / "broken.safetensors").write_bytes(b"nonsense")
    code, out, err = run(f"--runs_dir={tmp_path}")
    assert (code, out) == (1, "")
    assert "broken.safetensors" in err


def test_figures_go_where_they_can_be_written(run, runs_dir, tmp_path):
    (tmp_path / "figures").write_text("in the way")
    code, _, err = run(f"--runs_dir={runs_dir}")
    assert code == 2
    assert "cannot be written" in err


@pytest.mark.parametrize("kind", gallery.FORMATS)
def test_the_same_runs_give_the_same_file(kind, grid_runs, tmp_path):
    files = [
        gallery.save(draw("monosemantic_by_field", grid_runs), tmp_path, str(i), [kind])[0]
        for i in range(2)
    ]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_command_in_a_process_of_its_own(runs_dir, tmp_path):
    flags = [f"--runs_dir={runs_dir}", f"--figures_dir={tmp_path}", "--format=png"]
    done = subprocess.run(
        [sys.executable, "-m", "toymono.plots", *flags, "--figure=sorted_biases"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{tmp_path / 'sorted_biases.png'}: 6 of 12 runs" in done.stdout
    assert done.stderr.splitlines()[0].startswith("left out, for they diverged")
