"""`toymono COMMAND`: what every command line shares: help, completion, unknown names."""

import json
import os
import re
import subprocess
import sys

import pytest

from toymono import __main__ as program
from toymono import catalog, completion, usage

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


def _help(command, flag="--help"):
    done = subprocess.run(
        [sys.executable, "-m", "toymono", command, flag],
        capture_output=True,
        text=True,
        env=ENVIRONMENT | {"COLUMNS": "80"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("command", usage.COMMANDS)
def test_help_begins_with_examples_and_groups_flags(command):
    text = _help(command)
    lines = text.splitlines()
    assert re.match(rf" {{4}}.*\btoymono {command}\b", lines[2])
    assert len(lines) < 80
    assert max(len(line) for line in lines if line.startswith(("  --", " " * 20))) < 80
    assert lines[-1].startswith("--helpfull ")


def test_help_lists_the_flags_used_most_and_helpfull_all(described):
    flags, _, _ = described
    short, whole = _help("sweep"), _help("sweep", "--helpfull")
    shown = set(re.findall(r"^  --(?:\[no\])?(\w+) ", short, re.M))
    assert shown == usage.MOST_USED
    assert set(re.findall(r"^  --(?:\[no\])?(\w+) ", whole, re.M)) == set(flags["sweep"])
    assert "network:" in short.splitlines()
    assert "decoder, reproject, abs" in short
    words = " ".join(whole.split())
    assert "decoder: recover the features" in words
    assert all(f"{name}: {sweep.title}" in words for name, sweep in catalog.BEYOND.items())


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
