"""Samples of features: frequencies, values, independence; and how they are embedded."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from toymono import Config, Hyperparams, features

PAPER = {"n": 512, "m": 64}
sample = jax.jit(features.sample)


# Samples. Each case: fields of the config and hyperparameters other than the defaults below.

CASES = {
    "sparse": ({"n": 64}, {}),
    "dense": ({}, {"eps": 0.9}),
    "many": ({"batch_size": 2**18}, {"eps": 0.3}),  # where a bias of a few per mille shows
    "always": ({}, {"eps": 1.0}),
    "power law, some always": ({"feature_law": "power_law"}, {"eps": 0.5}),
    "power law of the paper": ({"feature_law": "power_law", **PAPER}, {}),
    "abs": ({"task": "abs"}, {"eps": 0.3}),
    "abs, power law": ({"task": "abs", "feature_law": "power_law"}, {"eps": 0.5}),
    "mask": ({"task": "identity"}, {"eps": 0.3}),
    "mask, always": ({"task": "identity"}, {"eps": 1.0}),
    "no mask": ({"task": "identity"}, {"eps": 0.01}),
    "mask, power law": ({"task": "identity", "feature_law": "power_law"}, {"eps": 0.3}),
    "one feature": ({"n": 1, "m": 1}, {"eps": 0.3}),
    "batch not a multiple": ({"n": 500, "batch_size": 1000}, {"eps": 0.1}),
    "more features than cells": ({"n": 10_000, "batch_size": 50}, {"eps": 0.1}),
    "one sample": ({"n": 8192, "batch_size": 1}, {"eps": 0.5}),
}


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def drawn(request):
    """A case's config, hyperparams and one large batch."""
    static, traced = request.param
    config = Config(**{"n": 16, "m": 1, "batch_size": 2**14} | static)
    hyperparams = Hyperparams(**{"eps": 1 / 64} | traced)
    return config, hyperparams, np.asarray(sample(config, hyperparams, jax.random.key(1)))


def published_frequency(config, hyperparams):
    """Probability of each feature in one draw of the authors' program."""
    eps = hyperparams.eps / 2 if config.task == "abs" else hyperparams.eps
    if config.feature_law == "equal":
        return np.full(config.n, eps)
    share_n = np.arange(1.0, config.n + 1) ** -hyperparams.exponent
    return np.minimum(config.n * eps * share_n / share_n.sum(), 1)


def test_features_have_the_published_frequencies(drawn):
    config, hyperparams, features_bn = drawn
    p_n = published_frequency(config, hyperparams)
    if config.task == "abs":
        p_n = 1 - (1 - p_n) ** 2
    count_n = (features_bn != 0).sum(axis=0)
    certain_n = p_n == 1
    assert (count_n[certain_n] == config.batch_size).all()

    p_n, count_n = p_n[~certain_n], count_n[~certain_n]
    variance_n = config.batch_size * p_n * (1 - p_n)
    error_n = count_n - config.batch_size * p_n
    assert abs(error_n.sum()) <= 4 * np.sqrt(variance_n.sum())
    if config.batch_size * p_n.min(initial=1) > 5:  # or the normal approximation fails
        z_n = error_n / np.sqrt(variance_n)
        assert abs(z_n).max(initial=0) < 5
        assert abs((z_n**2 - 1).sum()) <= 4 * np.sqrt(2 * len(z_n))


def test_the_number_of_features_in_a_sample_has_the_variance_of_independent_features(drawn):
    config, hyperparams, features_bn = drawn
    if config.batch_size < 1000:
        pytest.skip("too few samples")
    p_n = published_frequency(config, hyperparams)
    if config.task == "abs":
        p_n = 1 - (1 - p_n) ** 2
    variance = (p_n * (1 - p_n)).sum()
    active_b = (features_bn != 0).sum(axis=1)
    fourth = ((active_b - p_n.sum()) ** 4).mean()
    error = np.sqrt(max(fourth - variance**2, 0) / config.batch_size)
    assert abs(active_b.var() - variance) <= 4 * error


def test_present_features_are_uniform(drawn):
    config, _, features_bn = drawn
    values = features_bn[features_bn != 0]
    if config.task != "abs":
        assert values.min() > 0
        assert values.max() < 1
        assert scipy.stats.kstest(values[:20_000], "uniform").pvalue > 1e-3
    else:
        assert abs(values).max() < 1
        assert scipy.stats.ks_2samp(values[values > 0], -values[values < 0]).pvalue > 1e-3


def test_overlapping_draws_of_abs_subtract():
    config = Config("abs", n=16, m=1, batch_size=2**14)
    squares = np.asarray(sample(config, Hyperparams(eps=1.0), jax.random.key(0))) ** 2
    q = 1 / 2  # frequency in each of the two draws
    wanted = 2 * q / 3 - 2 * (q / 2) ** 2
    assert abs(squares.mean() - wanted) < 4 * squares.std() / np.sqrt(squares.size)


