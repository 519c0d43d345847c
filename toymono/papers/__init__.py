"""What papers claim, compared with what stored runs show.

    python -m toymono.papers

`claims` is the record of a claim, `findings` measures it from frames,
`verdicts` holds the rule that decides, `evidence` the CSV files in git that the
frames come from, `verdict_page` writes Markdown, and `paper` ties these
together. Each paper has a package with its `claims`, its `measures` and its
record `paper.PAPER`.
"""

NAMES = ("jermyn2022", "marshall2024", "olah2017", "wright2022", "black2022", "basins")
"""Papers: packages of this one."""
