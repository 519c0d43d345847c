"""Claims of Wright, polysemantic-neurons (2022): README, committed results and notebooks."""

from toymono.papers.claims import Claim, table
from toymono.papers.wright2022 import measures

_README, _DATA, _NOTEBOOK = "README", "committed results", "notebooks"
_DIGITS, _TOY = ("digits",), ("PEN",)

CLAIMS = table(
    Claim(
        "plain",
        "Without a penalty, the networks classify well.",
        _DATA,
        _DIGITS,
        ".981, .892",
        measures.plain,
    ),
    Claim(
        "penalised",
        "With a penalty of weight alpha = 1 they still classify well, at a small cost in accuracy.",
        _README,
        _DIGITS,
        ".968, .854",
        measures.still_learns,
        headline="classifiers still learn with the penalty at weight 1",
    ),
    Claim(
        "cross_entropy_rises",
        "The penalty raises the cross-entropy.",
        _DATA,
        _DIGITS,
        "+.07, +.06",
        measures.cross_entropy_rises,
    ),
    Claim(
        "penalty_falls",
        "Training with the penalty lowers its value about a hundredfold.",
        _DATA,
        _DIGITS,
        "1/109, 1/41",
        measures.penalty_falls,
    ),
    Claim(
        "encouraged",
        "With alpha = -1 the networks collapse to chance. (Published as 82 % accuracy.)",
        _README,
        _DIGITS,
        ".104, .100",
        measures.collapses,
        headline="classifiers collapse to chance if polysemantic neurons are rewarded",
    ),
    Claim(
        "n_cut_falls",
        "With alpha = 1 the weight graph is more clusterable: it has a lower n-cut.",
        _README,
        _DIGITS,
        "-.43, about -.3",
        measures.n_cut_falls,
    ),
    Claim(
        "n_cut_beyond_shuffles",
        "On MNIST it is also more clusterable than shuffles of its own weights.",
        _README,
        _DIGITS,
        "left p .0196 in all 5 runs",
        measures.n_cut_beyond_shuffles,
    ),
    Claim(
        "ablations_same",
        "The penalty does not make clusters more specialised: ablations show no clear difference.",
        _DATA,
        _DIGITS,
        "no clear difference",
        measures.ablations_same,
    ),
    Claim(
        "pruned",
        "Networks pruned to a tenth of their weights classify as well, with and without the "
        "penalty.",
        _DATA,
        ("digits", "digits_pruned"),
        ".981, .970 on MNIST",
        measures.pruned,
    ),
    Claim(
        "images",
        "The statements above hold on MNIST and Fashion-MNIST.",
        _README,
        (),
        "as above",
        unmeasured="neither data set comes with the package; "
        "`python -m toymono.classifiers --data mnist` trains on a copy of it",
    ),
    Claim(
        "toy_loss",
        "In toy models, the penalty gives a slightly higher loss than initial biases of -1 "
        "without a penalty.",
        _NOTEBOOK,
        _TOY,
        "+.086 of 2.667",
        measures.toy_loss,
        headline="in toy models the penalty costs little loss",
    ),
    Claim(
        "toy_mono_loss",
        "Of the mono parts alone, the penalised model's has the lower loss.",
        _NOTEBOOK,
        _TOY,
        "-.516 of 2.667",
        measures.toy_mono_loss,
    ),
    Claim(
        "toy_features",
        "Neurons trained with the penalty respond to at most one feature.",
        _NOTEBOOK,
        _TOY,
        "no neuron with more than one",
        measures.toy_features,
        headline="neurons trained with the penalty respond to at most one feature",
    ),
    Claim(
        "toy_together",
        "Neurons that are monosemantic on single features are not so on combinations: several "
        "features together activate neurons that none of them activates alone.",
        _NOTEBOOK,
        _TOY,
        "283 of 681",
        measures.toy_together,
        headline="neurons that respond to one feature are also activated by groups of others",
    ),
)
