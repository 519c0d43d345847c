"""Wright (2022): the classifiers and toy models that judge its claims, and its page."""

import functools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from toymono import catalog, fields, store
from toymono.classifiers import data
from toymono.classifiers.fields import CLASSIFIER
from toymono.cli import counted
from toymono.frames import classifiers, penalty, summary
from toymono.job import Job
from toymono.kinds import KINDS
from toymono.papers import evidence, verdict_page
from toymono.papers.claims import Judged
from toymono.papers.evidence import Evidence, Source
from toymono.papers.findings import finite
from toymono.papers.paper import Paper, Picture
from toymono.papers.wright2022 import tables
from toymono.papers.wright2022.claims import CLAIMS
from toymono.store import StoredRun

SWEEPS = ("PEN", "PEN2")
"""Of toy models, in the catalog."""

_ALPHAS = (0.0, 1.0, -1.0, 0.1)  # published, and the largest smaller one at which digits learn

GRIDS: dict[str, dict[str, dict[str, tuple]]] = {
    **{
        images: {
            images: {"alpha": _ALPHAS},
            f"{images}_weights": {"alpha": (0.01, -0.001)},
            f"{images}_hard": {"penalty": ("hard",), "alpha": (0.1, 1.0)},
            f"{images}_pruned": {"alpha": (0.0, 1.0), "prune_epochs": (20,)},
            f"{images}_cnn": {"network": ("cnn",), "alpha": (0.0, 0.1, 1.0)},
            f"{images}_widths": {**catalog.WIDTHS, "epochs": (20,)},
        }
        for images in ("mnist", "fashion_mnist")
    },
    "digits": {
        "digits": {"alpha": (*_ALPHAS, 0.01, -0.001, -0.01)},
        "digits_pruned": {"alpha": (0.0, 0.1), "prune_epochs": (20,)},
        "digits_long": {"alpha": (0.0, 1.0), "epochs": (100,)},
        "digits_widths": catalog.WIDTHS,
    },
}
"""Sweeps of classifiers by data set; fields not named have their defaults, which are those
published."""

_SEEDS = 5  # as published

_STRUCTURE = (
    *("n_cut", "shuffled_n_cut_mean", "n_cut_p"),
    *("coherence", "coherence_p", "ablation_p_mean"),
)
_HISTORY = ("accuracy", "cross_entropy", "penalty_sum")
_CLASSIFIER = ("status", *_HISTORY, "mean_monosemanticity", *_STRUCTURE)
_TOY = (
    *("loss", "loss_fall", "mono_rise", "monosemantic", "mono_per_feature", "dead"),
    *("sampled_loss", "sampled_loss_mono", "single_feature_loss", "single_feature_loss_mono"),
    *("features_per_neuron", "multi_feature_share"),
    *("activated_by_others", "pair_monosemanticity"),
)


def _sources(scale: str) -> tuple[Source, ...]:
    find_toy = functools.partial(evidence.stored_of, SWEEPS, "small")
    return (
        *(
            Source(
                f"wright2022-{images}",
                "classifier",
                _CLASSIFIER,
                _HISTORY,
                functools.partial(_find, images),
                _measure,
            )
            for images in GRIDS
        ),
        Source("wright2022-small", "toy", ("settled", *_TOY), _TOY, find_toy, _measure_toy),
    )


def _find(images: str, runs_dir: str | Path) -> list[StoredRun]:
    settings = {s for grid in GRIDS[images].values() for s in _settings(images, grid)}
    found = store.find(runs_dir, kind="classifier", data=images)
    wanted = [run for run in found if _setting(run.fields) in settings]
    if not wanted:
        return []
    try:
        fingerprint = data.load(images).fingerprint
    except FileNotFoundError:
        warnings.warn(
            f"{len(wanted)} runs of {images} are left out: set {data.FOLDER_VARIABLE} to the "
            "folder with its files, or with a subfolder of that name",
            stacklevel=2,
        )
        return []
    return [run for run in wanted if run.fingerprint == fingerprint]


