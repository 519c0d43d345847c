"""Writes a page per command, from the flags and fields that the command itself uses, and one
on the sweeps of the catalog.
"""

import ast
import importlib.util
import math
import runpy
import textwrap
from pathlib import Path

import sweeps
from absl import flags
from absl.testing import flagsaver

from toymono import cli, usage, where

FOLDER = "reference/commands"


def pages() -> dict[str, str]:
    """The page of each command by its name."""
    # These define flags, which stay defined when those of a command are removed.
    assert cli
    assert where
    found = {}
    for name, summary in usage.COMMANDS.items():
        module = f"toymono.{name}.__main__"
        with flagsaver.flagsaver():  # two commands may define the same flag
            if name != "completion" or "shell" not in flags.FLAGS:
                runpy.run_module(module, run_name=module, alter_sys=True)
            found[name] = _page(name, summary, module)
    return found


def _page(name: str, summary: str, module: str) -> str:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    words = ast.get_docstring(ast.parse(Path(spec.origin).read_text())) or ""
    parts = [f"# {name}", f"`toymono {name}`: {summary}.", _markdown(words)]
    for title, listed in usage.grouped(module).items():
        rows = "\n".join(_row(flag) for flag in sorted(listed, key=lambda flag: flag.name))
        parts.append(
            f"## {title.capitalize()}\n\n| flag | meaning | default |\n| --- | --- | --- |\n{rows}"
        )
    return "\n\n".join(parts) + "\n"


def _markdown(words: str) -> str:
    """A docstring as Markdown: indented lines become blocks of code."""
    paragraphs = []
    for paragraph in words.split("\n\n"):
        if paragraph.startswith("    "):
            code = textwrap.dedent(paragraph)
            paragraphs.append(f"```shell\n{code}\n```")
        else:
            paragraphs.append(paragraph)
    return "\n\n".join(paragraphs)


def _row(flag: flags.Flag) -> str:
    field = getattr(flag.parser, "field", None)
    text = (flag.help or "").partition(">: ")[2] if (flag.help or "").startswith("<") else flag.help
    text = " ".join((text or "").split())
    if field is not None:
        text = field.description
        if field.choices:
            words = "; ".join(f"`{word}`: {meaning}" for word, meaning in field.choices.items())
            text = f"{text} {words}."
        elif field.type in (int, float):
            text = f"{text} In {_interval(field)}."
        if field.unless:
            other, *values = map(str, field.unless)
            text = f"{text} No effect with `--{other} {', '.join(values)}`."
        default = "" if field.default is None else field.text(field.default)
    else:
        if flag.name == "sweep":  # its titles have a page
            text = f"{text.partition(' Those of')[0]} [All sweeps](sweeps.md)."
        text += "".join(
            f" One of {', '.join(f'`{word}`' for word in words)}."
            for words in [usage.choices(flag)]
            if words
        )
        default = flag.default
        default = ",".join(map(str, default)) if isinstance(default, list) else str(default)
    shown = "" if default in ("None", "") else f"`{default}`"
    escaped = text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
    return f"| `--{flag.name}` | {escaped} | {shown} |"


def _interval(field) -> str:
    if field.type is int:
        return f"[{field.low:.0f}, {field.high:.0f}]"
    low = "(" if field.low_open or math.isinf(field.low) else "["
    high = ")" if field.high_open or math.isinf(field.high) else "]"
    return f"{low}{field.low:g}, {field.high:g}{high}"


def _write(app) -> None:
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    rows = "\n".join(f"| [{name}]({name}.md) | {text} |" for name, text in usage.COMMANDS.items())
    names = "\n".join([*made, "sweeps"])
    made["index"] = f"""# Commands

`toymono COMMAND` and `python -m toymono.COMMAND` are the same. `--help` lists the flags of a
command that are used most, `--helpfull` all. Exit codes: 0 done, 1 something failed while
running, 2 the command was wrong, 130 stopped by a signal. [Sweeps](sweeps.md) lists the grids
that `python -m toymono.sweep --sweep` trains by name.

| command | what it does |
| --- | --- |
{rows}

```{{toctree}}
:hidden:

{names}
```
"""
    made["sweeps"] = sweeps.page()
    for name, text in made.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text() != text:  # an unchanged page is not read again
            path.write_text(text)
    for old in folder.glob("*.md"):
        if old.stem not in made:
            old.unlink()


def setup(app):
    app.connect("builder-inited", _write, priority=100)
    return {"parallel_read_safe": True}
