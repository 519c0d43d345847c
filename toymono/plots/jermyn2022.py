"""The 26 figures of the paper, as data: which sweeps they show, how they are drawn.

A figure names the claims that it illustrates; `papers.jermyn2022.claims` states
them.

Reference:
  Jermyn, Schiefer & Hubinger (2022), Engineering Monosemanticity in Toy Models.
"""

from collections.abc import Callable, Sequence
from typing import Any

from toymono import frames
from toymono.frames import parts as part_frames
from toymono.plots import neurons, parts, style, sweeps, training
from toymono.plots.facts import Fact
from toymono.plots.figure import Figure, Frame
from toymono.plots.selection import OfSweeps

# Of a sweep's six learning rates those that the paper shows side by side.
_RATES = (0, 2, 5)

# What training curves are drawn from.
_CURVES = (frames.per_bin_minimum, frames.per_snapshot)

_MONO, _LOSS, _BIAS = "mono_per_feature", "loss", "mean_bias"

_BLUE, _ORANGE = style.WORDS[0], style.WORDS[1]
_K_LOOKS = {
    "K0": ("K0: bias 0", _BLUE, (2, 1.5)),
    "K1": ("K1: bias −1", _BLUE, ()),
    "K2": ("K2: bias −1,\npower law", _ORANGE, ()),
}


def _figure(
    number: int,
    alias: str,
    summary: str,
    sweeps: tuple[str, ...],
    draw: Callable[..., Any],
    frames_: tuple[Frame, ...],
    claims: tuple[str, ...],
    facts: tuple[Fact, ...],
    facts_from: Frame = frames.per_run,
    positions: tuple[int, ...] = (),
    needs_all: bool = False,
    note: str = "",
    **options: Any,
) -> Figure:
    return Figure(
        name=f"fig{number:02}",
        summary=summary,
        draw=draw,
        frames=frames_,
        select=OfSweeps(sweeps, positions, needs_all, note=note),
        trained_by=f"python -m toymono.sweep --sweep {','.join(sweeps)} --scale small",
        compares=False,
        alias=alias,
        number=number,
        claims=claims,
        facts=facts,
        facts_from=facts_from,
        options=options,
    )


def _traces(
    number: int,
    alias: str,
    summary: str,
    sweep: str | tuple[str, ...],
    by: str,
    claims: tuple[str, ...],
    measures: Sequence[str] = (_MONO, _LOSS),
    **options: Any,
) -> Figure:
    """Training curves of one sweep, or of several side by side."""
    names = (sweep,) if isinstance(sweep, str) else sweep
    facts = tuple(Fact(measure, by) for measure in measures)
    draw = training.sweep_traces
    return _figure(number, alias, summary, names, draw, _CURVES, claims, facts, by=by, **options)


def _images(
    number: int,
    alias: str,
    where: str,
    sweep: str,
    by: str,
    positions: tuple[int, ...],
    claims: tuple[str, ...],
) -> Figure:
    """Activations of three models."""
    return _figure(
        number,
        alias,
        f"Each neuron's activation on each single feature, {where}.",
        (sweep,),
        neurons.single_feature_activations,
        (frames.sorted_responses,),
        claims,
        (Fact("monosemantic", by), Fact("polysemantic", by)),
        positions=positions,
        by=by,
        height=4.6,
    )


def _biases(
    number: int, alias: str, where: str, sweep: str, claims: tuple[str, ...], *facts: Fact
) -> Figure:
    """Biases of three models."""
    return _figure(
        number,
        alias,
        f"Each neuron's bias, the most monosemantic first, {where}, for three learning rates.",
        (sweep,),
        neurons.sorted_biases,
        (frames.per_neuron,),
        claims,
        facts,
        positions=_RATES,
        by="learning_rate",
        height=2.4,
    )


def _one_model(
    number: int,
    alias: str,
    summary: str,
    sweep: str,
    position: int,
    draw: Callable[..., Any],
    frame: Frame,
    claims: tuple[str, ...],
    *facts: Fact,
    facts_from: Frame | None = None,
) -> Figure:
    return _figure(
        number,
        alias,
        summary,
        (sweep,),
        draw,
        (frame,),
        claims,
        facts,
        facts_from or frame,
        positions=(position,),
    )


