"""Lottery tickets: runs that train what is left of a pruned run, from early weights of another."""

import dataclasses
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from settings import TINY, TINY_HYPERPARAMS

from toymono import (
    Config,
    begin,
    biases,
    features,
    fit,
    frames,
    optimizers,
    origins,
    pruning,
    store,
    train_step,
)
from toymono.alignment import permute
from toymono.config import split
from toymono.job import Job
from toymono.sweep import jobs, plan, trainer

DENSE = dataclasses.replace(TINY, world_seed=5)
NUMBERS = TINY_HYPERPARAMS.replace(density=0.5)


def ticket(**changed):
    settings = {"origin": "ticket", "sparsity": "pruned", "density_rule": "global"}
    return dataclasses.replace(DENSE, **{**settings, **changed})


@pytest.fixture(scope="module")
def dense():
    """Two models of one world."""
    return [fit(DENSE, TINY_HYPERPARAMS, jax.random.key(seed)) for seed in (0, 1)]


def begun(config, parents, key=9, **hyperparams):
    gathered = origins.gather(config, parents)
    return begin(config, NUMBERS.replace(**hyperparams).checked(), jax.random.key(key), gathered)


def at(run, step):
    index = run.snapshot_steps.index(step)
    return jax.tree.map(lambda leaf: leaf[index], run.snapshots)


@pytest.mark.parametrize("step", [1, 4])
def test_a_ticket_has_early_weights_in_the_masks_of_the_pruned_run(dense, step):
    run = dense[0]
    world, state = begun(ticket(rewind_step=step), [run, run])
    expected = pruning.kept(run.final, None, "global", 0.5)
    chex.assert_trees_all_equal(state.masks, expected)
    chex.assert_trees_all_equal(state.model, pruning.rewound(expected, at(run, step)))
    chex.assert_trees_all_equal(world, run.world)
    assert state.anchors == ()


def test_random_masks_have_as_many_weights_in_each_tensor(dense):
    run = dense[0]
    _, own = begun(ticket(), [run, run])
    _, control = begun(ticket(ticket_control="random_masks"), [run, run])
    for name in ("w_mk", "w_ko"):
        mask, other = (getattr(state.masks, name) for state in (own, control))
        assert mask.sum() == other.sum()
        assert (mask != other).any()
        used = np.asarray(other)
        early = np.asarray(getattr(at(run, 1), name))
        np.testing.assert_array_equal(np.asarray(getattr(control.model, name))[used], early[used])


def test_new_weights_are_nobodys_and_in_the_same_masks(dense):
    """Not those that a parent of the same seed began with either."""
    run = dense[0]
    _, own = begun(ticket(), [run, run], key=0)
    _, control = begun(ticket(ticket_control="new_weights"), [run, run], key=0)
    chex.assert_trees_all_equal(control.masks, own.masks)
    _, first = begin(DENSE, TINY_HYPERPARAMS.checked(), jax.random.key(0))
    used = np.asarray(own.masks.w_mk)
    for other in (own.model, first.model):
        assert (np.asarray(control.model.w_mk)[used] != np.asarray(other.w_mk)[used]).all()


def test_matched_masks_follow_the_neurons(dense):
    """A permuted copy of the rewound run, pruned, gives the ticket of that run itself."""
    run = dense[0]
    order_k = jax.random.permutation(jax.random.key(1), DENSE.k)
    copy = run.replace(snapshots=jax.vmap(permute, (0, None))(run.snapshots, order_k))
    _, own = begun(ticket(), [run, run])
    _, matched = begun(ticket(ticket_control="matched"), [run, copy])
    chex.assert_trees_all_equal(matched.masks, own.masks)
    _, unmatched = begun(ticket(), [run, copy])
    assert (unmatched.masks.w_mk != own.masks.w_mk).any()


def test_training_keeps_unused_weights_at_0(dense):
    world, state = begun(ticket(), [dense[0], dense[0]])
    for step in range(3):
        batch_bn = features.sample(ticket(), NUMBERS, jax.random.key(step))
        state, _ = train_step(ticket(), NUMBERS.checked(), world, state, batch_bn)
    assert not state.model.w_mk[~state.masks.w_mk].any()
    assert not state.model.w_ko[~state.masks.w_ko].any()


def chain(densities=(0.8, 0.64)):
    """A dense run, and tickets that each prune the one before."""
    dense = Job(DENSE, TINY_HYPERPARAMS, 0)
    made = [dense]
    for density in densities:
        numbers = TINY_HYPERPARAMS.replace(density=density)
        made.append(Job(ticket(), numbers, 0, parents=(dense.name, made[-1].name)))
    return made


