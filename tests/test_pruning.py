"""Pruning by magnitude: masks by hand and by brute force, tickets, expanded models."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from masked import counts_of, tensors

from toymono import Model, masks, pruning


def flat(values, others=(1.0,)):
    """A model of one neuron with these input weights."""
    return Model(jnp.array(values)[:, None], jnp.zeros(1), jnp.array([others]))


def test_pruning_by_hand():
    model = flat([0.1, -0.2, 0.3, -0.4, 0.5])
    assert pruning.prune(model, None, 0.4).w_mk[:, 0].tolist() == [False, False, True, True, True]
    ten = flat(np.arange(1.0, 11))
    once = pruning.prune(ten, None, 0.2)
    twice = pruning.prune(ten, once, 0.2)
    assert (once.w_mk.sum(), twice.w_mk.sum()) == (8, 7)  # 6.4 would be left: the part is 1.6
    assert twice.w_mk[:, 0].tolist() == [False] * 3 + [True] * 7


def test_pruning_counts_exactly_where_weights_are_equal():
    model = Model(jnp.ones((4, 5)), jnp.zeros(5), -jnp.ones((5, 6)))
    assert counts_of(pruning.prune(model, None, 0.25)) == [15, 23]
    assert sum(counts_of(pruning.kept(model, None, "global", 0.75))) == 38
    assert counts_of(pruning.prune(model, None, 1.0)) == [0, 0]


def test_pruning_again_and_again_is_brute_force(toy):
    model, _ = toy()
    weights, left = tensors(model), masks.whole(model)
    used = {name: np.ones(w.shape, bool) for name, w in weights.items()}
    for _ in range(4):
        left = pruning.prune(model, left, 0.3)
        for name, mask in tensors(left).items():
            sizes = abs(weights[name][used[name]])
            used[name] &= abs(weights[name]) >= np.sort(sizes)[int(0.3 * len(sizes))]
            np.testing.assert_array_equal(mask, used[name])


def test_an_unused_weight_is_never_taken_back(toy):
    """Though it is larger than others: parents' weights outside masks may be anything."""
    model, _ = toy()
    first = pruning.shuffled(pruning.prune(model, None, 0.5), jax.random.key(0))
    for second in (pruning.prune(model, first, 0.5), pruning.kept(model, first, "global", 0.2)):
        for mask, before in zip(*(tensors(m).values() for m in (second, first)), strict=True):
            assert (before | ~mask).all()


def test_rewound_weights_are_the_early_ones_inside_the_masks(toy):
    model, _ = toy()
    early = model.replace(w_mk=model.w_mk + 1, w_ko=-model.w_ko)
    chosen = pruning.kept(model, None, "global", 0.8)
    ticket = pruning.rewound(chosen, early)
    for name, weight in tensors(ticket).items():
        mask = tensors(chosen)[name]
        np.testing.assert_array_equal(weight[mask], tensors(early)[name][mask])
        assert not weight[~mask].any()
    chex.assert_trees_all_equal(ticket.b_k, early.b_k)
    control = pruning.shuffled(chosen, jax.random.key(0))
    assert counts_of(control) == counts_of(chosen)
    assert (control.w_ko != chosen.w_ko).any()


def test_kept_weights_are_the_largest_of_both_tensors_or_of_each(toy):
    model, _ = toy()
    sizes = np.concatenate([abs(w).ravel() for w in tensors(model).values()])
    for density in (0.1, 0.262, 0.5):
        chosen = pruning.kept(model, None, "global", density)
        count = round(density * sizes.size)
        assert sum(counts_of(chosen)) == count
        least = np.sort(sizes)[-count]
        for name, mask in tensors(chosen).items():
            np.testing.assert_array_equal(mask, abs(tensors(model)[name]) >= least)
        chosen = pruning.kept(model, None, "erk", density)
        shapes = (model.w_mk.shape, model.w_ko.shape)
        assert counts_of(chosen) == [int(c) for c in masks.counts("erk", density, shapes)]
    # No more than were in use, and of those in use alone.
    few = pruning.kept(model, None, "global", 0.2)
    chex.assert_trees_all_equal(pruning.kept(model, few, "global", 0.9), few)


def test_permuted_masks_are_those_of_the_permuted_model(toy):
    from toymono.alignment import permute

    model, _ = toy()
    order_k = jax.random.permutation(jax.random.key(3), 10)
    chex.assert_trees_all_equal(
        pruning.permuted(pruning.prune(model, None, 0.4), order_k),
        pruning.prune(permute(model, order_k), None, 0.4),
    )


def test_an_expanded_model_has_as_many_weights(toy):
    model, _ = toy()
    for parent in (None, pruning.prune(model, None, 0.25)):
        wide, parts = pruning.expanded(model, parent, 3, jax.random.key(0))
        used = masks.whole(model) if parent is None else parent
        assert counts_of(parts) == counts_of(used)
        assert wide.w_mk.shape == (4, 30)
        # Each input weight is one child's.
        for whole, split in ((used.w_mk, parts.w_mk), (model.w_mk * used.w_mk, wide.w_mk)):
            split = np.asarray(split).reshape(4, 3, 10)
            assert ((split != 0).sum(1) <= 1).all()
            np.testing.assert_array_equal(split.sum(1), whole)
        np.testing.assert_allclose(3 * wide.b_k.reshape(3, 10), jnp.stack([model.b_k] * 3))
        size = abs(jnp.tile(model.w_ko, (3, 1)))
        out = jnp.tile(used.w_ko, (3, 1))
        assert size[parts.w_ko].min() >= size[out & ~parts.w_ko].max()
    same, every = pruning.expanded(model, None, 1, jax.random.key(0))
    chex.assert_trees_all_equal((same, every), (model, masks.whole(model)))