def _shares(
    number: int,
    alias: str,
    summary: str,
    names: tuple[str, ...],
    claims: tuple[str, ...],
    fact: Fact,
    **options: Any,
) -> Figure:
    """Monosemantic neurons against the swept field."""
    draw, frame = sweeps.sweep_shares, (frames.per_run,)
    return _figure(number, alias, summary, names, draw, frame, claims, (fact,), **options)


FIGURES: tuple[Figure, ...] = (
    _traces(
        1,
        "two_basins",
        "Lowest loss and monosemantic neurons by learning rate, at bias 0 and at bias −1.",
        ("LR1", "LR3"),
        "learning_rate",
        ("basins", "equal_loss", "negative_start"),
        rows=("min_loss", "zoom", "mono"),
        titles={"LR1": "Initial mean bias 0", "LR3": "Initial mean bias −1"},
        note="Close up: other lines lie above.",
    ),
    _one_model(
        2,
        "score_distribution",
        "The fraction of neurons below each monosemanticity, during training.",
        "K1",
        7,
        parts.score_distribution,
        frames.per_snapshot_neuron,
        ("more_neurons",),
        Fact("mono_per_neuron"),
        facts_from=frames.per_run,
    ),
    _traces(
        3,
        "traces_by_rate",
        "Training at bias 0, by learning rate.",
        "LR1",
        "learning_rate",
        ("basins", "equal_loss", "rate"),
        (_MONO, _LOSS, _BIAS),
    ),
    _images(
        4,
        "activations_by_rate",
        "at bias 0, for three learning rates",
        "LR1",
        "learning_rate",
        _RATES,
        ("basins",),
    ),
    _biases(
        5,
        "biases_by_rate",
        "at bias 0",
        "LR1",
        ("bias_sign",),
        Fact(_BIAS, "learning_rate"),
        Fact("positive_bias", "learning_rate"),
    ),
    _traces(
        6,
        "power_law_traces_by_rate",
        "Training on power-law features at bias 0, by learning rate.",
        "LR2",
        "learning_rate",
        ("power_law_late",),
    ),
    _traces(
        7,
        "negative_bias_traces_by_rate",
        "Training at bias −1, by learning rate.",
        "LR3",
        "learning_rate",
        ("negative_start",),
    ),
    _shares(
        8,
        "monosemantic_by_bias",
        "Monosemantic neurons by initial bias, for five feature probabilities.",
        ("B1", "B2", "B3", "B4", "B5"),
        ("bias_threshold", "holds_to_limit"),
        Fact(_MONO, "init_bias", peak=True),
        by="init_bias",
        across="eps",
        marks=sweeps.mark_spread,
        close=(-0.55, 0.05),
    ),
    _figure(
        9,
        "monosemantic_map",
        "Monosemantic neurons by initial bias and feature probability.",
        ("B1", "B2", "B3", "B4", "B5"),
        sweeps.monosemantic_map,
        (frames.per_run,),
        ("bias_threshold",),
        (Fact("eps"), Fact("monosemantic", "init_bias", half=True)),
        positions=(3, 4, 5, 6, 7, 8),
    ),
    _images(
        10,
        "negative_bias_activations_by_rate",
        "at bias −1, for three learning rates",
        "LR3",
        "learning_rate",
        _RATES,
        ("negative_start", "low_rank"),
    ),
    _biases(
        11,
        "negative_bias_biases_by_rate",
        "at bias −1",
        "LR3",
        ("positive_bias",),
        Fact("positive_bias", "learning_rate"),
    ),
    _traces(
        12,
        "negative_bias_power_law_traces_by_rate",
        "Training on power-law features at bias −1, by learning rate.",
        "LR4",
        "learning_rate",
        ("power_law",),
    ),
    _shares(
        13,
        "gelu_monosemantic_by_bias",
        "Monosemantic neurons by initial bias with gelu, for several learning rates.",
        ("GELU",),
        ("gelu_peak",),
        Fact(_MONO, "init_bias", peak=True),
        by="init_bias",
        across="learning_rate",
        marks=sweeps.mark_gelu,
    ),
    _traces(
        14,
        "traces_by_l1",
        "Training by the weight of L1 at bias 0, and without L1 at bias −1.",
        "RG1",
        "l1",
        ("l1_baseline",),
        rows=("min_loss", "zoom", "mono", "bias"),
        baseline=(0.0, "none, bias −1"),
        note="Red: no L1, an initial mean bias of −1, and bias decay; the others start at bias 0 "
        "and have no bias decay. Close up: other lines lie above.",
    ),
    _figure(
        15,
        "traces_by_neurons",
        "Training by the number of neurons, at bias 0 and −1, and the difference of the losses.",
        ("K0", "K1"),
        training.paired_traces,
        _CURVES,
        ("k_small", "k_middle", "k_large"),
        (Fact(_LOSS, "k"), Fact(_MONO, "k")),
        needs_all=True,
        by="k",
        palettes={"K0": "Reds", "K1": "Blues"},
        titles={"K0": "bias 0", "K1": "bias −1"},
        limits={"excess": (-0.15, 0.15), "bias": (-1.6, 0.3)},
    ),
    _traces(
        16,
        "power_law_traces_by_neurons",
        "Training on power-law features at bias −1, by the number of neurons.",
        "K2",
        "k",
        ("more_neurons",),
        (_MONO, _LOSS, _BIAS),
        limits={"bias": (-8.0, 0.5)},
    ),
    _shares(
        17,
        "monosemantic_by_neurons",
        "Monosemantic neurons by the number of neurons.",
        ("K0", "K1", "K2"),
        ("more_neurons", "k_peak"),
        Fact("mono_per_neuron", "k", peak=True),
        by="k",
        across="sweep",
        marks=sweeps.mark_features,
        looks=_K_LOOKS,
    ),
    _shares(
        18,
        "monosemantic_by_sparsity",
        "Monosemantic neurons by feature probability, for four bias decays.",
        ("E1", "E2", "E3", "E4"),
        ("eps_peak", "eps_dense", "eps_sparse"),
        Fact(_MONO, "eps", peak=True),
        by="eps",
        across="bias_decay",
        marks=sweeps.mark_dimensions,
    ),
    _traces(
        19,
        "traces_by_sparsity",
        "Training at a low bias decay, by feature probability.",
        "E3",
        "eps",
        ("eps_sparse",),
    ),
    _images(
        20,
        "activations_by_sparsity",
        "for three dense feature probabilities",
        "E1",
        "eps",
        (6, 7, 8),
        ("eps_dense",),
    ),
    _traces(
        21,
        "reproject_traces_by_rate",
        "Training of the re-projector at bias −1, by learning rate.",
        "RP1",
        "learning_rate",
        ("reprojector",),
    ),
    _traces(
        22,
        "abs_traces_by_rate",
        "Training of the absolute value at bias −1, by learning rate.",
        "LR5",
        "learning_rate",
        ("abs_loss", "abs_rate"),
    ),
    _traces(
        23,
        "abs_traces_by_decay",
        "Training of the absolute value at bias −1, by bias decay.",
        "D1",
        "bias_decay",
        ("abs_decay",),
    ),
    _one_model(
        24,
        "feature_outputs",
        "The output for four single features by amplitude: whole model, parts and target.",
        "E1",
        3,
        parts.feature_outputs,
        part_frames.feature_outputs,
        ("first_kink", "two_kinks"),
        Fact("mono_neurons"),
        Fact("first_kink"),
        Fact("second_kink"),
        Fact("output", "amplitude"),
    ),
    _one_model(
        25,
        "sparser_feature_outputs",
        "The same for features that are a quarter as frequent.",
        "E3",
        1,
        parts.feature_outputs,
        part_frames.feature_outputs,
        ("sparser_kinks",),
        Fact("mono_neurons"),
        Fact("first_kink"),
        Fact("second_kink"),
        Fact("output", "amplitude"),
    ),
    _one_model(
        26,
        "polysemantic_map",
        "The poly part near the origin: the effect of each feature on each output.",
        "E1",
        3,
        parts.polysemantic_map,
        part_frames.linear_maps,
        ("singular_values", "slopes"),
        *map(
            Fact,
            (
                "singular_above_half",
                "large_singular_min",
                "largest_singular",
                "slope_min",
                "slope_max",
            ),
        ),
    ),
)
"""The figures of the paper, fig01 to fig26."""
