"""The training loop against the authors' traces, and against their program in plain numpy."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf
from settings import NONLINEARITIES

from toymono import Config, Hyperparams, Model, World, replay
from toymono.tasks import TASKS


def relative_error(got, wanted) -> float:
    return np.linalg.norm(np.asarray(got, float) - wanted) / np.linalg.norm(wanted)


def test_a_trace_of_the_authors_program_is_replayed(trace):
    model, loss_t = replay(
        trace.config, trace.hyperparams, trace.world, trace.model("init"), trace.features_tbn
    )
    np.testing.assert_allclose(loss_t, trace.loss_t, rtol=1e-5)
    np.testing.assert_allclose(loss_t[::16], trace.arrays["recorded_losses"], rtol=1e-5)
    for got, wanted in zip(
        jax.tree.leaves(model), jax.tree.leaves(trace.model("final")), strict=True
    ):
        assert relative_error(got, np.asarray(wanted)) < 1e-5


def test_replay_passes_through_the_recorded_snapshots(trace):
    if trace.hyperparams.bias_decay:
        pytest.skip("a shorter replay would end the decay earlier")
    for j in (0, 5):
        start, features_tbn = trace.model("init"), trace.features_tbn[: 2**j]
        model, _ = replay(trace.config, trace.hyperparams, trace.world, start, features_tbn)
        assert relative_error(model.b_k, trace.arrays[f"ckpt{j}_bias"]) < 1e-5


SLOPES = {
    "relu": lambda x: x > 0,
    "gelu": lambda x: (
        (1 + erf(x / math.sqrt(2))) / 2 + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    ),
    "solu": lambda x: (1 + x) * np.exp(x),
}


def published(config, hyperparams, world, model, features_tbn):
    """The authors' program written out in numpy, float64: the weights and the loss at each step."""
    weights = [np.asarray(w, float) for w in (model.w_mk, model.b_k, model.w_ko)]
    moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
    phi, slope = NONLINEARITIES[config.nonlinearity], SLOPES[config.nonlinearity]
    embed_nm = np.asarray(world.embed_nm, float)
    steps, batch = features_tbn.shape[:2]
    rate, loss_t = hyperparams.learning_rate, []

    for step in range(steps):
        features_bn = np.asarray(features_tbn[step], float)
        x_bm = features_bn @ embed_nm
        y_bo = {"decoder": features_bn, "abs": np.abs(features_bn)}.get(config.task)
        if y_bo is None:
            y_bo = features_bn @ np.asarray(world.reproject_nm, float)

        w_mk, b_k, w_ko = weights
        before_bk = x_bm @ w_mk + b_k
        h_bk = phi(before_bk)
        error_bo = h_bk @ w_ko - y_bo
        loss_t.append((error_bo**2).sum() / batch)

        grad_bk = 2 * error_bo @ w_ko.T / batch + hyperparams.l1 * np.sign(h_bk) / batch
        grad_bk = grad_bk * slope(before_bk)
        grads = [x_bm.T @ grad_bk, grad_bk.sum(0), h_bk.T @ (2 * error_bo / batch)]

        now = rate * (1 + math.cos(math.pi * step / 512)) / 2
        for i, grad in enumerate(grads):
            mean = 0.9 * moments[i][0] + 0.1 * grad
            square = 0.999 * moments[i][1] + 0.001 * grad**2
            moments[i] = mean, square
            direction = mean / (np.sqrt(square) + 1e-6)
            size, weight = np.linalg.norm(direction), min(np.linalg.norm(weights[i]), 10)
            trust = weight / size if size and weight else 1
            weights[i] = weights[i] - now * trust * direction
        if step < steps / 2:
            weights[1] = weights[1] * (1 - hyperparams.bias_decay * rate)
    return weights, np.array(loss_t)


FAR = {
    "power law": ({"feature_law": "power_law"}, {"bias_decay": 0.1}, 64),
    "gelu": ({"nonlinearity": "gelu"}, {"init_bias": -1.0, "bias_decay": 0.03}, 64),
    "solu": ({"nonlinearity": "solu"}, {"learning_rate": 0.003}, 64),
    "l1, abs": ({"task": "abs"}, {"l1": 0.01, "learning_rate": 0.003}, 64),
    "l1, signed": ({"nonlinearity": "gelu"}, {"l1": 0.01, "learning_rate": 0.003}, 64),
    "never fires": ({}, {"init_bias": -50.0, "bias_decay": 1.0}, 64),
    "1100 steps": ({}, {"init_bias": -1.0, "bias_decay": 0.03}, 1100),
    "1100 steps, abs": ({"task": "abs"}, {"learning_rate": 0.003}, 1100),
    "1100 steps, reproject": ({"task": "reproject"}, {"learning_rate": 0.001}, 1100),
}
"""Words of a Config, numbers of its Hyperparams, steps: where no trace of the authors goes."""


@pytest.mark.parametrize(("words", "numbers", "steps"), FAR.values(), ids=FAR)
def test_other_settings_follow_the_published_program(words, numbers, steps):
    config, hyperparams = Config(n=16, m=4, k=24, **words), Hyperparams(eps=1 / 4, **numbers)
    assert_published(config, hyperparams, *started(config, hyperparams, steps))


def test_norms_that_pass_the_clamp_follow_the_published_program():
    config, hyperparams = Config(n=16, m=4, k=24), Hyperparams(learning_rate=0.01)
    world, model, features_tbn = started(config, hyperparams, 64)
    model = jax.tree.map(lambda w: 10.05 * w / jnp.linalg.norm(w), model)
    trained = assert_published(config, hyperparams, world, model, features_tbn)
    assert all(jnp.linalg.norm(w) < 10 for w in jax.tree.leaves(trained))


def started(config, hyperparams, steps):
    """A world, weights and batches of 32, drawn by numpy."""
    n, m, k, o = config.n, config.m, config.k, TASKS[config.task].outputs(config)
    rng = np.random.default_rng(0)

    def uniform(*shape):
        return jnp.asarray(rng.uniform(-1, 1, shape), jnp.float32)

    world = World(uniform(n, m), uniform(n, m), task=config.task)
    model = Model(uniform(m, k) / 2, uniform(k) / 2 + hyperparams.init_bias, uniform(k, o) / 5)
    frequency_n = (
        hyperparams.eps if config.feature_law == "equal" else np.arange(1.0, n + 1) ** -1.1
    )
    present_tbn = rng.uniform(size=(steps, 32, n)) < frequency_n
    return (
        world,
        model,
        present_tbn * (abs if config.task != "abs" else jnp.array)(uniform(steps, 32, n)),
    )


def assert_published(config, hyperparams, world, model, features_tbn):
    trained, loss_t = replay(config, hyperparams, world, model, features_tbn)
    weights, wanted_t = published(config, hyperparams, world, model, features_tbn)
    np.testing.assert_allclose(loss_t, wanted_t, rtol=1e-5)
    for got, wanted in zip(jax.tree.leaves(trained), weights, strict=True):
        assert relative_error(got, wanted) < 1e-5
    return trained
