"""Figures of the sweep PEN, from untrained runs of its settings."""

import dataclasses

import matplotlib as mpl
import numpy as np
import pytest

from toymono import catalog, store
from toymono import config as settings
from toymono.plots import gallery, selection
from toymono.plots.registry import FIGURES
from toymono.plots.selection import MissingRuns

NAMES = ["penalty_frontier", "multi_feature_by_penalty", "responses_by_penalty"]
PEN = catalog.BEYOND["PEN"]


@dataclasses.dataclass(frozen=True)
class TinyPen:
    """The sweep at a tiny size, with three of its weights."""

    def points(self, scale):
        for point in PEN.points("small"):
            if point["alpha"] in (-0.1, 0.0, 1.0):
                size = {
                    "n": {"paper": 16, "small": 12}.get(scale, 14),
                    "m": 4,
                    "k": 10,
                    "log2_steps": 4,
                }
                yield {**point, **size, "batch_size": 8}


@pytest.fixture(autouse=True)
def tiny_catalog(monkeypatch):
    mpl.use("Agg")
    monkeypatch.setitem(catalog.BEYOND, "PEN", TinyPen())


@pytest.fixture(scope="module")
def runs(untrained, tmp_path_factory):
    """Two seeds of every setting at the small scale, and a run of another setting."""
    folder = tmp_path_factory.mktemp("runs")
    store.save(folder, untrained())
    for point in TinyPen().points("small"):
        config, hyperparams = settings.split(point)
        for seed in (0, 1):
            store.save(folder, untrained(config, hyperparams, seed))
    return gallery.Gallery(store.find(folder))


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_draws_the_runs_of_the_sweep(name, runs, tmp_path):
    entry = FIGURES[name]
    assert runs.count(entry) == 2 * len(list(TinyPen().points("small")))
    assert runs.selected(entry).scale == "small"
    drawn = runs.draw(entry)
    titles = {panel.get_title() for panel in drawn.axes}
    kinds = {"soft", "hard", "soft random amplitude", "multi feature"}
    assert titles - {""} == kinds or titles - {""} == {"α = −0.1", "α = 0", "α = 1"}
    [path] = gallery.save(drawn, tmp_path, name, ["png"])
    assert path.stat().st_size < 300_000


def test_the_frontier_has_a_point_for_each_weight_beside_none_and_the_baseline(runs):
    entry = FIGURES["penalty_frontier"]
    drawn = runs.draw(entry)
    frame = runs.frame(entry.frames[0], runs.selected(entry).runs)
    free = frame[(frame["penalty"] == "none") & (frame["init_bias"] == 0)]
    for panel, kind in zip(drawn.axes, ["soft", "hard"], strict=False):
        markers = [line.get_marker() for line in panel.lines]
        assert [markers.count(marker) for marker in "oD*"] == [2, 1, 1]
        alphas = frame[frame["penalty"] == kind].groupby("alpha")["loss"].mean()
        path = panel.lines[0].get_ydata()
        np.testing.assert_allclose(path, [alphas[-0.1], free["loss"].mean(), alphas[1.0]])


def test_runs_without_a_penalty_have_weight_0_whatever_their_header_says(runs):
    entry = FIGURES["penalty_frontier"]
    frame = runs.frame(entry.frames[0], runs.selected(entry).runs)
    frame.loc[frame["penalty"] == "none", "alpha"] = 1.0
    [first, *_] = entry.draw(frame).axes
    assert len([line for line in first.lines if line.get_marker() == "D"]) == 1


def test_penalty_figures_reject_other_fields(runs):
    with pytest.raises(MissingRuns, match="not compared by eps"):
        runs.selected(FIGURES["penalty_frontier"], "eps")


def test_without_runs_the_command_is_named(untrained, tmp_path):
    store.save(tmp_path, untrained())
    alone = gallery.Gallery(store.find(tmp_path))
    with pytest.raises(MissingRuns, match=r"too few runs of PEN.*--sweep PEN --scale small"):
        alone.selected(FIGURES["penalty_frontier"])


def test_the_scale_with_more_settings_is_shown(untrained, tmp_path):
    points = {scale: list(TinyPen().points(scale)) for scale in catalog.SCALES}
    for point in [points["small"][0], *points["paper"][:2]]:
        store.save(tmp_path, untrained(*settings.split(point)))
    headers = selection.headers(store.find(tmp_path))
    assert set(selection.OfSweeps(("PEN",))(headers).runs["n"]) == {16}
