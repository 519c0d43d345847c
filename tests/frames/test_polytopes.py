"""Frames of the polytope lens: shapes, copies, planted networks, runs without codes."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import planted
import pytest

from toymono import Hyperparams, begin
from toymono.analysis import polytopes as lens
from toymono.analysis.polytopes import labelled, shells, toy
from toymono.classifiers import train as training
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.classifiers.train import ClassifierRun
from toymono.frames import classifier_polytopes, polytopes
from toymono.models import NONLINEARITIES
from toymono.quantities import INDEX_COLUMNS, QUANTITIES


def described(frame):
    """Every column has a description and values in its range."""
    assert len(frame)
    for name in frame:
        assert name in QUANTITIES or name in INDEX_COLUMNS, name
        if name in QUANTITIES and frame[name].dtype.kind == "f":
            values = frame[name].dropna()
            assert (values >= QUANTITIES[name].low - 1e-9).all(), name
            assert (values <= QUANTITIES[name].high + 1e-9).all(), name
            assert QUANTITIES[name].none or len(values) == len(frame), name


@pytest.fixture(scope="module", autouse=True)
def small():
    """Fewer rays, pixels and examples."""
    patch = pytest.MonkeyPatch()
    for module, name, value in (
        (polytopes, "_EXAMPLES", 40),
        (polytopes, "_PIXELS", 12),
        (classifier_polytopes, "_PIXELS", 12),
        (classifier_polytopes, "_EXAMPLES", 60),
        (classifier_polytopes, "_RAYS", 4),
        (classifier_polytopes, "_CHANGE_RAYS", 4),
        (classifier_polytopes, "_STEPS", 4),
        (classifier_polytopes, "_SLOPES", 3),
        (labelled, "ROUNDS", 9),
        (labelled, "_POINTS", 51),
    ):
        patch.setattr(module, name, value)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def classifier_runs(digits):
    """Untrained networks with random biases, with the history of a run: nothing is compiled."""
    runs = []
    for more in ({}, {"layer_norm": "on"}):
        config = ClassifierConfig(sizes=(16, 12, 12), batch_size=32, epochs=4, **more)
        hyperparams, key = ClassifierHyperparams(0.0, 0.01).checked(), jax.random.key(0)
        state = training.begin(config, hyperparams, digits, key)
        rng = np.random.default_rng(0)
        params = {
            name: {
                part: jnp.asarray(rng.normal(size=array.shape), jnp.float32) + (part == "scale")
                for part, array in layer.items()
            }
            for name, layer in state.params.items()
        }
        history = jax.tree.map(jnp.ones_like, state.history)
        runs.append(ClassifierRun(config, hyperparams, key, params, history, digits.fingerprint))
    return runs


@pytest.fixture(autouse=True)
def data_of_the_runs(digits, monkeypatch):
    monkeypatch.setattr("toymono.frames.classifiers._load_data", lambda name: digits)


def test_pieces_are_those_of_the_nonlinearities():
    x = np.linspace(-3, 5, 81)
    assert {name for name, kind in NONLINEARITIES.items() if kind.breaks} == set(lens.PIECES)
    for name, pieces in lens.PIECES.items():
        assert pieces.threshold_p == NONLINEARITIES[name].breaks
        code_b1 = lens.spline_code(lens.Dense(((np.eye(1), np.zeros(1)),) * 2, name), x[:, None])
        symbol_b = code_b1[:, 0]
        found = np.array(pieces.slope_r)[symbol_b] * x + np.array(pieces.offset_r)[symbol_b]
        expected = NONLINEARITIES[name].function(jnp.asarray(x, jnp.float32))
        np.testing.assert_allclose(found, expected, atol=1e-6)
        np.testing.assert_array_equal(np.unique(symbol_b), np.arange(len(pieces.slope_r)))


def test_a_tent_flips_at_each_of_its_thresholds():
    net = lens.Dense(((np.array([[1.0, 2.0]]), np.zeros(2)), (np.eye(2), np.zeros(2))), "tent")
    breaks = lens.line_breaks(net, -np.ones(1), np.ones(1), 0.0, 5.0)
    np.testing.assert_allclose(breaks.position_p, [1, 1, 1.5, 2, 2, 3])
    # Beyond the last threshold nothing changes any more.
    assert lens.ray_density(net, np.zeros(1), np.ones((1, 1)), np.array([3.0, 9])) == 0
    matrix_om, offset_o = lens.affine_map(net, np.array([0.7]))
    np.testing.assert_allclose(matrix_om[:, 0], [1, -2])
    np.testing.assert_allclose(offset_o, [0, 2])
    two_flips = lens.transformation_distance(net, np.array([1, 1]), np.array([2, 1]))
    assert two_flips == 2  # of slope 1 to slope -1


def test_every_frame_of_toy_runs_is_described(untrained, diverged_run):
    runs = [untrained(seed=1), diverged_run]
    gelu = dataclasses.replace(runs[0].config, nonlinearity="gelu")
    tent = dataclasses.replace(runs[0].config, nonlinearity="tent")
    runs += [untrained(gelu), untrained(tent)]
    per_run = polytopes.per_run(runs)
    described(per_run)
    with_codes = per_run[list(polytopes.MEASURES)].notna().any(axis=1)
    assert with_codes.tolist() == [True, False, False, True]
    for frame in (
        polytopes.per_radius,
        polytopes.per_pair_kind,
        polytopes.per_background,
        polytopes.per_code_pair,
        polytopes.feature_square,
    ):
        found = frame(runs[:3])
        described(found)
        assert set(found["run"]) == {per_run["run"][0]}


def test_copies_of_a_run(untrained):
    run = untrained(hyperparams=Hyperparams(eps=0.25, init_bias=-0.5), seed=2)
    nets = polytopes.copies(run)
    assert tuple(nets) == polytopes.COPIES
    _, state = begin(run.config, run.hyperparams, run.key)
    own, spread, bare = (nets[name].layers[0] for name in polytopes.COPIES[2:])
    np.testing.assert_array_equal(own[0], state.model.w_mk)
    np.testing.assert_array_equal(own[1], state.model.b_k)
    np.testing.assert_allclose(spread[1], own[1] + 0.5, atol=1e-6)
    assert abs(spread[1]).max() <= run.config.m**-0.5
    assert not bare[1].any()
    turned = nets["rotated"].layers[0][0]
    np.testing.assert_allclose(
        np.linalg.norm(turned, axis=0), np.linalg.norm(nets["trained"].layers[0][0], axis=0)
    )


def test_experiments_read_a_planted_network():
    """One neuron per feature, thresholds at 1/4, one dimension per feature."""
    net = planted.monosemantic()
    inputs = toy.Inputs(np.asarray(net.world.embed_nm), np.full(6, 0.2))
    # A feature's ray meets one boundary, its own neuron's.
    profile_e = shells.radial_profile(
        lens.dense(net.model), toy.unit_directions(inputs, "features"), 1.0, np.array([0, 0.2, 0.3])
    )
    np.testing.assert_allclose(profile_e, [0, 10])
    assert toy.mean_regions(net.model, inputs, 3) == 4  # two lines that meet
    examples = toy.strong_examples(inputs, 0.0)
    assert toy.code_clusters(net.model, examples).ami == pytest.approx(1)
    response_kn = np.eye(6)
    match = toy.direction_match(net.model, examples, response_kn)
    assert match.nmf == pytest.approx(1, abs=1e-3)
    # Principal directions mix features of equal variance; random ones mix all six.
    assert max(match.random, match.pca) < 0.95
    assert toy.code_direction_match(net.model, examples, inputs) == pytest.approx(1, abs=1e-3)
    lies = toy.polysemantic(net.model, inputs, response_kn)
    assert lies.mono_features == 1
    assert math.isnan(lies.features)  # no neuron responds to several features
    # A strong feature has one image; a weak one none, below its threshold.
    assert toy.image_cosines(net.model, inputs, 0.6, 1.0) == pytest.approx(1)
    assert math.isnan(toy.image_cosines(net.model, inputs, 0.0, 0.1))


def test_a_shell_has_its_maximum_inside_the_range():
    edge_e = np.arange(6.0)
    found = shells.shell(np.array([0, 0, 3.0, 1, 0]), edge_e)
    assert found == (2.5, 3.0, True)
    # Rising to the end of the range, or highest at the origin: no maximum is seen.
    assert not shells.shell(np.array([0, 1.0, 2, 3, 4]), edge_e).found
    assert not shells.shell(np.array([4.0, 3, 2, 1, 0]), edge_e).found
    assert not shells.shell(np.array([2.0, 3, 2, 1, 0]), edge_e).found  # less than twice
    assert not shells.shell(np.zeros(5), edge_e).found


def test_biases_of_one_size_predict_the_shell():
    """Hyperplanes at distance 0.4 that face at random in 64 dimensions; neurons above 0 apart."""
    rng = np.random.default_rng(0)
    weight_mk = rng.normal(size=(64, 4000))
    weight_mk /= np.linalg.norm(weight_mk, axis=0)
    bias_k = np.where(np.arange(4000) < 100, 5.0, -0.4)
    net = lens.Dense(((weight_mk, bias_k), (np.ones((4000, 1)), np.zeros(1))))
    radius = shells.predicted_radius(net)
    assert radius == pytest.approx(0.4 * 32**0.5)
    direction_rm = rng.normal(size=(200, 64))
    direction_rm /= np.linalg.norm(direction_rm, axis=1, keepdims=True)
    edge_e = np.linspace(0, 6, 61)
    found = shells.shell(shells.radial_profile(net, direction_rm, 1.0, edge_e), edge_e)
    assert found.found
    assert found.position == pytest.approx(radius, abs=0.3)
    assert math.isnan(shells.predicted_radius(lens.with_biases(net, [abs(bias_k)])))
    assert math.isnan(shells.predicted_radius(net._replace(nonlinearity="tent")))


def test_shells_are_looked_for_beyond_the_bins_of_the_figures():
    """`outer_density` keeps its place, the last bin of the figure."""
    np.testing.assert_array_equal(polytopes.SHELL_EDGES[: len(polytopes.EDGES)], polytopes.EDGES)
    profile_e = np.zeros(len(polytopes.SHELL_EDGES) - 1)
    profile_e[60], profile_e[polytopes.OUTER] = 5.0, 2.0
    names = ("shell", "untrained_shell")
    numbers = polytopes.shell_numbers({name: profile_e for name in names})
    assert numbers["outer_density"] == 2
    assert numbers["shell"] == numbers["untrained_shell"] == 1
    assert numbers["untrained_shell_radius"] == pytest.approx(6.05)


def test_a_neuron_of_two_features_holds_both():
    embed_nm, w_mk = np.eye(4), np.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    layers = [(w_mk, np.full(3, -0.2)), (np.eye(3), np.zeros(3))]
    inputs = toy.Inputs(embed_nm, np.full(4, 0.2))
    response_kn = np.maximum(w_mk.T - 0.2, 0)
    lies = toy.polysemantic(layers, inputs, response_kn)
    # Both features drive the neuron alike: one cluster, whose purity tells.
    assert lies.features == 1
    assert lies.purity < 0.9


def test_signed_features_have_both_signs():
    inputs = toy.Inputs(np.eye(5), np.full(5, 0.5), signed=True)
    features_bn = inputs.draw(200, np.random.default_rng(0))
    assert features_bn.min() < -0.5
    assert features_bn.max() > 0.5
    assert (features_bn != 0).mean() == pytest.approx(0.5, abs=0.06)
    assert (inputs.draw(400, np.random.default_rng(0), 1.0) != 0).sum() == pytest.approx(
        400, rel=0.2
    )
    with pytest.raises(ValueError, match="not one of data"):
        toy.unit_directions(inputs, "pixels")
    with pytest.raises(ValueError, match="not one of alone"):
        toy.pair_gap(([(np.eye(5), np.zeros(5))] * 2), inputs, "together")


def test_every_frame_of_classifiers_is_described(classifier_runs):
    per_run = classifier_polytopes.per_run(classifier_runs)
    described(per_run)
    with_codes = per_run[list(classifier_polytopes.MEASURES)].notna().any(axis=1)
    assert with_codes.tolist() == [True, False]  # layer norm has no spline codes
    # Without dense biases codes would not change at all under layer norm.
    assert per_run["rescaled_bits"][1] < per_run["rescaled_bits"][0]
    for frame in (
        classifier_polytopes.per_radius,
        classifier_polytopes.per_segment,
        classifier_polytopes.per_layer,
        classifier_polytopes.per_code_pair,
        classifier_polytopes.image_plane,
    ):
        found = frame(classifier_runs)
        described(found)
        assert set(found["run"]) == {per_run["run"][0]}


def test_class_changes_follow_planted_boundaries():
    """Two classes along a ray; the change lies where three boundaries are, among sparse others."""
    bias_k = np.concatenate([[-1, -1.02, -0.98], -np.linspace(0.1, 16, 80)])
    out_ky = np.concatenate([[[0.0, 3.0]] * 3, np.zeros((80, 2))])
    layers = [(np.ones((1, 83)), bias_k), (out_ky, np.array([0.1, 0.0]))]
    found = labelled.class_changes(lens.dense(layers), np.array([[2.0], [1.0], [4.0]]))
    assert found.count == 3
    assert found.inner_share == pytest.approx(2 / 3)
    assert found.excess > 1
    # Steering the example that is off along the path of the other, and the reverse.
    both = np.array([[0.5], [2.0]])
    steered = labelled.steering(lens.dense(layers), both, np.array([0, 1]), 1.0)
    assert steered.steered == 0.5  # at 0.5 the three neurons are negative where they are on
    assert labelled.changed_bits(np.array([[1, 0]]), np.array([[1, 1]])) == 0.5


def test_segments_between_examples_cross_planted_boundaries():
    """Classes on two sides of a boundary at x = 0; segments of one length are compared."""
    net = lens.Dense(((np.array([[1.0], [0.0]]), np.zeros(1)), (np.ones((1, 2)), np.zeros(2))))
    left, right = [[-1.0, 1], [-1, -1], [-1, 3]], [[1.0, 1], [1, -1], [1, 8]]
    x_bm, label_b = np.array(left + right), np.repeat([0, 1], 3)
    found = labelled.interpolation(net, x_bm, label_b, np.array([0, 0.4, 0.6, 1.0]))
    # Every pair of different classes crosses it half way, in a bin of a fifth of its length.
    assert found.pairs == 6
    assert found.same_e.tolist() == [0, 0, 0]
    assert found.different_e[[0, 2]].tolist() == [0, 0]
    assert found.different_e[1] > 0
    [first] = [labelled.interpolation(net, x_bm, label_b, np.array([0, 1.0]), pairs=1)]
    # From (-1, 1), both (-1, -1) and (1, 1) are at distance 2.
    assert (first.pairs, first.mismatch) == (1, 0)
    assert first.different_e.tolist() == [0.5]
    lone = labelled.interpolation(net, x_bm, np.arange(6), np.array([0, 1.0]))
    assert lone.pairs == 0
    assert np.isnan(lone.same_e).all()
    twins = labelled.interpolation(net, x_bm[[0, 0, 3]], np.array([0, 0, 1]), np.array([0, 1.0]))
    assert twins.pairs == 0  # a segment has a length


def test_a_planted_classifier_has_clusters_and_gaps():
    net = planted.classifier()
    layers = lens.of_classifier(net.params)
    rng = np.random.default_rng(0)
    label_b = np.repeat(np.arange(10), 8)
    x_bm = np.eye(10)[label_b] * rng.uniform(0.5, 1, 80)[:, None]
    assert labelled.clusters(layers, x_bm, label_b).ami == pytest.approx(1)
    pairs = labelled.layer_pairs(layers, x_bm, label_b)
    assert len(pairs) == 2
    assert math.isnan(pairs[0].ratio)  # there is no boundary within a class
    steps = labelled.steps(layers, x_bm[:3], label_b[:3], 0.01)
    assert steps.adversarial >= 0
