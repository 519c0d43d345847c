"""Presets and the paper's sweeps: their values, and that each can be trained."""

import math

import pytest

from toymono import Config, Hyperparams, catalog, store
from toymono.catalog.marshall2024 import DIMENSIONS
from toymono.config import split
from toymono.fields import TOY, TOY_CONFIG
from toymono.kinds import KINDS

TABLE_1 = {
    "LR1": {"learning_rate": [0.001, 0.003, 0.005, 0.007, 0.01, 0.03]},
    "LR2": {"learning_rate": [0.001, 0.003, 0.005, 0.007, 0.01, 0.03]},
    "LR3": {"learning_rate": [0.001, 0.003, 0.005, 0.007, 0.01, 0.03]},
    "LR4": {"learning_rate": [0.001, 0.003, 0.005, 0.007, 0.01, 0.03]},
    "RP1": {"learning_rate": [0.001, 0.003, 0.005, 0.007, 0.01]},
    "K0": {"k": [16, 32, 64, 128, 256, 384, 512, 1024, 2048]},
    "K1": {"k": [16, 32, 64, 128, 256, 384, 512, 1024, 2048]},
    "K2": {"k": [16, 32, 64, 128, 256, 384, 512, 1024, 2048]},
}
"""The grids that the paper states."""

BATCHES = {
    "LR1": ("decoder", "relu", "equal", 1024, 1 / 64, None, 0, 0),
    "LR2": ("decoder", "relu", "power_law", 1024, 1 / 64, None, 0, 0),
    "LR3": ("decoder", "relu", "equal", 1024, 1 / 64, None, 0.03, -1),
    "B1": ("decoder", "relu", "equal", 1024, 1 / 16, 0.003, 0.03, None),
    "B2": ("decoder", "relu", "equal", 1024, 1 / 32, 0.003, 0.003, None),
    "B3": ("decoder", "relu", "equal", 1024, 1 / 64, 0.003, 0.003, None),
    "B4": ("decoder", "relu", "equal", 1024, 1 / 128, 0.003, 0.003, None),
    "B5": ("decoder", "relu", "equal", 1024, 1 / 256, 0.003, 0.003, None),
    "LR4": ("decoder", "relu", "power_law", 1024, 1 / 64, None, 0.03, -1),
    "GELU": ("decoder", "gelu", "equal", 1024, 1 / 64, None, 0.03, None),
    "E1": ("decoder", "relu", "equal", 1024, None, 0.003, 0.03, -1),
    "E2": ("decoder", "relu", "equal", 1024, None, 0.003, 0.01, -1),
    "E3": ("decoder", "relu", "equal", 1024, None, 0.003, 0.003, -1),
    "E4": ("decoder", "relu", "equal", 1024, None, 0.003, 0.001, -1),
    "K0": ("decoder", "relu", "equal", None, 1 / 64, 0.007, 0, 0),
    "K1": ("decoder", "relu", "equal", None, 1 / 64, 0.007, 0.03, -1),
    "K2": ("decoder", "relu", "power_law", None, 1 / 64, 0.007, 0.03, -1),
    "RG1": ("decoder", "relu", "equal", 1024, 1 / 64, 0.005, None, None),
    "RP1": ("reproject", "relu", "equal", 1024, 1 / 64, None, 0.03, -1),
    "LR5": ("abs", "relu", "equal", 2048, 1 / 64, None, 0.03, -1),
    "D1": ("abs", "relu", "equal", 2048, 1 / 64, 0.007, None, -1),
}
"""Table 1: task, activation, law, k, eps, rate, decay, offset; None varies."""

EVERY = {**catalog.SWEEPS, **catalog.BEYOND}
OF_NEURONS = [name for name in EVERY if name not in DIMENSIONS]

COLUMNS = ["task", "nonlinearity", "feature_law", "k"]
COLUMNS += ["eps", "learning_rate", "bias_decay", "init_bias"]


