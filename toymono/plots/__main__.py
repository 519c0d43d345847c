"""Draws figures from the kept runs.

    python -m toymono.plots
    python -m toymono.plots --figure training_traces,sorted_biases --by learning_rate
    python -m toymono.plots --where k=512,init_bias=-1,init_bias=0 --format png

By default every figure that the kept runs can feed. A figure shows the largest
set of runs that differ in two fields at most; --by and --where choose another.
"""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib as mpl
from absl import flags

from toymono import command, config, store
from toymono.config import Dials, Setup, field_types
from toymono.plots import FIGURES, gallery, selection
from toymono.store import Kept

_FIELDS = {**field_types(Setup), **field_types(Dials), "seed": int}
_FIRST_SWEEP = "python -m toymono.sweep --task decoder --k 512 --init_bias -1"

_FIGURE = flags.DEFINE_list("figure", None, "Figures to draw, a comma list; see --list.")
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
    asked = _listed(_FIGURE, FIGURES)
    formats = _listed(_FORMAT, gallery.FORMATS)
    if _BY.value is not None:
        _one_of("by", _BY.value, selection.SETTING)
    entries = [FIGURES[name] for name in asked or FIGURES]
    if _LIST.value:
        for entry in entries:
            print(f"{entry.name}: {entry.summary}\n    {entry.trained_by}")
        return 0

    kept = gallery.Gallery(_kept())
    if kept.diverged:
        names = ", ".join(run.path.stem for run in kept.diverged)
        print(f"left out, for they diverged: {names}", file=sys.stderr)
    counts = {}
    for entry in entries:
        try:
            counts[entry] = len(kept.choose(entry, _BY.value))
        except gallery.Lacking as lacking:
            if asked:
                raise command.UsageError(str(lacking)) from None
            print(f"skipped {lacking}", file=sys.stderr)
    if not counts:
        raise command.UsageError("the kept runs feed none of the figures")

    figures_dir = command.writable(_FIGURES_DIR.value)
    for entry, count in counts.items():
        drawn = kept.draw(entry, _BY.value)
        paths = gallery.save(drawn, figures_dir, entry.name, formats)
        print(f"{', '.join(map(str, paths))}: {count} of {len(kept.runs)} runs")
    return 0


def _listed(flag: flags.FlagHolder, choices: Mapping[str, Any]) -> list[str]:
    """The names that a flag lists, each among the choices; none if it was not given."""
    if flag.value == []:
        raise command.UsageError(f"--{flag.name} lists nothing; it takes {', '.join(choices)}")
    for name in flag.value or []:
        _one_of(flag.name, name, choices)
    return flag.value or []


def _kept() -> list[Kept]:
    """The runs to draw, which --where picks."""
    wanted: dict[str, list] = {}
    for pair in _WHERE.value:
        field, equals, content = pair.partition("=")
        if not equals:
            raise command.UsageError(f"--where={pair!r} is not of the form field=value")
        _one_of("where", field, _FIELDS)
        if field in config.CHOICES:
            _one_of(field, content, config.CHOICES[field])
        try:
            wanted.setdefault(field, []).append(_FIELDS[field](content))
        except ValueError:
            kind = "a whole number" if _FIELDS[field] is int else "a number"
            raise command.UsageError(f"--where={pair!r}: {content!r} is not {kind}") from None
    try:
        kept = store.find(command.RUNS_DIR.value, **wanted)
    except ValueError as error:  # a file that is no run
        raise command.Failure(str(error)) from None
    if not kept:
        such = f" with {', '.join(_WHERE.value)}" if wanted else ""
        raise command.UsageError(
            f"no runs{such} in {command.RUNS_DIR.value!r}; to train some: {_FIRST_SWEEP}"
        )
    return kept


def _one_of(kind: str, name: str, choices: Iterable[str]) -> None:
    if name not in choices:
        raise command.UsageError(f"{kind}={name!r} is not one of {', '.join(choices)}")


if __name__ == "__main__":
    command.run(main)
