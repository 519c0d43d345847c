"""What the polytope lens measures."""

from toymono.quantities.formats import truth
from toymono.quantities.quantity import Quantity, count_of, fraction, number, signed

_NONE = "the network diverged, or its nonlinearity has no spline code"
_NO_NEURON = "no neuron responds to so many features"
_NO_NEGATIVE = "no neuron has a negative bias, or there are several layers"
_NO_CHANGE = "the predicted class changes nowhere"

QUANTITIES: tuple[Quantity, ...] = (
    number("ray_position", "distance from the origin", unit="mean length of the data"),
    fraction("segment_position", "fraction of the way between two examples"),
    number("length_mismatch", "relative difference of the lengths of compared segments"),
    number("boundary_density", "boundaries per unit length", none=_NONE),
    number("density_within", "boundary density within a class", none=_NONE),
    number("density_between", "boundary density between classes", none=_NONE),
    number("density_ratio", "boundary density, different / same", none=_NONE),
    number(
        "density_ratio_alone", "boundary density of single features, different / same", none=_NONE
    ),
    number(
        "rotated_density_ratio", "boundary density of rotated weights, different / same", none=_NONE
    ),
    number(
        "rotated_density_ratio_alone",
        "the same of single features and rotated weights, different / same",
        none=_NONE,
    ),
    number("untrained_density_ratio", "boundary density untrained, different / same", none=_NONE),
    signed("boundary_density_gap", "boundary density ratio, minus the baseline's", none=_NONE),
    fraction("density_p", "p of the difference in boundary density", none=_NONE),
    signed("equal_length_gap", "boundary density, different − same, at equal distance", none=_NONE),
    number("own_density_ratio", "boundary density of one layer, different / same", none=_NONE),
    number(
        "own_pixel_ratio", "boundaries of one layer by pixel distance, different / same", none=_NONE
    ),
    signed(
        "depth_correlation", "rank correlation of layer and density ratio", high=1.0, none=_NONE
    ),
    signed("own_depth_correlation", "the same of each layer's own code", high=1.0, none=_NONE),
    signed("pixel_depth_correlation", "the same over pixel distance", high=1.0, none=_NONE),
    fraction("convergence", "pairs from far to near", none=_NONE),
    fraction("divergence", "pairs from near to far", none=_NONE),
    Quantity("shell", "boundaries form a shell along data", format=truth, none=_NONE),
    Quantity(
        "gaussian_shell",
        "boundaries form a shell along random directions",
        format=truth,
        none=_NONE,
    ),
    Quantity(
        "rotated_shell", "boundaries of rotated weights form a shell", format=truth, none=_NONE
    ),
    Quantity(
        "untrained_shell", "untrained boundaries form a shell, own bias", format=truth, none=_NONE
    ),
    Quantity(
        "spread_shell",
        "untrained boundaries form a shell, bias 0 ± spread",
        format=truth,
        none=_NONE,
    ),
    number(
        "shell_radius", "radius of densest boundaries", unit="mean length of the data", none=_NONE
    ),
    number("shell_height", "boundary density there", none=_NONE),
    number(
        "untrained_shell_radius",
        "radius of densest untrained boundaries",
        unit="mean length of the data",
        none=_NONE,
    ),
    number("untrained_shell_height", "boundary density there", none=_NONE),
    number(
        "predicted_radius",
        "radius of the shell that biases predict",
        unit="mean length of the data",
        none=_NO_NEGATIVE,
    ),
    number(
        "untrained_predicted_radius",
        "the same untrained",
        unit="mean length of the data",
        none=_NO_NEGATIVE,
    ),
    signed("cluster_ami", "agreement with the true feature (AMI)", high=1.0, none=_NONE),
    signed("code_ami", "agreement of code clusters (AMI)", high=1.0, none=_NONE),
    signed("rotated_code_ami", "agreement of rotated weights' code clusters", high=1.0, none=_NONE),
    signed("activation_ami", "agreement of activation clusters (AMI)", high=1.0, none=_NONE),
    signed(
        "code_ami_gap",
        "agreement of code clusters, minus rotated (AMI)",
        "code clusters − rotated",
        low=-2.0,
        high=2.0,
        none=_NONE,
    ),
    fraction("code_noise_share", "fraction of codes in no cluster", none=_NONE),
    fraction(
        "noisiest_label_share", "codes of the noisiest class in no cluster (fraction)", none=_NONE
    ),
    fraction("noise_share", "fraction of points in no cluster", none=_NONE),
    number("background", "other active features, mean number"),
    count_of("hamming", "bits that differ"),
    number("map_distance", "distance of the maps (Frobenius)"),
    signed(
        "transformation_correlation",
        "rank correlation of Hamming and map distance",
        high=1.0,
        none="the network diverged, has no spline code, or one of the two does not vary",
    ),
    number("flip_sum_ratio", "map distance / root of summed squared flips", none="no codes differ"),
    number("square_regions", "polytopes in the unit square of two features", none=_NONE),
    number("rotated_square_regions", "the same of rotated weights", none=_NONE),
    signed("strong_image_cosine", "cosine of a strong feature's images", high=1.0, none=_NONE),
    signed("weak_image_cosine", "cosine of a weak feature's images", high=1.0, none=_NONE),
    signed(
        "untrained_strong_image_cosine",
        "cosine of a strong feature's images, untrained",
        high=1.0,
        none=_NONE,
    ),
    signed(
        "untrained_weak_image_cosine",
        "cosine of a weak feature's images, untrained",
        high=1.0,
        none=_NONE,
    ),
    fraction(
        "nmf_cosine",
        "cosine of NMF directions and single-feature responses",
        none="no neuron is active",
    ),
    fraction("pca_cosine", "the same of principal directions", none="no neuron is active"),
    fraction(
        "random_direction_cosine", "the same of random directions", none="no neuron is active"
    ),
    fraction(
        "code_nmf_cosine",
        "cosine of NMF directions of codes and single-feature codes",
        none="no neuron is active",
    ),
    number("polysemantic_features", "features on a neuron of 2 to 8 features", none=_NO_NEURON),
    number("monosemantic_features", "features on a neuron of one feature", none=_NO_NEURON),
    fraction("projection_purity", "purity of clusters along one such neuron", none=_NO_NEURON),
    number("slope_variation", "change of slope per unit length", none=_NONE),
    fraction("distinct_codes", "different codes per example", none=_NONE),
    number("neurons_on", "neurons that are on", none=_NONE),
    number("outer_density", "boundary density at five times the data", none=_NONE),
    fraction("rescaled_bits", "fraction of bits that change if images are halved"),
    count_of("class_changes", "class changes along rays", none=_NONE),
    fraction("inner_changes", "fraction of class changes within the data", none=_NO_CHANGE),
    signed(
        "change_excess",
        "boundary density at class changes, relative to other rays",
        none=_NO_CHANGE,
    ),
    fraction("change_p", "p of that", none=_NO_CHANGE),
    signed("untrained_change_excess", "the same untrained", none=_NO_CHANGE),
    signed("spread_change_excess", "the same untrained, bias 0 ± spread", none=_NO_CHANGE),
    fraction("spread_change_p", "p of that", none=_NO_CHANGE),
    number("adversarial_density", "boundaries per unit length of adversarial steps", none=_NONE),
    number("random_density", "boundaries per unit length of random steps", none=_NONE),
    fraction("steered_share", "outputs steered to another class", none=_NONE),
    fraction("random_steered_share", "the same with random flips", none=_NONE),
)

INDEX_COLUMNS: dict[str, str] = {
    "copy": "the network, or a copy of it with rotated or untrained weights",
    "direction": "of rays: through data, along features, or at random",
    "pair_kind": "how the examples of a pair are made",
    "source": "what is clustered",
    "pair": "number of a pair of codes, from 0",
    "normal_k2": "array: normals of the boundaries in a plane",
    "offset_k": "array: offsets of the boundaries in a plane",
    "region_ts": "array: number of the code of each pixel of a plane",
    "output_ts": "array: largest output of each pixel of a plane",
    "extent": "of a plane: first and last coordinate on both axes",
}
