"""A folder whose name the locale cannot express."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = str(Path(__file__).parents[2])


def test_training_plots_and_a_report_in_a_unicode_folder_under_an_ascii_locale(tmp_path, tiny):
    env = {
        **os.environ,
        **{"PYTHONPATH": ROOT, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    }
    for line, written in (
        (["sweep", *tiny, "--log2_steps=3", "--seeds=1"], "läufe"),
        (["plots", "--figure=sorted_biases", "--format=png", "--figures_dir=bücher"], "bücher"),
        (["report", "--detail=1", "--out=bücher"], "bücher/index.html"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", f"toymono.{line[0]}", *line[1:], "--runs_dir=läufe"],
            cwd=tmp_path,
            env=env,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        assert (done.stdout + done.stderr).isascii()
        assert b"Traceback" not in done.stderr
        assert (tmp_path / written).exists()
    page = (tmp_path / "bücher" / "index.html").read_text(encoding="utf-8")
    assert "--runs_dir=läufe" in page
