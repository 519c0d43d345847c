"""What is written beside the figures of the paper: Table 1, the table of claims, the gallery."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from toymono import catalog
from toymono.config import Config, Hyperparams
from toymono.files import atomic_write
from toymono.papers.paper_figure import PaperFigure
from toymono.plots import style
from toymono.plots.registry import Entry

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

# Rows of the catalog that Table 1 lacks or calls otherwise.
_NAMES = {"GELU": "GELU (Table 1: B3, a second time)", "M": "M (section 4; not in Table 1)"}

_OURS = "†"

_NOTES = """B1: Table 1 gives it ten times the decay of B2 to B5.

RG1: Table 1 says bias −1 and decay 0.03 for the row. Section 4.1.3 and figure 14
say that the regularised models start at bias 0 and only their rival, without L1,
at −1: so here."""


class Line(NamedTuple):
    """A figure that was made; if it is of the paper, beside its claim."""

    figure: Entry | PaperFigure
    runs: int
    scale: str | None = None
    """That of the catalog, where its runs are of rows of that."""
    ours: str = ""
    """What ours shows, for a figure of the paper."""


def claims(lines: Sequence[Line], width: int = 46) -> str:
    """A table for a terminal: figure, runs, scale, the paper's claim, what ours shows."""
    head = ("figure", "runs", "scale", "the paper", "ours")
    widths = (6, 5, 6, width, width)
    cells = [
        (line.figure.name, str(line.runs), line.scale, line.figure.claim, line.ours)
        for line in lines
    ]
    printed = []
    for row in [head, *cells]:
        columns = [textwrap.wrap(cell, wide) for cell, wide in zip(row, widths, strict=True)]
        for i in range(max(map(len, columns))):
            parts = [column[i] if i < len(column) else "" for column in columns]
            padded = [f"{part:{wide}}" for part, wide in zip(parts, widths, strict=True)]
            printed.append("  ".join(padded).rstrip())
    return "\n".join(printed)


def gallery(lines: Sequence[Line], lacking: Sequence[str], kind: str, made_by: str) -> str:
    """A page in Markdown that shows the figures with their commands.

    Args:
      lines: The figures.
      lacking: What is said of those that lack runs.
      kind: The figures' format. Markdown shows no PDF: those are linked.
      made_by: The command that made the page.
    """
    parts = [
        "# Figures from the kept runs",
        f"Made by `{made_by}`, with [Table 1](table1.md) of the paper.",
        "\n".join(f"- Not made, {line}." for line in lacking),
    ]
    for line in lines:
        entry, trained_by = line.figure, line.figure.trained_by
        title, runs, told = entry.name, f"{line.runs} run{'s' * (line.runs != 1)}", ""
        # A figure of any runs shows what is kept, which another command may have trained.
        trains = "Trains runs that suit it, if not these; then draws it:"
        if line.scale:
            trained_by = trained_by.replace("--scale small", f"--scale {line.scale}")
            runs = f"{line.scale.title()} scale, {runs}"
            trains = "Trains its runs, then draws it:"
        if isinstance(entry, PaperFigure):
            title = f"figure {entry.number} of the paper: {entry.alias}"
            told = f"- The paper: {entry.claim}.\n- Ours: {line.ours}."
        file = f"{entry.name}.{kind}"
        parts += [
            f"## {title[0].upper()}{title[1:].replace('_', ' ')}",
            f"[{file}]({file})" if kind == "pdf" else f"![{entry.summary}]({file})",
            f"{entry.summary} {runs}.",
            told,
            trains,
            f"```\n{trained_by}\npython -m toymono.plots --figure {entry.name}\n```",
        ]
    return "\n\n".join(filter(None, parts)) + "\n"


def table1() -> str:
    """Table 1 of the paper in Markdown, from the catalog, and its counterpart at a small scale."""
    parts = [
        "# Table 1",
        "From the rows of `toymono.catalog`; `python -m toymono.sweep --sweep LR1` trains one. "
        f"{_OURS} marks what the paper does not state: our choice, explained below.",
    ]
    for scale in catalog.SCALES:
        sizes = "n = 512, 2^17 steps of 2^23/k samples"
        if scale == "small":
            point = next(catalog.SWEEPS["LR1"].points(scale))
            sizes = (
                f"n = {point['n']}, 2^{point['log2_steps']} steps of {point['batch_size']} samples"
            )
            sizes += "; all that differs from the paper's is ours"
        rows = [["Row", *_COLUMNS.values()]]
        rows += [[_NAMES.get(name, name), *_row(name, scale)] for name in catalog.SWEEPS]
        parts += [f"## {scale.title()} scale: {sizes}", _markdown(rows)]
    parts += ["## Where the paper is at odds with itself", _NOTES, f"## {_OURS} Our choices"]
    chosen: dict[str, list[str]] = {}
    for name, sweep in catalog.SWEEPS.items():
        for field, how in sweep.ours.items():
            words = style.name(field).replace("$", "").replace("log_2", "log2")
            chosen.setdefault(f"{words}: {how}", []).append(name)
    parts += ["\n".join(f"- {', '.join(names)}, {how}." for how, names in chosen.items())]
    return "\n\n".join(parts) + "\n"


def _row(name: str, scale: str) -> list[str]:
    defaults = {**vars(Config()), **vars(Hyperparams())}
    points = [
        defaults | {"n": 512, "m": 64} | point for point in catalog.SWEEPS[name].points(scale)
    ]
    ours = catalog.SWEEPS[name].ours if scale == "paper" else {}
    row = []
    for field in _COLUMNS:
        values = list(dict.fromkeys(point[field] for point in points))
        mark = f" {_OURS}" if field in ours else ""
        row.append(", ".join(style.plain(field, content) for content in values) + mark)
    return row


def _markdown(rows: list[list[str]]) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *body])


def write(path: Path, text: str) -> Path:
    """Writes a page, atomic_write first, and renames it.

    Raises:
      FileExistsError: What stands there is no such page: it begins otherwise.
    """
    head = text.partition("\n")[0].encode()
    if path.exists() and path.read_bytes().partition(b"\n")[0].rstrip() != head:
        raise FileExistsError(f"{path} is not written: what stands there is another's")
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path
