"""The notebooks run from top to bottom, at a tiny size."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
IDS = [path.stem for path in NOTEBOOKS]

_SIZE = "n=16, m=4, k=24, batch_size=8, log2_steps=4"
TINY = {
    "01_quickstart": f"config = Config({_SIZE})\nstack = grid(init_bias=[-1, 0], seeds=2)",
    "02_reproduce_the_paper": f'sweep = "B3"\nsize = dict({_SIZE})',
    "03_your_own_task": f"config = Config({_SIZE})\nstack = grid(alpha=[0, 1], eps=0.25, seeds=2)",
    "04_lenses": f"""
from toymono import Config, fit_many, grid, unstack
stack = grid(init_bias=[-1, 0], eps=0.25, seeds=2)  # compiled for the first notebook already
runs = unstack(fit_many(Config({_SIZE}), *stack, progress=True))[::2]
samples = 256
""",
}
"""What replaces each notebook's parameters."""


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The outputs of each notebook, executed one after the other in one process."""
    cells, lengths = [], {}
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if "parameters" in cell.metadata.get("tags", []):
                cell.source = TINY[path.stem]
        # Names of one notebook are not seen by the next.
        reset = nbformat.v4.new_code_cell("%reset -f")
        lengths[path.stem] = len(notebook.cells) + 1
        cells += [reset, *notebook.cells]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    whole = nbformat.v4.new_notebook(cells=cells)
    folder = tmp_path_factory.mktemp("notebooks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # compiling takes most of the time
        NotebookClient(whole, timeout=300, resources={"metadata": {"path": folder}}).execute()
    outputs, start = {}, 0
    for name, length in lengths.items():
        part = whole.cells[start : start + length]
        outputs[name] = [output for cell in part for output in cell.get("outputs", [])]
        start += length
    return outputs


@pytest.mark.parametrize("name", IDS)
def test_notebooks_run_and_show_figures(executed, name):
    pictures = [output for output in executed[name] if "image/png" in output.get("data", {})]
    assert len(pictures) >= (1 if name == "03_your_own_task" else 3)


def test_progress_and_refusals_are_shown(executed):
    def text(name):
        return "".join(output.get("text", "") for output in executed[name])

    assert "4 runs: 100%" in text("01_quickstart")
    assert "task 'decoder' is built in" in text("03_your_own_task")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_notebooks_have_no_outputs_and_install_in_colab(path):
    cells = nbformat.read(path, as_version=4).cells
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    assert f"blob/main/notebooks/{path.name}" in cells[0].source
    assert '{"jax", "jaxlib", "numpy"}' in cells[1].source  # Colab's own stay as they are
    assert cells[1].metadata["tags"] == ["install"]
