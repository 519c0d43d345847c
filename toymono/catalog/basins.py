"""Sweeps for what readers asked: basins, bias schemes, sparse weights, a skip path.

Models can be compared weight by weight only if they share a world, so `BASIN`
varies the seed beside a fixed `world_seed`. The sweeps `HOP`, `CURVE`, `EQUAL`, `CONNECT`,
`ONWARD`, `TICKET` and `REWIND` start from its runs, and train them too where they are not stored.
In `SPARSE` wide models with sparse weights have as many weights in use as the dense one of half the
features' number of neurons, except where input or output weights alone are sparse.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from toymono.catalog.bias_schemes import BIASES, OURS, PAPER, SMALL
from toymono.catalog.sweep import Ancestor, Sweep

_DENSE = {"init_bias": (-1.0,), **PAPER}

BASIN_SEEDS = 3
"""Seeds of `BASIN` that others start from; a run of a higher seed starts from these in turn."""


def _model(
    scale: str, like: Mapping[str, Any], init_bias: float, seed: int, sweep: str = "BASIN"
) -> Ancestor:
    """A fresh run of a sweep in the world of another point."""
    for point in BASINS[sweep].points(scale):
        same = (point["world_seed"], point["init_bias"]) == (like["world_seed"], init_bias)
        if same and "origin" not in point:
            return Ancestor(point, seed % BASIN_SEEDS)
    raise ValueError(f"{sweep} has no world {like['world_seed']}")


def _other_kind(scale: str, point: Mapping[str, Any], seed: int) -> Sequence[tuple[Ancestor, ...]]:
    """From a model with the point's initial bias to one with the other, of the next seed."""
    bias = point["init_bias"]
    return ((_model(scale, point, bias, seed), _model(scale, point, -1 - bias, seed + 1)),)


def _pairs(scale: str, point: Mapping[str, Any], seed: int) -> Sequence[tuple[Ancestor, ...]]:
    """From a model with the point's initial bias to those with biases no lower, of the next
    seed.
    """
    first = _model(scale, point, point["init_bias"], seed)
    biases = [bias for bias in (-1.0, 0.0) if bias >= point["init_bias"]]
    return [(first, _model(scale, point, bias, seed + 1)) for bias in biases]


def _equal(scale: str, point: Mapping[str, Any], seed: int) -> Sequence[tuple[Ancestor, ...]]:
    """From a monosemantic model of `BASIN`, or from a long-trained polysemantic one, to a
    long-trained polysemantic one of the next seed. The long runs themselves start fresh.
    """
    if "origin" not in point:
        return ((),)
    sweep = "BASIN" if point["init_bias"] < 0 else "EQUAL"
    first = _model(scale, point, point["init_bias"], seed, sweep)
    return ((first, _model(scale, point, 0.0, seed + 1, "EQUAL")),)


def _expanded(scale: str, point: Mapping[str, Any], seed: int) -> Sequence[tuple[Ancestor, ...]]:
    """From the dense, narrow model that starts at the same bias, which starts fresh itself."""
    if "origin" not in point:
        return ((),)
    return ((_model(scale, point, point["init_bias"], seed, "EXPAND"),),)


def _itself_or_other(
    scale: str, point: Mapping[str, Any], seed: int
) -> Sequence[tuple[Ancestor, ...]]:
    """From a model to one of the next seed with the same initial bias, or to itself, where there is
    nothing to match.
    """
    bias, itself = point["init_bias"], point.get("match_parents") == "none"
    return ((_model(scale, point, bias, seed), _model(scale, point, bias, seed + (not itself))),)


def _alone(scale: str, point: Mapping[str, Any], seed: int) -> Sequence[tuple[Ancestor, ...]]:
    return ((_model(scale, point, point["init_bias"], seed),),)


TICKETS = (0.8, 0.64, 0.512, 0.41, 0.328, 0.262)
"""Densities of a chain of lottery tickets: each prunes a fifth of the weights that are left."""


def _ticket(scale: str, point: Mapping[str, Any], seed: int) -> Sequence[tuple[Ancestor, ...]]:
    """The dense run that a ticket rewinds to, and the one that it prunes, which is of another seed
    if they are to be matched. The dense runs themselves start fresh.
    """
    if "origin" not in point:
        return ((),)
    bias, density = point["init_bias"], point["density"]
    if density not in TICKETS:
        raise ValueError(f"density={density:g} is not one of {', '.join(map(str, TICKETS))}")
    dense = _model(scale, point, bias, seed)
    plain = {name: value for name, value in point.items() if name != "ticket_control"}
    pruned = dense
    for larger in TICKETS[: TICKETS.index(density)]:
        pruned = Ancestor({**plain, "density": larger}, seed, (dense, pruned))
    if point.get("ticket_control") == "matched":
        dense = _model(scale, point, bias, seed + 1)
    return ((dense, pruned),)


