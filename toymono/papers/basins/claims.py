"""Questions of readers about basins of the loss, as statements that runs can agree with."""

from toymono.papers import sparse
from toymono.papers.basins import (
    bias_schemes,
    expansion,
    measures,
    regimes,
    skip_paths,
    tickets,
)
from toymono.papers.claims import Claim, table
from toymono.papers.jermyn2022.claims import CLAIMS as PAPER_CLAIMS

_WORLDS = ("BASIN", "ANNEAL", "NOISE")
_ASKED = "asked; no measurement known to us"

CLAIMS = table(
    Claim(
        "mono_connected",
        "Two monosemantic models of a world are linearly connected modulo permutation.",
        "Question (a)",
        _WORLDS,
        _ASKED,
        measures.mono_connected,
        headline="monosemantic models of a world are linearly connected after alignment",
    ),
    Claim(
        "poly_apart",
        "Two polysemantic models of a world are not.",
        "Question (a)",
        _WORLDS,
        _ASKED,
        measures.poly_apart,
        headline="polysemantic models are not linearly connected after alignment",
    ),
    Claim(
        "kinds_apart",
        "A barrier on the straight line separates monosemantic and polysemantic models.",
        "Question (a); the authors weakly believe it",
        _WORLDS,
        "weakly believed (no number)",
        measures.kinds_apart,
        headline="a barrier on the straight line separates the two kinds",
    ),
    Claim(
        "ordering",
        "Barriers are lowest between monosemantic models, then between polysemantic ones, and "
        "highest between the two kinds.",
        "Our first measurement, in one world",
        ("BASIN",),
        "not asked",
        measures.ordering,
    ),
    Claim(
        "same_kind_joined",
        "A trained curve of low loss joins two models of the same kind.",
        "Question (a), then quadratic paths",
        ("CURVE",),
        _ASKED,
        measures.same_kind_joined,
        headline="a curve of low loss joins any two models of the same kind",
    ),
    Claim(
        "kinds_apart_on_curves",
        "A barrier between monosemantic and polysemantic models remains on a trained quadratic "
        "curve.",
        "Question (a), then quadratic paths",
        ("CURVE",),
        _ASKED,
        measures.kinds_apart_on_curves,
        headline="a barrier between the two kinds remains on the trained curve",
    ),
    Claim(
        "equal_kinds_apart",
        "A barrier on the straight line separates mono- and polysemantic models of equal loss.",
        "Question (a); the authors weakly believe it",
        ("EQUAL",),
        "weakly believed (no number)",
        measures.equal_kinds_apart,
        headline="a barrier on the straight line separates mono- and polysemantic models of equal "
        "loss",
    ),
    Claim(
        "equal_kinds_apart_on_curves",
        "A barrier between mono- and polysemantic models of equal loss remains on the "
        "longest-trained quadratic curve.",
        "Question (a), then quadratic paths",
        ("EQUAL",),
        _ASKED,
        measures.equal_kinds_apart_on_curves,
        headline="a barrier between models of equal loss remains on the longest-trained curve",
    ),
    Claim(
        "long_poly_apart",
        "Two polysemantic models of a world are still not linearly connected modulo permutation "
        "when they have been trained to the loss of monosemantic ones.",
        "Question (a)",
        ("EQUAL",),
        _ASKED,
        measures.long_poly_apart,
    ),
    Claim(
        "hop",
        "A model that is pulled towards one of the other kind goes over to it when the pull is "
        "within a factor of ten of the barrier.",
        "Question (b), the authors' preferred first experiment",
        ("HOP",),
        _ASKED,
        measures.hop,
        headline="models hop between solutions when the pull is within a factor of ten of the "
        "barrier",
    ),
    Claim(
        "fine_tuned",
        "Fine-tuning that drives a polysemantic model away from itself or from another one makes "
        "it monosemantic.",
        "Question (c)",
        ("CONNECT", "ONWARD"),
        _ASKED,
        measures.fine_tuned,
        headline="connectivity-based fine-tuning makes polysemantic models monosemantic",
    ),
    Claim(
        "fixed_early",
        "The solution is fixed early: copies of one state that see other batches from a quarter "
        "of training on end in one place.",
        "Question (a); their reason to believe in separate basins",
        ("FORK",),
        _ASKED,
        measures.fixed_early,
        headline="the solution is fixed in the first quarter of training",
    ),
    Claim(
        "starts",
        "Biases that start just where neurons begin to fire save the phase in which none fires.",
        "Question (e)",
        ("START",),
        _ASKED,
        bias_schemes.starts,
        headline="biases that start where neurons begin to fire save training time",
    ),
    Claim(
        "rules",
        "A decay of some biases only does better than that of all.",
        "Section 4.3: variants were tried, and none was better",
        ("RULE",),
        "none beat the decay of all biases (no number)",
        bias_schemes.rules,
    ),
    Claim(
        "pulled_down",
        "A loss that pulls biases down does as well as a start at -1: as many monosemantic "
        "neurons, at the same loss.",
        "Section 4.3, preliminary: more monosemantic neurons than from bias 0",
        ("PULL", "START"),
        "more than from bias 0 (no number)",
        bias_schemes.pulled_down,
        headline="a loss on biases replaces the negative start",
    ),
    Claim(
        "sparse_costs",
        "Fixed random sparse weights raise the loss; dense weights do better at the same compute.",
        "Question (d); claim 6 of the paper",
        (sparse.SWEEP,),
        "a significantly higher loss",
        sparse.costs,
        headline="fixed sparse weights cost loss at an equal number of weights in use",
    ),
    Claim(
        "erk_costs",
        "Fixed random sparse weights raise the loss also where more of the input weights are in "
        "use than of the output weights.",
        "Question (d); the paper does not say how its weights were divided",
        (sparse.SWEEP, sparse.ERK),
        "a significantly higher loss",
        sparse.erk_costs,
    ),
    Claim(
        "regrown",
        "Weights that are pruned and regrown at a fixed density do better than fixed ones.",
        "Question (d); the authors: much better, unpublished",
        (sparse.SWEEP,),
        "much better (no number)",
        sparse.grows,
        headline="pruning and regrowing weights does better than fixed sparse weights",
    ),
    Claim(
        "tickets_mono",
        "Lottery tickets of a monosemantic model, pruned again and again, stay monosemantic.",
        "Question (d)",
        ("TICKET",),
        _ASKED,
        tickets.stay_mono,
        headline="lottery tickets stay monosemantic",
    ),
    Claim(
        "tickets_match",
        "Such tickets reach the loss of the dense model.",
        "Question (d); known of larger networks",
        ("TICKET",),
        _ASKED,
        tickets.match,
    ),
    Claim(
        "late_tickets_match",
        "Tickets that are rewound to a sixteenth of training reach it.",
        "Question (d); known of larger networks",
        ("REWIND",),
        _ASKED,
        tickets.late_match,
    ),
    Claim(
        "tickets_beat_controls",
        "A ticket has a lower loss than random masks, than new weights in its masks, and than its "
        "masks on another run.",
        "Question (d); known of larger networks",
        ("TICKET",),
        _ASKED,
        tickets.beat_controls,
    ),
    Claim(
        "expanded_loss",
        "Dividing each neuron into several, with as many weights in use, lowers the loss.",
        "Question (d); published of larger networks (Kong et al. 2025)",
        ("EXPAND",),
        "better, the more so the more polysemantic the network is (no number for toy models)",
        expansion.losses,
    ),
    Claim(
        "expanded_mono",
        "Dividing the neurons of a polysemantic model makes it more monosemantic.",
        "Question (d); published of larger networks (Kong et al. 2025)",
        ("EXPAND",),
        "fewer features per neuron (no number for toy models)",
        expansion.monosemantic,
    ),
    Claim(
        "skip_takes_over",
        "A linear path of rank m beside the hidden layer takes over the identity of low rank, so "
        "that no neurons with a positive bias are left.",
        "The authors' own next step",
        ("SKIP",),
        _ASKED,
        skip_paths.takes_over,
    ),
    Claim(
        "skip_rest_mono",
        "The neurons beside such a path are all monosemantic, at no higher loss.",
        "The authors' own next step",
        ("SKIP",),
        _ASKED,
        skip_paths.rest_mono,
        headline="with a linear path beside them, all neurons become monosemantic",
    ),
    Claim(
        "frequent_served",
        "Where there are fewer neurons than features, the features with a monosemantic neuron are "
        "more frequent than those that share neurons.",
        "Question (f); predicted by Scherlis et al. (2022)",
        ("EXPONENT",),
        "predicted for the optimal allocation of capacity",
        regimes.frequent_served,
        headline="the most frequent features are those with a monosemantic neuron",
    ),
    Claim(
        "rarest_ignored",
        "The features that are ignored are rarer than those that share neurons.",
        "Question (f); predicted by Scherlis et al. (2022)",
        ("EXPONENT",),
        "predicted for the optimal allocation of capacity",
        regimes.rarest_ignored,
        headline="the rarest features are those that are ignored",
    ),
    Claim(
        "steeper_ignores",
        "The steeper the power law of frequencies is, the more features are ignored.",
        "Question (f)",
        ("EXPONENT",),
        _ASKED,
        regimes.steeper_ignores,
    ),
    # Of the same discussion, and judged on the paper's page at larger scales too.
    PAPER_CLAIMS["mixed_regimes"],
    PAPER_CLAIMS["count_converges"],
)
"""In the order of the page."""
