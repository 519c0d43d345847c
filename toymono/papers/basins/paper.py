"""What readers asked about basins: the runs that answer it, and the page."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from toymono import catalog
from toymono.frames import biases, connectivity, origins, skip, toy
from toymono.frames import regimes as ranked
from toymono.markdown import table
from toymono.papers import evidence, sparse
from toymono.papers.basins import regimes, skip_paths
from toymono.papers.basins.claims import CLAIMS
from toymono.papers.basins.measures import EQUAL
from toymono.papers.basins.opening import opening
from toymono.papers.evidence import Evidence, Source
from toymono.papers.findings import finite
from toymono.papers.jermyn2022 import paper as jermyn2022
from toymono.papers.paper import Paper, Picture
from toymono.store import StoredRun

_START = "python -m toymono.sweep --sweep BASIN --scale small --seeds 3"
_OF_PAPER = ("K2", "LR1", "LR3")
_WORLDS = {
    "BASIN": "basins-small",
    "ANNEAL": "basins-anneal-small",
    "NOISE": "basins-noise-small",
}
"""Sweeps whose runs are compared with the others of their world, and their evidence."""

_FILES: Mapping[str, tuple[Sequence[str], Sequence[str], Callable[..., pd.DataFrame]]] = {
    "basins-origins-small": (
        ("CURVE", "HOP", "CONNECT", "ONWARD", "FORK"),
        origins.PER_RUN,
        origins.per_run,
    ),
    "basins-biases-small": (("START", "RULE", "PULL"), biases.PER_RUN, biases.per_run),
    "basins-skip-small": (("SKIP",), skip_paths.QUANTITIES, skip.per_run),
    "basins-tickets-small": (("TICKET", "REWIND"), sparse.QUANTITIES, toy.per_run),
    "basins-equal-small": (("EQUAL",), origins.PER_RUN, origins.per_run),
    "basins-expand-small": (("EXPAND",), sparse.QUANTITIES, toy.per_run),
    "basins-regimes-small": (("EXPONENT",), regimes.QUANTITIES, ranked.per_run),
}
"""Evidence whose runs are measured each by itself: its sweeps, quantities and frame."""


def _sources(scale: str) -> tuple[Source, ...]:
    return (
        *(
            Source(
                name,
                "toy",
                connectivity.PER_RUN,
                (),
                functools.partial(_find_worlds, sweep),
                functools.partial(_measure, sweep),
            )
            for sweep, name in _WORLDS.items()
        ),
        *(
            Source(
                name,
                "toy",
                tuple(quantities),
                (),
                functools.partial(evidence.stored_of, sweeps, "small"),
                evidence.row_of(per_run),
            )
            for name, (sweeps, quantities, per_run) in _FILES.items()
        ),
        sparse.source(scale),
        jermyn2022.source(scale),
    )


def _find_worlds(sweep: str, runs_dir: str | Path) -> list[StoredRun]:
    """The runs of a sweep of worlds that have every setting: numbers are means over pairs of a
    world, and those of a part of it would replace them.
    """
    runs = evidence.stored_of((sweep,), "small", runs_dir)
    settings: dict[int, set[str]] = {}
    for run in runs:
        settings.setdefault(run.fields["world_seed"], set()).add(run.setting)
    worlds = [point["world_seed"] for point in catalog.points([sweep], "small")]
    whole = {world for world, found in settings.items() if len(found) == worlds.count(world)}
    return [run for run in runs if run.fields["world_seed"] in whole]


def _measure(sweep: str, stored: StoredRun) -> dict[str, Any]:
    """A run's means over the pairs with the other runs of its sweep and world, in its folder."""
    world = stored.fields["world_seed"]
    every = evidence.stored_of((sweep,), "small", stored.path.parent)
    partners = [run for run in every if run.fields["world_seed"] == world]
    rows = connectivity.per_run(partners)
    rows = rows[rows["run"] == stored.name] if len(rows) else rows
    return rows.iloc[0].to_dict() if len(rows) else {}


def _gather(frames: Mapping[str, pd.DataFrame], scale: str) -> Evidence:
    def sweep(name: str, source: str):
        start = f"python -m toymono.sweep --sweep {name} --scale small --seeds 3"
        return name, evidence.sweep(name, frames[source], evidence.settings(name, "small"), start)

    return Evidence(
        dict(
            [
                *(sweep(name, source) for name, source in _WORLDS.items()),
                *(sweep(name, file) for file, (names, _, _) in _FILES.items() for name in names),
                *(
                    (name, sparse.sweep(frames[f"sparse-{scale}"], scale, name))
                    for name in (sparse.SWEEP, sparse.ERK)
                ),
                *(sweep(name, f"jermyn2022-{scale}") for name in _OF_PAPER),
            ]
        )
    )


def _tables(found: Evidence) -> Sequence[str]:
    frame = found.sweeps["BASIN"].frame
    if frame.empty:
        return ()
    rows = []
    for (world, bias), part in frame.groupby(["world_seed", "init_bias"]):
        numbers = (
            "-" if not (values := finite(part[name])) else f"{sum(values) / len(values):.3f}"
            for name in _COLUMNS
        )
        rows.append((f"{world:g}", f"{bias:g}", str(len(part)), *numbers))
    head = ("world", "initial bias", "runs", *_COLUMNS.values())
    return (
        *_PICTURES,
        "## Every setting",
        table(head, rows),
        "Means over seeds. Barriers are shares of the zero-output loss. A model is of a kind if "
        f"it has more than {connectivity.MONO:g} or fewer than {connectivity.POLY:g} "
        "monosemantic neurons per feature; others have no kind and no barriers here.",
    )


