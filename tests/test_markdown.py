"""Markdown tables, and pages that never replace another file."""

import pytest

from toymono import markdown


def test_a_table_has_a_head_a_rule_and_rows():
    lines = markdown.table(("a", "b"), [("1", "2"), ("3", "4")]).splitlines()
    assert lines == ["| a | b |", "| --- | --- |", "| 1 | 2 |", "| 3 | 4 |"]


def test_a_page_is_replaced_by_its_next_version(tmp_path):
    path = markdown.write(tmp_path / "page.md", "# Figures\n\nold by me\n", "by me")
    markdown.write(str(path), "# Figures\n\nnew ε by me\n", "by me")
    assert path.read_text(encoding="utf-8") == "# Figures\n\nnew ε by me\n"
    assert [file.name for file in tmp_path.iterdir()] == ["page.md"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("my notes\n", "its first line is not '# Figures'"),
        ("", "its first line is not"),
        ("# Figures of mine, by me\n", "its first line is not"),
        ("# Figures\n\nof somebody else\n", "it lacks the words 'by me'"),
    ],
)
def test_another_file_is_not_overwritten(tmp_path, content, reason):
    path = tmp_path / "page.md"
    path.write_text(content)
    with pytest.raises(FileExistsError, match=rf"page\.md is not overwritten: {reason}"):
        markdown.write(path, "# Figures\n\nby me\n", "by me")
    assert path.read_text() == content
