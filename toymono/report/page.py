"""The page as one file: markup, style, data, charts and their JavaScript."""

import functools
import html
import importlib.resources
import json
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import vl_convert

from toymono import markdown
from toymono.report import charts

FIRST_LINE = "<!doctype html><!-- written by python -m toymono.report -->"
"""By this line a page that may be replaced is known."""

_HERE = importlib.resources.files("toymono.report")
_SCRIPTS = ("common.js", "table.js", "overview.js", "detail.js", "main.js")


def render(
    tables: Sequence[dict[str, Any]], details: Sequence[dict[str, Any]], command: str, summary: str
) -> str:
    """The text of the page.

    Args:
      tables: From `tables.tables`.
      details: From `detail.detail`.
      command: What makes this page.
      summary: A sentence about the runs.
    """
    data = {"tables": tables, "runs": [_header(detail) for detail in details]}
    # Each run's arrays are parsed only when the run is shown.
    blocks = [_json("charts", charts.all_charts()), _json("data", data)]
    blocks += [_json(f"detail-{detail['run']}", detail) for detail in details]
    program = "\n".join(_text(f"js/{name}") for name in _SCRIPTS)
    return (
        FIRST_LINE
        + "\n"
        + string.Template(_text("page.html")).substitute(
            style=_text("page.css"),
            summary=html.escape(summary),
            command=html.escape(command),
            blocks="\n".join(blocks),
            library=f"(() => {{{_library()}}})();",
            program=f"(() => {{\n'use strict';\n{program}\n}})();",
        )
    )


def write(path: Path, page: str) -> Path:
    """Writes the page; a file that is not such a page is not overwritten.

    Raises:
      FileExistsError: There is another file at `path`.
    """
    return markdown.write(path, page, FIRST_LINE)


def _header(detail: dict[str, Any]) -> dict[str, Any]:
    return {name: detail[name] for name in ("run", "title", "k", "n", "steps")}


def _text(name: str) -> str:
    return _HERE.joinpath(name).read_text(encoding="utf-8")


def _json(name: str, content: Any) -> str:
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    return f'<script type="application/json" id="{name}">{text}</script>'


@functools.cache
def _library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, which sets `vegaEmbed`."""
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle.replace("</script", "<\\/script")
