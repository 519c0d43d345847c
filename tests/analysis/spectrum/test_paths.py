"""Actions of paths: closed forms against sampling, circles, smooth and rough paths."""

import math

import numpy as np
import pytest

from toymono.analysis import spectrum


def harmonics(power, frames=1024, modes=400, seed=0):
    """A closed path whose n-th harmonic has variance n^-power, each in dimensions of its own."""
    angle_t = 2 * np.pi * np.arange(frames) / frames
    order_n = np.arange(1, modes + 1)
    phase_tn = angle_t[:, None] * order_n[None]
    scale_n = order_n[None] ** (-power / 2)
    return np.concatenate([scale_n * np.cos(phase_tn), scale_n * np.sin(phase_tn)], axis=1)


def test_two_frames_by_hand():
    path_td = np.array([[0.0, 0, 0, 0], [0, 3, 0, 0]])
    assert spectrum.action(path_td) == 9
    assert spectrum.projected_action(path_td, 3) == 6.75
    # One step: |3 r|^2 with 3 entries of variance 1/4, whose squares have variance 2/16.
    assert spectrum.projected_action_std(path_td) == pytest.approx(9 * math.sqrt(3 * 2 / 16))


def test_closed_forms_agree_with_sampling():
    path_td = np.random.default_rng(0).normal(size=(30, 12)).cumsum(axis=0)
    sampled = spectrum.sampled_projected_actions(path_td, draws=4000)
    std = spectrum.projected_action_std(path_td)
    assert sampled.std() == pytest.approx(std, rel=0.06)
    error = std / math.sqrt(len(sampled))
    assert abs(sampled.mean() - spectrum.projected_action(path_td)) < 4 * error
    assert spectrum.projected_action_std(path_td[:5]) == pytest.approx(
        math.sqrt(6)
        * np.linalg.norm(np.diff(path_td[:5], axis=0) @ np.diff(path_td[:5], axis=0).T)
        / 12
    )


def test_an_ideal_circle():
    path_td = spectrum.circle(64)
    closed_td = np.concatenate([path_td, path_td[:1]])
    assert spectrum.action(closed_td) == pytest.approx(spectrum.circle_action(64))
    rotated_td = 7 * path_td @ np.array([[0.6, 0.8, 0.0], [0.0, 0.0, 1.0]]) + 3
    for path in (path_td, rotated_td, rotated_td.astype(np.float32)):
        assert spectrum.normalised_action(path) == pytest.approx(1, rel=1e-5)
    assert spectrum.smoothness_slope(path_td) == pytest.approx(-1, abs=0.03)


def test_a_path_with_corners_has_more_action_than_a_circle():
    assert spectrum.normalised_action(np.maximum(spectrum.circle(64), 0)) > 1.05
    assert spectrum.normalised_action(spectrum.circle(64)[::2].repeat(2, axis=0)) > 1.5


@pytest.mark.parametrize(("power", "slope"), [(5, -1), (2, 0)])
def test_the_slope_of_a_spectrum(power, slope):
    found = spectrum.smoothness_slope(harmonics(power), (16, 32, 64, 128))
    assert found == pytest.approx(slope, abs=0.1)


def test_a_path_that_does_not_move_has_no_action():
    assert math.isnan(spectrum.normalised_action(np.ones((8, 3))))
    assert math.isnan(spectrum.smoothness_slope(np.ones((64, 3))))


def test_wrong_input():
    with pytest.raises(ValueError, match="2 frames"):
        spectrum.normalised_action(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="60 frames are not a multiple"):
        spectrum.smoothness_slope(np.zeros((60, 3)))
    with pytest.raises((AssertionError, TypeError)):
        spectrum.action(np.zeros(3))
