"""The polytope lens over classifiers of dense layers, beside copies of each network.

As `frames.polytopes`, with test examples for inputs and classes for features.
Runs that diverged, and those with convolutions, layer norm or a nonlinearity
without spline codes, have NaN in `per_run` (but for `rescaled_bits`) and no rows
in the other frames.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from threadpoolctl import threadpool_limits

from toymono import store
from toymono.analysis import polytopes
from toymono.analysis.polytopes import Dense, labelled, shells, toy
from toymono.classifiers import network
from toymono.classifiers import train as training
from toymono.classifiers.train import ClassifierRun
from toymono.frames import classifiers as classifier_frames
from toymono.frames import polytopes as toy_polytopes
from toymono.frames.classifiers import Runs
from toymono.frames.polytopes import EDGES, SHELL_EDGES, Rows

COPIES = ("trained", "rotated", "untrained", "untrained, bias 0 ± spread")
"""The network; its first layer rotated as one body; its own initial weights, whose biases are 0;
and these with biases uniform in ±1/√(fan in)."""

SEGMENT_EDGES = np.linspace(0, 1, 21)
"""Bins of the fraction of the way between two examples; our choice."""

CLASS_PAIRS = ("same class", "different classes")

# Test examples for pairs; rays; rays whose class changes are looked for; steps; slope pairs;
# segments.
_EXAMPLES, _RAYS, _CHANGE_RAYS, _STEPS, _SLOPES, _SEGMENTS = 200, 64, 50, 100, 30, 50

# Pixels of a slice on a side, and half of that side.
_PIXELS, _HALF_SIDE = 200, 0.1

MEASURES = (
    *("density_ratio", "untrained_density_ratio", "boundary_density_gap", "density_p"),
    *("depth_correlation", "own_depth_correlation", "pixel_depth_correlation"),
    *("shell", "gaussian_shell", "rotated_shell", "untrained_shell", "spread_shell"),
    *("shell_radius", "shell_height", "untrained_shell_radius", "untrained_shell_height"),
    "outer_density",
    *("class_changes", "inner_changes", "change_excess", "change_p", "untrained_change_excess"),
    *("spread_change_excess", "spread_change_p"),
    *("code_ami", "rotated_code_ami", "activation_ami", "code_ami_gap"),
    *("code_noise_share", "noisiest_label_share"),
    *("transformation_correlation", "adversarial_density", "random_density"),
    *("steered_share", "random_steered_share"),
    *("slope_variation", "distinct_codes", "neurons_on"),
)
"""The columns of `per_run`, with `rescaled_bits`."""


def copies(run: ClassifierRun) -> Mapping[str, Dense]:
    """The networks of `COPIES`, of one classifier with codes."""
    dataset = classifier_frames.dataset_of(run)
    # Initial weights depend on the size of the images alone.
    one = dataset.replace(
        train_bhw=dataset.train_bhw[:1], train_label_b=dataset.train_label_b[:1],
        test_bhw=dataset.test_bhw[:1], test_label_b=dataset.test_label_b[:1],
    )  # fmt: skip
    state = training.begin(run.config, run.hyperparams, one, run.key)
    word = run.config.nonlinearity
    net, first = (polytopes.of_classifier(params, word) for params in (run.params, state.params))
    rng = np.random.default_rng(run.seed)
    spread = [rng.uniform(-1, 1, len(bias)) / np.sqrt(len(weight)) for weight, bias in first.hidden]
    nets = (net, polytopes.rotated(net, run.seed), first, polytopes.with_biases(first, spread))
    return dict(zip(COPIES, nets, strict=True))


def has_codes(run: ClassifierRun) -> bool:
    """Whether a classifier has spline codes."""
    config = run.config
    return (
        run.diverged is None
        and config.network == "mlp"
        and config.layer_norm == "off"
        and config.nonlinearity in polytopes.PIECES
    )


def each(
    runs: Runs,
    function: Callable[[ClassifierRun], Rows],
    otherwise: Callable[[], Rows] = list,
) -> Iterator[dict[str, Any]]:
    """The rows of a cached function of each run with codes, after what determines the run."""
    for given, _, identity in classifier_frames.each(runs):
        run = given if isinstance(given, ClassifierRun) else store.load(given)
        with threadpool_limits(1):  # threads of small products wait for each other
            rows = store.cached(function, given) if has_codes(run) else otherwise()
        yield from ({**identity, **row} for row in rows)


def examples(run: ClassifierRun, count: int = _EXAMPLES) -> tuple[np.ndarray, np.ndarray]:
    """The first test images, flattened, and their labels."""
    dataset = classifier_frames.dataset_of(run)
    images_bhw = np.asarray(dataset.test_bhw[:count], np.float64)
    return images_bhw.reshape(len(images_bhw), -1), np.asarray(dataset.test_label_b[:count])


def per_run(runs: Runs) -> pd.DataFrame:
    """One row per classifier with every measure of the lens.

    Columns, of codes from the first layer to the output and pixels where not said
    otherwise: `density_ratio`, between over within classes, `untrained_density_ratio`,
    `boundary_density_gap`, their difference, `density_p`; rank correlations of the
    ratio with the layer, by the distance in each layer's input (`depth_correlation`,
    and of that layer's code alone `own_depth_correlation`) and by pixel distance
    (`pixel_depth_correlation`); `shell` … `outer_density` as for toy runs;
    `class_changes`, `inner_changes`, `change_excess`, `change_p`,
    `untrained_change_excess`, NaN where biases of 0 leave no boundary on a ray,
    `spread_change_excess` and `spread_change_p`, of the untrained copy with biases
    around 0; `code_ami`, `rotated_code_ami`, `activation_ami`, `code_ami_gap`,
    `code_noise_share`, `noisiest_label_share`, of the last hidden layer and classes;
    `transformation_correlation`;
    `adversarial_density`, `random_density`; `steered_share`, `random_steered_share`;
    `slope_variation`, `distinct_codes`, `neurons_on`; `rescaled_bits`, the fraction of
    bits that change when images are halved, which layer norm should make 0.
    """
    rows = each(runs, measures, lambda: [dict.fromkeys(MEASURES, np.nan)])
    frame = pd.DataFrame(rows)
    given = list(runs)
    return frame.assign(rescaled_bits=[store.cached(rescaled_bits, run) for run in given])


def rescaled_bits(run: ClassifierRun) -> float:
    """Fraction of the neurons' bits that change when images are halved; any kind of layers."""
    images_bhw = classifier_frames.dataset_of(run).test_bhw[:_EXAMPLES]
    codes = []
    for scale in (1.0, 0.5):
        fired = network.outputs(run.config, run.params, images_bhw * scale).fired
        codes.append(np.concatenate([np.asarray(f) > 0 for f in jax.device_get(fired)], axis=1))
    return labelled.changed_bits(*(code.astype(int) for code in codes))


