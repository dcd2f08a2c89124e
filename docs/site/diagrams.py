"""
Draws what code hosts draw of ```` ```mermaid ```` blocks, with a script that lies beside the pages.

The extension of that name takes the script as a module, which browsers load by HTTP alone; this
site can be read from a disk.
"""

from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

_MERMAID = Path(__file__).resolve().parents[2] / "target" / "mermaid" / "mermaid.min.js"
_SCRIPTS = (_MERMAID.name, "diagrams.js")


class _Diagram(SphinxDirective):
    has_content = True

    def run(self) -> "list[nodes.Node]":
        source = escape("\n".join(self.content))
        return [nodes.raw("", f'<pre class="mermaid">{source}</pre>', format="html", diagram=True)]


def _add_static_files(app: Sphinx) -> None:
    if app.builder.format != "html":
        return
    if not _MERMAID.exists():
        raise ExtensionError(f"{_MERMAID} is missing; 'make docs' fetches it")
    app.config.html_static_path += [str(_MERMAID.parent), str(Path(__file__).parent / "static")]


def _add_scripts(app: Sphinx, page: str, template: str, context: Any, doctree: Any) -> None:
    if doctree is not None and any(raw.get("diagram") for raw in doctree.findall(nodes.raw)):
        for script in _SCRIPTS:
            app.add_js_file(script)


def setup(app: Sphinx) -> "dict[str, bool]":
    app.add_directive("mermaid", _Diagram)
    app.connect("builder-inited", _add_static_files)
    app.connect("html-page-context", _add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