def settled(point):
    config, hyperparams = split(point)
    return store.fields(config, hyperparams, 0)


@pytest.mark.parametrize("batch", BATCHES)
def test_sweeps_match_table_1(batch):
    points = [settled(point) for point in catalog.points([batch], "paper")]
    assert len(points) == len({tuple(point.values()) for point in points}) > 1
    for point in points:
        assert (point["n"], point["m"], point["log2_steps"]) == (512, 64, 17)
        assert point["batch_size"] == 2 ** (23 - math.ceil(math.log2(point["k"])))
        assert (point["optimizer"], point["schedule"], point["penalty"]) == (
            "lamb",
            "cosine",
            "none",
        )
        for column, value in zip(COLUMNS, BATCHES[batch], strict=True):
            assert value is None or point[column] == value, column
    for field, values in TABLE_1.get(batch, {}).items():
        assert [point[field] for point in points] == values


def test_every_row_of_table_1_has_a_sweep():
    assert catalog.SWEEPS.keys() >= BATCHES.keys()


def test_regularised_models_start_at_bias_0_and_the_baseline_at_minus_1():
    *regularised, rival = (settled(point) for point in catalog.points(["RG1"], "paper"))
    assert [point["l1"] for point in regularised] == [10.0**e for e in range(-6, 1)]
    assert {(point["init_bias"], point["bias_decay"]) for point in regularised} == {(0, 0)}
    assert (rival["l1"], rival["init_bias"], rival["bias_decay"]) == (0, -1, 0.03)


@pytest.mark.parametrize("name", OF_NEURONS)
def test_a_small_sweep_has_the_shape_of_the_papers(name):
    small, paper = (
        [settled(point) for point in catalog.points([name], scale)] for scale in ("small", "paper")
    )
    swept = EVERY[name].swept
    assert len(small) == len(paper)
    assert len({point[swept] for point in small}) == len({point[swept] for point in paper}) > 1
    for ours, theirs in zip(small, paper, strict=True):
        assert [2 * ours[size] for size in "nmk"] == [theirs[size] for size in "nmk"]
        for column in (
            "task",
            "nonlinearity",
            "feature_law",
            "eps",
            "l1",
            "init_bias",
            "penalty",
            "alpha",
        ):
            assert ours[column] == theirs[column]
        assert (ours["bias_decay"] == 0) == (theirs["bias_decay"] == 0)
        config, _ = split({field: ours[field] for field in TOY_CONFIG})
        assert KINDS["toy"].cost(config, None).flops < 1e14


