"""The polytope lens on a dense classifier: each experiment on one network and labelled examples."""

from typing import NamedTuple

import chex
import numpy as np
from jaxtyping import Float, Int, Num

from toymono.analysis.polytopes.codes import pair_distances, spline_code
from toymono.analysis.polytopes.grouping import Agreement, agreement, cluster
from toymono.analysis.polytopes.lines import line_breaks, pair_lengths
from toymono.analysis.polytopes.maps import (
    adversarial_steps,
    bit_shares,
    outputs_with_codes,
    steered,
)
from toymono.analysis.polytopes.networks import (
    AnyArray,
    Dense,
    layer_inputs,
    layers_from,
    pre_activations,
)
from toymono.analysis.polytopes.pairs import flow, gap, gap_at_equal_length, mantel

ROUNDS = 199
"""Permutations of labels."""

SCALES = 4.0
"""Rays go from the origin to this multiple of an example."""

_POINTS, _WINDOW = 801, 0.05


class LayerPairs(NamedTuple):
    """Pairs of examples in the input space of one hidden layer."""

    ratio: float
    """Density of codes from the layer to the output, between over within classes."""
    p: float
    """Of the difference, labels permuted over examples."""
    equal_length_gap: float
    """Between minus within at equal distance."""
    own_ratio: float
    """As `ratio`, of the layer's code alone."""
    own_pixel_ratio: float
    """The same over the distance of the images instead of that in the layer's input."""
    convergence: float
    """Pairs far apart in the layer's input that are near in the output."""
    divergence: float


def layer_pairs(
    net: Dense, x_bm: Float[AnyArray, "b m"], label_b: Int[AnyArray, " b"]
) -> list[LayerPairs]:
    """`LayerPairs` of each hidden layer."""
    label_b = np.asarray(label_b)
    inputs, output_by = layer_inputs(net, x_bm), pre_activations(net, x_bm)[-1]
    pixel_bb = pair_lengths(inputs[0])
    found = []
    for layer in range(len(net.hidden)):
        input_bd = inputs[layer]
        length_bb = pair_lengths(input_bd)
        code_bk = spline_code(layers_from(net, layer), input_bd)
        own_bb = pair_distances(code_bk[:, : net.widths[layer]])
        density_bb = _over(pair_distances(code_bk), length_bb)
        moved = flow(input_bd, output_by)
        found.append(
            LayerPairs(
                gap(density_bb, label_b).ratio,
                mantel(density_bb, label_b, ROUNDS),
                gap_at_equal_length(density_bb, length_bb, label_b),
                gap(_over(own_bb, length_bb), label_b).ratio,
                gap(_over(own_bb, pixel_bb), label_b).ratio,
                moved.convergence,
                moved.divergence,
            )
        )
    return found


def _over(value_bb: np.ndarray, length_bb: np.ndarray) -> np.ndarray:
    undefined = np.full(value_bb.shape, np.nan)
    return np.divide(value_bb, length_bb, out=undefined, where=length_bb > 0)


class ClassChanges(NamedTuple):
    """P3: boundary density where the predicted class changes along rays through examples."""

    count: int
    inner_share: float
    """Fraction of the changes that lie between the origin and the example."""
    excess: float
    """Density at a change minus that at the same scale on other rays, over the latter; NaN
    without changes."""
    p: float
    """Of the excess, signs flipped over changes; two-sided."""


