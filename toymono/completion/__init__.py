"""Completion of commands, flags and words in bash, zsh and fish.

The scripts are made from the commands' own flags and hold all words, so that no
Python process starts when a key is pressed.
"""

import runpy
from collections.abc import Mapping, Sequence

from absl import flags
from absl.testing import flagsaver

from toymono import cli, usage, where

SHELLS = ("bash", "zsh", "fish")

Words = Mapping[str, Sequence[str]]
"""The flags of a command, each with the words that it takes."""


def script(shell: str, table: Mapping[str, Words] | None = None) -> str:
    """A script for one of `SHELLS`; `table` is by default that of all commands.

    Example:
      >>> print(script("fish", {"sweep": {"task": ["decoder", "abs"]}}).splitlines()[-1])
      complete -c toymono -n '__fish_seen_subcommand_from sweep' -l task -x -a 'decoder abs'
    """
    table = flags_of_commands() if table is None else table
    if shell == "fish":
        return _fish(table)
    start = "autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    return start + _bash(table)


def flags_of_commands() -> dict[str, Words]:
    """Every command with its flags, read from the modules that define them."""
    assert cli  # these define flags, which stay when those of a command are removed
    assert where
    table = {}
    for name in usage.COMMANDS:
        if name == "completion":  # this command, whose flag is defined already
            table[name] = {"shell": SHELLS}
            continue
        module = f"toymono.{name}.__main__"
        with flagsaver.flagsaver():  # two commands may define the same flag
            runpy.run_module(module, run_name=module, alter_sys=True)
            key_flags = flags.FLAGS.get_key_flags_for_module(module)
            table[name] = {flag.name: usage.choices(flag) for flag in key_flags}
    return table


def _bash(table: Mapping[str, Words]) -> str:
    lines = [
        "_toymono() {",
        '  local current="${COMP_WORDS[COMP_CWORD]}" words=""',
        '  local flag="${COMP_WORDS[COMP_CWORD-1]}"',
        '  [[ "$flag" == "=" ]] && flag="${COMP_WORDS[COMP_CWORD-2]}"',
        '  [[ "$current" == "=" ]] && flag="${COMP_WORDS[COMP_CWORD-1]}" && current=""',
        f'  if (( COMP_CWORD == 1 )); then words="{" ".join(table)}"',
        '  else case "${COMP_WORDS[1]} $flag" in',
    ]
    for command, words in table.items():
        for name, taken in words.items():
            if taken:
                lines.append(f'    "{command} --{name}") words="{" ".join(taken)}" ;;')
        every = " ".join(f"--{name}" for name in words)
        lines.append(f'    "{command} "*) words="{every}" ;;')
    lines += [
        "    esac",
        "  fi",
        '  COMPREPLY=($(compgen -W "$words" -- "$current"))',
        "}",
        "complete -o default -F _toymono toymono",
    ]
    return "\n".join(lines) + "\n"


def _fish(table: Mapping[str, Words]) -> str:
    lines = []
    for command in table:
        text = usage.COMMANDS[command]
        lines.append(f"complete -c toymono -n __fish_use_subcommand -f -a {command} -d '{text}'")
    for command, words in table.items():
        condition = f"'__fish_seen_subcommand_from {command}'"
        for name, taken in words.items():
            values = f" -x -a '{' '.join(taken)}'" if taken else ""
            lines.append(f"complete -c toymono -n {condition} -l {name}{values}")
    return "\n".join(lines) + "\n"
