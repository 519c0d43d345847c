"""The overlap of masks: by hand, against chance, and after neurons are matched."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toymono import Model, masks, pruning
from toymono.alignment import permute
from toymono.analysis import overlap
from toymono.masks import Masks


def test_jaccard_by_hand():
    mask, other = jnp.array([[1, 1, 0], [1, 0, 0]], bool), jnp.array([[1, 0, 0], [1, 1, 1]], bool)
    assert overlap.jaccard(mask, other) == 2 / 5
    assert overlap.jaccard(mask, mask) == 1
    assert overlap.jaccard(mask, ~mask) == 0
    assert overlap.jaccard(0 * mask > 0, 0 * mask > 0) == 1


def test_chance_by_hand():
    assert overlap.chance(0.1, 0.1) == pytest.approx(0.1 * 0.1 / 0.19)
    assert overlap.chance(0.5, 0.25) == pytest.approx(0.125 / 0.625)
    assert overlap.chance(1.0, 0.3) == pytest.approx(0.3)
    assert overlap.chance(0.0, 0.0) == 0


def gaussian(seed, m, k, o):
    keys = jax.random.split(jax.random.key(seed))
    into, out = jax.random.normal(keys[0], (m, k)), jax.random.normal(keys[1], (k, o))
    return Model(into, jnp.zeros(k), out)


def test_independent_masks_overlap_by_chance():
    full = masks.whole(gaussian(0, 200, 50, 300))
    thin = pruning.prune(gaussian(0, 200, 50, 300), None, 0.9)
    one, two = (pruning.shuffled(thin, jax.random.key(seed)) for seed in (1, 2))
    for name in ("w_mk", "w_ko"):
        found = overlap.jaccard(getattr(one, name), getattr(two, name))
        size = getattr(full, name).size
        # The standard deviation of the intersection, over the union.
        assert found == pytest.approx(0.0526, abs=4 * (0.01 * size) ** 0.5 / (0.19 * size))


def test_a_permuted_model_overlaps_fully_after_alignment():
    model = gaussian(0, 8, 30, 40)
    order_k = jax.random.permutation(jax.random.key(1), 30)
    for found in overlap.of_largest(model, permute(model, order_k), 0.1).values():
        assert found.aligned == 1
        assert found.raw < 0.3
        assert found.chance == pytest.approx(0.0526, abs=2e-3)


def test_a_planted_mask_is_recovered_by_magnitude():
    """Both models are one sparse model with noise, in different orders."""
    model = gaussian(0, 8, 30, 40)
    planted = pruning.shuffled(pruning.prune(model, None, 0.8), jax.random.key(1))
    noise, other_noise = (gaussian(seed, 8, 30, 40) for seed in (2, 3))
    truth = masks.applied(planted, jax.tree.map(lambda w: w + 2 * jnp.sign(w), model))
    one, two = (
        jax.tree.map(lambda w, e: w + 0.1 * e, truth, each) for each in (noise, other_noise)
    )
    share = 0.2
    chex.assert_trees_all_equal(pruning.prune(one, None, 1 - share), planted)
    order_k = jax.random.permutation(jax.random.key(4), 30)
    for found in overlap.of_largest(one, permute(two, order_k), share).values():
        assert found.aligned == 1
        assert found.raw < 0.3


def test_alignment_alone_raises_the_overlap():
    """The spec's null: .0513 raw and .0616 aligned for n = 256, m = 32, k = 512."""
    full = masks.whole(gaussian(0, 32, 512, 256))
    tenth = Masks(jnp.zeros_like(full.w_mk), jnp.zeros_like(full.w_ko))
    tenth = tenth.replace(
        w_mk=masks.largest(jnp.zeros(full.w_mk.shape), 1638),
        w_ko=masks.largest(jnp.zeros(full.w_ko.shape), 13107),
    )
    of_size = overlap.null(tenth, tenth, jax.random.key(0), by_magnitude=True)["w_ko"]
    assert of_size.raw == pytest.approx(0.0526, abs=0.002)
    assert of_size.aligned == pytest.approx(0.0616, abs=0.002)
    # Matched by weights that carry the masks, random masks overlap more still.
    random = overlap.null(tenth, tenth, jax.random.key(0))["w_ko"]
    assert random.raw == pytest.approx(0.0526, abs=0.002)
    assert random.aligned > of_size.raw + 0.005
    assert random.chance == pytest.approx(0.0526, abs=1e-4)


def test_masks_are_compared_in_the_order_of_the_given_weights():
    """A dense twin can say which neurons belong together."""
    model = gaussian(0, 8, 20, 10)
    order_k = jax.random.permutation(jax.random.key(1), 20)
    thin = pruning.shuffled(pruning.prune(model, None, 0.5), jax.random.key(2))
    found = overlap.overlap(thin, pruning.permuted(thin, order_k), model, permute(model, order_k))
    assert [of.aligned for of in found.values()] == [1, 1]
    back = overlap.overlap(thin, pruning.permuted(thin, order_k), model, model)
    np.testing.assert_array_less([of.aligned for of in back.values()], 1)