def test_a_chain_is_planned_trained_stored_and_resumed_to_the_same_bits(tmp_path):
    every = chain()
    list(trainer.run_plan(plan.make(every, tmp_path / "whole"), tmp_path / "whole"))
    runs = [store.load(run) for run in store.named(tmp_path / "whole", every)]
    total = DENSE.k * (DENSE.m + DENSE.n)
    rows = frames.per_run(runs)
    assert rows["nonzero_weights"].tolist() == [total, round(0.8 * total), round(0.64 * total)]
    for outer, inner in itertools.pairwise([run.masks for run in runs[1:]]):
        assert (outer.w_mk | ~inner.w_mk).all()
    folder = tmp_path / "stopped"
    for _ in range(60):
        made = plan.make(every, folder)
        if not made.to_train:
            break
        answers = itertools.chain([False, False], itertools.repeat(True))
        list(trainer.run_plan(made, folder, stopped=lambda answers=answers: next(answers)))
    again = [store.load(run) for run in store.named(folder, every)]
    for one, other in zip(runs, again, strict=True):
        chex.assert_trees_all_equal(one.snapshots, other.snapshots)
        chex.assert_trees_all_equal(one.masks, other.masks)


def test_the_sweep_lists_chains_and_controls():
    made = {job.name: job for job in jobs.of_sweeps(["TICKET"], "small", range(4))}
    tickets = [job for job in made.values() if job.config.origin == "ticket"]
    assert len(tickets) == 4 * (6 + 6)
    for job in tickets:
        dense, pruned = (made[name] for name in job.parents)
        matched = job.config.ticket_control == "matched"
        # There are three dense runs.
        assert (dense.config.origin, dense.seed) == ("fresh", (job.seed + matched) % 3)
        assert pruned.config.ticket_control == "none"
        if pruned.config.origin == "ticket":
            assert pruned.seed == job.seed
            own, _ = (made[name] for name in pruned.parents)
            assert own.seed == job.seed % 3
        else:
            assert pruned.seed == job.seed % 3
        before = 1.0 if pruned.config.sparsity == "none" else pruned.hyperparams.density
        assert float(job.hyperparams.density) / float(before) == pytest.approx(0.8, abs=0.002)
    with pytest.raises(ValueError, match=r"density=0.5 is not one of 0.8, 0.64"):
        list(jobs.of_sweeps(["TICKET"], "small", [0], density=0.5))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"origin": "ticket"}, "origin=ticket requires sparsity=pruned"),
        ({"origin": "expand"}, "origin=expand requires sparsity=pruned"),
        ({"sparsity": "pruned"}, "sparsity=pruned requires origin=ticket or origin=expand"),
        (
            {"origin": "expand", "sparsity": "pruned", "density_rule": "global"},
            "origin=expand has density_rule=uniform alone",
        ),
        ({"sparsity": "set", "density_rule": "global"}, "density_rule=global prunes by size"),
        ({"rewind_step": 3}, "rewind_step=3 is not a power of two"),
        ({"ticket_control": "new_weights", "bias_start": "below_all"}, "bias_start=shifted alone"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        Config(**changed)


def test_parents_that_do_not_suit_are_refused(dense):
    late = ticket(rewind_step=2 * DENSE.steps)
    with pytest.raises(ValueError, match=r"but the first parent has \d+ steps"):
        origins.gather(late, [dense[0], dense[0]])
    pruned = dense[0].replace(config=ticket())
    with pytest.raises(ValueError, match="a parent has sparsity=pruned, where dense weights"):
        origins.gather(ticket(), [pruned, dense[0]])
    with pytest.raises(ValueError, match="a parent has sparsity=pruned, where dense weights"):
        origins.gather(dataclasses.replace(DENSE, origin="continued"), [pruned])


def test_a_ticket_is_one_run_whatever_it_ignores():
    """Fields of other origins do not change its name."""
    values = {"origin": "ticket", "sparsity": "pruned", "attraction": 0.5, "match_parents": "none"}
    one, other = (Job(*split(v), 0) for v in (values, {**values, "attraction": 0.1}))
    assert one.name == other.name


def test_a_late_ticket_goes_on_in_the_schedule_and_the_decay_of_its_parent():
    late, early = ticket(rewind_step=8), ticket()
    assert (late.first_step, early.first_step, DENSE.first_step) == (7, 0, 0)
    numbers = NUMBERS.replace(cosine_period=16.0, bias_decay=0.5, learning_rate=1.0)
    for step in range(4):
        expected = optimizers.schedule(DENSE, numbers)(jnp.int32(step + 7))
        actual = optimizers.schedule(late, numbers)(jnp.int32(step))
        np.testing.assert_allclose(actual, expected)
    # Of 16 steps the first 8 decay; one of these is left after 7.
    model = fit(DENSE, TINY_HYPERPARAMS, jax.random.key(0)).final
    factors = [
        biases.decay(late, numbers, model, model, None, jnp.int32(step), DENSE.steps).b_k
        / model.b_k
        for step in (0, 1)
    ]
    np.testing.assert_allclose(factors[0], 0.5, rtol=1e-6)
    np.testing.assert_allclose(factors[1], 1.0)
