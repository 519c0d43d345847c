"""The rule that makes a verdict of findings."""

import enum
from collections.abc import Sequence

from toymono.reproduction.findings import Finding


class Verdict(enum.StrEnum):
    """What the runs say of a claim."""

    AGREES = "agrees"
    DIFFERS = "differs"
    NOT_REACHED = "not reached at this scale"
    NOT_MEASURED = "not measured"


RULES = {
    Verdict.AGREES: "every finding lies within its limits",
    Verdict.DIFFERS: "a finding lies outside its limits, and the training behind it had settled",
    Verdict.NOT_REACHED: "findings lie outside, and the training behind each of them had not "
    "settled: a longer run may still come to them",
    Verdict.NOT_MEASURED: "a setting of the claim's sweeps has no run, or the lab cannot train it",
}


def verdict(findings: Sequence[Finding], complete: bool) -> Verdict:
    """The verdict on a claim.

    Args:
      findings: What was measured.
      complete: Whether every setting of the claim's sweeps has a run.

    Example:
      >>> short = Finding("k = 8", "neurons", (1.0, 2.0), settled=False, low=5)
      >>> str(verdict([short], complete=True))
      'not reached at this scale'
    """
    if not complete or not findings:
        return Verdict.NOT_MEASURED
    failed = [finding for finding in findings if not finding.met]
    if not failed:
        return Verdict.AGREES
    return Verdict.NOT_REACHED if all(f.settled is False for f in failed) else Verdict.DIFFERS
