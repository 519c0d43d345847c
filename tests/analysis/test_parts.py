"""Parts of a model: by hand, on planted networks, against brute force."""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import LADDER
from settings import EMBEDDED

from toymono import features
from toymono.analysis import kinks, parts
from toymono.config import Config, Hyperparams
from toymono.features import World
from toymono.models import NONLINEARITIES, Model
from toymono.tasks import TASKS

KEY = jax.random.key(7)
N, M, K = 12, 4, 10  # of the fixture `toy`
COMBINATIONS = list(itertools.product(EMBEDDED, NONLINEARITIES))


def signed_features(task, key=KEY):
    low = -1.0 if TASKS[task].signed else 0.0
    return jax.random.uniform(key, (5, N), minval=low)


@pytest.mark.parametrize(("task", "nonlinearity"), COMBINATIONS)
def test_the_parts_sum_to_the_whole(task, nonlinearity, toy):
    net, toys = toy(task, nonlinearity)
    x_bm = toys.inputs(signed_features(task))
    for mono_k in (None, parts.by_score(net, toys, 0.5), jnp.arange(K) % 3 == 0):
        mono, poly = parts.split(net, mono_k)
        chex.assert_trees_all_close(mono(x_bm) + poly(x_bm), net(x_bm), atol=1e-6)
        mono_k = net.b_k <= 0 if mono_k is None else mono_k
        assert not mono.neurons(x_bm)[:, ~mono_k].any()
        assert not poly.neurons(x_bm)[:, mono_k].any()
        chex.assert_trees_all_close(
            mono.neurons(x_bm) + poly.neurons(x_bm), net.neurons(x_bm), atol=1e-6
        )


def test_the_sign_of_the_bias_or_the_score_divides_the_neurons():
    embed_nm = jnp.eye(2)
    net = Model(
        w_mk=jnp.array([[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]]),
        b_k=jnp.array([-0.5, 0.0, -0.5, 0.5]),
        w_ko=jnp.ones((4, 2)),
    )
    assert parts.by_bias(net).tolist() == [True, True, True, False]
    assert parts.by_score(net, World(embed_nm)).tolist() == [True, True, False, False]


@pytest.mark.parametrize("task", EMBEDDED)
def test_readouts_find_a_single_features_amplitude_in_the_target(task, toy):
    _, toys = toy(task)
    read_no = parts.readouts(toys)
    read_nn = toys.targets(-0.7 * jnp.eye(N)) @ read_no.T
    sign = 1 if task == "abs" else -1  # the target of `abs` is the absolute value
    chex.assert_trees_all_close(jnp.diagonal(read_nn), jnp.full(N, sign * 0.7), atol=1e-6)


@pytest.mark.parametrize(("task", "nonlinearity"), COMBINATIONS)
def test_along_a_feature_returns_the_outputs_of_the_models(task, nonlinearity, toy):
    net, toys = toy(task, nonlinearity)
    others_n = signed_features(task)[0]
    amplitude_b = jnp.linspace(-1 if task == "abs" else 0, 1, 5)
    profile = parts.along(net, toys, 2, amplitude_b, others_n)
    for b, amplitude in enumerate(amplitude_b):
        features_n = others_n.at[2].set(amplitude)
        x_m = toys.inputs(features_n)
        chex.assert_trees_all_close(profile.full_bo[b], net(x_m), atol=1e-6)
        chex.assert_trees_all_close(profile.target_bo[b], toys.targets(features_n), atol=1e-6)
        chex.assert_trees_all_close(profile.poly_bo[b], parts.split(net).poly(x_m), atol=1e-6)
    chex.assert_trees_all_close(profile.mono_bo + profile.poly_bo, profile.full_bo, atol=1e-6)
    alone = parts.along(net, toys, 2, amplitude_b)
    chex.assert_trees_all_close(
        alone.full_bo, net(amplitude_b[:, None] * toys.embed_nm[2][None]), atol=1e-6
    )


def test_features_are_numbered_from_0(toy):
    net, toys = toy()
    for feature in (-1, N):
        with pytest.raises(ValueError, match=rf"feature={feature} is not in \[0, 12\)"):
            parts.along(net, toys, feature, jnp.ones(1))


