"""One paper: its claims, its evidence files, and how its page is brought up to date."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from toymono import catalog, markdown, store
from toymono.papers import evidence, scales, verdict_page
from toymono.papers.claims import Claim, Judged, judge, judge_all
from toymono.papers.evidence import Evidence, Row, Source
from toymono.store import StoredRun

_WRITTEN_BY = "Written by `python -m toymono.papers --papers"


class Picture(NamedTuple):
    """A picture in git that a page shows at its top."""

    path: str
    """Relative to the folder of the page."""
    alt: str
    """What it shows, for readers who do not see it."""
    caption: str


@dataclasses.dataclass(frozen=True)
class Paper:
    """A paper with claims that stored runs are compared with."""

    name: str
    """Authors and year, as in the folder of its modules."""
    title: str
    """Of the page."""
    reference: str
    claims: Mapping[str, Claim]
    scales: tuple[str, ...]
    """Scales at which it can be judged, from the largest to the smallest."""
    sources: Callable[[str], tuple[Source, ...]]
    """Its evidence files at a scale."""
    gather: Callable[[Mapping[str, pd.DataFrame], str], Evidence]
    """From a frame for each source, by its name, and the scale to the evidence."""
    start: str
    """A command that trains its first runs."""
    caveats: Callable[[str], Sequence[str]] = lambda scale: ()
    """Paragraphs on what a verdict at a scale does and does not say."""
    tables: Callable[[Evidence], Sequence[str]] = lambda evidence: ()
    """Sections at the end of the page, with wide tables."""
    opening: Callable[[Evidence, Sequence[Judged]], str] | None = None
    """The first sentences of the page: what is found here, what was published, where they
    differ, with numbers from the evidence. Without it, the page begins with
    `verdict_page.found`."""
    kind: str = "published statements"
    """What the claims are, in the plural."""
    picture: Picture | None = None
    """Follows the first sentences."""

    def page(self, docs_dir: str | Path, scale: str | None) -> Path:
        """The page of all scales (None), or that of one."""
        suffix = "" if self.whole(scale) else f"-{scale}"
        return Path(docs_dir) / "papers" / f"{self.name}{suffix}.md"

    def whole(self, scale: str | None) -> bool:
        """Whether a page at this scale covers all scales of the paper."""
        return scale is None or len(self.scales) == 1


@dataclasses.dataclass(frozen=True)
class Update:
    """What an update wrote."""

    page: Path
    judged: tuple[Judged, ...]
    """Claims on the page, with their verdicts; none if the page is left unchanged."""
    runs: int
    """Rows in all evidence files of the page."""
    added: int
    """Of these, rows that are new or replaced older ones."""
    unchanged: str = ""
    """Why the page is left unchanged; empty if it was written."""


def update(
    paper: Paper,
    scale: str | None,
    docs_dir: str | Path,
    runs_dir: str | Path | None = None,
    progress: Callable[[Sequence[StoredRun]], Iterable[StoredRun]] = iter,
) -> Update:
    """Adds what stored runs show to the evidence files, and writes the page from these alone.

    Args:
      paper: Whose page is written.
      scale: One of its scales, for a page of its own; None for all of them, where each claim
        is judged at the largest that decides it, by `scales.RULE`.
      docs_dir: Folder of `evidence/` and `papers/`.
      runs_dir: Folder with stored runs; None to use the evidence files only.
      progress: Iterates over the runs to be measured.

    Returns:
      The claims with their verdicts. If the evidence has fewer runs than the page
      shows, the evidence files are written, but the page is left unchanged.

    Raises:
      FileNotFoundError: There is no such folder of runs.
      FileExistsError: The page's path holds another document.
      ValueError: There is no page and there are no runs, or an evidence file is
        damaged or has fewer runs than the page states.
      OSError: A file cannot be written.
    """
    page = paper.page(docs_dir, scale)
    of_scale = {name: paper.sources(name) for name in (paper.scales if scale is None else [scale])}
    sources = [source for each in of_scale.values() for source in each]
    paths = {source.name: Path(docs_dir) / "evidence" / f"{source.name}.csv" for source in sources}
    before = {source.name: evidence.read(paths[source.name], source) for source in sources}
    stated = _stated(page)
    for name, rows in before.items():
        if len(rows) < stated.get(name, 0):
            raise ValueError(
                f"{paths[name]} has {len(rows)} runs, fewer than the {stated[name]} that {page} "
                "states: restore it, for example from git; nothing was written"
            )
    after: dict[str, list[Row]] = dict(before)
    if runs_dir is not None:
        for source in sources:
            after[source.name] = evidence.extend(before[source.name], source, runs_dir, progress)
    runs = sum(map(len, after.values()))
    if not runs:
        training = f"train some with: {paper.start.format(scale=scale or paper.scales[-1])}"
        missing = (
            f"no runs of {paper.name}{f' at the {scale} scale' if scale else ''}, stored or in "
            f"{Path(docs_dir)}/evidence; "
            f"{training if runs_dir is None else store.instead(runs_dir, training)}"
        )
        if not page.exists():
            raise ValueError(missing)
        return Update(page, (), 0, 0, f"{page} left unchanged: {missing}")
    for source in sources:
        if after[source.name] != before[source.name]:
            evidence.write(paths[source.name], after[source.name], source)
    added = sum(sum(row not in before[name] for row in rows) for name, rows in after.items())
    if runs < (shown := _shown(page)):
        notice = (
            f"{page} left unchanged: it shows {shown} runs, the evidence so far has {runs}. "
            f"New rows are in {Path(docs_dir)}/evidence"
        )
        return Update(page, (), runs, added, notice)
    trained = {
        name: {source.name: evidence.frame(after[source.name], source) for source in each}
        for name, each in of_scale.items()
        if any(after[source.name] for source in each)
    }
    found = {name: paper.gather(frames, name) for name, frames in trained.items()}
    judged = {name: judge_all(paper.claims, each, name) for name, each in found.items()}
    page.parent.mkdir(parents=True, exist_ok=True)
    markdown.write(page, _text(paper, scale, trained, found, judged), f"{_WRITTEN_BY} {paper.name}")
    return Update(page, tuple(scales.at_largest(judged)), runs, added)


_STATED = re.compile(r"^- (\d+) runs? in \[([\w-]+)\.csv\]", re.MULTILINE)


def _stated(page: Path) -> dict[str, int]:
    """The numbers of runs by evidence file that a page states; none if there is no page."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    return {name: int(count) for count, name in _STATED.findall(text)}


