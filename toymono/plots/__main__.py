"""Draws figures from the kept runs.

    python -m toymono.plots
    python -m toymono.plots --figure training_traces,sorted_biases --by learning_rate
    python -m toymono.plots --where k=512,init_bias=-1,init_bias=0 --format png
    python -m toymono.plots --paper

By default every figure that the kept runs can feed, the paper's Table 1, and
README.md, a page that shows them all with their commands; --figure, --by and
--where write no page. A figure of any runs shows the largest set of them that
differ in two fields at most; --by and --where choose another. A figure of the
paper, fig01 to fig26, shows the runs of rows of the catalog, at the paper's
scale if as much of them is kept as at the small one.
"""

import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from absl import flags

from toymono import cli, store
from toymono import config as settings
from toymono.config import Config, Hyperparams, field_types
from toymono.papers import pages
from toymono.papers.jermyn2022.figures import ALIASES, PAPER
from toymono.plots import FIGURES, gallery, selection
from toymono.store import StoredRun

_FIELDS = {**field_types(Config), **field_types(Hyperparams), "seed": int}
_FIRST_SWEEP = "python -m toymono.sweep --task decoder --k 512 --init_bias -1"

_FIGURE = flags.DEFINE_list("figure", None, "Figures to draw, a comma list; see --list.")
_PAPER = flags.DEFINE_bool(
    "paper",
    False,
    "Draw the paper's figures alone, and print what the paper says of each beside what ours shows.",
)
_LIST = flags.DEFINE_bool("list", False, "Name the figures and what trains their runs; draw none.")
_BY = flags.DEFINE_string("by", None, "The field to compare by, such as learning_rate.")
_WHERE = flags.DEFINE_list(
    "where",
    [],
    "Draw these runs alone: field=value, a comma list; any of a field's values will do.",
)
# The sweep command has this flag too, and a process may import both.
flags.declare_key_flag("runs_dir")
_FIGURES_DIR = flags.DEFINE_string("figures_dir", "figures", "Folder for the figures.")
_FORMAT = flags.DEFINE_list("format", ["pdf", "png"], "Formats of the files, a comma list.")


def main() -> int:
    """Draws what the flags ask for, and says where it is and what is missing."""
    mpl.use("Agg")  # no screen is needed
    named = _listed(_FIGURE, {**FIGURES, **PAPER, **ALIASES})
    formats = _listed(_FORMAT, gallery.FORMATS)
    if _BY.value is not None:
        _one_of("by", _BY.value, selection.SETTING)
    if _PAPER.value and (named or _BY.value):
        raise cli.UsageError("--paper draws all of the paper's figures; --figure draws some")
    if _LIST.value:
        _list()
        return 0

    figures = {**FIGURES, **PAPER}
    every = PAPER if _PAPER.value else FIGURES if _BY.value else figures
    names = dict.fromkeys(ALIASES.get(name, name) for name in named or every)
    if _BY.value and (papers := [name for name in names if name in PAPER]):
        raise cli.UsageError(f"{papers[0]} compares as the paper does; it takes no --by")
    kept = gallery.Gallery(_kept())
    if kept.diverged:
        lost = ", ".join(run.path.stem for run in kept.diverged)
        print(f"left out, for they diverged: {lost}", file=sys.stderr)
    counts, lacking = {}, {}
    for name in names:
        try:
            counts[name] = len(kept.choose(figures[name], _BY.value))
        except gallery.Lacking as lacks:
            if named:
                raise cli.UsageError(str(lacks)) from None
            lacking[name] = str(lacks)
    _report(lacking)
    if not counts:
        raise cli.UsageError("the kept runs feed none of the figures")

    figures_dir = cli.writable(_FIGURES_DIR.value)
    lines = []
    for name, count in counts.items():
        entry = figures[name]
        paths = gallery.save(kept.draw(entry, _BY.value), figures_dir, name, formats)
        print(f"{', '.join(map(str, paths))}: {count} of {len(kept.runs)} runs", flush=True)
        feed = entry.feed(kept, _BY.value)
        told = entry.told(kept, feed) if name in PAPER else ""
        lines.append(pages.Line(entry, count, feed.scale, told))
    if not (named or _BY.value or _WHERE.value):  # pages are of all the figures, of all the runs
        kind = next((kind for kind in ("png", "svg") if kind in formats), formats[0])
        _write(figures_dir / "table1.md", pages.table1())
        page = pages.gallery(lines, list(lacking.values()), kind, _made_by())
        _write(figures_dir / "README.md", page)
    if _PAPER.value:
        print(f"\n{pages.claims(lines)}")
    return 0


