"""The charts of the page in Altair; their data have names, and the page's program fills them.

Colours by theme, titles of axes that can be chosen, and scales that hold over all
snapshots of a run are set by the program of the page (`js/`).
"""

from typing import Any

import altair as alt

KINDS = ("monosemantic", "polysemantic", "dead")
# seaborn's colorblind palette, as in `plots.style.KINDS`; the grey is readable on both themes.
_KIND_COLORS = ("#0173b2", "#de8f05", "#8a8a8a")
_KIND_SHAPES = ("circle", "diamond", "cross")

Chart = alt.Chart | alt.LayerChart | alt.FacetChart
"""What Altair says that its layers may be."""

_HEIGHT = 300
_SMALL = 220


def all_charts() -> dict[str, dict[str, Any]]:
    """The Vega-Lite specification of each chart of the page by its name."""
    charts = {
        "overview": overview(),
        "traces": traces(),
        "activations": activations(),
        "neurons": neurons(),
        "curve": curve(),
        "several": several(),
    }
    return {name: chart.to_dict() for name, chart in charts.items()}


def overview() -> alt.Chart:
    """One point per run: two chosen quantities, coloured by a chosen setting."""
    return (
        alt.Chart(alt.NamedData("rows"), width="container", height=_HEIGHT)
        .mark_point(filled=True, opacity=0.85)
        .encode(
            x=alt.X("x:Q").scale(zero=False),
            y=alt.Y("y:Q").scale(zero=False),
            color=alt.Color("color:N"),
            size=alt.condition("datum.pinned", alt.value(220), alt.value(60)),
            tooltip=[alt.Tooltip("label:N", title="Run")],
        )
    )


def traces() -> Chart:
    """One line per run over training time; the nearest is emphasised."""
    hover = alt.selection_point(
        name="hover",
        fields=["run"],
        on="pointerover",
        nearest=True,
        clear="pointerout",
        empty=False,
    )
    base = alt.Chart(alt.NamedData("rows")).encode(
        x=alt.X("x:Q"),
        y=alt.Y("y:Q").scale(zero=False),
        color=alt.Color("color:N"),
        detail="run:N",
    )
    strong = alt.condition(hover, alt.value(1), alt.value(0.7))
    lines = base.mark_line(clip=True).encode(
        opacity=strong,
        strokeWidth=alt.condition("datum.pinned", alt.value(4), alt.value(1.5)),
    )
    points = (
        base.mark_point(filled=True, size=50)
        .encode(
            opacity=alt.condition(hover, alt.value(1), alt.value(0)),
            tooltip=[
                alt.Tooltip("label:N", title="Run"),
                alt.Tooltip("x:Q", title="Steps", format=","),
                alt.Tooltip("y:Q", title="Value", format=".4~g"),
            ],
        )
        .add_params(hover)
    )
    return alt.layer(lines, points).properties(width="container", height=_HEIGHT)


def activations() -> Chart:
    """The pre-rendered image of each neuron's activation on each feature, one neuron marked."""
    picture = (
        alt.Chart(alt.NamedData("image"))
        .mark_image(aspect=False, smooth=False)
        .encode(
            url="url:N",
            x=alt.X("x0:Q").title("Feature, sorted").scale(nice=False, zero=True),
            x2="x1:Q",
            y=alt.Y("y0:Q").title("Neuron, sorted").scale(nice=False, zero=True, reverse=True),
            y2="y1:Q",
        )
    )
    marked = (
        alt.Chart(alt.NamedData("picked"))
        .mark_point(shape="triangle-right", filled=True, size=90, xOffset=-6, clip=False)
        .encode(
            y=alt.Y("rank:Q"),
            x=alt.value(0),
            color=alt.value("#d55e00"),
            tooltip=[alt.Tooltip("rank:Q", title="Neuron")],
        )
    )
    return alt.layer(picture, marked).properties(width="container", height=320)


def neurons() -> Chart:
    """One point per neuron: its bias and its score, by kind; the picked one is ringed."""
    base = alt.Chart(alt.NamedData("neurons")).encode(
        x=alt.X("bias:Q").title("Bias").scale(zero=False),
        y=alt.Y("score:Q").title("Monosemanticity").scale(domain=[0, 1.04], nice=False),
    )
    domain = list(KINDS)
    points = base.mark_point(filled=True, size=32, opacity=0.7).encode(
        color=alt.Color("kind:N")
        .title(None)
        .scale(domain=domain, range=list(_KIND_COLORS))
        .legend(orient="bottom", direction="horizontal"),
        shape=alt.Shape("kind:N")
        .title(None)
        .scale(domain=domain, range=list(_KIND_SHAPES))
        .legend(orient="bottom", direction="horizontal"),
        tooltip=[
            alt.Tooltip("rank:Q", title="Neuron"),
            alt.Tooltip("score:Q", title="Monosemanticity", format=".3f"),
            alt.Tooltip("bias:Q", title="Bias", format=".3f"),
            alt.Tooltip("part:N", title="Part"),
            alt.Tooltip("feature:Q", title="Strongest feature"),
            alt.Tooltip("count:Q", title="Features it responds to"),
        ],
    )
    ring = (
        alt.Chart(alt.NamedData("picked"))
        .mark_point(size=170, strokeWidth=2.5, filled=False)
        .encode(x="bias:Q", y="score:Q", color=alt.value("#d55e00"))
    )
    return alt.layer(points, ring).properties(width="container", height=_SMALL)


def curve() -> alt.Chart:
    """Activation of one neuron on its two strongest features, by their amplitude."""
    return (
        alt.Chart(alt.NamedData("curve"), width="container", height=_SMALL)
        .mark_line(point={"size": 18})
        .encode(
            x=alt.X("amplitude:Q").title("Amplitude of one feature alone"),
            y=alt.Y("activation:Q").title("Activation"),
            color=alt.Color("feature:N")
            .title(None)
            .scale(domain=["strongest feature", "second strongest"], range=["#0173b2", "#de8f05"])
            .legend(orient="bottom", direction="horizontal"),
            strokeDash=alt.StrokeDash("feature:N")
            .title(None)
            .scale(domain=["strongest feature", "second strongest"], range=[[1, 0], [5, 3]])
            .legend(orient="bottom", direction="horizontal"),
            tooltip=[
                alt.Tooltip("feature:N", title="Feature"),
                alt.Tooltip("amplitude:Q", title="Amplitude"),
                alt.Tooltip("activation:Q", title="Activation", format=".3f"),
            ],
        )
    )


def several() -> alt.Chart:
    """Score of one neuron when several features are active together."""
    return (
        alt.Chart(alt.NamedData("several"), width="container", height=_SMALL)
        .mark_line(point={"size": 30}, color="#0173b2")
        .encode(
            x=alt.X("active:Q").title("Active features").scale(type="log", base=2, nice=False),
            y=alt.Y("score:Q").title("Monosemanticity").scale(domain=[0, 1.04], nice=False),
            tooltip=[
                alt.Tooltip("active:Q", title="Active features"),
                alt.Tooltip("score:Q", title="Monosemanticity", format=".3f"),
            ],
        )
    )