def measures(run: ClassifierRun) -> Rows:
    """The row of `per_run`, of one run with codes."""
    nets, (x_bm, label_b) = copies(run), examples(run)
    net, first, spread = (nets[name] for name in ("trained", *COPIES[2:]))
    unit = float(np.linalg.norm(x_bm, axis=1).mean())
    layers = labelled.layer_pairs(net, x_bm, label_b)
    untrained = labelled.layer_pairs(first, x_bm, label_b)
    profiles = {
        name: _profile(of, x_bm, unit, direction, SHELL_EDGES)
        for name, of, direction in (
            ("shell", net, "data"),
            ("gaussian_shell", net, "gaussian"),
            ("rotated_shell", nets["rotated"], "data"),
            ("untrained_shell", first, "data"),
            ("spread_shell", spread, "data"),
        )
    }
    changes, untrained_changes, spread_changes = (
        labelled.class_changes(of, x_bm[:_CHANGE_RAYS], run.seed) for of in (net, first, spread)
    )
    last = len(net.hidden) - 1
    activation_bk = polytopes.layer_inputs(net, x_bm)[-1]
    codes_found = labelled.clusters(net, x_bm, label_b)
    clusters = {
        "code_ami": codes_found.ami,
        "rotated_code_ami": labelled.clusters(nets["rotated"], x_bm, label_b).ami,
        "activation_ami": polytopes.agreement(polytopes.cluster(activation_bk), label_b).ami,
    }
    steps = labelled.steps(net, x_bm[:_STEPS], label_b[:_STEPS])
    steering = labelled.steering(net, x_bm, label_b)
    _, on = toy.seen_codes(net, x_bm)
    row = {
        "density_ratio": layers[0].ratio,
        "untrained_density_ratio": untrained[0].ratio,
        "boundary_density_gap": layers[0].ratio - untrained[0].ratio,
        "density_p": layers[0].p,
        "depth_correlation": _with_depth([layer.ratio for layer in layers]),
        "own_depth_correlation": _with_depth([layer.own_ratio for layer in layers]),
        "pixel_depth_correlation": _with_depth([layer.own_pixel_ratio for layer in layers]),
        **toy_polytopes.shell_numbers(profiles),
        "class_changes": changes.count,
        "inner_changes": changes.inner_share,
        "change_excess": changes.excess,
        "change_p": changes.p,
        "untrained_change_excess": untrained_changes.excess,
        "spread_change_excess": spread_changes.excess,
        "spread_change_p": spread_changes.p,
        **clusters,
        "code_noise_share": codes_found.noise_share,
        "noisiest_label_share": codes_found.noisiest_label,
        "code_ami_gap": clusters["code_ami"] - clusters["rotated_code_ami"],
        "transformation_correlation": toy.code_pairs(net, x_bm).rank_correlation,
        "adversarial_density": steps.adversarial,
        "random_density": steps.random,
        "steered_share": steering.steered,
        "random_steered_share": steering.random,
        "slope_variation": toy.mean_slope_variation(net, x_bm, _SLOPES),
        "distinct_codes": polytopes.distinct(polytopes.spline_code(net, x_bm, last))[0] / len(x_bm),
        "neurons_on": on,
    }
    return [{name: row[name] for name in MEASURES}]


