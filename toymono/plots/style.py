"""The look that all figures share: fonts, words, and colours that colour-blind readers tell apart.

Numbers run through `viridis`, from dark to light as they rise; words take
seaborn's `colorblind` palette. Seeds are a mean and a range.
"""

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
from pandas.api.types import is_numeric_dtype

from toymono import frames
from toymono.config import CHOICES, Config, Hyperparams
from toymono.plots import selection

RC = {
    **sns.plotting_context("paper"),
    **sns.axes_style("ticks"),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 100,
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, and has every sign that we use
    "image.cmap": "viridis",
    "legend.frameon": False,
    "legend.title_fontsize": 9,
    "lines.linewidth": 1.4,
    "pdf.fonttype": 42,  # text stays text
    "savefig.dpi": 150,
    "svg.hashsalt": "toymono",  # or no two files would be alike
}
"""matplotlib's settings while a figure is drawn or saved."""

SEEDS = {
    "estimator": "mean",
    "errorbar": ("pi", 100),
    "err_kws": {"alpha": 0.15, "linewidth": 0},
}
"""How seaborn sums up seeds: a line for their mean, a band from the lowest to the highest."""

WORDS = sns.color_palette("colorblind")
"""Colours of what is told apart by name."""
KINDS = {"monosemantic": WORDS[0], "polysemantic": WORDS[1], "dead": WORDS[7]}
"""Colours of the kinds of neurons."""
PLAIN = WORDS[0]
"""The colour of what is not compared with anything."""
RIVAL = WORDS[3]
"""The colour of what stands outside a scale of colours, to be compared with all of it."""
REFERENCE = {"color": "0.45", "linewidth": 0.9, "linestyle": (0, (1, 2)), "zorder": 0.5}
"""Lines that show where a number would mean something."""

NAMES = {
    "active": "features that come together",
    "n": "features $n$",
    "m": "embedding dimensions $m$",
    "k": "neurons $k$",
    "log2_steps": "log$_2$ of training steps",
    "feature_law": "feature frequencies",
    "eps": "feature probability ε",
    "init_bias": "initial mean bias",
    "l1": "weight of L1",
    "alpha": "weight of the penalty",
    "exponent": "power-law exponent",
    "cosine_period": "period of the schedule (steps)",
}
"""What fields are called in print, where it is not their own name."""

# Fields that a caption names whatever their value; the others if it is not the default.
_ALWAYS = {"task", "n", "m", "k", "batch_size", "log2_steps"}
_ALWAYS |= {"eps", "learning_rate", "init_bias", "bias_decay"}


def name(field: str) -> str:
    """What a field is called in print."""
    return NAMES.get(field, field.replace("_", " "))


def label(field: str) -> str:
    """A field's name as the label of an axis or a legend."""
    return name(field)[0].upper() + name(field)[1:]


def value(field: str, content: Any) -> str:
    """A field's value in print.

    Example:
      >>> value("eps", 1 / 64), value("eps", 2**-3.5), value("init_bias", -0.5), value("l1", 1e-5)
      ('1/64', '2$^{-3.5}$', '−0.5', '10$^{-5}$')
    """
    if isinstance(content, str):
        return content.replace("_", " ")
    if field == "eps" and 0 < content < 1:
        log2 = round(math.log2(content), 6)
        if log2.is_integer():
            return f"1/{round(1 / content)}"
        if log2 == round(log2, 1):
            return f"2$^{{{log2}}}$"
    if field == "l1" and 0 < content < 1:
        log10 = round(math.log10(content), 6)
        if log10.is_integer():
            return f"10$^{{{log10:.0f}}}$"
    digits, tens, power = f"{content:.{3 if field == 'eps' else 4}g}".partition("e")
    digits = digits.replace("-", "−")
    return f"{digits}·10$^{{{int(power)}}}$".removeprefix("1·") if tens else digits


def plain(field: str, content: Any) -> str:
    """A field's value in print that knows no superscripts, such as a terminal's.

    Example:
      >>> plain("l1", 1e-6), plain("eps", 0.25), plain("eps", 2**-3.5)
      ('10^-6', '1/4', '2^-3.5')
    """
    return value(field, content).translate(str.maketrans("", "", "${}"))


def setting(field: str, content: Any) -> str:
    """A field with its value, as short as can be understood.

    Example:
      >>> setting("optimizer", "adam"), setting("k", 512).split()
      ('adam', ['k', '=', '512'])
    """
    if field in CHOICES:
        noun = {"feature_law": " frequencies", "penalty": " penalty", "schedule": " schedule"}
        return value(field, content) + noun.get(field, "")
    if field == "log2_steps":
        return f"2$^{{{content}}}$\N{NO-BREAK SPACE}steps"
    called = {"n": "n", "m": "m", "k": "k", "eps": "ε", "l1": "L1"}.get(field, name(field))
    return f"{called} = {value(field, content)}".replace(" ", "\N{NO-BREAK SPACE}")


