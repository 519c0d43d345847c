"""Lines between models: hand examples of barriers, censuses, and matched neurons."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toymono import Model, World
from toymono.analysis import connectivity


def identity(n: int, shift: int = 0) -> Model:
    """A decoder of n features, one neuron each, in another order."""
    eye = jnp.roll(jnp.eye(n), shift, axis=1)
    return Model(eye, jnp.zeros(n), eye.T)


def plain_world(n: int) -> World:
    return World(embed_nm=jnp.eye(n), reproject_nm=None, task="decoder")


def test_two_identities_in_another_order():
    """At t the loss on one feature is 6 (t (1 - t))^2."""
    world, one_hot = plain_world(5), jnp.eye(5)
    model, other = identity(5), identity(5, 1)
    line = connectivity.path(model, other, world, one_hot)
    t = np.linspace(0, 1, 25)
    assert line.loss_p == pytest.approx(6 * (t * (1 - t)) ** 2, abs=1e-6)
    assert connectivity.barrier(model, other, world, one_hot) == pytest.approx(0.375)
    assert float(line.excess) == pytest.approx(0.375)
    put_back = connectivity.aligned(model, other)[1]
    assert connectivity.barrier(model, put_back, world, one_hot) == 0
    assert line.mono_p[0] == line.mono_p[-1] == 5
    assert line.mono_p[12] == 0


def one_neuron(into: float, out: float) -> Model:
    return Model(jnp.full((1, 1), into), jnp.zeros(1), jnp.full((1, 1), out))


def test_a_factor_alone_makes_a_barrier():
    world, always = plain_world(1), jnp.ones((1, 1))
    line = connectivity.path(one_neuron(1.0, 1.0), one_neuron(4.0, 0.25), world, always, points=3)
    assert line.loss_p == pytest.approx([0, 0.31640625, 0])
    model, other = connectivity.aligned(one_neuron(1.0, 1.0), one_neuron(4.0, 0.25), "scaled")
    assert connectivity.barrier(model, other, world, always) == pytest.approx(0, abs=1e-10)
    model, other = connectivity.aligned(one_neuron(1.0, 1.0), one_neuron(4.0, 0.25), "balanced")
    assert connectivity.barrier(model, other, world, always) == pytest.approx(0, abs=1e-10)


def test_a_valley_has_neither_barrier_nor_excess():
    line = connectivity.path(
        one_neuron(1.0, 2.0), one_neuron(1.0, 0.0), plain_world(1), jnp.ones((1, 1)), points=5
    )
    assert line.loss_p == pytest.approx([1, 0.25, 0, 0.25, 1])
    assert (line.barrier, line.excess) == (0, 0)


def test_where_the_ends_differ_the_excess_is_smaller_than_the_barrier():
    line = connectivity.Path(
        jnp.array([0, 0.5, 1]), jnp.array([0.0, 0.8, 1.0]), *[jnp.zeros(3)] * 3
    )
    assert float(line.barrier) == pytest.approx(0.3)
    assert float(line.excess) == 0


def test_a_barrier_is_the_same_from_both_sides():
    model = identity(5).replace(b_k=jnp.array([-2.0, 0, 0, 0, 0]))  # a dead neuron
    other = identity(5, 1).replace(b_k=jnp.array([0.1, 0, 0, 0, 0]))  # and a polysemantic one
    features_bn = jax.random.uniform(jax.random.key(1), (64, 5))
    there, back = (
        connectivity.path(*pair, plain_world(5), features_bn)
        for pair in ((model, other), (other, model))
    )
    assert there.loss_p == pytest.approx(np.asarray(back.loss_p[::-1]), rel=1e-5)
    assert there.barrier == pytest.approx(float(back.barrier), rel=1e-5)
    assert float(there.barrier) > 0.1
    for end, mono, dead, positive in ((0, 4, 1, 0), (-1, 4, 0, 1)):
        assert (there.mono_p[end], there.dead_p[end], there.positive_p[end]) == (
            mono, dead, positive,
        )  # fmt: skip


def test_matched_neurons():
    world = plain_world(4)
    model = identity(4)
    model = model.replace(b_k=jnp.array([0.0, 0.0, 0.0, 0.5]))  # the last responds to everything
    other = model.replace(w_mk=model.w_mk[:, jnp.array([1, 0, 2, 3])])
    found = connectivity.matched(model, other, world)
    assert found.both_mono_k.tolist() == [True, True, True, False]
    assert found.same_feature_k.tolist() == [False, False, True, False]
    assert found.both_positive_k.tolist() == [False, False, False, True]
    assert found.cosine_k[3] == pytest.approx(1)
    same = connectivity.matched(model, model, world)
    assert same.same_feature_k.tolist() == [True, True, True, False]
    assert same.cosine_k == pytest.approx(1)
    empty = jax.tree.map(jnp.zeros_like, model)
    assert (connectivity.matched(model, empty, world).cosine_k == 0).all()


def test_basins_are_joined_through_others():
    barrier_rr = np.array(
        [[0, 0.1, 0.9, np.nan], [0.1, 0, 0.2, 0.9], [0.9, 0.2, 0, 0.9], [np.nan, 0.9, 0.9, 0]]
    )
    assert connectivity.basins(barrier_rr, 0.2).tolist() == [0, 0, 0, 1]
    assert len(set(connectivity.basins(barrier_rr, 0.05))) == 4


def test_models_of_other_sizes_have_no_line():
    with pytest.raises(ValueError, match="differ in size"):
        connectivity.path(identity(4), identity(5), plain_world(4), jnp.eye(4))
    with pytest.raises(ValueError, match=r"^points=2: a path has two ends"):
        connectivity.path(identity(4), identity(4), plain_world(4), jnp.eye(4), points=2)
