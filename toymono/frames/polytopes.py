"""The polytope lens over toy runs, beside copies of each network to compare with.

Each function takes runs, stored or in memory. A frame has the columns that
determine a run and those that `toymono.quantities` describes. Runs that
diverged, and those whose nonlinearity has no spline code, have NaN in `per_run`
and no rows in the other frames. Slow work is cached beside stored runs.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from toymono import features, scores, store, train
from toymono.analysis import polytopes
from toymono.analysis.polytopes import Dense, shells, toy
from toymono.frames import toy as toy_frames
from toymono.frames.runs import checked
from toymono.origins import as_fresh
from toymono.store import StoredRun
from toymono.tasks import TASKS
from toymono.train import Run

COPIES = ("trained", "rotated", "untrained", "untrained, bias 0 ± spread", "untrained, no bias")
"""The network and what it is compared with: its weights rotated as one body, and its own initial
weights with the bias of their initialisation, with only the spread of that, and with none."""

EDGES = np.linspace(0, 5, 51)
"""Bins of the distance from the origin, in units of the data's mean length; our choice."""

SHELL_EDGES = np.linspace(0, 10, 101)
"""Bins in which a shell is looked for, those of `EDGES` and as many beyond: biases of -1 put the
shell of untrained weights at about six mean lengths."""

OUTER = len(EDGES) - 2
"""The bin of `outer_density`: at five times the data's mean length."""

