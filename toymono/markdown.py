"""Markdown pages: tables, and writing a page without replacing somebody else's file."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from toymono.files import atomic_write


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown.

    Example:
      >>> print(table(("sweep", "runs"), [("LR1", "18")]))
      | sweep | runs |
      | --- | --- |
      | LR1 | 18 |
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(path: str | Path, text: str, mark: str) -> Path:
    """Writes a page atomically and returns its path.

    A file may be replaced by a newer version of the same page only: both must
    have the same first line and the mark.

    Args:
      path: The page's.
      text: The page.
      mark: Words of the page that say which command wrote it, the same in every version.

    Raises:
      FileExistsError: The file at `path` has another first line, or lacks the mark.
      OSError: The folder cannot be written.
    """
    assert mark in text
    path = Path(path)
    content = text.encode(errors="surrogateescape")  # a path's bytes under an ASCII locale
    first = content.partition(b"\n")[0]
    before = path.read_bytes() if path.exists() else content
    if before.partition(b"\n")[0].rstrip() != first:
        raise FileExistsError(
            f"{path} is not overwritten: its first line is not {first.decode()!r}"
        )
    if mark.encode() not in before:
        raise FileExistsError(f"{path} is not overwritten: it lacks the words {mark!r}")
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
    return path
