"""The page that says what reproduces: Markdown from claims and evidence."""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from toymono.papers import evidence
from toymono.papers.evidence import Sweep
from toymono.papers.findings import Finding
from toymono.papers.jermyn2022.claims import Claim
from toymono.papers.verdicts import RULES, Verdict, verdict


@dataclasses.dataclass(frozen=True)
class Judged:
    """A claim with what was found of it."""

    claim: Claim
    findings: tuple[Finding, ...]
    verdict: Verdict
    lacking: tuple[str, ...]
    """Its sweeps that lack settings."""


def judge(claim: Claim, sweeps: Mapping[str, Sweep]) -> Judged:
    """Measures a claim on the sweeps that it names."""
    mine = [sweeps[name] for name in claim.sweeps]
    lacking = tuple(sweep.name for sweep in mine if not sweep.complete)
    findings: Sequence[Finding] = ()
    if claim.measure is not None and not any(sweep.frame.empty for sweep in mine):
        findings = claim.measure(*(sweep.frame for sweep in mine))
    if findings and not any(sweep.halfway.empty for sweep in mine):
        earlier = claim.measure(*(sweep.halfway for sweep in mine))
        at_half = {(found.setting, found.measure): found.mean for found in earlier}
        findings = [
            dataclasses.replace(f, halfway=at_half.get((f.setting, f.measure), math.nan))
            for f in findings
        ]
    return Judged(claim, tuple(findings), verdict(findings, not lacking), lacking)


def training(
    names: Iterable[str], scale: str, change: tuple[str, int] | None = None, seeds: int = 3
) -> str:
    """The command that trains sweeps, with one field changed if need be."""
    flag = "" if change is None else f" --{change[0]} {change[1]}"
    sweeps = ",".join(names)
    return f"python -m toymono.sweep --sweep {sweeps} --scale {scale}{flag} --seeds {seeds}"


def write(
    judged: Sequence[Judged],
    larger: Mapping[tuple[str, int], Sequence[Judged]],
    sweeps: Mapping[str, Sweep],
    scale: str,
    made_by: str,
) -> str:
    """The whole page.

    Args:
      judged: The claims in their order.
      larger: By a field of `evidence.LARGER` and its value, the claims that such runs can judge.
      sweeps: From `evidence.gather`.
      scale: Of all runs.
      made_by: The command that writes the page.
    """
    parts = [
        "# The paper's claims beside the kept runs",
        "Jermyn, Schiefer & Hubinger (2022), Engineering Monosemanticity in Toy Models, "
        "arXiv:2211.09169v1.",
        _header(sweeps, scale, made_by),
        "## Verdicts",
        verdicts(judged),
        *_larger(judged, larger, scale),
        "## How a verdict is reached",
        _rules(),
        "## The runs",
        _runs(sweeps, scale),
        "## Claim by claim",
        *(section(each, number, scale, first) for number, each, first in _with_reasons(judged)),
    ]
    return "\n\n".join(parts) + "\n"


def _with_reasons(judged: Sequence[Judged]) -> Iterator[tuple[int, Judged, str]]:
    """Claims with their numbers, and for each the one that tells the reason that it shares."""
    told: dict[str, str] = {}
    for number, each in enumerate(judged, 1):
        link = f"[{number}](#{_anchor(each.claim, number)})"
        if each.verdict != Verdict.AGREES:
            told.setdefault(each.claim.reason, link)
        first = told.get(each.claim.reason, link)
        yield number, each, "" if first == link else first


def _header(sweeps: Mapping[str, Sweep], scale: str, made_by: str) -> str:
    runs = set().union(*(set(s.frame["run"]) for s in sweeps.values() if len(s.frame)))
    versions = sorted(set().union(*(sweep.versions for sweep in sweeps.values())))
    lines = [
        f"Written by `{made_by}`; do not edit.",
        f"Scale: {scale}. Runs used: {len(runs)}. "
        f"Trained with: {', '.join(versions) or 'nothing yet'}.",
    ]
    if scale == "small":
        lines.append(
            "**No run here has the published size.** The small scale halves N, d and k and takes "
            "2^13 steps of 256 samples in place of 2^17 of 2^23/k: verdicts are on this scale, "
            "not on the paper. Numbers that stand for the paper's at this scale are ours, and "
            "marked: the paper has none."
        )
    return "\n\n".join(lines)


def verdicts(judged: Sequence[Judged], kinds: Iterable[Verdict] = tuple(Verdict)) -> str:
    """The table of all claims, after the counts of the kinds of verdicts that there can be."""
    counts = ", ".join(
        f"{sum(each.verdict == kind for each in judged)} {kind.value}" for kind in kinds
    )
    rows = [
        (
            str(number),
            f"[{_cell(each.claim.says)}](#{_anchor(each.claim, number)})",
            each.claim.paper,
            _summary(each),
            each.verdict.value,
        )
        for number, each in enumerate(judged, 1)
    ]
    head = ("", "claim", "published", "findings within limits", "verdict")
    return f"{counts}.\n\n{table(head, rows)}"


def _summary(judged: Judged) -> str:
    """How many findings meet their limits, and what was measured first."""
    if judged.verdict == Verdict.NOT_MEASURED:
        lacking = f"runs missing: {', '.join(judged.lacking)}" if judged.lacking else "no value"
        return judged.claim.unmeasured or lacking
    first = judged.findings[0].measure
    means = [f.mean for f in judged.findings if f.measure == first and f.values]
    ends = [three_digits(end) for end in (min(means), max(means))] if means else ["no value"]
    measured = [finding for finding in judged.findings if finding.values]
    met, count = sum(finding.met for finding in measured), len(measured)
    where = f"{judged.findings[0].setting}, " if count == 1 else ""
    return f"{met} of {count}; {where}{first}: {' … '.join(dict.fromkeys(ends))}"


