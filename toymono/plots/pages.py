"""Pages about figures: the gallery, Table 1 of the paper, claims beside facts."""

import textwrap
from collections.abc import Mapping, Sequence

from toymono import catalog, markdown
from toymono.fields import TOY
from toymono.plots.gallery import Drawn
from toymono.quantities import QUANTITIES
from toymono.quantities.formats import plain

# The columns of Table 1.
_COLUMNS = {
    "task": "Task",
    "nonlinearity": "Activation",
    "feature_law": "Frequencies",
    "m": "m",
    "k": "k",
    "eps": "ε",
    "learning_rate": "Learning rate",
    "bias_decay": "Bias decay",
    "init_bias": "Bias offset",
    "l1": "L1",
}

# Sweeps of the catalog that Table 1 lacks or calls otherwise.
_NAMES = {"GELU": "GELU (Table 1: B3, a second time)", "M": "M (section 4; not in Table 1)"}

_OURS = "†"

_NOTES = """B1: Table 1 gives it ten times the decay of B2 to B5.

RG1: Table 1 says bias −1 and decay 0.03 for the row. Section 4.1.3 and figure 14
say that the regularised models start at bias 0 and only their baseline, without
L1, at −1: so here."""


def claims(drawn: Sequence[Drawn], statements: Mapping[str, str], width: int = 46) -> str:
    """A table for a terminal: figure, runs, scale, the paper's claims, numbers from our runs.

    Args:
      drawn: The paper's figures.
      statements: What each claim says, by its name.
      width: Characters of the last two columns.
    """
    widths = (6, 5, 6, width, width)
    rows = [("figure", "runs", "scale", "the paper", "our runs")]
    for done in drawn:
        said = " ".join(f"{name}: {statements[name]}" for name in done.figure.claims)
        rows.append((done.figure.name, str(done.runs), done.scale or "", said, done.facts))
    lines = []
    for row in rows:
        columns = [textwrap.wrap(cell, wide) for cell, wide in zip(row, widths, strict=True)]
        for i in range(max(map(len, columns))):
            cells = [column[i] if i < len(column) else "" for column in columns]
            padded = [f"{cell:{wide}}" for cell, wide in zip(cells, widths, strict=True)]
            lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def gallery(
    drawn: Sequence[Drawn],
    skipped: Sequence[str],
    statements: Mapping[str, str],
    format_: str,
    command: str,
) -> str:
    """A page in Markdown that shows the figures with their commands.

    Args:
      drawn: The figures.
      skipped: Names of those that lack runs.
      statements: What each claim of the paper says, by its name.
      format_: The figures' format. Markdown shows no PDF: those are linked.
      command: The command that made the page.
    """
    parts = [
        "# Figures of the stored runs",
        f"Made by `{command}`, with [Table 1](table1.md) of the paper.",
    ]
    parts += [_section(done, statements, format_) for done in drawn]
    if skipped:
        parts.append(
            f"Not drawn for lack of runs: {', '.join(skipped)}. `toymono plots --list` shows the "
            "commands that train them."
        )
    return "\n\n".join(parts) + "\n"


def _section(done: Drawn, statements: Mapping[str, str], format_: str) -> str:
    figure, trained_by = done.figure, done.figure.trained_by
    title = figure.name
    runs = f"{done.runs} run{'s' * (done.runs != 1)}"
    # A general figure shows what is stored, which another command may have trained.
    trains = "Train matching runs and draw the figure:"
    if done.scale:
        trained_by = trained_by.replace("--scale small", f"--scale {done.scale}")
        runs = f"{catalog.SCALES[done.scale].title}, {runs}"
        trains = "Train its runs and draw the figure:"
    notes = [f"- The paper: {statements[name]}" for name in figure.claims]
    notes += [f"- Our runs: {done.facts}."] if done.facts else []
    if figure.number:
        title = f"figure {figure.number} of the paper: {figure.alias}"
    file = f"{figure.name}.{format_}"
    parts = [
        f"## {title[0].upper()}{title[1:].replace('_', ' ')}",
        f"[{file}]({file})" if format_ == "pdf" else f"![{figure.summary}]({file})",
        f"{figure.summary} {runs}.",
        "\n".join(notes),
        trains,
        f"```\n{trained_by}\npython -m toymono.plots --figure {figure.name}\n```",
    ]
    return "\n\n".join(filter(None, parts))


def table1() -> str:
    """Table 1 of the paper in Markdown, from the catalog, and its counterparts at other scales."""
    parts = [
        "# Table 1",
        "From `toymono.catalog`; `python -m toymono.sweep --sweep LR1` trains one row. "
        f"{_OURS} marks what the paper does not state: our choice, explained below.",
    ]
    seen: dict[str, str] = {}
    for name, scale in catalog.SCALES.items():
        ours = "" if name == "paper" else "; all differences from the paper are our choice"
        rows = [[_NAMES.get(sweep, sweep), *_row(sweep, name)] for sweep in catalog.SWEEPS]
        table = markdown.table(["Row", *_COLUMNS.values()], rows)
        # The table does not show the batch size.
        first = seen.setdefault(table.replace(f" {_OURS}", ""), scale.title)
        same = f"The table is that of the {first[0].lower()}{first[1:]}."
        parts += [f"## {scale.title}: {scale.sizes}{ours}", table if first == scale.title else same]
    parts += ["## Where the paper contradicts itself", _NOTES, f"## {_OURS} Our choices"]
    chosen: dict[str, list[str]] = {}
    for name, sweep in catalog.SWEEPS.items():
        for field, how in sweep.ours.items():
            chosen.setdefault(f"{plain(QUANTITIES[field].label)}: {how}", []).append(name)
    parts += ["\n".join(f"- {', '.join(names)}, {how}." for how, names in chosen.items())]
    return "\n\n".join(parts) + "\n"


def _row(name: str, scale: str) -> list[str]:
    defaults = {field: TOY[field].default for field in TOY} | {"n": 512, "m": 64}
    points = [defaults | point for point in catalog.SWEEPS[name].points(scale)]
    ours = catalog.SWEEPS[name].ours if scale == "paper" else {}
    row = []
    for field in _COLUMNS:
        values = list(dict.fromkeys(point[field] for point in points))
        mark = f" {_OURS}" if field in ours else ""
        row.append(", ".join(QUANTITIES[field].text(content) for content in values) + mark)
    return row
