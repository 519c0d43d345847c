"""What a claim is, for every paper, and how the evidence judges it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from toymono.papers import verdicts
from toymono.papers.evidence import Evidence
from toymono.papers.findings import Finding
from toymono.papers.verdicts import Verdict


class Part(NamedTuple):
    """The settings of its sweeps that a claim reads, where it does not read all."""

    words: str
    """Which they are."""
    holds: Callable[[pd.DataFrame], pd.Series]
    """From a sweep's settings, one row each, to a boolean for each."""


@dataclasses.dataclass(frozen=True)
class Claim:
    """One statement of a paper, what measures it, and on which runs."""

    name: str
    statement: str
    """What the paper says, in our words."""
    where: str
    """Sections and figures of the paper."""
    sweeps: tuple[str, ...]
    """Names of the sweeps that it is judged on."""
    published: str
    """What the paper reports."""
    measure: Callable[..., list[Finding]] | None = None
    """From one frame per sweep, in their order, to the findings."""
    part: Part | None = None
    """What `measure` gets of each sweep; by default all. The others need no runs."""
    halved: str = ""
    """What replaces the paper's number where the sizes are halved; our choice, not published."""
    reason: Callable[[Evidence], str] | None = None
    """Why our runs may miss the limits: a sentence with numbers from the evidence, or "" where
    the evidence is missing or does not support it."""
    unmeasured: str = ""
    """Why there is no `measure`."""
    headline: str = ""
    """Short form for the first lines of the page; empty for claims not named there."""


def table(*claims: Claim) -> dict[str, Claim]:
    """Claims by their names, in the paper's order.

    Raises:
      ValueError: Two claims have one name.
    """
    by_name = {claim.name: claim for claim in claims}
    if len(by_name) < len(claims):
        raise ValueError("two claims have the same name")
    return by_name


@dataclasses.dataclass(frozen=True)
class Judged:
    """A claim with its number on the page, its findings and the verdict."""

    number: int
    claim: Claim
    findings: tuple[Finding, ...]
    verdict: Verdict
    provisional: bool = False
    """Whether fewer seeds than `verdicts.ENOUGH_SEEDS` are behind it."""
    lacking: tuple[str, ...] = ()
    """Sweeps of the claim that lack runs in some setting that it reads."""
    reason: str = ""
    """Why the runs miss the limits, where that was found out; only if they do."""
    scale: str = ""
    """Of the runs, a key of `catalog.SCALES`; empty if it was not given."""
    reason_scale: str = ""
    """The scale at which the reason was found, if not at its own."""

    @property
    def anchor(self) -> str:
        """The name of the claim's section in links."""
        return f"{self.number}-{self.claim.name.replace('_', '-')}"

    @property
    def text(self) -> str:
        """The verdict in words."""
        return f"{self.verdict.value} (provisional)" if self.provisional else self.verdict.value


def judge(claim: Claim, evidence: Evidence, number: int = 1, scale: str = "") -> Judged:
    """Measures a claim on the sweeps that it names.

    Args:
      claim: To be judged.
      evidence: Has all the claim's sweeps.
      number: Its place on the page.
      scale: That of the evidence, a key of `catalog.SCALES`.
    """
    sweeps = [evidence.sweeps[name] for name in claim.sweeps]
    if claim.part:
        sweeps = [sweep.part(claim.part.holds) for sweep in sweeps]
    lacking = tuple(sweep.name for sweep in sweeps if not sweep.complete)
    findings: list[Finding] = []
    if claim.measure is not None and not any(sweep.frame.empty for sweep in sweeps):
        findings = claim.measure(*(sweep.frame for sweep in sweeps))
        halfway = _values(claim.measure(*(sweep.halfway for sweep in sweeps)))
        findings = [
            dataclasses.replace(f, halfway=halfway.get((f.setting, f.measure), ()))
            for f in findings
        ]
    found = verdicts.verdict(findings, complete=not lacking)
    missed = found not in (Verdict.AGREES, Verdict.NOT_MEASURED)
    return Judged(
        number,
        claim,
        tuple(findings),
        found,
        found != Verdict.NOT_MEASURED and verdicts.is_provisional(findings),
        lacking,
        claim.reason(evidence) if missed and claim.reason else "",
        scale,
    )


def _values(findings: list[Finding]) -> dict[tuple[str, str], Any]:
    return {(finding.setting, finding.measure): finding.values for finding in findings}


def judge_all(claims: Mapping[str, Claim], evidence: Evidence, scale: str = "") -> list[Judged]:
    """Every claim, numbered in order."""
    return [
        judge(claim, evidence, number, scale) for number, claim in enumerate(claims.values(), 1)
    ]
