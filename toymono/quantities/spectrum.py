"""What the coding-theory lens measures."""

from toymono.quantities.formats import truth
from toymono.quantities.quantity import Quantity, count_of, fraction, number, signed, unbroken

_FEW = "fewer than 100 samples per unit, fewer than 3 eigenvalues above 0, or all equal"
_STILL = "no path moves the layer"
_DEAD = "the baseline's layer is dead"

QUANTITIES: tuple[Quantity, ...] = (
    count_of("samples", "inputs that a spectrum is of"),
    count_of("units", "units of a layer"),
    number("layer_variance", "variance of a layer, summed over units"),
    number("participation_ratio", "participation ratio"),
    number("plain_participation_ratio", "participation ratio, biased if samples are few"),
    fraction("participation_share", "participation ratio / units"),
    number("spectrum_rank", "effective rank of a layer's covariance", "effective rank"),
    count_of("usable_ranks", "eigenvalues above 0"),
    signed("spectrum_exponent", "exponent α of the eigenspectrum", "exponent α", none=_FEW),
    signed("weighted_exponent", "exponent α, octaves weighted alike", none=_FEW),
    signed("few_exponent", "exponent α, whatever the number of samples", none=_FEW),
    signed("leading_exponent", "exponent α of as many ranks as pixels", "exponent α", none=_FEW),
    signed("leading_curvature", "curvature of as many ranks as pixels", "curvature", none=_FEW),
    signed("noisy_exponent", "exponent α, dropout on", none="not of a trained hidden layer"),
    signed(
        "shared_exponent",
        "exponent α of what two draws of dropout share",
        none="not of a trained hidden layer",
    ),
    Quantity("collapsed", "error at least half of the variance", format=truth),
    signed("spectrum_curvature", "curvature of the log-log spectrum", "curvature", none=_FEW),
    number("break_rank", "rank of the break of a broken power law", "break", none=_FEW),
    signed("head_exponent", "exponent before the break", none=_FEW),
    signed("tail_exponent", "exponent after the break", none=_FEW),
    number(
        "broken_error_ratio",
        "error of a broken power law " + unbroken("/ of a straight one"),
        none=_FEW,
    ),
    number("normalised_action", "action / that of a circle", "action", none=_STILL),
    signed("smoothness_slope", "slope of log action on log frames", none=_STILL),
    number(
        "participation_gain",
        "participation ratio / that of an untrained copy with biases around 0",
        "gain over untrained",
        none=_DEAD,
    ),
    number(
        "participation_gain_own",
        "participation ratio / that of an untrained copy with its own biases",
        none=_DEAD,
    ),
    number(
        "participation_gain_rotated",
        "participation ratio / that with rotated weights",
        none=_DEAD,
    ),
    number("action_gain", "normalised action / that of an untrained copy", none=_STILL),
    fraction("neuron_auc", "best neuron's area under the ROC curve", none="no feature varies"),
    fraction(
        "projection_auc",
        "best random projection's area under the ROC curve",
        none="no feature varies",
    ),
    count_of("spectrum_index", "rank of an eigenvalue"),
    number("eigenvalue", "eigenvalue of the covariance"),
    fraction("eigenvalue_share", "eigenvalue / variance of the layer"),
    number("feature_dimensions", "dimensions per feature, D*", low=0.0),
    fraction("dimension_floor", "dimensions / features"),
    fraction("optimum_8", "entropy optimum at 8 bits"),
    fraction("optimum_23", "entropy optimum at 23 bits"),
    number("neuron_bits", "bits of a neuron without dropout", "bits"),
    fraction("code_dropout", "probability of dropout", "dropout"),
    number("capacity", "capacity of a neuron", unit="bits"),
    number("capacity_lower", "published lower bound", unit="bits"),
    number("capacity_proven", "lower bound that the proof shows", unit="bits"),
    number("capacity_upper", "published upper bound", unit="bits"),
    count_of("code_layers", "layers of dropout"),
    fraction("survival", "probability that the values can be read"),
    fraction("simulated_survival", "fraction of simulated codes that can be read"),
    signed("information_share", "estimated share of the information", none="not estimated"),
)

INDEX_COLUMNS: dict[str, str] = {
    "weights": "whose weights: trained, or the name of a baseline",
    "layer_name": "layer of a toy model: input, hidden, hidden_mono, hidden_poly, output",
    "code": "name of a code of values on neurons",
}
