"""Adds what stored runs show to the evidence in docs/evidence, and writes the pages of claims.

    toymono papers
    toymono papers --papers jermyn2022 --scale half --runs_dir runs

Without stored runs the pages are made from the evidence files alone. A page is
left unchanged while the evidence has fewer runs than the page shows. Run it in
the root of the repository, or name its docs folder with --docs_dir.
"""

import importlib
from pathlib import Path

from absl import flags

from toymono import catalog, cli, papers

_PAPER = flags.DEFINE_list(
    "papers", list(papers.NAMES), f"Papers to update: {', '.join(papers.NAMES)}."
)
_SCALE = flags.DEFINE_enum(
    "scale",
    None,
    list(catalog.SCALES),
    "Only the runs of one size of the sweeps, on a page of its own. By default the page has all "
    "sizes, and judges each claim at the largest at which it was measured.",
    allow_override=True,
)
_DOCS_DIR = flags.DEFINE_string("docs_dir", "docs", "Folder of evidence/ and papers/.")
flags.declare_key_flag("runs_dir")


def main() -> int:
    """Updates the page of each paper and prints the verdicts."""
    if not _PAPER.value:
        raise cli.UsageError(f"--papers is empty; it takes {', '.join(papers.NAMES)}")
    for name in _PAPER.value:
        if name not in papers.NAMES:
            raise cli.UsageError(f"papers={name!r} is not one of {', '.join(papers.NAMES)}")
    runs_dir: str | None = cli.RUNS_DIR.value
    if not Path(cli.RUNS_DIR.value).is_dir():
        if cli.RUNS_DIR.present:
            raise cli.UsageError(f"there is no folder {runs_dir!r}")
        runs_dir = None
    cli.prepare_jax()
    from tqdm import tqdm  # after the flags: these import JAX and pandas

    from toymono.papers.paper import update
    from toymono.papers.verdicts import Verdict

    records = [
        importlib.import_module(f"toymono.papers.{name}.paper").PAPER for name in _PAPER.value
    ]
    for record in records:
        if _SCALE.value not in (None, *record.scales):
            raise cli.UsageError(
                f"{record.name} has no {_SCALE.value} scale; use --papers with the other papers"
            )
    for record in records:
        try:
            done = update(
                record,
                _SCALE.value,
                _DOCS_DIR.value,
                runs_dir,
                lambda runs: tqdm(runs, record.name, unit="run", disable=None if runs else True),  # noqa: B023
            )
        except (ValueError, FileExistsError) as error:
            raise cli.UsageError(str(error)) from None
        if done.unchanged:
            print(done.unchanged)
            continue
        for each in done.judged:
            print(f"{each.claim.name}: {each.text}")
        counts = [(sum(each.verdict == kind for each in done.judged), kind) for kind in Verdict]
        listed = ", ".join(f"{kind.value} {count}" for count, kind in counts if count)
        runs = f"{cli.counted(done.runs, 'run')}, {done.added} new"
        print(f"{done.page}: {listed} ({runs})")
    return 0


if __name__ == "__main__":
    cli.run(main)
