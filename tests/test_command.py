"""`toymono COMMAND`: what every command line shares: help, completion, unknown names."""

import json
import os
import subprocess
import sys

import pytest

from toymono import __main__ as program
from toymono import completion, usage

ENVIRONMENT = {name: value for name, value in os.environ.items() if "COV" not in name}


@pytest.fixture(scope="module")
def described():
    """In a process of its own: the flags and help of every command, and what was imported."""
    code = (
        "import json, sys\n"
        "from toymono import completion, usage\n"
        "heavy = {'jax', 'matplotlib', 'pandas', 'numpy', 'scipy'}\n"
        "flags = completion.flags_of_commands()\n"
        "print(json.dumps([{name: dict(words) for name, words in flags.items()},\n"
        "                  completion.script('bash'), sorted(heavy & set(sys.modules))]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_no_command_imports_jax_to_define_its_flags(described):
    flags, _, imported = described
    assert imported == []
    assert list(flags) == list(usage.COMMANDS)


def test_every_flag_has_a_group_of_its_own(described):
    flags, _, _ = described
    grouped = [name for names in usage.GROUPS.values() for name in names]
    assert len(grouped) == len(set(grouped))
    of_sweep = set(flags["sweep"]) - set(grouped)
    assert not of_sweep, "name these in usage.GROUPS"


def test_completion_in_bash(described, tmp_path):
    (tmp_path / "toymono.bash").write_text(described[1])
    cases = {
        "toymono swe": "sweep",
        "toymono sweep --lear": "--learning_rate",
        "toymono sweep --task reproj": "reproject",
        "toymono sweep --preset = pa": "paper",
        "toymono plots --by ": "",
    }
    lines = ["source toymono.bash"]
    for words in cases:
        split = words.split(" ")
        quoted = " ".join(f"'{word}'" for word in split)
        lines.append(f"COMP_WORDS=({quoted}); COMP_CWORD={len(split) - 1}; COMPREPLY=()")
        lines.append('_toymono; echo "${COMPREPLY[0]}"')
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    first = done.stdout.splitlines()
    assert first[:4] == list(cases.values())[:4]
    assert first[4].startswith("--")  # a flag without words offers the others


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_in_other_shells(shell):
    text = completion.script(shell, {"sweep": {"task": ["decoder"], "k": []}})
    assert ("bashcompinit" in text) == (shell == "zsh")
    assert "decoder" in text
    assert "sweep" in text


def test_help_begins_with_examples_and_groups_flags():
    done = subprocess.run(
        [sys.executable, "-m", "toymono", "sweep", "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=ENVIRONMENT | {"COLUMNS": "80"},
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "Trains a grid of toy models and stores every run."
    assert "python -m toymono.sweep --task decoder" in lines[2]
    assert "network:" in lines
    assert max(map(len, lines[10:])) < 80
    assert len(lines) < 140
    assert "decoder, reproject, abs" in done.stdout
    assert "<smoke" not in done.stdout


def _run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["toymono", *arguments])
    monkeypatch.setattr(program.signals, "end_at_once", lambda: None)
    code = 0
    try:
        program.main()
    except SystemExit as end:
        code = end.code
    return code, *capsys.readouterr()


def test_the_front_door_names_every_command(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, out, err = _run(monkeypatch, capsys)
    assert (code, err) == (0, "")
    assert all(f"  {name} " in out for name in usage.COMMANDS)
    assert "There are no runs in runs/ yet" in out.splitlines()[-1]
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "0.safetensors").touch()
    assert "no runs" not in _run(monkeypatch, capsys, "help")[1]


@pytest.mark.parametrize(
    ("name", "message"),
    [("swep", "did you mean sweep?"), ("xyz", "not one of sweep, classifiers")],
)
def test_an_unknown_command_is_refused_in_one_line(monkeypatch, capsys, name, message):
    code, out, err = _run(monkeypatch, capsys, name)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_commands_are_those_of_the_package():
    root = os.path.dirname(program.__file__)
    found = {name for name in os.listdir(root) if os.path.exists(f"{root}/{name}/__main__.py")}
    assert found == set(usage.COMMANDS)