@pytest.fixture(scope="module")
def independent():
    """Presence and value of 16 features, 2**14 samples of which 512 share a process."""
    config = Config(n=16, m=1, batch_size=2**14)
    features_bn = np.asarray(sample(config, Hyperparams(eps=0.3), jax.random.key(2)))
    return (features_bn != 0) - 0.3, features_bn


def test_features_of_a_sample_are_independent(independent):
    present_bn, features_bn = independent
    for columns_bn in (present_bn, features_bn):
        correlation_nn = np.corrcoef(columns_bn.T)[np.triu_indices(16, 1)]
        assert abs(correlation_nn).max() * np.sqrt(2**14) < 4.5


@pytest.mark.parametrize("distance", [1, 2, 511, 512, 513])
def test_samples_of_a_batch_are_independent(independent, distance):
    present_bn, features_bn = independent
    both_bn = present_bn[distance:] * present_bn[:-distance]
    assert abs(both_bn.mean(0)).max() < 4.5 * 0.3 * 0.7 / np.sqrt(len(both_bn))
    pairs = features_bn[distance:], features_bn[:-distance]
    value, next_value = (column[(pairs[0] != 0) & (pairs[1] != 0)] for column in pairs)
    assert abs(np.corrcoef(value, next_value)[0, 1]) < 4.5 / np.sqrt(len(value))


def test_values_do_not_depend_on_the_presence_of_other_features(independent):
    present_bn, features_bn = independent
    for feature in range(16):
        here_b = features_bn[:, feature] != 0
        others_b = np.delete(present_bn, feature, axis=1).sum(1)[here_b]
        r = np.corrcoef(features_bn[here_b, feature], others_b)[0, 1]
        assert abs(r) < 4.5 / np.sqrt(here_b.sum())


def test_the_sampler_loop_keeps_all_arrivals(monkeypatch):
    """Three arrivals per round, of which a batch of 256 cells needs about 60."""
    monkeypatch.setattr(features, "_ARRIVALS", 3)
    config, hyperparams = Config(n=4, m=1, batch_size=64), Hyperparams(eps=0.5)
    keys = jax.random.split(jax.random.key(5), 1000)
    batches_rbn = jax.jit(jax.vmap(lambda key: features.sample(config, hyperparams, key)))(keys)
    z_bn = ((batches_rbn != 0).mean(axis=0) - 0.5) / np.sqrt(0.25 / 1000)
    assert abs(z_bn).max() < 4.5
    assert abs((z_bn**2).sum() - z_bn.size) < 4 * np.sqrt(2 * z_bn.size)
    # The process reaches the last cells last: they have the same frequency.
    assert abs(z_bn[-8:].sum()) < 4 * np.sqrt(32)


@pytest.fixture(scope="module")
def unequal():
    """16 features by a power law, of which the first are always present."""
    config = Config(n=16, m=1, batch_size=2**14, feature_law="power_law")
    hyperparams = Hyperparams(eps=0.5)
    features_bn = np.asarray(sample(config, hyperparams, jax.random.key(4)))
    certain = int((np.asarray(features.frequencies(config, hyperparams)) == 1).sum())
    assert 2 <= certain <= 8
    return features_bn, certain


def test_the_values_of_rare_features_are_uniform_too(unequal):
    features_bn, _ = unequal
    pvalues = [
        scipy.stats.kstest(column[column != 0], "uniform").pvalue for column in features_bn.T
    ]
    assert min(pvalues) > 1e-3 / 16


def test_features_always_present_are_independent_of_all_others(unequal):
    features_bn, certain = unequal
    assert (features_bn[:, :certain] > 0).all()
    correlation_nn = np.corrcoef(features_bn.T)[:certain]
    others_nn = correlation_nn[np.triu_indices(certain, 1, 16)]
    assert abs(others_nn).max() * np.sqrt(2**14) < 4.5


def test_every_index_of_a_batch_has_the_same_frequency():
    config = Config(n=2, m=1, batch_size=4)
    keys = jax.random.split(jax.random.key(0), 4000)
    batches_rbn = jax.jit(jax.vmap(lambda key: features.sample(config, Hyperparams(eps=0.3), key)))(
        keys
    )
    share_bn = (batches_rbn != 0).mean(axis=0)
    assert abs(share_bn - 0.3).max() < 4 * np.sqrt(0.3 * 0.7 / 4000)


