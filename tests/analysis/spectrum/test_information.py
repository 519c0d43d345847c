"""The estimate of mutual information against channels whose information is known."""

import math

import jax
import numpy as np
import pytest

from toymono.analysis.spectrum import information, survives

SAMPLES = 4096


def bits(count, seed=0):
    return np.random.default_rng(seed).choice([-1.0, 1.0], (SAMPLES, count)).astype(np.float32)


def test_closed_forms():
    assert information.symmetric_information(0) == pytest.approx(math.log(2))
    assert information.symmetric_information(0.5) == pytest.approx(0)
    assert information.symmetric_information(0.1) == pytest.approx(0.368064, abs=1e-6)
    assert information.erasure_information(0.25, bits=2) == pytest.approx(1.5 * math.log(2))


def bound(sent, received):
    """The estimate; all variables have two columns, so that it is compiled once."""
    pair = [x if x.shape[1] == 2 else np.repeat(x, 2, axis=1) for x in (sent, received)]
    return float(information.information_bound(*pair, jax.random.key(0)))


@pytest.mark.parametrize("flipped", [0.1, 0.5])
def test_a_symmetric_channel(flipped):
    sent = bits(2)
    received = np.where(np.random.default_rng(1).random(sent.shape) < flipped, -sent, sent)
    expected = 2 * information.symmetric_information(flipped)
    assert bound(sent, received) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(("layers", "rewritten"), [(1, True), (4, True), (4, False)])
def test_copies_through_dropout(layers, rewritten):
    sent = bits(1)
    received = information.through_dropout(sent, 0.3, layers, copies=2, rewritten=rewritten)
    kept = survives(2, 1, 0.3, layers, rewritten)
    assert (received != 0).any(axis=1).mean() == pytest.approx(kept, abs=0.03)
    expected = information.erasure_information(1 - kept)
    assert bound(sent, received) == pytest.approx(expected, abs=0.04)


def test_all_bits_of_a_copy_are_seen():
    sent = bits(2)
    expected = information.erasure_information(0, bits=2)
    assert bound(sent, sent) == pytest.approx(expected, abs=0.05)


def test_wrong_input():
    with pytest.raises(AssertionError, match="4096"):
        information.information_bound(bits(1), bits(1)[:9], jax.random.key(0))
