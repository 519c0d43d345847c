"""The page of the sweeps of the catalog: what each varies, its runs, and what uses it."""

import importlib
import re
from collections.abc import Mapping

from toymono import catalog, markdown, papers
from toymono.catalog.sweep import paper_preset
from toymono.fields import TOY
from toymono.plots.registry import FIGURES
from toymono.quantities import QUANTITIES
from toymono.quantities.formats import plain
from toymono.sweep import jobs

_SEEDS = range(3)
_MOST_VALUES = 12


def page() -> str:
    """The page, from the catalog and the claims and figures that name its sweeps."""
    parts = [
        "# Sweeps",
        "`python -m toymono.sweep --sweep NAME,NAME --scale small --seeds 3` trains these grids; "
        "`--sweep all` means those of Jermyn et al. (2022). Values are those of the scale `small`. "
        "Runs counts those that three seeds take, with the runs that others start from. Settings "
        "that a sweep does not name are those of the `paper` preset, with the sizes of the scale. "
        "`--dry_run` prints what a sweep costs on this machine.",
        "## Scales",
        "Every sweep can be trained at every scale.",
        markdown.table(
            ("scale", "sizes"),
            [(f"`{name}`", scale.sizes) for name, scale in catalog.SCALES.items()],
        ),
        "## Of Jermyn et al. (2022)",
        _table(catalog.SWEEPS),
        "## Further sweeps",
        _table(catalog.BEYOND),
    ]
    return "\n\n".join(parts) + "\n"


def _table(sweeps: Mapping[str, catalog.Sweep]) -> str:
    head = ("name", "what it varies", "values", "settings", "runs", "what it is for")
    used = _used_by()
    rows = []
    for name, sweep in sweeps.items():
        points = list(sweep.points("small"))
        runs = len({job.name for job in jobs.of_sweeps([name], "small", _SEEDS)})
        row = (sweep.title, _values(points), str(len(points)), str(runs), used.get(name, ""))
        rows.append((f"`{name}`", *row))
    return markdown.table(head, rows)


def _values(points: list[dict]) -> str:
    """The fields that differ between the settings, with their values."""
    defaults = {name: field.default for name, field in TOY.items()}
    given = [{**defaults, **paper_preset(point), **point} for point in points]
    parts = []
    for name in TOY:
        values = list(dict.fromkeys(point[name] for point in given))
        if len(values) > 1:
            texts = [v if isinstance(v, str) else QUANTITIES[name].text(v) for v in values]
            if len(texts) > _MOST_VALUES:
                texts = [texts[0], "…", texts[-1]]
            parts.append(f"{plain(QUANTITIES[name].label)} {', '.join(texts)}")
    return "; ".join(parts)


def _used_by() -> dict[str, str]:
    """By sweep the claims that are judged on it, and the figures that it is drawn in."""
    found: dict[str, list[str]] = {}
    for paper in papers.NAMES:
        claims = importlib.import_module(f"toymono.papers.{paper}.claims").CLAIMS
        numbers: dict[str, list[str]] = {}
        for number, claim in enumerate(claims.values(), 1):
            for name in claim.sweeps:
                numbers.setdefault(name, []).append(str(number))
        for name, listed in numbers.items():
            noun = "claim" if len(listed) == 1 else "claims"
            link = f"[{paper}](../../papers/{paper}.md)"
            found.setdefault(name, []).append(f"{noun} {', '.join(listed)} of {link}")
    drawn: dict[str, list[str]] = {}
    for figure in FIGURES.values():
        for names in re.findall(r"--sweep (\S+)", figure.trained_by):
            for name in names.split(","):
                drawn.setdefault(name, []).append(f"`{figure.name}`")
    for name, listed in drawn.items():
        noun = "figure" if len(listed) == 1 else "figures"
        found.setdefault(name, []).append(f"{noun} {', '.join(listed)}")
    return {name: "; ".join(listed) for name, listed in found.items()}
