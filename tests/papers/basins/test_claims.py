"""Claims about basins: judged on made-up numbers, and the page from evidence alone."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from toymono import Hyperparams, store
from toymono.alignment import permute
from toymono.frames import connectivity
from toymono.papers.basins import paper
from toymono.papers.basins.claims import CLAIMS
from toymono.papers.basins.paper import PAPER
from toymono.papers.claims import judge
from toymono.papers.evidence import Evidence, Sweep
from toymono.papers.paper import update
from toymono.papers.verdicts import Verdict
from toymono.quantities import QUANTITIES

DOCS = Path(__file__).parents[3] / "docs"

MONO = {
    "mono_per_feature": 0.8,
    "kind_barrier": 0.02,
    "kind_reduction": 0.95,
    "mixed_barrier": 0.2,
    "mixed_excess": 0.1,
    "mixed_ratio": 10.0,
}
POLY = {**MONO, "mono_per_feature": 0.0, "kind_barrier": 0.1, "mixed_ratio": 2.0}
BETWEEN = dict.fromkeys(MONO, np.nan) | {"mono_per_feature": 0.3}

BROKEN = {
    "mono_connected": ({"kind_barrier": 0.04}, {}),
    "poly_apart": ({}, {"kind_barrier": 0.03}),
    "kinds_apart": ({"mixed_ratio": 2.0}, {}),
    "ordering": ({"mixed_barrier": 0.05}, {}),
}
"""For each claim what changes in mono- and in polysemantic models, so that it differs."""


def evidence(mono=MONO, poly=POLY):
    rows = [
        {
            **numbers,
            "setting": f"{world} {bias}",
            "world_seed": world,
            "init_bias": bias,
            "seed": seed,
            "loss": 0.5,
        }
        for world in range(3)
        for bias, numbers in ((-1.0, mono), (-0.1, BETWEEN), (0.0, poly))
        for seed in range(3)
    ]
    return Evidence({"BASIN": Sweep("BASIN", 9, pd.DataFrame(rows))})


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_agrees_within_its_limits_and_differs_beyond(name):
    assert judge(CLAIMS[name], evidence()).verdict == Verdict.AGREES
    mono, poly = BROKEN[name]
    changed = evidence({**MONO, **mono}, {**POLY, **poly})
    assert judge(CLAIMS[name], changed).verdict == Verdict.DIFFERS


def test_models_in_between_are_of_no_kind():
    [first, *_] = judge(CLAIMS["mono_connected"], evidence()).findings
    assert (first.setting, first.values) == ("world 0, monosemantic models", (0.02,) * 3)


def test_the_ordering_has_one_value_for_each_world():
    judged = judge(CLAIMS["ordering"], evidence())
    for finding, step in zip(judged.findings, (0.08, 0.1), strict=True):
        assert finding.values == pytest.approx((step,) * 3)


def test_every_number_that_claims_read_is_in_the_evidence():
    [source] = PAPER.sources("small")
    assert set(MONO) <= set(source.quantities) <= set(QUANTITIES)


def test_a_stored_run_is_measured_beside_the_others_of_its_world(
    untrained, config, tmp_path, monkeypatch
):
    monkeypatch.setattr(store, "positions", lambda sweep, scale: {run.setting: 0 for run in kept})
    order_k = jnp.arange(config.k)[::-1]
    first = untrained(config, Hyperparams(eps=0.25))
    second = first.replace(
        snapshots=jax.vmap(permute, (0, None))(first.snapshots, order_k), key=jax.random.key(1)
    )
    for run in (first, second):
        store.save(tmp_path, run)
    kept = store.find(tmp_path)
    found = [paper._measure(run) for run in kept]
    assert [row["run"] for row in found] == [run.name for run in kept]
    for row in found:
        if row["mono_per_feature"] <= connectivity.POLY:
            assert row["kind_barrier"] == 0
        assert np.isnan(row["mixed_barrier"])


def test_the_page_is_made_from_the_evidence_in_git(tmp_path):
    (tmp_path / "evidence").mkdir()
    for source in PAPER.sources("small"):
        path = Path("evidence") / f"{source.name}.csv"
        (tmp_path / path).write_bytes((DOCS / path).read_bytes())
    done = update(PAPER, "small", tmp_path)
    page = done.page.read_text()
    assert page == (DOCS / "papers" / "basins.md").read_text()
    assert (done.page.parent / PAPER.picture.path).resolve().name == "barriers.png"
    assert (DOCS / "figures" / "barriers.png").exists()
    assert "nan" not in page
