"""The mono and the poly part of trained models: outputs by feature, the poly part's linear map.

The parts are the paper's: the mono part has the neurons whose bias is not
positive, the poly part the others. Frames begin as those of `frames.toy`.

Reference:
  Jermyn, Schiefer & Hubinger (2022), section 5, figures 24 to 26.
"""

import jax
import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from toymono import scores
from toymono.analysis import kinks, parts
from toymono.features import World
from toymono.frames import toy
from toymono.frames.toy import Runs
from toymono.models import Model

# Features with this many monosemantic neurons or more are alike to the figures.
_MANY = 3


def feature_outputs(
    runs: Runs, mono_neurons: tuple[int, ...] = (1, 2, 2, 2), amplitudes: int = 101
) -> pd.DataFrame:
    """The final model's output for single features, as their amplitude rises from 0 to 1.

    One row per run, feature and amplitude. Columns: `panel`, from 0; `feature`;
    `mono_neurons`, how many monosemantic neurons it has; `amplitude`; along the
    feature's readout the `output`, `output_mono` and `output_poly`, those of the
    two parts, which add up to it, and the `target`; `first_kink` and
    `second_kink`, see `kinks.own_kinks`, NaN where there is none.

    Args:
      runs: Toy runs.
      mono_neurons: For each panel the wanted number of monosemantic neurons: the
        panel shows the first feature, not shown yet, that comes nearest.
      amplitudes: Points from 0 to 1.
    """
    frames = []
    amplitude_b = np.linspace(0, 1, amplitudes, dtype=np.float32)
    for run, identity in toy.each(runs):
        count_n = np.asarray(_mono_neurons(run.final, run.world))
        left = list(range(run.config.n))
        for panel, wanted in enumerate(mono_neurons[: run.config.n]):
            feature = min(left, key=lambda i: (abs(min(count_n[i], _MANY) - wanted), i))
            left.remove(feature)
            columns = {
                "panel": panel,
                "feature": feature,
                "mono_neurons": count_n[feature],
                "amplitude": amplitude_b,
                **jax.device_get(_feature_output(run.final, run.world, feature, amplitude_b)),
            }
            frames.append(pd.DataFrame({**identity, **columns}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def linear_maps(runs: Runs) -> pd.DataFrame:
    """One row per run: the poly part's linear map near the origin, `map_on`, and its numbers.

    Columns: `positive_bias`, the part's neurons; `singular_above_half`, the
    number of singular values above 1/2 (our choice); `large_singular_min`, the
    smallest of these, NaN if there are none; `largest_singular`; `slope_min` and
    `slope_max`, over features, of the slope along the feature's own output.
    """
    rows = []
    for run, identity in toy.each(runs):
        linear = jax.device_get(_poly_map(run.final, run.world))
        large_m = linear.singular_m[linear.singular_m > 0.5]
        rows.append(
            {
                **identity,
                "map_on": linear.map_on,
                "positive_bias": int((np.asarray(run.final.b_k) > 0).sum()),
                "singular_above_half": len(large_m),
                "large_singular_min": large_m.min() if large_m.size else np.nan,
                "largest_singular": linear.singular_m.max(),
                "slope_min": linear.slope_n.min(),
                "slope_max": linear.slope_n.max(),
            }
        )
    return pd.DataFrame(rows)


@jax.jit
def _mono_neurons(model: Model, world: World) -> Array:
    return scores.mono_neurons_per_feature(scores.responses(model, world))


@jax.jit
@scores.precise
def _feature_output(
    model: Model, world: World, feature: Array, amplitude_b: Float[Array, " b"]
) -> dict[str, Float[Array, "*b"]]:
    read_o = parts.readouts(world)[feature]
    profile = parts.along(model, world, feature, amplitude_b)
    first, second = kinks.own_kinks(model, world, feature)
    return {
        "output": profile.full_bo @ read_o,
        "output_mono": profile.mono_bo @ read_o,
        "output_poly": profile.poly_bo @ read_o,
        "target": profile.target_bo @ read_o,
        "first_kink": first,
        "second_kink": second,
    }


@jax.jit
def _poly_map(model: Model, world: World) -> parts.Linearisation:
    return parts.linearise(parts.split(model).poly, world)
