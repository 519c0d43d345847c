"""What training costs, and how many runs train together: by config and kind of device only."""

import jax

from toymono.kinds import Cost

# Our choices. A device other than a CPU trains so many runs at a time that they take
# about this much memory; not measured on a GPU yet.
_LANE_BYTES, _MOST_LANES = 2**30, 64
# Where a run takes fewer operations than this, about a second of a CPU core, several
# share a program, so that starting programs takes less time than running them.
_SHORT_FLOPS, _SHORT_RUNS = 2**36, 16


def lanes(cost: Cost) -> int:
    """Runs that one device trains at a time: 1 on a CPU, where batching gains nothing."""
    if jax.default_backend() == "cpu":
        return 1
    fitting = max(1, _LANE_BYTES // cost.training_bytes)
    return min(_MOST_LANES, 2 ** (fitting.bit_length() - 1))


def group_size(cost: Cost) -> int:
    """Runs of one compiled program, by default."""
    several = _SHORT_RUNS if cost.flops < _SHORT_FLOPS else 1
    return jax.local_device_count() * max(lanes(cost), several)
