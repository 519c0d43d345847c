"""The rule that makes verdicts, case by case."""

import pytest

from toymono.papers import verdicts
from toymono.papers.findings import Finding
from toymono.papers.verdicts import Verdict


def finding(*values, settled: bool | None = True, halfway=(), **more):
    return Finding("s", "m", values, settled, low=1, high=2, halfway=halfway, **more)


INSIDE = finding(1.0, 1.5, 2.0)
STRADDLING = finding(1.5, 1.5, 2.5)
OUTSIDE = finding(2.5, 3.0, 3.5)
BOTH_SIDES = finding(0.0, 0.0, 4.5)  # its mean lies within
APPROACHING = finding(2.5, 3.0, 3.5, settled=False, halfway=(3.5, 4.0, 4.5))
LEAVING = finding(2.5, 3.0, 3.5, settled=False, halfway=(1.0, 1.0, 3.0))
SETTLED_APPROACHING = finding(2.5, 3.0, 3.5, settled=True, halfway=(3.5, 4.0, 4.5))
UNKNOWN = finding(2.5, 3.0, 3.5, settled=False)
NO_SETTLING = finding(2.5, 3.0, 3.5, settled=None, halfway=(3.5, 4.0, 4.5))
EMPTY = finding()
SHOWN = finding(2.5, 3.0, 3.5, not_judged="no run learned")


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([INSIDE, INSIDE], Verdict.AGREES),
        ([INSIDE, STRADDLING], Verdict.UNDECIDED),
        ([STRADDLING], Verdict.UNDECIDED),
        ([INSIDE, OUTSIDE], Verdict.DIFFERS),
        ([STRADDLING, OUTSIDE], Verdict.DIFFERS),
        ([BOTH_SIDES], Verdict.DIFFERS),
        ([APPROACHING], Verdict.NOT_REACHED),
        ([INSIDE, APPROACHING], Verdict.NOT_REACHED),
        ([STRADDLING, APPROACHING], Verdict.NOT_REACHED),
        ([OUTSIDE, APPROACHING], Verdict.DIFFERS),
        ([LEAVING, APPROACHING], Verdict.DIFFERS),
        ([SETTLED_APPROACHING], Verdict.DIFFERS),
        ([UNKNOWN], Verdict.DIFFERS),
        ([NO_SETTLING], Verdict.DIFFERS),
        ([EMPTY, INSIDE], Verdict.AGREES),
        ([SHOWN, INSIDE], Verdict.AGREES),
        ([EMPTY], Verdict.NOT_MEASURED),
        ([SHOWN], Verdict.NOT_MEASURED),
        ([], Verdict.NOT_MEASURED),
    ],
)
def test_verdicts_follow_the_rule(findings, expected):
    assert verdicts.verdict(findings, complete=True) == expected


@pytest.mark.parametrize("finding", [INSIDE, OUTSIDE, APPROACHING])
def test_a_claim_with_missing_settings_is_not_measured(finding):
    assert verdicts.verdict([finding], complete=False) == Verdict.NOT_MEASURED


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([INSIDE], False),
        ([INSIDE, finding(1.0, 1.5)], True),
        ([finding(3.0)], True),
        ([INSIDE, EMPTY], False),
        ([INSIDE, finding(1.0, not_judged="shown only")], False),
    ],
)
def test_fewer_than_three_seeds_make_a_verdict_provisional(findings, expected):
    assert verdicts.is_provisional(findings) is expected


def test_limits_are_inclusive():
    assert INSIDE.within == 3
    assert finding(0.999, 2.001).within == 0


def test_every_verdict_has_its_rule():
    assert list(verdicts.RULES) == list(Verdict)
