"""`toymono COMMAND …` and `python -m toymono COMMAND …` run `python -m toymono.COMMAND …`."""

import difflib
import runpy
import sys
from pathlib import Path

from toymono import signals
from toymono.usage import COMMANDS

_EXAMPLES = """\
    toymono sweep --task decoder --k 512 --init_bias -1    # train two networks, 2 minutes
    toymono plots                                          # draw them: figures/gallery.md"""


def main() -> None:
    """Runs the command that the first argument names."""
    signals.end_at_once()
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in COMMANDS:
        sys.argv[:2] = [f"toymono {name}"]
        runpy.run_module(f"toymono.{name}", run_name="__main__", alter_sys=False)
        return
    if name in ("--help", "-h", "help"):
        print(_help())
        return
    if name == "--version":
        import toymono

        print(f"toymono {toymono.__version__}")
        return
    near = difflib.get_close_matches(name, COMMANDS)
    choices = f"did you mean {near[0]}?" if near else f"not one of {', '.join(COMMANDS)}"
    print(f"toymono: unknown command {name!r}; {choices}", file=sys.stderr)
    sys.exit(2)


def _help() -> str:
    lines = [f"  {command:13} {text}" for command, text in COMMANDS.items()]
    parts = [
        f"Trains and analyses toy models of superposition.\n\n{_EXAMPLES}",
        "\n".join(["commands:", *lines]),
        "`toymono COMMAND --help` shows examples and flags; `python -m toymono.COMMAND` is the "
        "same command.",
    ]
    if not any(Path("runs").glob("*.safetensors")):
        parts.append("There are no runs in runs/ yet: the first example trains some.")
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
