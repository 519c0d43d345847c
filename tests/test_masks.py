"""Masks of sparse weights, by hand and by brute force."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from masked import CHANGING, HYPERPARAMS, counts_of, sparse, tensors
from settings import TINY

from toymono import (
    Config,
    Hyperparams,
    Model,
    advance,
    begin,
    fit,
    fit_many,
    masks,
    pruning,
)
from toymono.fields import TOY_CONFIG
from toymono.masks import Masks

# Choosing the largest.


@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.0, -1.0]), min_size=1, max_size=12),
    st.integers(0, 12),
    st.booleans(),
)
def test_the_largest_are_exactly_as_many(values, count, at_random):
    count = min(count, len(values))
    key = jax.random.key(count) if at_random else None
    score = jnp.array(values)
    mask = np.asarray(masks.largest(score, count, key))
    assert mask.sum() == count
    if 0 < count < len(values):
        assert score[mask].min() >= score[~mask].max()
    if not at_random:
        expected = np.argsort(-np.array(values), kind="stable")[:count]
        assert set(np.flatnonzero(mask)) == set(expected.tolist())


def test_equal_scores_are_chosen_alike():
    """Each of 6 equal scores is among 2 with probability 1/3, one that is larger always."""
    score = jnp.array([[1.0, 5.0, 1.0], [1.0, 1.0, 1.0]])
    draws = 3000
    keys = jax.random.split(jax.random.key(0), draws)
    share = np.asarray(jax.vmap(lambda key: masks.largest(score, 2, key))(keys).mean(0)).ravel()
    assert share[1] == 1
    equal = np.delete(share, 1)
    np.testing.assert_allclose(equal, 0.2, atol=4 * (0.2 * 0.8 / draws) ** 0.5)


@pytest.mark.parametrize(
    ("share", "count", "expected"),
    [(0.2, 10, 2), (0.2, 8, 1), (0.4, 5, 2), (0.34, 3, 1), (1 / 3, 3, 1), (0.0, 5, 0), (1.0, 5, 5)]
    + [(0.53, 100, 53), (0.65, 180, 117)]  # float32 products of these are below whole numbers
    + [(0.7, 10 * 2**power, 7 * 2**power) for power in range(18)],
)
def test_a_share_is_rounded_down_but_for_its_own_rounding(share, count, expected):
    assert masks.part(jnp.float32(share), count) == expected


# How many weights are in use.

SHAPES = ((32, 512), (512, 256))


@pytest.mark.parametrize(
    ("rule", "density", "expected"),
    [
        ("uniform", 0.5, (8192, 65536)),
        ("uniform", 0.3, (4915, 39322)),
        ("input", 0.5, (8192, 131072)),
        ("output", 0.1, (16384, 13107)),
        ("erk", 0.5, (16384, 57344)),
        ("erk", 0.25, (15284, 21580)),
        ("erk", 0.125, (7642, 10790)),
        ("erk", 1.0, (16384, 131072)),
    ],
)
def test_counts_by_hand(rule, density, expected):
    """The densities of the spec: .933 and .165 at .25, .466 and .082 at .125."""
    found = [count.item() for count in masks.counts(rule, density, SHAPES)]
    assert found == pytest.approx(expected, abs=3 if rule == "erk" and density < 0.5 else 0)
    if rule == "erk":
        assert sum(found) == round(density * (16384 + 131072))
        shares = [count / size for count, size in zip(found, (16384, 131072), strict=True)]
        spec = {0.5: (1, 0.4375), 0.25: (0.933, 0.165), 0.125: (0.466, 0.082), 1.0: (1, 1)}
        assert shares == pytest.approx(spec[density], abs=6e-4)


def test_erk_caps_either_tensor():
    wide_input, wide_output = ((512, 8), (8, 2)), ((2, 8), (8, 512))
    for shapes, capped in ((wide_input, 1), (wide_output, 0)):
        sizes = [np.prod(shape) for shape in shapes]
        found = [count.item() for count in masks.counts("erk", 0.9, shapes)]
        assert found[capped] == sizes[capped]
        assert sum(found) == round(0.9 * sum(sizes))


@given(st.floats(2**-10, 1, width=32), st.sampled_from(list(masks.DENSITIES)))
def test_no_tensor_has_more_weights_than_it_holds(density, rule):
    sizes = (16384, 131072)
    found = [count.item() for count in masks.counts(rule, density, SHAPES)]
    assert all(0 <= count <= size for count, size in zip(found, sizes, strict=True))


@pytest.mark.parametrize("density", [0.01, 0.3, 0.5, 1.0])
def test_drawn_masks_have_exact_counts(density):
    config, hyperparams = sparse("erdos_renyi"), HYPERPARAMS.replace(density=density)
    model = begin(TINY, hyperparams, jax.random.key(0))[1].model
    found = [
        masks.drawn(config, hyperparams, model, key) for key in jax.random.split(jax.random.key(1))
    ]
    for drawn in found:
        assert counts_of(drawn) == [round(density * 4 * 24), round(density * 24 * 16)]
    if density < 1:
        assert (found[0].w_ko != found[1].w_ko).any()
    assert masks.drawn(TINY, hyperparams, model, jax.random.key(0)) is None


def test_each_weight_is_drawn_alike():
    config, model = Config(n=4, m=2, k=3, sparsity="erdos_renyi"), Model(*SMALL)
    draws, hyperparams = 2000, Hyperparams(density=0.5)
    keys = jax.random.split(jax.random.key(0), draws)
    drawn = jax.vmap(lambda key: masks.drawn(config, hyperparams, model, key))(keys)
    for mask in tensors(drawn).values():
        np.testing.assert_allclose(mask.mean(0), 0.5, atol=4 * (0.25 / draws) ** 0.5)


SMALL = (jnp.ones((2, 3)), jnp.zeros(3), jnp.ones((3, 4)))


# Dropping and growing.

MASK = jnp.array([True, True, True, False, False])
WEIGHT = jnp.array([3.0, -1.0, 2.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("gradient", "expected"),
    [
        ([9, 0.2, 9, 0.5, 0.1], [1, 0, 1, 1, 0]),
        ([9, 0.2, 9, 0.1, 0.5], [1, 0, 1, 0, 1]),
        ([9, 0.6, 9, 0.5, 0.1], [1, 1, 1, 0, 0]),
    ],
)
@pytest.mark.parametrize("share", [0.34, 1 / 3])
def test_a_step_of_rigl_by_hand(gradient, expected, share):
    found = masks.regrown(MASK, WEIGHT, jnp.array(gradient), share, jax.random.key(0))
    assert found.tolist() == [bool(e) for e in expected]


def test_a_step_of_set_grows_any_of_the_others_alike():
    draws = 3000
    keys = jax.random.split(jax.random.key(0), draws)
    zeros = jnp.zeros(5)
    share = jax.vmap(lambda key: masks.regrown(MASK, WEIGHT, zeros, 0.34, key))(keys).mean(0)
    assert share[0] == share[2] == 1
    np.testing.assert_allclose(share[np.array([1, 3, 4])], 1 / 3, atol=4 * (2 / 9 / draws) ** 0.5)


@given(st.integers(0, 2**16), st.floats(0, 1, width=32))
def test_the_number_in_use_is_conserved(seed, share):
    keys = jax.random.split(jax.random.key(seed), 4)
    mask = jax.random.bernoulli(keys[0], 0.4, (5, 7))
    weight, score = jnp.round(jax.random.normal(keys[1], (2, 5, 7)))  # many are equal
    after = masks.regrown(mask, weight * mask, score, share, keys[2])
    assert after.sum() == mask.sum()
    kept = mask.sum() - masks.part(share, mask.sum())
    assert (mask & after).sum() >= kept


def changed_state(rule, step, hyperparams=HYPERPARAMS):
    """A state with moments, before and after what `masks.changed` does at a step."""
    config = sparse(rule)
    world, state = begin(config, hyperparams, jax.random.key(0))
    state = advance(config, hyperparams, world, state, 20).replace(step=jnp.int32(step))
    grads = jax.tree.map(lambda w: jax.random.normal(jax.random.key(8), w.shape), state.model)
    after, masked = masks.changed(config, hyperparams, state, grads, jax.random.key(9))
    return state, after, grads, masked


@pytest.mark.parametrize("rule", CHANGING)
def test_a_change_keeps_what_stays_and_grows_from_0(rule):
    state, after, grads, masked = changed_state(rule, 64)
    moments = [state.optimizer[0].mu, state.optimizer[0].nu]
    moments_after = [after.optimizer[0].mu, after.optimizer[0].nu]
    for name in ("w_mk", "w_ko"):
        old, new = (tensors(s.masks)[name] for s in (state, after))
        stay, grown = old & new, new & ~old
        assert grown.any()
        assert (old & ~new).sum() == grown.sum() <= int(0.3 * old.sum())
        pairs = zip([state.model, *moments], [after.model, *moments_after], strict=True)
        for before, now in pairs:
            np.testing.assert_array_equal(tensors(now)[name], tensors(before)[name] * stay)
        np.testing.assert_array_equal(tensors(masked)[name], tensors(grads)[name] * new)
    chex.assert_trees_all_equal(masked.b_k, grads.b_k)
    chex.assert_trees_all_equal(moments_after[0].b_k, moments[0].b_k)


def test_rigl_grows_where_the_gradient_is_largest():
    state, after, grads, _ = changed_state("rigl", 128)
    for name in ("w_mk", "w_ko"):
        old, new = (tensors(s.masks)[name] for s in (state, after))
        size, weight = abs(tensors(grads)[name]), abs(tensors(state.model)[name])
        dropped = int(masks.part(0.3, int(old.sum())))
        kept = np.zeros(old.shape, bool)
        kept.ravel()[np.argsort(-np.where(old, weight, -1).ravel())[: old.sum() - dropped]] = True
        grown = np.zeros(old.shape, bool)
        grown.ravel()[np.argsort(-np.where(kept, -1, size).ravel())[:dropped]] = True
        np.testing.assert_array_equal(new, kept | grown)


@pytest.mark.parametrize("step", [0, 1, 63, 65, 192, 193, 255])
def test_masks_change_every_64_steps_in_three_quarters_of_training(step):
    for rule in CHANGING:
        state, after, _, _ = changed_state(rule, step)
        chex.assert_trees_all_equal(after.masks, state.masks)
        chex.assert_trees_all_equal(after.model, state.model)
    state, after, _, _ = changed_state("set", 128)
    assert (after.masks.w_ko != state.masks.w_ko).any()


# Bad input.


def test_bad_input_ends_in_one_line(toy):
    with pytest.raises(ValueError, match=r"^density=0 is not in \(0, 1\]$"):
        fit(sparse("set"), HYPERPARAMS.replace(density=0.0), jax.random.key(0))
    with pytest.raises(ValueError, match=r"^density=1.5 is not in \(0, 1\]$"):
        fit_many(sparse("set"), Hyperparams(density=jnp.array([1.5])), jax.random.key(0)[None])
    with pytest.raises(ValueError, match=r"^sparsity=rigl: model=tied has sparsity=none alone$"):
        Config("identity", n=8, m=4, model="tied", sparsity="rigl")
    with pytest.raises(ValueError, match=r"^sparsity='rigI' is not one of none, erdos_renyi, set"):
        Config(sparsity="rigI")
    with pytest.raises(ValueError, match=r"^children=0 is less than 1$"):
        pruning.expanded(toy()[0], None, 0, jax.random.key(0))
    with pytest.raises(AssertionError):
        pruning.rewound(Masks(jnp.ones((2, 2), bool), jnp.ones((2, 2), bool)), toy()[0])


def test_records_are_those_of_the_fields():
    assert [*masks.RULES] == [*TOY_CONFIG["sparsity"].choices]
    assert [*masks.DENSITIES, "global"] == [*TOY_CONFIG["density_rule"].choices]
