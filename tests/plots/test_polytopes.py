"""Figures of the polytope lens: drawn from frames of tiny networks, and which runs they take."""

import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from toymono import Config, Hyperparams, store
from toymono.frames import polytopes as frames
from toymono.plots import polytopes as plots
from toymono.plots import selection
from toymono.plots.registry import FIGURES
from toymono.plots.selection import MissingRuns


@pytest.fixture(autouse=True, scope="module")
def no_screen():
    mpl.use("Agg")


@pytest.fixture(scope="module", autouse=True)
def small():
    patch = pytest.MonkeyPatch()
    patch.setattr(frames, "_PIXELS", 10)
    patch.setattr(frames, "BACKGROUNDS", (0.0, 1.0))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def runs(untrained):
    return [untrained(seed=seed) for seed in range(2)]


def words(figure):
    return {t.get_text() for t in figure.findobj(mpl.text.Text)}


@pytest.mark.parametrize("name", [f.name for f in plots.FIGURES if f.kind == "toy"])
def test_figures_of_toy_runs(name, runs):
    entry = FIGURES[name]
    figure = entry.draw(*(frame(runs) for frame in entry.frames))
    figure.canvas.draw()
    shown = [axes for axes in figure.axes if axes.get_visible()]
    from_top = sorted(shown, key=lambda axes: -axes.get_position().y0)
    lowest = {round(axes.get_position().x0, 3): axes for axes in from_top}
    assert all(axes.get_xlabel() for axes in lowest.values())
    for axes in shown:
        assert all(np.isfinite(line.get_xydata()).all() for line in axes.lines)
    assert figure.axes[0].get_ylabel()
    assert "nan" not in " ".join(words(figure))


def test_a_slice_shows_every_boundary_and_the_count(runs):
    planes = frames.feature_square(runs[:1])
    figure = plots.polytope_slice(planes)
    for panel, (_, plane) in zip(figure.axes, planes.iterrows(), strict=True):
        assert f"{plane['square_regions']} in the dashed unit square" in panel.get_title()
        solid = [line for line in panel.lines if line.get_linestyle() == "-"]
        assert len(solid) == len(plane["offset_k"])
        # Each point of a line is on the boundary.
        for line, normal, offset in zip(solid, plane["normal_k2"], plane["offset_k"], strict=True):
            np.testing.assert_allclose(line.get_xydata() @ normal + offset, 0, atol=1e-9)


def classifier_frame(**columns):
    base = {"data": "digits", "network": "mlp", "sizes": "8x2", "epochs": 2, "fingerprint": "f"}
    length = len(next(iter(columns.values())))
    return pd.DataFrame({**{name: [value] * length for name, value in base.items()}, **columns})


def test_figures_of_classifiers():
    layers = classifier_frame(
        run=["a"] * 4,
        copy=["trained", "trained", "untrained", "untrained"],
        layer=[1, 2, 1, 2],
        density_ratio=[1.2, 1.1, 1.0, 1.0],
        own_density_ratio=[1.2, 1.1, 1.0, 1.0],
        own_pixel_ratio=[1.2, 1.3, 1.0, 0.9],
    )
    figure = plots.classifier_polytope_pairs(layers)
    line = figure.axes[2].lines[0]
    assert line.get_ydata().tolist() == [1.2, 1.3]
    columns = ("code_ami", "rotated_code_ami", "activation_ami")
    columns += ("adversarial_density", "random_density")
    runs = classifier_frame(run=["a", "b"], **{name: [0.5, np.nan] for name in columns})
    clusters = plots.classifier_polytope_clusters(runs)
    points = [np.asarray(c.get_offsets()) for c in clusters.axes[0].collections]
    assert sum(map(len, points)) == 3  # the network without numbers has no point
    plane = {"output_ts": np.eye(4, dtype=int), "region_ts": np.arange(16).reshape(4, 4)}
    planes = classifier_frame(
        run=["a", "a"],
        copy=["trained", "untrained"],
        square_regions=[16, 16],
        extent=[(0.2, 0.4)] * 2,
        **{name: [array] * 2 for name, array in plane.items()},
    )
    figure = plots.polytope_slice(planes)
    assert "at least 16 seen" in figure.axes[0].get_title()


def test_the_figures_take_the_seeds_of_one_setting(tmp_path, untrained):
    config = Config(n=256, m=32, k=256, batch_size=256, log2_steps=13)
    positions = store.positions("K1", "small")
    assert positions
    with pytest.raises(MissingRuns):
        plots.OneSetting()(pd.DataFrame())
    with pytest.raises(MissingRuns, match="not compared"):
        plots.OneSetting()(pd.DataFrame(), by="k")
    hyperparams = Hyperparams(0.015, 1 / 64, -1.0, 0.1)
    run = untrained(Config(n=256, m=32, k=8, log2_steps=1, batch_size=8), hyperparams)
    for k, seeds in ((256, 2), (8, 3)):
        for seed in range(seeds):
            small = run.replace(
                config=Config(**{**vars(config), "k": k}),
                key=jax.random.key(seed),
                loss_t=jnp.ones(1),
                snapshots=jax.tree.map(lambda leaf: jnp.stack([leaf[-1]] * 14), run.snapshots),
            )
            store.save(tmp_path, small)
    headers = selection.headers(store.find(tmp_path))
    chosen = plots.OneSetting()(headers)
    assert set(chosen.runs["k"]) == {256}
    assert len(chosen.runs) == 2
    assert chosen.scale == "small"
