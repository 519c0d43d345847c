"""The polytope lens: the linear regions of a relu network, their boundaries and their maps.

A relu network is one affine map in each polytope of its input space, and the
code of a polytope says which neurons are on in it. `networks` is what the
functions accept, `codes` has spline codes and their distances, `lines`
boundaries along lines and densities, `maps` the affine map of a code, `slices`
polytopes in a plane, `pairs` densities within and between classes, `shells`
densities by distance from the origin, `grouping` clusters and directions,
`baselines` what to compare with; `toy` and `labelled` are the experiments on toy
models and on classifiers. Everything is numpy in float64;
one model at a time.

Reference:
  Black, Sharkey et al. (2022), "Interpreting Neural Networks through the
  Polytope Lens"; Balestriero & Baraniuk (2018), arXiv 1810.09274.
"""

from toymono.analysis.polytopes.baselines import rotated, with_biases
from toymono.analysis.polytopes.codes import (
    code_distance,
    distinct,
    max_affine,
    pair_distances,
    soft_code,
    soft_max_affine,
    spline_code,
)
from toymono.analysis.polytopes.grouping import (
    MIN_CLUSTER_SIZE,
    NOISE,
    Agreement,
    Directions,
    Match,
    OnDirection,
    ScalarClusters,
    agreement,
    cluster,
    clusters_on_direction,
    match,
    nonnegative_directions,
    projection_clusters,
)
from toymono.analysis.polytopes.lines import (
    Breaks,
    crossings,
    density,
    hyperplane_distances,
    line_breaks,
    pair_densities,
    pair_lengths,
    partner_densities,
    ray_crossings,
    ray_density,
    slope_variation,
)
from toymono.analysis.polytopes.maps import (
    adversarial_steps,
    affine_map,
    bit_shares,
    direction_images,
    flip_sizes,
    loss_gradients,
    map_of_code,
    mean_cosine,
    outputs_with_codes,
    steered,
    transformation_distance,
    transformation_distances,
)
from toymono.analysis.polytopes.networks import (
    PIECES,
    Dense,
    Layers,
    Network,
    Pieces,
    dense,
    layer_inputs,
    layers_from,
    of_classifier,
    pre_activations,
)
from toymono.analysis.polytopes.pairs import Flow, Gap, flow, gap, gap_at_equal_length, mantel
from toymono.analysis.polytopes.slices import (
    Grid,
    Lines,
    Slice,
    slice_grid,
    slice_lines,
    slice_regions,
    through_points,
)

__all__ = [
    "MIN_CLUSTER_SIZE",
    "NOISE",
    "PIECES",
    "Agreement",
    "Breaks",
    "Dense",
    "Directions",
    "Flow",
    "Gap",
    "Grid",
    "Layers",
    "Lines",
    "Match",
    "Network",
    "OnDirection",
    "Pieces",
    "ScalarClusters",
    "Slice",
    "adversarial_steps",
    "affine_map",
    "agreement",
    "bit_shares",
    "cluster",
    "clusters_on_direction",
    "code_distance",
    "crossings",
    "dense",
    "density",
    "direction_images",
    "distinct",
    "flip_sizes",
    "flow",
    "gap",
    "gap_at_equal_length",
    "hyperplane_distances",
    "layer_inputs",
    "layers_from",
    "line_breaks",
    "loss_gradients",
    "mantel",
    "map_of_code",
    "match",
    "max_affine",
    "mean_cosine",
    "nonnegative_directions",
    "of_classifier",
    "outputs_with_codes",
    "pair_densities",
    "pair_distances",
    "pair_lengths",
    "partner_densities",
    "pre_activations",
    "projection_clusters",
    "ray_crossings",
    "ray_density",
    "rotated",
    "slice_grid",
    "slice_lines",
    "slice_regions",
    "slope_variation",
    "soft_code",
    "soft_max_affine",
    "spline_code",
    "steered",
    "through_points",
    "transformation_distance",
    "transformation_distances",
    "with_biases",
]