def _setting(values: Mapping[str, Any]) -> str:
    """The name of a classifier's setting, whatever the data's fingerprint."""
    kind = KINDS["classifier"]
    return Job(*kind.split({name: values[name] for name in kind.fields if name in values}), 0).name


def _settings(images: str, grid: Mapping[str, tuple]) -> list[str]:
    return [_setting({"data": images, **point}) for point in fields.grid(grid)]


def _analysed(images: str) -> set[str]:
    """Settings whose clusters and ablations are analysed, which takes seconds per run."""
    names = ("", "_weights", "_hard", "_pruned")
    grids = [GRIDS[images][images + name] for name in names if images + name in GRIDS[images]]
    return {setting for grid in grids for setting in _settings(images, grid)}


def _measure(stored: StoredRun) -> dict[str, Any]:
    """The columns of `frames.classifiers.per_run`, and what the history has at half of training."""
    run = store.load(stored)
    analysed = _setting(stored.fields) in _analysed(stored.fields["data"])
    structure = classifiers.Structure() if analysed else None
    [ends] = classifiers.per_run([stored], structure).to_dict("records")
    half = run.config.steps // 2 - 1
    halves = {
        "accuracy": run.history.accuracy[half],
        "cross_entropy": run.history.cross_entropy[half],
        "penalty_sum": run.history.penalty_l[half].sum(),
    }
    return {**ends, **{name + evidence.HALF: float(value) for name, value in halves.items()}}


def _measure_toy(stored: StoredRun) -> dict[str, Any]:
    if stored.diverged is not None:
        return {}
    ends, halves = store.cached(_toy_row, stored), store.cached(_toy_half_row, stored)
    return {**ends, **{name + evidence.HALF: value for name, value in halves.items()}}


def _toy_row(run: Any) -> dict[str, Any]:
    [losses] = penalty.part_losses([run]).to_dict("records")
    return {**losses, **summary.row(run)}


def _toy_half_row(run: Any) -> dict[str, Any]:
    return _toy_row(summary.halfway(run))


def _gather(frames: Mapping[str, pd.DataFrame], scale: str) -> Evidence:
    sweeps = {
        name: evidence.sweep(
            name,
            frames[f"wright2022-{images}"],
            _settings(images, grid),
            _command(images, grid),
            with_diverged=True,
        )
        for images, grids in GRIDS.items()
        for name, grid in grids.items()
    }
    toy = frames["wright2022-small"]
    sweeps |= {name: evidence.sweep(name, toy, store.positions(name, "small")) for name in SWEEPS}
    return Evidence(sweeps)


def _command(images: str, grid: Mapping[str, Iterable[Any]]) -> str:
    """What trains a grid of classifiers."""
    given = images if images == "digits" else f"{images} --data_dir {images}"
    flags = " ".join(
        f"--{name} {','.join(CLASSIFIER[name].text(value) for value in values)}"
        for name, values in grid.items()
    )
    return f"python -m toymono.classifiers --data {given} {flags} --seeds {_SEEDS}"


def _caveats(scale: str) -> Sequence[str]:
    return (
        "Networks, learning rate, batch size and epochs are as published. scikit-learn's digits "
        "stand beside the published data sets because they come with the package: 1437 examples "
        "of 8 by 8 pixels, so that 20 epochs are 220 steps where the published runs took 9360. "
        "Where no run learned at the published weight of 1, numbers are of the largest weight at "
        "which all seeds did; they are shown and not judged. Toy models have half the published "
        "n, m and k.",
        "**Our Fashion-MNIST has another split than the published one**: the same 70,000 images, "
        "but the last 1,000 of each class are the test images. The original four files are linked "
        "from the data set's repository, github.com/zalandoresearch/fashion-mnist; "
        "`--data fashion_mnist --data_dir FOLDER` reads those as well.",
        "The published 82 % accuracy at alpha -1 is chance. It is the mean over ten outputs of "
        "whether each is right; a network that always answers the same class has "
        "1 - 2 · 0.9 / 10 = 0.82 by it, and 0.10 by arg-max. Published accuracies on this page are "
        "converted to arg-max, 1 - 5 (1 - a); ours are arg-max. The published cross-entropy of "
        "14.5 is that of the same answer, 0.9 · -ln 1e-7.",
    )


