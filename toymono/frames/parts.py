"""Trained models taken apart, as frames: outputs feature by feature, the poly part's linear map.

As `toymono.frames`, whose columns every frame begins with. The mono part here
is the paper's: the neurons whose bias is not positive.

Reference:
  Jermyn, Schiefer & Hubinger (2022), section 5, figures 24 to 26.
"""

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from toymono import frames
from toymono.analysis import kinks, parts
from toymono.features import World
from toymono.frames import Runs
from toymono.models import Model


def feature_outputs(
    runs: Runs, served: tuple[int, ...] = (1, 2, 2, 2), amplitudes: int = 101
) -> pd.DataFrame:
    """How the final model answers to features that come alone, as their amplitude goes up to 1.

    One row per run, feature and amplitude. Columns: `panel`, from 0; `feature`;
    `served`, by how many monosemantic neurons; `amplitude`; along the feature's
    readout the output `full`, that of the `mono` part and of the `poly` part,
    which add up to it, and `truth`; `first_kink` and `second_kink`, see
    `kinks.own_kinks`, NaN where there is none.

    Args:
      served: What to look for: for each panel the first feature, not shown yet,
        that so many neurons serve, or as near that as there is.
    """
    frames = []
    amplitude_b = np.linspace(0, 1, amplitudes, dtype=np.float32)
    for run, identity in frames.each(runs):
        mono_neurons_n = np.asarray(kinks.served(run.final, run.world))
        left = list(range(run.config.n))
        for panel, wanted in enumerate(served[: run.config.n]):
            feature = min(left, key=lambda i: (abs(mono_neurons_n[i] - wanted), i))
            left.remove(feature)
            output = jax.device_get(_feature_output(run.final, run.world, feature, amplitude_b))
            columns = {
                "panel": panel,
                "feature": feature,
                "served": mono_neurons_n[feature],
                "amplitude": amplitude_b,
                **output,
            }
            frames.append(pd.DataFrame({**identity, **columns}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def linear_maps(runs: Runs) -> pd.DataFrame:
    """One row per run: the poly part near the origin, `map_on`, and numbers on it.

    Columns: `positive_bias`, its neurons; `rank`, the singular values above 1/2
    (our choice); `singular_low`, `singular_high`, the least and the largest of
    those; `slope_low`, `slope_high`, over features, of the own output's slope.
    """
    rows = []
    for run, identity in frames.each(runs):
        linear = jax.device_get(_poly_map(run.final, run.world))
        large = linear.singular_m[linear.singular_m > 0.5]
        rows.append(
            {
                **identity,
                "map_on": linear.map_on,
                "positive_bias": int((np.asarray(run.final.b_k) > 0).sum()),
                "rank": len(large),
                "singular_low": large.min() if large.size else 0.0,
                "singular_high": large.max() if large.size else 0.0,
                "slope_low": linear.slope_n.min(),
                "slope_high": linear.slope_n.max(),
            }
        )
    return pd.DataFrame(rows)


@jax.jit
def _feature_output(
    model: Model, world: World, feature: Array, amplitude_b: Float[Array, " b"]
) -> dict[str, Float[Array, "*b"]]:
    read_o = parts.readouts(world)[feature]
    full, mono, poly, truth = parts.along(model, world, feature, amplitude_b)
    outputs = {"full": full, "mono": mono, "poly": poly, "truth": truth}
    first, second = kinks.own_kinks(model, world, feature)
    outputs = {name: output_bo @ read_o for name, output_bo in outputs.items()}
    return {**outputs, "first_kink": first, "second_kink": second}


@jax.jit
def _poly_map(model: Model, world: World) -> parts.Linearised:
    return parts.linearise(parts.split(model).poly, world)