def _with_depth(ratios: list[float]) -> float:
    """Rank correlation with the layer; NaN with fewer than three layers or equal ratios."""
    if len(ratios) < 3 or np.ptp(ratios) == 0 or not np.isfinite(ratios).all():
        return np.nan
    return float(spearmanr(range(len(ratios)), ratios).statistic)


def _profile(
    net: Dense, x_bm: np.ndarray, unit: float, direction: str, edge_e: np.ndarray = EDGES
) -> np.ndarray:
    if direction == "data":
        direction_rm = x_bm[:_RAYS]
    else:
        direction_rm = np.random.default_rng(1).normal(size=(_RAYS, x_bm.shape[1]))
    norm_r1 = np.linalg.norm(direction_rm, axis=1, keepdims=True)
    direction_rm = (direction_rm / np.where(norm_r1 > 0, norm_r1, 1))[norm_r1[:, 0] > 0]
    return shells.radial_profile(net, direction_rm, unit, edge_e)


def per_radius(runs: Runs) -> pd.DataFrame:
    """One row per classifier, `copy`, `direction` and bin of `ray_position`: `boundary_density`."""
    return pd.DataFrame(each(runs, radii))


def radii(run: ClassifierRun) -> Rows:
    """Rows of `per_radius`, of one run."""
    x_bm, _ = examples(run)
    unit = float(np.linalg.norm(x_bm, axis=1).mean())
    middles = ((EDGES[1:] + EDGES[:-1]) / 2).tolist()
    return [
        {"copy": copy, "direction": direction, "ray_position": at, "boundary_density": value}
        for copy, net in copies(run).items()
        for direction in ("data", "gaussian")
        for at, value in zip(middles, _profile(net, x_bm, unit, direction), strict=True)
    ]