BACKGROUNDS = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Other active features, mean number, for clusters; our choice."""

SOURCES = ("activations", "codes", "codes, rotated", "codes, untrained", "inputs")
"""What is clustered."""

# Examples that maps and codes are measured on, and the background of clusters in `per_run`.
_EXAMPLES, _BACKGROUND = 1000, 0.5

# Codes and pairs that `per_code_pair` has rows for.
_SHOWN_PAIRS = 300

# Pixels of a slice on a side.
_PIXELS = 200

_STRONG, _WEAK = (0.6, 1.0), (0.0, 0.3)

Rows = list[dict[str, Any]]


def copies(run: Run) -> Mapping[str, Dense]:
    """The networks of `COPIES`, of one toy run."""
    net = polytopes.dense(run.final)
    _, state = train.begin(as_fresh(run.config), run.hyperparams, run.key)
    first = polytopes.dense(state.model)
    bias_k = first.layers[0][1]
    spread_k = bias_k - float(run.hyperparams.init_bias)
    return dict(
        zip(
            COPIES,
            (
                net,
                polytopes.rotated(net, run.seed),
                first,
                polytopes.with_biases(first, [spread_k]),
                polytopes.with_biases(first, [0 * bias_k]),
            ),
            strict=True,
        )
    )


def inputs_of(run: Run) -> toy.Inputs:
    """How the inputs of a toy run come about."""
    return toy.Inputs(
        np.asarray(run.world.embed_nm, np.float64),
        np.asarray(features.frequencies(run.config, run.hyperparams), np.float64),
        TASKS[run.config.task].signed,
    )


def has_codes(run: Run) -> bool:
    """Whether a toy run has spline codes."""
    return run.diverged is None and run.config.nonlinearity in polytopes.PIECES


def each(
    runs: toy_frames.Runs, function: Callable[[Run], Rows], otherwise: Callable[[], Rows] = list
) -> Iterator[dict[str, Any]]:
    """The rows of a cached function of each run with codes, after what determines the run."""
    for given in checked(runs, Run):
        for run, identity in toy_frames.each(given if isinstance(given, Run) else [given]):
            source = given if isinstance(given, StoredRun) else run
            with threadpool_limits(1):  # threads of small products wait for each other
                rows = store.cached(function, source) if has_codes(run) else otherwise()
            yield from ({**identity, **row} for row in rows)


def per_run(runs: toy_frames.Runs) -> pd.DataFrame:
    """One row per toy run with every measure of the lens.

    Columns: `density_ratio` (examples with other backgrounds), `density_ratio_alone`,
    `rotated_density_ratio`, `rotated_density_ratio_alone`, `boundary_density_gap`, the
    ratio minus the rotated one; `shell`, `gaussian_shell`, `rotated_shell`,
    `untrained_shell`, `spread_shell`; `shell_radius`, `shell_height` and
    `untrained_shell_radius`, `untrained_shell_height`, of the densest bin, shell or not;
    `predicted_radius`, `untrained_predicted_radius`, see `shells.predicted_radius`;
    `outer_density`; `code_ami`, `rotated_code_ami`, `activation_ami`, `code_ami_gap`,
    `code_noise_share`, `noisiest_label_share`, at half a background feature;
    `transformation_correlation`, `flip_sum_ratio`; `square_regions`,
    `rotated_square_regions`; `strong_image_cosine`, `weak_image_cosine`, and the same
    `untrained_…`, of the copy with biases around 0; `nmf_cosine`, `pca_cosine`,
    `random_direction_cosine`, `code_nmf_cosine`; `polysemantic_features`,
    `monosemantic_features`, `projection_purity`; `slope_variation`, `distinct_codes`,
    `neurons_on`. All NaN for a run without codes.

    Args:
      runs: Toy runs.
    """
    return pd.DataFrame(each(runs, measures, lambda: [dict.fromkeys(MEASURES, np.nan)]))


MEASURES = (
    *("density_ratio", "density_ratio_alone", "rotated_density_ratio", "boundary_density_gap"),
    "rotated_density_ratio_alone",
    *("shell", "gaussian_shell", "rotated_shell", "untrained_shell", "spread_shell"),
    *("shell_radius", "shell_height", "untrained_shell_radius", "untrained_shell_height"),
    *("predicted_radius", "untrained_predicted_radius", "outer_density"),
    *("code_ami", "rotated_code_ami", "activation_ami", "code_ami_gap"),
    *("code_noise_share", "noisiest_label_share"),
    *("transformation_correlation", "flip_sum_ratio"),
    *("square_regions", "rotated_square_regions", "strong_image_cosine", "weak_image_cosine"),
    *("untrained_strong_image_cosine", "untrained_weak_image_cosine"),
    *("nmf_cosine", "pca_cosine", "random_direction_cosine", "code_nmf_cosine"),
    *("polysemantic_features", "monosemantic_features", "projection_purity"),
    *("slope_variation", "distinct_codes", "neurons_on"),
)
"""The columns of `per_run`."""


def measures(run: Run) -> Rows:
    """The row of `per_run`, of one run with codes."""
    nets, inputs = copies(run), inputs_of(run)
    net, rotated, first = nets["trained"], nets["rotated"], nets["untrained"]
    spread = nets["untrained, bias 0 ± spread"]
    examples = toy.strong_examples(inputs, _BACKGROUND)
    x_bm = inputs.embedded(inputs.draw(_EXAMPLES, np.random.default_rng(0)))
    response_kn = np.asarray(scores.responses(run.final, run.world), np.float64)
    unit = inputs.mean_norm()
    ratios = {
        f"{prefix}density_ratio{suffix}": toy.pair_gap(of, inputs, kind).ratio
        for prefix, of in (("", net), ("rotated_", rotated))
        for suffix, kind in (("", "other backgrounds"), ("_alone", "alone"))
    }
    profiles = {
        name: _profile(of, inputs, unit, direction, SHELL_EDGES)
        for name, of, direction in (
            ("shell", net, "data"),
            ("gaussian_shell", net, "gaussian"),
            ("rotated_shell", rotated, "data"),
            ("untrained_shell", first, "data"),
            ("spread_shell", spread, "data"),
        )
    }
    codes_found = toy.code_clusters(net, examples)
    clusters = {
        "code_ami": codes_found.ami,
        "rotated_code_ami": toy.code_clusters(rotated, examples).ami,
        "activation_ami": toy.activation_clusters(net, examples).ami,
    }
    images = {
        f"{prefix}{name}_image_cosine": toy.image_cosines(of, inputs, *ends)
        for prefix, of in (("", net), ("untrained_", spread))
        for name, ends in (("strong", _STRONG), ("weak", _WEAK))
    }
    directions = toy.direction_match(net, examples, response_kn)
    pairs = toy.code_pairs(net, x_bm)
    independent = pairs.independent_p.sum()
    codes, on = toy.seen_codes(net, x_bm)
    poly = toy.polysemantic(net, inputs, response_kn)
    row = {
        **ratios,
        **images,
        **shell_numbers(profiles),
        "predicted_radius": shells.predicted_radius(net) / unit,
        "untrained_predicted_radius": shells.predicted_radius(first) / unit,
        "boundary_density_gap": ratios["density_ratio"] - ratios["rotated_density_ratio"],
        **clusters,
        "code_noise_share": codes_found.noise_share,
        "noisiest_label_share": codes_found.noisiest_label,
        "code_ami_gap": clusters["code_ami"] - clusters["rotated_code_ami"],
        "transformation_correlation": pairs.rank_correlation,
        "flip_sum_ratio": pairs.distance_p.sum() / independent if independent else np.nan,
        "square_regions": toy.mean_regions(net, inputs),
        "rotated_square_regions": toy.mean_regions(rotated, inputs),
        "nmf_cosine": directions.nmf,
        "pca_cosine": directions.pca,
        "random_direction_cosine": directions.random,
        "code_nmf_cosine": toy.code_direction_match(net, examples, inputs),
        "polysemantic_features": poly.features,
        "monosemantic_features": poly.mono_features,
        "projection_purity": poly.purity,
        "slope_variation": toy.mean_slope_variation(net, x_bm),
        "distinct_codes": codes / len(x_bm),
        "neurons_on": on,
    }
    return [{name: row[name] for name in MEASURES}]


def shell_numbers(profiles: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The columns on shells: from profiles in `SHELL_EDGES` by the names of the columns."""
    found = {name: shells.shell(profile_e, SHELL_EDGES) for name, profile_e in profiles.items()}
    own, untrained = found["shell"], found["untrained_shell"]
    return {
        **{name: float(each.found) for name, each in found.items()},
        "shell_radius": own.position,
        "shell_height": own.height,
        "untrained_shell_radius": untrained.position,
        "untrained_shell_height": untrained.height,
        "outer_density": float(profiles["shell"][OUTER]),
    }


