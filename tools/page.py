"""An executed chapter as one HTML page: pictures inside, equations as MathML, nothing to fetch."""

import html
import re
from pathlib import Path

from jinja2 import pass_context
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

TEMPLATES = Path(__file__).parent


class EquationError(ValueError):
    """An equation that cannot be turned into MathML; the message shows it."""


class Renderer(IPythonRenderer):
    """Markdown to HTML: equations become MathML, a picture elsewhere on the net becomes its alt text."""

    def inline_math(self, body: str) -> str:
        return mathml(body, "inline")

    def block_math(self, body: str) -> str:
        return mathml(body, "block")

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return html.escape(text) if url.startswith(("http:", "https:")) else super().image(text, url, title)


class Page(HTMLExporter):
    """nbconvert's exporter with our template and our equations."""

    def __init__(self) -> None:
        super().__init__(template_name="page", extra_template_basedirs=[str(TEMPLATES)])

    @pass_context
    def markdown2html(self, context, source: str) -> str:
        return render(source)


def render(markdown: str) -> str:
    """The HTML of a markdown cell. Raises EquationError."""
    return MarkdownWithMath(renderer=Renderer(escape=False)).render(markdown)


def page(notebook: NotebookNode, title: str) -> str:
    """The HTML page of an executed notebook. Raises EquationError."""
    text, _ = Page().from_notebook_node(notebook, {"metadata": {"name": title}})
    return text


def mathml(latex: str, display: str) -> str:
    """The MathML of an equation; `display` is "inline" or "block". Raises EquationError."""
    supported = latex.replace("{aligned}", "{split}")  # the same layout under the name the converter knows
    try:
        markup = convert(supported.strip(), display=display)
    except Exception as error:  # the converter's many exceptions share no base class
        raise EquationError(f"the equation {latex!r} is not valid: {type(error).__name__}.") from error
    unknown = re.search(r"\\[A-Za-z]+|<mi>&</mi>", markup)
    if unknown:
        raise EquationError(f"the equation {latex!r} holds {unknown[0]}, which cannot be turned into MathML.")
    return markup