def colors(frame: pd.DataFrame, field: str) -> dict[Any, Any]:
    """A colour for each value of a field, in the order of a legend."""
    values = selection.values(frame, field)
    number = is_numeric_dtype(frame[field])
    palette = sns.color_palette("viridis" if number else "colorblind", len(values))
    return dict(zip(values, palette, strict=True))


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

    Words other than the values' own are in `labels`.
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


def caption(
    figure: Figure,
    frame: pd.DataFrame,
    note: str = "",
    beside: bool = False,
    head: str = "",
    seeds: tuple[str, str] = ("Lines", "bands"),
) -> None:
    """Says above the panels what the runs have in common, how many seeds they are, and `note`.

    `head` comes first; `beside` leaves room for a legend on the right; `seeds`
    names what shows their mean and what their range, if anything does.
    """
    held = [
        setting(field, frame[field].iloc[0])
        for field, default in {**vars(Config()), **vars(Hyperparams())}.items()
        if frame[field].nunique() == 1 and (field in _ALWAYS or frame[field].iloc[0] != default)
    ]
    counts = frame.groupby(selection.SETTING)["seed"].nunique()
    few, many = counts.min(), counts.max()
    if many > 1:
        number = many if few == many else f"{few} to {many}"
        spread = f"; {seeds[1]}: their range" if seeds[1] else ""
        notes = [f"{seeds[0]}: mean of {number} seeds{spread}."]
    else:
        notes = [f"Seed {', '.join(map(str, sorted(frame['seed'].unique())))}."]
    width = int(16 * (figure.get_figwidth() - (1.5 if beside else 0)))
    lines = textwrap.wrap(f"{head}{', '.join(held)}.", width)
    lines += textwrap.wrap(" ".join([*notes, note.strip()]), width)
    figure.suptitle("\n".join(lines), fontsize=8, color="0.3", ha="left", x=0.02)


def by_sweep(frame: pd.DataFrame, shown: tuple[str, ...]) -> str:
    """What sets the sweeps of a frame apart beside the fields `shown`, as a sentence or none."""
    told = []
    for field in frames.swept(frame):
        of_sweep = frame.groupby("sweep", sort=False)[field]
        if field not in shown and (of_sweep.nunique() == 1).all():
            told.append(f"{label(field)}: {_by_sweep(field, of_sweep.first())}.")
    return " ".join(told)


def _by_sweep(field: str, content_s: pd.Series) -> str:
    """A field's value in each sweep, said once for several that agree: `0.1 in B1, else 0.03`."""
    shown = {sweep: value(field, content) for sweep, content in content_s.items()}
    common, count = Counter(shown.values()).most_common(1)[0]
    told = [f"{of} in {sweep}" for sweep, of in shown.items() if count == 1 or of != common]
    told += [f"else {common}"] if count > 1 else []
    return ", ".join(words.replace(" ", "\N{NO-BREAK SPACE}") for words in told)


def number_axis(axes: Axes, field: str, values: Any) -> None:
    """Makes the horizontal axis suit a field: its scale, its ticks, its name.

    The ticks stand at the values; on a linear axis that has no room for all, at round numbers.
    """
    values = np.unique(np.asarray(values, float))
    positive = values[values > 0]
    logarithmic = values[0] >= 0 and positive[-1] >= 8 * positive[0]
    if logarithmic:
        # 0 stands a decade to the left of the lowest.
        zero = {"value": "symlog", "linthresh": positive[0], "linscale": 1}
        axes.set_xscale(**zero if values[0] == 0 else {"value": "log"})
    to_page = axes.xaxis.get_transform()
    place = to_page.transform(values)
    room = np.ptp(place)
    ends = np.array([place[0] - 0.05 * room, place[-1] + 0.05 * room])
    axes.set_xlim(*to_page.inverted().transform(ends))
    # Our choice: how much of an axis a character takes, in a figure of the usual width.
    needed = [0.018 * (1 + len(plain(field, content))) * room for content in values]
    ticks = [0]
    for i in range(1, len(values)):
        if place[i] - place[ticks[-1]] >= max(needed[i], needed[ticks[-1]], room / 9):
            ticks.append(i)
    if not logarithmic and len(ticks) < len(values):
        round_ticks(axes)
    else:
        if len(ticks) > 1:
            ticks[-1] = len(values) - 1  # the last has a better claim than one close before it
        axes.set_xticks(values[ticks], [value(field, content) for content in values[ticks]])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(label(field))


def round_ticks(axes: Axes) -> None:
    """Sets the ticks of the horizontal axis at round numbers."""
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(ScalarFormatter())


def from_zero(axes: Axes) -> None:
    """Starts the vertical axis a little below 0, so that what lies at 0 is seen whole."""
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


def left_out(frame: pd.DataFrame, field: str | None, shown: list[Any]) -> str:
    """That a field has more values than are shown, as a sentence; nothing if all are."""
    count = frame[field].nunique() if field else 1
    return f" {len(shown)} of {count} values of {name(field)}." if len(shown) < count else ""
