"""The page of one paper: what was found, the verdicts, the rule, the runs, claim by claim."""

from collections.abc import Iterable, Mapping, Sequence

from toymono import catalog
from toymono.frames.summary import SETTLED_LOSS_FALL, SETTLED_MONO_RISE
from toymono.markdown import table
from toymono.papers import verdicts
from toymono.papers.claims import Judged
from toymono.papers.evidence import Evidence, Sweep
from toymono.papers.findings import Finding
from toymono.papers.verdicts import RULES, Verdict

# Verdicts that say that a number of ours lies outside what the claim allows.
_MISSED = (Verdict.DIFFERS, Verdict.NOT_REACHED, Verdict.UNDECIDED)


_COUNTED = {
    Verdict.AGREES: ("agrees", "agree"),
    Verdict.UNDECIDED: (
        "is undecided because its seeds disagree",
        "are undecided because their seeds disagree",
    ),
    Verdict.NOT_REACHED: ("is not reached at this scale", "are not reached at this scale"),
    Verdict.DIFFERS: ("differs", "differ"),
    Verdict.NOT_MEASURED: ("is not measured", "are not measured"),
}


def picture(path: str, alt: str, caption: str) -> tuple[str, str]:
    """A picture and the paragraph below it.

    Example:
      >>> picture("../figures/loss.png", "Loss by step", "Loss of one run.")
      ('![Loss by step](../figures/loss.png)', 'Loss of one run.')
    """
    return f"![{alt}]({path})", caption


def found(judged: Sequence[Judged], runs: int, kind: str = "published statements") -> str:
    """How many claims agree, and lists of the main ones that do and that do not.

    Args:
      judged: Every claim of the paper.
      runs: Training runs behind them.
      kind: What the claims are, in the plural.
    """
    counts = {verdict: sum(each.verdict == verdict for each in judged) for verdict in Verdict}
    listed = [f"{counts[k]} {words[counts[k] > 1]}" for k, words in _COUNTED.items() if counts[k]]
    main = [each for each in judged if each.claim.headline]
    agree = [_named(each) for each in main if each.verdict == Verdict.AGREES]
    missed = [_named(each) for each in main if each.verdict in _MISSED]
    return "\n\n".join(
        [
            f"Of {len(judged)} {kind}, compared with {runs} training runs, "
            f"{joined(listed)}.{_provisional(judged)}",
            *_list("Among the main statements, these agree:", agree),
            *_list("These do not agree (first the settings that miss the limits):", missed),
            *([] if agree else ["None of the main statements agrees yet."]),
            *([] if missed else ["Our runs contradict none of the main statements."]),
        ]
    )


def _list(heading: str, items: Sequence[str]) -> tuple[str, ...]:
    """A heading and a bullet for each item; nothing without items."""
    return (heading, "\n".join(f"- {item}" for item in items)) if items else ()


def _provisional(judged: Sequence[Judged]) -> str:
    count = sum(each.provisional for each in judged)
    few = f"fewer than {verdicts.ENOUGH_SEEDS} seeds"
    verb = "verdict rests on {} and is" if count == 1 else "verdicts rest on {} and are"
    return f" {count} {verb.format(few)} provisional." if count else ""


def joined(words: Sequence[str]) -> str:
    """Words as a list in a sentence; "" without any.

    Example:
      >>> joined(["one", "two", "three"])
      'one, two and three'
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _named(judged: Judged) -> str:
    """The claim's short form with the numbers that speak for its verdict."""
    counted = [finding for finding in judged.findings if finding.counts]
    outside = [finding for finding in counted if finding.within < len(finding.values)]
    measures = list(dict.fromkeys(finding.measure for finding in outside or counted))
    numbers = []
    for measure in measures[:2]:
        every = [finding for finding in counted if finding.measure == measure]
        of_measure = [finding for finding in outside or counted if finding.measure == measure]
        others = [finding for finding in every if finding not in of_measure]
        found = _range(of_measure)
        if others:
            found += f" in {len(of_measure)} of {len(every)} settings, {_range(others)} elsewhere"
        numbers.append(f"{measure}: {found}, expected {of_measure[0].limits}")
    verdict = f"; {judged.verdict.value}" if outside else ""
    return f"{judged.claim.headline} ({'; '.join(numbers)}{verdict})"


