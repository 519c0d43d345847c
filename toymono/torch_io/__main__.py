"""Imports files of the authors' PyTorch program, and exports runs for PyTorch and SAELens.

    toymono torch_io import model3_autoencoder_ReLU_….pt
    toymono torch_io export 0123456789abcdef --out model.safetensors
    toymono torch_io export 0123456789abcdef --out model.pt
    toymono torch_io export 0123456789abcdef --out features --saelens

`import` stores each file as a run in runs_dir with all its snapshots; it takes
PyTorch. `export` takes a run's name or file. A .safetensors file is a state dict
of the trained network, a .pt file has the authors' layout with all snapshots
(it takes PyTorch), and with --saelens the result is a folder with the run's
features as a synthetic model of SAELens. No file is overwritten.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from toymono import cli

if TYPE_CHECKING:
    from toymono.train import Run

_OUT = flags.DEFINE_string(
    "out",
    None,
    "With export: the .safetensors or .pt file, or with --saelens the folder.",
    allow_override=True,
)
_SAELENS = flags.DEFINE_bool(
    "saelens", False, "With export: write the features as a synthetic model of SAELens."
)
flags.declare_key_flag("runs_dir")

_USAGE = "import FILE.pt … or export RUN --out FILE, see --help"


def main(*operands: str) -> int:
    """Imports or exports what the arguments name."""
    action, *names = operands or ("",)
    out = _OUT.value or ""
    if action not in ("import", "export"):
        raise cli.UsageError(f"usage: toymono torch_io {_USAGE}")
    if action == "import" and not names:
        raise cli.UsageError("import requires files: import FILE.pt …")
    if action == "import" and (_OUT.present or _SAELENS.value):
        raise cli.UsageError("--out and --saelens require export")
    if action == "export" and (len(names) != 1 or not out):
        raise cli.UsageError("export requires one run and --out: export RUN --out FILE")
    for name in names if action == "import" else ():
        if not Path(name).is_file():
            raise cli.UsageError(f"there is no file {name!r}")
    cli.prepare_jax()
    if action == "export":
        _export(names[0], out)
        return 0
    from toymono.files import BrokenRun

    broken = []
    for name in names:
        try:
            _import(name)
        except BrokenRun as error:  # the other files are imported all the same
            broken.append(str(error))
    for error in broken[:-1]:
        print(f"torch_io: {error}", file=sys.stderr)
    if broken:
        raise cli.Failure(broken[-1])
    return 0


def _import(name: str) -> None:
    from toymono import store  # here and below: these import JAX
    from toymono.job import job_of
    from toymono.torch_io import files

    try:
        run = files.read(name)
    except files.NoTorch as error:
        raise cli.Failure(str(error)) from None
    runs_dir = cli.writable(cli.RUNS_DIR.value)
    path = store.path(runs_dir, job_of(run))
    if os.path.lexists(path):
        store.load(path)  # raises what is wrong with a damaged file
        print(f"{name}: already stored as {path}")
        return
    store.save(runs_dir, run, trained_by={"program": "model3.py of the paper"})
    print(f"{name}: stored as {path}")


def _export(name: str, out: str) -> None:
    from toymono.torch_io import files, saelens

    suffix = Path(out).suffix
    if not _SAELENS.value and suffix not in (".pt", ".safetensors"):
        raise cli.UsageError(f"--out={out!r} ends neither in .safetensors nor in .pt")
    if Path(out).absolute().parent == Path(cli.RUNS_DIR.value).absolute():
        raise cli.UsageError(f"--out={out!r} lies among the runs; use another folder")
    run = _run(name)
    write: Any = files.write if suffix == ".pt" else files.write_state_dict
    write = saelens.write if _SAELENS.value else write
    try:
        print(f"written: {write(out, run)}")
    except (ValueError, FileExistsError) as error:
        raise cli.UsageError(str(error)) from None
    except files.NoTorch as error:
        raise cli.Failure(str(error)) from None


def _run(name: str) -> "Run":
    """The toy run that has a name in runs_dir, or lies in a file."""
    from toymono import store
    from toymono.train import Run

    path = Path(name)
    if path.suffix != ".safetensors":
        path = Path(cli.RUNS_DIR.value) / f"{name}.safetensors"
    if not os.path.lexists(path):
        raise cli.UsageError(f"there is no run {str(path)!r}")
    run = store.load(path)
    if not isinstance(run, Run):
        raise cli.UsageError(f"{path} is not a run of a toy model")
    return run


if __name__ == "__main__":
    cli.run(main, operands=True)
