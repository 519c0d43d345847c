"""The polytope lens on a toy model, whose true features are known: each experiment on one network.

Each function takes a network, the trained one or a copy of it to compare with,
and the features' `Inputs`, and draws its examples from a seed: the same ones for
every copy.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import spearmanr

from toymono.analysis.polytopes.codes import distinct, spline_code
from toymono.analysis.polytopes.grouping import (
    Agreement,
    agreement,
    cluster,
    clusters_on_direction,
    match,
    nonnegative_directions,
    projection_clusters,
)
from toymono.analysis.polytopes.lines import partner_densities, slope_variation
from toymono.analysis.polytopes.maps import (
    direction_images,
    flip_sizes,
    mean_cosine,
    transformation_distances,
)
from toymono.analysis.polytopes.networks import AnyArray, Network, is_one_layer, layer_inputs
from toymono.analysis.polytopes.pairs import Gap
from toymono.analysis.polytopes.slices import Slice, slice_grid, slice_regions

DIRECTIONS = ("data", "features", "gaussian")
"""Rays from the origin: through examples, along features, and at random."""

PAIRS = ("alone", "same background", "other backgrounds", "strong feature")
"""A feature by itself; with the same other features; with other ones; and strong among those."""

STRONG = (0.7, 1.0)
"""Amplitudes of a feature that dominates an example; our choice."""

_RAYS, _TRIPLES, _SQUARES, _CODE_PAIRS, _DEEP = 512, 2000, 10, 1000, 40
_FEATURES, _COPIES = 30, 20
_SIDE = np.linspace(0, 1, 100)


class Inputs(NamedTuple):
    """How the inputs of a toy model come about."""

    embed_nm: Float[AnyArray, "n m"]
    frequency_n: Float[AnyArray, " n"]
    signed: bool = False
    """Whether features take both signs."""

    def amplitudes(
        self, shape: tuple[int, ...], rng: np.random.Generator, low: float = 0.0, high: float = 1.0
    ) -> np.ndarray:
        """Uniform amplitudes, of either sign if features have both."""
        size = rng.uniform(low, high, shape)
        return size * rng.choice([-1.0, 1.0], shape) if self.signed else size

    def draw(self, count: int, rng: np.random.Generator, mean: float | None = None) -> np.ndarray:
        """Feature vectors `[b n]` as in training, or with so many active features on average."""
        frequency_n = np.asarray(self.frequency_n, np.float64)
        if mean is not None:
            frequency_n = np.minimum(1, frequency_n * mean / frequency_n.sum())
        shape = (count, len(frequency_n))
        return (rng.random(shape) < frequency_n[None]) * self.amplitudes(shape, rng)

    def embedded(self, features_bn: np.ndarray) -> np.ndarray:
        """The network's inputs."""
        return features_bn @ np.asarray(self.embed_nm, np.float64)

    def mean_norm(self) -> float:
        """Mean length of an input that is not 0."""
        x_bm = self.embedded(self.draw(4096, np.random.default_rng(0)))
        norm_b = np.linalg.norm(x_bm, axis=1)
        return float(norm_b[norm_b > 0].mean()) if norm_b.any() else 1.0


def unit_directions(inputs: Inputs, kind: str, count: int = _RAYS) -> Float[np.ndarray, "r m"]:
    """Unit vectors of rays from the origin.

    Raises:
      ValueError: `kind` is not one of `DIRECTIONS`.
    """
    rng = np.random.default_rng(1)
    n, m = inputs.embed_nm.shape
    if kind == "features":
        direction_rm = np.asarray(inputs.embed_nm, np.float64)[:count]
    elif kind == "gaussian":
        direction_rm = rng.normal(size=(count, m))
    elif kind == "data":
        direction_rm = inputs.embedded(inputs.draw(4 * count, rng))
        direction_rm = direction_rm[np.linalg.norm(direction_rm, axis=1) > 0][:count]
        if not len(direction_rm):  # features so rare that no example has one
            direction_rm = inputs.embedded(np.eye(n))[:count]
    else:
        raise ValueError(f"kind={kind!r} is not one of {', '.join(DIRECTIONS)}")
    return direction_rm / np.linalg.norm(direction_rm, axis=1, keepdims=True)


