"""Figures of the sweep PEN, from runs of its settings that nothing trained."""

import dataclasses

import matplotlib as mpl
import numpy as np
import pytest

from toymono import catalog, store
from toymono import config as settings
from toymono.plots import FIGURES, gallery, selection

NAMES = ["penalty_frontier", "multi_feature_by_penalty", "responses_by_penalty"]
PEN = catalog.BEYOND["PEN"]


@dataclasses.dataclass(frozen=True)
class TinyPen:
    """The sweep at a size that draws at once; of its weights, three."""

    def points(self, scale):
        for point in PEN.points("small"):
            if point["alpha"] in (-0.1, 0.0, 1.0):
                size = {"n": 16 if scale == "paper" else 12, "m": 4, "k": 10, "log2_steps": 4}
                yield {**point, **size, "batch_size": 8}


@pytest.fixture(autouse=True)
def tiny_catalog(monkeypatch):
    mpl.use("Agg")
    monkeypatch.setitem(catalog.BEYOND, "PEN", TinyPen())


@pytest.fixture(scope="module")
def shelf(untrained, tmp_path_factory):
    """Two seeds of every setting at the small scale, and a run of none of them."""
    folder = tmp_path_factory.mktemp("runs")
    store.save(folder, untrained())
    for point in TinyPen().points("small"):
        config, hyperparams = settings.split(point)
        for seed in (0, 1):
            store.save(folder, untrained(config, hyperparams, seed))
    return gallery.Gallery(store.find(folder))


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_draws_the_runs_of_the_sweep(name, shelf, tmp_path):
    entry = FIGURES[name]
    assert len(shelf.choose(entry)) == 2 * len(list(TinyPen().points("small")))
    assert entry.feed(shelf).scale == "small"
    drawn = shelf.draw(entry)
    titles = {panel.get_title() for panel in drawn.axes}
    kinds = {"soft", "hard", "soft random amplitude", "multi feature"}
    assert titles - {""} == kinds or titles - {""} == {"α = −0.1", "α = 0", "α = 1"}
    [path] = gallery.save(drawn, tmp_path, name, ["png"])
    assert path.stat().st_size < 300_000


def test_the_frontier_has_a_point_for_each_weight_beside_none_and_the_rival(shelf):
    drawn = shelf.draw(FIGURES["penalty_frontier"])
    runs = shelf.frame(FIGURES["penalty_frontier"].frames[0], shelf.chosen(*CHOICE))
    free = runs[(runs["penalty"] == "none") & (runs["init_bias"] == 0)]
    for panel, kind in zip(drawn.axes, ["soft", "hard"], strict=False):
        markers = [line.get_marker() for line in panel.lines]
        assert [markers.count(marker) for marker in "oD*"] == [2, 1, 1]
        alphas = runs[runs["penalty"] == kind].groupby("alpha")["loss"].mean()
        path = panel.lines[0].get_ydata()
        np.testing.assert_allclose(path, [alphas[-0.1], free["loss"].mean(), alphas[1.0]])


CHOICE = (FIGURES["penalty_frontier"].choose, None)


def test_they_compare_by_nothing_else(shelf):
    with pytest.raises(gallery.Lacking, match="no runs to compare by eps"):
        shelf.choose(FIGURES["penalty_frontier"], "eps")


def test_without_runs_the_command_is_named(untrained, tmp_path):
    store.save(tmp_path, untrained())
    alone = gallery.Gallery(store.find(tmp_path))
    with pytest.raises(gallery.Lacking, match="--sweep PEN --scale small --seeds 3"):
        alone.choose(FIGURES["penalty_frontier"])


def test_the_scale_of_which_more_is_kept_is_shown(untrained, tmp_path):
    points = {scale: list(TinyPen().points(scale)) for scale in catalog.SCALES}
    for point in [points["small"][0], *points["paper"][:2]]:
        store.save(tmp_path, untrained(*settings.split(point)))
    runs = selection.headers(store.find(tmp_path))
    assert set(selection.of_sweep("PEN")(runs)["n"]) == {16}
