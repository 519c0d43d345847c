"""The model with a linear path beside its neurons: definition, start, training, analyses."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toymono import Config, Hyperparams, Model, World, alignment, catalog, fit, scores, store, train
from toymono import features as feature_module
from toymono.analysis import baselines, connectivity, kinks, parts, polytopes, regimes
from toymono.analysis.visualise import connections
from toymono.analysis.visualise import toy as visualise
from toymono.config import split
from toymono.frames import skip as frames
from toymono.models import MODELS, SkipModel, init, permute
from toymono.quantities import INDEX_COLUMNS, QUANTITIES
from toymono.torch_io import authors

CONFIG = Config(n=16, m=4, k=24, batch_size=8, log2_steps=4, model="skip", skip_rank=3)
PLAIN = dataclasses.replace(CONFIG, model="two_layer")


@pytest.fixture(scope="module")
def net() -> tuple[SkipModel, World]:
    """A random model with an open path, biases of both signs, and its world."""
    world_key, model_key, path_key = jax.random.split(jax.random.key(3), 3)
    model = MODELS["skip"].init(CONFIG, Hyperparams(), model_key)
    model = model.replace(skip_so=jax.random.normal(path_key, model.skip_so.shape))
    return model.replace(w_mk=3 * model.w_mk), feature_module.build(CONFIG, world_key)


def by_hand(model, x_bm):
    """Outputs in plain numpy, float64."""
    w_mk, b_k, w_ko, p_ms, q_so = (
        np.asarray(array, np.float64)
        for array in (model.w_mk, model.b_k, model.w_ko, model.skip_ms, model.skip_so)
    )
    return np.maximum(x_bm @ w_mk + b_k, 0) @ w_ko + x_bm @ p_ms @ q_so


def test_outputs_are_those_of_the_neurons_and_of_the_path(net, key):
    model, _ = net
    x_bm = np.asarray(jax.random.normal(key, (5, 4)), np.float64)
    np.testing.assert_allclose(model(jnp.asarray(x_bm)), by_hand(model, x_bm), atol=1e-5)
    np.testing.assert_allclose(model(jnp.asarray(x_bm[0])), by_hand(model, x_bm)[0], atol=1e-5)
    closed = model.without_skip()
    neurons = Model(model.w_mk, model.b_k, model.w_ko)
    np.testing.assert_array_equal(closed(jnp.asarray(x_bm)), neurons(jnp.asarray(x_bm)))
    one = model.to_output(5)
    np.testing.assert_allclose(one(jnp.asarray(x_bm))[:, 0], by_hand(model, x_bm)[:, 5], atol=1e-5)


def test_training_starts_at_the_two_layer_model_of_the_seed(key):
    model = MODELS["skip"].init(CONFIG, Hyperparams(init_bias=-0.5), key)
    plain = init(PLAIN, -0.5, key)
    chex.assert_trees_all_equal(vars(plain), {name: vars(model)[name] for name in vars(plain)})
    assert (model.skip_so == 0).all()
    assert (abs(model.skip_ms) <= 0.5).all()
    wide = MODELS["skip"].init(dataclasses.replace(CONFIG, skip_rank=4096), Hyperparams(), key)
    assert float(wide.skip_ms.std()) == pytest.approx(0.5 / 3**0.5, rel=0.01)


def test_a_step_descends_the_loss_of_both_paths(net):
    """Gradients by the chain rule in numpy; the first step of Adam is their sign."""
    model, world = net
    config = dataclasses.replace(CONFIG, optimizer="adam", schedule="constant")
    hyperparams = Hyperparams(eps=0.5, learning_rate=0.01, bias_decay=0.0)
    _, state = train.begin(config, hyperparams, jax.random.key(0))
    state = state.replace(model=model)
    features_bn = feature_module.sample(config, hyperparams, jax.random.key(9))
    stepped, metrics = train.train_step(config, hyperparams, world, state, features_bn)
    x_bm = np.asarray(features_bn, float) @ np.asarray(world.embed_nm, float)
    error_bo = by_hand(model, x_bm) - np.asarray(features_bn)
    np.testing.assert_allclose(metrics.task_loss, (error_bo**2).sum() / 8, rtol=1e-5)
    slope_so = (x_bm @ np.asarray(model.skip_ms)).T @ error_bo
    slope_ms = x_bm.T @ error_bo @ np.asarray(model.skip_so).T
    moved = jax.tree.map(jnp.subtract, stepped.model, model)
    np.testing.assert_allclose(moved.skip_so, -0.01 * np.sign(slope_so), atol=1e-4)
    np.testing.assert_allclose(moved.skip_ms, -0.01 * np.sign(slope_ms), atol=1e-4)


def test_dropout_does_not_act_on_the_path(net):
    model, world = net
    config = dataclasses.replace(CONFIG, dropout="on")
    hyperparams = Hyperparams(eps=0.5, dropout_rate=0.999)
    _, state = train.begin(config, hyperparams, jax.random.key(0))
    state = state.replace(model=model.replace(w_ko=0 * model.w_ko))
    features_bn = feature_module.sample(config, hyperparams, jax.random.key(9))
    _, metrics = train.train_step(config, hyperparams, world, state, features_bn)
    expected = connectivity.loss(state.model, world, features_bn)
    np.testing.assert_allclose(metrics.task_loss, expected, rtol=1e-5)


def test_the_path_alone_learns_an_identity():
    """Neurons that never fire, and as many dimensions as features."""
    config = Config(
        "identity", n=4, m=4, k=2, batch_size=64, log2_steps=9, model="skip", skip_rank=4
    )
    hyperparams = Hyperparams(eps=0.5, init_bias=-50.0, bias_decay=0.0)
    run = fit(config, hyperparams, jax.random.key(0))
    assert run.loss_t[-8:].mean() < 0.01 * run.loss_t[0]
    [row] = frames.per_run([run]).to_dict("records")
    assert row["skip_effective_rank"] == pytest.approx(4, abs=0.05)
    assert row["skip_slope"] == pytest.approx(1, abs=0.1)
    assert (row["dead"], row["features_without_mono"]) == (2, 1)
    found = regimes.regimes(run.final, run.world, jnp.zeros((64, 4)))
    np.testing.assert_allclose(found.recovery_n, 1, atol=0.05)
    assert found.regime_n.tolist() == [1] * 4  # recovered, by no neuron


# Analyses.


def test_the_path_belongs_to_the_polysemantic_part(net):
    model, world = net
    mono, poly = parts.split(model)
    x_bm = world.inputs(jnp.eye(16))
    np.testing.assert_allclose(mono(x_bm) + poly(x_bm), model(x_bm), atol=1e-5)
    assert (mono.skip_so == 0).all()
    assert (poly.skip_so == model.skip_so).all()
    found = parts.linearise(poly, world)
    derivative_on = jax.jacobian(lambda f_n: poly(world.inputs(f_n)))(jnp.zeros(16))
    np.testing.assert_allclose(found.map_on, derivative_on, atol=1e-5)


def test_closed_forms_along_a_feature_include_the_path(net):
    model, world = net
    amplitude_b = jnp.linspace(0, 1, 9)
    others_n = jnp.zeros(16).at[3].set(0.5)
    outputs = parts.along(model, world, 2, amplitude_b, others_n).full_bo[:, 2]
    np.testing.assert_allclose(
        kinks.kinks(model, world, 2, others_n)(amplitude_b), outputs, atol=1e-5
    )


def test_scores_are_those_of_the_neurons(net):
    model, world = net
    closed_kn = scores.responses(model.without_skip(), world)
    np.testing.assert_array_equal(scores.responses(model, world), closed_kn)


def test_neurons_are_aligned_and_the_path_is_interpolated(net):
    model, world = net
    order_k = jnp.asarray(np.random.default_rng(0).permutation(24))
    copy = permute(model, order_k)
    assert connectivity.distance(*connectivity.aligned(model, copy)) == 0
    other = model.replace(skip_ms=-model.skip_ms, skip_so=-model.skip_so)
    middle = alignment.interpolate(model, other, 0.5)
    np.testing.assert_allclose(middle.skip_ms, 0, atol=1e-7)
    # The same function, with a barrier that no order of the neurons removes.
    samples = jax.random.uniform(jax.random.key(0), (64, 16))
    line = connectivity.path(*connectivity.aligned(model, other), world, samples, points=3)
    assert line.loss_p[0] == pytest.approx(float(line.loss_p[2]), rel=1e-5)
    assert line.loss_p[1] != pytest.approx(float(line.loss_p[0]), rel=0.01)


def test_a_rotation_turns_all_input_weights(net, key):
    model, _ = net
    turned = baselines.rotated(model, key)
    lengths = jnp.linalg.norm(model.w_mk.T @ model.skip_ms)
    np.testing.assert_allclose(jnp.linalg.norm(turned.w_mk.T @ turned.skip_ms), lengths, rtol=1e-5)
    assert abs(turned.skip_ms - model.skip_ms).max() > 0.1


def test_models_with_other_paths_have_no_line(net):
    model, _ = net
    with pytest.raises(ValueError, match=r"^a SkipModel and a Model have no line$"):
        alignment.align(model, Model(model.w_mk, model.b_k, model.w_ko))
    narrow = model.replace(skip_ms=model.skip_ms[:, :2], skip_so=model.skip_so[:2])
    with pytest.raises(ValueError, match="differ in size"):
        alignment.align(model, narrow)


@pytest.mark.parametrize(
    "analysis",
    [
        lambda model, world: polytopes.density(model, np.zeros(4), np.ones(4)),
        visualise.of_features,
        connections.virtual_weights,
    ],
)
def test_analyses_of_neurons_that_make_the_output_refuse_a_path(net, analysis):
    with pytest.raises(ValueError, match=r"^a model with a skip path has outputs that its neurons"):
        analysis(*net)


def test_torch_has_no_such_network(net, untrained):
    with pytest.raises(ValueError, match=r"^a SkipModel has no state dict of two linear layers$"):
        authors.state_dict(net[0])
    with pytest.raises(ValueError, match="program has no model=skip"):
        authors.contents_of(untrained(CONFIG))


# Runs.


def test_a_run_is_stored_with_its_path(tmp_path):
    run = fit(CONFIG, Hyperparams(eps=0.5), jax.random.key(0))
    assert run.final.skip_ms.shape == (4, 3)
    [stored] = [store.read(store.save(tmp_path, run))]
    loaded = store.load(stored)
    chex.assert_trees_all_equal(loaded.snapshots, run.snapshots)
    assert isinstance(loaded.final, SkipModel)


def test_the_rank_names_runs_with_a_path_alone():
    def name(config):
        return store.name(config, Hyperparams(), 0)

    assert name(CONFIG) != name(dataclasses.replace(CONFIG, skip_rank=2))
    assert name(PLAIN) == name(dataclasses.replace(PLAIN, skip_rank=2))
    with pytest.raises(ValueError, match=r"^skip_rank=0 "):
        dataclasses.replace(CONFIG, skip_rank=0)


@pytest.mark.parametrize(("scale", "m"), [("paper", 64), ("half", 32), ("small", 32)])
def test_ranks_are_swept_up_to_the_dimensions(scale, m):
    points = [split(point) for point in catalog.points(["SKIP"], scale)]
    ranks = [c.skip_rank if c.model == "skip" else 0 for c, _ in points]
    assert sorted(ranks) == sorted(2 * [0, m // 4, m // 2, m])
    assert {c.m for c, _ in points} == {m}
    assert len({store.name(*point, 0) for point in points}) == 8


def test_every_column_is_described(untrained):
    frame = frames.per_run([untrained(CONFIG), untrained(PLAIN)])
    assert set(frame) - {"diverged"} <= {*QUANTITIES, *INDEX_COLUMNS}
    assert frame["path_rank"].tolist() == [3, 0]
    assert frame["skip_effective_rank"].tolist() == [0, 0]  # a path that is still closed


def test_diverged_runs_have_no_numbers(untrained):
    run = untrained(CONFIG)
    broken = jax.tree.map(lambda leaf: leaf * jnp.nan, run.snapshots)
    frame = frames.per_run([run.replace(snapshots=broken)])
    columns = ["path_rank", "skip_slope", "features_without_mono"]
    assert frame[columns].isna().all(axis=None)