def pair_gap(net: Network, inputs: Inputs, kind: str, count: int = _TRIPLES) -> Gap:
    """Mean density between examples of one feature, and between those of different ones.

    Triples: an example; a second of the same feature with another amplitude; a
    third of another feature.

    Raises:
      ValueError: `kind` is not one of `PAIRS`.
    """
    if kind not in PAIRS:
        raise ValueError(f"kind={kind!r} is not one of {', '.join(PAIRS)}")
    rng = np.random.default_rng(2)
    n = len(inputs.frequency_n)
    feature_b = rng.integers(n, size=count)
    other_b = (feature_b + rng.integers(1, n, size=count)) % n
    backgrounds = [np.zeros((count, n))] * 3
    if kind != "alone":
        backgrounds = [inputs.draw(count, rng) for _ in range(3)]
    if kind == "same background":
        backgrounds = [backgrounds[0]] * 3
    points = []
    for label_b, background_bn in zip((feature_b, feature_b, other_b), backgrounds, strict=True):
        features_bn = background_bn.copy()
        low, high = STRONG if kind == "strong feature" else (0.0, 1.0)
        features_bn[np.arange(count), label_b] = inputs.amplitudes((count,), rng, low, high)
        points.append(inputs.embedded(features_bn))
    return Gap(*(float(np.nanmean(partner_densities(net, points[0], p_bm))) for p_bm in points[1:]))


class Examples(NamedTuple):
    """Examples of some features, each strong, among a background of others."""

    x_bm: Float[np.ndarray, "b m"]
    label_b: Int[np.ndarray, " b"]
    """The strong feature."""


def strong_examples(
    inputs: Inputs, background: float, features: int = _FEATURES, copies: int = _COPIES
) -> Examples:
    """Examples of strong features with so many other active features on average."""
    rng = np.random.default_rng(3)
    chosen = rng.permutation(len(inputs.frequency_n))[:features]
    label_b = np.repeat(chosen, copies)
    features_bn = inputs.draw(len(label_b), rng, background)
    size_b = rng.uniform(*STRONG, len(label_b))
    features_bn[np.arange(len(label_b)), label_b] = size_b
    return Examples(inputs.embedded(features_bn), label_b)


def code_clusters(net: Network, examples: Examples) -> Agreement:
    """How HDBSCAN clusters of codes agree with the strong feature."""
    return agreement(cluster(spline_code(net, examples.x_bm)), examples.label_b)


def activation_clusters(net: Network, examples: Examples) -> Agreement:
    """The same of the last hidden layer's activations."""
    return agreement(cluster(layer_inputs(net, examples.x_bm)[-1]), examples.label_b)


class CodePairs(NamedTuple):
    """Random pairs of codes of examples."""

    hamming_p: Float[np.ndarray, " p"]
    distance_p: Float[np.ndarray, " p"]
    """Of their maps."""
    independent_p: Float[np.ndarray, " p"]
    """√(Σ over differing bits of flip size²): the distance if flips are orthogonal; NaN for
    more than one layer, where a flip's size depends on the other bits."""

    @property
    def rank_correlation(self) -> float:
        """Of Hamming and transformation distance; NaN without pairs, or if one does not vary."""
        if not len(self.hamming_p) or np.ptp(self.hamming_p) == 0 or np.ptp(self.distance_p) == 0:
            return float("nan")
        return float(spearmanr(self.hamming_p, self.distance_p).statistic)


