"""Runs to frames: every column against loops over the run's own arrays."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from toymono import Config, Hyperparams, frames, scores, store, unstack

FUNCTIONS = [
    frames.per_run,
    frames.per_snapshot,
    frames.per_neuron,
    frames.per_bin,
    frames.per_bin_minimum,
    frames.per_active,
    frames.per_feature,
]


@pytest.fixture(scope="module", params=["decoder", "abs"])
def some(request, untrained):
    """Two runs of a task, with neurons of every kind."""
    config = Config(request.param, n=16, m=8, k=24, batch_size=8, log2_steps=4)
    return [with_every_kind(untrained(config, Hyperparams(eps=eps), 3)) for eps in (0.25, 0.5)]


def with_every_kind(run):
    """Its first neurons respond to one feature each, the last never fire."""
    w_cmk, b_ck = run.snapshots.w_mk, run.snapshots.b_k
    w_cmk = w_cmk.at[:, :, :6].set(10 * run.world.embed_nm[:6].T)
    b_ck = b_ck.at[:, :6].set(-9.0).at[:, -4:].set(-100.0)
    return run.replace(snapshots=run.snapshots.replace(w_mk=w_cmk, b_k=b_ck))


def brute_counts(run, model, threshold=0.999):
    """The columns of counts, neuron by neuron and feature by feature."""
    w_mk, b_k = np.asarray(model.w_mk), np.asarray(model.b_k)
    embed_nm = np.asarray(run.world.embed_nm)
    counts = dict.fromkeys(["monosemantic", "polysemantic", "dead"], 0)
    per_feature = [0] * run.config.n
    for k in range(run.config.k):
        response_n = np.maximum(embed_nm @ w_mk[:, k] + b_k[k], 0)
        if run.config.task == "abs":
            response_n += np.maximum(-embed_nm @ w_mk[:, k] + b_k[k], 0)
        if response_n.max() == 0:
            counts["dead"] += 1
        elif response_n.max() / response_n.sum() > threshold:
            counts["monosemantic"] += 1
            per_feature[int(response_n.argmax())] += 1
        else:
            counts["polysemantic"] += 1
    counts |= {f"features_with_{i}": sum(min(s, 4) == i for s in per_feature) for i in range(5)}
    counts["mono_per_feature"] = counts["monosemantic"] / run.config.n
    counts["mono_per_neuron"] = counts["monosemantic"] / run.config.k
    counts["positive_bias"] = int((b_k > 0).sum())
    counts["mean_bias"] = b_k.mean()
    return counts


def assert_row(row, wanted):
    for name, value in wanted.items():
        assert row[name] == pytest.approx(value, rel=1e-5), name


def snapshot(run, c):
    return jax.tree.map(lambda leaf: leaf[c], run.snapshots)


# Rows and columns.


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_frame_begins_with_what_determines_a_run(function, some):
    frame = function(some)
    start = [*frames.RUN_FIELDS, "run", "diverged"]
    assert list(frame.columns[: len(start)]) == start
    first, last = frame.iloc[0], frame.iloc[-1]
    assert (first["eps"], last["eps"]) == (0.25, 0.5)
    assert (first["seed"], first["task"], first["k"]) == (3, some[0].config.task, 24)
    assert first["run"] == store.name(some[0].config, some[0].hyperparams, 3)
    assert first["learning_rate"] == 0.01


def test_each_run_is_counted(some):
    frame = frames.per_run(some)
    assert len(frame) == 2
    for run, (_, row) in zip(some, frame.iterrows(), strict=True):
        counts = brute_counts(run, run.final)
        assert counts["monosemantic"] >= 3
        assert counts["dead"] >= 4
        assert counts["polysemantic"] > 0
        assert_row(row, counts | {"loss": float(run.loss_t[-1])})  # the last of 16 steps
        assert math.isnan(row["diverged"])


def test_the_threshold_is_used(some):
    for run, (_, row) in zip(some, frames.per_run(some, threshold=0.5).iterrows(), strict=True):
        assert_row(row, brute_counts(run, run.final, 0.5))


def test_each_snapshot_is_counted(some):
    frame = frames.per_snapshot(some)
    assert frame["step"].tolist() == [1, 2, 4, 8, 16] * 2
    assert frame["log2_step"].tolist() == [0, 1, 2, 3, 4] * 2
    for c, (_, row) in enumerate(frame.iloc[:5].iterrows()):
        assert_row(row, brute_counts(some[0], snapshot(some[0], c)))
    last_eighths = [[0], [1], [3], [7], [14, 15]]
    wanted = [np.asarray(some[0].loss_t)[steps].mean() for steps in last_eighths]
    np.testing.assert_allclose(frame["loss"][:5], wanted, rtol=1e-6)


def test_the_last_snapshot_is_the_run(some):
    runs, snapshots = frames.per_run(some), frames.per_snapshot(some)
    last = snapshots[snapshots["step"] == 16].reset_index()
    for name in ("monosemantic", "dead", "features_with_1", "mean_bias", "mono_per_neuron"):
        assert (runs[name] == last[name]).all()


def test_each_neuron_is_described(some):
    frame = frames.per_neuron(some)
    assert len(frame) == 48
    for run, (_, rows) in zip(some, frame.groupby("eps"), strict=True):
        response_kn = np.asarray(scores.responses(run.final, run.world))[rows["neuron"]]
        assert sorted(rows["neuron"]) == list(range(24))
        assert rows["rank"].tolist() == list(range(24))
        assert rows["monosemanticity"].is_monotonic_decreasing
        assert rows["strongest_feature"].tolist() == response_kn.argmax(1).tolist()
        assert rows["feature_count"].tolist() == (response_kn > 0).sum(1).tolist()
        np.testing.assert_array_equal(rows["bias"], np.asarray(run.final.b_k)[rows["neuron"]])
        counts = brute_counts(run, run.final)
        kinds = rows["neuron_kind"].value_counts()
        assert all(kinds[kind] == counts[kind] for kind in ("monosemantic", "polysemantic", "dead"))


def test_each_feature_is_described(some):
    frame = frames.per_feature(some)
    assert frame["feature"].tolist() == list(range(16)) * 2
    for run, (_, rows) in zip(some, frame.groupby("eps"), strict=True):
        response_kn = np.asarray(scores.responses(run.final, run.world))
        score_k = np.asarray(scores.monosemanticity(response_kn))
        strongest_k = response_kn.argmax(1)
        for n, row in enumerate(rows.to_dict("records")):
            own_k = score_k[strongest_k == n]
            assert row["best_monosemanticity"] == pytest.approx(max(own_k, default=0))
            assert row["mono_neurons"] == (own_k > 0.999).sum()
        assert 0 < rows["mono_neurons"].sum() == brute_counts(run, run.final)["monosemantic"]
        np.testing.assert_allclose(
            rows["response_capacity"], scores.capacity(response_kn), rtol=1e-5
        )
        assert rows["weight_capacity"].sum() <= 8 + 1e-4


def test_one_active_feature_gives_the_papers_score(some):
    frame = frames.per_active(some)
    assert frame["active"].tolist() == [1, 2, 4, 8] * 2
    for run, (_, rows) in zip(some, frame.groupby("eps"), strict=True):
        response_kn = np.asarray(scores.responses(run.final, run.world))
        alive_k = response_kn.max(1) > 0
        wanted = np.asarray(scores.monosemanticity(response_kn))[alive_k].mean()
        assert rows["mean_monosemanticity"].iloc[0] == pytest.approx(wanted, rel=1e-5)
        silent = [(np.delete(row, row.argmax()) <= 0).mean() for row in response_kn[alive_k]]
        assert rows["silent_share"].iloc[0] == pytest.approx(np.mean(silent), rel=1e-5)
        assert rows["mean_monosemanticity"].iloc[1] < rows["mean_monosemanticity"].iloc[0]


def test_dead_neurons_do_not_respond_to_several_features(run):
    dead = run.replace(snapshots=run.snapshots.replace(b_k=0 * run.snapshots.b_k - 100))
    frame = frames.per_active([dead])
    assert (frame["mean_monosemanticity"] == 0).all()
    assert (frame["silent_share"] == 1).all()


def test_bins_cover_the_loss_once(some):
    run = some[0]
    frame = frames.per_bin([run], per_octave=2)
    assert frame["step"].tolist() == [1, 2, 3, 4, 6, 8, 11, 16]
    np.testing.assert_allclose(frame["log2_step"], np.log2(frame["step"]))
    lengths = np.diff([0, *frame["step"]])
    assert (frame["loss"] * lengths).sum() == pytest.approx(float(run.loss_t.sum()), rel=1e-6)
    assert frame["loss"].iloc[4] == pytest.approx(float(run.loss_t[4:6].mean()), rel=1e-6)


def with_loss(run, loss_t):
    config = dataclasses.replace(run.config, log2_steps=int(math.log2(len(loss_t))))
    return run.replace(config=config, loss_t=jnp.asarray(loss_t, jnp.float32))


def test_the_lowest_loss_so_far_is_of_means_over_many_steps(untrained):
    # One lucky batch, a level of 4, from step 129 to 384 one of 2, then one of 8.
    loss_t = np.repeat([0.0, 4.0, 2.0, 8.0], [1, 127, 256, 640])
    frame = frames.per_bin_minimum([with_loss(untrained(), loss_t)])
    lowest = frame.set_index("step")["min_loss"]
    # The later halves are all of one level until 256; the means after 384 are higher.
    steps = [1, 2, 4, 32, 64, 128, 256, 512, 1024]
    np.testing.assert_array_equal(lowest[steps], [0, 4, 4, 4, 4, 4, 2, 2, 2])
    # The later 91 of 181 steps.
    assert lowest[181] == pytest.approx((38 * 4 + 53 * 2) / 91)


def test_min_loss_is_robust_to_noise(untrained):
    noise_t = np.random.default_rng(0).normal(1.0, 0.05, 2**12)
    frame = frames.per_bin_minimum([with_loss(untrained(), noise_t)])
    late = frame[frame["step"] >= 64]
    assert (np.diff(late["min_loss"]) <= 0).all()
    # Four standard errors of the shortest mean that may be the lowest; some batches are lower.
    bound = 1 - 4 * 0.05 / 32**0.5
    assert frame["loss"].min() < bound < late["min_loss"].iloc[-1] < 1


# What they take.


@pytest.mark.parametrize("function", FUNCTIONS)
def test_stacked_listed_and_stored_runs_give_equal_frames(function, runs, tmp_path):
    for run in unstack(runs):
        store.save(tmp_path, run)
    stacked = function(runs)
    pd.testing.assert_frame_equal(function(unstack(runs)), stacked)
    stored = function(store.find(tmp_path))
    order = [n for n in ("seed", "step", "rank", "active", "feature") if n in stacked]
    found = stored.sort_values(order, ignore_index=True)
    pd.testing.assert_frame_equal(found, stacked, check_dtype=False)


def test_one_run_need_not_be_listed(run):
    pd.testing.assert_frame_equal(frames.per_run(run), frames.per_run([run]))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_runs_are_refused(function):
    with pytest.raises(ValueError, match="runs is empty: a frame is of at least one run"):
        function([])


# Runs that diverged.


def test_a_diverged_run_has_no_counts(diverged_run, run):
    diverged, finite = (row for _, row in frames.per_run([diverged_run, run]).iterrows())
    assert diverged["diverged"] == diverged_run.diverged
    assert math.isnan(finite["diverged"])
    for name in brute_counts(run, run.final):
        assert math.isnan(diverged[name])
        assert not math.isnan(finite[name])


def test_snapshots_before_a_run_diverged_have_counts(diverged_run):
    frame = frames.per_snapshot([diverged_run])
    finite = [
        all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(snapshot(diverged_run, c)))
        for c in range(5)
    ]
    assert frame["dead"].notna().tolist() == finite
    assert not all(finite)


@pytest.mark.parametrize("tensor", ["w_mk", "b_k", "w_ko"])
def test_a_run_whose_last_step_lost_a_tensor_has_no_counts(run, tensor):
    weights = getattr(run.snapshots, tensor).at[-1].set(jnp.nan)
    frame = frames.per_run([run.replace(snapshots=run.snapshots.replace(**{tensor: weights}))])
    assert frame["diverged"].item() == run.config.steps
    assert math.isnan(frame["monosemantic"].item())
    assert math.isnan(frame["polysemantic"].item())


@pytest.mark.parametrize("function", [frames.per_neuron, frames.per_feature, frames.per_active])
def test_a_diverged_run_is_not_taken_for_a_dead_one(function, diverged_run, run):
    diverged, finite = (function(one) for one in (diverged_run, run))
    assert list(diverged) == list(finite)
    assert len(diverged) == len(finite)
    assert diverged["diverged"].notna().all()
    determined = (*frames.RUN_FIELDS, "run", "diverged", "rank", "active", "feature")
    measured = [name for name in finite if name not in determined]
    assert len(measured) >= 2
    assert diverged[measured].isna().all(axis=None)
    assert finite[measured].notna().all(axis=None)


# Which fields a frame sweeps.


def test_swept_fields_are_those_that_differ(untrained):
    small = Config(n=16, m=4, k=24, batch_size=8, log2_steps=1)
    wide = dataclasses.replace(small, k=48)
    runs = [untrained(small), untrained(small, seed=1)]
    assert frames.swept(frames.per_run(runs)) == []
    runs += [untrained(wide), untrained(small, Hyperparams(eps=0.5))]
    assert frames.swept(frames.per_run(runs)) == ["k", "eps"]


def test_frames_compile_once_per_config(untrained, points, tmp_path, compilations):
    config = Config(n=17, m=5, k=23, batch_size=8, log2_steps=3)  # of no other test
    for seed, hyperparams in enumerate(points):
        store.save(tmp_path, untrained(config, hyperparams, seed))
    first, *others = store.find(tmp_path)
    with compilations() as compiled:
        for frame in (*FUNCTIONS, frames.per_snapshot_neuron, frames.sorted_responses):
            frame([first])
    assert len(compiled) >= 4
    with compilations() as compiled:
        for frame in (*FUNCTIONS, frames.per_snapshot_neuron, frames.sorted_responses):
            frame(others)
    assert compiled == []