_PICTURES: tuple[str, ...] = (
    "## Models of equal loss",
    "![Loss and monosemantic neurons on curves between models of equal loss]"
    "(../figures/equal_loss_curves.png)",
    "Loss and monosemantic neurons between models of equal loss: on the straight line after "
    "alignment, and on quadratic curves, which a longer training (2^13 instead of 2^11 steps) "
    "makes lower.",
    "## Curves, pulls and biases",
    "![Loss and monosemantic neurons on trained curves between two models](../figures/curves.png)",
    "Loss and monosemantic neurons on a trained quadratic curve between two models, beside the "
    "straight line after alignment.",
    "![Monosemantic neurons and loss of pulled models, by pull](../figures/hops.png)",
    "Models pulled towards one of the other kind: at the end of the pull, and after as many steps "
    "without it.",
    "![Steps to a given loss, monosemantic neurons and loss, by scheme for biases]"
    "(../figures/bias_schemes.png)",
    "Schemes for biases: steps until the loss is below 0.9 and 0.4 of the zero-output loss, and "
    "the outcome.",
    "## Sparse weights, lottery tickets, a linear path",
    "![Loss and monosemantic neurons by the density of the weights](../figures/sparse_losses.png)",
    "Models with as many weights in use as the dense one at a density of 1.",
    "![Loss and monosemantic neurons of lottery tickets](../figures/ticket_losses.png)",
    "Lottery tickets of three dense runs, and their controls.",
    "![Loss and monosemantic neurons of tickets by the step that they are rewound to]"
    "(../figures/rewound_losses.png)",
    "Tickets rewound to the first step, and to a sixteenth of the dense run's training.",
    "![Loss and monosemantic neurons of models with divided neurons]"
    "(../figures/expanded_losses.png)",
    "Models each of whose neurons was divided into several, with as many weights in use.",
    "![Neurons and loss by the rank of a linear path](../figures/skip_path.png)",
    "Models with a linear path of some rank beside the hidden layer.",
    "## Power laws of frequency",
    "![Regime of each feature by rank of frequency, k/n and exponent]"
    "(../figures/exponent_regimes.png)",
    "Which features have a monosemantic neuron, are recovered by other neurons, or are ignored, by "
    "the rank of their frequency and the number of neurons, for power laws of four exponents.",
)

_COLUMNS = {
    "task_loss": "loss",
    "mono_per_feature": "monosemantic neurons per feature",
    "kind_barrier": "barrier, same kind",
    "kind_reduction": "removed by alignment",
    "mixed_barrier": "barrier, other kind",
    "mixed_excess": "above the worse end",
}


def _caveats(scale: str) -> Sequence[str]:
    return (
        "All answers are at the scale `small`, n = 256, m = 32, k = 512 and 2^13 steps, where "
        "nothing else is said; polysemantic models have then not converged. Limits are ours, set "
        "after first measurements on one pair of models of another world. "
        "Lines have 25 points, losses 8192 common samples; neurons are aligned by all their "
        "weights, exactly. Only runs of different seeds are compared, which start from different "
        "weights and see different batches.",
        "Curves are trained with Adam for 2^10 steps (EQUAL: 2^11 and 2^13), pulls, fine-tuning "
        "and continued training with LAMB for 2^11; a pull acts in the first "
        "half. The second model is aligned to the first before training starts. In EQUAL curves "
        "join models whose losses differ by at "
        f"most {EQUAL:.0%}: monosemantic models of BASIN, and polysemantic ones trained 16 times "
        "as long at a tenth of the rate.",
        "Sparse models of SPARSE have as many weights in use as the dense one beside them, which "
        "is narrower, and see as many samples. A ticket of density d is the previous ticket of its "
        "chain without the smallest fifth of its weights, of both tensors together, with the "
        "dense run's weights after the first step, trained for all 2^13 steps. The question on "
        "tickets was first put as one statement, that they stay monosemantic where their loss "
        "matches; as no loss matches, it was split in two after the runs. In REWIND tickets have "
        "the dense run's weights after step 512, and the rate and the decay of biases go on from "
        "there.",
        "In EXPAND each neuron of a dense model becomes two or four: each input weight goes to one "
        "of them at random, each has an equal part of its bias, and the largest output weights "
        "stay, as many as before. The model is then trained for 2^12 steps, as is the dense one "
        "beside it.",
        "In EXPONENT the frequency of a feature is in proportion to its rank to the power of minus "
        "the exponent; a sample has as many features on average for every exponent, but for "
        "frequencies clipped at 1. Ranks are compared by their geometric mean over the features of "
        "a regime, where at least 1% of the features are in it.",
    )


PAPER = Paper(
    name="basins",
    title="Basins of the loss: what readers asked, and our runs",
    reference='The discussion of "Engineering Monosemanticity in Toy Models" on LessWrong (2022).',
    claims=CLAIMS,
    kind="predictions on what readers asked",
    scales=("small",),
    sources=_sources,
    gather=_gather,
    start=_START,
    caveats=_caveats,
    tables=_tables,
    opening=opening,
    picture=Picture(
        "../figures/barriers.png",
        "Loss and monosemantic neurons on straight lines between models of one world",
        "Loss and number of monosemantic neurons on the straight line between two models of one "
        "world, as trained and with the second model's neurons aligned to the first.",
    ),
)
