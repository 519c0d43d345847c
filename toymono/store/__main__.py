"""Checks the files in a folder of runs.

    toymono store check --runs_dir runs
    toymono store check --runs_dir runs --quarantine

`check` reads every stored run (*.safetensors), verifies its checksum and lists the
files that are damaged or are not runs. Unfinished runs (*.partial) are not checked.
With --quarantine the listed files are moved to a folder `quarantine` beside the
runs; nothing is deleted.
"""

import sys
from pathlib import Path

from absl import flags

from toymono import cli

flags.declare_key_flag("runs_dir")
_QUARANTINE = flags.DEFINE_bool("quarantine", False, "Move unreadable files to quarantine/.")


def main() -> int:
    """Lists, and moves on request, the files that cannot be read; 1 if some are left."""
    runs_dir = Path(cli.RUNS_DIR.value)
    cli.prepare_jax()
    from toymono import store

    count, unreadable = 0, []
    try:
        for path in store.run_files(runs_dir):
            count += 1
            try:
                store.load(path)
            except store.BrokenRun as error:
                unreadable.append(path)
                print(error)
    except FileNotFoundError as error:
        raise cli.UsageError(f"{error}; {cli.FIRST_SWEEP}") from None
    print(f"{cli.counted(count, 'file')}, {len(unreadable)} unreadable")
    if unreadable and _QUARANTINE.value:
        for path in unreadable:
            print(f"moved to {_set_aside(path, runs_dir / 'quarantine')}")
        return 0
    return 1 if unreadable else 0


def _set_aside(path: Path, folder: Path) -> Path:
    """Moves a file into a folder under a name that is free there."""
    folder.mkdir(exist_ok=True)
    number = 0
    while (target := folder / (f"{path.name}.{number}" if number else path.name)).exists():
        number += 1
    return path.rename(target)


if __name__ == "__main__":
    if sys.argv[1:2] == ["check"]:
        del sys.argv[1]
    elif not any(argument.startswith("--help") for argument in sys.argv[1:]):
        print("store: the one command is check, see --help", file=sys.stderr)
        sys.exit(2)
    cli.run(main)
