"""Sweeps behind figure 1c of Marshall & Kirchner (2024): dimensions per feature by density.

The figure lays an information-theoretic optimum beside models of Elhage et al.
(2022), "Toy Models of Superposition": tied ReLU-output models of n features of
one importance in m hidden dimensions. D* = m / |W|² is a model's number of
dimensions per feature, which cannot fall below m / n if all features are
represented with norm 1: `DIM10` has the published n / m, and `DIM100` one whose
floor lies below the optimum at the lowest density.
"""

from toymono.catalog.sweep import Sweep

# Public descendants of the paper's notebook (which states none of it): AdamW at a constant rate
# of 1e-3, 20 densities down to 1/20, weights and biases from 0 decayed by PyTorch's 0.01.
_DENSITIES = tuple(20.0 ** (-i / 19) for i in range(20))
_SMALL_DENSITIES = (1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)


def _dimensions(features: int, dimensions: int, small: tuple[int, int]) -> Sweep:
    return Sweep(
        f"density of the tied model's features, {features // dimensions} for each dimension",
        "eps",
        (
            {
                "model": ("tied",),
                "task": ("identity",),
                "n": (features,),
                "m": (dimensions,),
                "eps": _DENSITIES,
                "optimizer": ("adamw",),
                "schedule": ("constant",),
                "learning_rate": (1e-3,),
                "weight_decay": (0.01,),
                "init_bias": (0.0,),
                "bias_decay": (0.0,),
                "init_scale": (0.22,),
                "batch_size": (1024,),
                "log2_steps": (13,),
            },
        ),
        {
            "n": (small[0],),
            "m": (small[1],),
            "eps": _SMALL_DENSITIES,
            "init_scale": (1.0,),
            "batch_size": (256,),
        },
        {
            "optimizer": "not stated; as public descendants of the notebook have it",
            "learning_rate": "not stated; likewise",
            "weight_decay": "not stated; PyTorch's default",
            "batch_size": "not stated; likewise",
            "log2_steps": "not stated; descendants take 10 000 steps, here 2^13",
            "init_scale": "not stated; gives the deviation of 20 stacked models in the notebook, "
            "at the small scale that of one model",
        },
    )


DIMENSIONS: dict[str, Sweep] = {
    "DIM10": _dimensions(200, 20, (60, 6)),
    "DIM100": _dimensions(2000, 20, (600, 6)),
}
"""Sweeps that Jermyn et al.'s paper does not have; `all` leaves them out."""
