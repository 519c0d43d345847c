"""Settings of the documentation site; `make docs` builds it into docs/_build."""

import re
import sys
from pathlib import Path

from docutils import nodes
from sphinx.util.osutil import relative_uri

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

import toymono  # noqa: E402

project = "toymono"
release = version = toymono.__version__
copyright = "the toymono authors"
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "commands",
]
exclude_patterns = ["_build", "_ext"]
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "ignore-module-all": True,
}
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_custom_sections = [("Reference", "references_style")]
default_role = "code"

# Roles in prose lead somewhere. Types in signatures need not: many are other packages'.
nitpicky = True
nitpick_ignore_regex = [(r"py:(?!mod$|func$).*", ".*")]

html_theme = "furo"
html_title = "toymono"
html_theme_options = {
    "source_repository": "https://github.com/toymono/toymono",
    "source_branch": "main",
    "source_directory": "docs/",
}
copybutton_exclude = ".linenos, .gp, .go"  # prompts and output
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
pygments_dark_style = "monokai"

_EXAMPLE = re.compile(r"\s*(>>>|\.\.\. )")


def _plain_text(app, what, name, obj, options, lines):
    """Escapes what reStructuredText would take for markup; docstrings are plain text.

    Examples stay as they are, from the prompt to the next empty line.
    """
    example = False
    for i, line in enumerate(lines):
        example = bool(_EXAMPLE.match(line)) or (example and bool(line.strip()))
        if not example:
            parts = line.split("`")  # the odd ones are code
            parts[::2] = [re.sub(r"([*|]|_(?!\w))", r"\\\1", part) for part in parts[::2]]
            lines[i] = "`".join(parts)


def _page(app, docname, source):
    """Adapts pages that are also read elsewhere: their anchors, links to the anchors of claims
    from other pages, the contributors' page's place.
    """
    if docname == "contributing":
        text = (HERE.parent / "CONTRIBUTING.md").read_text()
        text = text.replace("](docs/", "](").replace("](notebooks/", "](../notebooks/")
        source[0] = text + source[0]
    # Sphinx drops the number with which an id begins: links from elsewhere need the whole one.
    anchor = r'<a id="\1"></a>\n\n(\1)='
    source[0] = re.sub(r'^<a id="([^"]+)"></a>$', anchor, source[0], flags=re.MULTILINE)
    source[0] = re.sub(r"\]\([./]*papers/\w+\.md(#\d[^)]+)\)", r"](\1)", source[0])


def _short_types(app, what, name, obj, options, signature, returned):
    """Types of arrays as the code writes them."""
    parts = (signature, returned)
    return tuple(part and part.replace("jaxlib._jax.Array", "Array") for part in parts)


def _linked_pictures(app, doctree, docname):
    """Lets pictures lead to their full size."""
    folder = relative_uri(app.builder.get_target_uri(docname), app.builder.imagedir)
    for image in list(doctree.findall(nodes.image)):
        if image["uri"] not in app.env.images or isinstance(image.parent, nodes.reference):
            continue
        _, name = app.env.images[image["uri"]]
        link = nodes.reference(refuri=f"{folder}/{name}", internal=True)
        image.replace_self(link)
        link.append(image)


def setup(app):
    app.connect("source-read", _page)
    app.connect("doctree-resolved", _linked_pictures)
    app.connect("autodoc-process-signature", _short_types)
    app.connect("autodoc-process-docstring", _plain_text, priority=400)  # before napoleon
