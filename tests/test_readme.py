"""The README is true: its example prints what it shows, its numbers are those of the pages."""

import contextlib
import csv
import io
import re
from pathlib import Path

import pytest

import toymono
from toymono import catalog, usage, zoo
from toymono.config import split
from toymono.fields import TOY, grid
from toymono.papers.jermyn2022.claims import CLAIMS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
NUMBER = r"-?\d+(?:\.\d+)?"


def section(title: str) -> str:
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_example_prints_what_it_shows():
    code, shown = re.search(r"```python\n(.*?)```\n\n((?: {4}[^\n]*\n)+)", TEXT, re.S).groups()
    assert len(code.splitlines()) <= 20
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "README.md", "exec"), {})
    found = printed.getvalue()
    assert re.sub(NUMBER, "#", found).split() == re.sub(NUMBER, "#", shown).split()
    numbers = [[float(word) for word in re.findall(NUMBER, text)] for text in (found, shown)]
    # Counts of the zoo are exact; rounding in training differs between machines.
    assert numbers[0] == pytest.approx(numbers[1], abs=0.02)


def test_findings_have_the_numbers_of_their_pages():
    bullets = section("What was found").split("\n- ")[1:]
    assert len(bullets) == 8
    assert [bullet[:10] for bullet in bullets[:2]] == ["**One neur", "**Initial "]
    for bullet in bullets[2:]:
        words, _, link = bullet.partition("(docs/")
        page = (ROOT / "docs" / link.partition(")")[0]).read_text()
        for number in re.findall(r"\d+\.\d+", words):
            assert re.search(rf"\b{re.escape(number)}\b", page), f"{number} is not in its page"


def test_the_features_with_one_neuron_are_those_of_the_evidence():
    [one_each] = [bullet for bullet in section("What was found").split("\n- ") if "503" in bullet]
    for scale, words in {"paper512": "{} features end with", "paper14": "it is {}"}.items():
        with (ROOT / f"docs/evidence/jermyn2022-{scale}.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row["learning_rate"] == "0.03"]
        [ones] = {
            row["features_with_1"]
            for row in rows
            if (row["init_bias"], row["feature_law"], row["k"]) == ("0.0", "equal", "1024")
        }
        assert words.format(ones) in " ".join(one_each.split())


def test_findings_on_the_initial_bias_are_those_of_the_zoo():
    scores = [zoo.ZOO[f"decoder-{name}"].scores for name in ("mono", "poly")]
    counts, losses = ([each[name] for each in scores] for name in ("monosemantic", "loss"))
    words = " ".join(TEXT.split())
    assert "{} (bias -1) and {} (bias 0)".format(*counts) in words
    assert "({:.2f} and {:.2f})".format(*losses) in words
    page = (ROOT / "docs/papers/jermyn2022.md").read_text()
    ends = re.search(r"loss, relative difference: ([\d.]+) … ([\d.]+)", page).groups()
    assert "a loss {:.0f} to {:.0f} % above".format(*(100 * float(end) for end in ends)) in words
    one, other = (zoo.ZOO[f"decoder-{name}"].settings for name in ("mono", "poly"))
    assert set(one.items()) ^ set(other.items()) == {("init_bias", -1.0)}
    assert f"{len(CLAIMS)} claims" in TEXT


def test_every_command_is_in_the_table():
    rows = section("Commands").split("\n| `")[1:]
    table = {name: rest.split(" | ")[1] for name, _, rest in (row.partition("`") for row in rows)}
    assert list(table) == list(usage.COMMANDS)
    for name, text in usage.COMMANDS.items():
        assert table[name].startswith(text)


def test_settings_in_the_text_go_together():
    """Those of each sweep command and of each `--setting value` in prose; lists are grids."""
    codes = re.findall(r"`(?:python -m toymono\.sweep )?(--[^`]+)`", TEXT)
    tried = 0
    for code in codes:
        given = {
            name: [TOY[name].parse(word) for word in words.split(",")]
            for name, words in re.findall(r"--(\w+)[ =](\S+)", code)
            if name in TOY
        }
        for point in grid(given):
            split({**catalog.PRESETS["laptop"](point), **point})
            tried += bool(point)
    assert tried >= 5


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/findings.md", "BUILD.md"])
def test_links_within_the_repository_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text())
    assert links
    for link in links:
        if not link.startswith("https://"):
            assert ((ROOT / page).parent / link).exists(), f"{page} links to {link}"


def test_the_version_is_the_same_everywhere():
    version = toymono.__version__
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()
    assert f"version = {{{version}}}" in TEXT
