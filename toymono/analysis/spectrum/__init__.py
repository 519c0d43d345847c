"""The coding-theory lens: spectra of a layer, actions of paths, capacity of codes.

How redundant is a layer's code? Three answers: the *eigenspectrum* of its
covariance (few large eigenvalues: redundant; a flat spectrum: not), the *action*
of a path of activations while the input moves along a circle (a smooth code
moves little), and what a code of that redundancy *keeps* when neurons drop out.

`covariance` has eigenspectra and participation ratios, `power_law` exponents,
`paths` actions, `capacity` closed forms of capacity and survival, `information`
mutual information through dropout, `decoding` how well units tell features.
Everything but `information` is numpy in float64 on the host.

Reference:
  Marshall & Kirchner (2024), "Understanding polysemanticity in neural networks
  through coding theory", arXiv 2401.17975.
"""

from toymono.analysis.spectrum.capacity import (
    CapacityBounds,
    dimensions_per_feature,
    dropout_capacity,
    dropout_capacity_bounds,
    simulated_survival,
    survives,
    weight_dimensions_per_feature,
)
from toymono.analysis.spectrum.covariance import (
    SAMPLES_PER_DIMENSION,
    covariance,
    cv_pca,
    effective_rank,
    eigenspectrum,
    eigenvalues,
    participation_ratio,
    spectral_moments,
    unbiased_participation_ratio,
)
from toymono.analysis.spectrum.decoding import best_unit_auc, random_projections, unit_auc
from toymono.analysis.spectrum.paths import (
    action,
    circle,
    circle_action,
    normalised_action,
    projected_action,
    projected_action_std,
    sampled_projected_actions,
    smoothness_slope,
)
from toymono.analysis.spectrum.power_law import (
    BrokenLaw,
    broken_power_law,
    cross_validated_errors,
    curvature,
    power_law_exponent,
    usable_ranks,
)

__all__ = [
    "SAMPLES_PER_DIMENSION",
    "BrokenLaw",
    "CapacityBounds",
    "action",
    "best_unit_auc",
    "broken_power_law",
    "circle",
    "circle_action",
    "covariance",
    "cross_validated_errors",
    "curvature",
    "cv_pca",
    "dimensions_per_feature",
    "dropout_capacity",
    "dropout_capacity_bounds",
    "effective_rank",
    "eigenspectrum",
    "eigenvalues",
    "normalised_action",
    "participation_ratio",
    "power_law_exponent",
    "projected_action",
    "projected_action_std",
    "random_projections",
    "sampled_projected_actions",
    "simulated_survival",
    "smoothness_slope",
    "spectral_moments",
    "survives",
    "unbiased_participation_ratio",
    "unit_auc",
    "usable_ranks",
    "weight_dimensions_per_feature",
]
