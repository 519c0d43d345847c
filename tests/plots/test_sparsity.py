"""The figure of sparse weights."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from toymono.fields import TOY
from toymono.plots import sparsity
from toymono.plots.figure import NothingToDraw

FIELDS = {name: field.default for name, field in TOY.items()}


@pytest.fixture(autouse=True, scope="module")
def no_screen():
    mpl.use("Agg")


def row(rule="none", density=1.0, loss=0.5, seed=0, **more):
    return {
        **{**FIELDS, "sparsity": rule, "k": int(256 / density), "seed": seed, "diverged": np.nan},
        **{"run": f"{rule} {density} {seed} {more}", "loss": loss, "mono_per_feature": loss / 2},
        **{"weight_density": density, "nonzero_weights": 73728, **more},
    }


RULES = ("erdos_renyi", "set", "rigl")
DENSE = [row(loss=0.4, seed=0), row(loss=0.6, seed=1)]
EVEN = [
    row(rule, density, loss=1 / density + index)
    for index, rule in enumerate(RULES)
    for density in (0.5, 0.25, 0.125)
]


def curves(panel):
    """The lines that join densities, by their heights at 1/8 … 1."""
    lines = [line for line in panel.lines if len(line.get_xdata()) == 4]
    for line in lines:
        np.testing.assert_allclose(line.get_xdata(), [0.125, 0.25, 0.5, 1])
    return [np.asarray(line.get_ydata()).tolist() for line in lines]


def words(figure):
    return " ".join(figure.get_suptitle().split())


def test_each_scheme_has_a_line_from_the_dense_model():
    figure = sparsity.sparse_losses(pd.DataFrame(DENSE + EVEN))
    loss, mono = figure.axes
    expected = [[8 + i, 4 + i, 2 + i, 0.5] for i in range(3)]
    np.testing.assert_allclose(curves(loss), expected)
    np.testing.assert_allclose(curves(mono), np.array(expected) / 2)
    labels = [text.get_text().split(":")[0] for text in figure.legends[0].get_texts()]
    assert labels == ["fixed, random", "SET", "RigL"]
    expected = [(0.125, 2048), (0.25, 1024), (0.5, 512), (1, 256)]
    ticks = [text.get_text() for text in mono.get_xticklabels()]
    assert ticks == [f"{density}\n$k$ = {k}" for density, k in expected]
    assert "On lines 73 728 weights are in use" in words(figure)


def test_models_with_one_sparse_tensor_stand_alone():
    alone = [
        row("erdos_renyi", 0.5, loss=3.0, density_rule=rule, weight_density=at, nonzero_weights=n)
        for rule, at, n in (("input", 0.94, 139264), ("output", 0.56, 81920))
    ]
    figure = sparsity.sparse_losses(pd.DataFrame(DENSE + EVEN + alone))
    assert len(curves(figure.axes[0])) == 3
    points = {
        line.get_marker(): line for line in figure.axes[0].lines if len(line.get_xdata()) == 1
    }
    for marker, at in (("s", 0.94), ("^", 0.56)):
        assert (points[marker].get_xdata()[0], points[marker].get_ydata()[0]) == (at, 3)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[3:] == ["input alone", "output alone"]
    assert "On lines 73 728 weights are in use; dotted" in words(figure)
    assert "one tensor alone is sparse, 81 920 or 139 264 weights in use" in words(figure)


def test_denser_input_weights_have_a_line_of_their_own():
    erk = [row("erdos_renyi", density, loss=0.3, density_rule="erk") for density in (0.5, 0.25)]
    figure = sparsity.sparse_losses(pd.DataFrame(DENSE + EVEN + erk))
    drawn = [np.asarray(line.get_ydata()).tolist() for line in figure.axes[0].lines]
    assert [0.3, 0.3, 0.5] in drawn
    assert len(curves(figure.axes[0])) == 3
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[-1].startswith("fixed, random (ERK)")


def test_dense_runs_alone_are_no_figure():
    with pytest.raises(NothingToDraw, match="no run has sparse input and output weights"):
        sparsity.sparse_losses(pd.DataFrame(DENSE))
    few = sparsity.sparse_losses(pd.DataFrame(EVEN))
    assert "dense" not in few.get_suptitle()


def test_tickets_stand_beside_their_controls_and_the_dense_runs():
    def ticket(density, loss, control="none"):
        of = {"origin": "ticket", "ticket_control": control, "k": 256}
        return row("pruned", density, loss=loss, init_bias=-1.0, **of)

    dense = [row(loss=0.5, seed=seed, init_bias=-1.0) for seed in (0, 1)]
    tickets = [ticket(0.8, 0.6), ticket(0.5, 0.7), ticket(0.5, 2.0, "random_masks")]
    figure = sparsity.ticket_losses(pd.DataFrame([*dense, *tickets]))
    loss, _ = figure.axes
    drawn = [np.asarray(line.get_ydata()).tolist() for line in loss.lines]
    assert [0.7, 0.6, 0.5] in drawn
    assert [2.0] in drawn
    [control] = [line for line in loss.lines if np.asarray(line.get_ydata()).tolist() == [2.0]]
    assert control.get_linestyle() == "None"
    assert "does not start at 0" in words(figure)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["ticket", "random masks"]
    with pytest.raises(NothingToDraw, match="no run is a lottery ticket"):
        sparsity.ticket_losses(pd.DataFrame(dense))


def test_tickets_are_drawn_by_the_step_rewound_to():
    of = {"origin": "ticket", "ticket_control": "none", "k": 256, "init_bias": -1.0}
    dense = [row(loss=0.5, init_bias=-1.0, ticket_control="none")]
    tickets = [
        row("pruned", 0.8, loss=loss, rewind_step=step, **of)
        for step, loss in ((1, 0.6), (2048, 0.55))
    ]
    figure = sparsity.rewound_losses(pd.DataFrame([*dense, *tickets]))
    drawn = [np.asarray(line.get_ydata()).tolist() for line in figure.axes[0].lines]
    assert [0.6, 0.5] in drawn
    assert [0.55, 0.5] in drawn
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["1", "2\N{NARROW NO-BREAK SPACE}048"]


def test_divided_models_stand_beside_those_trained_on():
    def of(origin, k, density, loss, bias):
        given = {"origin": origin, "k": k, "init_bias": bias, "weight_density": density}
        return row("none", density, loss=loss, **given)

    rows = [
        of(origin, k, density, loss + bias / 10, bias)
        for origin, k, density, loss in (("continued", 8, 1.0, 0.7), ("expand", 16, 0.5, 0.5))
        for bias in (-1.0, 0.0)
    ]
    figure = sparsity.expanded_losses(pd.DataFrame(rows))
    drawn = [np.asarray(line.get_ydata()).tolist() for line in figure.axes[0].lines]
    assert [0.5, 0.7] in drawn
    assert [text.get_text() for text in figure.axes[1].get_xticklabels()] == [
        "0.5\n$k$ = 16", "1\n$k$ = 8"
    ]  # fmt: skip
    with pytest.raises(NothingToDraw, match="no run has divided neurons"):
        sparsity.expanded_losses(pd.DataFrame(rows[:2]))
