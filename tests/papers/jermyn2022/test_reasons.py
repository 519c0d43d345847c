"""Why runs may miss the limits: sentences with numbers from the evidence."""

import pytest
from published_runs import as_published, made_up

from toymono.papers import claims
from toymono.papers.evidence import Evidence
from toymono.papers.jermyn2022 import reasons
from toymono.papers.jermyn2022.claims import CLAIMS
from toymono.papers.verdicts import Verdict

LARGER = ("log2_steps", 18), ("batch_size", 2**20)


def with_larger(change, numbers, larger_numbers):
    """LR3 with some numbers, and again with a field changed and other numbers."""

    def sweep(numbers):
        return made_up(lambda name, point: as_published(name, point) | numbers, ("LR3",)).sweeps

    return Evidence(sweep(numbers), {change: sweep(larger_numbers)})


@pytest.mark.parametrize(
    ("reason", "change", "numbers", "larger", "words"),
    [
        (
            reasons.short_training,
            LARGER[0],
            {"mono_per_feature": 0.25},
            {"mono_per_feature": 0.5},
            "0.001, monosemantic neurons per feature increase from 0.25 after 2^17 steps to 0.5 "
            "after 2^18",
        ),
        (
            reasons.batch_noise,
            LARGER[1],
            {"slope_change": 0.04, "largest_singular": 1.5, "bias_above_005": 11.0},
            {"slope_change": 0.01, "largest_singular": 1.25, "bias_above_005": 31.0},
            "changes by at most 0.01 at any learning rate (with 8192: 0.04); neurons with a bias "
            "above .05, for m = 64, 31 … 31 (with 8192: 11 … 11); largest singular value of M "
            "1.25 … 1.25",
        ),
    ],
)
def test_reasons_take_their_numbers_from_larger_runs(reason, change, numbers, larger, words):
    assert words in reason(with_larger(change, numbers, larger))
    assert reason(with_larger(change, larger, numbers)) == ""  # the evidence speaks against it
    assert reason(Evidence(with_larger(change, numbers, larger).sweeps)) == ""


def test_dead_neurons_explain_the_loss_of_small_layers():
    def numbers(name, point):
        dies = name == "K1" and point["k"] == 16
        row = as_published(name, point)
        return row | ({"dead": 16, "loss": 1.1} if dies else {"dead": 0})

    runs = made_up(numbers, ("K0", "K1"))
    judged = claims.judge(CLAIMS["k_small"], runs)
    assert judged.verdict == Verdict.DIFFERS
    assert judged.reason == (
        "neurons that start at bias -1 can die: 3 of the 3 runs outside the limits have dead "
        "neurons (3 runs lost all of them), of the 9 runs within the limits 0 have"
    )
    runs.sweeps["K1"].frame["dead"] = 0
    assert claims.judge(CLAIMS["k_small"], runs).reason == ""


def test_dying_neurons_explain_too_few_monosemantic_ones():
    def numbers(name, point):
        top = point["learning_rate"] == 0.03
        row = {**as_published(name, point), "features_with_1": 0}
        return row | {"dead": 256 if top else 0, "mono_rise": -0.25 if top else 0.1}

    runs = made_up(numbers, ("LR1",))
    reason = claims.judge(CLAIMS["one_each"], runs).reason
    assert (
        "at a learning rate of 0.03, 25% of the neurons are dead at the end (at 0.01: 0%)" in reason
    )
    assert "fall by 0.25" in reason
    runs.sweeps["LR1"].frame["dead"] = 0
    assert reasons.dying_neurons(runs) == ""


def test_narrow_misses_are_a_reason_where_there_are_many():
    def found(nearly):
        numbers = {"nearly_mono_features": nearly, "features_with_1": 300.0}
        runs = made_up(lambda name, point: as_published(name, point) | numbers, ("LR3",))
        return reasons.few_monosemantic(runs)

    words = "100 … 100 of the 512 features have no monosemantic neuron but one whose score is at"
    assert words in found(100.0)
    assert "beside 300 … 300 features with one" in found(100.0)
    assert found(50.0) == ""
    assert found(float("nan")) == ""


def test_counts_say_little_where_nearly_every_feature_has_a_neuron():
    def found(served):
        def numbers(name, point):
            every = point["learning_rate"] >= 0.01
            ones = {"features_with_1": served if every else 0, "features_with_2": 5}
            return as_published(name, point) | ones

        return reasons.saturated_counts(made_up(numbers, ("LR1",)))

    assert "at learning rates from 0.01 to 0.03, 505 … 505 of the 512 features" in found(500)
    assert found(450) == ""
