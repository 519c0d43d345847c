"""One claim at several scales: which of them it is judged at, and how its verdict changes."""

import dataclasses
from collections.abc import Mapping, Sequence

from toymono import catalog
from toymono.markdown import table
from toymono.papers import verdict_page
from toymono.papers.claims import Judged
from toymono.papers.evidence import Evidence
from toymono.papers.findings import Finding
from toymono.papers.verdicts import Verdict

RULE = (
    "Scales are ordered by their sizes, then by their steps. Each claim is judged at the largest "
    "at which it was measured. Where training there was too short to tell (not reached at this "
    "scale), it agrees if it does at a scale with more steps, and is not reached otherwise."
)


def at_largest(judged: Mapping[str, Sequence[Judged]]) -> list[Judged]:
    """Each claim at the scale that decides it, by `RULE`.

    Args:
      judged: Every claim at each scale, from the largest scale to the smallest.

    Returns:
      One verdict per claim; that of the smallest scale for a claim that is judged at none.
      Where its own scale shows no reason for what it misses, it has that of a smaller one.
    """
    of_claim = zip(*judged.values(), strict=True)
    return [_at_largest(several) for several in of_claim]


def _at_largest(several: Sequence[Judged]) -> Judged:
    measured = [each for each in several if each.verdict != Verdict.NOT_MEASURED]
    if not measured:
        return several[-1]
    largest, *smaller = measured
    if largest.verdict == Verdict.NOT_REACHED:
        longer = [each for each in smaller if _log2_steps(each.scale) > _log2_steps(largest.scale)]
        agreeing = (each for each in longer if each.verdict == Verdict.AGREES)
        largest = next(agreeing, largest)
    if largest.reason or largest.verdict == Verdict.AGREES:
        return largest
    reasons = ((each.reason, each.scale) for each in smaller if each.reason)
    reason, scale = next(reasons, ("", ""))
    return dataclasses.replace(largest, reason=reason, reason_scale=scale)


def _log2_steps(scale: str) -> int:
    return {**catalog.PRESETS["paper"]({}), **catalog.SCALES[scale].fields}["log2_steps"]


_AMOUNT = {"log2_steps": "2^{} steps", "batch_size": "{} samples per step"}


def section(
    judged: Mapping[str, Sequence[Judged]],
    larger: Mapping[str, Mapping[tuple[str, int], Sequence[Judged]]],
    found: Mapping[str, Evidence],
) -> list[str]:
    """The part of the page on how verdicts change with scale, batches and training time.

    Args:
      judged: Every claim at each scale, from the largest scale to the smallest.
      larger: By scale, and then by a field and its value, the claims that are judged on runs
        of that scale with that value too.
      found: The evidence at each scale.
    """
    listed, columns = [], []
    for name in [*judged][::-1]:
        listed.append(f"- `{name}`: {catalog.SCALES[name].sizes}.")
        columns.append((name, judged[name]))
        for (field, value), again in larger[name].items():
            if not any(map(_cell, again)):
                continue
            title = f"{name}, {_AMOUNT[field].format(value)}"
            sweeps = found[name].larger[field, value].values()
            seeds = max(int(sweep.seeds.split("-")[-1]) for sweep in sweeps)
            [command] = verdict_page.commands(sweeps, name, (field, value), seeds)
            listed.append(f"- `{title}`: trained by `{command}`.")
            columns.append((title, again))
    cells = [{each.number: _cell(each) for each in of_column} for _, of_column in columns]
    rows = [
        (
            str(each.number),
            f"[{each.claim.name.replace('_', ' ')}](#{each.anchor})",
            *(of_column.get(each.number, "") for of_column in cells),
        )
        for each in next(iter(judged.values()))
    ]
    return [
        "## How verdicts change with scale and training time",
        "\n".join(listed),
        *([RULE] if len(judged) > 1 else []),
        "Behind each verdict: in how many findings every seed lies within the limits, at half of "
        "training → at its end. Findings without a value do not count, at half of training fewer "
        "may have one. An empty cell: too few runs at that scale.",
        table(("", "claim", *(title for title, _ in columns)), rows),
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
