"""What `--help` prints, and completion for shells, both made from a command's flags.

Help begins with the command's own words and examples, then lists the flags in
groups, one or two lines each. Of a command with many flags, `--help` lists those
that are used most; `--helpfull` lists all, with all that is said of them.
"""

import re
import shutil
import textwrap
from collections.abc import Mapping, Sequence

from absl import flags

COMMANDS: Mapping[str, str] = {
    "sweep": "train a grid of toy models",
    "classifiers": "train classifiers with a polysemantic penalty",
    "autoencoders": "train autoencoders of image patches with dropout",
    "plots": "draw figures of stored runs",
    "papers": "compare published claims with stored runs",
    "report": "write an interactive page of stored runs",
    "store": "check the stored runs of a folder",
    "torch_io": "import and export PyTorch files",
    "zoo": "list the trained models that come with the package",
    "completion": "print a script that completes commands and flags in a shell",
}
"""Every command and what it does."""

GROUPS: Mapping[str, Sequence[str]] = {
    title: names.split()
    for title, names in {
        "features and task": "task n m eps feature_law exponent noise noise_scale world_seed "
        "data patch",
        "network": "model network k skip_rank sizes nonlinearity layer_norm init_bias bias_start "
        "start_margin init_scale sparsity density_rule density drop_share",
        "training": "log2_steps steps epochs prune_epochs batch_size optimizer schedule "
        "learning_rate cosine_period bias_decay decay_rule firing_target bias_pull pull_weight "
        "pull_target weight_decay matmul_precision",
        "where a run starts": "origin parents match_parents attraction line_loss "
        "ticket_control rewind_step fork_seed "
        "fork_step",
        "penalties and dropout": "penalty alpha l1 dropout dropout_rate",
        "which runs": "preset sweep scale seeds seed capacity",
        "which figures and pages": "figure paper papers by where detail list format",
        "where, how, and how long": "runs_dir figures_dir docs_dir data_dir out dry_run "
        "group_size save_every coordinator hosts host",
    }.items()
}
"""Flags by what they are about, for every command; those not named here come last."""

MOST_USED = {
    *("task", "n", "m", "eps", "model", "k", "nonlinearity", "init_bias"),
    *("log2_steps", "learning_rate", "bias_decay", "penalty", "alpha"),
    *("preset", "sweep", "scale", "seeds", "runs_dir", "dry_run"),
}
"""Flags that `--help` lists of a command with more than `MANY` flags."""

MANY = 30
"""Our choice: help with so many flags fills two or three screens."""

_OTHERS = "more"
_WIDTH = 96  # Our choice: lines longer than this are hard to read on a wide terminal.


def help_text(words: str, module: str, whole: bool = False) -> str:
    """What `--help` and `--helpfull` print: the command's words, then its flags in groups.

    Args:
      words: The docstring of the command's module, with its examples.
      module: The name under which absl lists its flags.
      whole: Whether all flags are listed, with all that is said of them.
    """
    width = min(_WIDTH, shutil.get_terminal_size().columns) - 1
    groups = grouped(module)
    count = sum(map(len, groups.values()))
    parts = [words.strip()]
    for title, listed in groups.items():
        if count > MANY and not whole:
            listed = [flag for flag in listed if flag.name in MOST_USED]
        if listed:
            parts.append("\n".join([f"{title}:", *(_line(flag, width, whole) for flag in listed)]))
    if not whole:
        verb = f"lists all {count} flags and explains" if count > MANY else "explains"
        parts.append(f"--helpfull {verb} their choices.")
    return "\n\n".join(parts)


def grouped(module: str) -> dict[str, list[flags.Flag]]:
    """The flags of a command, each in one group; groups without flags are left out."""
    left = {flag.name: flag for flag in flags.FLAGS.get_key_flags_for_module(module)}
    found = {
        title: [left.pop(name) for name in names if name in left] for title, names in GROUPS.items()
    }
    found[_OTHERS] = list(left.values())
    return {title: listed for title, listed in found.items() if listed}


def _line(flag: flags.Flag, width: int, whole: bool) -> str:
    """A flag with its first sentence and its choices, or all of its text, and its default."""
    boolean = isinstance(flag, flags.BooleanFlag)
    name = f"  --{'[no]' if boolean and flag.default else ''}{flag.name} "
    words = re.sub(r"^<[^>]*>: ", "", flag.help or "")  # absl begins with the choices
    text = words.replace("\n", " ")
    values = choices(flag)
    if not whole:
        text = text.partition(". ")[0]
    text = text.rstrip(".:; ")
    if values and not (whole and getattr(flag.parser, "field", None)):  # fields name theirs
        text += f": {', '.join(values)}"
    default = _default(flag)
    return textwrap.fill(
        f"{text} [{default}]" if default else text,
        width,
        initial_indent=name.ljust(20),
        subsequent_indent=" " * 20,
        break_on_hyphens=False,
    )


def choices(flag: flags.Flag) -> list[str]:
    """The words that a flag takes; none if it takes other values."""
    field = getattr(flag.parser, "field", None)
    return list(field.choices if field else getattr(flag.parser, "enum_values", ()))


def _default(flag: flags.Flag) -> str:
    """The value if the flag is not given; empty if there is none or if it tells nothing."""
    field = getattr(flag.parser, "field", None)
    if field is not None:
        return "" if field.default is None else field.text(field.default)
    value = flag.default
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "" if value in (None, False, True, "") else str(value)