def code_pairs(net: Network, x_bm: np.ndarray, count: int = _CODE_PAIRS) -> CodePairs:
    """Hamming and transformation distance of random pairs of examples with different codes."""
    rng = np.random.default_rng(4)
    code_bk = spline_code(net, x_bm)
    if not is_one_layer(net):  # maps are built, once for each example
        code_bk = code_bk[rng.permutation(len(code_bk))[:_DEEP]]
        one_p, other_p = np.triu_indices(len(code_bk), 1)
    else:
        one_p, other_p = rng.integers(len(code_bk), size=(2, count))
    differ_p = (code_bk[one_p] != code_bk[other_p]).any(axis=1)
    one_p, other_p = one_p[differ_p], other_p[differ_p]
    flipped_pk = code_bk[one_p] != code_bk[other_p]
    if is_one_layer(net):
        independent_p = np.sqrt(flipped_pk @ flip_sizes(net) ** 2)
    else:
        independent_p = np.full(len(one_p), np.nan)
    distance_p = transformation_distances(net, code_bk, one_p, other_p)
    return CodePairs(flipped_pk.sum(axis=1).astype(float), distance_p, independent_p)


def mean_regions(net: Network, inputs: Inputs, squares: int = _SQUARES) -> float:
    """Mean number of polytopes in the unit square of two features."""
    rng = np.random.default_rng(5)
    embed_nm = np.asarray(inputs.embed_nm, np.float64)
    zero_m = np.zeros(embed_nm.shape[1])
    counts = []
    for _ in range(squares):
        i, j = rng.choice(len(embed_nm), 2, replace=False)
        plane = Slice(zero_m, embed_nm[i], embed_nm[j])
        if is_one_layer(net):
            counts.append(slice_regions(net, plane))
        else:  # a lower bound
            counts.append(slice_grid(net, plane, _SIDE, _SIDE).regions)
    return float(np.mean(counts))


def image_cosines(
    net: Network, inputs: Inputs, low: float, high: float, features: int = 20, codes: int = 30
) -> float:
    """How alike a feature's image is in the polytopes of its examples: mean pairwise cosine.

    Args:
      net: The network.
      inputs: Examples have the training background besides the feature.
      low: Least amplitude of the feature.
      high: Largest amplitude.
      features: How many features.
      codes: Examples of each.
    """
    rng = np.random.default_rng(6)
    cosines = []
    for feature in rng.permutation(len(inputs.frequency_n))[:features]:
        features_bn = inputs.draw(codes, rng)
        features_bn[:, feature] = rng.uniform(low, high, codes)
        code_ck = spline_code(net, inputs.embedded(features_bn))
        cosines.append(mean_cosine(direction_images(net, inputs.embed_nm[feature], code_ck)))
    finite = [cosine for cosine in cosines if np.isfinite(cosine)]
    return float(np.mean(finite)) if finite else float("nan")


class DirectionMatch(NamedTuple):
    """Mean cosine of directions of activations with the best single-feature response of each.

    NaN if no neuron is active.
    """

    nmf: float
    pca: float
    """Of as many principal directions, with the sign that matches better."""
    random: float
    """Of as many random mixtures of the neurons with non-negative weights."""


def direction_match(net: Network, examples: Examples, response_kn: np.ndarray) -> DirectionMatch:
    """How NMF directions of activations, and directions to compare with, match the features."""
    activation_bk = layer_inputs(net, examples.x_bm)[-1]
    components = min(len(np.unique(examples.label_b)), *activation_bk.shape)
    if not activation_bk.any():
        return DirectionMatch(*[float("nan")] * 3)
    principal_ck = np.linalg.svd(activation_bk - activation_bk.mean(axis=0), full_matrices=False)[2]
    random_ck = abs(np.random.default_rng(11).normal(size=(components, activation_bk.shape[1])))
    directions = {
        "nmf": nonnegative_directions(activation_bk, components).component_cd,
        "pca": principal_ck[:components],
        "random": random_ck,
    }
    response_kn = np.maximum(response_kn, 0)
    cosines = {
        name: np.maximum(*(match(sign * of, response_kn).cosine_c for sign in (1, -1)))
        for name, of in directions.items()
    }
    return DirectionMatch(**{name: float(cosine_c.mean()) for name, cosine_c in cosines.items()})


