"""Claims of Marshall & Kirchner (2024): abstract, captions and supplement."""

from toymono.papers.claims import Claim, table
from toymono.papers.marshall2024 import measures

_TOY, _ALL = ("LR1", "LR3"), ("LR1", "LR3", "digits", "mnist")

CLAIMS = table(
    Claim(
        "less_redundant",
        "Training lowers redundancy: the code of a trained layer fills more dimensions than that "
        "of an untrained one.",
        "abstract; figure 3",
        _ALL,
        "in words: networks move towards less redundant codes",
        measures.less_redundant,
        headline="trained toy models are less redundant than untrained ones",
    ),
    Claim(
        "one_power_law",
        "The eigenspectrum of a layer follows a power law.",
        "figure 3b",
        _TOY,
        "straight lines on log-log axes, with deviations in late layers",
        measures.one_power_law,
        headline="one power law describes the spectrum of a layer",
    ),
    Claim(
        "falls_with_depth",
        "The exponent falls with depth: spectra of late layers are steeper.",
        "figure 3c",
        ("mnist", "patches"),
        "exponents by depth, a line at -1",
        measures.falls_with_depth,
        headline="spectra are steeper in later layers",
    ),
    Claim(
        "dropout_steepens",
        "More dropout makes spectra steeper, and less straight on log-log axes.",
        "figure 5",
        ("patches",),
        "two rates of dropout",
        measures.dropout_steepens,
        headline="dropout steepens and bends the spectra of autoencoders",
    ),
    Claim(
        "action_by_exponent",
        "Flatter spectra go with less smooth codes: random projections of a moving input have "
        "more action.",
        "figure 4c, d",
        ("LR1", "LR3", "mnist", "patches"),
        "action against exponent over layers",
        measures.action_by_exponent,
        headline="flatter spectra go with more action",
    ),
    Claim(
        "dimensions_by_sparsity",
        "Dimensions per feature of trained models stay above the entropy bound, and near it where "
        "features are dense.",
        "figure 1c",
        ("DIM10",),
        "grey points above a green curve",
        measures.dimensions_by_sparsity,
        headline="dimensions per feature stay above the entropy bound, near it if dense",
    ),
    Claim(
        "sticky",
        "Dimensions per feature stick at 1/2 over a range of sparsities.",
        "figure 1c; Elhage et al. (2022)",
        ("DIM10",),
        "dashed lines",
        measures.sticky,
    ),
    Claim(
        "capacity_bounds",
        "The capacity of a neuron under dropout lies between (1 - ε)(1 - D) C and (1 - D) C.",
        "supplement, theorem 3",
        (),
        "a proof",
        measures.capacity_within_bounds,
        headline="the published bounds hold for the exact capacity under dropout",
    ),
    Claim(
        "projections",
        "Random projections of a layer explain what single neurons do not.",
        "figures 6, 7",
        _TOY,
        "GPT-2 XL: complementary to single neurons",
        measures.projections_tell_features,
    ),
)
