"""Pairs, clusters and directions of codes: planted groups."""

import itertools
import math

import numpy as np
import planted
import pytest

from toymono.analysis import polytopes

RNG = np.random.default_rng(0)


def blobs(classes=3, size=12, spread=0.1):
    rng = np.random.default_rng(1)
    center_cd = rng.normal(size=(classes, 4))
    label_b = np.repeat(np.arange(classes), size)
    return center_cd[label_b] + spread * rng.normal(size=(len(label_b), 4)), label_b


def test_gaps_are_means_over_pairs():
    value_bb = RNG.random((8, 8))
    value_bb = value_bb + value_bb.T
    value_bb[0, 4] = value_bb[4, 0] = np.nan
    label_b = np.array([0, 0, 0, 1, 1, 2, 2, 3])
    pairs = [(i, j) for i, j in itertools.combinations(range(8), 2) if (i, j) != (0, 4)]
    same = [value_bb[i, j] for i, j in pairs if label_b[i] == label_b[j]]
    other = [value_bb[i, j] for i, j in pairs if label_b[i] != label_b[j]]
    found = polytopes.gap(value_bb, label_b)
    assert (found.within, found.between) == pytest.approx((np.mean(same), np.mean(other)))
    assert found.ratio == pytest.approx(np.mean(other) / np.mean(same))
    assert math.isnan(polytopes.gap(value_bb, np.arange(8)).within)
    assert math.isnan(polytopes.mantel(value_bb, np.arange(8)))
    for refused in (polytopes.gap, polytopes.mantel):
        with pytest.raises(ValueError, match="one class"):
            refused(value_bb, np.zeros(8, int))


def test_planted_classes_have_the_least_p():
    x_bd, label_b = blobs()
    assert polytopes.mantel(polytopes.pair_lengths(x_bd), label_b, rounds=39) == 1 / 40


def test_exchangeable_labels_have_a_uniform_p():
    x_bd, label_b = blobs(spread=1.0)
    rng = np.random.default_rng(2)
    length_bb = polytopes.pair_lengths(x_bd)
    p = [polytopes.mantel(length_bb, rng.permutation(label_b), 19, seed) for seed in range(200)]
    # The p are uniform on 1/20 … 1: mean 0.525, standard deviation 0.288.
    assert np.mean(p) == pytest.approx(0.525, abs=4 * 0.288 / math.sqrt(200))
    assert np.mean(np.array(p) <= 0.1) == pytest.approx(0.1, abs=4 * 0.3 / math.sqrt(200))


def test_a_gap_that_is_due_to_length_alone_vanishes_at_equal_length():
    x_bd, label_b = blobs(spread=0.7)
    length_bb = polytopes.pair_lengths(x_bd)
    whole = polytopes.gap(length_bb, label_b).difference
    assert whole > 0.3
    assert abs(polytopes.gap_at_equal_length(length_bb, length_bb, label_b)) < 0.2 * whole
    marked_bb = length_bb + (label_b[:, None] != label_b[None])
    assert polytopes.gap_at_equal_length(marked_bb, length_bb, label_b) > 0.8


def test_flow():
    before_bd, _ = blobs()
    assert polytopes.flow(before_bd, 3 * before_bd) == (0, 0)
    # Of four points A to D on a line, AD is among the two farthest pairs before and the two
    # nearest after; AB the reverse.
    before_b1, after_b1 = np.array([[0, 1, 10, 12.0]]).T, np.array([[0, 7, 3, 0.1]]).T
    assert polytopes.flow(before_b1, after_b1, 1 / 3) == (1 / 6, 1 / 6)
    random = polytopes.flow(RNG.normal(size=(60, 3)), RNG.normal(size=(60, 3)))
    assert np.allclose(random, 1 / 16, atol=0.03)
    with pytest.raises(ValueError, match="share"):
        polytopes.flow(before_bd, before_bd, 0.7)


def test_clusters_of_codes_follow_planted_features():
    """One neuron per feature: the code of a strong feature is its own bit."""
    net = planted.monosemantic()
    label_b = np.repeat(np.arange(6), 8)
    x_bm = np.linspace(0.5, 1, 48)[:, None] * np.asarray(net.world.embed_nm)[label_b]
    code_bk = polytopes.spline_code(net.model, x_bm)
    assert polytopes.distinct(code_bk)[0] == 6
    found = polytopes.agreement(polytopes.cluster(code_bk), label_b)
    assert found == (pytest.approx(1), 0, 6, 0)
    # A feature that is missing from the clusters: a sixth is noise, all of it that feature's.
    missing = polytopes.agreement(np.where(label_b == 2, polytopes.NOISE, label_b), label_b)
    assert missing[1:] == (pytest.approx(1 / 6), 5, 1)
    # Below the threshold of 1/4 all codes are the empty one: noise, by our convention.
    empty = polytopes.cluster(polytopes.spline_code(net.model, 0.3 * x_bm[:8]))
    assert set(empty) == {polytopes.NOISE}


def test_a_neuron_of_many_features_lies_on_many_clusters():
    label_b = np.repeat(np.arange(4), 8)
    cluster_b = np.where(np.arange(32) % 8 == 0, polytopes.NOISE, label_b)
    on_two = polytopes.clusters_on_direction(cluster_b, (label_b < 2).astype(float), label_b)
    assert on_two == (2, 2, 1.0)
    mixed = polytopes.clusters_on_direction(cluster_b // 2, np.ones(32), label_b)
    assert (mixed.clusters, mixed.purity) == (2, 0.5)
    none = polytopes.clusters_on_direction(cluster_b, np.zeros(32), label_b)
    assert none[:2] == (0, 0)
    assert math.isnan(none.purity)


def test_scalar_projections():
    rng = np.random.default_rng(0)
    label_b = np.repeat([0, 1, 2], 20)
    apart = polytopes.projection_clusters(label_b + 0.01 * rng.normal(size=60), label_b)
    assert (apart.clusters, apart.purity) == (3, 1.0)
    merged = polytopes.projection_clusters(
        np.minimum(label_b, 1) + 0.01 * rng.normal(size=60), label_b
    )
    assert merged.purity < 0.75
    equal = polytopes.projection_clusters(np.ones(60), label_b)
    assert equal.clusters == 0
    assert math.isnan(equal.purity)


def test_nonnegative_directions_find_planted_ones():
    rng = np.random.default_rng(3)
    response_dn = np.kron(np.eye(4), np.ones((3, 1)))  # three neurons for each of four features
    weight_bn = rng.random((200, 4)) * (rng.random((200, 4)) < 0.4)
    found = polytopes.nonnegative_directions(weight_bn @ response_dn.T, 4)
    matched = polytopes.match(found.component_cd, response_dn)
    assert matched.cosine_c.min() > 0.97
    assert matched.distinct == 4
    np.testing.assert_allclose(
        found.weight_bc @ found.component_cd, weight_bn @ response_dn.T, atol=0.05
    )
    assert polytopes.match(np.zeros((1, 12)), response_dn).distinct == 0


def test_bad_input_of_clusters():
    with pytest.raises(ValueError, match="not negative"):
        polytopes.nonnegative_directions(-np.ones((5, 3)), 2)
    with pytest.raises(ValueError, match="at least 5"):
        polytopes.cluster(np.ones((3, 2)))
    with pytest.raises(ValueError, match="one label"):
        polytopes.agreement(np.zeros(5, int), np.zeros(5, int))
