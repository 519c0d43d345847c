"""Config and Hyperparams: what they accept, what they say, how they stack."""

import dataclasses
import math
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toymono import Config, Hyperparams, fields, stack, unstack
from toymono import config as settings
from toymono.fields import TOY, TOY_CONFIG, TOY_HYPERPARAMS


def test_the_defaults_are_the_laptop_preset():
    assert Config() == Config("decoder", 512, 64, 512, "relu", "equal")
    assert Hyperparams().exponent == 1.1
    assert Hyperparams().cosine_period == 1024
    assert Hyperparams().eps == 1 / 64


@pytest.mark.parametrize("field", [name for name, f in TOY_CONFIG.items() if f.choices])
def test_an_invalid_choice_is_reported_with_the_choices(field):
    choices = ", ".join(TOY_CONFIG[field].choices)
    with pytest.raises(ValueError, match=rf"^{field}='decode' is not one of {choices}$"):
        Config(**{field: "decode"})


@pytest.mark.parametrize("field", ["n", "m", "k", "batch_size"])
@pytest.mark.parametrize("value", [0, -3, 1.5, 8.0, True, "8", None, math.nan])
def test_a_size_is_a_positive_whole_number(field, value):
    with pytest.raises(
        ValueError, match=rf"^{field}={value!r} is not a whole number of at least 1$"
    ):
        Config(**{field: value})


@pytest.mark.parametrize("kind", [np.int64, np.uint8, jnp.int32])
def test_integer_types_give_equal_configs(kind):
    config = Config(n=kind(32), m=kind(8), k=kind(64), batch_size=kind(16), log2_steps=kind(3))
    assert config == Config(n=32, m=8, k=64, batch_size=16, log2_steps=3)
    assert {type(value) for value in dataclasses.asdict(config).values()} == {int, str}


def test_an_embedding_has_no_more_dimensions_than_features():
    assert Config(n=8, m=8).m == 8
    with pytest.raises(ValueError, match=r"^m=9 is more than n=8"):
        Config(n=8, m=9)


@pytest.mark.parametrize("value", [-1, 25, 2.0])
def test_steps_are_bounded(value):
    with pytest.raises(ValueError, match=rf"^log2_steps={value!r} "):
        Config(log2_steps=value)


def test_derived_properties_of_a_config():
    config = Config("reproject", n=16, m=4, log2_steps=3)
    assert (config.steps, config.snapshot_steps) == (8, (1, 2, 4, 8))
    assert Config(log2_steps=0).snapshot_steps == (1,)


# What JAX sees.


def test_a_config_is_static_and_hashable():
    assert jax.tree.leaves(Config()) == []
    assert jax.jit(lambda config: config)(Config(k=3)) == Config(k=3)
    assert {Config(k=3): 1}[Config(k=3)] == 1
    assert hash(Config(k=3)) != hash(Config(k=4))
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().k = 3


def test_hyperparameters_are_pytree_leaves():
    assert len(jax.tree.leaves(Hyperparams())) == len(dataclasses.fields(Hyperparams))


# Hyperparams.

OUT_OF_RANGE = [
    ("eps", 0.0, "(0, 1]"),
    ("eps", -0.5, "(0, 1]"),
    ("eps", 1.5, "(0, 1]"),
    ("eps", math.nan, "(0, 1]"),
    ("learning_rate", -0.1, "[0, inf)"),
    ("learning_rate", math.inf, "[0, inf)"),
    ("bias_decay", -1.0, "[0, inf)"),
    ("l1", -1.0, "[0, inf)"),
    ("exponent", -1.0, "[0, inf)"),
    ("cosine_period", 0.0, "(0, inf)"),
    ("dropout_rate", 1.0, "[0, 1)"),
    ("dropout_rate", -0.1, "[0, 1)"),
    ("noise_scale", -1.0, "[0, inf)"),
    ("start_margin", -2.0, "[-1, inf)"),
    ("firing_target", 1.5, "[0, 1]"),
    ("pull_weight", -1.0, "[0, inf)"),
    ("density", 0.0, "(0, 1]"),
    ("density", 1.5, "(0, 1]"),
    ("drop_share", -0.1, "[0, 1]"),
    ("init_bias", math.nan, "(-inf, inf)"),
    ("init_bias", -math.inf, "(-inf, inf)"),
]


