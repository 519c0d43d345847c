"""Writes one interactive page of the stored runs, which needs no network.

    toymono report
    toymono report --where task=decoder,k=512 --out page
    toymono report --detail 01258488ec341aa9,02d8ad8cda27e6c3

The page, index.html in the folder --out, has a table of the runs, their training
traces, and for some of the toy runs every neuron at every snapshot of training.
"""

import collections
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from toymono import cli, where

if TYPE_CHECKING:
    from toymono.store import StoredRun

_OUT = flags.DEFINE_string("out", "report", "Folder of the page.", allow_override=True)
_DETAIL = flags.DEFINE_list(
    "detail",
    ["8"],
    "Toy runs whose neurons are shown: names of runs, or a number, of runs that spread evenly over "
    "the range of monosemantic neurons per feature.",
)
flags.declare_key_flag("where")
flags.declare_key_flag("runs_dir")

_MOST = 64  # Our choice: a run takes about half a megabyte of the page.


def main() -> int:
    """Writes the page of the runs that the flags select."""
    wanted = _wanted()
    try:
        import altair  # noqa: F401 - here and below: not imported for --help
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise cli.UsageError(
            f"the report needs {error.name}; install it with: pip install 'toymono[report]'"
        ) from None
    cli.prepare_jax()
    stored = where.stored_runs()
    by_name = {run.name: run for run in stored}
    count = wanted if isinstance(wanted, int) else 0
    chosen = None if isinstance(wanted, int) else [_named(name, by_name) for name in wanted]
    folder = cli.writable(_OUT.value)
    _refuse_foreign(folder / "index.html")
    print(_write(folder / "index.html", stored, count, chosen))
    return 0


def _write(
    path: Path, stored: "list[StoredRun]", count: int, chosen: "list[StoredRun] | None"
) -> str:
    from tqdm import tqdm

    from toymono.report import detail, page, tables

    quiet = not sys.stderr.isatty()

    def progress(runs: Any) -> Any:
        return tqdm(runs, "reading runs", disable=quiet)

    found = tables.tables(stored, progress)
    for reason, number in collections.Counter(found.skipped.values()).items():
        print(f"skipping {cli.counted(number, 'run')}: {reason}", file=sys.stderr)
    if not found.tables:
        raise cli.Failure("none of the runs could be read")
    ranked = _ranked(found.tables)
    if chosen is None:
        names = detail.spread(ranked, count) if ranked and count else []
        by_name = {run.name: run for run in stored}
        chosen = [by_name[name] for name in names]
    named = list(zip(chosen, tables.titles(chosen), strict=True)) if chosen else []
    details = [
        detail.detail(run, title) for run, title in tqdm(named, "reading neurons", disable=quiet)
    ]
    text = page.render(found.tables, details, _command(), _summary(found.tables))
    page.write(path, text)
    size = path.stat().st_size / 1e6
    rows = sum(len(table["rows"]) for table in found.tables)
    return f"{path}: {cli.counted(rows, 'run')}, {len(details)} with neurons, {size:.1f} MB"


def _ranked(tables: list[dict[str, Any]]) -> list[str]:
    """The toy runs that did not diverge, by monosemantic neurons per feature."""
    for table in tables:
        if table["kind"] == "toy":
            names = [column["name"] for column in table["columns"]]
            score, run = names.index("mono_per_feature"), names.index("run")
            rows = [row for row in table["rows"] if row[score] is not None]
            return [row[run] for row in sorted(rows, key=lambda row: (row[score], row[run]))]
    return []


def _summary(tables: list[dict[str, Any]]) -> str:
    """What the page shows, in a sentence or two."""
    counts = [f"{len(table['rows'])} {table['title'].lower()}" for table in tables]
    parts = [f"{', '.join(counts)}."]
    for table in tables:
        names = [column["name"] for column in table["columns"]]
        if "mono_per_feature" in names:
            column = [row[names.index("mono_per_feature")] for row in table["rows"]]
            values = sorted(value for value in column if value is not None)
            if len(values) > 1:
                parts.append(
                    f"The toy models have {values[0]:.2g} to {values[-1]:.2g} monosemantic neurons "
                    f"per feature (median {values[len(values) // 2]:.2g})."
                )
    return " ".join(parts)


def _wanted() -> int | list[str]:
    """How many runs, or the names of the runs, that --detail asks for."""
    texts = [text.strip() for text in _DETAIL.value]
    if not texts or not all(texts):
        raise cli.UsageError("--detail is empty; it takes names of runs or a number")
    if len(texts) == 1 and texts[0].isdecimal() and len(texts[0]) < 5:
        if int(texts[0]) > _MOST:
            raise cli.UsageError(f"--detail={texts[0]} is more than {_MOST}")
        return int(texts[0])
    if len(texts) > _MOST:
        raise cli.UsageError(f"--detail has {len(texts)} runs, more than {_MOST}")
    return list(dict.fromkeys(texts))


def _named(name: str, by_name: "dict[str, StoredRun]") -> "StoredRun":
    run = by_name.get(name)
    if run is None:
        raise cli.UsageError(f"--detail={name!r} is not the name of one of the selected runs")
    if run.kind.name != "toy":
        raise cli.UsageError(f"--detail={name!r} is a run of kind {run.kind.name}, not toy")
    if run.diverged is not None:
        raise cli.UsageError(f"--detail={name!r} diverged, so that its neurons have no scores")
    return run


def _refuse_foreign(path: Path) -> None:
    """Refuses to replace a file that is no such page, before anything is computed."""
    from toymono.report import page

    if path.exists() and page.FIRST_LINE.encode() != path.read_bytes().partition(b"\n")[0]:
        raise cli.UsageError(f"{path} is not overwritten: it was not written by this command")


def _command() -> str:
    names = (flags.FLAGS[name] for name in ("runs_dir", "where", "detail", "out"))
    given = [flag.serialize() for flag in names if flag.present]
    return shlex.join(["python", "-m", "toymono.report", *given])


if __name__ == "__main__":
    cli.run(main)
