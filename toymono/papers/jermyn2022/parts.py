"""Which settings of its sweeps a claim reads: those that the paper states it for."""

from toymono.papers.claims import Part

TOP_RATE = Part(
    "the highest learning rate",
    lambda rows: rows["learning_rate"] == rows["learning_rate"].max(),
)
FEW_NEURONS = Part("k up to n/4", lambda rows: rows["k"] <= rows["n"] / 4)
MIDDLE_NEURONS = Part("k from n/2 to n", lambda rows: (rows["k"] / rows["n"]).between(0.5, 1))
MANY_NEURONS = Part("k above n", lambda rows: rows["k"] > rows["n"])
FEWER_THAN_FEATURES = Part("k below n", lambda rows: rows["k"] < rows["n"])
AROUND_PEAK = Part(
    "eps from 1/64 to half of m/n",
    lambda rows: (rows["eps"] >= 2**-6) & (rows["eps"] <= rows["m"] / rows["n"] / 2),
)
DENSE = Part("n eps of at least 2m", lambda rows: rows["n"] * rows["eps"] >= 2 * rows["m"])
SPARSE = Part("eps up to 1/256", lambda rows: rows["eps"] <= 2**-8)
KINKS = Part("eps = 1/64", lambda rows: rows["eps"] == 2**-6)
SPARSER_KINKS = Part("eps = 1/256", lambda rows: rows["eps"] == 2**-8)