@pytest.mark.parametrize("name", OF_NEURONS)
def test_other_scales_change_sizes_or_batches_alone(name):
    of_scale = {
        scale: [settled(point) for point in catalog.points([name], scale)]
        for scale in catalog.SCALES
    }
    batches = {"paper512": 512, "paper14": 512, "half": 256, "small": 256}
    for scale, points in of_scale.items():
        if scale in batches:
            assert {point["batch_size"] for point in points} == {batches[scale]}
    for scale, factor in (("paper512", 1), ("half", 2)):
        for ours, theirs in zip(of_scale[scale], of_scale["paper"], strict=True):
            path = ("skip_rank",) if theirs["model"] == "skip" else ()
            sizes = {size: theirs[size] // factor for size in (*"nmk", *path)}
            assert ours == {**theirs, **sizes, "batch_size": batches[scale]}
    # The other short scale: the small one's settings at the paper's sizes.
    for ours, small, paper in zip(
        *(of_scale[s] for s in ("paper14", "small", "paper")), strict=True
    ):
        sizes = {size: paper[size] for size in (*"nmk", "skip_rank")} | {"batch_size": 512}
        assert ours == small | sizes | {"log2_steps": ours["log2_steps"]}
        assert name not in catalog.SWEEPS or ours["log2_steps"] == 14


@pytest.mark.parametrize("name", EVERY)
def test_sweep_records_are_complete_and_name_known_fields(name):
    sweep = EVERY[name]
    fields = TOY.keys()
    assert sweep.swept in fields
    assert sweep.ours.keys() <= fields
    assert sweep.title


@pytest.mark.parametrize(
    ("name", "scale", "n", "m", "count"),
    [
        ("DIM10", "paper", 200, 20, 20),
        ("DIM10", "small", 60, 6, 9),
        ("DIM100", "paper", 2000, 20, 20),
        ("DIM100", "small", 600, 6, 9),
    ],
)
def test_the_tied_models_are_swept_by_density(name, scale, n, m, count):
    points = [settled(point) for point in catalog.points([name], scale)]
    assert len({point["eps"] for point in points}) == len(points) == count
    for point in points:
        sizes = (point["n"], point["m"], point["log2_steps"], point["batch_size"])
        assert sizes == (n, m, 13, {"paper": 1024, "small": 256}[scale])
        assert (point["model"], point["task"], point["optimizer"]) == ("tied", "identity", "adamw")
        assert (point["bias_decay"], point["init_bias"], point["schedule"]) == (0, 0, "constant")
    # The number of neurons, which the preset gives, has no effect.
    [first, *_] = catalog.points([name], scale)
    names = {store.name(*split({**first, "k": k}), 0) for k in (8, 512)}
    assert len(names) == 1


def test_all_means_every_sweep_of_the_paper():
    together = list(catalog.points(["all"], "small"))
    assert together == list(catalog.points(list(catalog.SWEEPS), "small"))
    assert {settled(point)["penalty"] for point in together} == {"none"}


def test_the_penalties_are_swept_on_both_sides_of_0_beside_none():
    points = [settled(point) for point in catalog.points(["PEN"], "small")]
    alphas = {kind: [] for kind in TOY_CONFIG["penalty"].choices}
    for point in points:
        alphas[point["penalty"]].append(point["alpha"])
    assert alphas.pop("none") == [0, 0]
    for of_kind in alphas.values():
        assert len(of_kind) >= 9
        assert min(of_kind) < 0 < max(of_kind)
    assert [point["init_bias"] for point in points] == [0] * (len(points) - 1) + [-1]


def test_changing_k_updates_the_batch_size():
    paper, small = (list(catalog.points(["LR1"], scale, k=2048)) for scale in ("paper", "small"))
    assert {(point["k"], point["batch_size"]) for point in paper} == {(2048, 2**12)}
    assert {(point["k"], point["batch_size"]) for point in small} == {(2048, 256)}
    chosen = catalog.points(["LR1"], "paper", k=2048, batch_size=8)
    assert {point["batch_size"] for point in chosen} == {8}


def test_an_unknown_sweep_is_named_with_the_choices():
    with pytest.raises(ValueError, match=r"^sweep='LR9' is not one of LR1, .*D1.*all$"):
        list(catalog.points(["LR1", "LR9"], "small"))


# Presets.


@pytest.mark.parametrize("preset", catalog.PRESETS)
def test_presets_are_valid_settings(preset):
    split(catalog.PRESETS[preset]({}))


def test_the_laptop_preset_is_the_defaults():
    assert split(catalog.PRESETS["laptop"]({})) == (Config(), Hyperparams())


@pytest.mark.parametrize(("k", "batch"), [(1024, 2**13), (2048, 2**12), (384, 2**14), (16, 2**19)])
def test_the_papers_batch_shrinks_as_k_grows(k, batch):
    config, _ = split(catalog.PRESETS["paper"]({"k": k}))
    assert (config.k, config.batch_size, config.steps) == (k, batch, 2**17)


@pytest.mark.parametrize("k", [0, -4])
def test_config_rejects_an_invalid_size_in_a_preset(k):
    with pytest.raises(ValueError, match=f"^k={k} "):
        split(catalog.PRESETS["paper"]({"k": k}) | {"k": k})