def _profile(
    net: Dense, inputs: toy.Inputs, unit: float, direction: str, edge_e: np.ndarray = EDGES
) -> np.ndarray:
    return shells.radial_profile(net, toy.unit_directions(inputs, direction), unit, edge_e)


def per_radius(runs: toy_frames.Runs) -> pd.DataFrame:
    """One row per toy run, `copy`, `direction` and bin of `ray_position`: `boundary_density`.

    Rays start at the origin; positions are in units of the data's mean length.
    """
    return pd.DataFrame(each(runs, radii))


def radii(run: Run) -> Rows:
    """Rows of `per_radius`, of one run."""
    inputs = inputs_of(run)
    unit = inputs.mean_norm()
    return [
        {"copy": copy, "direction": direction, "ray_position": at, "boundary_density": value}
        for copy, net in copies(run).items()
        for direction in toy.DIRECTIONS
        for at, value in zip(_middles(), _profile(net, inputs, unit, direction), strict=True)
    ]


def _middles() -> list[float]:
    return ((EDGES[1:] + EDGES[:-1]) / 2).tolist()


def per_pair_kind(runs: toy_frames.Runs) -> pd.DataFrame:
    """One row per toy run, `copy` and `pair_kind`: densities within and between features.

    Columns: `density_within`, `density_between`, `density_ratio`; rows without a
    boundary within a feature are left out.
    """
    return pd.DataFrame(each(runs, pair_kinds))


def pair_kinds(run: Run) -> Rows:
    """Rows of `per_pair_kind`, of one run."""
    inputs, rows = inputs_of(run), []
    for copy, net in copies(run).items():
        for kind in toy.PAIRS:
            found = toy.pair_gap(net, inputs, kind)
            if found.within:
                numbers = {"density_within": found.within, "density_between": found.between}
                row = {"copy": copy, "pair_kind": kind, **numbers, "density_ratio": found.ratio}
                rows.append(row)
    return rows


