"""Actions: how far a layer's activations move while the input moves along a path.

A path is a matrix `[t d]`, one frame per row. Marshall & Kirchner project it
onto random directions and average the action over 1000 draws; the mean and its
spread have closed forms, so that sampling is only needed to test them.
"""

import chex
import numpy as np
from jaxtyping import Float

from toymono.analysis.spectrum.arrays import AnyArray

SMOOTHNESS_FRAMES = (8, 16, 32, 64)
"""Numbers of frames between which `smoothness_slope` is taken; our choice. A relu network is
Lipschitz, so that with ever more frames the slope is always -1."""


def circle(frames: int) -> Float[np.ndarray, "t 2"]:
    """Cosine and sine at equal steps around the circle, the start not repeated."""
    angle_t = 2 * np.pi * np.arange(frames) / frames
    return np.stack([np.cos(angle_t), np.sin(angle_t)], axis=1)


def action(path_td: Float[AnyArray, "t d"]) -> float:
    """Sum of squared distances between successive frames, `sum_t |x_(t+1) - x_t|^2`.

    The path is open: to close it, append its first frame. The action scales with
    the square of the activations and falls as 1/t, so that raw actions of two
    layers compare their units; see `normalised_action`.

    Example:
      >>> action(np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 4.0]]))
      25.0
    """
    return float((_steps(path_td) ** 2).sum())


def projected_action(path_td: Float[AnyArray, "t d"], dimensions: int = 3) -> float:
    """Mean action over random projections to `dimensions` directions with entries N(0, 1/d).

    In closed form, `dimensions / d` times the action.

    Example:
      >>> projected_action(np.array([[0.0, 0, 0, 0], [3.0, 0, 0, 0]]))
      6.75

    Reference:
      Marshall & Kirchner (2024), figure 4.
    """
    return dimensions * action(path_td) / path_td.shape[1]


def projected_action_std(path_td: Float[AnyArray, "t d"], dimensions: int = 3) -> float:
    """Standard deviation of the action over single random projections.

    `sqrt(2 dimensions) |D D^T|_F / d`, with the steps of the path as rows of D.
    """
    steps_td = _steps(path_td)
    # The smaller of the two products has the same norm.
    if len(steps_td) > steps_td.shape[1]:
        steps_td = steps_td.T
    norm = np.linalg.norm(steps_td @ steps_td.T)
    return float(np.sqrt(2 * dimensions) * norm / path_td.shape[1])


def sampled_projected_actions(
    path_td: Float[AnyArray, "t d"], dimensions: int = 3, draws: int = 1000, seed: int = 0
) -> Float[np.ndarray, " draws"]:
    """Actions of random projections, as published; `projected_action` is their mean."""
    rng = np.random.default_rng(seed)
    steps_td = _steps(path_td)
    scale = path_td.shape[1] ** -0.5
    draw_d = [rng.normal(0, scale, (path_td.shape[1], dimensions)) for _ in range(draws)]
    return np.array([((steps_td @ direction) ** 2).sum() for direction in draw_d])


def circle_action(frames: int) -> float:
    """Action of one turn of the unit circle in so many steps: `4 t sin^2(π / t)`."""
    return float(4 * frames * np.sin(np.pi / frames) ** 2)


def normalised_action(path_td: Float[AnyArray, "t d"]) -> float:
    """Action of a closed path over that of a circle of the same variance and number of frames.

    1 for a circle, in any dimension and at any scale, and more for a path with
    corners or higher harmonics.

    Args:
      path_td: Frames of a closed path, the start not repeated.

    Returns:
      NaN for a path that does not move, such as that of a dead layer.

    Raises:
      ValueError: There are fewer than 3 frames.

    Example:
      >>> round(normalised_action(5 * circle(64)), 6)
      1.0
    """
    chex.assert_rank(path_td, 2)
    if len(path_td) < 3:
        raise ValueError(f"{len(path_td)} frames: a closed path has at least 3")
    variance = float(np.asarray(path_td, np.float64).var(axis=0).sum())
    if not variance > 0:
        return float("nan")
    return _closed_action(path_td) / variance / circle_action(len(path_td))


def smoothness_slope(
    path_td: Float[AnyArray, "t d"], frames: tuple[int, ...] = SMOOTHNESS_FRAMES
) -> float:
    """Slope of log action on log number of frames of a closed path: -1 if it is smooth.

    Above -1 the path has detail at the scale of these frames: a path whose
    harmonics have variances `n^-a` gives -1 for a > 3 and 2 - a for 1 < a < 3.

    Args:
      path_td: Frames of a closed path, the start not repeated.
      frames: How many of the frames, at equal steps, each action is taken from.

    Returns:
      NaN for a path that does not move.

    Raises:
      ValueError: The path's length is not a multiple of each of `frames`.
    """
    chex.assert_rank(path_td, 2)
    if any(len(path_td) % count for count in frames):
        raise ValueError(f"{len(path_td)} frames are not a multiple of each of {frames}")
    actions = [_closed_action(path_td[:: len(path_td) // count]) for count in frames]
    if not min(actions) > 0:
        return float("nan")
    return float(np.polyfit(np.log(frames), np.log(actions), 1)[0])


def _closed_action(path_td) -> float:
    return action(np.concatenate([np.asarray(path_td), np.asarray(path_td)[:1]]))


def _steps(path_td) -> Float[np.ndarray, "t d"]:
    chex.assert_rank(path_td, 2)
    return np.diff(np.asarray(path_td, np.float64), axis=0)
