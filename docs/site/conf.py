"""
How Sphinx makes the documentation's site: ``make docs``. Its source directory is the checkout, so
that pages link to sources, README and each other as they do on a code host.
"""

import sys
from pathlib import Path

import pyflink_async_batch

sys.path.insert(0, str(Path(__file__).parent))

project = "pyflink-async-batch"
author = "the maintainers of pyflink-async-batch"
copyright = author
version = release = pyflink_async_batch.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "diagrams",
]
include_patterns = [
    "*.md",
    "docs/*.md",
    "docs/**/*.md",
    "benchmarks/results.md",
    "benchmarks/endurance*.md",
]
root_doc = "docs/index"
html_extra_path = ["index.html"]
html_theme = "furo"
html_title = f"{project} {release}"

# The anchors that pages use are those that code hosts make of headings.
myst_heading_anchors = 4
# As code hosts have it: ```mermaid, not ```{mermaid}.
myst_fence_as_directive = ["mermaid"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_inherit_docstrings = False