# The second form is that of pages from before there were evidence files.
_SHOWN = re.compile(r"with (\d+) training runs?\b|^Scale: \w+\. Runs used: (\d+)\.", re.MULTILINE)


def _shown(page: Path) -> int:
    """The number of runs that a page is made from; 0 if there is no page."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    counts = [int(one or other) for one, other in _SHOWN.findall(text)]
    return max(counts, default=0)


def _text(
    paper: Paper,
    scale: str | None,
    trained: Mapping[str, Mapping[str, pd.DataFrame]],
    found: Mapping[str, Evidence],
    judged: Mapping[str, Sequence[Judged]],
) -> str:
    """The whole page.

    Args:
      paper: Whose page it is.
      scale: The only scale of the page, or None.
      trained: The frames of each source, by scales with runs, from the largest to the smallest.
      found: The evidence at each of them.
      judged: Every claim at each of them.
    """
    verdicts, [largest, *_] = scales.at_largest(judged), found.values()
    frames = {name: frame for each in trained.values() for name, frame in each.items()}
    several = len(found) > 1
    larger = {name: _again(judged[name], each) for name, each in found.items()}
    flags = "" if paper.whole(scale) else f" --scale {scale}"
    opening = [paper.opening(largest, verdicts)] if paper.opening else []
    parts = [
        f"# {paper.title}",
        *opening,
        *(verdict_page.picture(*paper.picture) if paper.picture else ()),
        verdict_page.found(verdicts, _read(found), paper.kind),
        *(caveat for name in found for caveat in paper.caveats(name)),
        f"{paper.reference} {_WRITTEN_BY} {paper.name}{flags}`; do not edit.",
        "## Verdicts",
        verdict_page.verdict_table(verdicts, len(paper.scales) > 1),
        *(scales.section(judged, larger, found) if len(paper.scales) > 1 else ()),
        "## How a verdict is reached",
        verdict_page.rule(),
        "## The runs",
        "\n".join(_files(frames)),
    ]
    for name, each in found.items():
        parts += [f"### {catalog.SCALES[name].title}"] if several else []
        parts.append(verdict_page.runs_table(each, name))
    parts += [
        "## Claim by claim",
        *verdict_page.claim_sections(verdicts, found, len(paper.scales) > 1),
    ]
    return "\n\n".join([*parts, *paper.tables(largest)]) + "\n"


def _read(found: Mapping[str, Evidence]) -> int:
    """How many runs claims are compared with: a file may have others that another page reads."""
    sweeps = [
        sweep
        for each in found.values()
        for group in (each.sweeps, *each.larger.values())
        for sweep in group.values()
        if not sweep.frame.empty
    ]
    return len({run for sweep in sweeps for run in sweep.frame["run"]})


def _again(judged: Sequence[Judged], found: Evidence) -> dict[tuple[str, int], list[Judged]]:
    """The claims judged once more on runs that are longer or have larger batches."""
    return {
        change: [
            judge(each.claim, Evidence({**found.sweeps, **sweeps}), each.number)
            for each in judged
            if each.claim.sweeps and set(each.claim.sweeps) <= set(sweeps)
        ]
        for change, sweeps in found.larger.items()
    }


def _files(frames: Mapping[str, pd.DataFrame]) -> Iterable[str]:
    """One line per evidence file with runs: when and with what they were trained."""
    for name, runs in frames.items():
        if runs.empty:
            continue
        count = f"{len(runs)} run{'' if len(runs) == 1 else 's'}"
        days = sorted({str(date)[:10] for date in runs["date"] if date})
        when = f" {' to '.join(dict.fromkeys([days[0], days[-1]]))}" if days else ""
        on = ", ".join(sorted({str(p) for p in runs["platform"] if p})) or "unknown devices"
        using = "; ".join(sorted({str(v) for v in runs["versions"] if v}))
        file = f"[{name}.csv](../evidence/{name}.csv)"
        yield f"- {count} in {file}, trained{when} on {on} with {using}"
