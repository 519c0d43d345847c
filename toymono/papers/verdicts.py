"""The rule that makes a verdict of findings."""

import enum
from collections.abc import Sequence

from toymono.papers.findings import Finding


class Verdict(enum.StrEnum):
    """What the runs say of a claim."""

    AGREES = "agrees"
    DIFFERS = "differs"
    NOT_REACHED = "not reached at this scale"
    NOT_MEASURED = "not measured"


RULES = {
    Verdict.AGREES: "every finding lies within its limits",
    Verdict.DIFFERS: "a finding lies outside its limits, and the training behind it had settled "
    "or did not bring it nearer",
    Verdict.NOT_REACHED: "findings lie outside; the training behind each of them had not settled, "
    "and at half of it they lay farther off: a longer run may still come to them",
    Verdict.NOT_MEASURED: "a setting of the claim's sweeps has no run, no run has the number, or "
    "the lab cannot train it",
}


def verdict(findings: Sequence[Finding], complete: bool) -> Verdict:
    """The verdict on a claim.

    Args:
      findings: What was measured; those without a value count neither way.
      complete: Whether every setting of the claim's sweeps has a run.

    Example:
      >>> short = Finding("k = 8", "neurons", (1.0, 2.0), settled=False, low=5, halfway=1.0)
      >>> str(verdict([short], complete=True))
      'not reached at this scale'
    """
    measured = [finding for finding in findings if finding.values]
    if not complete or not measured:
        return Verdict.NOT_MEASURED
    failed = [finding for finding in measured if not finding.met]
    if not failed:
        return Verdict.AGREES
    on_the_way = all(f.settled is False and f.approaching for f in failed)
    return Verdict.NOT_REACHED if on_the_way else Verdict.DIFFERS
