"""`toymono COMMAND …` and `python -m toymono COMMAND …` run `python -m toymono.COMMAND …`."""

import runpy
import sys

from toymono import signals

COMMANDS = {
    "sweep": "train a grid of toy models",
    "classifiers": "train classifiers with a polysemantic penalty",
    "autoencoders": "train autoencoders of image patches with dropout",
    "plots": "draw figures of stored runs",
    "papers": "compare published claims with stored runs",
    "store": "check the files of a folder of runs",
    "torch_io": "import and export PyTorch files",
}


def main() -> None:
    """Runs the command that the first argument names."""
    signals.end_at_once()
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in COMMANDS:
        sys.argv[:2] = [f"toymono {name}"]
        runpy.run_module(f"toymono.{name}", run_name="__main__", alter_sys=False)
        return
    lines = [f"  {command:12} {text}" for command, text in COMMANDS.items()]
    usage = "\n".join(["usage: toymono COMMAND [--flag=value …]", *lines])
    if name in ("--help", "-h", "help"):
        print(f"{usage}\n\n`toymono COMMAND --help` lists a command's flags.")
        return
    print(f"toymono: {name!r} is not one of {', '.join(COMMANDS)}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
