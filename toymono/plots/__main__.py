"""Draws figures of the stored runs.

    toymono plots
    toymono plots --figure training_traces,sorted_biases --by learning_rate
    toymono plots --where k=512,init_bias=-1,init_bias=0 --format png
    toymono plots --paper

By default it draws every figure for which there are runs and writes the paper's
Table 1 and gallery.md, a page that shows the figures with the commands that train
their runs; --figure, --by and --where write no page. A general figure shows the
largest set of runs that differ in at most two fields; --by and --where choose
another. A figure of the paper, fig01 to fig26, shows the runs of sweeps of the
catalog, at the scale for which more of the sweep is stored. --list names all
figures.
"""

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from toymono import cli, where
from toymono.fields import TOY

if TYPE_CHECKING:
    from toymono.plots.figure import Figure
    from toymono.plots.gallery import Drawn

_PAGE_FORMATS = ("png", "svg")  # Markdown shows these

_FIGURE = flags.DEFINE_list("figure", None, "Figures to draw, a comma list; --list names them.")
_PAPER = flags.DEFINE_bool(
    "paper",
    False,
    "Draw the paper's figures only, and print the paper's claims beside numbers from our runs.",
)
_LIST = flags.DEFINE_bool(
    "list", False, "List the figures and the commands that train their runs; draw none."
)
_BY = flags.DEFINE_string("by", None, "The field to compare by, such as learning_rate.")
flags.declare_key_flag("where")
flags.declare_key_flag("runs_dir")
_FIGURES_DIR = flags.DEFINE_string(
    "figures_dir", "figures", "Folder of the figures.", allow_override=True
)
_FORMAT = flags.DEFINE_list(
    "format", ["pdf", "png"], "Formats of the files, a comma list of pdf, png, svg."
)


def main() -> int:
    """Draws the figures that the flags select; reports where they are and what is missing."""
    import matplotlib as mpl  # here and below: not imported for --help

    from toymono.plots import gallery
    from toymono.plots.registry import ALIASES, FIGURES

    mpl.use("Agg")  # headless
    cli.prepare_jax()
    named = _listed(_FIGURE, {**FIGURES, **ALIASES})
    formats = _listed(_FORMAT, gallery.FORMATS)
    if _BY.value is not None:
        where.one_of("by", _BY.value, TOY)
    if _PAPER.value and (named or _BY.value):
        raise cli.UsageError("--paper cannot be combined with --figure or --by")
    if _LIST.value:
        for figure in FIGURES.values():
            names = f"{figure.name} or {figure.alias}" if figure.alias else figure.name
            slow = " Slow: drawn only if named." if figure.slow else ""
            print(f"{names}: {figure.summary}{slow}\n    {figure.trained_by}")
        return 0

    figures = [FIGURES[ALIASES.get(name, name)] for name in dict.fromkeys(named)]
    figures = figures or [f for f in FIGURES.values() if _wanted(f)]
    for figure in figures:
        if _BY.value and not figure.compares:
            raise cli.UsageError(
                f"{figure.name} does not accept --by: it always compares the same field"
            )
    runs = gallery.Gallery(where.stored_runs())
    if runs.diverged:
        names = ", ".join(run.name for run in runs.diverged)
        print(f"skipping diverged runs: {names}", file=sys.stderr)
    if named:
        _check_all(runs, figures)
    return _draw(runs, figures, formats)


def _wanted(figure: "Figure") -> bool:
    """Whether a figure is drawn if none is named."""
    if _PAPER.value:
        return figure.number is not None
    return not figure.slow and (figure.compares or not _BY.value)


def _draw(runs: Any, figures: "list[Figure]", formats: list[str]) -> int:
    from toymono import store
    from toymono.papers.jermyn2022.claims import CLAIMS
    from toymono.plots import gallery, pages

    statements = {name: claim.statement for name, claim in CLAIMS.items()}
    counts = {figure.name: _count(runs, figure) for figure in figures}
    if not any(counts.values()):
        training = store.instead(cli.RUNS_DIR.value, _how_to_train(figures))
        raise cli.UsageError(f"no figure has enough runs; {training}")
    figures_dir = cli.writable(_FIGURES_DIR.value)

    def report(done: "Drawn") -> None:
        paths = ", ".join(map(str, done.paths))
        print(f"{paths}: {done.runs} of {len(runs.runs)} runs", flush=True)

    drawn, skipped = gallery.draw_all(runs, figures, figures_dir, formats, _BY.value, report)
    if skipped:
        print(
            f"skipped {cli.counted(len(skipped), 'figure')} for lack of runs: "
            f"{', '.join(skipped)}; `python -m toymono.plots --list` shows the commands that train "
            "them",
            file=sys.stderr,
        )
    if not (_FIGURE.value or _BY.value or where.WHERE.value):  # pages are of all the runs
        shown = next((name for name in _PAGE_FORMATS if name in formats), formats[0])
        page = pages.gallery(drawn, list(skipped), statements, shown, _command())
        _write(figures_dir / "table1.md", pages.table1(), "From `toymono.catalog`")
        _write(figures_dir / "gallery.md", page, "Made by `python -m toymono.plots")
    if _PAPER.value:
        print(f"\n{pages.claims(drawn, statements)}")
    return 0


def _count(runs: Any, figure: "Figure") -> int:
    from toymono.plots.selection import MissingRuns

    try:
        return runs.count(figure, _BY.value)
    except MissingRuns:
        return 0


def _check_all(runs: Any, figures: "list[Figure]") -> None:
    """Raises if a requested figure lacks runs."""
    from toymono import store
    from toymono.plots.selection import MissingRuns

    for figure in figures:
        try:
            runs.count(figure, _BY.value)
        except MissingRuns as missing:
            unreadable = store.instead(cli.RUNS_DIR.value, "")
            reason = f"{figure.name}: too few readable runs; {unreadable}"
            raise cli.UsageError(reason if unreadable else missing.reason) from None


def _how_to_train(figures: "list[Figure]") -> str:
    if _BY.value:
        return f"train some with: python -m toymono.sweep --{_BY.value} …,…"
    return f"train some with: {figures[0].trained_by}"


def _command() -> str:
    """The command being run, with the flags that were given; a page is made with these only."""
    names = (flags.FLAGS[name] for name in ("paper", "runs_dir", "figures_dir", "format"))
    given = [flag.serialize() for flag in names if flag.present]
    return shlex.join(["python", "-m", "toymono.plots", *given])


def _write(path: Path, page: str, mark: str) -> None:
    from toymono import markdown

    try:
        print(markdown.write(path, page, mark))
    except FileExistsError as refused:
        print(refused, file=sys.stderr)


def _listed(flag: flags.FlagHolder, choices: Iterable[str]) -> list[str]:
    """The names that a flag lists, each among the choices; none if it was not given."""
    if flag.value == []:
        raise cli.UsageError(f"--{flag.name} is empty; it takes {', '.join(choices)}")
    for name in flag.value or []:
        where.one_of(flag.name, name, choices)
    return flag.value or []


if __name__ == "__main__":
    cli.run(main)
