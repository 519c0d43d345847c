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


def write(path: str | Path, text: str) -> Path:
    """Writes a page atomically and returns its path.

    A file may be replaced by a newer version of the same page only: both must
    have the same first line.

    Raises:
      FileExistsError: The file at `path` has another first line.
      OSError: The folder cannot be written.
    """
    path = Path(path)
    first = text.partition("\n")[0].encode()
    if path.exists() and path.read_bytes().partition(b"\n")[0].rstrip() != first:
        raise FileExistsError(
            f"{path} is not overwritten: its first line is not {first.decode()!r}"
        )
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path
