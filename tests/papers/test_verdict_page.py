"""Parts of the page of a paper: the table of verdicts and that of the runs."""

import dataclasses
import re

import pandas as pd
import pytest

from toymono.papers import scales, verdict_page, verdicts
from toymono.papers.claims import Claim, Judged
from toymono.papers.evidence import Evidence, Sweep
from toymono.papers.findings import Finding

CLAIM = Claim("claim", "A statement.", "section 1", (), "a number")


def finding(*values, measure="loss", **more):
    return Finding("a setting", measure, values, settled=True, low=1, high=2, **more)


INSIDE = finding(1.0, 1.5, 1.25)
STRADDLING = finding(1.5, 1.5, 2.5)
OUTSIDE = finding(3.0, 3.0, 3.0)
SHOWN = finding(9.0, 9.0, 9.0, not_judged="no run learned")
EMPTY = finding()


def judged(*findings):
    verdict = verdicts.verdict(findings, complete=True)
    return Judged(1, CLAIM, findings, verdict)


@pytest.mark.parametrize(
    ("findings", "row"),
    [
        ([SHOWN, INSIDE], "agrees | a number | 1 of 1; a setting, loss: 1.25 |"),
        ([INSIDE, SHOWN, EMPTY, INSIDE], "agrees | a number | 2 of 2; loss: 1.25 |"),
        ([finding(0.5, measure="other", not_judged="shown"), STRADDLING], "0 of 1;"),
        ([INSIDE, OUTSIDE, SHOWN], "differs | a number | 1 of 2; loss: 1.25 … 3 |"),
        ([EMPTY, SHOWN], "not measured | a number | no run learned; a setting, loss: 9 |"),
        ([], "not measured | a number | no value |"),
    ],
)
def test_the_table_counts_and_quotes_what_is_judged(findings, row):
    *_, line = verdict_page.verdict_table([judged(*findings)]).splitlines()
    assert row in line
    within, counted = map(int, re.findall(r"(\d) of (\d)", line)[0]) if " of " in line else (0, 1)
    assert ("| agrees |" in line) == (within == counted)


def test_every_sweep_of_the_runs_has_its_command():
    runs = pd.DataFrame({"setting": ["a", "a"]})
    sweeps = (
        Sweep("LR1", 1, runs),
        Sweep("LR3", 2, runs),
        Sweep("digits", 1, runs, command="python -m toymono.classifiers --alpha 0"),
    )
    shown = verdict_page.runs_table(Evidence({each.name: each for each in sweeps}), "small")
    assert "| LR3 | 1 of 2 | 2 |" in shown
    assert "    python -m toymono.sweep --sweep LR1,LR3 --scale small --seeds 3\n" in shown
    assert shown.endswith("    python -m toymono.classifiers --alpha 0")


def test_the_lists_tell_settings_outside_the_limits_from_the_others():
    named = dataclasses.replace(CLAIM, headline="a claim")
    found = verdict_page.found(
        [dataclasses.replace(judged(INSIDE, OUTSIDE, INSIDE), claim=named)], runs=9
    )
    assert (
        "- a claim (loss: 3 in 1 of 3 settings, 1.25 elsewhere, expected 1 to 2; differs)" in found
    )
    every = verdict_page.found([dataclasses.replace(judged(INSIDE), claim=named)], runs=3)
    assert "- a claim (loss: 1.25, expected 1 to 2)" in every


def at(scale, *findings, reason=""):
    return dataclasses.replace(judged(*findings), scale=scale, reason=reason)


def test_a_scale_without_a_reason_takes_that_of_a_smaller_one():
    small = at("small", OUTSIDE, reason="noise")
    for larger, expected in [
        (at("half", OUTSIDE), ("half", "noise", "small")),
        (at("half", OUTSIDE, reason="dead neurons"), ("half", "dead neurons", "")),
        (at("half", INSIDE), ("half", "", "")),
        (at("half"), ("small", "noise", "")),
    ]:
        [found] = scales.at_largest({"half": [larger], "small": [small]})
        assert (found.scale, found.reason, found.reason_scale) == expected


def test_the_largest_scale_decides_unless_its_training_was_too_short():
    """Then a scale with more steps can show that the claim agrees, but not that it differs."""
    short = finding(5.0, 5.0, 5.0, halfway=(9.0, 9.0, 9.0))
    unfinished = dataclasses.replace(short, settled=False)

    # Steps of the scales: 2^14, 2^17, 2^13.
    for large, half, small, chosen in [
        ([INSIDE], [OUTSIDE], [OUTSIDE], "paper14"),
        ([OUTSIDE], [INSIDE], [INSIDE], "paper14"),
        ([STRADDLING], [INSIDE], [INSIDE], "paper14"),
        ([], [OUTSIDE], [INSIDE], "half"),
        ([], [], [INSIDE], "small"),
        ([], [], [], "small"),
        ([unfinished], [INSIDE], [OUTSIDE], "half"),
        ([unfinished], [OUTSIDE], [INSIDE], "paper14"),
        ([unfinished], [STRADDLING], [INSIDE], "paper14"),
        ([unfinished], [], [INSIDE], "paper14"),
        ([unfinished], [unfinished], [INSIDE], "paper14"),
        ([], [unfinished], [INSIDE], "half"),
    ]:
        of_scale = {"paper14": large, "half": half, "small": small}
        [found] = scales.at_largest({name: [at(name, *f)] for name, f in of_scale.items()})
        assert found.scale == chosen