def _opening(found: Evidence, judged: Sequence[Judged]) -> str:
    """What the penalty does to classifiers and to toy models."""

    def mean(column: str, alpha: float, digits: str = ".3g") -> str:
        """Over the runs that learned."""
        frame = found.sweeps["mnist"].frame
        values = (
            finite(classifiers.learned(frame[frame["alpha"] == alpha])[column])
            if len(frame)
            else ()
        )
        return f"{sum(values) / len(values):{digits}}" if values else "(no run)"

    def mono(sweep: str, penalised: bool) -> str:
        """From the penalty with the fewest to that with the most, at weight 1 or without."""
        frame = found.sweeps[sweep].frame
        if frame.empty:
            return "(no run)"
        wanted = (frame["penalty"] != "none") & (frame["alpha"] == 1)
        frame = frame[wanted if penalised else (frame["penalty"] == "none")]
        frame = frame[frame["init_bias"] == 0]
        means = sorted(finite(frame.groupby("penalty")["mono_per_feature"].mean()))
        words = map(verdict_page.three_digits, means[:1] + means[-1:])
        return " to ".join(dict.fromkeys(words)) or "(no run)"

    def seeds(sweep: str, penalised: bool = True) -> str:
        frame = found.sweeps[sweep].frame
        if frame.empty:
            return "no seed"
        count = (
            frame[(frame["penalty"] != "none") == penalised].groupby("setting")["seed"].nunique()
        )
        return counted(int(count.min()), "seed") if len(count) else "no seed"

    mnist = found.sweeps["mnist"].frame
    with_penalty = mnist[mnist["alpha"] == 1] if len(mnist) else mnist
    few = len(with_penalty) and len(classifiers.learned(with_penalty)) < len(with_penalty)
    of_mnist = (
        f"Of {len(with_penalty)} classifiers of MNIST with a penalty of weight 1, "
        f"{len(classifiers.learned(with_penalty))} learned, with"
        if few
        else "Classifiers of MNIST with a penalty of weight 1 have"
    )
    return (
        "The penalty is a term of the loss that grows with the activations that different classes "
        f"or features share. {of_mnist} an accuracy of {mean('accuracy', 1)} "
        f"({mean('accuracy', 0)} without it) and an n-cut of "
        f"{mean('n_cut', 1, '.2f')} ({mean('n_cut', 0, '.2f')} without it); a lower n-cut "
        "means that the weight graph separates better into clusters. In toy models it mainly "
        "shortens training: after "
        f"2^12 steps, those with weight 1 have {mono('PEN', True)} monosemantic neurons per "
        f"feature, depending on the kind of penalty, and those without a penalty "
        f"{mono('PEN', False)} ({seeds('PEN')}); after 2^13 steps the numbers are "
        f"{mono('PEN2', True)} ({seeds('PEN2', True)}) and {mono('PEN2', False)} "
        f"({seeds('PEN2', False)})."
    )


PAPER = Paper(
    name="wright2022",
    title="The polysemantic penalty: published claims and our runs",
    reference="Wright (2022), polysemantic-neurons: classifiers on MNIST and Fashion-MNIST, and "
    "in its branch `polysemantic_penalisation` the toy model.",
    claims=CLAIMS,
    kind="statements (nine on classifiers, for each of three data sets, and four on toy models)",
    scales=("small",),
    sources=_sources,
    gather=_gather,
    start=_command("digits", GRIDS["digits"]["digits"]),
    caveats=_caveats,
    opening=_opening,
    picture=Picture(
        "../figures/penalty_frontier.png",
        "Task loss against monosemantic neurons, by weight of the penalty",
        "Toy models after 2^12 steps: task loss and monosemantic neurons per feature, by kind and "
        "weight of the penalty.",
    ),
    tables=tables.sections,
)
