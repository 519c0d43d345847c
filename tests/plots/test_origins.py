"""Figures of runs that start from stored runs."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from toymono.fields import TOY
from toymono.plots import origins
from toymono.plots.figure import NothingToDraw

FIELDS = {name: field.default for name, field in TOY.items()} | {"diverged": np.nan, "seed": 0}


@pytest.fixture(autouse=True, scope="module")
def no_screen():
    mpl.use("Agg")


def curve(run: str, pair: str, seed: int = 0, **more):
    rows = []
    for kind, height in (("line", 2.0), ("curve", 0.1)):
        for t in (0.0, 0.5, 1.0):
            point = {"path_position": t, "path_loss": 1 + height * t * (1 - t), "path_mono": 5}
            of_run = {**FIELDS, "run": run, "pair": pair, "seed": seed, **more}
            rows.append({**of_run, "path_kind": kind, **point})
    return pd.DataFrame(rows)


def test_each_kind_of_pair_has_a_column_with_its_line_and_its_curve():
    paths = pd.concat([curve("a", "mixed"), curve("b", "monosemantic"), curve("c", "mixed", 1)])
    figure = origins.curves(paths)
    titles = [panel.get_title() for panel in figure.axes[:2]]
    assert titles == ["Two monosemantic models\n(1 pair)", "Mono- to polysemantic\n(2 pairs)"]
    assert [len(panel.lines) for panel in figure.axes] == [2, 4, 2, 4]
    tops = [max(line.get_ydata()) for line in figure.axes[0].lines]
    assert sorted(tops) == pytest.approx([1.025, 1.5])
    with pytest.raises(NothingToDraw):
        origins.curves(curve("a", "other"))


def test_curves_of_two_lengths_are_one_pair_in_two_colors():
    paths = pd.concat([curve("a", "mixed", log2_steps=11), curve("b", "mixed", log2_steps=13)])
    figure = origins.curves(paths)
    assert figure.axes[0].get_title() == "Mono- to polysemantic\n(1 pair)"
    assert len({line.get_color() for line in figure.axes[0].lines}) == 3
    assert len(figure.axes[0].lines) == 3
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[1:] == ["trained curve, $2^{11}$ steps", "trained curve, $2^{13}$ steps"]


def pulled(**changed):
    numbers = {
        "run": "a", "pair": "mixed", "origin": "pull", "match_parents": "weights",
        "start_mono": 0.0, "target_mono": 0.8, "start_loss": 0.7, "target_loss": 0.5,
        "held_mono": 0.1, "held_loss": 0.6, "mono_per_feature": 0.4, "task_loss": 0.55,
    }  # fmt: skip
    rows = [{**FIELDS, **numbers, "attraction": weight, **changed} for weight in (0.0, 1e-3, 1e-2)]
    return pd.DataFrame(rows)


def test_hops_have_a_column_for_each_direction():
    back = pulled(start_mono=0.8, target_mono=0.0, mono_per_feature=0.3)
    figure = origins.hops(pd.concat([pulled(), back]))
    assert [panel.get_title() for panel in figure.axes[:2]] == [
        "To a monosemantic model",
        "To a polysemantic model",
    ]
    for panel, freed in zip(figure.axes[:2], (0.4, 0.3), strict=True):
        assert any((np.asarray(line.get_ydata()) == freed).all() for line in panel.lines)
    for none in (pulled(match_parents="none"), pulled(target_mono=0.0)):
        with pytest.raises(NothingToDraw, match="no run with matched parents was pulled"):
            origins.hops(none)
