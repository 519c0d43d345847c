"""Prints a script that completes commands, flags and words in a shell.

    source <(toymono completion --shell bash)       # in ~/.bashrc
    source <(toymono completion --shell zsh)        # in ~/.zshrc
    toymono completion --shell fish > ~/.config/fish/completions/toymono.fish

The script holds all words: it starts no Python process when a key is pressed.
"""

from absl import flags

from toymono import cli, completion

_SHELL = flags.DEFINE_enum("shell", "bash", completion.SHELLS, "The shell.")


def main() -> int:
    """Prints the script."""
    print(completion.script(_SHELL.value), end="")
    return 0


if __name__ == "__main__":
    cli.run(main)
