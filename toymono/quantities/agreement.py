"""Measures of all lenses, normalised so that runs of different sizes can be compared."""

from toymono.quantities.quantity import Quantity, fraction, number, signed

QUANTITIES: tuple[Quantity, ...] = (
    fraction("positive_bias_per_k", "neurons with a bias above 0, per neuron", "biases above 0"),
    number("effective_rank_per_m", "effective rank of M, per dimension", "rank of linear part"),
    signed(
        "rank_correlation", "rank correlation", low=-1.0, high=1.0, none="a measure is constant"
    ),
    signed("rank_correlation_low", "rank correlation, lower end of the 95 % interval"),
    signed("rank_correlation_high", "rank correlation, upper end of the 95 % interval"),
    number("sweeps", "sweeps in which both measures vary"),
)

INDEX_COLUMNS = {
    "measure": "name of a measure of the agreement of lenses",
    "other_measure": "name of the measure that it is compared with",
}
