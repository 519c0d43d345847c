"""The style that all figures share: fonts, titles, legends, captions, colour-blind-safe colours.

Numbers take colours from `viridis`, from dark to light as they increase; words
take seaborn's `colorblind` palette. Seeds are shown by their mean and range.
Words for columns come from `toymono.quantities`.
"""

import itertools
import math
import textwrap
from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator, ScalarFormatter
from matplotlib.transforms import Bbox
from pandas.api.types import is_numeric_dtype

from toymono import frames
from toymono.fields import TOY
from toymono.frames import SETTING
from toymono.plots import selection
from toymono.quantities import QUANTITIES

RC: Any = {
    **sns.plotting_context("paper"),
    **sns.axes_style("ticks"),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 100,
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, and has every character that we use
    "image.cmap": "viridis",
    "legend.frameon": False,
    "legend.title_fontsize": 9,
    "lines.linewidth": 1.4,
    "pdf.fonttype": 42,  # text stays text
    "savefig.dpi": 150,
    "svg.hashsalt": "toymono",  # otherwise no two files would be equal
}
"""matplotlib's settings while a figure is drawn or saved."""

SEEDS = {
    "estimator": "mean",
    "errorbar": ("pi", 100),
    "err_kws": {"alpha": 0.15, "linewidth": 0},
}
"""How seaborn shows seeds: a line for their mean, a band from the lowest to the highest."""

CATEGORICAL = sns.color_palette("colorblind")
"""Colours of categories."""
KINDS = {"monosemantic": CATEGORICAL[0], "polysemantic": CATEGORICAL[1], "dead": CATEGORICAL[7]}
"""Colours of the kinds of neurons."""
PLAIN = CATEGORICAL[0]
"""The colour of a single line."""
BASELINE = CATEGORICAL[3]
"""The colour of a baseline, which is not part of the scale of colours."""
DISTINCT = [CATEGORICAL[i] for i in (0, 1, 2, 4, 9, 7, 5, 6, 8)]
"""Colours of several categories, without `BASELINE`, which is hard to tell from the orange."""
COPIES: dict[str, tuple[str, Any]] = {
    "trained": ("trained", "0.1"),
    "rotated": ("rotated weights", CATEGORICAL[1]),
    "untrained": ("untrained", CATEGORICAL[0]),
    "untrained_spread": ("untrained,\nbiases around 0", CATEGORICAL[2]),
    "untrained_unbiased": ("untrained,\nno biases", CATEGORICAL[4]),
}
"""Words and colours of a network and its copies, by the names of `frames.spectrum`."""
REFERENCE = {"color": "0.45", "linewidth": 0.9, "linestyle": (0, (1, 2)), "zorder": 0.5}
"""Lines of reference."""


def label(column: str, width: int = 21) -> str:
    r"""The label of an axis for a column, wrapped into lines of `width` characters.

    Example:
      >>> label("mono_per_feature"), label("m")
      ('Monosemantic neurons\nper feature', 'Embedding dimensions $m$')
    """
    words = QUANTITIES[column].axis
    return words if len(words) <= width + 4 else textwrap.fill(words, width)


def name(column: str) -> str:
    """What a column is called within a sentence of a caption."""
    return QUANTITIES[column].label


def value(column: str, content: Any) -> str:
    """A value of a column, for figures."""
    return QUANTITIES[column].math(content)


def setting(column: str, content: Any) -> str:
    """A field with its value, as short as can be understood, for figures."""
    return QUANTITIES[column].setting(content)


def colors(frame: pd.DataFrame, field: str) -> dict[Any, Any]:
    """A colour for each value of a field, in the order of a legend."""
    values = selection.values(frame, field)
    number = is_numeric_dtype(frame[field])
    palette = sns.color_palette("viridis", len(values)) if number else itertools.cycle(DISTINCT)
    return dict(zip(values, palette, strict=False))


def signed_colors(values: Collection[float]) -> dict[float, tuple]:
    """A colour for each number by its side of 0: blues above, oranges below, darker away from it.

    0 itself is dark grey.
    """
    found = {0.0: (0.25, 0.25, 0.25)}
    for sign, palette in ((1, "Blues"), (-1, "Oranges")):
        side = sorted({value for value in values if value * sign > 0}, key=abs)
        shades = sns.color_palette(palette, len(side) + 3)[3:]
        found |= dict(zip(side, shades if len(side) > 1 else shades[-1:], strict=True))
    return {value: found[value] for value in sorted(set(values))}


