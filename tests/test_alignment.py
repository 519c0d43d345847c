"""Matching the neurons of two models: by hand, against brute force, and under symmetries."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toymono import Config, Model, alignment, models

SIZES = Config(n=6, m=3, k=7)


def random(seed: int, k: int = 7, nonlinearity: str = "relu") -> Model:
    config = Config(n=6, m=3, k=k, nonlinearity=nonlinearity)
    return models.init(config, 0.3, jax.random.key(seed))


def inputs(seed: int = 5, count: int = 40):
    return jax.random.normal(jax.random.key(seed), (count, 3))


def close(model: Model, other: Model, atol: float = 1e-6) -> bool:
    pairs = zip(jax.tree.leaves(model), jax.tree.leaves(other), strict=True)
    return all(np.allclose(a, b, atol=atol) for a, b in pairs)


@pytest.mark.parametrize("by", alignment.MATCHINGS)
def test_a_permuted_copy_is_put_back(by):
    model, order_k = random(0), jnp.array([3, 0, 6, 2, 5, 1, 4])
    other = models.permute(model, order_k)
    found_k = alignment.align(model, other, by, inputs())
    assert order_k[found_k].tolist() == list(range(7))
    assert alignment.align(model, model, by, inputs()).tolist() == list(range(7))


@pytest.mark.parametrize("by", alignment.MATCHINGS)
def test_the_assignment_is_the_least_of_all_permutations(by):
    model, other, every = random(0), random(1), range(7)
    cost_kk = alignment.cost(model, other, by, inputs())
    order_k = alignment.align(model, other, by, inputs())
    least = min(cost_kk[every, order].sum() for order in itertools.permutations(every))
    assert cost_kk[every, order_k].sum() == pytest.approx(least, rel=1e-9)
    # What is aligned stays as it is.
    again_k = alignment.align(model, models.permute(other, jnp.asarray(order_k)), by, inputs())
    assert again_k.tolist() == list(every)


def test_costs_are_squared_distances():
    model, other = random(0), random(1)
    i, j = 2, 4
    apart = (model.w_mk[:, i] - other.w_mk[:, j], model.w_ko[i] - other.w_ko[j])
    by_hand = sum((d**2).sum() for d in apart) + (model.b_k[i] - other.b_k[j]) ** 2
    assert alignment.cost(model, other)[i, j] == pytest.approx(float(by_hand), rel=1e-5)
    h, g = (np.asarray(net.neurons(inputs())) for net in (model, other))
    added = h[:, [i]] * np.asarray(model.w_ko[i]) - g[:, [j]] * np.asarray(other.w_ko[j])
    assert alignment.cost(model, other, "contributions", inputs())[i, j] == pytest.approx(
        (added**2).sum(axis=1).mean(), rel=1e-5
    )
    assert alignment.cost(model, other, "correlation", inputs())[i, j] == pytest.approx(
        -np.corrcoef(h[:, i], g[:, j])[0, 1], rel=1e-4
    )


def test_the_best_factor_is_that_of_a_dense_search():
    (u_kd, v_ko), (p_kd, q_ko) = map(alignment.halves, (random(0), random(1)))
    c = np.exp(np.linspace(-6, 6, 40001))
    cost_kk = alignment.cost(random(0), random(1), "scaled")
    for i, j in itertools.product(range(7), repeat=2):
        apart = ((u_kd[i] - c[:, None] * p_kd[j]) ** 2).sum(1)
        apart += ((v_ko[i] - q_ko[j] / c[:, None]) ** 2).sum(1)
        assert cost_kk[i, j] == pytest.approx(apart.min(), rel=1e-6)
        assert cost_kk[i, j] <= apart.min() + 1e-12


def test_rescaled_copies_match_only_modulo_factors():
    model = random(0)
    factor_k = jnp.exp(jax.random.normal(jax.random.key(3), (7,)))
    scaled = Model(
        model.w_mk * factor_k[None], model.b_k * factor_k, model.w_ko / factor_k[:, None]
    )
    assert np.allclose(model(inputs()), scaled(inputs()), atol=1e-5)
    assert close(alignment.rescaled(model, scaled), model, 1e-5)
    assert close(alignment.balanced(model), alignment.balanced(scaled), 1e-5)
    assert np.trace(alignment.cost(model, scaled, "scaled")) == pytest.approx(0, abs=1e-8)
    assert np.trace(alignment.cost(model, scaled, "balanced")) == pytest.approx(0, abs=1e-8)
    assert np.trace(alignment.cost(model, scaled)) > 0.1


def test_balanced_halves_are_equally_long():
    into_kd, out_ko = alignment.halves(alignment.balanced(random(0)))
    assert np.allclose(np.linalg.norm(into_kd, axis=1), np.linalg.norm(out_ko, axis=1), rtol=1e-5)


def test_neurons_without_weights_stay_as_they_are():
    model = random(0)
    empty = model.replace(
        w_mk=model.w_mk.at[:, 2].set(0), b_k=model.b_k.at[2].set(0), w_ko=model.w_ko.at[4].set(0)
    )
    for changed in (alignment.balanced(empty), alignment.rescaled(model, empty)):
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(changed))
    assert np.isfinite(alignment.cost(empty, empty, "scaled")).all()


def test_dead_neurons_have_no_correlation():
    model = random(0)
    dead = model.replace(b_k=model.b_k.at[jnp.array([1, 5])].set(-100.0))
    cost_kk = alignment.cost(dead, dead, "correlation", inputs())
    assert (cost_kk[1] == 0).all()
    assert (cost_kk[:, 5] == 0).all()
    swapped = models.permute(dead, jnp.array([0, 5, 2, 3, 4, 1, 6]))
    found_k = alignment.align(dead, swapped, "correlation", inputs())
    assert [k for k in found_k if k not in (1, 5)] == [0, 2, 3, 4, 6]


def test_the_line_is_exact_at_its_ends_and_between_equal_models():
    model, other = random(0), random(1)
    for t, end in ((0.0, model), (1.0, other)):
        found = alignment.interpolate(model, other, t)
        assert all(map(np.array_equal, *map(jax.tree.leaves, (found, end))))
    for t in (0.3, 0.7):
        found = alignment.interpolate(model, model, t)
        assert all(map(np.array_equal, *map(jax.tree.leaves, (found, model))))
    assert close(
        alignment.interpolate(model, other, 0.25),
        jax.tree.map(lambda a, b: 0.75 * a + 0.25 * b, model, other),
    )


@pytest.mark.parametrize(
    ("other", "arguments", "message"),
    [
        (random(0, 8), {}, r"^the models differ in size: weights of \(3, 7\) and \(7, 6\), and of"),
        (random(0, nonlinearity="gelu"), {}, "^the models differ in nonlinearity: relu and gelu$"),
        (random(1), {"by": "names"}, "^by='names' is not one of weights, balanced"),
        (random(1), {"by": "correlation"}, "x_bm is missing$"),
    ],
)
def test_models_that_cannot_be_matched(other, arguments, message):
    with pytest.raises(ValueError, match=message):
        alignment.align(random(0), other, **arguments)


@pytest.mark.parametrize("by", ["balanced", "scaled"])
def test_only_relu_has_factors(by):
    gelu = random(0, nonlinearity="gelu")
    with pytest.raises(ValueError, match="only under relu"):
        alignment.align(gelu, gelu, by)


def test_a_tied_model_has_no_neurons_to_match():
    tied = models.TiedModel(jnp.ones((4, 2)), jnp.zeros(4))
    with pytest.raises(ValueError, match="a TiedModel has no hidden neurons to match"):
        alignment.align(tied, tied)