def _list() -> None:
    """Names the figures, and what trains their runs."""
    for entry in FIGURES.values():
        print(f"{entry.name}: {entry.summary}\n    {entry.trained_by}")
    for entry in PAPER.values():
        print(f"{entry.name} or {entry.alias}: {entry.summary}\n    {entry.trained_by}")


def _report(lacking: dict[str, str]) -> None:
    """Which figures lack runs; of the paper's a line for all, unless they are what is asked for."""
    for name, line in lacking.items():
        if _PAPER.value or name in FIGURES:
            print(f"skipped {line}", file=sys.stderr)
    papers = [name for name in lacking if name in PAPER]
    if papers and not _PAPER.value:
        print(
            f"{len(papers)} of the paper's {len(PAPER)} figures lack runs; "
            "`python -m toymono.plots --list` names what trains them",
            file=sys.stderr,
        )


def _made_by() -> str:
    """The command at work, with the flags that it was given; a page has no others than these."""
    told = (flags.FLAGS[name] for name in ("paper", "runs_dir", "figures_dir", "format"))
    given = [flag.serialize() for flag in told if flag.present]
    return shlex.join(["python", "-m", "toymono.plots", *given])


def _write(path: Path, page: str) -> None:
    try:
        print(pages.write(path, page))
    except FileExistsError as refused:
        print(refused, file=sys.stderr)


def _listed(flag: flags.FlagHolder, choices: Mapping[str, Any]) -> list[str]:
    """The names that a flag lists, each among the choices; none if it was not given."""
    if flag.value == []:
        raise cli.UsageError(f"--{flag.name} lists nothing; it takes {', '.join(choices)}")
    for name in flag.value or []:
        _one_of(flag.name, name, choices)
    return flag.value or []


def _kept() -> list[StoredRun]:
    """The runs to draw, which --where picks."""
    wanted: dict[str, list] = {}
    for pair in _WHERE.value:
        field, equals, content = pair.partition("=")
        if not equals:
            raise cli.UsageError(f"--where={pair!r} is not of the form field=value")
        _one_of("where", field, _FIELDS)
        if field in settings.CHOICES:
            _one_of(field, content, settings.CHOICES[field])
        try:
            wanted.setdefault(field, []).append(_FIELDS[field](content))
        except ValueError:
            kind = "a whole number" if _FIELDS[field] is int else "a number"
            raise cli.UsageError(f"--where={pair!r}: {content!r} is not {kind}") from None
    try:
        kept = store.find(cli.RUNS_DIR.value, **wanted)
    except FileNotFoundError:
        kept = []
    except ValueError as error:  # a file that is no run
        raise cli.Failure(str(error)) from None
    if not kept:
        such = f" with {', '.join(_WHERE.value)}" if wanted else ""
        raise cli.UsageError(
            f"no runs{such} in {cli.RUNS_DIR.value!r}; to train some: {_FIRST_SWEEP}"
        )
    return kept


def _one_of(kind: str, name: str, choices: Iterable[str]) -> None:
    if name not in choices:
        raise cli.UsageError(f"{kind}={name!r} is not one of {', '.join(choices)}")


if __name__ == "__main__":
    cli.run(main)
