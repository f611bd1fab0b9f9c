"""How much room a part of a slide needs, in pixels of a screen of 1280 × 720.

The browser sets the text, so these are estimates, and generous ones; deck.js makes a slide smaller that is too full
after all.
"""

import base64
import math
import re
from functools import cache

from tools.slides.wording import items, visible_length

WIDTH, HEIGHT = 1180, 556
"""Of a slide's body, below the title and above the page number."""

LEAST_PICTURE = 330
"""A figure that would be lower gets a slide of its own."""

LEADING = 1.32
_SMALLEST_CODE = 18
_LARGEST = {
    "code": 27,
    "printed": 25,
    "error": 25,
    "equation": 58,
    "table": 32,
    "lead": 34,
    "statement": 34,
    "takeaway": 34,
    "explained": 34,
    "list": 36,
    "trains": 28,
}
_CODE_ADVANCE = 0.605
"""Width of a character of code, as a share of its height."""

_TEXT_ADVANCE = 0.47
_MARGINS = {"statement": 24, "takeaway": 24, "explained": 28, "answer": 40}


@cache
def height(kind: str, text: str, size: float) -> int:
    """Height of a part in letters of that size; see `layout.Part` for the kinds."""
    if kind == "picture":
        return round(size) + 12
    if kind in {"code", "printed", "error"}:
        columns = (WIDTH - 44) / (size * _CODE_ADVANCE)
        return round(sum(max(1, math.ceil(len(line) / columns)) for line in text.split("\n")) * size * LEADING + 38)
    if kind == "equation":
        return round(_equation(text) * size / 36 + 28)
    if kind == "table":
        return _table(text, size)
    if kind == "list":
        return sum(_paragraph(line, size, WIDTH - 40) + 4 for item in items(text) for line in _own_lines(item))
    paragraphs = re.split(r"\n\s*\n|\n(?=\s*(?:[*+-]|\d+\.)\s)", text)
    return sum(_paragraph(paragraph, size, WIDTH - 24) for paragraph in paragraphs) + _MARGINS.get(kind, 0)


@cache
def fitting_size(kind: str, text: str, largest: float) -> float:
    """The largest letters, up to a limit, in which the longest line of code or an equation fits the slide's width."""
    largest = min(largest, _LARGEST.get(kind, 42))
    if kind in {"code", "printed", "error"}:
        longest = max(map(len, text.splitlines()), default=1)
        return min(largest, max(_SMALLEST_CODE, math.floor(10 * (WIDTH - 44) / (longest * _CODE_ADVANCE)) / 10))
    if kind == "equation":
        longest = max(visible_length(f"${row}$") for row in re.split(r"\\\\|\$\$", text) if row.strip())
        return round(min(largest, WIDTH / (0.56 * max(longest, 1))), 1)
    return largest


@cache
def picture_height(png: str, room: int) -> int:
    """The height at which a figure fills the slide's width, or the room that is left, whichever is less."""
    header = base64.b64decode(png[:48])
    width, rows = int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big")
    return round(min(room, rows * min(WIDTH / width, 2)))


def _paragraph(text: str, size: float, width: int) -> int:
    rows = math.ceil(visible_length(text) * size * _TEXT_ADVANCE / width)
    tall = 0.45 * size if re.search(r"\\d?frac|\\sum", text) else 0
    return round(max(rows, 1) * size * LEADING + tall + 14)


def _own_lines(item: str) -> list[str]:
    """An item's text, and each of the items below it."""
    return re.split(r"\n(?=\s+(?:[*+-]|\d+\.)\s)", item)


def _equation(latex: str) -> int:
    """Height in letters of 36 pixels; equations below each other stand each between its own dollars."""
    pieces = [piece for piece in latex.split("$$") if piece.strip()]
    return sum((piece.count(r"\\") + 1) * (98 if re.search(r"frac|sum|prod", piece) else 62) for piece in pieces)


def _table(markdown: str, size: float) -> int:
    rows = [re.split(r"(?<!\\)\|", row.strip().strip("|")) for row in markdown.splitlines()]
    lengths = [[visible_length(cell.strip()) for cell in row] for row in [rows[0], *rows[2:]]]
    widest = [max(row[at] for row in lengths if at < len(row)) for at in range(len(lengths[0]))]
    room = (WIDTH - 32 * len(widest)) / (size * 0.5)
    squeeze = min(1, room / max(sum(widest), 1))
    wraps = [
        max(math.ceil(length / max(column * squeeze, 1) - 0.02) for length, column in zip(row, widest, strict=False))
        for row in lengths
    ]
    return round(sum(max(wrap, 1) * size * LEADING + 14 for wrap in wraps) + 24)
