"""Made-up runs of the paper's sweeps, with about the numbers that it reports."""

import numpy as np
import pandas as pd

from toymono import catalog
from toymono.papers.evidence import Evidence, Sweep


def as_published(name, point):
    """Numbers of a run of a sweep, about as in the paper's figures and section 5."""
    n, m, k = (point[field] for field in ("n", "m", "k"))
    rank = {rate: i / 5 for i, rate in enumerate((0.001, 0.003, 0.005, 0.007, 0.01, 0.03))}
    mono, loss = 1.0, 0.9
    if name in ("LR1", "LR2"):
        mono = 513 / 512 * rank[point["learning_rate"]] ** 2
    elif name.startswith("B"):
        mono = 0.8 if point["init_bias"] <= -(point["eps"] ** 0.5) else 0.2
    elif name == "GELU":
        mono = np.exp(-4 * (point["init_bias"] + 1) ** 2)
    elif name in ("K0", "K1"):
        mono = 0.4 * k / n if k < n else {1: 0.7, 2: 1.05, 4: 1.2}[k // n]
        gain = 0 if k < n / 2 else 0.02 if k <= n else -0.01
        loss = 1 + gain * (name == "K1")
    elif name.startswith("E"):
        slow = ["E1", "E2", "E3", "E4"].index(name)
        near = {-9: 0.1, -8: 0.1, -7: 0.5, -6: 0.8, -5: 1.0, -4: 0.7}
        mono = near.get(np.log2(point["eps"]), 0.0)
        mono += 0.1 * slow * (point["eps"] <= 2**-8)
    elif name == "LR5":
        mono, loss = 30 * point["learning_rate"], 2 - point["learning_rate"]
    elif name == "D1":
        mono = 2 - 30 * point["bias_decay"]
    elif name == "SPARSE":
        loss = 0.9 if point["sparsity"] == "none" else 1.0
    sparse = name == "E3" and point["eps"] == 2**-8
    return {
        "loss": loss,
        "loss_share": loss / (512 / 64 / 3),
        "mono_per_feature": mono,
        "mono_per_neuron": mono * n / k,
        "monosemantic": mono * n,
        "mean_bias": -mono,
        "mono_bias": -0.5 if mono else np.nan,
        "broad_bias": 0.05,
        "features_with_1": 503 / 512 * n,
        "features_with_2": 5 / 512 * n,
        "nearly_mono_features": 4 / 512 * n,
        "positive_bias": round(65 / 64 * m),
        "bias_above_005": round(65 / 64 * m),
        "effective_rank": m,
        "singular_in_band": 1.0,
        "largest_singular": 1.01,
        "slope_mean": 0.125,
        "slope_q05": 0.1,
        "slope_q95": 0.15,
        "slope_change": 0.008,
        "poly_offset": 0.004,
        "one_kink": 0.3 if sparse else 0.4,
        "two_first_kink": 0.3 if sparse else 0.4,
        "two_second_kink": 0.6 if sparse else 0.8,
        "dead": 0,
        "mono_rise": 0.05 if name == "LR2" else 0.0,
        "loss_fall": 0.01,
        "served_share": 0.4,
        "poly_share": 0.4,
    }


SWEEPS = {**catalog.SWEEPS, "SPARSE": catalog.BEYOND["SPARSE"]}
DENSE = {"sparsity": "none", "density": 1.0, "density_rule": "uniform"}


def made_up(numbers, names=tuple(SWEEPS), settled=True, seeds=3):
    """Sweeps of the catalog at the paper's scale, with `numbers` of each run."""
    sweeps = {}
    for name in names:
        points = [
            {"n": 512, "m": 64, "eps": 1 / 64, "l1": 0.0, **DENSE, **point}
            for point in SWEEPS[name].points("paper")
        ]
        rows = [
            {**point, "seed": seed, "setting": index, "settled": settled, **numbers(name, point)}
            for index, point in enumerate(points)
            for seed in range(seeds)
        ]
        settings = pd.DataFrame(points)
        sweeps[name] = Sweep(name, len(points), pd.DataFrame(rows), settings=settings)
    return Evidence(sweeps)