def code_direction_match(net: Network, examples: Examples, inputs: Inputs) -> float:
    """Mean cosine of NMF directions in code space with the bits that each feature turns on.

    Bits that are on at the origin, in the codes and in the single-feature codes
    alike, are left out.
    """
    embed_nm = np.asarray(inputs.embed_nm, np.float64)
    always_k = spline_code(net, np.zeros((1, embed_nm.shape[1])))[0] > 0
    code_bk = (spline_code(net, examples.x_bm) > 0)[:, ~always_k]
    if not code_bk.any():
        return float("nan")
    single_nk = (spline_code(net, embed_nm) > 0)[:, ~always_k]
    components = min(len(np.unique(examples.label_b)), *code_bk.shape)
    found = nonnegative_directions(code_bk.astype(float), components)
    return float(match(found.component_cd, single_nk.T.astype(float)).cosine_c.mean())


class Polysemantic(NamedTuple):
    """What lies on the directions of polysemantic neurons; NaN without such neurons."""

    features: float
    """Different features of the clusters on such a neuron, mean."""
    mono_features: float
    """The same for neurons of one feature."""
    purity: float
    """Of 1-D clusters of the activation of such a neuron, mean."""


def polysemantic(
    net: Network, inputs: Inputs, response_kn: np.ndarray, copies: int = 10, most: int = 6
) -> Polysemantic:
    """P1: how many features lie on one direction, for neurons that respond to 2 to 8 features.

    Examples are of single strong features: those that each neuron responds to.
    """
    rng = np.random.default_rng(7)
    count_k = (response_kn > 0).sum(axis=1)
    several = np.flatnonzero((count_k >= 2) & (count_k <= 8))[:most]
    single = np.flatnonzero(count_k == 1)[:most]
    found: dict[str, list[float]] = {"several": [], "single": [], "purity": []}
    for kind, neurons in (("several", several), ("single", single)):
        for neuron in neurons:
            on = np.flatnonzero(response_kn[neuron] > 0)
            off = np.setdiff1d(np.arange(response_kn.shape[1]), on)[:8]
            label_b = np.repeat(np.concatenate([on, off]), copies)
            features_bn = np.zeros((len(label_b), response_kn.shape[1]))
            features_bn[np.arange(len(label_b)), label_b] = rng.uniform(*STRONG, len(label_b))
            activation_bk = layer_inputs(net, inputs.embedded(features_bn))[-1]
            cluster_b = cluster(activation_bk)
            lies = clusters_on_direction(cluster_b, activation_bk[:, neuron], label_b)
            found[kind].append(lies.features)
            if kind == "several":
                on_b = np.isin(label_b, on)
                scalar = projection_clusters(activation_bk[on_b, neuron], label_b[on_b])
                found["purity"].append(scalar.purity)
    means = (np.array(found[name], float) for name in ("several", "single", "purity"))
    return Polysemantic(
        *(float(np.nanmean(v)) if np.isfinite(v).any() else float("nan") for v in means)
    )


def mean_slope_variation(net: Network, x_bm: np.ndarray, pairs: int = 200) -> float:
    """Mean total variation of the derivative between two examples, over their distance."""
    rng = np.random.default_rng(8)
    values = []
    for i, j in rng.integers(len(x_bm), size=(pairs, 2)):
        length = float(np.linalg.norm(x_bm[i] - x_bm[j]))
        if length:
            values.append(slope_variation(net, x_bm[i], x_bm[j]) / length)
    return float(np.mean(values)) if values else float("nan")


def seen_codes(net: Network, x_bm: np.ndarray) -> tuple[int, float]:
    """Different codes of some examples, and the mean number of neurons that are on."""
    code_bk = spline_code(net, x_bm)
    return distinct(code_bk)[0], float(code_bk.sum(axis=1).mean())
