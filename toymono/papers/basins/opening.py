"""The first words of the page on basins: each question and its answer, in plain language."""

from collections.abc import Callable, Sequence

from toymono.frames import connectivity
from toymono.papers import sparse
from toymono.papers.basins import (
    bias_schemes,
    expansion,
    measures,
    regimes,
    skip_paths,
    tickets,
)
from toymono.papers.claims import Judged
from toymono.papers.evidence import Evidence
from toymono.papers.findings import Finding, finite
from toymono.papers.jermyn2022.measures import count_converges


def opening(found: Evidence, judged: Sequence[Judged]) -> str:
    """A list of the questions, each with the answer that the runs give."""
    asked = {question: answer(found).strip() for question, answer in _ANSWERS.items()}
    answers = (f"- **{q}** {answer or 'No run answers it yet.'}" for q, answer in asked.items())
    return "\n".join(
        (
            "What readers asked, and what small networks (256 features in 32 dimensions, 512 "
            "neurons, 2^13 steps) answer:",
            "",
            *answers,
        )
    )


def _basins(found: Evidence) -> str:
    frame = found.sweeps["BASIN"].frame
    if frame.empty:
        return ""

    def mean(kind: str, column: str) -> str:
        return _percent(finite(measures.models(frame, kind)[column]))

    return (
        "On the straight line between two models of one world, after the best permutation of "
        f"neurons, the loss rises by {mean('monosemantic', 'kind_barrier')} (all shares are of the "
        "loss of an output of 0) between two monosemantic models, by "
        f"{mean('polysemantic', 'kind_barrier')} between two polysemantic ones and by "
        f"{mean('monosemantic', 'mixed_barrier')} between the two kinds."
        + _curves(found)
        + _equal(found)
    )


def _percent(values: Sequence[float], digits: int = 1) -> str:
    """The mean as a percentage."""
    return f"{100 * sum(values) / len(values):.{digits}f} %" if values else "(no run)"


def _curves(found: Evidence) -> str:
    """What remains of the barriers on trained curves; nothing without such runs."""
    frame = found.sweeps["CURVE"].frame
    if frame.empty:
        return ""
    kinds = [connectivity.kinds_of_pair(*map(connectivity.kind, ends))
             for ends in zip(frame["start_mono"], frame["target_mono"], strict=True)]  # fmt: skip
    frame = frame.assign(pair=kinds)
    same = finite(frame.loc[frame["pair"].isin(connectivity.PAIRS[:2]), "curve_barrier"])
    mixed = finite(frame.loc[frame["pair"] == "mixed", "curve_excess"])
    if not same or not mixed:
        return ""
    return (
        f" On a trained curve it rises by {_percent(same)} between two models of one kind and, "
        f"above the end with the higher loss, by {_percent(mixed)} between the two kinds."
    )


def _equal(found: Evidence) -> str:
    """How the loss rises between models of equal loss; nothing without such runs."""
    frame = found.sweeps["EQUAL"].frame
    lines = [f for f in measures.equal_kinds_apart(frame) if f.counts and "worse end" in f.measure]
    curves: dict[str, list[Finding]] = {}
    for finding in measures.equal_kinds_apart_on_curves(frame):
        curves.setdefault(finding.setting.rpartition("curve of ")[2], []).append(finding)
    if not lines or not curves:
        return ""

    def rise(findings: Sequence[Finding]) -> str:
        return _percent([finding.mean for finding in findings], 0)

    *shorter, (longest, lowest) = [(steps, rise(found)) for steps, found in curves.items()]
    after = ", ".join(f"{higher} after {steps}" for steps, higher in shorter)
    return (
        " Between a mono- and a polysemantic model of equal loss, which takes a long training of "
        f"the latter, it rises by {rise(lines)} above the worse end on the straight line and by "
        f"{lowest} on a curve trained for {longest}"
        + (f" ({after}: a longer training finds a lower curve)." if after else ".")
    )


def _hops(found: Evidence) -> str:
    frame = found.sweeps["HOP"].frame
    if frame.empty:
        return ""
    thresholds = {
        finding.setting: finding.mean
        for finding in measures.hop(frame)
        if finding.values and "threshold" in finding.measure
    }
    if not thresholds:
        return ""
    words = " and ".join(f"{mean:.1f} ({setting})" for setting, mean in thresholds.items())
    return (
        "A model that is pulled towards one of the other kind stays there if the pull, half its "
        f"weight times the squared distance of the two models, is about {words} times the aligned "
        "barrier between them."
    )


def _fine_tuned(found: Evidence) -> str:
    connected, onward = found.sweeps["CONNECT"].frame, found.sweeps["ONWARD"].frame
    if connected.empty or onward.empty:
        return ""
    every = measures.fine_tuned(connected, onward)
    mono, loss = (_means([f for f in every if f.measure.startswith(m)]) for m in ("mono", "loss"))
    return (
        f"Polysemantic models that it drives away from themselves or from others have {mono} "
        f"monosemantic neurons per feature, at {loss} times the loss of the same models trained "
        "on as they are."
    )


