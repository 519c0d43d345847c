"""Figures of pairs of models."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from toymono.fields import TOY
from toymono.plots import connectivity
from toymono.plots.figure import NothingToDraw

FIELDS = {name: field.default for name, field in TOY.items()}


@pytest.fixture(autouse=True, scope="module")
def no_screen():
    mpl.use("Agg")


def rows_of(run: str, other: str, kind: str, monos: list[int], world: int = 0):
    """The points of one line, aligned and not."""
    first = {**FIELDS, "world_seed": world, "seed": 0, "diverged": np.nan}
    first |= {"run": run, "other_run": other, "other_seed": 1, "pair": kind}
    for aligned, height in (("no", 3.0), ("yes", 1.0)):
        for t, mono in zip((0, 0.5, 1), monos, strict=True):
            loss = 1 + height * t * (1 - t)
            point = {"path_position": t, "path_loss": loss, "path_mono": mono}
            yield {**first, "aligned": aligned, **point}


def test_a_mixed_line_begins_at_the_monosemantic_model():
    lines = [*rows_of("a", "b", "monosemantic", [9, 8, 9]), *rows_of("a", "c", "mixed", [9, 2, 0])]
    lines += rows_of("c", "b", "mixed", [0, 3, 9])
    lines += rows_of("c", "a", "other", [0, 2, 9])
    figure = connectivity.barriers(pd.DataFrame(lines))
    same, mixed = figure.axes[2:]
    assert [panel.get_title() for panel in figure.axes[:2]] == [
        "Two monosemantic models\n(1 pair)",
        "Mono- to polysemantic\n(2 pairs)",
    ]
    for panel, start, count in ((same, 9, 2), (mixed, 9, 4)):
        assert len(panel.lines) == count
        for line in panel.lines:
            x, y = np.array(line.get_data())
            assert y[np.argmin(x)] == start


def test_pairs_of_one_seed_are_left_out():
    of_one_seed = pd.DataFrame(rows_of("a", "b", "mixed", [9, 2, 0])).assign(other_seed=0)
    lines = pd.concat([of_one_seed, pd.DataFrame(rows_of("a", "c", "mixed", [9, 2, 0]))])
    figure = connectivity.barriers(lines)
    assert figure.axes[0].get_title() == "Mono- to polysemantic\n(1 pair)"
    with pytest.raises(NothingToDraw):
        connectivity.barriers(of_one_seed)


def test_without_clear_models_there_is_nothing_to_draw():
    with pytest.raises(NothingToDraw, match="clearly mono- or polysemantic"):
        connectivity.barriers(pd.DataFrame(rows_of("a", "b", "other", [3, 3, 3])))


def test_the_matrix_is_symmetric_and_ordered_by_monosemanticity():
    share = {"a": 0.9, "b": 0.0, "c": 0.4}
    rows = [
        {
            **{**FIELDS, "world_seed": world, "seed": 0, "diverged": np.nan},
            **{"run": run, "other_run": other, "barrier": barrier},
            **{"mono_per_feature": share[run], "other_mono_per_feature": share[other]},
        }
        for world in (0, 1)
        for run, other, barrier in (("a", "b", 0.3), ("a", "c", 0.2), ("b", "c", 0.1))
    ]
    figure = connectivity.barrier_matrix(pd.DataFrame(rows))
    first, second, _ = figure.axes
    assert (first.get_title(), second.get_title()) == ("World 0", "World 1")
    assert [text.get_text() for text in first.get_xticklabels()] == ["0.00", "0.40", "0.90"]
    shown = first.images[0].get_array()
    expected = [[np.nan, 0.1, 0.3], [0.1, np.nan, 0.2], [0.3, 0.2, np.nan]]
    np.testing.assert_array_equal(np.ma.filled(shown, np.nan), expected)
