"""Pages about figures."""

from toymono import catalog
from toymono.plots import gallery, pages
from toymono.plots.registry import FIGURES


def test_table_1_has_every_row_and_marks_our_choices():
    page = pages.table1()
    rows = [line for line in page.splitlines() if line.startswith("| ") and "---" not in line]
    # Batches of 512 leave the table as it is.
    assert len(rows) == (len(catalog.SCALES) - 1) * (1 + len(catalog.SWEEPS))
    assert page.count("The table is that of the paper scale.") == 1
    [d1] = [row for row in rows if row.startswith("| D1 |") and "†" in row]
    assert len(d1.split("|")) == len(rows[0].split("|"))
    assert "| LR1 | decoder | relu | equal |" in page
    assert not any("†" in row for row in rows if row.startswith("| LR1 |"))


def drawn(name, **changed):
    values = {"figure": FIGURES[name], "runs": 1, "scale": None, "facts": "", "paths": ()}
    return gallery.Drawn(**{**values, **changed})


def test_a_gallery_shows_figures_with_commands_claims_and_facts():
    paper = drawn("fig03", runs=6, scale="paper", facts="over rate 1 → 2: loss 3 → 4")
    statements = dict.fromkeys(FIGURES["fig03"].claims, "A statement.")
    page = pages.gallery(
        [drawn("sorted_biases"), paper], ["fig06", "fig07"], statements, "png", "COMMAND"
    )
    assert page.startswith("# Figures of the stored runs\n\nMade by `COMMAND`")
    assert f"![{FIGURES['fig03'].summary}](fig03.png)" in page
    assert "## Figure 3 of the paper: traces by rate" in page
    assert "Paper scale, 6 runs." in page
    assert "--sweep LR1 --scale paper\npython -m toymono.plots --figure fig03\n" in page
    assert page.count("- The paper: A statement.") == len(statements)
    assert "- Our runs: over rate 1 → 2: loss 3 → 4." in page
    assert "## Sorted biases" in page
    last = page.splitlines()[-1]
    assert last.startswith("Not drawn for lack of runs: fig06, fig07. `toymono plots --list` ")


def test_markdown_links_a_pdf():
    page = pages.gallery([drawn("sorted_biases")], [], {}, "pdf", "COMMAND")
    assert "\n[sorted_biases.pdf](sorted_biases.pdf)\n" in page
    assert "![" not in page
    assert "Not drawn" not in page


def test_the_table_of_claims_puts_facts_beside_statements():
    done = drawn("fig23", runs=5, scale="small", facts="more neurons")
    table = pages.claims([done], {"abs_decay": "Slower decay, more neurons."})
    head, row = table.splitlines()
    assert head.split() == ["figure", "runs", "scale", "the", "paper", "our", "runs"]
    assert row.startswith("fig23   5      small   abs_decay: Slower decay, more neurons.")
    assert row.endswith("more neurons")
