"""A user's own task, nonlinearity, law, penalty, score and figure, added to the public tables."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toymono import Config, Hyperparams, Model, fit, fit_many, frames, grid
from toymono.feature_laws import FEATURE_LAWS
from toymono.fields import TOY
from toymono.frames import SCORES, Score
from toymono.models import NONLINEARITIES, Nonlinearity
from toymono.penalties import PENALTIES, Penalty, activation_l1
from toymono.plots import selection
from toymono.plots.figure import Figure
from toymono.plots.registry import FIGURES
from toymono.quantities import QUANTITIES
from toymono.quantities.quantity import fraction
from toymono.tasks import TASKS

TABLES = [TASKS, NONLINEARITIES, FEATURE_LAWS, PENALTIES, SCORES, FIGURES]


@pytest.fixture(autouse=True)
def tidy():
    before = [set(table) for table in TABLES]
    yield
    for table, names in zip(TABLES, before, strict=True):
        for name in set(table) - names:
            table.remove(name)


def squares(world, features_bn):
    return features_bn**2


def test_a_task_and_its_relatives_can_be_trained(config):
    TASKS.register(dataclasses.replace(TASKS["decoder"], targets=squares), "square", "squares")
    NONLINEARITIES.register(Nonlinearity(lambda x: jnp.minimum(jax.nn.relu(x), 1)), "clipped")
    FEATURE_LAWS.register(lambda n, hyperparams: jnp.linspace(0.5, 0.1, n), "falling")
    PENALTIES.register(
        Penalty(lambda model, world, key: activation_l1(model.neurons(world.embed_nm))), "small"
    )
    assert TOY["task"].choices["square"] == "squares"
    own = dataclasses.replace(
        config, task="square", nonlinearity="clipped", feature_law="falling", penalty="small"
    )
    run = fit(own, Hyperparams(eps=0.25, alpha=0.1), jax.random.key(0))
    assert np.isfinite(run.loss_t).all()
    features_bn = jnp.full((2, config.n), 0.5)
    assert (run.world.targets(features_bn) == 0.25).all()
    assert frames.per_run([run])["task"].item() == "square"
    assert selection.values(frames.per_run([run]), "task") == ["square"]


def test_a_replaced_record_is_used_by_programs_compiled_before(run):
    neurons = jax.jit(Model.neurons)
    x_bm = jnp.full((1, run.config.m), -3.0)
    NONLINEARITIES.register(Nonlinearity(jax.nn.relu), "own")
    own = run.final.replace(nonlinearity="own")
    assert neurons(own, x_bm).min() == 0
    NONLINEARITIES.register(Nonlinearity(lambda x: x), "own", replace=True)
    assert neurons(own, x_bm).min() < 0
    NONLINEARITIES.remove("own")
    with pytest.raises(ValueError, match="nonlinearity='own' is not one of relu"):
        Config(nonlinearity="own")
    with pytest.raises(ValueError, match="nonlinearity 'own' was not registered"):
        NONLINEARITIES.remove("own")


@pytest.mark.parametrize("table", TABLES[:4], ids=lambda table: table.kind)
def test_name_clashes_are_refused(table):
    built_in, record = next(iter(table.items()))
    with pytest.raises(ValueError, match=f"{table.kind} '{built_in}' is built in"):
        table.register(record, built_in, replace=True)
    table.register(record, "own")
    with pytest.raises(ValueError, match=f"{table.kind} 'own' is registered already"):
        table.register(record, "own")
    for name in ("", "Own", "two words"):
        with pytest.raises(ValueError, match="not lower-case letters"):
            table.register(record, name)


def test_scores_are_columns(runs):
    first = Score(fraction("first_bias", "bias of the first neuron"), lambda m, w: m.b_k[0], "run")
    largest = Score(
        fraction("largest_weight", "largest input weight"), lambda m, w: abs(m.w_mk).max(axis=0)
    )
    SCORES.register(first)
    SCORES.register(largest)
    per_run, per_neuron = frames.per_run(runs), frames.per_neuron(runs)
    np.testing.assert_array_equal(per_run["first_bias"], runs.final.b_k[:, 0])
    one = per_neuron[per_neuron["run"] == per_run["run"][1]]
    expected_k = np.asarray(abs(runs.final.w_mk[1]).max(axis=0))
    np.testing.assert_array_equal(one["largest_weight"], expected_k[one["neuron"]])
    assert QUANTITIES["largest_weight"].label == "largest input weight"
    SCORES.remove("largest_weight")
    assert "largest_weight" not in QUANTITIES


def test_scores_that_do_not_fit_are_refused(run):
    with pytest.raises(ValueError, match="score 'loss' is a column already"):
        SCORES.register(Score(fraction("loss", "mine"), lambda m, w: 0.0, "run"))
    with pytest.raises(ValueError, match="per='model' is not one of neuron, run"):
        Score(fraction("mine", "mine"), lambda m, w: 0.0, "model")
    SCORES.register(Score(fraction("mine", "mine"), lambda m, w: 0.5))
    with pytest.raises(ValueError, match=r"score 'mine' has shape \(\), not \(24,\), per neuron"):
        frames.per_neuron([run])


def test_a_figure_is_registered_by_its_name():
    general = FIGURES["sorted_biases"]
    own = dataclasses.replace(general, name="own_biases")
    FIGURES.register(own)
    assert isinstance(FIGURES["own_biases"], Figure)
    with pytest.raises(ValueError, match="figure 'sorted_biases' is built in"):
        FIGURES.register(general)


def test_a_grid_is_a_stack(config):
    hyperparams, keys = grid(init_bias=[0, -1], eps=0.25, seeds=[3, 5])
    assert hyperparams.init_bias.tolist() == [0, 0, -1, -1]
    assert hyperparams.eps.tolist() == [0.25] * 4
    runs = fit_many(config, hyperparams, keys)
    assert frames.per_run(runs)["seed"].tolist() == [3, 5, 3, 5]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"k": [8, 16]}, "k belongs to Config"),
        ({"bias": 1}, "'bias' is not one of learning_rate, eps"),
        ({"eps": [0.5, 2]}, r"eps=2 is not in \(0, 1\]"),
        ({"eps": []}, "the grid has no runs"),
        ({"seeds": 0}, "the grid has no runs"),
        ({"seeds": [-1]}, "seed=-1 is not a whole number"),
    ],
)
def test_grids_that_cannot_be_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        grid(**values)


def test_a_bar_shows_progress_and_changes_no_result(config, capsys):
    stack = grid(init_bias=[0, -1], eps=0.25)
    silent = fit_many(config, *stack)
    assert capsys.readouterr().err == ""
    shown = fit_many(config, *stack, progress=True)
    bar = capsys.readouterr().err
    assert "2 runs: 100%" in bar
    assert f"{config.steps}/{config.steps}" in bar
    assert "loss" in bar
    for one, other in zip(jax.tree.leaves(silent), jax.tree.leaves(shown), strict=True):
        assert one.shape == other.shape
        if not jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
