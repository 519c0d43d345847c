"""The pages in git are those that the evidence in git gives."""

import importlib
import re
import shutil
from pathlib import Path

import pytest

from toymono import papers
from toymono.papers.paper import update

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", papers.NAMES)
def test_the_page_is_made_from_the_evidence_in_git(name, tmp_path):
    paper = importlib.import_module(f"toymono.papers.{name}.paper").PAPER
    shutil.copytree(DOCS / "evidence", tmp_path / "evidence")
    page = update(paper, None, tmp_path).page.read_text()
    assert page == (DOCS / "papers" / f"{name}.md").read_text()
    assert not re.search(r"\bnan\b", page)
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", page):
        assert (DOCS / "papers" / picture).exists(), picture