@pytest.mark.parametrize(("task", "nonlinearity"), COMBINATIONS)
def test_linearisation_is_the_derivative_at_the_origin(task, nonlinearity, toy):
    net, toys = toy(task, nonlinearity)
    poly = parts.split(net).poly
    linear = parts.linearise(poly, toys)
    jacobian_on = jax.jacobian(lambda f_n: poly(toys.inputs(f_n)))(jnp.zeros(N))
    chex.assert_trees_all_close(linear.map_on, jacobian_on, atol=1e-6)
    chex.assert_trees_all_close(linear.offset_o, poly(jnp.zeros(M)), atol=1e-6)
    own_n = jax.vmap(lambda j: parts.readouts(toys)[j] @ jacobian_on[:, j])(jnp.arange(N))
    chex.assert_trees_all_close(linear.slope_n, own_n, atol=1e-6)
    values = np.linalg.svd(np.asarray(jacobian_on), compute_uv=False)
    chex.assert_trees_all_close(linear.singular_m, values[:M], atol=1e-5)
    assert (values[M:] < 1e-5).all()


@pytest.mark.parametrize("task", EMBEDDED)
def test_far_from_its_kinks_the_poly_part_is_its_linearisation(task, toy):
    net, toys = toy(task, bias=20.0)
    net = net.replace(b_k=net.b_k.at[0].set(-20.0))
    poly = parts.split(net).poly
    features_bn = signed_features(task)
    linear = parts.linearise(poly, toys)
    weights_nk = np.asarray(toys.embed_nm) @ np.asarray(net.w_mk)
    chex.assert_trees_all_close(
        linear.map_on, (weights_nk[:, 1:] @ np.asarray(net.w_ko)[1:]).T, atol=1e-5
    )
    jacobian_bon = jax.vmap(jax.jacobian(lambda f_n: poly(toys.inputs(f_n))))(features_bn)
    chex.assert_trees_all_close(jacobian_bon, jnp.tile(linear.map_on, (5, 1, 1)), atol=1e-5)
    assert parts.linearisation_error(poly, toys, features_bn) < 1e-6
    # As no other neuron is active at the origin, the whole model has the same linearisation.
    chex.assert_trees_all_close(parts.linearise(net, toys), linear, atol=1e-5)


@pytest.mark.parametrize("task", EMBEDDED)
def test_linearisation_error_by_brute_force(task, toy):
    net, toys = toy(task)
    poly = parts.split(net).poly
    config = Config(task=task, n=N, m=M, k=K, batch_size=32)
    features_bn = features.sample(config, Hyperparams(eps=0.5), KEY)
    on = np.asarray(net.b_k) > 0
    bias_k = np.asarray(net.b_k)[on][None]
    before_bk = np.asarray(features_bn @ toys.embed_nm @ net.w_mk)[:, on] + bias_k
    w_ko = np.asarray(net.w_ko)[on]
    lost_bo = (np.maximum(before_bk, 0) - before_bk) @ w_ko
    wanted = np.linalg.norm(lost_bo) / np.linalg.norm(np.maximum(before_bk, 0) @ w_ko)
    error = parts.linearisation_error(poly, toys, features_bn)
    assert wanted > 0.01
    assert error == pytest.approx(wanted, rel=1e-4)
    silent = parts.split(net, jnp.ones(K, bool)).poly
    assert parts.linearisation_error(silent, toys, features_bn) == 0


@given(st.lists(st.floats(0, 8, width=32, allow_subnormal=False), min_size=4, max_size=4))
def test_effective_rank_lies_between_one_and_the_rank(values):
    singular_m = jnp.array(values, jnp.float32)
    rank = parts.effective_rank(singular_m)
    if max(values) == 0:
        assert rank == 0
    else:
        assert 1 - 1e-4 <= rank <= np.count_nonzero(values) + 1e-4
        chex.assert_trees_all_close(parts.effective_rank(3 * singular_m), rank, rtol=1e-4)


def test_identity_similarity_of_projectors():
    toys = features.build(Config(n=N, m=M), KEY)
    basis_nm, _ = jnp.linalg.qr(toys.embed_nm)
    projector_nn = basis_nm @ basis_nm.T
    similarity = parts.identity_similarity(1.3 * projector_nn, toys)
    chex.assert_trees_all_close(tuple(similarity), (1.3, 0.0), atol=1e-5)
    fewer_nn = basis_nm[:, :3] @ basis_nm[:, :3].T
    similarity = parts.identity_similarity(fewer_nn, toys)
    chex.assert_trees_all_close(tuple(similarity), (3 / 4, 0.5), atol=1e-5)
    assert parts.identity_similarity(0 * fewer_nn, toys).distance == 0


