"""Claims of Wright, polysemantic-neurons (2022): README, committed results and notebooks.

What it says of classifiers is judged on each data set by itself, MNIST first.
"""

from toymono.papers.claims import Claim, table
from toymono.papers.wright2022 import measures
from toymono.papers.wright2022.measures import DIGITS, FASHION, MNIST, Images

_README, _DATA, _NOTEBOOK = "README", "committed results", "notebooks"
_TOY = ("PEN",)


def _of(images: Images, headlines: bool = False) -> tuple[Claim, ...]:
    """The statements on classifiers, for one data set; `headlines` if they lead the page."""
    on, sweeps = images.title, (images.name,)

    def named(short: str) -> str:
        return short if headlines else ""

    return (
        Claim(
            f"{images.name}_plain",
            f"On {on}, networks trained without a penalty classify well.",
            _DATA,
            sweeps,
            images.published("plain"),
            measures.plain(images),
        ),
        Claim(
            f"{images.name}_penalised",
            f"On {on}, networks with a penalty of weight alpha = 1 still classify well, at a small "
            "cost in accuracy.",
            _README,
            sweeps,
            images.published("penalised"),
            measures.still_learns(images),
            headline=named("classifiers still learn with the penalty at weight 1"),
        ),
        Claim(
            f"{images.name}_cross_entropy_rises",
            f"On {on}, the penalty raises the cross-entropy.",
            _DATA,
            sweeps,
            images.published("cross_entropy"),
            measures.cross_entropy_rises(images),
        ),
        Claim(
            f"{images.name}_penalty_falls",
            f"On {on}, training with the penalty lowers its value by a factor of 20 or more.",
            _DATA,
            sweeps,
            images.published("penalty"),
            measures.penalty_falls(images),
            headline=named("training with the penalty lowers its value at least twentyfold"),
        ),
        Claim(
            f"{images.name}_encouraged",
            f"On {on}, networks with alpha = -1 collapse to chance."
            f"{' (Published as 82 % accuracy.)' if 'encouraged' in images.numbers else ''}",
            _README,
            sweeps,
            images.published("encouraged"),
            measures.collapses(images),
            headline=named("classifiers collapse to chance if polysemantic neurons are rewarded"),
        ),
        Claim(
            f"{images.name}_n_cut_falls",
            f"On {on}, the weight graph is more clusterable with alpha = 1: it has a lower n-cut.",
            _README,
            sweeps,
            images.published("n_cut"),
            measures.n_cut_falls(images),
            headline=named("the penalty makes weight graphs more clusterable"),
        ),
        Claim(
            f"{images.name}_n_cut_beyond_shuffles",
            f"On {on}, the penalised network is "
            f"{'more' if images.beyond_shuffles else 'not more'} clusterable than shuffles of its "
            "own weights.",
            _README,
            sweeps,
            images.published("n_cut_p"),
            measures.n_cut_beyond_shuffles(images),
        ),
        Claim(
            f"{images.name}_ablations_same",
            f"On {on}, the penalty does not make clusters more specialised: ablations show no "
            "clear difference.",
            _DATA,
            sweeps,
            images.published("ablations"),
            measures.ablations_same(images),
        ),
        Claim(
            f"{images.name}_pruned",
            f"On {on}, networks pruned to a tenth of their weights classify as well as before, "
            "with and without the penalty.",
            _DATA,
            (*sweeps, f"{images.name}_pruned"),
            images.published("pruned"),
            measures.pruned(images),
        ),
    )


CLAIMS = table(
    *_of(MNIST, headlines=True),
    *_of(FASHION),
    *_of(DIGITS),
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