def per_segment(runs: Runs) -> pd.DataFrame:
    """One row per classifier, `copy`, `pair_kind` and bin of `segment_position`.

    Columns: `boundary_density`, along segments between two examples of the same
    class, or of different ones, of equal length, and `length_mismatch`, see
    `labelled.Interpolation`. No rows for a network without a pair.
    """
    return pd.DataFrame(each(runs, segments))


def segments(run: ClassifierRun) -> Rows:
    """Rows of `per_segment`, of one run."""
    x_bm, label_b = examples(run)
    middles, rows = ((SEGMENT_EDGES[1:] + SEGMENT_EDGES[:-1]) / 2).tolist(), []
    for copy, net in copies(run).items():
        found = labelled.interpolation(net, x_bm, label_b, SEGMENT_EDGES, _SEGMENTS)
        if not found.pairs:
            continue
        for kind, density_e in zip(CLASS_PAIRS, (found.same_e, found.different_e), strict=True):
            more = {"copy": copy, "pair_kind": kind, "length_mismatch": found.mismatch}
            rows += [
                {**more, "segment_position": at, "boundary_density": value}
                for at, value in zip(middles, density_e, strict=True)
            ]
    return rows


def per_layer(runs: Runs) -> pd.DataFrame:
    """One row per classifier, `copy` (trained and untrained) and hidden layer, from 1.

    Columns: `density_ratio` (codes from the layer to the output, by distance in
    its input), `density_p`, `equal_length_gap`, `own_density_ratio`,
    `own_pixel_ratio`, `convergence`, `divergence`.
    """
    return pd.DataFrame(each(runs, layer_rows))


def layer_rows(run: ClassifierRun) -> Rows:
    """Rows of `per_layer`, of one run."""
    nets, (x_bm, label_b) = copies(run), examples(run)
    return [
        {
            "copy": copy,
            "layer": layer,
            "density_ratio": found.ratio,
            "density_p": found.p,
            "equal_length_gap": found.equal_length_gap,
            "own_density_ratio": found.own_ratio,
            "own_pixel_ratio": found.own_pixel_ratio,
            "convergence": found.convergence,
            "divergence": found.divergence,
        }
        for copy in ("trained", "untrained")
        for layer, found in enumerate(labelled.layer_pairs(nets[copy], x_bm, label_b), 1)
    ]


def per_code_pair(runs: Runs) -> pd.DataFrame:
    """One row per classifier and `pair` of examples' codes: `hamming`, `map_distance`."""
    return pd.DataFrame(each(runs, pairs_of_codes))


def pairs_of_codes(run: ClassifierRun) -> Rows:
    """Rows of `per_code_pair`, of one run."""
    net = polytopes.of_classifier(run.params, run.config.nonlinearity)
    return toy_polytopes.pair_rows(net, examples(run)[0])


def image_plane(runs: Runs) -> pd.DataFrame:
    """One row per classifier and `copy`, trained and untrained: part of a plane.

    The plane goes through the first examples of three classes, at (0, 0), (1, 0) and
    (0, 1); the part is a square of side 0.2 in their middle, since the whole holds
    more polytopes than pixels. Columns: `output_ts`, `region_ts`, `extent`, first and
    last s and t; `square_regions`, the different codes seen, a lower bound.
    """
    return pd.DataFrame(each(runs, planes))


def planes(run: ClassifierRun) -> Rows:
    """Rows of `image_plane`, of one run."""
    nets, (x_bm, label_b) = copies(run), examples(run)
    chosen = [int(np.flatnonzero(label_b == label)[0]) for label in np.unique(label_b)[:3]]
    plane = polytopes.through_points(*x_bm[chosen])
    low, high = 1 / 3 - _HALF_SIDE, 1 / 3 + _HALF_SIDE
    side_g, rows = np.linspace(low, high, _PIXELS), []
    for copy in ("trained", "untrained"):
        grid = polytopes.slice_grid(nets[copy], plane, side_g, side_g)
        arrays = {"output_ts": grid.output_ts, "region_ts": grid.region_ts, "extent": (low, high)}
        rows.append({"copy": copy, "square_regions": grid.regions, **arrays})
    return rows