def legend(
    figure: Figure,
    field: str,
    palette: dict[Any, Any],
    labels: dict[Any, str] | None = None,
    title: str | None = None,
    **line: Any,
) -> None:
    """Explains the colours of a field's values beside the panels.

    `labels` replaces the words of some values.
    """
    labels = {content: value(field, content) for content in palette} | (labels or {})
    handles = [
        Line2D([], [], color=color, label=labels[content], **line)
        for content, color in palette.items()
    ]
    legend_of(figure, handles, title or label(field), math.ceil(len(handles) / 16))


def legend_of(figure: Figure, handles: list[Line2D], title: str, columns: int = 1) -> None:
    """Explains lines beside the panels."""
    figure.legend(
        handles=handles, title=title, loc="outside right upper", ncols=columns, alignment="left"
    )


def kinds(figure: Figure) -> None:
    """Explains the colours of `KINDS` below the panels."""
    handles = [
        Line2D([], [], color=color, label=kind, linestyle="", marker="o", markersize=4)
        for kind, color in KINDS.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def headline(figure: Figure, words: str) -> None:
    """Writes a title in bold above a figure; `page` covers both, and so does a tight box."""
    lines = textwrap.wrap(words, int(11.5 * figure.get_figwidth()))
    figure.text(
        *(0.02, 1.0),
        "\n".join(lines),
        fontsize=10,
        fontweight="bold",
        va="bottom",
        gid=_HEADLINE,
    )


_HEADLINE = "headline"


def page(figure: Figure) -> Bbox:
    """The figure with its `headline`, in inches; fixes the layout, for a page is larger than it."""
    width, height = figure.get_size_inches()
    lines = sum(1 + text.get_text().count("\n") for text in figure.texts if text.get_gid())
    if not lines:
        return Bbox([[0, 0], [width, height]])
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for legend in figure.legends:  # otherwise those at the top would move up to the title
        legend.set_bbox_to_anchor((0, 0, 1, 1), figure.transFigure)
    return Bbox([[0, 0], [width, height + 0.18 * lines + 0.08]])


def caption(
    figure: Figure,
    frame: pd.DataFrame,
    note: str = "",
    beside: bool = False,
    head: str = "",
    seeds: tuple[str, str] | None = ("Lines", "bands"),
) -> None:
    """Writes below the title what the runs have in common, the number of seeds, and `note`.

    `head` comes first; `beside` leaves room for a legend on the right; `seeds`
    names what shows their mean, if they are not pooled, and what their range, if
    anything does; None leaves them out. Fields that have no effect in these runs are left out.
    """
    values = frame.iloc[0]
    held = [
        setting(name, values[name])
        for name, field in TOY.items()
        if frame[name].nunique() == 1
        and (field.in_caption or values[name] != field.default)
        and field.matters(values)
    ]
    counts = frame.groupby(SETTING)["seed"].nunique()
    few, many = counts.min(), counts.max()
    notes: list[str] = []
    if seeds is not None and many > 1:
        number = many if few == many else f"{few} to {many}"
        spread = f"; {seeds[1]}: their range" if seeds[1] else ""
        mean = f"{seeds[0]}: mean of {number} seeds" if seeds[0] else f"{number} seeds, pooled"
        notes = [f"{mean}{spread}."]
    elif seeds is not None:
        notes = [f"Seed {', '.join(map(str, sorted(frame['seed'].unique())))}."]
    width = int(16 * (figure.get_figwidth() - (1.5 if beside else 0)))
    shared = f"{head}{', '.join(held)}."
    paragraphs = (shared[0].upper() + shared[1:], " ".join([*notes, note.strip()]))
    small_print(figure, *paragraphs, width=width)


def small_print(figure: Figure, *paragraphs: str, width: int | None = None) -> None:
    """Writes a caption above the panels, in lines of so many characters, or of all the width."""
    width = width or int(16 * figure.get_figwidth())
    lines = [line for words in paragraphs for line in textwrap.wrap(words, width)]
    figure.suptitle("\n".join(lines), fontsize=8, color="0.3", ha="left", x=0.02)


def by_sweep(frame: pd.DataFrame, shown: tuple[str, ...]) -> str:
    """The fields, other than `shown`, in which the sweeps of a frame differ, as sentences."""
    sentences = []
    for field in frames.swept(frame):
        of_sweep = frame.groupby("sweep", sort=False)[field]
        if field not in shown and (of_sweep.nunique() == 1).all():
            sentences.append(f"{QUANTITIES[field].axis}: {_by_sweep(field, of_sweep.first())}.")
    return " ".join(sentences)


def _by_sweep(field: str, content_s: pd.Series) -> str:
    """A field's value in each sweep, once for several that agree: `0.1 in B1, otherwise 0.03`."""
    shown = {sweep: value(field, content) for sweep, content in content_s.items()}
    common, count = Counter(shown.values()).most_common(1)[0]
    parts = [
        f"{words} in {sweep}" for sweep, words in shown.items() if count == 1 or words != common
    ]
    parts += [f"otherwise {common}"] if count > 1 else []
    return ", ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts)


def number_axis(axes: Axes, field: str, values: Any) -> None:
    """Sets the scale, the ticks and the label of the horizontal axis for a field.

    The ticks are at the values; on a linear axis without room for all, at round numbers.
    """
    values = np.unique(np.asarray(values, float))
    positive = values[values > 0]
    logarithmic = values[0] >= 0 and positive[-1] >= 8 * positive[0]
    if logarithmic:
        # 0 is a decade to the left of the lowest.
        zero = {"value": "symlog", "linthresh": positive[0], "linscale": 1}
        axes.set_xscale(**zero if values[0] == 0 else {"value": "log"})
    to_page = axes.xaxis.get_transform()
    at = to_page.transform(values)
    room = np.ptp(at)
    ends = np.array([at[0] - 0.05 * room, at[-1] + 0.05 * room])
    axes.set_xlim(*to_page.inverted().transform(ends))
    # Our choice: how much of an axis a character takes, in a figure of the usual width.
    needed = [0.018 * (1 + len(QUANTITIES[field].text(content))) * room for content in values]
    ticks = [0]
    for i in range(1, len(values)):
        if at[i] - at[ticks[-1]] >= max(needed[i], needed[ticks[-1]], room / 9):
            ticks.append(i)
    if not logarithmic and len(ticks) < len(values):
        round_ticks(axes)
    else:
        if len(ticks) > 1:
            ticks[-1] = len(values) - 1  # the last value matters more than one close before it
        axes.set_xticks(values[ticks], [value(field, content) for content in values[ticks]])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(QUANTITIES[field].axis)


def round_ticks(axes: Axes) -> None:
    """Sets the ticks of the horizontal axis at round numbers."""
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(ScalarFormatter())


def from_zero(axes: Axes) -> None:
    """Starts the vertical axis a little below 0, so that points at 0 are fully visible."""
    top = axes.get_ylim()[1]
    axes.set_ylim(-0.04 * top, 1.06 * top)


def mark_features(axes: Axes, n: int) -> None:
    """A vertical line where there are as many neurons as features."""
    axes.axvline(n, **REFERENCE)
    axes.annotate(
        "$n$",
        (n, 1),
        (2, -1),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        va="top",
        color=REFERENCE["color"],
    )


def row_by_row(count: int, most: int) -> tuple[int, int]:
    """Rows and columns for so many panels, at most `most` side by side.

    Example:
      >>> row_by_row(3, 4), row_by_row(6, 4), row_by_row(8, 4)
      ((1, 3), (2, 3), (2, 4))
    """
    rows = math.ceil(count / most)
    return rows, math.ceil(count / rows)


def omitted(frame: pd.DataFrame, field: str | None, shown: list[Any]) -> str:
    """A sentence if a field has more values than are shown; otherwise nothing."""
    count = frame[field].nunique() if field else 1
    return (
        f" {len(shown)} of {count} values of the {name(field)}."
        if field and len(shown) < count
        else ""
    )
