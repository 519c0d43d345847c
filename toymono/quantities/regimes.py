"""What is measured of features by their frequency, and of training's last octaves."""

from toymono.quantities.formats import probability
from toymono.quantities.quantity import Quantity, count_of, fraction, number, signed

_BROKEN = "a weight is not finite"
_EQUAL = "features are equally frequent"

QUANTITIES: tuple[Quantity, ...] = (
    count_of("frequency_rank", "rank of a feature by frequency", "rank"),
    fraction("frequency", "frequency of a feature"),
    fraction("served", "features with a monosemantic neuron (fraction)", none=_BROKEN),
    signed("recovery", "recovery of a feature", high=1.0, none=_BROKEN),
    number("interference", "squared output where a feature is absent", none=_BROKEN),
    signed("present_loss", "loss where a feature is present, over the zero-output loss"),
    number("absent_loss", "loss where features are absent, over the zero-output loss"),
    number("neurons_per_feature", "neurons per feature, k/n", "k/n", format=probability),
    fraction("served_share", "features with a monosemantic neuron", "served"),
    fraction("poly_share", "features recovered by other neurons", "polysemantic"),
    fraction("ignored_share", "features neither served nor recovered", "ignored"),
    number("served_loss", "loss where served features are present, over the zero-output loss"),
    number("poly_loss", "loss where polysemantic features are present, over the zero-output loss"),
    number("ignored_loss", "loss where ignored features are present, over the zero-output loss"),
    number("edge_half_rank", "rank at which half of the features are served", none=_EQUAL),
    number(
        "edge_width",
        "change of log frequency over which the odds of being served change by e",
        none=f"{_EQUAL}, or none or all of them are served",
    ),
    signed("edge_direction", "1 if frequent features are served, −1 if rare ones are"),
)

INDEX_COLUMNS = {
    "regime": "of a feature: monosemantic, polysemantic or ignored",
}