def _range(findings: Iterable[Finding]) -> str:
    """From the least to the largest mean."""
    means = [finding.mean for finding in findings if finding.values]
    ends = [three_digits(end) for end in (min(means), max(means))] if means else ["no value"]
    return " … ".join(dict.fromkeys(ends))


def verdict_table(judged: Sequence[Judged], several_scales: bool = False) -> str:
    """All claims, one line each, with the scale of the runs if there are several scales."""
    rows = [
        (
            str(each.number),
            _link(each),
            each.text,
            each.claim.published,
            _summary(each),
            each.scale if each.verdict != Verdict.NOT_MEASURED else "",
        )
        for each in judged
    ]
    head = ("", "claim", "verdict", "published", "findings with every seed within limits", "scale")
    return table(head, rows) if several_scales else table(head[:-1], [row[:-1] for row in rows])


def _summary(judged: Judged) -> str:
    """How many of the findings that count lie within their limits, and what the first measures."""
    if judged.verdict == Verdict.NOT_MEASURED:
        if judged.lacking:
            return f"runs missing: {', '.join(judged.lacking)}"
        if shown := [finding for finding in judged.findings if finding.values]:
            last = shown[-1]
            return f"{last.not_judged}; {last.setting}, {last.measure}: {three_digits(last.mean)}"
        return judged.claim.unmeasured or "no value"
    counted = [finding for finding in judged.findings if finding.counts]
    first = counted[0].measure
    within = sum(finding.within == len(finding.values) for finding in counted)
    where = f"{counted[0].setting}, " if len(counted) == 1 else ""
    of_first = _range(f for f in counted if f.measure == first)
    return f"{within} of {len(counted)}; {where}{first}: {of_first}"


def rule() -> str:
    """How a verdict is reached, in words."""
    lines = [f"- **{kind.value}**: {words}." for kind, words in RULES.items()]
    return "\n".join(
        [
            "A finding is one number in one setting, with one value per seed and the limits "
            "within which the claim expects it. Limits are the paper's numbers where it gives "
            "some, and ours where it only describes a result in words. A finding agrees if every "
            "seed lies within the limits and fails if every seed lies outside.",
            "",
            *lines,
            "",
            f"A verdict with fewer than {verdicts.ENOUGH_SEEDS} seeds behind any of its findings "
            "is provisional. Findings without a value do not count.",
            "",
            "A run had settled if, from half of training to the end, its loss changed by at most "
            f"{SETTLED_LOSS_FALL:.0%} (averaged over one eighth of all steps at either point) and "
            f"its monosemantic neurons per feature by at most {SETTLED_MONO_RISE:g}. A finding had "
            "settled if at least half of its runs had. Distance from the limits is the mean over "
            "seeds.",
        ]
    )


def runs_table(evidence: Evidence, scale: str) -> str:
    """Which runs there are of each sweep, and what trains them."""
    rows = [
        (
            sweep.name,
            f"{sweep.measured} of {sweep.wanted}",
            sweep.seeds,
            f"{sweep.frame['settled'].mean():.0%}"
            if "settled" in sweep.frame and len(sweep.frame)
            else "",
            str(sweep.diverged or ""),
        )
        for sweep in evidence.sweeps.values()
    ]
    head = ("sweep", "settings with runs", "seeds per setting", "runs settled", "runs diverged")
    lines = commands(evidence.sweeps.values(), scale)
    return "\n\n".join(
        [
            table(head, rows),
            "These commands train the sweeps; runs that are stored are not trained again:",
            code(lines),
        ]
    )


def code(lines: Iterable[str]) -> str:
    """Commands as an indented block."""
    return "\n".join(f"    {line}" for line in lines)