def per_background(runs: toy_frames.Runs) -> pd.DataFrame:
    """One row per toy run, `source` and `background`: `cluster_ami`, `noise_share`.

    HDBSCAN clusters of examples with one strong feature, compared with that
    feature, by the mean number of other active features.
    """
    return pd.DataFrame(each(runs, backgrounds))


def backgrounds(run: Run) -> Rows:
    """Rows of `per_background`, of one run."""
    nets, inputs, rows = copies(run), inputs_of(run), []
    for background in BACKGROUNDS:
        examples = toy.strong_examples(inputs, background)
        found = (
            toy.activation_clusters(nets["trained"], examples),
            *(
                toy.code_clusters(nets[copy], examples)
                for copy in ("trained", "rotated", "untrained, bias 0 ± spread")
            ),
            polytopes.agreement(polytopes.cluster(examples.x_bm), examples.label_b),
        )
        for source, agreed in zip(SOURCES, found, strict=True):
            numbers = {"cluster_ami": agreed.ami, "noise_share": agreed.noise_share}
            rows.append({"source": source, "background": background, **numbers})
    return rows


def per_code_pair(runs: toy_frames.Runs) -> pd.DataFrame:
    """One row per toy run and `pair` of examples' codes: `hamming`, `map_distance`."""
    return pd.DataFrame(each(runs, pairs_of_codes))


def pairs_of_codes(run: Run) -> Rows:
    """Rows of `per_code_pair`, of one run."""
    inputs = inputs_of(run)
    x_bm = inputs.embedded(inputs.draw(_EXAMPLES, np.random.default_rng(0)))
    return pair_rows(polytopes.dense(run.final), x_bm)


def pair_rows(net: Dense, x_bm: np.ndarray) -> Rows:
    """Hamming and transformation distance of some pairs of examples."""
    found = toy.code_pairs(net, x_bm)
    pairs = list(zip(found.hamming_p, found.distance_p, strict=True))[:_SHOWN_PAIRS]
    return [
        {"pair": pair, "hamming": hamming, "map_distance": distance}
        for pair, (hamming, distance) in enumerate(pairs)
    ]


def feature_square(runs: toy_frames.Runs) -> pd.DataFrame:
    """One row per toy run and `copy`, trained and rotated: a plane of two features.

    Columns: `output_ts`, the largest output on a grid of [0, 1.5]²; `region_ts`;
    `normal_k2` and `offset_k`, the exact boundaries; `square_regions`, the
    polytopes in the unit square. The features are those with the strongest
    single-feature responses.
    """
    return pd.DataFrame(each(runs, squares))


def squares(run: Run) -> Rows:
    """Rows of `feature_square`, of one run."""
    inputs, nets = inputs_of(run), copies(run)
    response_kn = np.asarray(scores.responses(run.final, run.world))
    first, second = np.argsort(-response_kn.max(axis=0), kind="stable")[:2]
    zero_m = np.zeros(inputs.embed_nm.shape[1])
    plane = polytopes.Slice(zero_m, *np.asarray(inputs.embed_nm)[[first, second]])
    side_g, rows = np.linspace(0, 1.5, _PIXELS), []
    for copy in ("trained", "rotated"):
        net = nets[copy]
        grid = polytopes.slice_grid(net, plane, side_g, side_g)
        lines = polytopes.slice_lines(net, plane) if net.nonlinearity == "relu" else (None, None)
        regions = polytopes.slice_regions(net, plane) if lines[0] is not None else grid.regions
        arrays = {"output_ts": grid.output_ts, "region_ts": grid.region_ts, "extent": (0.0, 1.5)}
        arrays |= {"normal_k2": lines[0], "offset_k": lines[1]}
        rows.append({"copy": copy, "square_regions": regions, **arrays})
    return rows
