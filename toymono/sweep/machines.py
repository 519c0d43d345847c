"""How long training takes on machines: measured on a CPU, bounded by the peak rate elsewhere."""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from toymono.kinds import Cost


class Accelerator(NamedTuple):
    """Devices on which training was not measured: only their peak rates are known."""

    name: str
    devices: int
    peak: Mapping[str, float]
    """Floating-point operations per second of one device, by matmul precision."""

    def least_seconds(self, costs: Iterable[tuple[Cost, str]]) -> float:
        """Time at the peak rate, which no training can undercut.

        Args:
          costs: Of each run, with its matmul precision.
        """
        seconds = [cost.flops / self.peak[precision] for cost, precision in costs]
        # A run is on one device.
        return max(sum(seconds) / self.devices, *seconds) if seconds else 0.0


# Dense peaks: NVIDIA's data sheet of the H100 SXM (the H200 has the same), Google's page on the
# v5e, where a product in float32 takes six passes in bfloat16 and one in tensorfloat32 three.
_H100 = {"float32": 66.9e12, "tensorfloat32": 494.7e12, "bfloat16": 989.4e12}
_V5E = {"float32": 197e12 / 6, "tensorfloat32": 197e12 / 3, "bfloat16": 197e12}

ACCELERATORS = (
    Accelerator("one H100", 1, _H100),
    Accelerator("a node of eight H100", 8, _H100),
    Accelerator("a TPU v5e pod of 256", 256, _V5E),
)

# benchmarks/results.md, sizes tiny, small, laptop and paper with one run at a time: operations
# of a step's matrix products, and their number per second of the whole step.
_MEASURED = ((9.5e5, 14.6e9), (2.43e8, 97.6e9), (9.06e8, 121e9), (2.85e10, 143e9))


def cpu_rate(step_flops: float) -> float:
    """Floating-point operations per second on two CPU cores, by those of one step.

    Interpolated between the measured sizes, and as at the nearest one beyond them.

    Example:
      >>> round(cpu_rate(9.06e8) / 1e9), round(cpu_rate(1) / 1e9)
      (121, 15)
    """
    size, rate = (np.log([pair[i] for pair in _MEASURED]) for i in (0, 1))
    return math.exp(np.interp(math.log(step_flops), size, rate))


def cpu_seconds(cost: Cost) -> float:
    """Time of one run on two CPU cores."""
    return cost.flops / cpu_rate(cost.step_flops)
