"""One claim at several scales: which of them it is judged at, and how its verdict changes."""

from collections.abc import Mapping, Sequence

from toymono import catalog
from toymono.markdown import table
from toymono.papers.claims import Judged
from toymono.papers.findings import Finding
from toymono.papers.verdicts import Verdict


def at_largest(judged: Mapping[str, Sequence[Judged]]) -> list[Judged]:
    """Each claim at the largest scale at which it is judged.

    Args:
      judged: Every claim at each scale, from the largest scale to the smallest.

    Returns:
      One verdict per claim; that of the smallest scale for a claim that is judged at none.
    """
    of_claim = zip(*judged.values(), strict=True)
    return [
        next((each for each in several if each.verdict != Verdict.NOT_MEASURED), several[-1])
        for several in of_claim
    ]


def section(judged: Mapping[str, Sequence[Judged]]) -> list[str]:
    """The part of the page on how verdicts change with scale and training time.

    Args:
      judged: Every claim at each scale, from the largest scale to the smallest.
    """
    rows, names = [], list(judged)[::-1]
    for several in zip(*(judged[name] for name in names), strict=True):
        first = several[0]
        name = f"[{first.claim.name.replace('_', ' ')}](#{first.anchor})"
        rows.append((str(first.number), name, *map(_cell, several)))
    return [
        "## How verdicts change with scale and training time",
        "\n".join(f"- `{name}`: {catalog.SCALES[name].sizes}." for name in names),
        "Behind each verdict: findings of which every seed lies within the limits, at half of "
        "training → at its end.",
        table(("", "claim", *names), rows),
    ]


def _cell(judged: Judged) -> str:
    if judged.verdict == Verdict.NOT_MEASURED:
        return ""
    counted = [finding for finding in judged.findings if finding.counts]
    halfway = [finding for finding in counted if finding.halfway]
    half = f"{sum(map(_half_agrees, halfway))} of {len(halfway)} → " if halfway else ""
    end = sum(finding.within == len(finding.values) for finding in counted)
    return f"{judged.text}: {half}{end} of {len(counted)}"


def _half_agrees(finding: Finding) -> bool:
    return all(finding.low <= value <= finding.high for value in finding.halfway)