# Our choices for runs that start from others: 1024 steps suffice at the small scale, and a
# pull gets as many again in which the model is free.
_SHORT = {"learning_rate": (0.01,), "bias_decay": (0.0,), "log2_steps": (11,)}
_HALF = {**_SHORT, "log2_steps": (12,)}
_WORLDS = (0, 1)
# With a period of twice the steps, the rate falls to 0 at the last step.
_CURVE = {
    "origin": ("curve",),
    "world_seed": _WORLDS,
    "init_bias": (-1.0, 0.0),
    "optimizer": ("adam",),
    "learning_rate": (0.003,),
    "bias_decay": (0.0,),
}
_CONNECT = {
    "origin": ("connect",),
    "world_seed": _WORLDS,
    "init_bias": (0.0,),
    # The loss of an output of 0 where N eps is 4, and about the aligned barrier between two
    # polysemantic models above their loss.
    "line_loss": (1.333, 0.83),
    **_SHORT,
}
_TICKET = {
    "origin": ("ticket",),
    "sparsity": ("pruned",),
    "density_rule": ("global",),
    "world_seed": (0,),
    **_DENSE,
}

BASINS: dict[str, Sweep] = {
    "BASIN": Sweep(
        "initial bias in three shared worlds",
        "init_bias",
        (
            {
                "world_seed": (0, 1, 2),
                "init_bias": (-1.0, -0.1, 0.0),
                **PAPER,
            },
        ),
        SMALL,
        OURS,
    ),
    "NOISE": Sweep(
        "initial bias in shared worlds, with noise on the inputs",
        "init_bias",
        (
            {
                "noise": ("on",),
                "world_seed": _WORLDS,
                "init_bias": (-1.0, 0.0),
                **PAPER,
            },
        ),
        SMALL,
        {**OURS, "noise_scale": "our choice"},
    ),
    "ANNEAL": Sweep(
        "the models of BASIN, trained on while the rate falls to 0",
        "init_bias",
        (
            {
                "origin": ("continued",),
                "world_seed": _WORLDS,
                "init_bias": (-1.0, 0.0),
                "cosine_period": (2048.0,),
                **_SHORT,
                "log2_steps": (10,),
            },
        ),
        {},
        {},
        _alone,
    ),
    **BIASES,
    "HOP": Sweep(
        "pull towards a model of the other kind, then release",
        "attraction",
        (
            {
                "origin": ("pull",),
                "world_seed": _WORLDS,
                "init_bias": (-1.0, 0.0),
                "attraction": (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
                **_SHORT,
            },
            {
                "origin": ("pull",),
                "match_parents": ("none",),
                "world_seed": _WORLDS,
                "init_bias": (-1.0, 0.0),
                "attraction": (1e-3,),
                **_SHORT,
            },
        ),
        {},
        {"attraction": "our choice"},
        _other_kind,
    ),
    "CURVE": Sweep(
        "curves between two models of a world",
        "init_bias",
        ({**_CURVE, "cosine_period": (2048.0,), "log2_steps": (10,)},),
        {},
        {},
        _pairs,
    ),
    "EQUAL": Sweep(
        "curves between models of both kinds with equal losses",
        "init_bias",
        (
            # A low rate keeps models polysemantic while their loss falls to that of the
            # monosemantic models of BASIN, which takes 16 times as many steps at the small scale.
            {
                "world_seed": _WORLDS,
                "init_bias": (0.0,),
                "learning_rate": (0.001,),
                "bias_decay": (0.0,),
                "log2_steps": (17,),
            },
            # Two lengths, to see whether a longer training finds a lower curve.
            {**_CURVE, "cosine_period": (4096.0,), "log2_steps": (11,)},
            {**_CURVE, "cosine_period": (16384.0,), "log2_steps": (13,)},
        ),
        {},
        {"learning_rate": "our choice", "log2_steps": "our choice"},
        _equal,
    ),
    "CONNECT": Sweep(
        "fine-tuning that drives a polysemantic model away from itself or from another one",
        "line_loss",
        # As published the model starts as a copy of the one that it is driven away from.
        ({**_CONNECT, "match_parents": ("none",)}, _CONNECT),
        {},
        {"line_loss": "our choice"},
        _itself_or_other,
    ),
    "ONWARD": Sweep(
        "the models of BASIN trained on, the control of CONNECT",
        "init_bias",
        (
            {
                "origin": ("continued",),
                "world_seed": _WORLDS,
                "init_bias": (-1.0, 0.0),
                **_SHORT,
            },
        ),
        {},
        {},
        _alone,
    ),
    "FORK": Sweep(
        "copies of one state that go on with other batches",
        "fork_step",
        (
            {
                "fork_seed": (1,),
                "fork_step": (0.0, 512.0, 2048.0),
                "world_seed": _WORLDS,
                "init_bias": (-1.0, 0.0),
                **PAPER,
            },
        ),
        SMALL,
        {**OURS, "fork_step": "our choice: the beginning, 1/16 and 1/4 of 2^13 steps"},
    ),
    "SPARSE": Sweep(
        "sparse weights at equal numbers of weights in use",
        "sparsity",
        (
            {"k": (512,), **_DENSE},
            *(
                {
                    "k": (int(512 / density),),
                    "density": (density,),
                    "sparsity": ("erdos_renyi", "set", "rigl"),
                    **_DENSE,
                }
                for density in (0.5, 0.25, 0.125)
            ),
            {
                "k": (1024,),
                "density": (0.5,),
                "sparsity": ("erdos_renyi",),
                "density_rule": ("input", "output"),
                **_DENSE,
            },
        ),
        SMALL,
        {**OURS, "density": "our choice", "k": "our choice"},
    ),
    "ERK": Sweep(
        "sparse weights as many as in SPARSE, more of them input weights",
        "density",
        tuple(
            {
                "k": (int(512 / density),),
                "density": (density,),
                "sparsity": ("erdos_renyi",),
                "density_rule": ("erk",),
                **_DENSE,
            }
            for density in (0.5, 0.25)
        ),
        SMALL,
        {**OURS, "density": "our choice", "k": "our choice"},
    ),
    "TICKET": Sweep(
        "lottery tickets: a dense run pruned and rewound again and again, with controls",
        "density",
        (
            {"world_seed": (0,), **_DENSE},
            {**_TICKET, "density": TICKETS},
            {
                **_TICKET,
                "ticket_control": ("random_masks", "new_weights", "matched"),
                "density": (0.512, 0.262),
            },
        ),
        SMALL,
        OURS,
        _ticket,
    ),
    "REWIND": Sweep(
        "lottery tickets rewound to a sixteenth of training, with a control",
        "density",
        (
            {"world_seed": (0,), **_DENSE},
            {**_TICKET, "density": TICKETS, "rewind_step": (8192,)},
            {
                **_TICKET,
                "ticket_control": ("random_masks",),
                "density": (0.512, 0.262),
                "rewind_step": (8192,),
            },
        ),
        {**SMALL, "rewind_step": (512,)},
        {**OURS, "rewind_step": "our choice"},
        _ticket,
    ),
    "EXPAND": Sweep(
        "each neuron divided into several, at as many weights in use",
        "k",
        (
            {"world_seed": (0,), "k": (512,), "init_bias": (-1.0, 0.0), **PAPER},
            *(
                {
                    "origin": ("expand",),
                    "sparsity": ("pruned",),
                    "world_seed": (0,),
                    "k": (int(512 / density),),
                    "density": (density,),
                    "init_bias": (-1.0, 0.0),
                    **_HALF,
                }
                for density in (0.5, 0.25)
            ),
            # The control: the same models, trained on as they are.
            {
                "origin": ("continued",),
                "world_seed": (0,),
                "k": (512,),
                "init_bias": (-1.0, 0.0),
                **_HALF,
            },
        ),
        SMALL,
        {**OURS, "k": "our choice", "log2_steps": "our choice"},
        _expanded,
    ),
    # m/4, m/2 and m, beside no path.
    "SKIP": Sweep(
        "rank of a linear path beside the hidden layer",
        "skip_rank",
        (
            {"model": ("two_layer",), "init_bias": (-1.0, 0.0), **PAPER},
            {
                "model": ("skip",),
                "skip_rank": (16, 32, 64),
                "init_bias": (-1.0, 0.0),
                **PAPER,
            },
        ),
        SMALL,
        {**OURS, "skip_rank": "our choice"},
    ),
}
"""By name, as in `catalog.SWEEPS`."""
