"""The documentation site in a browser, as `make docs` built it: widths, themes, pictures."""

import os
from pathlib import Path

import pytest

SITE = Path(__file__).parents[1] / "docs" / "_build"
PAGES = ("index", "concepts/scores", "papers/jermyn2022", "reference/commands/sweeps")


@pytest.fixture(scope="module")
def site():
    if not (SITE / "index.html").exists():
        assert "CI" not in os.environ, ".ci/run builds the site before it tests"
        pytest.skip("the site is not built; make docs")
    return SITE


@pytest.fixture(params=("light", "dark"))
def tab(request, browser, site):
    """A tab in each theme, with all that the browser complained of."""
    opened = browser.new_page(color_scheme=request.param)
    opened.complaints = []
    opened.on("console", lambda message: opened.complaints.append(message.text))
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.on("requestfailed", lambda failed: opened.complaints.append(failed.url))
    yield opened
    opened.close()


@pytest.mark.parametrize("page", PAGES)
def test_pages_fit_the_screen_and_show_their_pictures(tab, site, page):
    for width in (400, 800, 1280):
        tab.set_viewport_size({"width": width, "height": 900})
        tab.goto((site / f"{page}.html").as_uri())
        root = "document.documentElement"
        wider = tab.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
        assert wider <= 0, f"{wider} pixels wider than a screen of {width}"
    pictures = tab.evaluate(
        "[...document.images].filter(image => !image.naturalWidth).map(image => image.src)"
    )
    assert pictures == []
    assert tab.complaints == []


def test_a_picture_leads_to_its_full_size(tab, site):
    tab.goto((site / "concepts" / "scores.html").as_uri())
    image = tab.locator("article img").first
    shown = image.get_attribute("src")
    image.click()
    assert tab.url == (site / "concepts" / shown).resolve().as_uri()
    assert tab.evaluate("document.images[0].naturalWidth") > 0
