"""What feature visualisation measures."""

from toymono.quantities.quantity import Quantity, count_of, fraction, number, signed

_NONE = "no neuron has 2 to 8 facets"

QUANTITIES: tuple[Quantity, ...] = (
    count_of("facet_count", "features or classes that drive a neuron", "facets"),
    number("facets_found", "facets found", "facets found", none="all neurons are dead"),
    count_of("facets_invented", "labels of inputs that are no facets"),
    fraction("facet_precision", "precision of the facets found", none="no input is active"),
    fraction("facet_recall", "recall of the facets", none=_NONE),
    fraction("active_share", "fraction of inputs on which the neuron is active", none=_NONE),
    fraction(
        "ambiguous_share",
        "fraction of inputs whose second feature is above half of the first",
        none="no input is active",
    ),
    fraction(
        "label_agreement",
        "fraction of images with the label of a second network",
        none="there is no second network",
    ),
    fraction("activation_quantile", "quantile of the activation among training examples"),
    fraction("mono_one_facet", "monosemantic neurons with one facet (fraction)", none="none is"),
    fraction("facet_cosine", "absolute cosine of two facets of a neuron", none=_NONE),
    fraction("random_cosine", "absolute cosine of two features"),
    number("connections_low", "feature pairs per weight, 10 % quantile", none="all are dead"),
    number("connections_median", "feature pairs per weight, median", none="all are dead"),
    number("connections_high", "feature pairs per weight, 90 % quantile", none="all are dead"),
    number("connections_mean", "feature pairs per weight, mean", none="all are dead"),
    number(
        "connections_weighted_mean",
        "feature pairs per weight, mean weighted by its size",
        none="all are dead",
    ),
    count_of("connections_dead", "neurons without a feature pair"),
    fraction(
        "virtual_diagonal",
        "virtual weights that connect a feature with itself (fraction)",
        none="all are 0",
    ),
    signed("input_coherence", "coherence of clusters with visualised inputs", high=1.0),
    fraction("input_coherence_p", "p of the coherence with visualised inputs"),
    signed(
        "input_similarity",
        "cosine of visualised inputs within clusters",
        high=1.0,
        none="no two neurons share a cluster",
    ),
    fraction("input_similarity_p", "p of that cosine", none="no two neurons share a cluster"),
    fraction(
        "blend_share",
        "pairs of facets whose blend excites less than either (fraction)",
        none="no neuron shows two facets",
    ),
)

INDEX_COLUMNS: dict[str, str] = {
    "method": "how visualised inputs were found",
    "facet_group": "group of neurons by their number of facets",
    "features_bn": "array: strength of features in each visualised input",
    "active_b": "array: whether the neuron is active on each of them",
    "response_n": "array: response to each of these features, over the largest",
    "images_bhw": "array: visualised images",
    "label_b": "array: class that the network gives each of them",
}
