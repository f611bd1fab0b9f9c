"""Slides to one HTML file: reveal.js, its speaker view, letters and figures inside, nothing to fetch."""

import base64
import html
import io
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fontTools import subset
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from course_utils import plots
from tools.chapters import Chapter
from tools.page import render
from tools.slides import listing
from tools.slides.layout import Part, Slide


def _folder(package: str) -> Path:
    """Where an installed package lies; only its files are wanted, not its code."""
    return Path(find_spec(package).submodule_search_locations[0])


FILES = Path(__file__).parent
REVEAL = _folder("sphinx_revealjs") / "_static" / "revealjs"
_FONTS = REVEAL / "dist" / "theme" / "fonts" / "source-sans-pro"
_FACES = {
    "regular": "font-weight: 400",
    "italic": "font-weight: 400; font-style: italic",
    "semibold": "font-weight: 600",
    "semibolditalic": "font-weight: 600; font-style: italic",
}
MATHEMATICAL = _folder("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf"
SIGNS = (
    (0x20, 0x7E),
    (0xAC, 0xD7),  # not, degree, plus-minus, dot, times
    (0x391, 0x3F5),  # Greek
    (0x2010, 0x2032),  # dashes, dots, primes
    (0x2061, 0x2064),  # invisible operators
    (0x2100, 0x214F),  # letters such as the script L of a loss
    (0x2190, 0x21D5),  # arrows
    (0x2200, 0x2298),  # operators
    (0x22C0, 0x22EF),
    (0x2308, 0x230B),  # floor and ceiling
    (0x23DE, 0x23DF),  # braces above and below
    (0x1D400, 0x1D7FF),  # letters in italics, bold, script
)
"""Ranges of Unicode that an equation of the course may use."""


def deck(chapter: Chapter, columns: list[list[Slide]]) -> str:
    """The deck of a chapter. Raises page.EquationError."""
    return _template("deck.html.j2").render(
        chapter=chapter,
        columns=[[_slide(slide) for slide in column] for column in columns],
        licence=Markup((REVEAL / "LICENSE").read_text(encoding="utf-8")),
        style=Markup(style()),
        scripts=[Markup(script) for script in scripts()],
    )


def index(rows: list[dict]) -> str:
    """The page that links the decks; a row has chapter, slides, figures, exercises and minutes."""
    return _template("index.html.j2").render(rows=rows, style=Markup(_colours()))


def _slide(slide: Slide) -> dict:
    """What the template needs of a slide."""
    body = Markup("\n".join(part_html(part) for part in slide.parts))
    return {
        "slide": slide,
        "title": Markup(_inline(slide.title)),
        "kicker": Markup(_inline(slide.kicker)),
        "body": Markup(f'<div class="fragment">{body}</div>') if slide.covered else body,
        "large": " large" if slide.has_large_countdown else "",
        "notes": Markup("\n".join(_render(note) for note in slide.notes)),
    }


def part_html(part: Part) -> str:
    """The HTML of one part."""
    size = f'style="font-size: {part.size:g}px"'
    appears = " fragment" if part.fragment else ""
    if part.kind == "code":
        label = f'<span class="cell">{html.escape(part.label)}</span>'
        return f'<div class="code" {size}>{label}{listing.html(part.text)}</div>'
    if part.kind in {"printed", "error"}:
        return f'<pre class="{part.kind}{appears}" {size}>{html.escape(part.text)}</pre>'
    if part.kind == "picture":
        alt = html.escape(part.label, quote=True)
        height = f"height: {part.size:g}px"
        return f'<img class="picture" style="{height}" alt="{alt}" src="data:image/png;base64,{part.text}">'
    return f'<div class="{part.kind}{appears}" {size}>{_render(part.text)}</div>'


@cache
def style() -> str:
    """All style sheets: reveal's own, the letters, the palette, and ours."""
    reveal = [(REVEAL / "dist" / name).read_text(encoding="utf-8") for name in ("reset.css", "reveal.css")]
    ours = (FILES / "deck.css").read_text(encoding="utf-8")
    return "\n".join([*reveal, *map(_face, _FACES), _mathematical_face(), _colours(), ours])


@cache
def scripts() -> list[str]:
    """reveal.js, its speaker view, and ours, each fit to stand between script tags."""
    files = [REVEAL / "dist" / "reveal.js", REVEAL / "plugin" / "notes" / "notes.js", FILES / "deck.js"]
    texts = [file.read_text(encoding="utf-8") for file in files]
    without_maps = [re.sub(r"^//# sourceMappingURL=.*$", "", text, flags=re.MULTILINE) for text in texts]
    # The speaker view is a page within a string; its own tags must not be read as this page's.
    return [re.sub(r"<(?=!--|/?script)", r"\\x3C", text) for text in without_maps]


def _face(name: str) -> str:
    letters = base64.b64encode((_FONTS / f"source-sans-pro-{name}.woff").read_bytes()).decode()
    source = f'url("data:font/woff;base64,{letters}") format("woff")'
    return f'@font-face {{ font-family: "Source Sans Pro"; {_FACES[name]}; src: {source}; }}'


def _mathematical_face() -> str:
    """STIX Two Math with the signs that equations use; without such letters a browser draws them badly."""
    options = subset.Options(hinting=False, flavor="woff")
    font = subset.load_font(str(MATHEMATICAL), options)
    chosen = subset.Subsetter(options)
    chosen.populate(unicodes=[sign for first, last in SIGNS for sign in range(first, last + 1)])
    chosen.subset(font)
    packed = io.BytesIO()
    subset.save_font(font, packed, options)
    letters = base64.b64encode(packed.getvalue()).decode()
    return f'@font-face {{ font-family: "STIX Two Math"; src: url("data:font/woff;base64,{letters}") format("woff"); }}'


def _colours() -> str:
    """The course's palette as variables such as --sky-blue."""
    named = "".join(f"--{name.replace(' ', '-')}: {colour}; " for name, colour in plots.OKABE_ITO.items())
    return f":root {{ {named}}}"


def _render(markdown: str) -> str:
    """HTML in which a link to a file of the course is plain text: a deck may lie anywhere."""
    return re.sub(r'<a href="(?!https?:)[^"]*"[^>]*>(.*?)</a>', r"\1", render(markdown), flags=re.DOTALL)


def _inline(markdown: str) -> str:
    """A heading's HTML, without the paragraph around it; "1. One" is not the first item of a list here."""
    return re.sub(r"^<p>|</p>$", "", render(re.sub(r"^(\d+)\.", r"\1\\.", markdown)).strip())


@cache
def _template(name: str):
    loader = FileSystemLoader(FILES)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True).get_template(name)