_AMOUNT = {"log2_steps": "2^{} steps", "batch_size": "{} samples a step"}


def _larger(
    judged: Sequence[Judged], larger: Mapping[tuple[str, int], Sequence[Judged]], scale: str
) -> list[str]:
    """What becomes of the claims that did not agree, where runs see more."""
    open_ = {
        each.claim.name: (number, each)
        for number, each in enumerate(judged, 1)
        if each.verdict in (Verdict.DIFFERS, Verdict.NOT_REACHED)
    }
    parts = []
    for change, of_change in larger.items():
        rows = []
        for changed in of_change:
            if changed.claim.name in open_:
                number, own = open_[changed.claim.name]
                link = f"[{_cell(changed.claim.says)}](#{_anchor(changed.claim, number)})"
                columns = [f"{_summary(each)}: {each.verdict.value}" for each in (own, changed)]
                rows.append((str(number), link, *columns))
        field, value = change
        amount = _AMOUNT[field].format(value)
        if rows:
            names = sorted({name for changed in of_change for name in changed.claim.sweeps})
            found = [finding for changed in of_change for finding in changed.findings]
            seeds = max((len(finding.values) for finding in found), default=0) or 1
            parts += [
                f"## The same settings, {amount}",
                "What becomes of the claims that did not agree. Trained with "
                f"`{training(names, scale, change, seeds)}`.",
                table(("", "claim", "the scale's own", amount), rows),
            ]
    return parts


def _rules() -> str:
    lines = [f"- **{kind.value}**: {rule}." for kind, rule in RULES.items()]
    return "\n".join(
        [
            "A finding is a number in one setting: a mean over seeds, with the least and the "
            "largest seed beside it. It is within its limits or not. The limits are the paper's "
            "numbers where it gives some; where it gives words, or about how much, they are ours.",
            "",
            *lines,
            "",
            "A run had settled if from half of its training to the end its loss changed by no "
            f"more than {evidence.SETTLED_FALL:.0%}, each time averaged over an eighth of all "
            "steps, and its monosemantic neurons per feature by no more than "
            f"{evidence.SETTLED_RISE:g}. A finding had if half of its runs had. A finding without "
            "a value, where no run has the number, counts neither way.",
        ]
    )


def _runs(sweeps: Mapping[str, Sweep], scale: str) -> str:
    rows = [
        (
            sweep.name,
            f"{sweep.kept} of {sweep.wanted}",
            sweep.seeds,
            f"{sweep.frame['settled'].mean():.0%}" if len(sweep.frame) else "",
            str(sweep.diverged or ""),
        )
        for sweep in sweeps.values()
    ]
    head = ("sweep", "settings with runs", "seeds of each", "runs settled", "diverged")
    missing = [sweep.name for sweep in sweeps.values() if not sweep.complete]
    train = f"\n\nTo train what is missing: `{training(missing, scale)}`" if missing else ""
    return table(head, rows) + train


def section(judged: Judged, number: int, scale: str, reason_in: str = "") -> str:
    """One claim with its findings; `reason_in` links to the claim that tells its reason."""
    claim = judged.claim
    lines = [
        f'<a id="{_anchor(claim, number)}"></a>',
        f"### {number}. {claim.name.replace('_', ' ')}: {judged.verdict.value}",
        f"{claim.says} ({claim.where})",
        f"Published: {claim.paper}.",
    ]
    if scale == "small" and claim.small:
        lines.append(f"At this scale, ours and not published: {claim.small}.")
    if scale == "small" and claim.reason and judged.verdict != Verdict.AGREES:
        reason = f"that of claim {reason_in}" if reason_in else claim.reason
        lines.append(f"The reason, as far as we found: {reason}.")
    if claim.sweeps:
        lines.append(f"Sweeps: {', '.join(claim.sweeps)}.")
    if claim.unmeasured:
        lines.append(f"Not measured: {claim.unmeasured}.")
    if judged.lacking:
        lines.append(f"Settings are missing; to train: `{training(judged.lacking, scale)}`")
    if judged.findings and judged.lacking:
        lines.append("From the settings that there are:")
    if judged.findings:
        asked = any(finding.settled is not None for finding in judged.findings)
        head = ("setting", "measured", "published", "ours", "seeds", "limits", "within")
        head += ("settled", "at half") if asked else ()
        rows = [
            (
                finding.setting,
                finding.measure,
                finding.paper,
                _mean_and_range(finding),
                str(len(finding.values)),
                finding.limits,
                ("yes" if finding.met else "no") if finding.values else "-",
                "yes" if finding.settled else "no",
                "-" if math.isnan(finding.halfway) else three_digits(finding.halfway),
            )[: len(head)]
            for finding in judged.findings
        ]
        lines.append(table(head, rows))
    return "\n\n".join(lines)


def _mean_and_range(finding: Finding) -> str:
    values = finding.values
    if len(values) < 2:
        return three_digits(finding.mean) if values else "no value"
    return (
        f"{three_digits(finding.mean)} ({three_digits(min(values))} … {three_digits(max(values))})"
    )


def three_digits(value: float) -> str:
    """As many digits of a number as the pages show."""
    return f"{round(value, 4) + 0.0:.3g}"  # -0 is 0


def _anchor(claim: Claim, number: int) -> str:
    return f"{number}-{claim.name.replace('_', '-')}"


def _cell(text: str) -> str:
    return text.removesuffix(".")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
