"""The rule that makes a verdict of findings."""

import enum
from collections.abc import Sequence

from toymono.papers.findings import Finding

ENOUGH_SEEDS = 3
"""With fewer seeds behind any of its findings a verdict is provisional; our choice."""


class Verdict(enum.StrEnum):
    """What the runs say about a claim."""

    AGREES = "agrees"
    UNDECIDED = "undecided"
    NOT_REACHED = "not reached at this scale"
    DIFFERS = "differs"
    NOT_MEASURED = "not measured"


RULES = {
    Verdict.AGREES: "in every finding, every seed lies within the limits",
    Verdict.UNDECIDED: "in some finding, some seeds lie within the limits and some outside; in no "
    "finding do all lie outside",
    Verdict.NOT_REACHED: "in some finding every seed lies outside; in each such finding training "
    "had not settled, and at half of training the seeds were farther from the limits, so a "
    "longer run may still reach them",
    Verdict.DIFFERS: "in some finding every seed lies outside, and its training had settled or "
    "did not bring it closer to the limits",
    Verdict.NOT_MEASURED: "a setting that the claim reads has no run, no run has the number, "
    "no run can be compared with the published ones, or the package cannot train it",
}


def verdict(findings: Sequence[Finding], complete: bool) -> Verdict:
    """The verdict on a claim.

    Args:
      findings: What was measured; findings without a value, and those that are
        shown only for comparison, do not count.
      complete: Whether every setting that the claim reads has a run.

    Example:
      >>> low = Finding("k = 8", "neurons", (1.0, 2.0), settled=False, low=5, halfway=(0.0, 1.0))
      >>> str(verdict([low], complete=True))
      'not reached at this scale'
    """
    judged = [finding for finding in findings if finding.counts]
    if not complete or not judged:
        return Verdict.NOT_MEASURED
    failed = [finding for finding in judged if finding.within == 0]
    if failed:
        on_the_way = all(f.settled is False and f.approaching for f in failed)
        return Verdict.NOT_REACHED if on_the_way else Verdict.DIFFERS
    agree = all(finding.within == len(finding.values) for finding in judged)
    return Verdict.AGREES if agree else Verdict.UNDECIDED


def is_provisional(findings: Sequence[Finding]) -> bool:
    """Whether any finding that counts has fewer than `ENOUGH_SEEDS` seeds behind it."""
    return any(len(finding.values) < ENOUGH_SEEDS for finding in findings if finding.counts)
