"""Names of runs: equal for equal settings, different where a setting matters."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toymono import Config, Hyperparams, store
from toymono.config import split
from toymono.fields import TOY, TOY_CONFIG, TOY_HYPERPARAMS
from toymono.job import Job


def test_run_names_are_stable():
    """Stored runs are found by it: a change here means that all are trained again."""
    config = Config("abs", 16, 4, 24, "gelu", "power_law", batch_size=8, log2_steps=4)
    hyperparams = Hyperparams(0.01, 1 / 8, -1.0, 0.1, 1e-3, exponent=1.1, cosine_period=1024.0)
    assert store.name(config, hyperparams, 5) == "0fee2a374a0f8561"  # all fields matter: format 1's


@pytest.mark.parametrize(
    ("field", "value", "matters"),
    [
        ("alpha", 0.0, {"penalty": "soft"}),
        ("exponent", 2.0, {"feature_law": "power_law"}),
        ("cosine_period", 64.0, {"schedule": "cosine"}),
        ("dropout_rate", 0.25, {"dropout": "on"}),
        ("weight_decay", 0.1, {"optimizer": "adamw"}),
        ("noise_scale", 0.25, {"noise": "on"}),
        ("start_margin", 0.25, {"bias_start": "below_each"}),
        ("firing_target", 0.25, {"decay_rule": "silent"}),
        ("pull_weight", 0.25, {"bias_pull": "on"}),
        ("pull_target", 0.25, {"bias_pull": "on"}),
        ("density_rule", "erk", {"sparsity": "set"}),
        ("density", 0.5, {"sparsity": "erdos_renyi"}),
        ("drop_share", 0.25, {"sparsity": "rigl"}),
        ("init_scale", 0.5, {"model": "tied", "task": "identity"}),
    ],
)
def test_a_field_without_effect_is_not_part_of_the_name(field, value, matters):
    """Or the same run would be trained twice, under two names."""
    idle = {"penalty": "none", "feature_law": "equal", "schedule": "constant"}

    def name(**values):
        return store.name(*split({**idle, **values}), 0)

    assert name() == name(**{field: value})
    assert name(**matters) != name(**matters, **{field: value})


@given(st.floats(width=32, min_value=0.015625, max_value=1))
def test_names_do_not_depend_on_number_types(eps):
    names = {
        store.name(Config(), Hyperparams(eps=kind(eps)), seed)
        for kind in (float, np.float64, np.float32, jnp.float32, np.asarray)
        for seed in (3, np.int64(3))
    }
    assert len(names) == 1


@pytest.mark.parametrize("number", ["0.01", "0.1", "0.003", "1e-6", "0.007"])
def test_a_decimal_names_the_same_run_in_every_precision(number):
    exact, rounded = (
        store.name(Config(), Hyperparams(l1=kind(number)), 0) for kind in (float, np.float32)
    )
    assert exact == rounded


def test_equal_settings_have_equal_names():
    assert Hyperparams(init_bias=-0.0) == Hyperparams(init_bias=0.0)
    assert store.name(Config(), Hyperparams(init_bias=-0.0), 0) == store.name(
        Config(), Hyperparams(), 0
    )


def test_every_field_that_matters_is_in_the_name():
    other = {"penalty": "soft", "optimizer": "adam", "schedule": "constant", "task": "abs"}
    other |= {"nonlinearity": "gelu", "feature_law": "equal", "matmul_precision": "bfloat16"}
    other |= {"dropout": "off", "noise": "off", "bias_pull": "off", "decay_rule": "moving"}
    other |= {"bias_start": "below_each", "origin": "continued", "match_parents": "none"}
    other |= {"sparsity": "rigl", "density_rule": "erk", "ticket_control": "random_masks"}
    other |= {"rewind_step": 8}
    base = Config(
        "identity", m=1, penalty="hard", feature_law="power_law", optimizer="adamw",
        dropout="on", noise="on", bias_pull="on", decay_rule="silent", sparsity="set",
    )  # fmt: skip
    plain = {"bias_pull": "off", "decay_rule": "all", "sparsity": "none"}
    tied = dataclasses.replace(base, model="tied", **plain)
    skip = dataclasses.replace(base, model="skip", sparsity="none")
    dense = dataclasses.replace(base, sparsity="none")
    pulled = dataclasses.replace(dense, origin="pull")
    ticket = dataclasses.replace(base, origin="ticket", sparsity="pruned")
    where = {"match_parents": pulled, "skip_rank": skip, "origin": dense}
    where |= {"ticket_control": ticket, "rewind_step": ticket}
    names = {store.name(base, Hyperparams(), seed) for seed in (0, 1)}
    for field in TOY_CONFIG:
        value = other.get(field, 7)
        of = where.get(field, base)
        config = tied if field == "model" else dataclasses.replace(of, **{field: value})
        names.add(store.name(config, Hyperparams(), 0))
    started = dataclasses.replace(base, bias_start="below_all")
    where_it_matters = {"init_scale": tied, "start_margin": started, "attraction": pulled}
    where_it_matters["line_loss"] = dataclasses.replace(dense, origin="connect")
    where_it_matters["fork_step"] = dataclasses.replace(base, fork_seed=1)
    for field in TOY_HYPERPARAMS:
        config = where_it_matters.get(field, base)
        names.add(store.name(config, Hyperparams(**{field: 0.375}), 0))
    assert len(names) == 2 + len(TOY)


def test_parents_and_data_are_in_the_name():
    job = Job(Config(), Hyperparams(), 0)
    others = [
        dataclasses.replace(job, parents=("a",)),
        dataclasses.replace(job, parents=("a", "b")),
        dataclasses.replace(job, fingerprint="f"),
    ]
    assert len({job.name, *(other.name for other in others)}) == 4
