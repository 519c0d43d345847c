"""Estimates of training time."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from toymono import Config
from toymono.kinds import KINDS
from toymono.sweep import machines

ROOT = Path(__file__).parents[2]


def cost(**changed):
    return KINDS["toy"].cost(Config(**changed), None)


def test_a_run_costs_its_steps():
    one = cost(n=512, m=64, k=1024, batch_size=8192, log2_steps=3)
    assert one.step_flops == 2 * 8192 * (512 * 64 + 1024 * (2 * 64 + 3 * 512))
    assert one.flops == 8 * one.step_flops


def test_rates_are_those_measured_and_between_them():
    for flops, rate in machines._MEASURED:
        assert machines.cpu_rate(flops) == pytest.approx(rate)
    rates = [machines.cpu_rate(flops) for flops in np.logspace(3, 13, 21)]
    assert rates == sorted(rates)
    assert (rates[0], rates[-1]) == pytest.approx((14.6e9, 143e9))


def test_an_accelerator_cannot_undercut_its_longest_run():
    short, long = cost(log2_steps=10), cost(log2_steps=14)
    machine = machines.Accelerator("four", 4, {"float32": 1e9, "bfloat16": 1e10})
    assert machine.least_seconds([(short, "float32")] * 8) == pytest.approx(2 * short.flops / 1e9)
    mixed = [(short, "float32")] * 8 + [(long, "float32")]
    assert machine.least_seconds(mixed) == pytest.approx(long.flops / 1e9)
    assert machine.least_seconds([(long, "bfloat16")]) == pytest.approx(long.flops / 1e10)
    assert machine.least_seconds([]) == 0


def test_the_page_on_scale_is_up_to_date():
    script = runpy.run_path(str(ROOT / "benchmarks" / "scale.py"))
    stale = "run `python benchmarks/scale.py`: costs or rates have changed"
    assert script["PAGE"].read_text(encoding="utf-8") == script["page"](), stale