def test_samples_are_determined_by_their_key(config, key):
    one, again, other = (sample(config, Hyperparams(), k) for k in (key, key, jax.random.key(1)))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_a_batch_does_not_depend_on_other_batches(config):
    keys, eps_r = jax.random.split(jax.random.key(0), 3), jnp.array([0.01, 0.3, 1.0])
    together = jax.vmap(lambda eps, key: sample(config, Hyperparams(eps=eps), key))(eps_r, keys)
    for batch_bn, eps, key in zip(together, eps_r, keys, strict=True):
        np.testing.assert_array_equal(batch_bn, sample(config, Hyperparams(eps=eps), key))


# Embeddings.


def test_the_embedding_of_the_paper():
    embed_nm = np.asarray(features.embedding(jax.random.key(0), 512, 64))
    np.testing.assert_allclose(np.linalg.norm(embed_nm, axis=1), 1, rtol=1e-5)
    singular_m = np.linalg.svd(embed_nm, compute_uv=False)
    assert singular_m.min() == pytest.approx(2.68, abs=0.03)
    assert singular_m.max() == pytest.approx(2.97, abs=0.03)
    cosines = (embed_nm @ embed_nm.T)[np.triu_indices(512, 1)]
    assert np.sqrt((cosines**2).mean()) == pytest.approx(0.117, abs=1e-3)
    assert abs(cosines).max() == pytest.approx(0.52, abs=0.06)


def test_as_many_dimensions_as_features_are_orthogonal(key):
    embed_nn = features.embedding(key, 8, 8)
    np.testing.assert_allclose(embed_nn @ embed_nn.T, np.eye(8), atol=1e-5)


def test_configs_of_one_size_share_the_embedding(config, key):
    tasks = [features.build(Config(task, 16, 4), key) for task in ("decoder", "reproject", "abs")]
    for world in tasks[1:]:
        chex.assert_trees_all_equal(world.embed_nm, tasks[0].embed_nm)
    reproject_nm = tasks[1].reproject_nm
    np.testing.assert_allclose(jnp.linalg.norm(reproject_nm, axis=1), 1, rtol=1e-5)
    assert abs(reproject_nm - tasks[1].embed_nm).max() > 0.1
    assert tasks[0].reproject_nm is tasks[2].reproject_nm is None


# Static limits of the loops.

SETTINGS = {
    "sparse": (Config(n=16, m=4, k=8, batch_size=600), Hyperparams(eps=1 / 64)),
    "dense": (Config(n=16, m=4, k=8, batch_size=600), Hyperparams(eps=0.5)),
    "signed": (Config("abs", 16, 4, 8, batch_size=600), Hyperparams(eps=0.25)),
    "always present": (
        Config(n=16, m=4, k=8, feature_law="power_law", batch_size=600),
        Hyperparams(eps=0.3),
    ),
    "mask": (Config("identity", 16, 4, 8, batch_size=600), Hyperparams(eps=1 / 64)),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_draws_are_the_same_with_static_limits(setting):
    config, hyperparams = SETTINGS[setting]
    limits = features.limits(config, hyperparams)
    larger = limits._replace(rounds=2 * limits.rounds, certain=config.n)
    draw = jax.jit(features.sample, static_argnums=3)
    for seed in range(3):
        key = jax.random.key(seed)
        wanted = np.asarray(draw(config, hyperparams, key, None))
        for static in (limits, larger):
            np.testing.assert_array_equal(draw(config, hyperparams, key, static), wanted)


def test_limits_that_are_too_low_would_be_noticed():
    config, hyperparams = SETTINGS["dense"]
    limits = features.limits(config, hyperparams)
    assert limits.rounds >= 16
    few = limits._replace(rounds=limits.rounds // 4)
    key = jax.random.key(0)
    wanted = np.asarray(features.sample(config, hyperparams, key))
    assert (np.asarray(features.sample(config, hyperparams, key, few)) != wanted).any()


@pytest.mark.parametrize(("count", "mean"), [(192, 129.0), (384, 129.0), (192, 64.0), (8, 0.0)])
def test_limits_bound_the_probability_of_a_further_round(count, mean):
    exact = scipy.stats.poisson.logsf(count - 1, mean)
    bound = features._log_excess(count, mean)
    assert exact <= bound
    assert bound < 0.6 * exact or exact == -np.inf


def test_limits_are_those_of_the_largest_frequencies():
    config = Config("abs", n=512, m=64, feature_law="power_law")
    one, several = (features.limits(config, Hyperparams(eps=eps)) for eps in (0.02, 0.3))
    assert one.certain == 0
    assert several.rounds > one.rounds
    stacked = Hyperparams(eps=jnp.array([0.02, 0.3]), exponent=jnp.array([1.1, 1.1]))
    assert features.limits(config, stacked) == several
    assert several.certain >= 2
    assert jax.jit(lambda eps: features.limits(config, Hyperparams(eps=eps)) is None)(0.1)
