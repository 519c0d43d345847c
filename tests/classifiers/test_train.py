"""Classifiers: the training loop, pruning, status."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toymono import stack
from toymono.classifiers import network
from toymono.classifiers import train as training
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.classifiers.train import ClassifierRun, Measures

TINY = ClassifierConfig(sizes=(12, 8), batch_size=32, epochs=6)


def keys(count):
    return stack([jax.random.key(seed) for seed in range(count)])


@pytest.mark.parametrize(("name", "kind"), [("mlp", "hard"), ("cnn", "soft")])
def test_many_runs_equal_those_trained_alone(digits, name, kind):
    config = ClassifierConfig(network=name, sizes=(6,), penalty=kind, batch_size=64, epochs=2)
    alphas = jnp.array([0.1, -0.001])
    runs = training.fit_many(config, ClassifierHyperparams(alpha=alphas), digits, keys(2))
    for r, alpha in enumerate(alphas):
        alone = training.fit(config, ClassifierHyperparams(alpha=alpha), digits, jax.random.key(r))
        for many, one in zip(
            jax.tree.leaves((runs.params, runs.history)),
            jax.tree.leaves((alone.params, alone.history)),
            strict=True,
        ):
            np.testing.assert_allclose(many[r], one, atol=1e-4, rtol=1e-3)


def test_dropout_acts_in_training_alone(digits):
    config = ClassifierConfig(sizes=(16,), batch_size=32, epochs=1)
    dropped = dataclasses.replace(config, dropout="on")
    plain, none, most = (
        training.fit(c, ClassifierHyperparams(0.0, 0.01, rate), digits, jax.random.key(0))
        for c, rate in ((config, 0.5), (dropped, 0.0), (dropped, 0.9))
    )
    chex.assert_trees_all_close(plain.params, none.params, rtol=1e-3, atol=1e-5)
    assert most.history.train_loss[-1] > plain.history.train_loss[-1] + 0.1
    h_bk = digits.test_bhw.reshape(100, 64) @ most.params["hidden_0"]["kernel"]
    h_bk = np.maximum(h_bk + np.asarray(most.params["hidden_0"]["bias"])[None], 0)
    logits_by = h_bk @ most.params["output"]["kernel"] + most.params["output"]["bias"][None]
    nll_by = -jax.nn.log_softmax(logits_by)
    expected = nll_by[np.arange(100), digits.test_label_b].mean()
    np.testing.assert_allclose(most.history.cross_entropy[-1], expected, rtol=1e-4)


def test_without_dropout_an_epoch_draws_its_permutation_alone(digits, key):
    def draws(config):
        state = jax.eval_shape(
            lambda key: training.begin(config, ClassifierHyperparams(), digits, key), key
        )
        traced = jax.make_jaxpr(training.advance, static_argnums=0)(
            config, ClassifierHyperparams(), digits, state, 1
        )
        return str(traced).count("random_bits")

    off = draws(TINY)
    assert draws(dataclasses.replace(TINY, dropout="on")) == off + len(TINY.sizes)


@pytest.mark.parametrize("cuts", [(1, 0, 4), (2, 3)])
def test_results_do_not_depend_on_segment_lengths(digits, cuts):
    """Also across the start of pruning."""
    config = ClassifierConfig(sizes=(12, 8), batch_size=32, epochs=3, prune_epochs=2)
    hyperparams = ClassifierHyperparams(alpha=0.01)
    run = training.fit(config, hyperparams, digits, jax.random.key(0))
    state = training.begin(config, hyperparams.checked(), digits, jax.random.key(0))
    for epochs in cuts:
        state = training.advance(config, hyperparams.checked(), digits, state, epochs)
    assert state.step == config.steps
    chex.assert_trees_all_equal((state.params, state.history), (run.params, run.history))
    assert (run.fingerprint, run.seed, run.diverged) == (digits.fingerprint, 0, None)


def test_mapped_runs_have_the_bits_of_single_runs(digits):
    hyperparams = ClassifierHyperparams(
        jnp.array([0.1, -0.001, 0.0]), jnp.full(3, 1e-3), jnp.zeros(3)
    )

    @jax.jit
    def mapped(hyperparams, keys):
        def train(run):
            state = training.begin(TINY, run[0], digits, run[1])
            return training.advance(TINY, run[0], digits, state, TINY.steps).params

        return jax.lax.map(train, (hyperparams, keys))

    for count in (1, 3):
        some, some_keys = jax.tree.map(lambda leaf: leaf[:count], (hyperparams, keys(3)))  # noqa: B023
        params_r = mapped(some, some_keys)
        for r in range(count):
            one = jax.tree.map(lambda leaf: leaf[r], hyperparams)  # noqa: B023
            run = training.fit(TINY, one, digits, jax.random.key(r))
            chex.assert_trees_all_equal(jax.tree.map(lambda leaf: leaf[r], params_r), run.params)  # noqa: B023


def test_future_epochs_are_nan(digits, key):
    state = training.begin(TINY, ClassifierHyperparams(), digits, key)
    history = training.advance(TINY, ClassifierHyperparams(), digits, state, 2).history
    taken_e = np.arange(TINY.steps) < 2
    for measures in (history.accuracy, history.train_loss, history.penalty_l[:, 0]):
        np.testing.assert_array_equal(np.isfinite(measures), taken_e)
    np.testing.assert_array_equal(history.answers > 0, taken_e)


def test_segment_lengths_do_not_recompile(digits, key, compilations):
    state = training.begin(TINY, ClassifierHyperparams(), digits, key)
    state = training.advance(TINY, ClassifierHyperparams(), digits, state, 1)
    with compilations() as compiled:
        for epochs in (2, 3):
            state = training.advance(TINY, ClassifierHyperparams(), digits, state, epochs)
    assert compiled == []


def test_stacks_and_numbers_are_refused(digits, key):
    stacked = ClassifierHyperparams(alpha=jnp.zeros(2))
    with pytest.raises(ValueError, match=r"^alpha has shape \(2,\): one run takes scalars"):
        training.fit(TINY, stacked, digits, key)
    with pytest.raises(ValueError, match=r"^key has shape \(2,\): one run takes one key"):
        training.fit(TINY, ClassifierHyperparams(), digits, keys(2))
    with pytest.raises(ValueError, match=r"^alpha has shape \(2,\), but there are 3 keys$"):
        training.fit_many(TINY, stacked, digits, keys(3))
    for fit in (training.fit, training.fit_many):
        with pytest.raises(TypeError, match=r"^key is not a PRNG key"):
            fit(TINY, ClassifierHyperparams(), digits, 7)


def test_a_network_learns(digits):
    config = ClassifierConfig(sizes=(32, 16), batch_size=32, epochs=12)
    run = training.fit(config, ClassifierHyperparams(learning_rate=0.01), digits, jax.random.key(0))
    assert run.history.accuracy[-1] > 0.5  # 0.1 is chance; measured: 0.89 to 0.94 by seed
    assert run.history.train_loss[-1] < run.history.train_loss[0] / 4
    assert training.status(run, digits.test_label_b) == "learned"


def test_alpha_changes_the_penalty_and_compiles_once(digits, compilations):
    training.fit(TINY, ClassifierHyperparams(), digits, jax.random.key(0))
    with compilations() as names:
        low, high = (
            training.fit(TINY, ClassifierHyperparams(alpha=alpha), digits, jax.random.key(0))
            for alpha in (1.0, -0.1)
        )
    assert not [name for name in names if name and "fit" in name]
    assert low.history.penalty_l[-1].sum() < high.history.penalty_l[-1].sum()


def test_what_is_minimised_is_cross_entropy_plus_alpha_times_the_penalty(digits, key):
    """Over layers the penalty is summed, and the output is not a layer."""
    params = network.init(TINY, (8, 8), key)
    found = training.measure(TINY, params, digits)
    assert found.penalty_l.shape == (2,)
    loss = training._objective(TINY, 0.3, params, digits.test_bhw, digits.test_label_b, None)
    assert loss == pytest.approx(float(found.cross_entropy + 0.3 * found.penalty_l.sum()))


def test_pruning_ends_with_a_tenth_of_the_weights(digits):
    config = ClassifierConfig(sizes=(12,), batch_size=32, epochs=1, prune_epochs=3)
    run = training.fit(config, ClassifierHyperparams(), digits, jax.random.key(0))
    for layer in run.params.values():
        assert (layer["kernel"] != 0).mean() == pytest.approx(0.1, abs=0.02)
        assert (layer["bias"] != 0).mean() > 0.5
    assert len(run.history.accuracy) == 4


prune = jax.jit(training._prune, static_argnums=4)


def test_pruning_follows_the_published_schedule(key):
    """From a half to nine tenths by a cubic, every tenth step (Wright, `run_model_training.py`)."""
    config, steps_per_epoch = ClassifierConfig(prune_epochs=4), 21  # its last step is number 83
    params = {"output": {"kernel": jax.random.normal(key, (100, 100)), "bias": jnp.zeros(100)}}
    size = abs(params["output"]["kernel"])
    whole = jax.tree.map(jnp.ones_like, params)
    for step, share in (
        (-10, 0),
        (0, 0.5),
        (10, 0.9 - 0.4 * (73 / 83) ** 3),
        (20, 0.9 - 0.4 * (63 / 83) ** 3),  # nearest to a quarter
        (83, 0.9),  # though it is no multiple of 10
    ):
        thinned, kept = (
            tree["output"] for tree in prune(params, whole, step, config, steps_per_epoch)
        )
        assert (thinned["kernel"] == 0).mean() == pytest.approx(share, abs=2e-4)
        np.testing.assert_array_equal(thinned["kernel"] != 0, kept["kernel"])
        if step >= 0:
            assert size[kept["kernel"] == 0].max() < size[kept["kernel"] == 1].min()
        assert kept["bias"].all()


def test_the_mask_changes_every_tenth_step_only():
    params = {"output": {"kernel": jnp.arange(1.0, 101.0)[:, None]}}
    config, whole = ClassifierConfig(prune_epochs=4), jax.tree.map(jnp.ones_like, params)
    kept = prune(params, whole, 10, config, 21)[1]["output"]["kernel"]
    turned = jax.tree.map(jnp.flip, params)  # the smallest are others now
    for step, same in ((11, True), (17, True), (19, True), (20, False)):
        thinned, still = prune(turned, {"output": {"kernel": kept}}, step, config, 21)
        assert (still["output"]["kernel"] == kept).all() == same
        np.testing.assert_array_equal(thinned["output"]["kernel"] != 0, still["output"]["kernel"])


def test_a_batch_larger_than_the_data_is_refused(digits):
    with pytest.raises(ValueError, match=r"batch_size=512 is more than 320 examples"):
        training.fit(
            ClassifierConfig(batch_size=512), ClassifierHyperparams(), digits, jax.random.key(0)
        )


# Status.


def ended(labels_b, predicted_b, classes=10, alive=(5, 5), weight=0.0):
    """A run that ends with these predictions."""
    history = Measures(
        accuracy=np.array([np.mean(predicted_b == labels_b)]),
        cross_entropy=np.array([1.0]),
        penalty_l=np.zeros((1, 2)),
        alive_l=np.array([alive]),
        answers=np.array([len(np.unique(predicted_b))]),
        train_loss=np.array([1.0]),
    )
    params = {"output": {"kernel": np.full((1, 1), weight)}}
    return ClassifierRun(TINY, ClassifierHyperparams(), jax.random.key(0), params, history)


def test_a_constant_classifier_is_collapsed_though_82_percent_elementwise():
    labels_b = np.tile(np.arange(10), 20)
    constant_b = np.full(200, 3)
    run = ended(labels_b, constant_b)
    assert run.history.accuracy[-1] == pytest.approx(0.1)
    one_hot = np.eye(10)
    elementwise = ((one_hot[constant_b] > 0.5) == one_hot[labels_b]).mean()
    assert elementwise == pytest.approx(0.82)
    assert training.status(run, labels_b) == "collapsed"


def test_diverged_is_the_first_epoch_that_is_not_finite(digits):
    run = training.fit(TINY, ClassifierHyperparams(), digits, jax.random.key(0))
    loss_e = run.history.train_loss
    for history, params, epoch in (
        (run.history, run.params, None),
        (run.history.replace(train_loss=loss_e.at[2:].set(jnp.nan)), run.params, 2),
        (
            run.history.replace(penalty_l=run.history.penalty_l.at[1, 1].set(jnp.inf)),
            run.params,
            1,
        ),
        (run.history, jax.tree.map(lambda leaf: leaf / 0.0, run.params), TINY.steps),
    ):
        assert run.replace(history=history, params=params).diverged == epoch
    stacked = stack([run, run])
    for name in ("seed", "diverged"):
        with pytest.raises(ValueError, match=rf"^{name} is defined for a single run"):
            getattr(stacked, name)


def test_status_by_hand():
    labels_b = np.tile(np.arange(10), 20)
    assert training.status(ended(labels_b, labels_b), labels_b) == "learned"
    two_classes_b = np.where(labels_b < 2, labels_b, 0)  # accuracy 0.2, two classes
    assert training.status(ended(labels_b, two_classes_b), labels_b) == "collapsed"
    assert training.status(ended(labels_b, labels_b, alive=(5, 0)), labels_b) == "dead"
    assert training.status(ended(labels_b, labels_b, weight=np.nan), labels_b) == "diverged"


def test_a_strongly_negative_alpha_collapses(digits):
    run = training.fit(TINY, ClassifierHyperparams(alpha=-10.0), digits, jax.random.key(0))
    assert training.status(run, digits.test_label_b) in ("collapsed", "dead")
