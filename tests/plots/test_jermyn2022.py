"""The 26 figures of the paper, from tiny runs in place of the catalog's."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pytest

from toymono import Model, Run, World, catalog, store
from toymono import config as settings
from toymono.papers.jermyn2022.claims import CLAIMS
from toymono.plots import gallery, selection
from toymono.plots.registry import ALIASES, FIGURES
from toymono.plots.selection import MissingRuns
from toymono.tasks import TASKS

CATALOG = dict(catalog.SWEEPS)
PAPER = {name: figure for name, figure in FIGURES.items() if figure.number}

_K = {8: 2, 16: 3, 32: 4, 64: 5, 128: 6, 192: 7, 256: 8, 512: 16, 1024: 24}
_SIZES = {"paper": 20, "paper512": 19, "paper14": 17, "half": 18, "small": 16}


FIRST = set({entry.draw: name for name, entry in reversed(PAPER.items())}.values())
"""The first figure that each of the functions draws: these are saved."""


@dataclasses.dataclass(frozen=True)
class TinySweep:
    """A sweep of the catalog with sizes that draw at once; the scales differ in n."""

    sweep: catalog.Sweep

    def __getattr__(self, name):
        return getattr(self.sweep, name)

    def points(self, scale):
        n = _SIZES[scale]
        for point in self.sweep.points("small"):
            tiny = {"n": n, "m": point["m"] // 8, "k": _K[point["k"]]}
            yield point | tiny | {"batch_size": 8, "log2_steps": 4}


@pytest.fixture(autouse=True)
def tiny_catalog(monkeypatch):
    mpl.use("Agg")
    monkeypatch.setattr(catalog, "SWEEPS", {n: TinySweep(s) for n, s in CATALOG.items()})


def random_run(point, seed=0):
    """An untrained run with random weights."""
    config, hyperparams = settings.split(point)
    rng = np.random.default_rng([seed, config.k])
    n, m, k, c = config.n, config.m, config.k, len(config.snapshot_steps)
    outputs = TASKS[config.task].outputs(config)
    embed_nm = rng.normal(size=(n, m))
    embed_nm /= np.linalg.norm(embed_nm, axis=1, keepdims=True)
    reproject = {"reproject_nm": jnp.asarray(embed_nm)} if config.task == "reproject" else {}
    snapshots = Model(
        w_mk=jnp.asarray(rng.normal(size=(c, m, k)), jnp.float32),
        b_k=jnp.asarray(rng.normal(size=(c, k)) - 0.5, jnp.float32),
        w_ko=jnp.asarray(rng.normal(size=(c, k, outputs)) / k, jnp.float32),
        nonlinearity=config.nonlinearity,
    )
    loss_t = jnp.asarray(2 / np.arange(1, config.steps + 1) + rng.uniform(size=config.steps))
    world = World(jnp.asarray(embed_nm, jnp.float32), **reproject, task=config.task)
    return Run(config, hyperparams.checked(), jax.random.key(seed), world, snapshots, loss_t)


def save(folder, names, scale="small", seeds=1, only=slice(None)):
    """Stores runs of sweeps of the tiny catalog."""
    for name in names:
        for point in list(TinySweep(CATALOG[name]).points(scale))[only]:
            for seed in range(seeds):
                store.save(folder, random_run(point, seed))


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    """All of the tiny catalog at the small scale; two seeds of LR1."""
    folder = tmp_path_factory.mktemp("runs")
    save(folder, CATALOG)
    save(folder, ["LR1"], seeds=2)
    return folder


@pytest.fixture(scope="module")
def whole(runs_dir):
    return gallery.Gallery(store.find(runs_dir))


def test_there_are_26_with_distinct_names_and_known_claims():
    assert list(PAPER) == [f"fig{number:02}" for number in range(1, 27)]
    assert len(ALIASES) == 26
    assert not set(ALIASES) & set(FIGURES)
    for name, entry in PAPER.items():
        assert entry.name == name
        assert entry.summary.endswith(".")
        assert set(entry.select.sweeps) <= set(CATALOG)
        assert entry.claims
        assert set(entry.claims) <= set(CLAIMS)
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
    assert said.startswith(f"Small scale, {', '.join(entry.select.sweeps)}: ")
    assert not re.search(r"\d of \d", said)
    if name in FIRST:
        [path] = gallery.save(figure, tmp_path, name, ["png"])
        assert path.stat().st_size < 300_000
    assert whole.selected(entry).scale == "small"
    assert re.search(r"\d", whole.facts(entry))


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
    [sweep] = PAPER[name].select.sweeps
    points = list(CATALOG[sweep].points("paper"))
    assert sorted(points[i][field] for i in PAPER[name].select.positions) == sorted(values)
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


def test_the_close_up_contains_the_reference_lines(whole):
    wide, close, *_ = axes = whole.draw(PAPER["fig08"]).axes
    assert len(axes) == 4
    low, high = close.get_xlim()
    assert low < -0.5 < 0 < high
    assert wide.get_xlim()[0] < -2
    upright = [[len(set(line.get_xdata())) == 1 for line in panel.lines] for panel in axes]
    assert [sum(lines) for lines in upright] == [0, 5, 0, 5]


def test_captions_state_differing_fields_once(whole):
    said = whole.draw(PAPER["fig08"]).get_suptitle().replace("\N{NO-BREAK SPACE}", " ")
    assert "Bias decay: 0.1 in B1, otherwise 0.03." in " ".join(said.split())
    said = whole.draw(PAPER["fig15"]).get_suptitle().replace("\N{NO-BREAK SPACE}", " ")
    assert "Initial mean bias: 0 in K0, −1 in K1." in " ".join(said.split())
    [legend] = whole.draw(PAPER["fig14"]).legends
    words = [text.get_text() for text in legend.get_texts()]
    assert words == [*(f"10$^{{-{power}}}$" for power in range(6, 0, -1)), "1", "none, bias −1"]


# Which runs


def test_members_are_the_runs_with_a_sweeps_settings(tmp_path):
    save(tmp_path, ["LR1"], seeds=2, only=slice(2, 4))
    save(tmp_path, ["LR3"])
    runs = selection.headers(store.find(tmp_path))
    found = selection.members(runs, "LR1", "small")
    assert sorted(found["position"]) == [2, 2, 3, 3]
    assert set(found["sweep"]) == {"LR1"}
    assert (found["init_bias"] == 0).all()
    assert selection.members(runs, "LR1", "paper").empty
    assert selection.members(selection.headers([]), "LR1", "small").empty


def test_the_scale_is_that_with_more_settings_or_else_the_papers(tmp_path):
    save(tmp_path, ["LR1"])
    save(tmp_path, ["LR1"], "paper", only=slice(3))
    stored = gallery.Gallery(store.find(tmp_path))
    assert stored.selected(PAPER["fig03"]).scale == "small"
    save(tmp_path, ["LR1"], "paper")
    stored = gallery.Gallery(store.find(tmp_path))
    assert stored.selected(PAPER["fig03"]).scale == "paper"
    assert stored.draw(PAPER["fig03"]).get_suptitle().startswith("Paper scale, LR1")


def test_captions_list_missing_runs(tmp_path):
    save(tmp_path, ["B3"], only=slice(2, 7))
    save(tmp_path, ["B4"], only=slice(1))
    stored = gallery.Gallery(store.find(tmp_path))
    said = " ".join(stored.draw(PAPER["fig08"]).get_suptitle().split())
    assert "B3: 5 of 10 settings." in said
    assert "Skipped for lack of runs: B1, B2, B4, B5." in said


def test_a_figure_of_two_sweeps_that_are_compared_needs_both(tmp_path):
    save(tmp_path, ["K0"])
    stored = gallery.Gallery(store.find(tmp_path))
    with pytest.raises(MissingRuns, match=r"fig15: too few runs of K1; .*--sweep K1 --scale"):
        stored.selected(PAPER["fig15"])
    assert set(stored.selected(PAPER["fig17"]).runs["sweep"]) == {"K0"}


def test_without_runs_the_command_is_named():
    for entry in PAPER.values():
        with pytest.raises(MissingRuns, match=entry.trained_by):
            gallery.Gallery([]).selected(entry)