def commands(
    sweeps: Iterable[Sweep], scale: str, change: tuple[str, int] | None = None, seeds: int = 3
) -> list[str]:
    """What trains sweeps, with one field changed if `change` names it."""
    sweeps = list(sweeps)
    names = [sweep.name for sweep in sweeps if not sweep.command]
    flag = "" if change is None else f" --{change[0]} {change[1]}"
    toy = f"python -m toymono.sweep --sweep {','.join(names)} --scale {scale}{flag} --seeds {seeds}"
    return [*([toy] if names else []), *(sweep.command for sweep in sweeps if sweep.command)]


def claim_sections(
    judged: Sequence[Judged], evidence: Mapping[str, Evidence], several_scales: bool = False
) -> list[str]:
    """Every claim with its findings; a reason that claims share is given once.

    Args:
      judged: The claims, each at one scale.
      evidence: By scale.
      several_scales: Whether each section names its scale.
    """
    first: dict[str, Judged] = {}
    sections = []
    for each in judged:
        reason = each.reason
        if reason and (earlier := first.setdefault(reason, each)) is not each:
            reason = f"the same as for claim [{earlier.number}](#{earlier.anchor})"
        sections.append(_section(each, evidence[each.scale], reason, several_scales))
    return sections


def _section(judged: Judged, evidence: Evidence, reason: str, name_scale: bool) -> str:
    claim, scale = judged.claim, judged.scale
    lines = [
        f'<a id="{judged.anchor}"></a>',
        f"### {judged.number}. {claim.name.replace('_', ' ')}: {judged.text}",
        f"{claim.statement} ({claim.where})",
        f"Published: {claim.published}.",
    ]
    if name_scale and judged.verdict != Verdict.NOT_MEASURED:
        lines.append(f"Judged at the scale `{scale}`.")
    if catalog.SCALES[scale].halved and claim.halved:
        lines.append(f"At this scale, our choice and not published: {claim.halved}.")
    if reason:
        where = f" at the scale `{judged.reason_scale}`" if judged.reason_scale else ""
        where += ", where it does not agree either" if where else ""
        lines.append(f"Likely reason{where}: {reason.removesuffix('.')}.")
    if claim.sweeps:
        part = f" ({claim.part.words})" if claim.part else ""
        lines.append(f"Sweeps: {', '.join(claim.sweeps)}{part}.")
    if claim.unmeasured:
        lines.append(f"Not measured: {claim.unmeasured}.")
    if judged.lacking:
        missing = [evidence.sweeps[name] for name in judged.lacking]
        lines += ["Some settings have no run; to train them:", code(commands(missing, scale))]
    if judged.findings and judged.lacking:
        lines.append("From the settings that have runs:")
    if judged.findings:
        lines.append(_findings(judged.findings))
    return "\n\n".join(lines)


def _findings(findings: Sequence[Finding]) -> str:
    asked = any(finding.settled is not None for finding in findings)
    head = ("setting", "measure", "published", "ours", "limits", "seeds within")
    head += ("settled", "at half of training") if asked else ()
    rows = [
        (
            finding.setting,
            finding.measure,
            finding.published,
            mean_and_range(finding.values),
            finding.limits,
            _within(finding),
            "yes" if finding.settled else "no",
            mean_and_range(finding.halfway) if finding.halfway else "-",
        )[: len(head)]
        for finding in findings
    ]
    return table(head, rows)


def _within(finding: Finding) -> str:
    if finding.not_judged:
        return f"not judged: {finding.not_judged}"
    return f"{finding.within} of {len(finding.values)}" if finding.values else "-"


def mean_and_range(values: Sequence[float]) -> str:
    """The mean of some values, with the least and the largest.

    Example:
      >>> mean_and_range((1.0, 2.0)), mean_and_range((1.0, 1.0)), mean_and_range(())
      ('1.5 (1 … 2)', '1', 'no value')
    """
    if not values:
        return "no value"
    mean, low, high = (
        three_digits(v) for v in (sum(values) / len(values), min(values), max(values))
    )
    return mean if low == high else f"{mean} ({low} … {high})"


def three_digits(value: float) -> str:
    """A number as the pages show it."""
    return f"{round(value, 4) + 0.0:.3g}"  # -0 is 0


def _link(judged: Judged) -> str:
    return f"[{judged.claim.statement.removesuffix('.')}](#{judged.anchor})"