def test_no_projector_is_nearer_than_the_best(toy):
    net, toys = toy(bias=0.3)
    map_on = np.asarray(parts.linearise(parts.split(net).poly, toys).map_on)
    similarity = parts.identity_similarity(jnp.asarray(map_on), toys)
    leading = np.linalg.eigvalsh((map_on + map_on.T) / 2)[-M:].sum()
    size = np.linalg.norm(map_on)
    assert similarity.scale == pytest.approx(leading / M, abs=1e-5)
    assert similarity.distance == pytest.approx(np.sqrt(1 - leading**2 / (M * size**2)), abs=1e-4)

    rng = np.random.default_rng(0)
    for _ in range(200):
        basis_nm, _ = np.linalg.qr(rng.normal(size=(N, M)))
        projector_nn = basis_nm @ basis_nm.T
        scale = (map_on * projector_nn).sum() / M
        assert np.linalg.norm(map_on - scale * projector_nn) / size >= similarity.distance - 1e-5


def test_the_identity_of_the_reprojector_is_the_best_linear_map(toy):
    _, toys = toy("reproject")
    # Least squares: the map A with A P f nearest to the targets of all features.
    answer_mo, *_ = np.linalg.lstsq(toys.embed_nm, toys.reproject_nm, rcond=None)
    best_on = jnp.asarray((np.asarray(toys.embed_nm) @ answer_mo).T)
    similarity = parts.identity_similarity(0.5 * best_on, toys)
    chex.assert_trees_all_close(tuple(similarity), (0.5, 0.0), atol=1e-5)


def test_models_may_hold_numpy_arrays(toy):
    net, toys = jax.tree.map(np.asarray, toy())
    linear = jax.jit(lambda: parts.linearise(parts.split(net).poly, toys))()
    assert linear.map_on.shape == (N, N)
    found = jax.jit(jax.vmap(lambda feature: kinks.kinks(net, toys, feature)))(jnp.arange(N))
    assert found.position_k.shape == (N, K)


def test_every_nonlinearity_is_zero_at_zero():
    # `split` relies on it when it sets a neuron's weights and bias to 0.
    assert [float(phi.function(jnp.zeros(()))) for phi in NONLINEARITIES.values()] == [0] * 4


def test_the_linear_part_of_a_planted_network_is_an_identity_of_rank_m():
    planted = LADDER["half_linear"]()
    mono, poly = parts.split(planted.model)
    linear = parts.linearise(poly, planted.world)
    chex.assert_trees_all_close(linear.map_on @ linear.map_on, linear.map_on, atol=1e-6)
    chex.assert_trees_all_close(linear.singular_m, jnp.ones(2), atol=1e-6)
    chex.assert_trees_all_close(linear.slope_n, jnp.full(4, 1 / 2), atol=1e-6)
    chex.assert_trees_all_close(linear.offset_o, 2 * poly.w_ko[4:].sum(axis=0), atol=1e-6)
    assert parts.effective_rank(linear.singular_m) == pytest.approx(2)
    similarity = parts.identity_similarity(linear.map_on, planted.world)
    chex.assert_trees_all_close(tuple(similarity), (1.0, 0.0), atol=1e-6)
    assert parts.linearisation_error(poly, planted.world, jnp.eye(4)) < 1e-6
    # The monosemantic part is silent near the origin: predicting zero is no better.
    assert not parts.linearise(mono, planted.world).map_on.any()
    assert parts.linearisation_error(mono, planted.world, jnp.eye(4)) == 1
    assert parts.by_score(planted.model, planted.world).tolist() == [True] * 4 + [False] * 2
    assert parts.by_bias(planted.model).tolist() == [True] * 4 + [False] * 2


def test_a_planted_dead_network_has_an_empty_linearisation():
    planted = LADDER["dead"]()
    linear = parts.linearise(planted.model, planted.world)
    assert not jnp.concatenate([leaf.ravel() for leaf in linear]).any()
    assert parts.effective_rank(linear.singular_m) == 0
    assert parts.identity_similarity(linear.map_on, planted.world).distance == 0
    assert parts.linearisation_error(planted.model, planted.world, jnp.eye(4)) == 0
