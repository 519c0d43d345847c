"""Judges the paper's claims by the kept runs, and writes down how each verdict came about.

python -m toymono.papers
python -m toymono.papers --scale paper --out paper_scale.md
python -m toymono.papers --page penalty
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from absl import flags
from tqdm import tqdm

from toymono import catalog, cli
from toymono.files import atomic_write
from toymono.papers import evidence, page
from toymono.papers.jermyn2022.claims import CLAIMS
from toymono.papers.verdicts import Verdict
from toymono.papers.wright2022 import claims as wright_claims
from toymono.papers.wright2022 import measures as wright_measures

_SCALE = cli.scale_flag()
for _shared in ("runs_dir", "scale"):
    flags.declare_key_flag(_shared)
_PAGE = flags.DEFINE_enum(
    "page", "reproduction", ["reproduction", "penalty"], "The paper's claims, or the penalty's."
)
_OUT = flags.DEFINE_string("out", None, "File to write, Markdown; docs/ and the page's name.")


def main() -> int:
    """Writes the page and prints each verdict."""
    out = Path(_OUT.value or f"docs/{_PAGE.value}.md")
    runs_dir, scale = cli.RUNS_DIR.value, _SCALE.value
    if out.is_dir():
        raise cli.UsageError(f"--out={_OUT.value!r} is a folder")
    cli.writable(str(out.parent))
    if _PAGE.value == "penalty":
        return _penalty(out, runs_dir)
    try:
        sweeps = evidence.gather(runs_dir, scale, tqdm(catalog.SWEEPS, "sweeps", disable=None))
        larger = evidence.larger(runs_dir, scale)
    except FileNotFoundError:
        sweeps, larger = {}, {}
    except ValueError as error:  # a file that is no run
        raise cli.Failure(str(error)) from None
    if all(sweep.frame.empty for sweep in sweeps.values()):
        raise cli.UsageError(
            f"no runs of the paper's sweeps at the {scale} scale in {runs_dir!r}; "
            f"to train some: {page.training(['LR1', 'LR3'], scale)}"
        )
    judged = [page.judge(claim, sweeps) for claim in CLAIMS]
    judged_larger = {
        change: [page.judge(c, whole) for c in CLAIMS if c.sweeps and {*c.sweeps} <= {*whole}]
        for change, whole in larger.items()
    }
    _write(out, page.write(judged, judged_larger, sweeps, scale, _made_by(f"--scale {scale}")))
    _tell(judged, out)
    return 0


def _made_by(*told: str) -> str:
    """The command that runs, with the flags that were given."""
    for name in ("runs_dir", "out"):
        told += (f"--{name} {flags.FLAGS[name].value}",) if flags.FLAGS[name].present else ()
    return " ".join(["python -m toymono.papers", *told])


def _penalty(out: Path, runs_dir: str) -> int:
    if _SCALE.value != "small":
        raise cli.UsageError("--page=penalty knows runs of the small scale alone")
    try:
        labelled, toy = wright_measures.labelled_runs(runs_dir), wright_measures.toy_runs(runs_dir)
        longer, widths = (
            wright_measures.toy_runs(runs_dir, "PEN2"),
            wright_measures.width_runs(runs_dir),
        )
    except FileNotFoundError:
        labelled = toy = longer = widths = pd.DataFrame()
    except ValueError as error:  # a file that is no run
        raise cli.Failure(str(error)) from None
    if labelled.empty and toy.empty:
        raise cli.UsageError(
            f"no runs with a penalty in {runs_dir!r}; to train some: {wright_claims.TRAINED_BY}"
        )
    _write(out, wright_claims.write(labelled, toy, longer, widths, _made_by("--page penalty")))
    _tell(wright_claims.judged(labelled, toy), out)
    return 0


def _tell(judged: Sequence[page.Judged], out: Path) -> None:
    for each in judged:
        print(f"{each.claim.name}: {each.verdict.value}")
    counts = [(sum(each.verdict == kind for each in judged), kind.value) for kind in Verdict]
    print(f"{out}: {', '.join(f'{count} {kind}' for count, kind in counts)}")


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    cli.run(main)