@pytest.mark.parametrize(("name", "value", "interval"), OUT_OF_RANGE)
def test_a_hyperparameter_out_of_range_is_reported_with_its_range(name, value, interval):
    for hyperparam in (value, jnp.array([0.5, value, 0.5])):
        with pytest.raises(ValueError, match="is not in") as caught:
            Hyperparams(**{name: hyperparam}).checked()
        assert str(caught.value).startswith(f"{name}={value:g} is not in {interval}")


def test_every_hyperparameter_has_a_range_that_includes_its_default():
    assert Hyperparams().checked() == Hyperparams(
        **jax.tree.map(jnp.float32, dataclasses.asdict(Hyperparams()))
    )
    assert list(TOY_HYPERPARAMS) == [field.name for field in dataclasses.fields(Hyperparams)]
    assert list(TOY_CONFIG) == [field.name for field in dataclasses.fields(Config)]


@given(st.sampled_from([0, 1, 0.25, 1 / 64]), st.sampled_from([float, jnp.float32, jnp.asarray]))
def test_checked_hyperparameters_are_float32(value, kind):
    hyperparams = Hyperparams(init_bias=kind(value)).checked()
    assert {leaf.dtype for leaf in jax.tree.leaves(hyperparams)} == {jnp.dtype("float32")}
    assert not any(leaf.weak_type for leaf in jax.tree.leaves(hyperparams))
    assert hyperparams.init_bias == value


def test_tracers_are_not_range_checked():
    jax.jit(lambda hyperparams: hyperparams.checked())(Hyperparams(eps=7.0))


# Fields, grids, stacks.


def test_fields_are_described():
    assert (TOY["task"].type, TOY["k"].type, TOY["eps"].type) == (str, int, float)
    assert all(field.description.endswith(".") for field in TOY.values())
    assert all(field.check(field.default) == field.default for field in TOY.values())


@pytest.mark.parametrize("field", TOY.values(), ids=lambda field: field.name)
def test_field_text_round_trips(field):
    assert field.parse(field.text(field.default)) == field.default


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("k", "many", "k='many' is not a whole number"),
        ("k", "99999999999", "k=99999999999 is more than 16777216"),
        ("eps", "often", "eps='often' is not a number"),
        ("eps", "1e400", "eps=inf is not in (0, 1]"),
        ("task", "decode", "task='decode' is not one of decoder, reproject, abs, identity"),
    ],
)
def test_an_invalid_value_is_reported(name, text, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        TOY[name].parse(text)


def test_fields_without_effect():
    values = {name: field.default for name, field in TOY.items()}
    assert not TOY["alpha"].matters(values)
    assert TOY["alpha"].matters(values | {"penalty": "soft"})
    assert TOY["eps"].matters(values)


def test_split_separates_config_and_hyperparameters():
    config, hyperparams = settings.split({"k": 8, "eps": 0.5, "task": "abs"})
    assert (config, hyperparams) == (Config(k=8, task="abs"), Hyperparams(eps=0.5))
    assert settings.split({}) == (Config(), Hyperparams())


def test_an_unknown_field_is_named_with_the_choices():
    with pytest.raises(
        ValueError, match=r"^'epz' is not one of task, n, m, .*eps.*cosine_period, .*$"
    ):
        settings.split({"epz": 1})


@given(st.dictionaries(st.sampled_from("abc"), st.lists(st.integers(), unique=True)))
def test_a_grid_is_every_combination_once(axes):
    points = [tuple(point.items()) for point in fields.grid(axes)]
    assert len(points) == len(set(points)) == math.prod(map(len, axes.values()))
    assert all(value in axes[name] for point in points for name, value in point)


def test_the_last_axis_of_a_grid_is_the_fastest():
    points = list(fields.grid({"a": [1, 2], "b": [3, 4]}))
    assert [tuple(point.values()) for point in points] == [(1, 3), (1, 4), (2, 3), (2, 4)]


def test_unstack_undoes_stack(points):
    stacked = stack(points)
    assert stacked.eps.shape == (3,)
    for one, point in zip(unstack(stacked), points, strict=True):
        chex.assert_trees_all_close(one, point.checked())
