"""The paper's claims beside what the kept runs show.

    python -m toymono.papers

`evidence` reads the runs into frames, `claims` holds the claims as data,
`measures` makes `findings` of the frames, `verdicts` has the rule that decides,
and `document` writes the page.
"""