def class_changes(net: Dense, x_bm: Float[AnyArray, "b m"], seed: int = 0) -> ClassChanges:
    """Whether class changes lie where boundaries are dense, by the scale of each ray."""
    s = np.linspace(0, SCALES, _POINTS)[1:]
    zero_m = np.zeros(x_bm.shape[1])
    positions, changes = [], []
    for x_m in np.asarray(x_bm, np.float64):
        positions.append(line_breaks(net, zero_m, x_m, 0.0, SCALES).position_p)
        class_s = pre_activations(net, s[:, None] * x_m[None])[-1].argmax(axis=1)
        changes.append((s[1:] + s[:-1])[class_s[1:] != class_s[:-1]] / 2)
    length_r = np.linalg.norm(np.asarray(x_bm, np.float64), axis=1)
    differences, levels = [], []
    for ray, change_c in enumerate(changes):
        for at in change_c:
            near_r = np.array([_near(p, at) for p in positions]) / (2 * _WINDOW * length_r)
            other = np.delete(near_r, ray).mean()
            differences.append(near_r[ray] - other)
            levels.append(other)
    nan = float("nan")
    if not differences:
        return ClassChanges(0, nan, nan, nan)
    difference_c = np.array(differences)
    rng = np.random.default_rng(seed)
    sign_rc = rng.choice([-1.0, 1.0], (999, len(difference_c)))
    flipped_r = abs((sign_rc * difference_c[None]).mean(axis=1))
    p = ((flipped_r >= abs(difference_c.mean()) - 1e-12).sum() + 1) / 1000
    level = float(np.mean(levels))
    inner = float((np.concatenate(changes) < 1).mean())
    excess = float(difference_c.mean()) / level if level else nan
    return ClassChanges(len(difference_c), inner, excess, float(p))


def _near(position_p: np.ndarray, at: float) -> int:
    """Positions within the window around a point."""
    low, high = np.searchsorted(position_p, [at - _WINDOW, at + _WINDOW])
    return int(high - low)


class Interpolation(NamedTuple):
    """Boundaries along segments between two examples, by the fraction t of the way."""

    same_e: Float[np.ndarray, " bins"]
    """Boundaries per unit length in each bin of t, pairs of one class; mean over pairs."""
    different_e: Float[np.ndarray, " bins"]
    """The same of pairs of different classes that are as long and end as far from the origin."""
    pairs: int
    mismatch: float
    """Mean difference of the lengths of two matched pairs, over their mean length."""


def interpolation(
    net: Dense,
    x_bm: Float[AnyArray, "b m"],
    label_b: Int[AnyArray, " b"],
    edge_e: Float[AnyArray, " e"],
    pairs: int = 50,
) -> Interpolation:
    """Where boundaries lie between two examples, of one class and of different ones.

    Segments of different length, or nearer to the origin, cross other numbers of
    boundaries whatever their classes. So from each of the first examples a segment
    goes to one of its class and one to another class, the two whose distances to it
    and lengths differ least.

    Args:
      net: The classifier.
      x_bm: Examples.
      label_b: Their classes.
      edge_e: Increasing edges of the bins of t, in [0, 1].
      pairs: Examples from which segments start, at most.

    Returns:
      NaN if no example has both partners.
    """
    x_bm, label_b = np.asarray(x_bm, np.float64), np.asarray(label_b)
    edge_e = np.asarray(edge_e, np.float64)
    norm_b, length_bb = np.linalg.norm(x_bm, axis=1), pair_lengths(x_bm)
    counts: dict[str, list[np.ndarray]] = {"same": [], "different": []}
    gaps = []
    for start in range(len(x_bm)):
        apart_b = length_bb[start] > 0
        same = np.flatnonzero((label_b == label_b[start]) & apart_b)
        other = np.flatnonzero((label_b != label_b[start]) & apart_b)
        if not len(same) or not len(other):
            continue
        unlike_so = sum(
            abs(value_b[same][:, None] - value_b[other][None])
            for value_b in (length_bb[start], norm_b)
        )
        at_same, at_other = np.unravel_index(np.argmin(unlike_so), (len(same), len(other)))
        ends = {"same": same[at_same], "different": other[at_other]}
        for kind, end in ends.items():
            position_p = line_breaks(net, x_bm[start], x_bm[end] - x_bm[start]).position_p
            widths_e = np.diff(edge_e) * length_bb[start, end]
            counts[kind].append(np.histogram(position_p, edge_e)[0] / widths_e)
        lengths = [length_bb[start, end] for end in ends.values()]
        gaps.append(float(np.ptp(lengths) / np.mean(lengths)))
        if len(gaps) == pairs:
            break
    if not gaps:
        undefined_e = np.full(len(edge_e) - 1, np.nan)
        return Interpolation(undefined_e, undefined_e, 0, float("nan"))
    same_e, different_e = (np.mean(counts[kind], axis=0) for kind in ("same", "different"))
    return Interpolation(same_e, different_e, len(gaps), float(np.mean(gaps)))


