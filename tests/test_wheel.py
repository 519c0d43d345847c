"""The wheel: it holds every file of the package, and runs outside the checkout."""

import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_wheel_is_whole_and_runs_in_an_empty_environment():
    subprocess.run(["make", "wheel"], cwd=ROOT, check=True)
    [wheel] = (ROOT / "build" / "wheel").glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    files = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "toymono").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files <= held
