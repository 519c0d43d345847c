"""The 26 figures of the paper from tiny runs in the place of the catalog's, and the command."""

import dataclasses
import re
import sys

import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from absl import app
from absl.testing import flagsaver

from toymono import Model, Run, World, catalog, cli, frames, scores, store
from toymono import config as settings
from toymono.frames import parts as part_frames
from toymono.papers import pages
from toymono.papers.facts import Fact
from toymono.papers.jermyn2022.figures import ALIASES, PAPER
from toymono.plots import FIGURES, gallery, selection
from toymono.plots import __main__ as program

CATALOG = dict(catalog.SWEEPS)

_K = {8: 2, 16: 3, 32: 4, 64: 5, 128: 6, 192: 7, 256: 8, 512: 16, 1024: 24}
_SIZES = {"paper": (20, 1), "small": (16, 0)}


FIRST = set({entry.draw: name for name, entry in reversed(PAPER.items())}.values())
"""The first figure that each of the functions draws: these are saved."""


@dataclasses.dataclass(frozen=True)
class TinySweep:
    """A sweep of the catalog with sizes that draw at once; the scales differ in n."""

    sweep: catalog.Sweep

    def __getattr__(self, name):
        return getattr(self.sweep, name)

    def points(self, scale):
        n, _ = _SIZES[scale]
        for point in self.sweep.points("small"):
            tiny = {"n": n, "m": point["m"] // 8, "k": _K[point["k"]]}
            yield point | tiny | {"batch_size": 8, "log2_steps": 4}


@pytest.fixture(autouse=True)
def tiny_catalog(monkeypatch):
    mpl.use("Agg")
    monkeypatch.setattr(catalog, "SWEEPS", {n: TinySweep(s) for n, s in CATALOG.items()})


def random_run(point, seed=0):
    """A run that nothing trained: numbers at random, and features with a neuron to themselves."""
    config, hyperparams = settings.split(point)
    rng = np.random.default_rng([seed, config.k])
    n, m, k, c = config.n, config.m, config.k, len(config.snapshot_steps)
    embed_nm = rng.normal(size=(n, m))
    embed_nm /= np.linalg.norm(embed_nm, axis=1, keepdims=True)
    reproject = {"reproject_nm": jnp.asarray(embed_nm)} if config.task == "reproject" else {}
    snapshots = Model(
        w_mk=jnp.asarray(rng.normal(size=(c, m, k)), jnp.float32),
        b_k=jnp.asarray(rng.normal(size=(c, k)) - 0.5, jnp.float32),
        w_ko=jnp.asarray(rng.normal(size=(c, k, config.o)) / k, jnp.float32),
        nonlinearity=config.nonlinearity,
    )
    loss_t = jnp.asarray(2 / np.arange(1, config.steps + 1) + rng.uniform(size=config.steps))
    world = World(jnp.asarray(embed_nm, jnp.float32), **reproject, task=config.task)
    return Run(config, hyperparams.checked(), jax.random.key(seed), world, snapshots, loss_t)


def keep(folder, names, scale="small", seeds=1, only=slice(None)):
    """Keeps runs of rows of the tiny catalog."""
    for name in names:
        for point in list(TinySweep(CATALOG[name]).points(scale))[only]:
            for seed in range(seeds):
                store.save(folder, random_run(point, seed))


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    """All of the tiny catalog at the small scale; two seeds of LR1."""
    folder = tmp_path_factory.mktemp("runs")
    keep(folder, CATALOG)
    keep(folder, ["LR1"], seeds=2)
    return folder


@pytest.fixture(scope="module")
def whole(runs_dir):
    return gallery.Gallery(store.find(runs_dir))


def test_there_are_26_and_each_has_a_name_of_its_own():
    assert list(PAPER) == [f"fig{number:02}" for number in range(1, 27)]
    assert len(ALIASES) == 26
    assert not set(ALIASES) & ({*PAPER, *FIGURES} - {"single_feature_activations"})
    for name, entry in PAPER.items():
        assert entry.name == name
        assert entry.summary.endswith(".")
        assert set(entry.sweeps) <= set(CATALOG)
        assert entry.trained_by.startswith("python -m toymono.sweep --sweep ")


@pytest.mark.parametrize("name", PAPER)
def test_every_figure_draws(name, whole, tmp_path):
    entry = PAPER[name]
    figure = whole.draw(entry)
    assert figure.axes
    assert all(axes.has_data() for axes in figure.axes)
    labels = {axes.get_xlabel() for axes in figure.axes}
    assert labels - {""}
    said = " ".join(figure.get_suptitle().split())
    assert said.startswith(f"Small scale, {', '.join(entry.sweeps)}: ")
    assert not re.search(r"\d of \d", said)
    if name in FIRST:
        [path] = gallery.save(figure, tmp_path, name, ["png"])
        assert path.stat().st_size < 300_000
    feed = entry.feed(whole)
    assert feed.scale == "small"
    assert re.search(r"\d", entry.told(whole, feed))


@pytest.mark.parametrize(
    ("name", "field", "values"),
    [
        ("fig02", "k", [1024]),
        ("fig04", "learning_rate", [0.001, 0.005, 0.03]),
        ("fig10", "learning_rate", [0.001, 0.005, 0.03]),
        ("fig20", "eps", [2**-3.5, 2**-3, 2**-2.5]),
        ("fig24", "eps", [1 / 64]),
        ("fig25", "eps", [1 / 256]),
        ("fig26", "eps", [1 / 64]),
    ],
)
def test_some_settings_of_a_sweep_are_those_that_the_paper_shows(name, field, values):
    [sweep] = PAPER[name].sweeps
    points = list(CATALOG[sweep].points("paper"))
    assert sorted(points[i][field] for i in PAPER[name].positions) == sorted(values)
    small = list(CATALOG[sweep].points("small"))
    assert len(small) == len(points)
    if field == "eps":
        assert [point[field] for point in small] == [point[field] for point in points]


def test_a_figures_axes_follow_the_paper(whole):
    two = whole.draw(PAPER["fig01"])
    assert [axes.get_title() for axes in two.axes[:2]] == [
        "Initial mean bias 0",
        "Initial mean bias −1",
    ]
    assert len(two.axes) == 6
    assert len(whole.draw(PAPER["fig03"]).axes) == 3
    assert len(whole.draw(PAPER["fig14"]).axes) == 4
    traces = whole.draw(PAPER["fig14"])
    colors = {line.get_color() for line in traces.axes[0].lines}
    assert len(colors) == 8
    apart = whole.draw(PAPER["fig15"]).axes[1]
    assert sum(len(line.get_xdata()) > 2 for line in apart.lines) == 9
    four = whole.draw(PAPER["fig24"])
    assert [len(axes.lines) for axes in four.axes] == [4] * 4


def test_a_close_up_holds_the_lines_of_reference(whole):
    wide, close, *_ = axes = whole.draw(PAPER["fig08"]).axes
    assert len(axes) == 4
    low, high = close.get_xlim()
    assert low < -0.5 < 0 < high
    assert wide.get_xlim()[0] < -2
    upright = [[len(set(line.get_xdata())) == 1 for line in panel.lines] for panel in axes]
    assert [sum(lines) for lines in upright] == [0, 5, 0, 5]


def test_what_sets_sweeps_apart_is_said_once(whole):
    said = whole.draw(PAPER["fig08"]).get_suptitle().replace("\N{NO-BREAK SPACE}", " ")
    assert "Bias decay: 0.1 in B1, else 0.03." in " ".join(said.split())
    said = whole.draw(PAPER["fig15"]).get_suptitle().replace("\N{NO-BREAK SPACE}", " ")
    assert "Initial mean bias: 0 in K0, −1 in K1." in " ".join(said.split())
    [legend] = whole.draw(PAPER["fig14"]).legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words == [*(f"10$^{{-{power}}}$" for power in range(6, 0, -1)), "1", "none, bias −1"]


# Which runs


def test_members_are_the_runs_with_a_rows_settings(tmp_path):
    keep(tmp_path, ["LR1"], seeds=2, only=slice(2, 4))
    keep(tmp_path, ["LR3"])
    runs = selection.headers(store.find(tmp_path))
    found = selection.members(runs, "LR1", "small")
    assert sorted(found["position"]) == [2, 2, 3, 3]
    assert set(found["sweep"]) == {"LR1"}
    assert (found["init_bias"] == 0).all()
    assert selection.members(runs, "LR1", "paper").empty
    assert selection.members(selection.headers([]), "LR1", "small").empty


def test_the_scale_is_that_of_which_more_is_kept_and_else_the_papers(tmp_path):
    keep(tmp_path, ["LR1"])
    keep(tmp_path, ["LR1"], "paper", only=slice(3))
    kept = gallery.Gallery(store.find(tmp_path))
    assert PAPER["fig03"].feed(kept).scale == "small"
    keep(tmp_path, ["LR1"], "paper")
    kept = gallery.Gallery(store.find(tmp_path))
    assert PAPER["fig03"].feed(kept).scale == "paper"
    assert kept.draw(PAPER["fig03"]).get_suptitle().startswith("Paper scale, LR1")


def test_a_figure_says_what_it_lacks(tmp_path):
    keep(tmp_path, ["B3"], only=slice(2, 7))
    keep(tmp_path, ["B4"], only=slice(1))
    kept = gallery.Gallery(store.find(tmp_path))
    said = " ".join(kept.draw(PAPER["fig08"]).get_suptitle().split())
    assert "B3: 5 of 10 settings." in said
    assert "Left out, with too few runs: B1, B2, B4, B5." in said


def test_a_figure_of_two_sweeps_that_are_compared_needs_both(tmp_path):
    keep(tmp_path, ["K0"])
    kept = gallery.Gallery(store.find(tmp_path))
    with pytest.raises(gallery.Lacking, match=r"fig15: too few runs of K1; .*--sweep K1 --scale"):
        PAPER["fig15"].feed(kept)
    assert set(PAPER["fig17"].feed(kept).runs["sweep"]) == {"K0"}


def test_no_runs_at_all_feed_nothing():
    for entry in PAPER.values():
        with pytest.raises(gallery.Lacking, match=entry.trained_by):
            entry.feed(gallery.Gallery([]))


# The frames


@pytest.fixture(scope="module")
def one():
    return random_run(next(TinySweep(CATALOG["LR1"]).points("small")))


def test_scores_of_all_snapshots(one):
    frame = frames.per_snapshot_neuron([one])
    last = frame[frame["log2_step"] == frame["log2_step"].max()]
    expected = scores.monosemanticity(scores.responses(one.final, one.world))
    np.testing.assert_allclose(last["monosemanticity"], expected, rtol=1e-6)
    assert len(frame) == one.config.k * len(one.config.snapshot_steps)
    assert set(last["step"]) == {16}


def test_parts_add_up_along_a_feature(one):
    frame = part_frames.feature_outputs([one], amplitudes=5)
    assert frame["panel"].tolist() == sorted([0, 1, 2, 3] * 5)
    assert frame["feature"].nunique() == 4
    np.testing.assert_allclose(frame["full"], frame["mono"] + frame["poly"], atol=1e-5)
    np.testing.assert_array_equal(frame["truth"], frame["amplitude"])
    first, second = frame["first_kink"].dropna(), frame["second_kink"].dropna()
    assert first.between(0, 1).all()
    assert (first[second.index] <= second).all()


def test_features_are_shown_by_how_many_neurons_serve_them():
    weight_nk = np.zeros((4, 3), np.float32)
    weight_nk[[1, 3, 3], [0, 1, 2]] = 1.0
    config, hyperparams = settings.split({"n": 4, "m": 4, "k": 3, "log2_steps": 0})
    model = Model(jnp.asarray(weight_nk), jnp.full(3, -0.5), jnp.asarray(weight_nk.T))
    snapshots = jax.tree.map(lambda leaf: leaf[None], model)
    key = jax.random.key(0)
    run = Run(config, hyperparams.checked(), key, World(jnp.eye(4)), snapshots, jnp.ones(1))
    frame = part_frames.feature_outputs([run], amplitudes=3).drop_duplicates("panel")
    assert frame["feature"].tolist() == [1, 3, 0, 2]
    assert frame["served"].tolist() == [1, 2, 0, 0]
    np.testing.assert_array_equal(frame["first_kink"], [0.5, 0.5, np.nan, np.nan])
    np.testing.assert_array_equal(frame["second_kink"], [np.nan, 0.5, np.nan, np.nan])


def test_the_linear_map_is_that_of_the_positive_biases(one):
    [row] = part_frames.linear_maps([one]).to_dict("records")
    model, positive_k = one.final, np.asarray(one.final.b_k) > 0
    gate_mk = np.asarray(one.final.w_mk)[:, positive_k]
    map_on = (np.asarray(one.world.embed_nm) @ gate_mk @ np.asarray(model.w_ko)[positive_k]).T
    np.testing.assert_allclose(row["map_on"], map_on, atol=1e-5)
    assert row["positive_bias"] == positive_k.sum()
    large = [value for value in np.linalg.svd(map_on, compute_uv=False) if value > 0.5]
    assert row["rank"] == len(large)
    if large:
        assert row["singular_high"] == pytest.approx(max(large), rel=1e-4)
    assert row["slope_low"] == pytest.approx(np.diag(map_on).min(), abs=1e-5)


def test_an_excess_is_taken_where_both_are_known():
    mine = pd.DataFrame({"k": [1, 2], "seed": [0, 0], "loss": [3.0, 5.0]})
    other = pd.DataFrame({"k": [2, 4], "seed": [0, 0], "loss": [1.0, 7.0]})
    [row] = frames.excess(mine, other, "loss", on=("k", "seed")).to_dict("records")
    assert row == {"k": 2, "seed": 0, "loss": 4.0}


def test_a_peak_names_its_place():
    table = pd.DataFrame({"k": [8, 16, 16, 32], "mono_per_neuron": [0.1, 0.5, 0.7, 0.2]})
    assert Fact("mono_per_neuron", "k", peak=True).told(table) == "mono/neuron at most 0.60, at 16"
    assert Fact("mono_per_neuron").told(table) == "mono/neuron 0.10 … 0.70"
    lacking = table.assign(second_kink=[np.nan, 0.5, np.nan, 0.75])
    assert Fact("second_kink").told(lacking) == "second kink 0.50 … 0.75"
    assert Fact("second_kink").told(lacking[:1]) == "second kink none"
    half = Fact("mono_per_neuron", "k", half=True)
    assert half.told(table) == "mono/neuron below half their maximum from 32"
    assert half.told(table[:3]) == "mono/neuron never fall below half their maximum"
    fields = pd.DataFrame({"eps": [1 / 16, 2**-3.5], "l1": [1e-6, 1e-6]})
    assert Fact("eps").told(fields) == "eps 1/16 … 2^-3.5"
    assert Fact("l1").told(fields) == "l1 10^-6"
    assert Fact("full").told(pd.DataFrame({"full": [-1.62e-5, 0.023]})) == (
        "output −1.6·10^-5 … 0.023"
    )


# Pages


def test_table_1_has_every_row_and_marks_our_choices():
    page = pages.table1()
    rows = [line for line in page.splitlines() if line.startswith("| ") and "---" not in line]
    assert len(rows) == 2 * (1 + len(CATALOG))
    [d1] = [row for row in rows if row.startswith("| D1 |") and "†" in row]
    assert len(d1.split("|")) == len(rows[0].split("|"))
    assert "| LR1 | decoder | relu | equal |" in page
    assert not any("†" in row for row in rows if row.startswith("| LR1 |"))


# The command


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Runs the command in this process: its exit code and what it prints."""
    app.define_help_flags()  # or flagsaver takes them away again

    def run(*flags):
        argv = ["toymono/plots", *flags, f"--figures_dir={tmp_path / 'figures'}", "--format=png"]
        monkeypatch.setattr(sys, "argv", argv)
        with flagsaver.flagsaver(), pytest.raises(SystemExit) as exit_:
            cli.run(program.main)
        return exit_.value.code, *capsys.readouterr()

    return run


def test_paper_makes_what_is_kept_and_says_what_it_shows(run, tmp_path):
    keep(tmp_path / "runs", ["LR1", "LR3"])
    code, out, err = run(f"--runs_dir={tmp_path / 'runs'}", "--paper")
    assert code == 0
    made = {"fig01", "fig02", "fig03", "fig04", "fig05", "fig07", "fig10", "fig11"}
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == made | {"table1", "README"}
    page = (tmp_path / "figures" / "README.md").read_text()
    for name in made:
        assert f"({name}.png)" in page
        assert f"--figure {name}" in page
        assert re.search(rf"^{name} +\d+ +small  ", out, re.M)
    assert len(err.splitlines()) == 26 - len(made)
    assert "skipped fig06: too few runs of LR2; `python -m toymono.sweep --sweep LR2" in err
    assert "fig06: too few runs" in page


def test_figures_are_asked_for_by_name_or_alias(run, runs_dir, tmp_path):
    asked = "--figure=activations_by_rate,fig04,fig26"
    code, _, err = run(f"--runs_dir={runs_dir}", asked)
    assert (code, err) == (0, "")
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"fig04.png", "fig26.png"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--figure=fig09"], "fig09: too few runs of B1, B2, B3, B4, B5; `python -m toymono.sweep"),
        (["--figure=fig03", "--by=k"], "fig03 compares as the paper does"),
        (["--paper", "--figure=fig03"], "--paper draws all"),
        (["--figure=fig27"], "'fig27' is not one of"),
        (["--paper", "--where=n=99"], "no runs with n=99"),
    ],
)
def test_a_wrong_command_ends_with_code_2_and_says_why(flags, message, run, tmp_path):
    keep(tmp_path / "runs", ["LR1"], only=slice(2))
    code, out, err = run(f"--runs_dir={tmp_path / 'runs'}", *flags)
    assert (code, out) == (2, "")
    assert message in err


def test_the_list_names_all_with_their_aliases(run):
    code, out, _ = run("--list", "--runs_dir=/nowhere")
    assert code == 0
    for entry in PAPER.values():
        assert f"{entry.name} or {entry.alias}: " in out
        assert entry.trained_by in out
