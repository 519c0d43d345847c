"""Black, Sharkey et al. (2022): the runs that judge its claims, and its page."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from toymono import store
from toymono.frames import classifier_polytopes, polytopes
from toymono.job import Job
from toymono.kinds import KINDS
from toymono.markdown import table
from toymono.papers import evidence, verdict_page
from toymono.papers.black2022.claims import CLAIMS
from toymono.papers.black2022.measures import CLASSIFIERS, TOY
from toymono.papers.claims import Judged
from toymono.papers.evidence import Evidence, Source
from toymono.papers.findings import finite
from toymono.papers.paper import Paper, Picture
from toymono.papers.verdicts import Verdict
from toymono.store import StoredRun

_SEEDS = 5
_ALL = (*TOY, *CLASSIFIERS)

VARIANTS: dict[str, tuple[str, dict[str, str]]] = {
    **{name: (name, {}) for name in CLASSIFIERS},
    "digits, tent": ("digits", {"nonlinearity": "tent"}),
    "digits, layer norm": ("digits", {"layer_norm": "on"}),
    "digits, tent, layer norm": ("digits", {"nonlinearity": "tent", "layer_norm": "on"}),
}
"""Classifiers by name: the data and what differs from the published network. Claims are judged
on those that differ in nothing; the discussion asks about the others."""


def _sources(scale: str) -> tuple[Source, ...]:
    classifier = ("status", *classifier_polytopes.MEASURES, "rescaled_bits")
    find = functools.partial(evidence.stored_of, TOY, "small")
    measure = evidence.row_of(polytopes.per_run)
    return (
        *(
            Source(
                f"black2022-{data}",
                "classifier",
                classifier,
                (),
                _finder(data),
                evidence.row_of(classifier_polytopes.per_run),
            )
            for data in CLASSIFIERS
        ),
        Source("black2022-small", "toy", polytopes.MEASURES, (), find, measure),
    )


def _finder(data: str):
    settings = {_setting(name) for name, (kind, _) in VARIANTS.items() if kind == data}

    def find(runs_dir: str | Path) -> list[StoredRun]:
        return [
            run
            for run in store.find(runs_dir, kind="classifier", data=data)
            if Job(run.config, run.hyperparams, seed=0).name in settings
        ]

    return find


def _setting(variant: str) -> str:
    """The name of the setting of one of `VARIANTS`, trained without a penalty."""
    data, changed = VARIANTS[variant]
    kind = KINDS["classifier"]
    return Job(*kind.split({"data": data, "alpha": 0.0, **changed}), seed=0).name


def _gather(frames: Mapping[str, pd.DataFrame], scale: str) -> Evidence:
    toy = frames["black2022-small"]
    sweeps = {name: evidence.sweep(name, toy, store.positions(name, "small")) for name in TOY}
    for name, (data, _) in VARIANTS.items():
        runs = frames[f"black2022-{data}"]
        learned = runs[runs["status"] == "learned"] if len(runs) else runs
        sweeps[name] = evidence.sweep(name, learned, [_setting(name)], _command(name))
    return Evidence(sweeps)


def _command(variant: str) -> str:
    data, changed = VARIANTS[variant]
    given = "" if data == "digits" else f" --data_dir {data}"
    given += "".join(f" --{field} {word}" for field, word in changed.items())
    return f"python -m toymono.classifiers --data {data}{given} --alpha 0 --seeds {_SEEDS}"


def _opening(found: Evidence, judged: Sequence[Judged]) -> str:
    """What the lens shows here, what was published, and where they differ."""

    def mean(sweep: str, column: str) -> str:
        frame = found.sweeps[sweep].frame
        values = finite(frame[column]) if len(frame) else ()
        return f"{sum(values) / len(values):.2f}" if values else "(no run)"

    def of_each(sweeps: Sequence[str], column: str) -> str:
        return verdict_page.joined(
            [f"{mean(name, column)} ({_PLAIN.get(name, name)})" for name in sweeps]
        )

    missed = [each for each in judged if each.verdict in (Verdict.DIFFERS, Verdict.NOT_REACHED)]
    named = [each.claim.headline for each in missed if each.claim.headline]
    differ = verdict_page.joined([f"that {headline}" for headline in named])
    return (
        "A polytope is a region of inputs in which a relu network is one linear map. In "
        f"classifiers the boundaries of polytopes are {of_each(CLASSIFIERS, 'density_ratio')} "
        "times as dense between classes as within one, compared with "
        f"{of_each(CLASSIFIERS, 'untrained_density_ratio')} before training. In toy models, whose "
        f"features are known, they are {of_each(TOY, 'density_ratio')} times as dense between "
        "features as within one, compared with "
        f"{of_each(TOY, 'rotated_density_ratio')} with rotated weights; where each feature comes "
        f"alone, {of_each(TOY, 'density_ratio_alone')} times. Clusters of polytopes follow "
        "features and classes (adjusted mutual information "
        f"{of_each(_ALL, 'code_ami')}), but in toy models those of rotated weights follow them as "
        f"well ({of_each(_ALL, 'rotated_code_ami')}).\n\n"
        "Black, Sharkey et al. (2022) propose polytopes as units of analysis, with figures of "
        "InceptionV1 and GPT-2 and without numbers. "
        f"Of {len(judged)} statements, theirs and what they suggest for toy models, {len(missed)} "
        "did not hold in our runs" + (f", among them {differ}." if differ else ".")
    )


_PLAIN = {"LR1": "bias 0", "LR3": "bias -1", "mnist": "MNIST"}
"""What readers know the runs as."""


_DENSITIES = {
    "density_ratio": "density ratio",
    "rotated_density_ratio": "rotated",
    "density_ratio_alone": "features alone",
    "rotated_density_ratio_alone": "rotated",
    "shell": "runs with a shell",
    "shell_radius": "shell radius",
    "predicted_radius": "predicted by biases",
    "untrained_shell": "untrained copies with a shell",
    "untrained_shell_radius": "their shell radius",
}

_GROUPING = {
    "code_ami": "AMI codes",
    "rotated_code_ami": "rotated",
    "activation_ami": "AMI activations",
    "code_noise_share": "codes in no cluster",
    "noisiest_label_share": "of the noisiest feature",
    "nmf_cosine": "NMF",
    "pca_cosine": "principal directions",
    "random_direction_cosine": "random directions",
    "code_nmf_cosine": "NMF of codes",
    "polysemantic_features": "features on a neuron of 2–8",
    "projection_purity": "purity along it",
}

_MAPS = {
    "flip_sum_ratio": "map distance / flips",
    "square_regions": "cells in a square",
    "rotated_square_regions": "rotated",
    "slope_variation": "change of slope",
    "strong_image_cosine": "images, strong",
    "weak_image_cosine": "weak",
    "untrained_strong_image_cosine": "untrained, strong",
    "untrained_weak_image_cosine": "weak",
}

_CLASSIFIER_DENSITIES = {
    "density_ratio": "density ratio",
    "untrained_density_ratio": "untrained",
    "inner_changes": "class changes inside",
    "change_excess": "excess density there",
    "change_p": "p",
    "spread_change_excess": "untrained excess",
    "spread_change_p": "p",
    "shell": "runs with a shell",
    "untrained_shell": "untrained copies with a shell",
    "outer_density": "density far out",
}

_CLASSIFIER_REST = {
    "code_ami": "AMI codes",
    "rotated_code_ami": "rotated",
    "activation_ami": "AMI activations",
    "code_noise_share": "codes in no cluster",
    "noisiest_label_share": "of the noisiest class",
    "slope_variation": "change of slope",
    "adversarial_density": "adversarial steps",
    "random_density": "random steps",
    "steered_share": "steered",
    "random_steered_share": "random flips",
    "rescaled_bits": "bits changed by halving",
}


def _tables(found: Evidence) -> Sequence[str]:
    toy = [(name, _shown(found.sweeps[name].frame), ("learning_rate",)) for name in TOY]
    nets = [(name, _shown(found.sweeps[name].frame), ()) for name in VARIANTS]
    return (
        "## Toy models, every setting",
        "Mean over seeds, with the smallest and largest.",
        _wide(toy, _DENSITIES),
        "Density ratio: boundaries per unit length between examples of different features over "
        "the same feature, other features active as in training. Radii are in mean lengths of the "
        "data, of runs with a shell only.",
        _wide(toy, _GROUPING),
        "AMI: clusters of examples of one strong feature with half a background feature. "
        "Directions: mean cosine with the best single-feature response.",
        _wide(toy, _MAPS),
        "Images: mean cosine of a feature's images in the polytopes of its examples. Change of "
        "slope: total variation of the derivative between two examples, per unit length; it "
        "counts each boundary with how much the network bends there.",
        "## Classifiers",
        _wide(nets, _CLASSIFIER_DENSITIES),
        "Density far out: boundaries per unit length at five times the mean length of the images. "
        "Untrained networks have biases of 0 and no boundary on a ray from the origin, but for "
        "tents; an untrained excess is that of copies with biases around 0.",
        _wide(nets, _CLASSIFIER_REST),
        "Steps: boundaries per unit length of input, up the gradient of the loss and at random. "
        "Steered: outputs that become the next class's when a fifth of the bits are flipped toward "
        "that class's mask.",
        "## Bounded polytopes, and rescaling",
        _bounded(found),
    )


def _bounded(found: Evidence) -> str:
    """What tents and layer norm change, as the discussion asks."""

    def of(name: str, column: str) -> str:
        frame = found.sweeps[name].frame
        values = finite(frame[column]) if len(frame) else ()
        return f"{sum(values) / len(values):.3g}" if values else "(no run)"

    halved = {name: of(name, "rescaled_bits") for name in VARIANTS}
    return (
        "The discussion asks whether a nonlinearity of bounded pieces (tent: 0 up to 0, rising to "
        "1, falling back to 0 at 2) bounds polytopes, and whether polytopes are directions under "
        "layer norm. *Bounded*: no; a network has finitely many boundaries, so that the outermost "
        "polytopes are unbounded whatever the nonlinearity. Tents move boundaries outwards, to "
        f"{of('digits, tent', 'outer_density')} per unit length at five times the mean length of "
        f"the images ({of('digits', 'outer_density')} with relu). The fraction of their untrained "
        f"copies with a shell is {of('digits, tent', 'untrained_shell')}, of trained ones "
        f"{of('digits, tent', 'shell')}. *Rescaled*: halving an image changes a fraction "
        f"{halved['digits']} of the bits with relu and {halved['digits, tent']} with tents; with "
        f"layer norm {halved['digits, layer norm']} and {halved['digits, tent, layer norm']}. It "
        "would be 0 if all boundaries met at the origin, so that polytopes were directions; layer "
        "norm does not bring that about, since it follows the first layer's bias. With layer norm "
        "regions are not polytopes, and nothing else is measured."
    )


def _shown(runs: pd.DataFrame) -> pd.DataFrame:
    """Without the radii of densest bins that are no shells."""
    if runs.empty:
        return runs
    radii = {f"{name}_radius": runs[name] == 1 for name in ("shell", "untrained_shell")}
    return runs.assign(**{name: runs[name].where(found) for name, found in radii.items()})


def _wide(groups, columns: Mapping[str, str]) -> str:
    """A table of those of the columns that some run has."""
    frames = [frame for _, frame, _ in groups if len(frame)]
    columns = {name: words for name, words in columns.items() if _measured(frames, name)}
    rows = []
    for name, frame, keys in groups:
        parts = [("", frame)] if not keys else frame.groupby(list(keys)) if len(frame) else []
        for value, part in parts:
            if len(part):
                shown = "" if not keys else ", ".join(f"{v:g}" for v in value)
                rows.append((name, shown, str(len(part)), *(_spread(part[c]) for c in columns)))
    if not rows:
        return "No runs."
    return table(("runs", "learning rate", "number", *columns.values()), rows)


def _measured(frames: Sequence[pd.DataFrame], column: str) -> bool:
    return any(frame[column].notna().any() for frame in frames)


def _spread(column: pd.Series) -> str:
    values = finite(column)
    if not values:
        return "-"
    low, high = min(values), max(values)
    ends = f" ({low:.3g} … {high:.3g})" if high > low else ""
    return f"{sum(values) / len(values):.3g}{ends}"


def _caveats(scale: str) -> Sequence[str]:
    return (
        "The authors give figures without numbers; limits are ours, set after first measurements "
        "on other runs and before these. Every seed has to lie within a limit, which is stricter "
        "than an interval for their mean. A run has a shell if its densest bin of distance is "
        "neither the first nor the last and at least twice as high as the first; all rays start at "
        "the origin. Untrained copies with biases of -1 have their shell at about six mean lengths "
        "of the data, where the closed form d √(m / 2) puts it.",
        "Toy models have half the paper-scale n, m and k of Jermyn et "
        "al.; classifiers have four layers of 256 relu neurons, and only those that learned count.",
    )


PAPER = Paper(
    name="black2022",
    title="The polytope lens: published claims and our runs",
    reference='Black, Sharkey et al. (2022), "Interpreting Neural Networks through the Polytope '
    'Lens", [arXiv:2211.12312](https://arxiv.org/abs/2211.12312).',
    claims=CLAIMS,
    scales=("small",),
    sources=_sources,
    gather=_gather,
    start=_command("digits"),
    caveats=_caveats,
    tables=_tables,
    opening=_opening,
    picture=Picture(
        "../figures/polytope_density.png",
        "Boundaries per unit length by distance from the origin, of trained, rotated and "
        "untrained toy models",
        "Boundaries per unit length along rays from the origin, in toy models of the sweep K1 with "
        "k = 256 (claims are judged on LR1 and LR3, with k = 512): trained, with rotated weights, "
        "and untrained with each law of biases. Distances are in units of the data's mean length.",
    ),
    kind="statements, published ones and what they suggest for toy models",
)
