"""The soak itself: it notices what is lost, and a minute of it loses nothing."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from stored_runs import tensors

from toymono import store
from toymono.store import format as files

SOAK = Path(__file__).with_name("soak.py")


@pytest.fixture
def soak(tmp_path, monkeypatch, untrained):
    """A soak with two runs as its reference, and a folder with both."""
    monkeypatch.syspath_prepend(SOAK.parent)
    spec = importlib.util.spec_from_file_location("soak", SOAK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    soak = module.Soak(tmp_path, None, 0)
    for seed in range(2):
        store.save(tmp_path / "runs", untrained(seed=seed))
    soak.reference = tensors(tmp_path / "runs")
    return soak, tmp_path / "runs"


def test_whole_runs_are_no_loss(soak):
    soak, folder = soak
    soak._compare(folder, frozenset(soak.reference))
    assert (soak.counts["runs compared"], soak.counts["runs lost"], soak.counts["faults"]) == (
        2,
        0,
        0,
    )


def _changed(path):
    arrays = {name: np.array(array) for name, array in load_file(path).items()}
    arrays["loss_t"][-1] += 1
    header = files.read_header(path)
    files.write(path, arrays, {n: v for n, v in header.items() if n not in ("seal", "checksum")})


@pytest.mark.parametrize("change", [Path.unlink, _changed])
def test_a_run_that_is_gone_or_another_is_a_loss(soak, change, capsys):
    soak, folder = soak
    change(next(iter(folder.glob("*.safetensors"))))
    soak._compare(folder, frozenset(soak.reference))
    assert (soak.counts["runs compared"], soak.counts["runs lost"], soak.counts["faults"]) == (
        2,
        1,
        1,
    )
    assert str(folder) in capsys.readouterr().err


def test_a_file_that_is_left_is_a_fault(soak):
    soak, folder = soak
    (folder / f".{next(iter(soak.reference))}.claim").touch()
    soak._compare(folder, frozenset(soak.reference))
    assert (soak.counts["runs lost"], soak.counts["faults"]) == (0, 1)


@pytest.mark.slow
def test_a_minute_of_the_soak_loses_nothing():
    done = subprocess.run([sys.executable, SOAK, "--minutes=1"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 runs lost" in done.stdout
