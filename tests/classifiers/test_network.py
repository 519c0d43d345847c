"""Classifiers: the networks by hand, and their settings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toymono.classifiers import network
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.classifiers.fields import CLASSIFIER
from toymono.fields import parse_widths, widths_text

TINY = ClassifierConfig(sizes=(12, 8), batch_size=32, epochs=6)


def test_dropout_and_layer_norm_by_hand(digits, key):
    config = ClassifierConfig(sizes=(5, 4), nonlinearity="tent", layer_norm="on", dropout="on")
    params = network.init(config, (8, 8), key)
    assert set(params) == {"hidden_0", "norm_0", "hidden_1", "norm_1", "output"}
    images_bhw = digits.train_bhw[:6]
    drop = network.Dropout(jnp.float32(0.5), key)
    found = network.build(config).apply({"params": params}, images_bhw, dropout=drop)
    h_bd = np.asarray(images_bhw, float).reshape(6, 64)
    for layer in range(2):
        z_bd = h_bd @ np.asarray(params[f"hidden_{layer}"]["kernel"], float)
        spread_b1 = np.sqrt(z_bd.var(1, keepdims=True) + 1e-6)
        z_bd = (z_bd - z_bd.mean(1, keepdims=True)) / spread_b1
        h_bd = np.interp(z_bd, [0, 1, 2], [0, 1, 0])
        np.testing.assert_allclose(found.activations[layer], h_bd, atol=1e-4)
        kept_bd = jax.random.bernoulli(jax.random.fold_in(key, layer), 0.5, h_bd.shape)
        h_bd = 2 * h_bd * np.asarray(kept_bd)
    logits_by = h_bd @ np.asarray(params["output"]["kernel"], float)
    np.testing.assert_allclose(found.logits_by, logits_by, atol=1e-4)


def test_layer_norm_makes_the_code_blind_to_scale(digits, key):
    images_bhw = digits.train_bhw[:50]
    for norm, same in (("on", True), ("off", False)):
        config = ClassifierConfig(sizes=(16,), nonlinearity="tent", layer_norm=norm)
        params = network.init(config, (8, 8), key)
        one, other = (
            network.outputs(config, params, scale * images_bhw).activations[0] for scale in (1, 3)
        )
        assert np.allclose(one, other, atol=1e-3) == same


def test_edges_leave_the_layer_norm_out():
    config = ClassifierConfig(network="cnn", sizes=(6, 5), layer_norm="on")
    shapes = jax.eval_shape(lambda: network.init(config, (8, 8), jax.random.key(0)))
    params = jax.tree.map(lambda leaf: np.ones(leaf.shape), shapes)
    assert [s.shape for s in network.edges(params)] == [(1, 6), (6, 5), (5, 10)]


def test_every_choice_of_the_field_has_a_record():
    assert list(network.NETWORKS) == list(CLASSIFIER["network"].choices)
    assert [network.NETWORKS[name].positions((4, 5)) for name in ("mlp", "cnn")] == [1, 20]


def test_published_network_has_the_published_kernels(key):
    params = network.init(ClassifierConfig(), (28, 28), key)
    shapes = [strength.shape for strength in network.edges(params)]
    assert shapes == [(784, 256), (256, 256), (256, 256), (256, 256), (256, 10)]
    bound = np.sqrt(6 / (256 + 256))  # glorot uniform
    assert abs(params["hidden_1"]["kernel"]).max() == pytest.approx(bound, rel=1e-3)
    assert not params["hidden_1"]["bias"].any()


def test_channels_are_the_neurons_of_a_cnn(key):
    config = ClassifierConfig(network="cnn", sizes=(3, 5))
    params = network.init(config, (8, 8), key)
    strengths = network.edges(params)
    assert [strength.shape for strength in strengths] == [(1, 3), (3, 5), (5, 10)]
    conv, last = params["hidden_1"]["kernel"], params["output"]["kernel"]
    assert strengths[1][2, 4] == pytest.approx(float(abs(conv[:, :, 2, 4]).sum()), rel=1e-5)
    of_channel = np.asarray(last).reshape(2, 2, 5, 10)[:, :, 3, 7]
    assert strengths[2][3, 7] == pytest.approx(float(abs(of_channel).sum()), rel=1e-5)
    logits_by, activations, _ = network.build(config).apply({"params": params}, jnp.ones((2, 8, 8)))
    assert logits_by.shape == (2, 10)
    assert [a_bk.shape for a_bk in activations] == [(2, 3), (2, 5)]


def test_a_channel_counts_by_the_fraction_of_its_map(key):
    config = ClassifierConfig(network="cnn", sizes=(1,))
    params = jax.tree.map(jnp.zeros_like, network.init(config, (4, 4), key))
    params["hidden_0"]["kernel"] = params["hidden_0"]["kernel"].at[1, 1].set(2.0)  # the centre
    images_bhw = jnp.zeros((1, 4, 4)).at[0, 1, :3].set(1.0)
    _, [activations_bk], [fired_bk] = network.outputs(config, params, images_bhw)
    assert fired_bk.tolist() == [[3 / 16]]
    assert activations_bk.tolist() == [[6 / 16]]


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_ablated_neurons_are_inactive_and_have_no_effect(digits, key, name):
    config = ClassifierConfig(network=name, sizes=(4, 6))
    params = network.init(config, (8, 8), key)
    silent = [jnp.array([1.0, 0.0, 1.0, 1.0]), None]
    logits_by, activations, fired = network.outputs(config, params, digits.test_bhw, silent)
    assert not activations[0][:, 1].any()
    assert not fired[0][:, 1].any()
    kernel = params["hidden_1"]["kernel"]
    disconnected = {
        **params,
        "hidden_1": {**params["hidden_1"], "kernel": kernel.at[..., 1, :].set(0)},
    }
    expected_by = network.outputs(config, disconnected, digits.test_bhw).logits_by
    np.testing.assert_allclose(logits_by, expected_by, atol=1e-5)


def test_chunked_outputs_equal_unchunked(digits, key, monkeypatch):
    params = network.init(TINY, (8, 8), key)
    whole = network.outputs(TINY, params, digits.test_bhw)
    monkeypatch.setattr(network, "_AT_ONCE", 33)
    # Unwrapped, or the program compiled with the other number would run.
    in_parts = network.outputs.__wrapped__(TINY, params, digits.test_bhw)
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(in_parts), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


# Settings.


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"data": "letters"}, r"data='letters' is not one of digits, mnist, fashion_mnist"),
        ({"network": "rnn"}, r"network='rnn' is not one of mlp, cnn"),
        ({"penalty": "multi_feature"}, r"penalty='multi_feature' is not one of soft, hard"),
        ({"sizes": (4, 0)}, r"sizes=0 is not a whole number of at least 1"),
        ({"sizes": ()}, r"names no hidden layer"),
        ({"batch_size": 1}, r"batch_size=1 is not a whole number of at least 2"),
        ({"epochs": 0}, r"epochs=0 is not"),
        ({"epochs": True}, r"epochs=True is not a whole number"),
        ({"sizes": (4.0,)}, r"sizes=4.0 is not a whole number"),
    ],
)
def test_errors_name_the_wrong_setting(wrong, message):
    with pytest.raises(ValueError, match=message):
        ClassifierConfig(**wrong)


def test_numpy_integers_are_accepted():
    sizes = np.array([12, 8])
    config = ClassifierConfig(sizes=sizes, batch_size=np.int64(32), epochs=np.int32(6))
    assert config == TINY
    assert {type(config.epochs), type(config.batch_size), *map(type, config.sizes)} == {int}


def test_errors_name_the_wrong_hyperparameter():
    with pytest.raises(ValueError, match=r"alpha=nan is not in \(-inf, inf\)"):
        ClassifierHyperparams(alpha=jnp.array([0.0, jnp.nan])).checked()
    with pytest.raises(ValueError, match=r"learning_rate=-1 is not in \[0, inf\)"):
        ClassifierHyperparams(learning_rate=-1.0).checked()


def test_widths_are_read_as_they_are_printed():
    for word in ("256x4", "64-32", "8x1"):
        assert widths_text(parse_widths(word)) == word
    for wrong in ("", "x", "0x4", "4x0", "4x", "a-b", "4-", "4,4"):
        with pytest.raises(ValueError, match=r"is neither WIDTHxDEPTH"):
            parse_widths(wrong)
