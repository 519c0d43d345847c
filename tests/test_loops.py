"""With static limits no loop inside a training step has a length that data decide.

On a GPU such a loop makes the host wait for its condition in every round.
"""

import re

import jax
import jax.numpy as jnp
import pytest

from toymono import Config, Hyperparams, begin, features, train_step
from toymono.job import Job
from toymono.sweep import devices, trainer
from toymono.sweep.plan import make

TINY = {"n": 16, "m": 4, "k": 12, "batch_size": 8, "log2_steps": 2}
CASES = {
    "decoder": Config(**TINY, penalty="multi_feature", dropout="on"),
    "abs": Config("abs", **TINY, feature_law="power_law", penalty="soft_random_amplitude"),
    "reproject": Config("reproject", **TINY, penalty="soft"),
    "tied": Config("identity", **TINY, model="tied", optimizer="adamw"),
    "skip": Config(**TINY, model="skip", skip_rank=2),
}


def step_with(config, hyperparams, limits):
    """A step on a fresh batch, and its arguments."""

    def step(hyperparams, world, state, key):
        features_bn = features.sample(config, hyperparams, key, limits)
        return train_step(config, hyperparams, world, state, features_bn)

    key = jax.random.key(0)
    return step, (hyperparams, *begin(config, hyperparams, key), key)


def loops(jaxpr):
    """The `while` loops of a jaxpr at any depth; loops of static length are scans."""
    found = []
    for equation in jaxpr.eqns:
        found += [equation] if equation.primitive.name == "while" else []
        for parameter in jax.tree.leaves(equation.params):
            inner = getattr(parameter, "jaxpr", parameter)
            found += loops(inner) if hasattr(inner, "eqns") else []
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_step_has_loops_of_static_length_only(name):
    hyperparams = Hyperparams(eps=0.25)
    config = CASES[name]
    limits = features.limits(config, hyperparams)
    step, args = step_with(config, hyperparams, limits)
    assert not loops(jax.make_jaxpr(step)(*args).jaxpr)
    free, args = step_with(config, hyperparams, None)
    assert loops(jax.make_jaxpr(free)(*args).jaxpr)


def test_the_compiled_step_knows_the_length_of_every_loop():
    hyperparams = Hyperparams(eps=0.5)

    def lengths(limits):
        """Of each `while` of the compiled program, whether its trip count is known."""
        step, args = step_with(CASES["abs"], hyperparams, limits)
        leaves, structure = jax.tree.flatten(args)  # `lower` would put other things in a World
        program = jax.jit(lambda *leaves: step(*jax.tree.unflatten(structure, leaves))[1])
        text = program.lower(*leaves).compile().as_text()
        whiles = [line for line in text.splitlines() if re.search(r"= .* while\(", line)]
        return ["known_trip_count" in line for line in whiles]

    # Many rounds, or the compiler would unroll them.
    static = lengths(features.Limits(rounds=64, certain=16))
    assert static
    assert all(static)
    assert not all(lengths(None))


def test_the_sweep_command_sets_limits_where_there_is_an_accelerator(monkeypatch, tmp_path):
    seen = []
    advance = devices.advance

    def recorded(*args, limits=None):
        seen.append(limits)
        return advance(*args, limits=limits)

    monkeypatch.setattr(devices, "advance", recorded)
    config, several = Config(**TINY), (0.1, 0.5)
    limits = features.limits(config, Hyperparams(eps=jnp.array(several)))
    for backend, wanted in (("cpu", None), ("gpu", limits)):
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        jobs = [Job(config, Hyperparams(eps=eps), 0) for eps in several]
        stored = list(trainer.run_plan(make(jobs, tmp_path / backend, 2), tmp_path / backend))
        assert len(stored) == 2
        assert set(seen) == {wanted}
        seen.clear()