def _sparse(found: Evidence) -> str:
    words = ""
    frames = [found.sweeps[name].frame for name in (sparse.SWEEP, sparse.ERK)]
    if ratios := _means(sparse.costs(frames[0])):
        words += f" Fixed random sparse weights have {ratios} times the loss of as many dense ones"
        denser = _means(sparse.erk_costs(*frames))
        words += f", {denser} times if the input weights are denser" if denser else ""
        words += " (ratios to the dense seed with the highest loss)."
    frame = found.sweeps["TICKET"].frame
    if (mono := _means(tickets.stay_mono(frame))) and (loss := _means(tickets.match(frame))):
        words += (
            f" Lottery tickets keep {mono} times the dense run's monosemantic neurons, at {loss} "
            "times its loss"
        )
        late = _means(tickets.late_match(found.sweeps["REWIND"].frame))
        words += f", {late} times if they are rewound to a sixteenth of training." if late else "."
    if ratios := _means(expansion.losses(found.sweeps["EXPAND"].frame)):
        words += (
            " Models each of whose neurons is divided into several, with as many weights in use, "
            f"have {ratios} times the loss of the same models trained on as they are."
        )
    return words


def _starts(found: Evidence) -> str:
    frame = found.sweeps["START"].frame
    if frame.empty:
        return ""

    def ratio(measure: str, *names: str) -> str:
        rows = frame[frame["bias_start"].isin(["shifted", *names])]
        return _means([f for f in bias_schemes.starts(rows) if f.measure.startswith(measure)])

    of_each = ("below_each", "below_batch")
    if not (together := ratio("steps until", "below_all")) or not ratio("steps until", *of_each):
        return ""
    return (
        "Biases that all start where no neuron fires let neurons fire after "
        f"{together} times as many steps as biases that start at -1. Biases that are set for each "
        f"neuron let them fire after {ratio('steps until', *of_each)} times as many, but do not "
        f"shorten training: it takes {ratio('steps to', *of_each)} times as many steps to a loss "
        "of 0.4 of that of an output of 0 (expected: at most 0.95)."
    )


def _regimes(found: Evidence) -> str:
    frame = found.sweeps["EXPONENT"].frame
    if frame.empty:
        return ""
    half = frame[2 * frame["k"] == frame["n"]].groupby("exponent")
    if len(half) < 2:
        return ""
    means = half[["served_share", "ignored_share"]].mean()

    def span(column: str) -> str:
        first, *_, last = means[column]
        return f"{_percent([first], 0)} to {_percent([last], 0)}"

    first, last = means.index[0], means.index[-1]
    rare, served = (
        _means(claim(frame)) for claim in (regimes.rarest_ignored, regimes.frequent_served)
    )
    words = (
        "With half as many neurons as features and frequencies that follow a power law, the share "
        f"of ignored features goes from {span('ignored_share')}, and that of features with a "
        f"monosemantic neuron from {span('served_share')}, as the exponent goes from {first:g} to "
        f"{last:g}."
    )
    if rare and served:
        words += (
            " By rank of frequency, 1 for the most frequent, ignored features have "
            f"{rare} times the mean rank of polysemantic ones, and these {served} times that of "
            "features with a monosemantic neuron (where the ratio is below 1, the polysemantic "
            "ones are the more frequent)."
        )
    return words


def _converges(found: Evidence) -> str:
    every = count_converges(found.sweeps["LR1"].frame, found.sweeps["LR3"].frame)
    counted = [finding for finding in every if finding.counts]
    if not counted:
        return ""
    still = sum(finding.within < len(finding.values) for finding in counted)
    return (
        f"Not within 2^13 steps, in {still} of {len(counted)} settings with monosemantic neurons: "
        f"in the second half of training it changes by {_means(counted)} monosemantic neurons per "
        "feature."
    )


def _skip(found: Evidence) -> str:
    frame = found.sweeps["SKIP"].frame
    shares = _means([f for f in skip_paths.rest_mono(frame) if "fraction" in f.measure])
    if not shares:
        return ""
    return (
        "With a path of rank m hardly any neuron has a positive bias, but only a fraction of "
        f"{shares} of the neurons is monosemantic."
    )


_ANSWERS: dict[str, Callable[[Evidence], str]] = {
    "(a) Are mono- and polysemantic solutions in different basins?": _basins,
    "(b) How strong a pull makes a model change from one to the other?": _hops,
    "(c) What does connectivity-based fine-tuning make of a polysemantic model?": _fine_tuned,
    "(d) What do sparse weights cost, and do lottery tickets stay monosemantic?": _sparse,
    "(e) Are there better schemes for biases?": _starts,
    "(f) Which features are ignored where there are fewer neurons than features?": _regimes,
    "(g) Does the number of monosemantic neurons converge?": _converges,
    "And does a linear path beside the hidden layer leave only monosemantic neurons?": _skip,
}
"""The questions of the discussion, in its order, and the authors' own; an answer without runs is
empty."""


def _means(findings: Sequence[Finding]) -> str:
    """From the least to the largest mean of findings that count; "" without any."""
    means = sorted(finding.mean for finding in findings if finding.counts)
    return " to ".join(dict.fromkeys(f"{mean:.2f}" for mean in means[:1] + means[-1:]))