def clusters(net: Dense, x_bm: Float[AnyArray, "b m"], label_b: Int[AnyArray, " b"]) -> Agreement:
    """Clusters of the last hidden layer's codes against classes."""
    last = len(net.hidden) - 1
    return agreement(cluster(spline_code(net, x_bm, last, last)), label_b)


class Steps(NamedTuple):
    """Boundaries that steps of one length cross, per unit length."""

    adversarial: float
    random: float


def steps(
    net: Dense, x_bm: Float[AnyArray, "b m"], label_b: Int[AnyArray, " b"], share: float = 0.05
) -> Steps:
    """Boundaries crossed up the gradient of the loss, and in random directions.

    Args:
      net: The classifier.
      x_bm: Examples.
      label_b: Their classes.
      share: Length of a step in units of the examples' mean length.
    """
    x_bm = np.asarray(x_bm, np.float64)
    length = share * float(np.linalg.norm(x_bm, axis=1).mean())
    random_bm = np.random.default_rng(9).normal(size=x_bm.shape)
    random_bm *= length / np.linalg.norm(random_bm, axis=1, keepdims=True)
    moved = adversarial_steps(net, x_bm, label_b, length), x_bm + random_bm
    counts = [
        [
            len(line_breaks(net, x_m, y_m - x_m).position_p) / length
            for x_m, y_m in zip(x_bm, y_bm, strict=True)
            if np.isfinite(y_m).all()
        ]
        for y_bm in moved
    ]
    return Steps(*(float(np.mean(c)) if c else float("nan") for c in counts))


class Steering(NamedTuple):
    """Fraction of examples whose output becomes that of the class steered to."""

    steered: float
    random: float
    """With the same number of bits flipped at random."""


def steering(
    net: Dense, x_bm: Float[AnyArray, "b m"], label_b: Int[AnyArray, " b"], share: float = 0.2
) -> Steering:
    """Flips a share of the bits of each example toward the mask of the next class."""
    label_b = np.asarray(label_b)
    code_bk = spline_code(net, x_bm)
    bits = max(1, round(share * code_bk.shape[1]))
    classes = np.unique(label_b)
    mask = {label: bit_shares(code_bk[label_b == label]) for label in classes}
    following = dict(zip(classes, np.roll(classes, -1), strict=True))
    rng = np.random.default_rng(10)
    hits = {"steered": 0, "random": 0}
    for label in classes:
        of_class, target = label_b == label, following[label]
        code_ck = code_bk[of_class]
        flipped_ck = code_ck.copy()
        for code_k in flipped_ck:
            at = rng.permutation(len(code_k))[:bits]
            code_k[at] = 1 - code_k[at]
        toward_ck = steered(code_ck, mask[label], mask[target], bits)
        for name, codes in (("steered", toward_ck), ("random", flipped_ck)):
            output_cy = outputs_with_codes(net, np.asarray(x_bm)[of_class], codes)
            hits[name] += int((output_cy.argmax(axis=1) == target).sum())
    return Steering(hits["steered"] / len(label_b), hits["random"] / len(label_b))


def changed_bits(code_bk: Num[AnyArray, "b k"], other_bk: Num[AnyArray, "b k"]) -> float:
    """Fraction of bits that differ between two codes of the same examples.

    0 between an image and a multiple of it: then polytopes are cones.
    """
    chex.assert_rank([code_bk, other_bk], 2)
    return float((np.asarray(code_bk) != np.asarray(other_bk)).mean())
